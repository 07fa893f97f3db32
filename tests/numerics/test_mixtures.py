import numpy as np
import scipy.sparse as sp

from saetm_plugins.numerics.mixtures import mix_topics, mix_words, normalize_activations


def test_mixtures_sum_to_one_and_empty_rows_stay_empty():
    activations = sp.csr_matrix([[1.0, 3.0], [0.0, 0.0]])
    theta = normalize_activations(activations).toarray()
    np.testing.assert_allclose(theta, [[0.25, 0.75], [0, 0]])


def test_sharpening_raises_to_a_power():
    theta = normalize_activations(sp.csr_matrix([[1.0, 3.0]]), 2.0).toarray()
    np.testing.assert_allclose(theta, [[0.1, 0.9]], rtol=1e-6)


def test_sharpening_does_not_underflow():
    theta = normalize_activations(sp.csr_matrix([[1e-30, 1e-30]]), 4.0).toarray()
    np.testing.assert_allclose(theta, [[0.5, 0.5]])


def test_activations_are_left_alone():
    activations = sp.csr_matrix([[1.0, 3.0]], dtype=np.float32)
    normalize_activations(activations, 2.0)
    np.testing.assert_array_equal(activations.toarray(), [[1, 3]])


def test_topics_of_documents_are_sums_of_their_atoms():
    doc_atoms = sp.csr_matrix([[0.5, 0.25, 0.25], [0.0, 0.0, 1.0]])
    atom_topics = sp.csr_matrix([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]])
    doc_topics = mix_topics(doc_atoms, atom_topics, np.array([3.0, 1.0]))
    np.testing.assert_allclose(doc_topics[0], [2 / 3, 1 / 3], rtol=1e-6)
    # All of the second document lies in an atom of no topic: it gets the corpus' mixture.
    np.testing.assert_allclose(doc_topics[1], [0.75, 0.25])


def test_words_of_topics_are_weighted_by_prevalence():
    atom_topics = sp.csr_matrix([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    atom_words = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]], dtype=np.float32)
    words = mix_words(atom_topics, np.array([3.0, 1.0, 1.0]), atom_words)
    np.testing.assert_allclose(words, [[0.75, 0.25], [0.5, 0.5]])
