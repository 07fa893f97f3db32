"""Small array helpers that several stages share."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp


def unit_rows(vectors: np.ndarray) -> np.ndarray:
    """Return `vectors` (n, d) as float32 with rows of length 1; zero rows stay zero."""
    vectors = np.asarray(vectors, dtype=np.float32)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(norms > 0, norms, 1)


def column_sums(matrix: sp.csr_matrix | sp.csc_matrix) -> np.ndarray:
    """Return the sum of each column of a sparse matrix, float64.

    SciPy's own, of float32, stop growing at 2**24, and take their `dtype` only afterwards.
    """
    return np.asarray(matrix.T @ np.ones(matrix.shape[0])).ravel()


def largest_in_rows(matrix: sp.csr_matrix, n_largest: int) -> sp.csr_matrix:
    """Return `matrix` with only the positive entries among the `n_largest` of each row.

    Of equal entries those of the first columns are kept. Indices come sorted.
    """
    matrix = sp.csr_matrix(matrix, copy=True)
    matrix.sort_indices()
    for row in np.flatnonzero(np.diff(matrix.indptr) > n_largest):
        values = matrix.data[matrix.indptr[row] : matrix.indptr[row + 1]]
        least = np.partition(values, -n_largest)[-n_largest]
        ties = np.flatnonzero(values == least)
        values[ties[n_largest - np.count_nonzero(values > least) :]] = 0
        values[values < least] = 0
    matrix.data[matrix.data < 0] = 0
    matrix.eliminate_zeros()
    return matrix


def index_of_words(words: Sequence[str] | np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return the position (n,) of each of `words` in `among`; -1 where it is not there."""
    position = {word: i for i, word in enumerate(among)}
    return np.array([position.get(word, -1) for word in words], dtype=np.int64)
