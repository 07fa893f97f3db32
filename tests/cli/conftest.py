"""A collection in several formats, a model of it, and ways to run the command."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel, cli, train_sae
from saetm_plugins.files.tables import write_table
from saetm_plugins.model_tables import document_table


@pytest.fixture(autouse=True)
def quick_training(monkeypatch):
    """Training the atoms is most of a fit; these few documents need 300 steps."""
    monkeypatch.setattr("saetm_plugins.atoms.choice.train_sae", partial(train_sae, n_steps=300))


@pytest.fixture(scope="package")
def files(corpus, tmp_path_factory):
    """A folder for reading only; its model's first topic has a label."""
    folder = tmp_path_factory.mktemp("collection")
    ids = [f"{row:03d}" for row in range(400)]
    frame = pd.DataFrame({"id": ids, "text": corpus.documents, "year": 2000 + np.arange(400) % 8})
    frame["group"] = ["ab"[theme % 2] for theme in corpus.themes]
    frame.to_csv(folder / "docs.csv", index=False)
    frame.to_csv(folder / "semicolons.csv", index=False, sep=";", encoding="utf-16")
    frame.to_excel(folder / "docs.xlsx", index=False)
    frame.to_json(folder / "docs.jsonl", orient="records", lines=True)
    frame[::-1].drop(columns="text").to_csv(folder / "backwards.csv", index=False)
    (folder / "folder").mkdir()
    for key, text in zip(ids, corpus.documents, strict=True):
        (folder / "folder" / f"{key}.txt").write_text(text)
    np.save(folder / "embeddings.npy", corpus.embeddings)
    sae = train_sae(corpus.embeddings, 32, k=4, n_steps=500)
    model = SAETopicModel(5, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)
    model.set_topic_labels({0: "first [/x] topic"}).save(folder / "model")
    write_table(document_table(model, ids=ids), folder / "model" / "documents.csv")
    return folder


@pytest.fixture
def run():
    """Run the command in this process; the result has its exit code, output and exception."""

    def invoke(*arguments, stdin=None):
        return CliRunner().invoke(cli.app, [str(argument) for argument in arguments], stdin)

    return invoke


@pytest.fixture
def main(monkeypatch, capfd):
    """Run the command as a shell does; returns its exit code, stdout and stderr."""

    def invoke(*arguments):
        monkeypatch.setattr("sys.argv", ["saetm", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code, *capfd.readouterr()

    return invoke
