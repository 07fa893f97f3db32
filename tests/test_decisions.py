"""Documents that were given topics keep them through every edit, save and load."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, assignments
from saetm_plugins.decisions import Decisions


@pytest.fixture
def model(fitted) -> SAETopicModel:
    """A model whose every tenth document was given the topic after its own, by hand."""
    labels = fitted.labels_.copy()
    labels[::10] = (labels[::10] + 1) % 5
    model = copy.copy(fitted)
    model.set_topics(assignments.move_documents(fitted.topics_, fitted.doc_atoms_, labels))
    np.testing.assert_array_equal(model.labels_, labels)
    return model


def test_moved_documents_follow_merges_and_splits_and_undo(model):
    before, moved = model.labels_, np.arange(len(model.labels_)) % 10 == 0
    model.merge_topics([1, 3])
    into = np.unique(model.labels_[moved & np.isin(before, [1, 3])])
    assert len(into) == 1
    for topic in (0, 2, 4):
        assert len(np.unique(model.labels_[moved & (before == topic)])) == 1
    merged = model.labels_
    model.split_topic(int(into[0]))
    parts = np.unique(model.labels_[moved & (merged == into[0])])
    assert len(parts) <= 2
    assert not set(parts) & set(model.labels_[moved & (merged != into[0])])
    model.undo().undo()
    np.testing.assert_array_equal(model.labels_, before)


def test_a_new_cut_takes_moved_documents_along_with_their_topic(model):
    before, moved = model.labels_, np.arange(len(model.labels_)) % 10 == 0
    model.retopic(3)
    for topic in range(5):
        assert len(np.unique(model.labels_[moved & (before == topic)])) == 1


def test_decisions_are_saved(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = SAETopicModel.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.labels_, model.labels_)
    np.testing.assert_array_equal(loaded.retopic(3).labels_, model.retopic(3).labels_)


def test_batches_are_undecided_and_what_is_learned_goes_on(model, corpus):
    model.partial_fit(corpus.documents[:50], embeddings=corpus.embeddings[:50])
    np.testing.assert_array_equal(model.labels_, model.topics_of(model.doc_atoms_)[0])


def test_merged_models_take_moved_documents_along(model, fitted):
    merged = SAETopicModel.merge_models([model, fitted])
    moved = np.flatnonzero(np.arange(len(model.labels_)) % 10 == 0)
    for topic in range(5):
        assert len(np.unique(merged.labels_[moved[model.labels_[moved] == topic]])) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"groups": np.array([0, 9])},
        {"names": np.full((1, 3), np.nan, "f")},
        {"names": np.ones((1, 3), "f")},  # without a group of its own
    ],
)
def test_decisions_that_fit_nothing_are_refused(wrong):
    fields = vars(Decisions.none(2, 3)) | wrong
    with pytest.raises(ValueError, match="decisions hold"):
        Decisions(**fields)
