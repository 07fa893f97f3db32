import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel, SparseAutoencoder, cli, train_sae


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


@pytest.fixture
def shards(corpus, tmp_path):
    folder = tmp_path / "shards"
    folder.mkdir()
    for number, rows in enumerate(np.array_split(corpus.embeddings, 3)):
        np.save(folder / f"shard-{number}.npy", rows)
    return folder


def test_train_sae_takes_a_file_of_settings_and_flags_win(shards, run, tmp_path):
    config = {"n_atoms": 12, "k": 3, "n_steps": 500, "levels": [0.5, 1.0], "data_name": "planted"}
    (tmp_path / "run.json").write_text(json.dumps(config))
    arguments = ["train-sae", shards, "--config", tmp_path / "run.json", "--n-steps", 40]
    arguments += ["--batch-size", 64, "--encoder-name", "some/encoder", "--random-state", 3]
    result = run(*arguments, "--out", tmp_path / "sae")
    assert result.exit_code == 0, result.output
    sae = SparseAutoencoder.from_pretrained(tmp_path / "sae")
    assert sae.encoder_name == "some/encoder"
    assert sae.settings_["data_name"] == "planted"
    assert sae.settings_["n_steps"] == 40
    same = train_sae(shards, 12, k=3, n_steps=40, batch_size=64, levels=(0.5, 1.0), random_state=3)
    assert np.array_equal(sae.decoder_, same.decoder_)
    assert np.array_equal(sae.thresholds_, same.thresholds_)
    refused = run(*arguments, "--out", tmp_path / "sae")
    assert refused.exit_code == 2
    assert "exists" in refused.output


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('{"n_atom": 12, "optimiser": "sgd"}', "'n_atom', 'optimiser'.*there are activation, "),
        ('{"learning_rate": "fast"}', "learning_rate must be a number; found 'fast'"),
        ("[1, 2]", "run.json.*is not a JSON object"),
        ('{"n_atoms": 12', "run.json.*is not a JSON object"),
    ],
)
def test_train_sae_names_what_is_wrong_in_the_file(shards, run, tmp_path, config, message):
    (tmp_path / "run.json").write_text(config)
    result = run("train-sae", shards, "--config", tmp_path / "run.json", "--out", tmp_path / "sae")
    assert isinstance(result.exception, ValueError | TypeError)
    assert re.search(message, str(result.exception), flags=re.DOTALL)
    assert not (tmp_path / "sae").exists()


def _command(*arguments):
    return [sys.executable, "-m", "saetm_plugins", *map(str, arguments)]


def test_a_killed_train_sae_goes_on_where_it_stopped(shards, run, tmp_path):
    options = ["--n-atoms", 12, "--k", 2, "--n-steps", 1500, "--batch-size", 64]
    resumable = [*options, "--checkpoint-dir", tmp_path / "run", "--checkpoint-every", 50]
    process = subprocess.Popen(
        _command("train-sae", shards, *resumable, "--out", tmp_path / "resumed"),
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and not list(tmp_path.glob("run/step-*.safetensors")):
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "resumed").exists()
    taken = max(int(file.stem.split("-")[1]) for file in tmp_path.glob("run/step-*.safetensors"))
    assert taken < 1500

    resumed = run("train-sae", shards, *resumable, "--out", tmp_path / "resumed")
    assert resumed.exit_code == 0, resumed.output
    whole = run("train-sae", shards, *options, "--out", tmp_path / "whole")
    assert whole.exit_code == 0, whole.output
    first, second = (
        SparseAutoencoder.from_pretrained(tmp_path / name) for name in ("whole", "resumed")
    )
    for name in ("encoder_", "decoder_", "thresholds_"):
        assert np.array_equal(getattr(first, name), getattr(second, name)), name
    other = run("train-sae", shards, *resumable, "--k", 3, "--out", tmp_path / "other")
    assert "k was 2, is 3" in str(other.exception)


def test_torchrun_trains_on_two_processes(shards, run, tmp_path):
    options = ["--n-atoms", 12, "--k", 2, "--n-steps", 30, "--batch-size", 64, "--device", "cpu"]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    torchrun += ["--nproc-per-node=2", "-m", "saetm_plugins", "train-sae", shards, *options]
    subprocess.run(
        [*map(str, torchrun), "--out", str(tmp_path / "together")],
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        check=True,
        timeout=300,
        capture_output=True,
    )
    run("train-sae", shards, *options, "--out", tmp_path / "alone")
    together, alone = (
        SparseAutoencoder.from_pretrained(tmp_path / name) for name in ("together", "alone")
    )
    np.testing.assert_allclose(together.decoder_, alone.decoder_, atol=5e-3)


def test_embed_writes_shards_that_train_sae_reads(files, run):
    texts = files / "few.csv"
    pd.DataFrame({"body": [f"A text about theme {n}." for n in range(20)]}).to_csv(texts)
    arguments = ["embed", texts, "--text-column", "body", "--shard-size", 8]
    result = run(*arguments, "--out", files / "shards")
    assert result.exit_code == 0, result.output
    names = sorted(file.name for file in (files / "shards").glob("*.npy"))
    assert len(names) == 3
    newest = files / "shards" / names[-1]
    before = np.load(newest)
    newest.unlink()
    assert run(*arguments, "--out", files / "shards").exit_code == 0  # the last shard alone
    np.testing.assert_allclose(np.load(newest), before, atol=1e-5)
    trained = run("train-sae", files / "shards", "--n-steps", 5, "--out", files / "sae")
    assert trained.exit_code == 0, trained.output
    assert SparseAutoencoder.from_pretrained(files / "sae").n_features == before.shape[1]
    refused = run(*arguments, "--text-column", "text", "--out", files / "other")
    assert "'text' is not in" in str(refused.exception)
