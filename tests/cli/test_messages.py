"""Errors and warnings are one line each and name the option; texts are printed as they are."""

import io
import os
import re

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from saetm_plugins import SAETopicModel
from saetm_plugins.cli.console import print_table, print_topics


@pytest.mark.parametrize("command", ["fit", "embed", "assign"])
def test_errors_name_the_option(files, main, tmp_path, command):
    arguments = [command, *([files / "model"] if command == "assign" else []), files / "docs.csv"]
    arguments += ["--out", tmp_path / "out.csv"]
    code, _, err = main(*arguments, "--text-column", "body")
    assert code == 1
    assert re.search(r"error: --text-column 'body' is not in .*; it has id, text, year, gro", err)
    if command != "embed":
        _, _, err = main(*arguments, "--id-column", "name")
        assert "error: --id-column 'name' is not in " in err
    assert "error: --sep must be one character" in main(*arguments, "--sep", "::")[2]
    assert "error: --encoding 'utf-9' is not known" in main(*arguments, "--encoding", "utf-9")[2]
    assert not (tmp_path / "out.csv").exists()


COVERAGE = ["coverage", "model", "docs.csv", "--group-column"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "model", "docs.csv", "--group-column", "group", "--a", "z"],
         "error: --a 'z' is no group of 'group': a, b"),
        ([*COVERAGE, "grp"], "error: --group-column 'grp'"),
        ([*COVERAGE, "group", "--out", "a.doc"], "error: --out must end in one of .csv"),
        (["search", "model"], "error: give one of query, topic, atoms, words, like"),
        (["search", "model", "--atoms", "x"], "error: --atoms must be numbers"),
        (["export", "model", "--new", "--out", "new.csv"], "error: --file is needed for --new"),
        (["suggest", "model", "docs.csv", "--counts", "a:b"], "error: --counts must be numbers"),
        (["stability", "model"], "error: give --other"),
        (["explain", "model", "--row", "900"], "error: --row 900: document 900 of 400"),
        (["assign", "model", "docs.csv", "--embeddings", "docs.csv", "--out", "new.csv"],
         "error: --embeddings 'docs.csv' is not a .npy file"),
        (["assign", "model", "nowhere.csv", "--out", "a.doc"],
         "error: --out must end in one of .csv"),
        (["topics", "a[/x]/b[encoder]c"], "a[/x]/b[encoder]c"),
    ],
)  # fmt: skip
def test_errors_are_one_line(files, main, monkeypatch, arguments, message):
    monkeypatch.chdir(files)
    code, out, err = main(*arguments)
    assert code == 1
    assert message in err
    assert err.count("\n") == 1
    assert out == ""


def test_files_that_do_not_fit_are_refused(files, main, tmp_path):
    (tmp_path / "few.csv").write_text("text,group\na,b\n")
    np.save(tmp_path / "few.npy", np.ones((3, 8)))
    _, _, err = main("coverage", files / "model", tmp_path / "few.csv", "--group-column", "group")
    assert "has 1 rows, the model was fitted to 400" in err
    arguments = ["assign", files / "model", files / "docs.csv", "--out", tmp_path / "out.csv"]
    _, _, err = main(*arguments, "--embeddings", tmp_path / "few.npy")
    assert "error: --embeddings has 3 rows for 400 documents" in err
    np.save(tmp_path / "one.npy", np.ones((1, 8)))
    arguments = ["fit", tmp_path / "few.csv", "--embeddings", tmp_path / "one.npy"]
    code, _, err = main(*arguments, "--out", tmp_path / "model")
    assert code == 1
    assert "documents must hold at least" in err


@pytest.mark.parametrize(
    ("command", "out", "message"),
    [
        (["assign", "model"], "docs.csv", "pass --overwrite"),
        (["fit"], "model", "exists"),
        (["fit", "--overwrite"], "folder", "is not a saved topic-model"),
        (["train-sae", "--overwrite"], "folder", "is not a saved sparse-autoencoder"),
        (["fit"], "docs.csv/model", "is a file"),
        (["fit", "--n-topics", "many"], "new", "many"),
    ],
)
def test_the_shell_line_is_refused_before_anything_is_read(
    files, run, monkeypatch, command, out, message
):
    monkeypatch.chdir(files)
    refused = run(*command, "nowhere.csv", "--out", out)
    assert refused.exit_code == 2
    assert message in " ".join(re.sub("[│\n]", " ", refused.output).split())
    assert (files / "folder" / "000.txt").exists()


def test_words_labels_texts_and_paths_with_brackets_are_printed(files, run, tmp_path):
    out = tmp_path / "model[/x]"
    result = run("retopic", files / "model", "--n-topics", 3, "--out", out)
    assert result.exit_code == 0, result.exception
    assert f"Saved to {out}" in result.output
    printed = io.StringIO()
    texts = [f"[bold]text[/red] {n}" for n in range(400)]
    model = SAETopicModel.load(files / "model")
    print_topics(model, Console(file=printed, width=200), documents=texts)
    assert "first [/x] topic" in printed.getvalue()
    assert "[bold]text[/red]" in printed.getvalue()


def test_warnings_are_one_line_without_source(files, main, tmp_path):
    frame = pd.read_csv(files / "docs.csv", dtype=str)
    frame["text"] = frame["text"].str.replace("common", "café")
    frame.loc[7, "text"] = "1 2 3"
    frame.to_csv(tmp_path / "latin.csv", index=False, encoding="latin-1")
    arguments = ["fit", tmp_path / "latin.csv", "--embeddings", files / "embeddings.npy"]
    code, _, err = main(*arguments, "--n-topics", 3, "--out", tmp_path / "model")
    assert not code
    guesses = [line for line in err.splitlines() if "cp1252" in line]
    assert len(guesses) == 1
    assert guesses[0].startswith("warning: '")
    assert "\nwarning: 1 of 400 documents hold no word of the vocabulary;" in "\n" + err
    assert not any(part in err for part in ("warn(", "UserWarning", "model.fit"))
    vocabulary = SAETopicModel.load(tmp_path / "model").vocabulary_
    assert any(word.startswith("café") for word in vocabulary)


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
