"""Compiled loops on the corners that index faults hide in.

`make bounds` runs them with numba's bounds checks, and the tests of what the loops compute.
"""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.special import psi

from saetm_plugins.atoms.training import kernels as training
from saetm_plugins.emission import inference_kernels as inference
from saetm_plugins.emission import kernels as emission
from saetm_plugins.gensim import bound
from saetm_plugins.merging import kernels as merging
from saetm_plugins.numerics._pair_kernel import products_of_pairs

PI = np.float32(0.3)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def draw_csr(rng, shape, dtype=np.float32):
    """Draw a matrix with empty rows and a last column that is empty, and its arrays for a loop."""
    dense = rng.random(shape) * (rng.random(shape) < 0.5)
    dense[[0, -1]] = dense[:, -1] = 0
    matrix = sp.csr_matrix(dense.astype(dtype))
    return matrix, matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), matrix.data


@pytest.mark.parametrize("first", [0, 6, 7])
def test_empty_ranges_write_nothing(rng, first):
    counts, word_ptr, docs, n = draw_csr(rng, (9, 7))
    _, doc_ptr, atoms, weights = draw_csr(rng, (7, 5))
    state = (rng.random((9, 5), dtype=np.float32), np.ones(5, "f4"), *np.ones((2, 9), "f4"))
    block, probs = (word_ptr, docs, n, doc_ptr, atoms, weights), np.full(counts.nnz, -1, np.float32)
    emission.explain_words(0, 1, block, state, PI, probs)  # a word without documents
    emission.explain_words(first, first, block, state, PI, probs)
    assert (probs == -1).all()


@pytest.mark.parametrize("damage", [(), (0,), (3, 4), range(8), (7,)])
@pytest.mark.parametrize("n", [1, 3, 8])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_strongest_lie_in_their_array_whatever_the_values(rng, damage, n, value):
    for _ in range(5):
        values = rng.permutation(np.repeat(np.arange(4, dtype=np.float32), 2))
        values[list(damage)] = value
        guarded = np.full(n + 16, -7, dtype=np.int32)
        inference.strongest(values, guarded[8 : 8 + n])
        assert (guarded[:8] == -7).all()
        assert (guarded[8 + n :] == -7).all()
        assert ((guarded[8 : 8 + n] >= 0) & (guarded[8 : 8 + n] < 8)).all()
        if not np.isnan(values).any():
            best = np.sort(values)[::-1][:n]
            assert np.sort(values[guarded[8 : 8 + n]])[::-1].tolist() == best.tolist()
            assert inference.nth_largest(values.copy(), n) == best[-1]


def test_mixtures_are_normalised_where_all_is_zero():
    theta = np.zeros(4, np.float32)
    inference.normalize_in_place(theta)
    assert (theta == 0.25).all()


def test_products_of_pairs(rng):
    pairs, indptr, indices, _ = draw_csr(rng, (6, 8))
    left, right = rng.random((6, 3), dtype=np.float32), rng.random((8, 3), dtype=np.float32)
    products = np.zeros(pairs.nnz, np.float32)
    products_of_pairs(0, 6, indptr, indices, left, right, products)
    np.testing.assert_allclose(products, (left @ right.T)[pairs.nonzero()], rtol=1e-5)


@pytest.mark.parametrize("value", [1, np.nan, np.inf])
def test_factors_stay_in_their_rows(rng, value):
    matrix, indptr, indices, data = draw_csr(rng, (6, 8))
    data[0] = value
    other, factor = rng.random((8, 3), dtype=np.float32), rng.random((6, 3), dtype=np.float32)
    gram = other.T @ other
    before = factor.copy()
    inverse = 1 / np.diagonal(gram)
    merging.update_rows(2, 5, indptr, indices, data, other, gram, inverse, factor)
    np.testing.assert_array_equal(factor[[0, 1, 5]], before[[0, 1, 5]])
    if value == 1:
        dense = matrix.toarray()
        error, worse = (np.square(dense - each @ other.T).sum() for each in (factor, before))
        assert error < worse


def test_thresholds_of_mass():
    rows = np.array([[0.5, 0.3, 0.2], [0, 0, 0], [np.nan, 0.5, 0.5]], dtype=np.float32)
    thresholds = np.empty(3, np.float32)
    merging.mass_thresholds(0, 3, rows, np.float32(0.7), thresholds)
    np.testing.assert_allclose(thresholds[:2], [0.3, 0], atol=1e-6)


def test_bound_of_gensim(rng):
    counts, doc_ptr, words, n = draw_csr(rng, (6, 9), np.float64)
    bag = (doc_ptr, words.astype(np.int64), n)
    word_topics, floors = rng.random((9, 3)), rng.random(9)
    gamma, alpha = rng.random((6, 3)) + 0.1, np.full(3, 0.1)
    theta = np.exp(psi(gamma) - psi(gamma.sum(axis=1, keepdims=True)))
    row = np.empty(3)
    bound.exp_log_theta(gamma[0], row)
    np.testing.assert_allclose(row, theta[0], rtol=1e-8)
    assert bound.digamma(0.01) == pytest.approx(psi(0.01))
    assert bound.word_probability(row, row) == pytest.approx(row @ row)
    q = floors + theta @ word_topics.T
    expected = (counts.toarray() * np.log(q)).sum()
    assert bound.score_words(0, 6, bag, word_topics, floors, gamma) == pytest.approx(expected)
    once = alpha + theta * ((counts.toarray() / q) @ word_topics)
    bound.tighten(0, 6, bag, word_topics, floors, alpha, 1, 1e-3, gamma)
    np.testing.assert_allclose(gamma, once, rtol=1e-7)


@pytest.mark.parametrize("value", [1, np.nan, np.inf])
def test_adam_steps_stay_in_their_rows(value):
    weights, gradients, first, second = np.ones((4, 5, 3), np.float32) * [
        [[1]],
        [[2]],
        [[0]],
        [[0]],
    ]
    gradients[1, 0] = value
    arrays = [array.astype(np.float32) for array in (weights, gradients, first, second)]
    rate, beta = np.float32(0.1), np.float32(0.5)
    training.adam_rows(1, 4, *arrays, rate, beta, beta, 1, False)
    assert (arrays[0][[0, 4]] == 1).all()
    np.testing.assert_allclose(arrays[0][2:4], 0.9, rtol=1e-5)
    training.adam_rows(2, 3, *arrays, rate, beta, beta, 2, True)
    assert np.linalg.norm(arrays[0][2]) == pytest.approx(1)
