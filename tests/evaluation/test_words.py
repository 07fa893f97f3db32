"""Evaluation by words: known answers on small lists, and gensim's own figures."""

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.models import CoherenceModel
from gensim.test.utils import datapath
from gensim.utils import simple_preprocess

from saetm_plugins.evaluation import (
    embedding_coherence,
    embedding_intruder_accuracy,
    topic_coherence,
    topic_diversity,
    wmd_diversity,
)


@pytest.fixture(scope="module")
def lee_tokens():
    with open(datapath("lee_background.cor"), encoding="utf-8") as lines:
        return [simple_preprocess(line) for line in lines]


@pytest.fixture
def themed():
    """Six topics with a direction of their own, and the vectors of their words."""
    rng = np.random.default_rng(0)
    topics = [[f"topic{topic}word{word}" for word in range(20)] for topic in range(6)]
    vectors = {
        word: np.eye(6)[row] * 5 + 0.1 * rng.normal(size=6)
        for row, words in enumerate(topics)
        for word in words
    }
    return topics, vectors


def test_diversity_is_share_of_unique_words():
    topics = [["a", "b", "c"], ["a", "d", "e"]]
    assert topic_diversity(topics, n_words=3) == 5 / 6
    assert topic_diversity(topics, n_words=1) == 0.5


@pytest.mark.parametrize("measure", ["c_npmi", "c_v"])
def test_coherence_is_that_of_gensim_with_the_full_dictionary(lee_tokens, measure):
    topics = [["police", "court", "charges"], ["cricket", "test", "wicket"]]
    ours = topic_coherence(topics, lee_tokens, measure, n_words=3)
    theirs = CoherenceModel(
        topics=topics,
        texts=lee_tokens,
        dictionary=Dictionary(lee_tokens),
        coherence=measure,
        topn=3,
        processes=1,
    ).get_coherence_per_topic()
    np.testing.assert_allclose(ours, theirs)


@pytest.mark.parametrize("measure", ["c_npmi", "c_v", "c_uci", "u_mass"])
def test_words_the_texts_lack_count_as_never_together(lee_tokens, measure):
    seen = ["police", "court", "charges"]
    with pytest.warns(UserWarning, match="texts hold no 'xyzzy' nor 1 other words"):
        mixed = topic_coherence(
            [seen, ["police", "court", "xyzzy"], ["zzz", "charges", "xyzzy"]],
            lee_tokens,
            measure,
            n_words=3,
        )
    assert np.isfinite(mixed).all()
    alone = topic_coherence([seen], lee_tokens, measure, n_words=3)
    np.testing.assert_allclose(mixed[0], alone[0])  # the others are scored as before
    assert mixed[0] > mixed[1]
    if measure == "c_npmi":  # in a topic of nothing but unknown pairs, all are below chance
        assert mixed[2] < -0.2


def test_intruder_is_found_in_themed_topics_and_not_in_shuffled_ones(themed):
    topics, vectors = themed
    assert embedding_intruder_accuracy(topics, vectors) == 1.0
    words = np.random.default_rng(1).permutation([word for words in topics for word in words])
    shuffled = words.reshape(6, 20).tolist()
    found = embedding_intruder_accuracy(shuffled, vectors, n_repeats=100)
    assert found < 0.4
    assert embedding_intruder_accuracy(shuffled, vectors, n_repeats=100) == found


def test_topic_without_vectors_counts_as_wrong(themed):
    topics, vectors = themed
    topics = [*topics, [f"unknown{word}" for word in range(20)]]
    assert embedding_intruder_accuracy(topics, vectors) == pytest.approx(6 / 7)


def test_embedding_coherence_is_the_mean_cosine_of_pairs():
    vectors = {"a": np.array([2.0, 0.0]), "b": np.array([1.0, 1.0]), "c": np.array([0.0, 3.0])}
    found = embedding_coherence([["a", "b", "c"], ["a", "x", "y"]], vectors, n_words=3)
    np.testing.assert_allclose(found, [(0.5**0.5 + 0.5**0.5 + 0) / 3, 0], atol=1e-12)


def test_wmd_of_single_words_is_their_distance():
    vectors = {"a": np.array([0.0, 0.0]), "b": np.array([3.0, 4.0])}
    assert wmd_diversity([["a"], ["b"]], vectors, n_words=1) == pytest.approx(5.0)


def test_wmd_moves_words_the_cheapest_way():
    vectors = {word: np.array([float(x)]) for x, word in enumerate("abcd")}
    # {a, b} to {c, d}: every pairing costs 2 per word.
    assert wmd_diversity([["a", "b"], ["d", "c"]], vectors, n_words=2) == pytest.approx(2.0)
    assert wmd_diversity([["a", "b"], ["b", "a"]], vectors, n_words=2) == pytest.approx(0.0)


def test_wmd_leaves_out_unknown_words_and_topics():
    vectors = {"a": np.array([0.0]), "b": np.array([1.0])}
    topics = [["a", "x"], ["y", "b"], ["x", "y"]]
    assert wmd_diversity(topics, vectors, n_words=2) == pytest.approx(1.0)
    with pytest.raises(ValueError, match="only 1 topics"):
        wmd_diversity(topics[1:], vectors, n_words=2)


def test_vectors_may_be_gensim_keyed_vectors(themed):
    from gensim.models import KeyedVectors

    topics, vectors = themed
    keyed = KeyedVectors(6)
    keyed.add_vectors(list(vectors), np.stack(list(vectors.values())))
    assert embedding_intruder_accuracy(topics, keyed) == 1.0
    assert wmd_diversity(topics, keyed) == pytest.approx(wmd_diversity(topics, vectors), rel=1e-5)


def test_topics_that_cannot_be_scored_are_named():
    for topics, message in (
        ([["a", "b"], ["c"]], r"topics\[1\] has 1 words"),
        (["abc"], r"topics\[0\] must hold words; found 'abc'"),
        ("abc", "topics must hold lists of words"),
    ):
        with pytest.raises((ValueError, TypeError), match=message):
            topic_diversity(topics, n_words=2)
    with pytest.raises(ValueError, match="at least 2 topics"):
        embedding_intruder_accuracy([["a"] * 5], {"a": np.ones(2)})
