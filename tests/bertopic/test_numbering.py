"""Topics that own documents, numbered by how many."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.bertopic.numbering import NumberedTopicModel
from saetm_plugins.fitted_topics import default_n_topics


@pytest.fixture(scope="module")
def fitted(corpus, sae) -> NumberedTopicModel:
    model = NumberedTopicModel(n_topics=5, sae=sae)
    return model.fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture
def model(fitted) -> NumberedTopicModel:
    return copy.copy(fitted)


def sizes_of(model: NumberedTopicModel) -> np.ndarray:
    return np.bincount(model.labels_[model.labels_ >= 0], minlength=model.n_topics_)


@pytest.mark.parametrize("merge", ["nmf", "ward", "kmeans"])
@pytest.mark.parametrize("n_topics", [1, 3, 5])
def test_every_topic_owns_a_document_and_the_first_most(model, merge, n_topics):
    model.retopic(n_topics, merge)
    sizes = sizes_of(model)
    assert len(sizes) == n_topics
    assert sizes.min() > 0
    assert (np.diff(sizes) <= 0).all()
    np.testing.assert_allclose(model.components_.sum(axis=1), 1, rtol=1e-4)


def test_the_default_count_is_what_the_corpus_can_carry(corpus):
    model = NumberedTopicModel(n_topics=None).fit(
        corpus.documents[:100], embeddings=corpus.embeddings[:100]
    )
    assert 5 <= model.n_topics_ <= 10  # some may be the largest topic of no document


def test_the_default_count_is_that_of_the_core_where_texts_are_read_in_passages(long_texts):
    rng = np.random.default_rng(0)
    texts = [long_texts.write(rng, theme, 12) for theme in long_texts.themes * 8]
    options = {"encoder": long_texts.Encoder(), "n_atoms": 16, "word_vectors": "corpus"}
    core = SAETopicModel(**options).fit(texts)
    assert core.n_topics_ > len(texts) // 10
    model = NumberedTopicModel(**{**options, "sae": core.sae_}).fit(texts)
    assert default_n_topics(model.atoms_) == core.n_topics_
    assert len(texts) // 10 < model.n_topics_ <= core.n_topics_


def test_a_cut_too_fine_for_the_documents_says_so(model):
    n_live = int((model.atom_prevalence_ > 0).sum())
    with pytest.warns(UserWarning, match=f"of the {n_live} topics asked for"):
        model.retopic(n_live)
    assert model.n_topics_ < n_live
    assert sizes_of(model).min() > 0


def test_deleted_topics_take_their_share_with_them(model, corpus):
    before, labels = model.doc_topics_, model.labels_
    model.delete_topics([0, 2])
    kept = np.delete(np.arange(5), [0, 2])
    np.testing.assert_allclose(model.doc_topics_, before[:, kept], atol=1e-5)
    np.testing.assert_array_equal(model.labels_ == -1, np.isin(labels, [0, 2]))
    model.retopic(2)
    assert model.n_topics_ == 2
    np.testing.assert_allclose(
        model.doc_topics_.sum(axis=1), before[:, kept].sum(axis=1), atol=1e-5
    )
    predicted, mixtures = model.predict(None, corpus.embeddings)
    np.testing.assert_array_equal(predicted, model.labels_)
    np.testing.assert_allclose(mixtures, model.doc_topics_, atol=1e-5)


def test_a_fit_forgets_what_was_deleted(model, corpus):
    model.delete_topics([0])
    model.fit(corpus.documents, embeddings=corpus.embeddings)
    np.testing.assert_allclose(model.doc_topics_.sum(axis=1), 1, atol=1e-5)


def test_atoms_follow_documents(model, corpus):
    labels = np.where(corpus.themes == 0, -1, corpus.themes - 1)
    model.assign_documents(labels)
    assert model.labels_.tolist() == labels.tolist()
    assert model.n_topics_ == 4
    agree = (model.doc_topics_.argmax(axis=1) == labels)[labels >= 0].mean()
    assert agree > 0.8
    words = model.get_topics(3)
    assert [word[:6] for word in np.array(words)[:, 0]] == ["themeb", "themec", "themed", "themee"]


def test_batches_keep_numbers_even_of_topics_they_hold_nothing_of(model, corpus):
    one_theme = np.flatnonzero(corpus.themes == 1)
    weights = model.atom_topics_.toarray()
    model.partial_fit(
        [corpus.documents[row] for row in one_theme], embeddings=corpus.embeddings[one_theme]
    )
    assert model.n_topics_ == 5
    np.testing.assert_array_equal(model.atom_topics_.toarray(), weights)


def test_a_loaded_model_is_numbered_as_the_saved_one(model, tmp_path):
    model.save(tmp_path / "model")
    loaded = NumberedTopicModel.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.labels_, model.labels_)
    np.testing.assert_array_equal(loaded.components_, model.components_)
    np.testing.assert_array_equal(loaded.retopic(3).components_, model.retopic(3).components_)


def test_words_that_three_documents_alone_hold_make_no_topic(corpus):
    dump = [" ".join(f"junk{'abcdefghijklmnop'[(row + i) % 16]}{i}" for i in range(120))
            for row in (0, 0, 0)]  # fmt: skip
    direction = np.random.default_rng(3).normal(size=24)
    points = direction / np.linalg.norm(direction) + 0.01 * np.random.default_rng(4).normal(
        size=(3, 24)
    )
    texts = [f"{text} common{'abc'[row]}" for row, text in enumerate(dump)]
    embeddings = np.vstack([corpus.embeddings, points]).astype(np.float32)
    model = NumberedTopicModel(n_topics=5).fit([*corpus.documents, *texts], embeddings=embeddings)
    assert model.n_topics_ == 5
    assert sizes_of(model).min() >= 8
    themes = {words[0][:6] for words in model.get_topics(1)}
    assert themes == {f"theme{letter}" for letter in "abcde"}
