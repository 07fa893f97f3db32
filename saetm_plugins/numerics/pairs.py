"""Entries of a sparse matrix that are chosen from dense scores, and what is computed for them.

Rows are those of a CSR matrix: `indptr`, int64, and `indices`, int32.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from saetm_plugins.numerics.parallel import map_rows


def entries_of(mask: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `indptr` and `indices` of the entries where `mask` (n, K) is True."""
    n_rows, n_columns = mask.shape
    flat = np.flatnonzero(mask)
    starts = np.arange(n_rows + 1) * n_columns
    indptr = np.searchsorted(flat, starts)
    return indptr, (flat - np.repeat(starts[:-1], np.diff(indptr))).astype(np.int32)


def products_of_pairs(
    indptr: np.ndarray,
    indices: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    *,
    on_all_cores: bool = False,
) -> np.ndarray:
    """Return the dot product of the rows of `left` (n, d) and `right` (K, d) at each entry (n, K).

    Each is summed in the same order whatever the other entries are.
    """
    from saetm_plugins.numerics._pair_kernel import products_of_pairs

    products = np.empty(len(indices), dtype=np.float32)
    indptr = np.ascontiguousarray(indptr, dtype=np.int64)
    indices = np.ascontiguousarray(indices, dtype=np.int32)
    left, right = (np.ascontiguousarray(part, dtype=np.float32) for part in (left, right))
    arrays = (indptr, indices, left, right, products)
    if on_all_cores:
        map_rows(products_of_pairs, indptr, *arrays)
    else:
        products_of_pairs(0, len(left), *arrays)
    return products


def largest_entries(indptr: np.ndarray, values: np.ndarray, cut: Any, limit: int) -> np.ndarray:
    """Return a mask of the entries that reach `cut`, at most the `limit` largest of a row.

    Of equal entries the first are kept. A row's largest entry is kept if it does not reach `cut`.
    """
    counts = np.diff(indptr)
    filled = np.flatnonzero(counts)
    cuts = np.full(len(counts), cut, dtype=values.dtype)
    if len(filled):
        cuts[filled] = np.minimum(cuts[filled], np.maximum.reduceat(values, indptr[filled]))
    long = np.flatnonzero(counts > limit)
    if len(long) == 0:
        return values >= np.repeat(cuts, counts)
    width = np.arange(counts[long].max())
    inside = width < counts[long, None]
    padded = np.full(inside.shape, -np.inf, dtype=values.dtype)
    padded[inside] = values[np.repeat(counts > limit, counts)]
    cuts[long] = np.maximum(cuts[long], np.partition(padded, -limit, axis=1)[:, -limit])
    cuts_of_entries = np.repeat(cuts, counts)
    above, equal = values > cuts_of_entries, values == cuts_of_entries
    n_above, n_equal = (np.concatenate(([0], np.cumsum(mask))) for mask in (above, equal))
    room = limit - np.diff(n_above[indptr])
    rank = n_equal[:-1] - np.repeat(n_equal[indptr[:-1]], counts)
    return above | (equal & (rank < np.repeat(room, counts)))


def keep_entries(indptr: np.ndarray, mask: np.ndarray, *arrays: np.ndarray) -> tuple[Any, ...]:
    """Return `indptr` and `arrays` of the entries where `mask` (nnz,) is True."""
    n_kept = np.concatenate(([0], np.cumsum(mask)))
    return (n_kept[indptr], *(array[mask] for array in arrays))
