"""``saetm explore``, ``taxonomy`` and ``name``."""

import json

import pandas as pd
import pytest
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel, cli


@pytest.fixture(scope="module")
def saved(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exploring")
    SAETopicModel(16, n_atoms=32, k=2).fit(corpus.documents, embeddings=corpus.embeddings).save(
        folder / "model"
    )
    frame = pd.DataFrame({"text": corpus.documents, "theme": corpus.themes, "year": 2020})
    frame.to_csv(folder / "docs.csv", index=False)
    return folder


def run(*arguments, stdin=None):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], stdin)


def test_explore_writes_a_page(saved, tmp_path):
    page = tmp_path / "topics.html"
    command = ["explore", saved / "model", saved / "docs.csv", "--out", page, "--levels", "4,16"]
    result = run(*command, "--group-column", "theme", "--time-column", "year")
    assert result.exit_code == 0, result.output
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert run(*command).exit_code == 2  # there, and not to be replaced
    few = run("explore", saved / "model", saved / "docs.csv", "--out", tmp_path / "b.html",
              "--levels", "16,4")  # fmt: skip
    assert isinstance(few.exception, ValueError)
    assert "levels must rise" in str(few.exception)


def test_taxonomy_prints_and_writes(saved, tmp_path):
    assert "16 topics" in run("taxonomy", saved / "model").output
    for name in ("tree.csv", "tree.json", "tree.nwk"):
        result = run("taxonomy", saved / "model", "--levels", "4,16", "--out", tmp_path / name)
        assert result.exit_code == 0, result.output
    assert len(pd.read_csv(tmp_path / "tree.csv")) == 20
    assert len(json.loads((tmp_path / "tree.json").read_text(encoding="utf-8"))) == 4
    assert (tmp_path / "tree.nwk").read_text(encoding="utf-8").endswith(");\n")


def test_name_saves_names_and_tables(saved, tmp_path):
    out = tmp_path / "named"
    result = run("name", saved / "model", saved / "docs.csv", "--out", out)
    assert result.exit_code == 0, result.output
    names = SAETopicModel.load(out).topic_labels_
    assert len(set(names)) == 16
    assert pd.read_csv(out / "topics.csv")["name"].tolist() == names
    assert SAETopicModel.load(saved / "model").topic_labels_ == [None] * 16
