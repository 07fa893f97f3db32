"""Contextual keywords, and the vectors of atoms."""

import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins.merging import (
    atom_word_vectors,
    document_centroids,
    keyword_association,
    words_worth_encoding,
)
from saetm_plugins.merging.keywords import CHANCE_POWER, CORPUS_WEIGHT, DocumentKeywords


@pytest.fixture(scope="module")
def corpus():
    """300 documents on three themes: mixtures (of 12 atoms), counts, embeddings, word vectors."""
    rng = np.random.default_rng(0)
    n_documents, n_atoms, n_words, width = 300, 12, 90, 20
    theme = rng.integers(3, size=n_documents)
    centres = rng.normal(size=(3, width))
    embeddings = 5 * (centres[theme] + 0.5 * rng.normal(size=(n_documents, width)) + 1)
    near = np.arange(n_words) // 30 == theme[:, None]
    bow = sp.csr_matrix((rng.random(near.shape) < 0.03 + 0.2 * near).astype(np.float32))
    atoms = rng.random((n_documents, n_atoms)) * (np.arange(n_atoms) // 4 == theme[:, None])
    doc_atoms = sp.csr_matrix((atoms / atoms.sum(axis=1, keepdims=True)).astype(np.float32))
    word_vectors = centres[np.arange(n_words) // 30] + rng.normal(size=(n_words, width)) + 1
    return doc_atoms, bow, embeddings.astype(np.float32), word_vectors.astype(np.float32)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearness(bow, embeddings, word_vectors):
    """The definition, dense and word by word."""
    present = bow.toarray() > 0
    units = unit(embeddings.astype(np.float64))
    centred = unit(units - units.mean(axis=0))
    near = np.zeros(present.shape)
    for word in range(present.shape[1]):
        for doc in np.flatnonzero(present[:, word]):
            others = centred[present[:, word]].sum(axis=0) - centred[doc]
            near[doc, word] = centred[doc] @ others / (np.linalg.norm(others) + 1)
    if word_vectors is not None:
        near = CORPUS_WEIGHT * near + units @ unit(word_vectors.astype(np.float64)).T
    return np.where(present, near, 0)


@pytest.mark.parametrize("with_vectors", [False, True])
def test_association_is_ppmi_times_root_mass_of_the_nearest_words(corpus, with_vectors):
    doc_atoms, bow, embeddings, word_vectors = corpus
    vectors = word_vectors if with_vectors else None
    near = np.maximum(nearness(bow, embeddings, vectors), 0)
    kept = np.sort(near, axis=1)[:, -4][:, None]
    near = np.where(near >= kept, near, 0)
    mass = doc_atoms.T @ near
    chance = mass.sum(axis=0) ** CHANCE_POWER
    expected = np.outer(mass.sum(axis=1), chance / chance.sum())
    scores = np.maximum(np.log((mass + 1e-3) / (expected + 1e-3)), 0) * np.sqrt(mass)
    found = keyword_association(
        doc_atoms, bow, embeddings, vectors, n_keywords=4, n_atom_words=90
    ).toarray()
    np.testing.assert_allclose(found, scores, atol=2e-4)


def test_only_the_largest_scores_of_an_atom_are_kept(corpus):
    doc_atoms, bow, embeddings, word_vectors = corpus
    every = keyword_association(doc_atoms, bow, embeddings, word_vectors, n_atom_words=90)
    few = keyword_association(doc_atoms, bow, embeddings, word_vectors, n_atom_words=5)
    assert (np.diff(few.indptr) == 5).all()
    assert few.has_sorted_indices
    for atom in range(12):
        largest = np.sort(every[atom].toarray().ravel())[-5:]
        np.testing.assert_array_equal(np.sort(few[atom].data), largest)


def test_association_ignores_the_length_of_embeddings_and_the_size_of_counts(corpus):
    doc_atoms, bow, embeddings, word_vectors = corpus
    plain = keyword_association(doc_atoms, bow, embeddings, word_vectors)
    scaled = keyword_association(doc_atoms, bow * 3, embeddings * 7, word_vectors * 2)
    np.testing.assert_allclose(scaled.toarray(), plain.toarray(), atol=1e-4)


def test_words_without_a_vector_are_placed_by_the_line_through_the_others(corpus):
    _, bow, embeddings, word_vectors = corpus
    known = np.arange(90) % 3 > 0
    by_corpus = nearness(bow, embeddings, None)
    by_vector = nearness(bow, embeddings, word_vectors) - CORPUS_WEIGHT * by_corpus
    pairs = (bow.toarray() > 0) & known
    slope, intercept = np.polyfit(by_corpus[pairs], by_vector[pairs], 1)
    partial = np.where(known[:, None], word_vectors, 0)
    keywords = DocumentKeywords(bow, embeddings, partial, n_keywords=90)
    for doc in range(0, 300, 29):
        for place in range(keywords.counts[doc]):
            word = keywords.words[doc, place]
            near = by_vector[doc, word] if known[word] else slope * by_corpus[doc, word] + intercept
            expected = near + CORPUS_WEIGHT * by_corpus[doc, word]
            assert keywords.nearness[doc, place] == pytest.approx(expected, abs=1e-4)


def test_a_document_without_words_or_without_embedding_has_no_keywords(corpus):
    _, bow, embeddings, word_vectors = corpus
    bow, embeddings = bow.tolil(), embeddings.copy()
    bow[0] = 0
    embeddings[1] = 0
    keywords = DocumentKeywords(bow.tocsr(), embeddings, word_vectors)
    assert keywords.counts[:2].tolist() == [0, 0]
    assert np.isfinite(keywords.nearness).all()


def test_words_worth_encoding_are_the_heaviest_keywords(corpus):
    _, bow, embeddings, _ = corpus
    mass = DocumentKeywords(bow, embeddings).word_mass()
    chosen = words_worth_encoding(bow, embeddings, 20)
    assert set(chosen) == set(np.argsort(-mass)[:20])
    assert (np.diff(chosen) > 0).all()
    assert len(words_worth_encoding(bow, embeddings)) == 90


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bow": sp.csr_matrix((3, 90), dtype=np.float32)}, "bow 3"),
        ({"embeddings": np.ones((3, 20), np.float32)}, "embeddings has 3 rows"),
        ({"word_vectors": np.ones((90, 7), np.float32)}, "word_vectors has shape"),
        ({"word_vectors": np.full((90, 20), np.inf, np.float32)}, "word_vectors holds NaN or inf"),
        ({"n_keywords": 0}, "n_keywords must be at least 1"),
        ({"n_atom_words": 0}, "n_atom_words must be at least 1"),
    ],
)
def test_what_does_not_fit_is_refused(corpus, change, message):
    names = ("doc_atoms", "bow", "embeddings", "word_vectors")
    with pytest.raises(ValueError, match=message):
        keyword_association(**(dict(zip(names, corpus, strict=True)) | change))


def test_atom_word_vectors_average_the_most_probable_words(corpus):
    word_vectors = corpus[3]
    atom_words = np.random.default_rng(1).dirichlet(np.full(90, 0.2), size=5)
    for row, vector in zip(atom_words, atom_word_vectors(atom_words, word_vectors), strict=True):
        order = np.argsort(-row)
        top = order[: np.searchsorted(np.cumsum(row[order]), 0.9) + 1]
        expected = np.average(word_vectors[top], axis=0, weights=row[top])
        np.testing.assert_allclose(vector, expected, atol=1e-4)
    with pytest.raises(ValueError, match="top_p"):
        atom_word_vectors(atom_words, word_vectors, top_p=0)
    with pytest.raises(ValueError, match="atom_words has 90 columns"):
        atom_word_vectors(atom_words, word_vectors[:3])


def test_document_centroids_average_unit_embeddings(corpus):
    doc_atoms, _, embeddings, _ = corpus
    centroids = document_centroids(doc_atoms, embeddings)
    expected = np.average(unit(embeddings), axis=0, weights=doc_atoms[:, 2].toarray().ravel())
    np.testing.assert_allclose(centroids[2], expected, atol=1e-5)
    dead = sp.csr_matrix((300, 2), dtype=np.float32)
    assert not document_centroids(dead, embeddings).any()
