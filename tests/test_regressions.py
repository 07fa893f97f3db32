"""What once went wrong in silence: each of these failed before the core was two values."""

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import SAETopicModel

N_TOPICS = 5


class OtherEncoder:
    """Makes vectors of the default encoder's width that have nothing to do with it."""

    def __init__(self, width):
        self.width = width

    def encode(self, texts):
        rows = [np.random.default_rng(abs(hash(text)) % 2**32).normal(size=self.width)
                for text in texts]  # fmt: skip
        return np.asarray(rows, dtype=np.float32)


def test_a_second_fit_on_the_same_data_is_the_first(corpus):
    pytest.importorskip("sentence_transformers")
    embeddings = np.zeros((len(corpus.documents), 384), dtype=np.float32)  # not the encoder's
    embeddings[:, : corpus.embeddings.shape[1]] = corpus.embeddings
    model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=embeddings)
    first = model.components_
    np.testing.assert_array_equal(
        model.fit(corpus.documents, embeddings=embeddings).components_, first
    )


def test_a_refit_at_another_width_is_a_fit(corpus):
    model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    narrow = corpus.embeddings[:, :12]
    again = model.fit(corpus.documents, embeddings=narrow)
    fresh = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=narrow)
    np.testing.assert_array_equal(again.components_, fresh.components_)


def test_a_refit_forgets_edits_labels_and_encoders(corpus):
    model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    model.merge_topics([0, 1]).set_topic_labels({0: "x"})
    model.fit(corpus.documents, embeddings=corpus.embeddings)
    assert model.topic_labels_ == [None] * N_TOPICS
    with pytest.raises(ValueError, match="no edit"):
        model.undo()


@pytest.mark.parametrize("sharpening", [200, 50.1, -1, 0, float("nan"), float("inf"), True, "2"])
def test_a_power_that_leaves_no_mixture_is_refused(corpus, sharpening):
    with pytest.raises(ValueError, match=r"sharpening must be a number in \(0, 50\]"):
        SAETopicModel(N_TOPICS, sharpening=sharpening).fit(None, embeddings=corpus.embeddings)


def test_the_largest_power_that_is_allowed_gives_whole_topics(corpus):
    model = SAETopicModel(N_TOPICS, sharpening=50).fit(
        corpus.documents, embeddings=corpus.embeddings
    )
    assert np.isfinite(model.components_).all()
    np.testing.assert_allclose(model.doc_topics_.sum(axis=1), 1, atol=1e-4)


def test_the_callers_counts_stay_as_they_are(corpus):
    vectorizer = CountVectorizer()
    bow = sp.csr_matrix(vectorizer.fit_transform(corpus.documents), dtype=np.float32)
    bow.data[::7] = 0  # stored zeros
    before = (bow.data.copy(), bow.indices.copy(), bow.indptr.copy())
    words = vectorizer.get_feature_names_out()
    model = SAETopicModel(N_TOPICS).fit(
        None, embeddings=corpus.embeddings, bow=bow, vocabulary=words
    )
    model.partial_fit(None, embeddings=corpus.embeddings, bow=bow, vocabulary=words)
    for array, kept in zip((bow.data, bow.indices, bow.indptr), before, strict=True):
        np.testing.assert_array_equal(array, kept)


def test_seed_words_are_found_whatever_their_case(corpus):
    pytest.importorskip("ot")
    texts = [text.replace("themebworda", "NASA") for text in corpus.documents]
    model = SAETopicModel(
        N_TOPICS,
        vectorizer=CountVectorizer(lowercase=False),
        seed_topics={"space": ["NASA"], "fifth": ["THEMEEWORDC"]},
    ).fit(texts, embeddings=corpus.embeddings)
    assert model.atoms_.label_targets.words == [["NASA"], ["themeewordc"]]
    words = model.get_topics(5)
    assert "NASA" in words[model.topic_labels_.index("space")]


def test_a_vocabulary_with_a_word_twice_is_refused(corpus):
    with pytest.raises(ValueError, match="vocabulary names a word twice"):
        SAETopicModel(N_TOPICS).fit(
            None, embeddings=corpus.embeddings, bow=sp.csr_matrix((400, 2)), vocabulary=["a", "a"]
        )


def test_another_encoder_of_the_same_width_embeds_its_own_words(corpus):
    encoder = OtherEncoder(corpus.embeddings.shape[1])
    model = SAETopicModel(N_TOPICS, encoder=encoder)
    model.fit(corpus.documents, embeddings=corpus.embeddings)
    assert np.isfinite(model.components_).all()


def test_dropped_atoms_leave_shares_that_sum_to_one(corpus):
    model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    model.drop_atoms(np.argsort(-model.atom_prevalence_)[:5])
    assert model.topic_prevalence_.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("act", "error", "name"),
    [
        (lambda m: m.drop_atoms([2**70]), ValueError, "atoms"),
        (lambda m: m.drop_atoms([1.0]), TypeError, "atoms"),
        (lambda m: m.drop_atoms(3), TypeError, "atoms"),
        (lambda m: m.merge_topics([1.0, 2]), TypeError, "topics_to_merge"),
        (lambda m: m.merge_topics([[True, 2]]), TypeError, "topics_to_merge"),
        (lambda m: m.merge_topics(3), TypeError, "topics_to_merge"),
        (lambda m: m.split_topic(True, 4), TypeError, "topic"),
        (lambda m: m.split_topic(1.0), TypeError, "topic"),
        (lambda m: m.set_topic_labels(5), TypeError, "topic_labels"),
        (lambda m: m.set_topic_labels({0: b"x"}), TypeError, r"topic_labels\[0\]"),
        (lambda m: m.set_topic_labels({0: 3}), TypeError, r"topic_labels\[0\]"),
        (lambda m: m.set_topic_labels("abcde"), TypeError, "topic_labels"),
        (lambda m: m.retopic(True), TypeError, "n_topics"),
        (lambda m: m.retopic(2.0), TypeError, "n_topics"),
    ],
)
def test_what_is_no_topic_is_named(corpus, act, error, name):
    model = SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)
    before = dict(vars(model))
    with pytest.raises(error, match=name):
        act(model)
    assert all(before[key] is value for key, value in vars(model).items())
