"""Messy corpora: blank texts, repeated ones, one that repeats itself, too many topics."""

import copy
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics import normalized_mutual_info_score

from saetm_plugins import SAETopicModel
from saetm_plugins.corpus.duplicates import find_blank, find_distinct

N_TOPICS = 5
BLANK = ["", "  \n", "--", "…!?"]


def split_words(text):  # a tokenizer that JSON cannot hold
    return text.split()


@pytest.fixture(scope="module")
def clean(corpus):
    return SAETopicModel(N_TOPICS).fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="module")
def messy(corpus):
    """The corpus with blank rows in between, and their rows."""
    rows = np.arange(len(BLANK)) * 50
    texts = list(corpus.documents)
    embeddings = corpus.embeddings.copy()
    for row, text in zip(rows, BLANK, strict=True):
        texts.insert(row, text)
        embeddings = np.insert(embeddings, row, 1.0, axis=0)
    with pytest.warns(UserWarning, match="4 of 404 documents are blank"):
        model = SAETopicModel(N_TOPICS).fit(texts, embeddings=embeddings)
    return model, texts, embeddings, rows


def test_what_is_blank():
    texts = [*BLANK, ".", "a", "42", "👍"]
    assert find_blank(texts, 8).tolist() == [True] * 5 + [False] * 3
    counted = sp.csr_matrix([[0.0], [1.0]])
    assert find_blank(["!", "!"], 2, counted).tolist() == [True, False]
    assert not find_blank(None, 3).any()


def test_images_without_captions_are_not_blank(corpus):
    images = corpus.embeddings[:3]
    assert not find_blank(["", "  ", "a cat"], 3, embeddings=images).any()
    assert find_blank(["", "  ", "a cat"], 3, embeddings=images[[0, 0, 1]]).tolist() == [1, 1, 0]


def test_blank_texts_get_the_mean_mixture_and_no_topic(messy):
    model, _, _, rows = messy
    np.testing.assert_allclose(
        model.doc_topics_[rows], np.tile(model.topic_prevalence_, (4, 1)), atol=1e-6
    )
    assert (model.labels_[rows] == -1).all()
    assert (np.delete(model.labels_, rows) >= 0).all()
    assert model.n_documents_seen_ == 400


def test_a_model_does_not_see_blank_texts(messy, clean):
    model, _, _, rows = messy
    np.testing.assert_array_equal(model.components_, clean.components_)
    np.testing.assert_array_equal(np.delete(model.labels_, rows), clean.labels_)


def test_new_blank_texts_get_the_mean_mixture_too(messy, tmp_path):
    model, texts, embeddings, _ = messy
    model.save(tmp_path / "model")
    for one in (model, SAETopicModel.load(tmp_path / "model")):
        with pytest.warns(UserWarning, match="1 of 2 documents are blank"):
            found = one.transform([" ", texts[1]], embeddings[:2])
        np.testing.assert_allclose(found[0], model.topic_prevalence_, atol=1e-6)
        np.testing.assert_allclose(found[1], model.doc_topics_[1], atol=1e-6)


def test_blank_batches_teach_nothing(clean, corpus):
    model = copy.deepcopy(clean)
    words = model.atom_words_
    with pytest.warns(UserWarning, match="3 of 3 documents are blank"):
        model.partial_fit(["", " ", "-"], embeddings=corpus.embeddings[[0, 0, 0]])
    np.testing.assert_array_equal(model.atom_words_, words)
    assert model.labels_.tolist() == [-1, -1, -1]
    with pytest.raises(ValueError, match="at least 2 that are not blank"):
        SAETopicModel().fit(["words", " ", " "], embeddings=corpus.embeddings[[0, 1, 1]])


def test_rounding_does_not_part_documents_that_are_the_same():
    rng = np.random.default_rng(0)
    embeddings = rng.normal(size=(500, 384)).astype(np.float32)
    copies = np.vstack([embeddings, embeddings[:200]])
    noise = 1e-6 * rng.normal(size=copies.shape) * np.linalg.norm(copies, axis=1)[:, None] / 20
    for repeated in (copies, copies + noise.astype(np.float32), copies.astype(np.float16)):
        first = find_distinct(np.asarray(repeated, dtype=np.float32))
        np.testing.assert_array_equal(first, [*range(500), *range(200)])


def test_documents_that_are_near_are_not_the_same(corpus):
    first = find_distinct(corpus.embeddings)
    np.testing.assert_array_equal(first, np.arange(400))
    near = corpus.embeddings[:1] * np.float32(1.001)
    assert find_distinct(np.vstack([corpus.embeddings[:1], near])).tolist() == [0, 1]


@pytest.mark.parametrize("copies", [np.arange(200), np.zeros(400, dtype=int)])
def test_copies_change_shares_and_nothing_else(corpus, clean, copies):
    rows = np.concatenate([np.arange(400), copies])
    texts = [corpus.documents[row] for row in rows]
    with pytest.warns(UserWarning, match=f"{len(copies)} of {len(rows)} documents repeat"):
        model = SAETopicModel(N_TOPICS).fit(texts, embeddings=corpus.embeddings[rows])
    assert model.n_documents_seen_ == len(rows)
    assert len(model.labels_) == len(rows)
    np.testing.assert_array_equal(model.vocabulary_, clean.vocabulary_)
    np.testing.assert_allclose(model.atom_words_, clean.atom_words_, atol=1e-6)
    assert normalized_mutual_info_score(model.labels_[:400], clean.labels_) > 0.999
    mean = model.doc_topics_.mean(axis=0)
    # Prevalence is of the atoms that documents activate, half of their mixtures.
    np.testing.assert_allclose(model.topic_prevalence_, mean, atol=0.01)


def test_too_many_topics_are_remarked_on_once(corpus, clean):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = SAETopicModel(n_topics=60, sae=clean.sae_)
        model.fit(corpus.documents, embeddings=corpus.embeddings)
    assert len(caught) == 1
    assert str(caught[0].message).startswith("n_topics=60 for 400 documents leaves fewer than 10")
    idle = len(np.setdiff1d(np.arange(60), model.labels_))
    assert f"{idle} of 60 topics are the largest topic of no document" in str(caught[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.retopic(N_TOPICS)


def test_a_tokenizer_that_was_not_saved_is_asked_for(corpus, clean, tmp_path):
    vectorizer = CountVectorizer(tokenizer=split_words, token_pattern=None)
    model = SAETopicModel(N_TOPICS, sae=clean.sae_, vectorizer=vectorizer)
    model.fit(corpus.documents[:200], embeddings=corpus.embeddings[:200])
    with pytest.warns(UserWarning, match="not saved, .*: vectorizer"):
        model.save(tmp_path / "model")
    more = {"documents": corpus.documents[200:], "embeddings": corpus.embeddings[200:]}
    loaded = SAETopicModel.load(tmp_path / "model")
    for call in (loaded.fit, loaded.partial_fit):
        with pytest.raises(ValueError, match=r"need the vectorizer .* load\(path, vectorizer="):
            call(**more)
    model.partial_fit(**more)
    for given in (vectorizer, model.vectorizer_):
        loaded = SAETopicModel.load(tmp_path / "model", vectorizer=given).partial_fit(**more)
        np.testing.assert_array_equal(loaded.components_, model.components_)
    with pytest.raises(ValueError, match="fitted to another vocabulary"):
        SAETopicModel.load(tmp_path / "model", vectorizer=CountVectorizer().fit(["a word"]))
