"""Wrong input to SAEBERTopic, found by generated calls: the argument is named, nothing changes."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest

from saetm_plugins.bertopic import SAEBERTopic

HALF = "a\ud800"  # half of a surrogate pair, which no file can hold


@pytest.fixture(scope="module")
def model(corpus):
    return SAEBERTopic(5).fit(corpus.documents, corpus.embeddings)


def refused(model, name, act, error=(ValueError, TypeError)):
    before = dict(vars(model))
    with pytest.raises(error, match=name):
        act()
    assert all(before[key] is kept for key, kept in vars(model).items())
    plt.close("all")


def test_a_picture_that_is_not_there(model, corpus):
    for name in ("fit", "transform"):
        act = partial(getattr(model, name), corpus.documents, corpus.embeddings)
        refused(model, r"images\[0\]: no picture", lambda act=act: act(images=["none.png"]),
                FileNotFoundError)  # fmt: skip


def test_classes_and_times_that_no_file_can_hold(model, corpus):
    texts = corpus.documents
    classes = [HALF, *["a"] * (len(texts) - 1)]
    refused(model, r"classes\[0\]", lambda: model.topics_per_class(texts, classes))
    refused(model, r"timestamps\[0\]", lambda: model.topics_over_time(texts, classes))


def test_n_grams_longer_than_any_text(model, corpus):
    refused(model, "n_gram_range: empty", lambda: model.update_topics(
        corpus.documents, n_gram_range=(900, 900)))  # fmt: skip


def test_a_file_is_not_replaced_by_a_folder(model, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("dear")
    refused(model, "is a file; a folder is written", lambda: model.save(path), FileExistsError)
    assert path.read_text() == "dear"
    assert list(tmp_path.iterdir()) == [path]
    for name, wrong in {"path": 3, "save_ctfidf": [1, 2], "serialization": None}.items():
        refused(model, name, partial(model.save, **{"path": tmp_path / "new", name: wrong}))
    assert list(tmp_path.iterdir()) == [path]
    for name, wrong in {"path": None, "allow_pickle": [1, 2]}.items():
        refused(model, name, partial(SAEBERTopic.load, **{"path": path, name: wrong}))


def test_models_to_merge_that_are_none(model):
    refused(model, "models must hold", lambda: SAEBERTopic.merge_models(None))
    refused(model, "models is empty", lambda: SAEBERTopic.merge_models([]))
    refused(model, r"models\[1\] must be a BERTopic", lambda: SAEBERTopic.merge_models([model, 3]))
    unfitted = SAEBERTopic(3)
    refused(model, r"models\[1\] is not fitted", lambda: SAEBERTopic.merge_models(
        [model, unfitted]))  # fmt: skip
    refused(model, "min_similarity", lambda: SAEBERTopic.merge_models([model, model], "much"))


@pytest.mark.parametrize("wrong", [3, b"name", ["a"], np.zeros(2), len, dict])
def test_an_embedding_model_that_is_none(model, tmp_path, wrong):
    message = "embedding_model must be a name"
    refused(model, message, lambda: SAEBERTopic(5, embedding_model=wrong))
    model.save(tmp_path / "saved")
    refused(model, message, lambda: SAEBERTopic.load(tmp_path / "saved", embedding_model=wrong))
