"""The compiled loop behind ``transform`` on CPU: dense scores in, sparse activations out.

Sums, maxima and sorts are loops of our own: numba takes seconds to compile NumPy's.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_FLOOR = np.float32(1e-6)  # what the strongest atom of a document counts when nothing is positive


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def encode_rows(batch, scores, encoder, encoder_bias, thresholds, k, keep_strongest):
    """Turn dense scores into sparse activations, each row by itself.

    The dense product may round differently with the number of rows in it; it only proposes. What
    lies within a margin of the cut is computed again, row by row, and decided on that.

    Parameters
    ----------
    batch : ndarray of shape (n, d), float32
    scores : ndarray of shape (n, n_atoms), float32
        ``batch @ encoder.T + encoder_bias``.
    encoder : ndarray of shape (n_atoms, d), float32
    encoder_bias, thresholds : ndarray of shape (n_atoms,), float32
        An atom is active above its threshold.
    k : int
        Keep at most this many per row (the strongest); 0 for all above the threshold.
    keep_strongest : bool
        A row with nothing above the thresholds keeps its strongest atom, unless the row is zero.

    Returns
    -------
    indptr, indices, values : the arrays of a CSR matrix, indices ascending within a row
    """
    n, n_atoms = scores.shape
    limit = n_atoms if k == 0 else k
    offsets = np.zeros(n + 1, dtype=np.int64)
    cuts = np.empty(n, dtype=np.float32)
    margins = np.empty(n, dtype=np.float32)
    for row in range(n):
        largest = np.float32(0)
        best = scores[row, 0]
        for atom in range(n_atoms):
            largest = max(largest, abs(scores[row, atom]))
            best = max(best, scores[row, atom])
        margins[row] = np.float32(1e-5) * largest + np.float32(1e-7)
        cuts[row] = (kth_largest(scores[row], limit) if limit < n_atoms else -np.inf) - margins[row]
        count = 0
        for atom in range(n_atoms):
            if _proposed(
                scores[row, atom], thresholds[atom], cuts[row], margins[row], best, keep_strongest
            ):
                count += 1
        offsets[row + 1] = count
    add_up(offsets)
    atoms = np.empty(offsets[n], dtype=np.int32)
    exact = np.empty(offsets[n], dtype=np.float32)
    counts = np.zeros(n + 1, dtype=np.int64)
    for row in range(n):
        start = offsets[row]
        best = scores[row, 0]
        for atom in range(n_atoms):
            best = max(best, scores[row, atom])
        slot = start
        for atom in range(n_atoms):
            if _proposed(
                scores[row, atom], thresholds[atom], cuts[row], margins[row], best, keep_strongest
            ):
                atoms[slot] = atom
                exact[slot] = exact_score(batch[row], encoder, encoder_bias, atom)
                slot += 1
        counts[row + 1] = _settle_row(
            atoms[start:slot],
            exact[start:slot],
            thresholds,
            limit,
            keep_strongest and _any_nonzero(batch[row]),
        )
    indptr = counts
    add_up(indptr)
    indices = np.empty(indptr[n], dtype=np.int32)
    values = np.empty(indptr[n], dtype=np.float32)
    for row in range(n):
        for slot in range(indptr[row + 1] - indptr[row]):
            indices[indptr[row] + slot] = atoms[offsets[row] + slot]
            values[indptr[row] + slot] = exact[offsets[row] + slot]
    return indptr, indices, values


@njit(nogil=True, cache=True)
def _proposed(score, threshold, cut, margin, best, keep_strongest):
    above = score > threshold - margin and score >= cut
    return above or (keep_strongest and score >= best - margin)


@njit(nogil=True, cache=True)
def _settle_row(atoms, exact, thresholds, limit, keep_strongest):
    """Decide on one row's proposals, pack what stays to the front, return how many stay."""
    if exact.size == 0:
        return 0
    cut = kth_largest(exact, limit) if exact.size > limit else np.float32(-np.inf)
    strongest = first_largest(exact)
    strongest_atom, strongest_value = atoms[strongest], exact[strongest]
    kept = 0
    for slot in range(exact.size):
        if kept < limit and exact[slot] >= cut and exact[slot] > thresholds[atoms[slot]]:
            atoms[kept], exact[kept] = atoms[slot], exact[slot]
            kept += 1
    if kept == 0 and keep_strongest:
        atoms[0], exact[0] = strongest_atom, max(strongest_value, _FLOOR)
        kept = 1
    return kept


@njit(nogil=True, cache=True)
def _any_nonzero(row):
    found = False
    for value in row:
        found |= value != 0
    return found


@njit(nogil=True, cache=True)
def add_up(counts):
    """Turn counts into offsets in place: a cumulative sum."""
    for place in range(1, counts.size):
        counts[place] += counts[place - 1]


@njit(nogil=True, cache=True)
def first_largest(values):
    """Return the first position of the largest of `values`."""
    largest = 0
    for place in range(1, values.size):
        if values[place] > values[largest]:
            largest = place
    return largest


@njit(nogil=True, cache=True)
def kth_largest(values, k):
    """Return the k-th largest of `values`; a sorted buffer beats a heap for small k."""
    buffer = np.empty(k, dtype=values.dtype)
    for position in range(k):
        slot = position
        while slot > 0 and buffer[slot - 1] > values[position]:
            buffer[slot] = buffer[slot - 1]
            slot -= 1
        buffer[slot] = values[position]
    for position in range(k, values.size):
        value = values[position]
        if value > buffer[0]:
            slot = 1
            while slot < k and buffer[slot] < value:
                buffer[slot - 1] = buffer[slot]
                slot += 1
            buffer[slot - 1] = value
    return buffer[0]


@njit(nogil=True, fastmath=True, error_model="numpy", cache=True)
def exact_score(row, encoder, encoder_bias, atom):
    """Return ``w_k . x + b_k``, summed in one order whatever else is in the block."""
    total = np.float32(0)
    for column in range(row.size):
        total += row[column] * encoder[atom, column]
    return total + encoder_bias[atom]
