"""Numba kernel of the mixtures; apart, so that importing the package does not import numba."""

from __future__ import annotations

from numba import njit


@njit(cache=True, nogil=True, fastmath=True)
def add_rows(start, stop, indptr, indices, data, rows, out):
    """Add columns `start` to `stop` of ``weights.T @ rows`` to ``out`` (T, V).

    ``weights`` (K, T) comes in CSR and ``rows`` (K, V) dense; a few columns at a time, so that
    ``out`` stays in the cache and ``rows`` is read once.
    """
    for row in range(len(indptr) - 1):
        source = rows[row, start:stop]
        for entry in range(indptr[row], indptr[row + 1]):
            weight = data[entry]
            target = out[indices[entry], start:stop]
            for column in range(len(target)):
                target[column] += weight * source[column]
