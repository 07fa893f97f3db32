"""Evaluation by mixtures: known answers, and agreement with OCTIS where it has the measure."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.stats import entropy

from saetm_plugins.evaluation import (
    classification_f1,
    coverage,
    normalized_mutual_information,
    purity,
    topic_significance,
)


@pytest.fixture
def mixture():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.full(30, 0.2), size=4), rng.dirichlet(np.full(4, 0.3), size=50)


def test_significance_is_divergence_from_junk(mixture):
    topic_words, doc_topics = mixture
    found = topic_significance(topic_words, doc_topics)
    vacuous = doc_topics.mean(axis=0) @ topic_words
    documents = doc_topics / doc_topics.sum(axis=0)
    for topic in range(4):
        uniform = np.full(30, 1 / 30)
        assert found.uniform[topic] == pytest.approx(entropy(topic_words[topic], uniform))
        assert found.vacuous[topic] == pytest.approx(entropy(topic_words[topic], vacuous))
        even = np.full(50, 1 / 50)
        assert found.background[topic] == pytest.approx(entropy(documents[:, topic], even))


def test_significance_of_the_smallest_and_largest_numbers_is_finite():
    for scale in (1e308, 1e-320):
        found = topic_significance(np.eye(2, 3) * scale, np.eye(4, 2) * scale)
        assert np.isfinite(np.concatenate(found)).all()


def test_junk_topics_have_no_significance():
    junk = topic_significance(np.ones((3, 8)), np.ones((20, 3)))
    for divergences in junk:
        np.testing.assert_allclose(divergences, 0, atol=1e-12)


def test_significance_takes_sparse_mixtures_and_empty_topics(mixture):
    topic_words, doc_topics = mixture
    doc_topics[:, 2] = 0
    topic_words[2] = 0
    dense = topic_significance(topic_words, doc_topics)
    sparse = topic_significance(sp.csr_matrix(topic_words), sp.csr_matrix(doc_topics))
    assert dense.background[2] == dense.uniform[2] == 0
    for one, other in zip(dense, sparse, strict=True):
        np.testing.assert_array_equal(one, other)


def test_significance_refuses_negative_nan_and_misfits(mixture):
    topic_words, doc_topics = mixture
    with pytest.raises(ValueError, match="topic_words holds negative"):
        topic_significance(-topic_words, doc_topics)
    with pytest.raises(ValueError, match="doc_topics holds NaN"):
        topic_significance(topic_words, np.where(doc_topics > 0.5, np.nan, doc_topics))
    with pytest.raises(ValueError, match="topic_words has 3 topics, doc_topics has 4"):
        topic_significance(topic_words[:3], doc_topics)


def test_coverage_counts_documents_with_a_topic():
    assert coverage([0, 1, -1, 2]) == 0.75


def test_purity_is_share_of_commonest_class():
    assert purity(["a", "a", "b", "b", "b"], [0, 0, 0, 1, 1]) == 4 / 5


def test_nmi_is_one_for_renamed_classes_and_zero_for_one_topic():
    assert normalized_mutual_information([0, 0, 1, 1], [5, 5, 2, 2]) == pytest.approx(1.0)
    assert normalized_mutual_information([0, 0, 1, 1], [0, 0, 0, 0]) == 0.0


def test_f1_is_high_for_telling_mixtures_and_low_for_noise():
    rng = np.random.default_rng(0)
    classes = np.repeat(["x", "y", "z"], 30)
    telling = np.eye(3)[np.repeat([0, 1, 2], 30)] + 0.05 * rng.random((90, 3))
    assert classification_f1(telling, classes) == 1.0
    assert classification_f1(rng.random((90, 3)), classes) < 0.6


def test_f1_names_a_class_too_small():
    with pytest.raises(ValueError, match="class of 2 documents"):
        classification_f1(np.ones((12, 2)), [0] * 10 + [1] * 2)
