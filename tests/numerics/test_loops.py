"""The compiled loops by themselves, on small arrays with the corners that index faults hide in.

`make bounds` runs them with numba's bounds checks.
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


@pytest.fixture
def corpus(rng):
    """Counts by word, mixtures by document, P(word | atom) and the background."""
    counts, word_ptr, docs, n = draw_csr(rng, (9, 7))
    theta, doc_ptr, atoms, weights = draw_csr(rng, (7, 5))
    word_atoms = rng.random((9, 5), dtype=np.float32)
    word_atoms[2] = 0
    background = rng.random(9, dtype=np.float32)
    block = (word_ptr, docs, n, doc_ptr, atoms, weights)
    state = (word_atoms, np.full(5, 0.5, np.float32), background, np.full(9, 1 / 9, np.float32))
    q = PI * background[:, None] + (1 - PI) * 0.5 * word_atoms @ theta.toarray().T
    ratios = np.divide(counts.toarray(), q, where=q > 0, out=np.zeros_like(q))
    return counts, theta, block, state, q, ratios


def test_em_over_words(corpus):
    counts, theta, block, state, q, ratios = corpus
    probs, again = np.zeros((2, counts.nnz), np.float32)
    emission.explain_words(0, 9, block, state, PI, probs)
    np.testing.assert_allclose(probs, q[counts.nonzero()], rtol=1e-5)
    responses, sums = ratios @ theta.toarray(), ratios.sum(axis=1)
    expected = 0.7 * 0.5 * state[0] * responses + 2 / 9
    found = (state[0].copy(), *state[1:])
    word_mass, atom_mass = np.zeros(9, np.float32), np.zeros(5)
    emission.em_words(0, 9, block, found, PI, np.float32(2), word_mass, atom_mass, again)
    np.testing.assert_allclose(again, probs, rtol=1e-5)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)
    np.testing.assert_allclose(word_mass, PI * state[2] * sums, rtol=1e-5)
    np.testing.assert_allclose(atom_mass, expected.sum(axis=0), rtol=1e-5)


@pytest.mark.parametrize("first", [0, 6, 7])
def test_empty_ranges_write_nothing(corpus, first):
    counts, _, block, state, _, _ = corpus
    probs = np.full(counts.nnz, -1, np.float32)
    emission.explain_words(min(first, 0), 1, block, state, PI, probs)  # a word without documents
    emission.explain_words(first, first, block, state, PI, probs)
    assert (probs == -1).all()


def test_inference_of_documents(rng):
    _, doc_ptr, words, n = draw_csr(rng, (8, 9))
    word_atoms = rng.random((9, 6), dtype=np.float32)
    prevalence = np.array([0.5, 0.2, 0.1, 0.1, 0.1, 0], dtype=np.float32)
    background = np.zeros(9, np.float32)
    mixed = (word_atoms @ prevalence).astype(np.float32)
    for width, kept in ((5, 5), (5, 1), (1, 1)):
        atoms = np.full((8, kept), -1, np.int32)
        weights = np.full((8, kept), np.nan, np.float32)
        inference.infer_documents(
            0, 8, (doc_ptr, words, n), (word_atoms, background, mixed, prevalence),
            (PI, np.float32(1), 4, width), atoms, weights,
        )  # fmt: skip
        assert ((atoms >= 0) & (atoms < 5)).all()
        np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
        assert (atoms[0] == np.arange(kept)).all()  # no word: the most prevalent


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


def test_ward_joins(rng):
    for n in (1, 2, 30):
        points = rng.random((n, 4), dtype=np.float32)
        distances = np.full((n, n), np.nan)
        merging.fill_distances(0, n // 2, points, np.ones(n), distances)
        merging.fill_distances(n // 2, n, points, np.ones(n), distances)
        expected = np.square(points[:, None] - points).sum(axis=2)
        np.testing.assert_allclose(distances, expected, rtol=1e-5, atol=1e-12)
        joins = merging.join_chain(distances, np.ones(n))
        linkage = merging.label_joins(joins[np.argsort(joins[:, 2], kind="stable")])
        assert linkage.shape == (n - 1, 4)
        assert n == 1 or linkage[-1, 3] == n


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


def test_gradients_of_training(rng):
    codes, indptr, indices, values = draw_csr(rng, (6, 8))
    batch, bias = rng.random((6, 4), dtype=np.float32), rng.random(4, dtype=np.float32)
    decoder, ends = rng.random((8, 4), dtype=np.float32), np.array([3, 8])
    errors, squares = np.empty((6, 2, 4), np.float32), np.empty(6, np.float32)
    slopes = training.backpropagate_codes(
        batch, decoder, bias, indptr, indices, values, ends, errors, squares
    )
    parts = [codes.toarray()[:, :end] @ decoder[:end] + bias - batch for end in ends]
    whole = np.stack([parts[0] + parts[1], parts[1]], axis=1)  # 2 / n_levels is 1
    np.testing.assert_allclose(errors, whole, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(squares, np.square(parts[1]).sum(axis=1), rtol=1e-4)
    level = (np.arange(8) >= 3).astype(int)
    dense = np.einsum("nkd,kd->nk", whole[:, level], decoder)
    np.testing.assert_allclose(slopes, dense[codes.nonzero()], rtol=1e-4, atol=1e-6)

    grouped = training.group_by_atom(indptr, indices, 8)
    encoder, of_decoder, of_bias = np.empty((8, 4), "f4"), np.empty((8, 4), "f4"), np.empty(8, "f4")
    training.accumulate_gradients(
        0, 8, batch, errors, values, slopes, ends, grouped, np.float32(1), encoder, of_decoder,
        of_bias,
    )  # fmt: skip
    gradient = sp.csr_matrix((slopes, indices, indptr), codes.shape).toarray()
    np.testing.assert_allclose(encoder, gradient.T @ batch, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(of_bias, gradient.sum(axis=0), rtol=1e-4, atol=1e-5)
    expected = np.einsum("nk,nkd->kd", codes.toarray(), whole[:, level])
    np.testing.assert_allclose(of_decoder, expected, rtol=1e-4, atol=1e-5)


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
