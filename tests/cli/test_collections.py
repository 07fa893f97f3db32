"""The commands that read a collection beside its model: tables and pages."""

import json
import re
from functools import partial

import numpy as np
import pandas as pd
import pytest
import typer

from saetm_plugins import SAETopicModel, cli
from saetm_plugins.plotting import map_documents


def test_commands_that_read_a_file_take_the_same_options():
    commands = typer.main.get_command(cli.app).commands
    read = {"text_column", "id_column", "embeddings", "sep", "encoding", "encoding_errors"}
    read |= {"quoting", "sheet", "header_row", "no_header"}
    for name in ("fit", "assign", "coverage", "compare", "trends", "suggest", "stability", "search",
                 "export", "transform", "explore", "name"):  # fmt: skip
        assert read <= {option.name for option in commands[name].params}, name


def test_groups_are_matched_by_id_whatever_their_order(files, main, tmp_path):
    arguments = ["coverage", files / "model", "--group-column", "group"]
    for name in ("docs.csv", "backwards.csv"):
        code, _, err = main(*arguments, files / name, "--id-column", "id", "--out", tmp_path / name)
        assert not code, err
    tables = [pd.read_csv(tmp_path / name) for name in ("docs.csv", "backwards.csv")]
    assert tables[0].equals(tables[1])
    assert len(tables[0]) == 10


def test_names_of_topics_are_everywhere(files, main, run, tmp_path):
    named = tmp_path / "named"
    names = ["art prints", "boats", "coffee", "dogs", "eggs"]
    SAETopicModel.load(files / "model").set_topic_labels(names).save(named)
    file = [named, files / "docs.csv"]
    for command, options in (
        ("coverage", [*file, "--group-column", "group"]),
        ("compare", [*file, "--group-column", "group", "--a", "a"]),
        ("trends", [*file, "--time-column", "year"]),
        ("taxonomy", [named, "--file", files / "docs.csv", "--levels", "2,5"]),
    ):
        out = tmp_path / f"{command}.csv"
        code, shown, err = main(command, *options, "--out", out)
        assert not code, err
        table = pd.read_csv(out)
        assert set(names) <= set(table["name"]), command
        if command != "taxonomy":
            assert all(word in shown for name in names for word in name.split()), shown
    assert run("retopic", named, "--n-topics", 8, "--out", tmp_path / "recut").exit_code == 0
    found = SAETopicModel.load(tmp_path / "recut").topic_labels_
    assert len(set(found) - {None}) == 8
    assert set(names) & set(found)


def test_a_table_of_trends_holds_all_that_is_shown(files, main, tmp_path):
    arguments = ["trends", files / "model", files / "docs.csv", "--time-column", "year"]
    code, shown, err = main(*arguments, "--out", tmp_path / "trends.csv")
    assert not code, err
    table = pd.read_csv(tmp_path / "trends.csv")
    assert len(table) == 5 * 8
    columns = ["topic", "name", "rho", "p", "q", "peak", "change", "period", "share", "coverage"]
    assert list(table)[:10] == columns
    assert (table.groupby("topic")[["rho", "p", "q"]].nunique() == 1).all(axis=None)
    rows = [[cell.strip() for cell in line.split("│")] for line in shown.splitlines()]
    seen = {int(row[1]): row[3] for row in rows if len(row) > 4 and row[1]}
    assert seen == {t: f"{rho:.3f}" for t, rho in table.groupby("topic")["rho"].first().items()}


def test_trends_of_two_groups_are_compared(files, main, tmp_path):
    arguments = ["trends", files / "model", files / "docs.csv", "--time-column", "year"]
    arguments += ["--group-column", "group"]
    code, shown, err = main(*arguments, "--out", tmp_path / "trends.csv")
    assert not code, err
    table = pd.read_csv(tmp_path / "trends.csv")
    assert len(table) == 5 * 2 * 8
    assert list(table)[:9] == [
        "topic",
        "name",
        "rho",
        "p",
        "q",
        "peak",
        "change",
        "change_a",
        "change_b",
    ]
    assert "the share in a less that in b with time" in shown
    backwards = ["--a", "b", "--out", tmp_path / "page.html"]
    assert "the share in b less that in a" in main(*arguments, *backwards)[1]
    assert "no group of 'group': a, b" in main(*arguments, "--a", "c")[2]
    arguments[-1] = "year"
    assert "--a must be one of the groups of 'year': 2000, 2001" in main(*arguments)[2]


def test_a_difference_and_its_interval_fit_a_narrow_terminal(files, main, monkeypatch):
    monkeypatch.setattr("saetm_plugins.cli.shared.console.width", 80)
    arguments = ["compare", files / "model", files / "docs.csv", "--group-column", "group"]
    shown = main(*arguments, "--a", "a")[1]
    heading = next(line for line in shown.splitlines() if "difference" in line)
    columns = [cell.strip() for cell in heading.split("┃")[1:-1]]
    assert columns[:4] == ["topic", "name", "difference", "q"]
    assert re.search(r"│ [+-][\d.]+% \(-?[\d.]+ to -?[\d.]+\) │ ", shown)


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
    assert ("Plotly.newPlot" in text) == (command not in ("search", "stability"))


def test_documents_are_exported_searched_and_transformed(files, main, tmp_path):
    model = files / "model"
    options = ["--file", files / "docs.csv", "--id-column", "id", "--out", tmp_path / "all.csv"]
    assert not main("export", model, *options)[0]
    table = pd.read_csv(tmp_path / "all.csv", dtype={"id": str})
    assert table["id"].tolist() == [f"{row:03d}" for row in range(400)]
    assert list(table)[:5] == ["id", "text", "topic", "name", "share"]
    assert list(table)[-2:] == ["year", "group"]
    options = ["--embeddings", files / "embeddings.npy", "--out", tmp_path / "shares.csv"]
    assert not main("transform", model, files / "docs.csv", *options)[0]
    shares = pd.read_csv(tmp_path / "shares.csv").filter(like="share_").to_numpy()
    np.testing.assert_allclose(shares, SAETopicModel.load(model).doc_topics_, atol=1e-5)
    assert not main("explain", model, "--row", 3)[0]


def test_times_are_read_as_asked_and_errors_name_column_and_row(files, main, tmp_path):
    frame = pd.read_csv(files / "docs.csv", dtype=str)
    days = pd.date_range("2019-01-04", periods=400, freq="7D")
    frame["day"] = days.strftime("%d.%m.%Y")
    frame["epoch"] = days.astype("datetime64[s]").astype(int)
    frame[::-1].to_csv(tmp_path / "docs.csv", index=False)
    common = ["trends", files / "model", tmp_path / "docs.csv", "--id-column", "id"]
    tables = []
    for options in (["day", "--time-format", "%d.%m.%Y"], ["epoch"], ["epoch", "--time-unit", "s"]):
        out = tmp_path / f"{len(tables)}.csv"
        code, _, err = main(*common, "--time-column", *options, "--out", out)
        assert not code, err
        guessed = "epoch' is read as seconds since 1970" in " ".join(err.split())
        assert guessed == (options == ["epoch"])
        tables.append(pd.read_csv(out))
    assert tables[0]["period"].tolist()[0] == 2019
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    code, _, err = main(*common, "--time-column", "day")
    assert code == 1
    assert "error: --time-column 'day', row 400 is '04.01.2019', neither" in " ".join(err.split())


def test_a_date_that_cannot_be_read_is_left_out_and_counted(files, main, tmp_path):
    frame = pd.read_csv(files / "docs.csv", dtype=str)
    days = pd.date_range("2019-01-04", periods=400, freq="7D")
    frame["day"] = days.strftime("%Y-%m-%d")
    frame.loc[[7, 8], "day"] = ["28/02/2019", "30.2.2019"]
    frame.to_csv(tmp_path / "docs.csv", index=False)
    arguments = ["trends", files / "model", tmp_path / "docs.csv", "--time-column", "day"]
    n_read = {}
    for options in ([], ["--day-first"]):
        out = tmp_path / f"{len(options)}.csv"
        code, _, err = main(*arguments, *options, "--out", out)
        assert not code, err
        n_read[len(options)] = pd.read_csv(out).query("topic == 0")["n_documents"].sum()
        first, value = (9, "30.2.2019") if options else (8, "28/02/2019")
        expected = f"{2 - len(options)} of 400 times cannot be read and are left out: time_column "
        assert expected + f"'day', row {first} is '{value}'" in " ".join(err.split())
    assert n_read == {0: 398, 1: 399}


def test_explore_writes_a_page(files, run, tmp_path, monkeypatch):
    by_pca = partial(map_documents, method="pca")
    monkeypatch.setattr("saetm_plugins.plotting.explorer.map_documents", by_pca)
    page = tmp_path / "topics.html"
    command = ["explore", files / "model", files / "docs.csv", "--out", page]
    result = run(*command, "--levels", "2,5", "--group-column", "group", "--time-column", "year")
    assert result.exit_code == 0, result.output
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run(*command).exit_code == 2  # it exists
    fallen = run(*command[:-1], tmp_path / "b.html", "--levels", "16,4")
    assert "levels must rise" in str(fallen.exception)


def test_taxonomy_prints_and_writes(files, run, tmp_path):
    assert "5 topics" in run("taxonomy", files / "model").output
    for name in ("tree.csv", "tree.json", "tree.nwk"):
        result = run("taxonomy", files / "model", "--levels", "2,5", "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
    assert len(pd.read_csv(tmp_path / "tree.csv")) == 7
    assert len(json.loads((tmp_path / "tree.json").read_text(encoding="utf-8"))) == 2
    assert (tmp_path / "tree.nwk").read_text(encoding="utf-8").endswith(");\n")


def test_name_saves_names_and_tables(files, run, tmp_path):
    out = tmp_path / "named"
    result = run("name", files / "model", files / "docs.csv", "--out", out)
    assert result.exit_code == 0, result.output
    names = SAETopicModel.load(out).topic_labels_
    assert len(set(names)) == 5
    assert pd.read_csv(out / "topics.csv")["name"].tolist() == names
    assert SAETopicModel.load(files / "model").topic_labels_[1:] == [None] * 4
