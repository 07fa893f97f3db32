"""Keywords of atoms, and the paper's vectors of atoms."""

import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins.corpus_sums import embedding_sums, sum_documents
from saetm_plugins.merging import (
    atom_word_vectors,
    keyword_association,
)
from saetm_plugins.merging.keywords import CHANCE_POWER, CORPUS_WEIGHT, nearness_power


@pytest.fixture(scope="module")
def corpus():
    """300 documents on three themes: mixtures (of 12 atoms), counts, embeddings, word vectors."""
    rng = np.random.default_rng(0)
    n_documents, n_atoms, n_words, width = 300, 12, 90, 20
    theme = rng.integers(3, size=n_documents)
    centres = rng.normal(size=(3, width))
    embeddings = 5 * (centres[theme] + 0.5 * rng.normal(size=(n_documents, width)) + 0.5)
    near = np.arange(n_words) // 30 == theme[:, None]
    bow = sp.csr_matrix((rng.random(near.shape) < 0.03 + 0.2 * near).astype(np.float32))
    atoms = rng.random((n_documents, n_atoms)) * (np.arange(n_atoms) // 4 == theme[:, None])
    doc_atoms = sp.csr_matrix((atoms / atoms.sum(axis=1, keepdims=True)).astype(np.float32))
    word_vectors = centres[np.arange(n_words) // 30] + rng.normal(size=(n_words, width)) + 1
    return doc_atoms, bow, embeddings.astype(np.float32), word_vectors.astype(np.float32)


@pytest.fixture(scope="module")
def sums(corpus):
    doc_atoms, bow, embeddings, _ = corpus
    return sum_documents(doc_atoms, bow, embeddings, embeddings.shape[1])


def associate(sums, word_vectors=None, **options):
    return keyword_association(sums.atom_words, embedding_sums(sums), word_vectors, **options)


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def nearness(doc_atoms, bow, embeddings, word_vectors):
    """The definition, dense: (of corpus, of vectors or None), each (K, V)."""
    theta, present = doc_atoms.toarray().astype(float), bow.toarray() > 0
    units = unit(embeddings.astype(float))
    centred = units - units.mean(axis=0)
    atoms = (theta.T @ centred) / theta.sum(axis=0)[:, None]
    words = present.T @ centred
    by_corpus = unit(atoms) @ words.T - np.linalg.norm(atoms, axis=1)[:, None]
    by_corpus /= np.linalg.norm(words, axis=1) + 1
    if word_vectors is None:
        return by_corpus, None
    return by_corpus, unit(theta.T @ units) @ unit(word_vectors.astype(float)).T


def scores_of(mass):
    """The positive pointwise mutual information times the root of the mass, dense."""
    chance = mass.sum(axis=0) ** CHANCE_POWER
    expected = np.outer(mass.sum(axis=1), chance / chance.sum())
    return np.maximum(np.log((mass + 1e-3) / (expected + 1e-3)), 0) * np.sqrt(mass)


@pytest.mark.parametrize("known", ["no vectors", "some", "all"])
def test_association_is_ppmi_times_root_mass_of_near_words(corpus, sums, known):
    doc_atoms, bow, embeddings, word_vectors = corpus
    near, by_vector = nearness(doc_atoms, bow, embeddings, word_vectors)
    damped = np.log2(1 + bow.toarray())
    mass = doc_atoms.toarray().T @ damped
    vectors = None
    if known != "no vectors":
        has_vector = np.arange(90) % 3 > (0 if known == "some" else -1)
        vectors = np.where(has_vector[:, None], word_vectors, 0).astype(np.float32)
        pairs = (mass > 0) & has_vector  # other words: by the line through these
        slope, intercept = np.polyfit(near[pairs], by_vector[pairs], 1)
        filled = np.where(has_vector, by_vector, slope * near + intercept)
        near = filled + CORPUS_WEIGHT * near
    expected = scores_of(mass * np.maximum(near, 0) ** nearness_power(embedding_sums(sums)))
    found = associate(sums, vectors, n_keywords=90).toarray()
    np.testing.assert_allclose(found, expected, atol=5e-4)


def test_only_the_largest_scores_of_an_atom_are_kept(corpus, sums):
    every = associate(sums, corpus[3], n_keywords=90)
    few = associate(sums, corpus[3], n_keywords=5)
    assert (np.diff(few.indptr) == 5).all()
    assert few.has_sorted_indices
    for atom in range(12):
        largest = np.sort(every[atom].toarray().ravel())[-5:]
        np.testing.assert_array_equal(np.sort(few[atom].data), largest)


def test_association_ignores_the_length_of_embeddings_and_vectors(corpus, sums):
    doc_atoms, bow, embeddings, word_vectors = corpus
    plain = associate(sums, word_vectors)
    longer = sum_documents(doc_atoms, bow, embeddings * 7, embeddings.shape[1])
    scaled = associate(longer, word_vectors * 2)
    np.testing.assert_allclose(scaled.toarray(), plain.toarray(), atol=1e-4)


def test_stored_zeros_and_repetition_do_not_break_the_association(corpus, sums):
    doc_atoms, bow, embeddings, word_vectors = corpus
    zeros = bow.copy()
    zeros.data[::3] = 0
    doc_atoms = doc_atoms.copy()
    doc_atoms.data[::5] = 0
    found = sum_documents(doc_atoms, zeros, embeddings, embeddings.shape[1])
    clean_bow, clean_atoms = zeros.copy(), doc_atoms.copy()
    clean_bow.eliminate_zeros()
    clean_atoms.eliminate_zeros()
    clean = sum_documents(clean_atoms, clean_bow, embeddings, embeddings.shape[1])
    np.testing.assert_array_equal(
        associate(found, word_vectors).toarray(), associate(clean, word_vectors).toarray()
    )


def test_keywords_are_the_same_ones_in_a_narrow_cone(corpus):
    doc_atoms, bow, embeddings, word_vectors = corpus

    def keywords(shift):
        documents = unit(embeddings) + np.float32(shift)
        sums = sum_documents(doc_atoms, bow, documents, documents.shape[1])
        mean = unit(documents).mean(axis=0)
        found = associate(sums, unit(word_vectors) + np.float32(shift), n_keywords=15)
        return mean @ mean, found.toarray() > 0

    wide, narrow = keywords(0), keywords(3)
    assert wide[0] < 0.5 < narrow[0]
    assert (wide[1] & narrow[1]).sum() > 0.9 * wide[1].sum()


@pytest.mark.parametrize(("n_words", "power"), [(1, 0.25), (4, 0.25), (8, 0.5), (16, 1), (80, 1)])
def test_nearness_counts_for_less_in_short_texts(corpus, n_words, power):
    doc_atoms, _, embeddings, _ = corpus
    bow = sp.csr_matrix(np.tile(np.arange(90) < n_words, (len(embeddings), 1)), dtype=np.float32)
    sums = sum_documents(doc_atoms, bow, embeddings, embeddings.shape[1])
    assert nearness_power(embedding_sums(sums)) == power
    twice = sum_documents(doc_atoms, bow * 3, embeddings, embeddings.shape[1]) + sums
    assert nearness_power(embedding_sums(twice)) == power


def test_atom_word_vectors_average_the_most_probable_words(corpus):
    word_vectors = corpus[3]
    atom_words = np.random.default_rng(1).dirichlet(np.full(90, 0.2), size=5)
    for row, vector in zip(atom_words, atom_word_vectors(atom_words, word_vectors), strict=True):
        order = np.argsort(-row)
        top = order[: np.searchsorted(np.cumsum(row[order]), 0.9) + 1]
        expected = np.average(word_vectors[top], axis=0, weights=row[top])
        np.testing.assert_allclose(vector, expected, atol=1e-4)
