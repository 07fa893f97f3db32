import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel, cli


@pytest.fixture
def run():
    def invoke(*arguments):
        return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])

    return invoke


@pytest.fixture
def files(corpus, tmp_path):
    frame = pd.DataFrame({"text": corpus.documents, "year": 2020})
    frame.to_csv(tmp_path / "docs.csv", index=False)
    frame.to_json(tmp_path / "docs.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "docs.parquet")
    np.save(tmp_path / "embeddings.npy", corpus.embeddings)
    return tmp_path


@pytest.mark.parametrize("name", ["docs.csv", "docs.jsonl", "docs.parquet"])
def test_fit_topics_retopic(files, run, name):
    embeddings = files / "embeddings.npy"
    fitted = run(
        "fit", files / name, "--embeddings", embeddings, "--n-topics", 5, "--out", files / "model"
    )
    assert fitted.exit_code == 0, fitted.output
    assert SAETopicModel.load(files / "model").n_topics_ == 5
    shown = run("topics", files / "model")
    assert shown.exit_code == 0
    assert "5 topics of 400 documents" in shown.output
    recut = run("retopic", files / "model", "--n-topics", 8, "--out", files / "model-8")
    assert recut.exit_code == 0
    assert SAETopicModel.load(files / "model-8").n_topics_ == 8
    assert SAETopicModel.load(files / "model").n_topics_ == 5


def test_an_existing_folder_is_refused_before_the_work(files, run):
    (files / "model").mkdir()
    result = run("fit", files / "docs.csv", "--out", files / "model")
    assert result.exit_code == 2
    assert "exists" in result.output


def test_an_unknown_column_and_an_unknown_format_are_named(files, run):
    result = run("fit", files / "docs.csv", "--text-column", "body", "--out", files / "model")
    assert result.exit_code == 2
    assert "text, year" in " ".join(result.output.split())
    result = run("fit", files / "embeddings.npy", "--out", files / "model")
    assert result.exit_code == 2
    assert ".jsonl" in result.output


def test_a_bad_count_is_named(files, run):
    result = run("fit", files / "docs.csv", "--n-topics", "many", "--out", files / "model")
    assert result.exit_code == 2
    assert "many" in result.output


def test_an_error_is_one_line(files, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["saetm", "topics", str(files / "nowhere")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "nowhere" in capsys.readouterr().err
