"""SAEClusterer: scikit-learn's contract, and what BERTopic expects of a clusterer."""

from __future__ import annotations

import functools

import numpy as np
import pytest
import torch
from sklearn.metrics import adjusted_rand_score
from sklearn.utils.estimator_checks import check_estimator

from saetm_plugins.atoms import choice
from saetm_plugins.bertopic import SAEClusterer


def test_it_is_a_scikit_learn_clusterer(monkeypatch):
    monkeypatch.setattr(choice, "train_sae", functools.partial(choice.train_sae, n_steps=30))
    assert len(check_estimator(SAEClusterer(), on_skip=None)) > 30


@pytest.fixture(scope="module")
def fitted(corpus, sae) -> SAEClusterer:
    return SAEClusterer(n_topics=5, sae=sae).fit(corpus.embeddings)


def test_planted_clusters_are_found(fitted, corpus):
    assert adjusted_rand_score(corpus.themes, fitted.labels_) > 0.7


def test_labels_are_numbered_by_size_without_gaps(fitted):
    sizes = np.bincount(fitted.labels_)
    assert len(sizes) == fitted.n_topics_ == 5
    assert (sizes > 0).all()
    assert (np.diff(sizes) <= 0).all()


def test_predictions_of_the_fitted_rows_are_the_labels(fitted, corpus):
    np.testing.assert_array_equal(fitted.predict(corpus.embeddings), fitted.labels_)
    memberships = fitted.transform(corpus.embeddings)
    np.testing.assert_allclose(memberships.sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(memberships.max(axis=1), fitted.probabilities_, atol=1e-6)


def test_outliers_are_what_belongs_little_to_its_topic(fitted, corpus, sae):
    threshold = float(np.quantile(fitted.probabilities_, 0.2))
    strict = SAEClusterer(5, sae, outlier_threshold=threshold).fit(corpus.embeddings)
    expected = np.where(fitted.probabilities_ < threshold, -1, fitted.labels_)
    np.testing.assert_array_equal(strict.labels_, expected)
    np.testing.assert_array_equal(strict.predict(corpus.embeddings), expected)


def test_tensors_that_require_grad_are_taken(fitted, corpus):
    rows = torch.tensor(corpus.embeddings, requires_grad=True)
    np.testing.assert_array_equal(fitted.predict(rows), fitted.labels_)


def test_all_memberships_are_kept_when_asked_for(corpus, sae):
    clusterer = SAEClusterer(4, sae, calculate_probabilities=True).fit(corpus.embeddings)
    assert clusterer.probabilities_.shape == (len(corpus.embeddings), 4)
    assert clusterer.model_.sae_ is sae


def test_batches_keep_the_topics_of_the_first(corpus, sae):
    first, second = corpus.embeddings[:250], corpus.embeddings[250:]
    clusterer = SAEClusterer(5, sae).partial_fit(first)
    before = clusterer.predict(second)
    clusterer.partial_fit(second)
    np.testing.assert_array_equal(clusterer.labels_, before)
    assert len(clusterer.labels_) == len(second)


def test_known_classes_bring_their_atoms_together(corpus, sae):
    merged = corpus.themes % 2  # themes that have nothing else in common
    steered = SAEClusterer(2, sae).fit(corpus.embeddings, y=merged)
    free = SAEClusterer(2, sae).fit(corpus.embeddings)
    steered_score = adjusted_rand_score(merged, steered.labels_)
    assert steered_score > adjusted_rand_score(merged, free.labels_)
    ignored = SAEClusterer(2, sae, target_weight=0).fit(corpus.embeddings, y=merged)
    np.testing.assert_array_equal(ignored.labels_, free.labels_)


def test_more_topics_than_atoms_are_remarked_on(corpus, sae):
    with pytest.warns(UserWarning, match="n_topics=100000 is more than the .* live atoms"):
        clusterer = SAEClusterer(100_000, sae).fit(corpus.embeddings)
    assert 5 < clusterer.n_topics_ <= 40
    with pytest.raises(ValueError, match="y has 3"):
        clusterer.fit(corpus.embeddings, y=[0, 1, 2])
