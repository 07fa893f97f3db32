import numpy as np
import pytest
import scipy.sparse as sp

from saetm_plugins.numerics.mixtures import mix_topics, mix_words, normalize_activations


@pytest.mark.parametrize(
    ("activations", "sharpening", "expected"),
    [
        ([[1.0, 3.0], [0.0, 0.0]], 1.0, [[0.25, 0.75], [0, 0]]),
        ([[1.0, 3.0]], 2.0, [[0.1, 0.9]]),
        ([[1e-30, 1e-30]], 4.0, [[0.5, 0.5]]),  # no underflow
    ],
)
def test_mixtures_sum_to_one_and_empty_rows_stay_empty(activations, sharpening, expected):
    given = sp.csr_matrix(activations, dtype=np.float32)
    theta = normalize_activations(given, sharpening).toarray()
    np.testing.assert_allclose(theta, expected, rtol=1e-6)
    np.testing.assert_array_equal(given.toarray(), np.float32(activations))


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
