"""The commands that read a collection, as a user runs them: tables, pages, one-line errors."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import typer
from rich.console import Console

from saetm_plugins import SAETopicModel, cli
from saetm_plugins.cli.console import print_table
from saetm_plugins.files.tables import write_table
from saetm_plugins.model_tables import document_table


@pytest.fixture(scope="module")
def files(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("collection")
    ids = [f"{row:03d}" for row in range(400)]
    frame = pd.DataFrame({"id": ids, "text": corpus.documents, "year": 2000 + np.arange(400) % 8})
    frame["group"] = ["ab"[theme % 2] for theme in corpus.themes]
    frame.to_csv(folder / "docs.csv", index=False)
    frame[::-1].drop(columns="text").to_csv(folder / "backwards.csv", index=False)
    np.save(folder / "embeddings.npy", corpus.embeddings)
    model = SAETopicModel(5, n_atoms=32, k=4).fit(corpus.documents, embeddings=corpus.embeddings)
    model.save(folder / "model")
    write_table(document_table(model, ids=ids), folder / "model" / "documents.csv")
    return folder


@pytest.fixture
def main(monkeypatch, capfd):
    def invoke(*arguments):
        monkeypatch.setattr("sys.argv", ["saetm", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capfd.readouterr()

    return invoke


def test_commands_that_read_a_file_take_the_same_options():
    commands = typer.main.get_command(cli.app).commands
    read = {"text_column", "id_column", "embeddings", "sep", "encoding", "encoding_errors"}
    read |= {"quoting", "sheet", "header_row", "no_header"}
    for name in ("coverage", "compare", "trends", "suggest", "stability", "search", "export",
                 "transform", "explore", "name"):  # fmt: skip
        assert read <= {option.name for option in commands[name].params}, name


def test_groups_are_matched_by_id_whatever_their_order(files, main, tmp_path):
    arguments = ["coverage", files / "model", "--group-column", "group"]
    for name in ("docs.csv", "backwards.csv"):
        code, _, err = main(*arguments, files / name, "--id-column", "id", "--out", tmp_path / name)
        assert not code, err
    tables = [pd.read_csv(tmp_path / name) for name in ("docs.csv", "backwards.csv")]
    assert tables[0].equals(tables[1])
    assert len(tables[0]) == 10


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("coverage", ["docs.csv", "--group-column", "group"]),
        ("compare", ["docs.csv", "--group-column", "group", "--a", "a"]),
        ("trends", ["docs.csv", "--time-column", "year"]),
        ("correlations", []),
        ("search", ["--topic", "1", "--file", "docs.csv"]),
        ("suggest", ["docs.csv", "--counts", "4:6"]),
        ("stability", ["--other", "model"]),
    ],
)
def test_every_command_writes_a_page(files, main, tmp_path, monkeypatch, command, options):
    monkeypatch.chdir(files)
    page = tmp_path / "page.html"
    code, out, err = main(command, "model", *options, "--out", page)
    assert not code, err
    assert "Saved to" in out
    text = page.read_text()
    assert text.count("<tr") > 2
    has_figure = command not in ("search", "stability")
    assert ("Plotly.newPlot" in text) == has_figure


@pytest.mark.parametrize("width", [80, 200])
def test_a_narrow_terminal_loses_no_column_in_silence(width):
    names = ["topic", "words", "share_a", "share_b", "q", "difference", "low", "high"]
    row = [1, "some words of it, and more, and more", 0.5, 0.25, 0.0123, 0.25, 0.1987, 0.3123]
    with open(os.devnull, "w") as nowhere:
        console = Console(width=width, record=True, file=nowhere)
        print_table(pd.DataFrame([row], columns=names), console)
    text = console.export_text()
    assert all(name.replace("_", " ") in text.replace("_", " ") for name in names)
    assert "1.23%" not in text
    assert "0.0123" in text
    assert ("wider terminal" in text) == (width == 80)


def test_documents_are_exported_searched_and_transformed(files, main, tmp_path):
    model = files / "model"
    options = ["--file", files / "docs.csv", "--id-column", "id", "--out", tmp_path / "all.xlsx"]
    assert not main("export", model, *options)[0]
    table = pd.read_excel(tmp_path / "all.xlsx", dtype={"id": str})
    assert table["id"].tolist() == [f"{row:03d}" for row in range(400)]
    assert list(table)[:5] == ["id", "text", "topic", "name", "share"]
    options = ["--embeddings", files / "embeddings.npy", "--out", tmp_path / "shares.csv"]
    assert not main("transform", model, files / "docs.csv", *options)[0]
    shares = pd.read_csv(tmp_path / "shares.csv").filter(like="share_").to_numpy()
    np.testing.assert_allclose(shares, SAETopicModel.load(model).doc_topics_, atol=1e-5)
    assert not main("explain", model, "--row", 3)[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "docs.csv", "--group-column", "group", "--a", "z"],
         "error: --a 'z' is no group of 'group': a, b"),
        (["coverage", "docs.csv", "--group-column", "grp"], "error: --group-column 'grp'"),
        (["coverage", "docs.csv", "--group-column", "group", "--out", "a.doc"],
         "error: --out must end in one of .csv"),
        (["search"], "error: give one of query, topic, atoms, words, like"),
        (["search", "--atoms", "x"], "error: --atoms must be numbers"),
        (["suggest", "docs.csv", "--counts", "a:b"], "error: --counts must look like"),
        (["stability"], "error: give --other"),
        (["explain", "--row", "900"], "error: --row 900: document 900 of 400"),
    ],
)  # fmt: skip
def test_errors_are_one_line(files, main, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    command, *rest = arguments
    code, _, err = main(command, "model", *rest)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1


def test_a_real_process_says_what_is_wrong_with_the_file(files):
    (files / "few.csv").write_text("text,group\na,b\n")
    command = [sys.executable, "-m", "saetm_plugins", "coverage", files / "model",
               files / "few.csv", "--group-column", "group"]  # fmt: skip
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=240)
    assert result.returncode == 1
    assert "has 1 rows, the model was fitted to 400" in result.stderr
    assert "Traceback" not in result.stderr


def test_times_are_read_as_said_and_errors_name_column_and_row(files, main, tmp_path):
    frame = pd.read_csv(files / "docs.csv", dtype=str)
    days = pd.date_range("2019-01-04", periods=400, freq="7D")
    frame["day"], frame["epoch"] = (
        days.strftime("%d.%m.%Y"),
        days.astype("datetime64[s]").astype(int),
    )
    frame[::-1].to_csv(tmp_path / "docs.csv", index=False)
    common = ["trends", files / "model", tmp_path / "docs.csv", "--id-column", "id"]
    tables = []
    for options in (["day", "--time-format", "%d.%m.%Y"], ["epoch"], ["epoch", "--time-unit", "s"]):
        out = tmp_path / f"{len(tables)}.csv"
        code, _, err = main(*common, "--time-column", *options, "--out", out)
        assert not code, err
        assert ("epoch' is read as seconds since 1970" in " ".join(err.split())) == (
            len(options) < 2
        )
        tables.append(pd.read_csv(out))
    assert tables[0]["period"].tolist()[0] == 2019
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    code, _, err = main(*common, "--time-column", "day")
    assert code == 1
    assert "error: --time-column 'day', row 400 is '04.01.2019', neither" in " ".join(err.split())
