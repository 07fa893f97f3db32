"""``saetm fit``, ``topics``, ``retopic`` and ``assign``."""

import json
import sys

import numpy as np
import openpyxl
import pandas as pd
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.corpus import load_encoder

CELLS = ["007", "1e5", "NA", "None", "nan", "", "true"]
ANIMALS = ["cat", "dog", "horse", "mouse", "lion", "whale", "sheep", "eagle"]
FOODS = ["meat", "grass", "bread", "fish", "apples", "seeds"]


@pytest.fixture
def fit(files, run, tmp_path):
    """Fit a model to a file with ready-made embeddings."""

    def fit(name, *options, out=tmp_path / "model", **given):
        embeddings = files / "embeddings.npy"
        result = run("fit", name, "--embeddings", embeddings, "--out", out, *options, **given)
        assert result.exit_code == 0, result.output
        return SAETopicModel.load(out)

    return fit


@pytest.mark.parametrize("name", ["docs.csv", "semicolons.csv", "docs.xlsx", "folder", "-"])
def test_every_file_gives_the_same_topics(files, fit, name):
    stdin = (files / "docs.jsonl").read_bytes() if name == "-" else None
    options = ["--n-topics", 5, "--sae", files / "model" / "sae"]
    found = fit(name if name == "-" else files / name, *options, stdin=stdin)
    expected = SAETopicModel.load(files / "model")
    np.testing.assert_array_equal(found.components_, expected.components_)


def test_a_model_has_its_tables_beside_it_and_both_are_replaced(files, fit, run, tmp_path):
    fit(files / "docs.csv", "--id-column", "id", "--n-topics", 5)
    fit(files / "docs.csv", "--id-column", "id", "--n-topics", 4, "--overwrite")
    recut = run("retopic", tmp_path / "model", "--n-topics", 3, "--out", tmp_path / "recut")
    assert recut.exit_code == 0
    for folder, n_topics in (("model", 4), ("recut", 3)):
        model = SAETopicModel.load(tmp_path / folder)
        topics = pd.read_csv(tmp_path / folder / "topics.csv")
        assert len(topics) == model.n_topics_ == n_topics
        documents = pd.read_csv(tmp_path / folder / "documents.csv", dtype={"id": str})
        assert documents["id"].tolist() == [f"{number:03d}" for number in range(400)]
        assert documents["topic"].tolist() == model.labels_.tolist()
        assert np.bincount(documents["topic"]).tolist() == topics["documents"].tolist()
    assert "3 topics of 400 documents" in run("topics", tmp_path / "recut").output


@pytest.mark.parametrize("suffix", [".csv", ".xlsx"])
def test_assign_writes_a_row_a_text(files, run, corpus, tmp_path, suffix):
    out = tmp_path / f"topics{suffix}"
    arguments = ["assign", files / "model", files / "docs.csv", "--id-column", "id", "--out", out]
    result = run(*arguments, "--embeddings", files / "embeddings.npy")
    assert result.exit_code == 0, result.output
    table = (pd.read_csv if suffix == ".csv" else pd.read_excel)(out, dtype={"id": str})
    mixtures = SAETopicModel.load(files / "model").transform(None, corpus.embeddings)
    assert table["id"].tolist()[:3] == ["000", "001", "002"]
    assert table["topic"].tolist() == mixtures.argmax(axis=1).tolist()
    np.testing.assert_allclose(table["share"], mixtures.max(axis=1), atol=1e-6)
    assert "first [/x] topic" in set(table["name"])
    second = np.sort(mixtures, axis=1)[:, -2]
    second[second < 0.1] = 0
    np.testing.assert_allclose(table["share_2"].astype(float).fillna(0), second, atol=1e-6)
    assert list(table)[-3:] == ["text", "year", "group"], "the file's columns are kept"
    assert table["year"].tolist() == [2000 + row % 8 for row in range(400)]
    if suffix == ".xlsx":
        book = openpyxl.load_workbook(out)
        assert book.sheetnames == ["documents", "topics"]
        sheet = book["documents"]
        assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:{chr(64 + 14)}401")
        assert pd.read_excel(out, sheet_name="topics")["topic"].tolist() == list(range(5))


def test_assign_names_no_topic_below_a_share_and_fit_calls_such_texts_outliers(
    files, run, fit, tmp_path
):
    vectors, out = ["--embeddings", files / "embeddings.npy"], tmp_path / "few.csv"
    options = [*vectors, "--min-share", 0.7, "--no-keep-columns", "--out", out]
    assert run("assign", files / "model", files / "docs.csv", *options).exit_code == 0
    table = pd.read_csv(out)
    assert "year" not in table
    assert 0 < (table["topic"] == -1).sum() < 400
    assert table["share"].min() >= 0.7
    options = ["--n-topics", 5, "--sae", files / "model" / "sae", "--outlier-threshold", 0.7]
    model = fit(files / "docs.csv", *options)
    np.testing.assert_array_equal(model.labels_, table["topic"])
    np.testing.assert_allclose(model.doc_topics_.sum(axis=1), 1, atol=1e-5)


def test_assign_to_one_text_and_to_a_folder(files, run, corpus, tmp_path):
    np.save(tmp_path / "one.npy", corpus.embeddings[:1])
    (tmp_path / "one.csv").write_text("text\nNA\n")
    for source, vectors, ids in (
        (tmp_path / "one.csv", tmp_path / "one.npy", [0]),
        (files / "folder", files / "embeddings.npy", ["000.txt", "001.txt"]),
    ):
        options = ["--embeddings", vectors, "--out", tmp_path / "out.csv", "--overwrite"]
        result = run("assign", files / "model", source, *options)
        assert result.exit_code == 0, result.output
        assert pd.read_csv(tmp_path / "out.csv")["id"].tolist()[:2] == ids


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.parquet"])
def test_fit_and_embed_read_cells_alike(tmp_path, run, name):
    texts = CELLS + [f"The {animal} eats {food}." for animal in ANIMALS for food in FOODS]
    frame = pd.DataFrame({"text": texts})
    if name == "a.csv":
        frame.to_csv(tmp_path / name, index=False)
    elif name == "a.jsonl":
        rows = [{"text": text or None} for text in texts]  # an empty text as null
        (tmp_path / name).write_text("\n".join(map(json.dumps, rows)))
    else:
        frame.replace("", None).to_parquet(tmp_path / name)
    for command, options in (("fit", ["--n-topics", 5]), ("embed", [])):
        result = run(command, tmp_path / name, "--out", tmp_path / command, *options)
        assert result.exit_code == 0, (result.output, result.exception)
    shard = np.load(tmp_path / "embed" / "shard-00000.npy").astype(np.float32)
    expected = load_encoder().encode(texts)
    np.testing.assert_allclose(shard, expected, atol=2e-3)
    model = SAETopicModel.load(tmp_path / "fit")
    by_fit, by_embed = model.doc_atoms_.toarray(), model.transform_atoms(None, expected).toarray()
    by_embed[CELLS.index("")] = 0  # nothing is known of a blank text
    np.testing.assert_allclose(by_fit, by_embed, atol=0.01)


def test_fit_reads_the_shards_that_embed_writes(files, run, tmp_path):
    small, shards = tmp_path / "small.csv", tmp_path / "shards"
    pd.read_csv(files / "docs.csv").head(60).to_csv(small, index=False)
    assert run("embed", small, "--out", shards, "--shard-size", 25).exit_code == 0
    for name, options in (("shards", ["--embeddings", shards]), ("texts", [])):
        result = run("fit", small, "--n-topics", 4, "--out", tmp_path / f"by {name}", *options)
        assert result.exit_code == 0, result.exception
    by_shards, by_texts = (
        SAETopicModel.load(tmp_path / f"by {name}") for name in ("shards", "texts")
    )
    assert by_shards.doc_topics_.shape == (60, 4)
    assert (by_shards.labels_ == by_texts.labels_).mean() > 0.9  # shards are float16
    result = run("fit", files / "docs.csv", "--embeddings", shards, "--out", tmp_path / "other")
    assert "60 rows for 400" in str(result.exception)


def test_topics_of_a_model_without_words_are_shown(corpus, files, tmp_path, run):
    sae = SAETopicModel.load(files / "model").sae_
    model = SAETopicModel(4, sae=sae).fit(None, embeddings=corpus.embeddings)
    model.save(tmp_path / "model")
    result = run("topics", tmp_path / "model")
    assert result.exit_code == 0, result.exception
    for rows in model.get_representative_indices(3):
        assert " ".join(map(str, rows)) in result.output


def test_a_missing_extra_is_named(files, main, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    code, _, err = main("fit", files / "docs.csv", "--out", tmp_path / "model")
    assert code == 1
    assert "pip install 'saetm-plugins[encoder]'" in err


def test_edit_prints_old_and_new_numbers_and_undo_goes_back_after_loading(files, run, tmp_path):
    out, before = tmp_path / "edited", SAETopicModel.load(files / "model")
    options = ["--merge", "1,3", "--rename", "3=art prints", "--drop", "first [/x] topic"]
    result = run("edit", files / "model", *options, "--split", 2, "--out", out)
    assert result.exit_code == 0, result.exception
    printed = result.output.partition("topics of")[0].splitlines()
    rows = [[cell.strip() for cell in line.split("│")] for line in printed if "│" in line]
    numbers = {row[1]: row[3] for row in rows}
    assert numbers == {"0": "deleted", "1": "0", "2": "1, 3", "3": "0", "4": "2"}
    edited = SAETopicModel.load(out)
    assert edited.topic_labels_ == ["art prints", None, None, None]
    merged = before.doc_topics_[:, 1] + before.doc_topics_[:, 3]
    np.testing.assert_allclose(edited.doc_topics_[:, 0], merged, atol=1e-5)
    ids = pd.read_csv(out / "documents.csv", dtype=str)["id"].tolist()
    assert ids == [f"{number:03d}" for number in range(400)]
    assert run("edit", out, "--undo").exit_code == 0
    undone = SAETopicModel.load(out)
    np.testing.assert_array_equal(undone.doc_topics_, before.doc_topics_)
    assert undone.topic_labels_ == before.topic_labels_


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ([], "at least one of --merge"),
        (["--merge", "1,tea"], "merge names 'tea', which 0 topics are called"),
        (["--merge", "1,2", "--drop", "2"], "together names a topic twice"),
        (["--drop", "2", "--rename", "2=x"], r"rename names topics \[2\], which delete takes out"),
        (["--rename", "2"], "rename must be a topic and its name"),
        (["--undo", "--undo", "--rename", "9=x"], r"rename names topics \[9\]"),
    ],
)
def test_an_edit_that_cannot_be_leaves_the_model(files, run, options, message):
    saved = (files / "model" / "config.json").read_bytes()
    with pytest.raises(ValueError, match=message):
        raise run("edit", files / "model", *options).exception
    assert (files / "model" / "config.json").read_bytes() == saved
