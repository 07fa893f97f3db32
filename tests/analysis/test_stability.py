"""Planted themes come back under other seeds, noise does not, and their number is found."""

import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import document_npmi, match_topics, suggest_n_topics, topic_stability
from saetm_plugins.plotting import plot_topic_counts


def test_a_model_agrees_with_itself_whatever_the_order(fitted):
    found = topic_stability(fitted, fitted)
    assert found.runs[["stable", "stable_words", "stable_documents", "ari"]].eq(1).all(axis=None)
    assert found.topics["counterpart"].tolist() == list(range(5))
    match = match_topics([["a", "b"], ["c", "d"]], [["c", "e"], ["a", "b"]],
                         np.array([0, 0, 1, -1]), np.array([1, 1, 0, 0]))  # fmt: skip
    assert match["counterpart"].tolist() == [1, 0]
    assert match["word_overlap"].tolist() == [1, 0.5]
    assert match["document_overlap"].tolist() == [1, pytest.approx(2 / 3)]


def test_planted_themes_come_back(corpus, quick_training):
    model = SAETopicModel(5, n_atoms=32, k=4).fit(corpus.documents, embeddings=corpus.embeddings)
    given = {"documents": corpus.documents, "embeddings": corpus.embeddings}
    found = topic_stability(model, **given, seeds=1, bootstraps=1)
    assert found.runs["run"].tolist() == ["seed 1", "bootstrap 1"]
    assert found.runs["stable"].min() >= 0.8
    assert found.runs["ari"].min() > 0.8
    assert list(found.topics)[:4] == ["topic", "name", "words", "stability"]
    again = topic_stability(model, **given, seeds=[1])
    assert again.runs.equals(found.runs[:1])


def test_topics_of_noise_do_not_come_back(quick_training):
    noise = np.random.default_rng(0).normal(size=(200, 24)).astype(np.float32)
    model = SAETopicModel(10, n_atoms=32, k=4).fit(None, embeddings=noise)
    found = topic_stability(model, embeddings=noise, seeds=1)
    assert found.runs["stable"].max() < 0.4
    assert found.runs["stable_words"].isna().all()


def test_stability_needs_documents(fitted, corpus):
    with pytest.raises(ValueError, match="documents or embeddings are needed"):
        topic_stability(fitted)
    with pytest.raises(ValueError, match="seeds and bootstraps are both 0"):
        topic_stability(fitted, embeddings=corpus.embeddings, seeds=0)
    few = SAETopicModel(5, sae=fitted.sae_).fit(None, embeddings=corpus.embeddings[:99])
    with pytest.raises(ValueError, match="other was fitted to 99 documents, model to 400"):
        topic_stability(fitted, few)
    compared = topic_stability(fitted, few, embeddings=corpus.embeddings)
    assert compared.runs["ari"][0] > 0.7


def test_the_number_of_themes_is_suggested(fitted, corpus):
    before = fitted.topics_
    found = suggest_n_topics(fitted, range(2, 11), documents=corpus.documents)
    assert found.n_topics == 5
    assert found.reason.startswith("5 topics are the best compromise of 9 counts: coherence")
    assert found.table["n_topics"].tolist() == list(range(2, 11))
    assert np.isfinite(found.table.to_numpy()).all()
    assert fitted.topics_ is before
    likelihood = found.table.set_index("n_topics")["log_likelihood"]
    assert likelihood[5] > likelihood[2] + 0.1
    figure = plot_topic_counts(found)
    assert len(figure.data) == 5
    assert list(figure.data[0].y) == found.table["coherence"].tolist()


def test_counts_that_cannot_be_are_refused(fitted, wordless, corpus):
    with pytest.raises(ValueError, match="counts holds 99; half of the documents have"):
        suggest_n_topics(fitted, [5, 99], documents=corpus.documents)
    with pytest.raises(ValueError, match="documents has 3 texts; the model was fitted to 400"):
        suggest_n_topics(fitted, documents=corpus.documents[:3])
    assert list(suggest_n_topics(wordless, [3, 5]).table) == [
        "n_topics", "stability", "ari", "score"]  # fmt: skip


def test_npmi_is_that_of_counted_documents():
    rng = np.random.default_rng(1)
    bow = (rng.random((60, 6)) < 0.4) * rng.integers(1, 4, size=(60, 6))
    bow[:, 5] = 0
    bow[0, 5] = 1
    topics = np.array([[0, 1, 2], [3, 4, 5]])

    def npmi(a, b):
        both = ((bow[:, a] > 0) & (bow[:, b] > 0)).mean()
        if both == 0:
            return -1
        return np.log(both / (bow[:, a] > 0).mean() / (bow[:, b] > 0).mean()) / -np.log(both)

    expected = [np.mean([npmi(a, b), npmi(a, c), npmi(b, c)]) for a, b, c in topics]
    np.testing.assert_allclose(document_npmi(topics, sp.csr_matrix(bow)), expected)
