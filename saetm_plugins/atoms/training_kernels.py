"""Compiled loops of stage 1: everything after the dense encoder product touches active atoms only.

A document activates some 8-32 of the atoms, so decoding, both weight gradients and the exact
activations cost about ``active / n_atoms`` of what dense products would. No loop adds across
threads, so results do not depend on how many threads there are.

Dense encoder scores arrive as bfloat16 seen as int16: positive values of the two sort alike, and
integers compare faster. They only choose the atoms; activations are recomputed in float32.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from saetm_plugins.atoms.encode_kernel import exact_score, kth_largest


@njit(parallel=True, cache=True)
def select_topk(scores, k):
    """Choose the `k` best-scored atoms of every row.

    Parameters
    ----------
    scores : ndarray of shape (n, n_atoms), int16
    k : int

    Returns
    -------
    indptr : ndarray of shape (n + 1,), int64
    indices : ndarray of shape (n * k,), int32
        Ascending within a row.
    """
    n, n_atoms = scores.shape
    indices = np.empty(n * k, dtype=np.int32)
    for row in prange(n):
        kept = indices[row * k : (row + 1) * k]
        cut = kth_largest(scores[row], k)
        filled = 0
        for atom in range(n_atoms):  # ties at the cut go to the first atoms, after all above it
            if scores[row, atom] > cut:
                filled += 1
        ties = k - filled
        filled = 0
        for atom in range(n_atoms):
            value = scores[row, atom]
            if value >= cut:
                if value == cut:
                    if ties == 0:
                        continue
                    ties -= 1
                kept[filled] = atom
                filled += 1
    # Not np.arange: numba's calls math.ceil, which nnsight replaces by what cannot be compiled.
    return np.cumsum(np.full(n + 1, k)) - k, indices


@njit(parallel=True, cache=True)
def count_above(scores, cut):
    """Count the entries of every row of `scores` (n, n_atoms) that reach `cut`."""
    counts = np.empty(scores.shape[0], dtype=np.int64)
    for row in prange(scores.shape[0]):
        count = 0
        for atom in range(scores.shape[1]):
            if scores[row, atom] >= cut:
                count += 1
        counts[row] = count
    return counts


@njit(parallel=True, cache=True)
def select_above(scores, cut):
    """Choose the atoms of every row that reach `cut`; a row without any keeps its best one.

    Parameters
    ----------
    scores : ndarray of shape (n, n_atoms), int16
    cut : int16

    Returns
    -------
    indptr : ndarray of shape (n + 1,), int64
    indices : ndarray, int32
    """
    n, n_atoms = scores.shape
    indptr = np.zeros(n + 1, dtype=np.int64)
    indptr[1:] = np.cumsum(np.maximum(count_above(scores, cut), 1))
    indices = np.empty(indptr[n], dtype=np.int32)
    for row in prange(n):
        slot = indptr[row]
        for atom in range(n_atoms):
            if scores[row, atom] >= cut:
                indices[slot] = atom
                slot += 1
        if slot == indptr[row]:
            indices[slot] = np.argmax(scores[row])
    return indptr, indices


@njit(cache=True)
def batch_cut(scores, n_kept):
    """Return the score that about `n_kept` entries of the batch reach, never below zero.

    A strided sample gives a floor somewhat under the answer, a histogram of what reaches the floor
    the answer itself: two passes instead of a sort of the whole batch.

    Parameters
    ----------
    scores : ndarray of shape (n, n_atoms), int16
    n_kept : int

    Returns
    -------
    int
        At least 1, the smallest positive score.
    """
    flat = scores.ravel()
    sample = np.sort(flat[:: max(1, flat.size // 8192)])
    share = 1.5 * n_kept / flat.size + 8.0 / sample.size
    floor = max(np.int16(1), sample[max(0, int(sample.size * (1.0 - share)))])
    cut, reached = cut_of_histogram(score_histogram(flat, floor), floor, n_kept)
    if reached < n_kept and floor > 1:
        cut, reached = cut_of_histogram(score_histogram(flat, 1), 1, n_kept)
    return cut


@njit(cache=True)
def score_histogram(scores, floor):
    """Count how often every score from `floor` (at least 1) occurs, (32768,) int64."""
    histogram = np.zeros(32768, dtype=np.int64)
    for value in scores.ravel():
        if value >= floor:
            histogram[value] += 1
    return histogram


@njit(cache=True)
def cut_of_histogram(histogram, floor, n_kept):
    """Return the lowest score from `floor` that at most `n_kept` reach, and how many reach it."""
    reached = 0
    cut = 32767
    while cut > floor:
        if reached + histogram[cut] > n_kept:
            return cut, n_kept
        reached += histogram[cut]
        cut -= 1
    return cut, reached + histogram[cut]


@njit(parallel=True, fastmath=True, cache=True)
def activate(batch, encoder, encoder_bias, indptr, indices):
    """Compute the float32 activations ``max(0, w_k . x + b_k)`` of the chosen entries only.

    Parameters
    ----------
    batch : ndarray of shape (n, d), float32
    encoder : ndarray of shape (n_atoms, d), float32
    encoder_bias : ndarray of shape (n_atoms,), float32
    indptr, indices : the chosen entries, as in a CSR matrix

    Returns
    -------
    ndarray of shape (nnz,), float32
    """
    values = np.empty(indices.size, dtype=np.float32)
    for row in prange(batch.shape[0]):
        for slot in range(indptr[row], indptr[row + 1]):
            values[slot] = max(
                np.float32(0), exact_score(batch[row], encoder, encoder_bias, indices[slot])
            )
    return values


@njit(parallel=True, fastmath=True, cache=True)
def backpropagate_codes(batch, decoder, decoder_bias, indptr, indices, values, level_ends):
    """Decode every nested prefix of atoms, and send its error back to the activations.

    Parameters
    ----------
    batch : ndarray of shape (n, d), float32
    decoder : ndarray of shape (n_atoms, d), float32
    decoder_bias : ndarray of shape (d,), float32
    indptr, indices, values : activations as CSR, indices ascending within a row
    level_ends : ndarray of shape (n_levels,), int64
        Ascending prefix lengths, the last n_atoms; the loss is the mean error of the prefixes.

    Returns
    -------
    errors : ndarray of shape (n, n_levels, d), float32
        Gradient of the loss of one document with respect to the decoded atoms of each level.
    value_gradients : ndarray of shape (nnz,), float32
    squared_errors : ndarray of shape (n,), float32
        Of the whole dictionary.
    """
    n, d = batch.shape
    n_levels = level_ends.size
    share = np.float32(2 / n_levels)
    errors = np.empty((n, n_levels, d), dtype=np.float32)
    value_gradients = np.empty(values.size, dtype=np.float32)
    squared_errors = np.empty(n, dtype=np.float32)
    for row in prange(n):
        error = decoder_bias - batch[row]
        slot = indptr[row]
        for level in range(n_levels):
            while slot < indptr[row + 1] and indices[slot] < level_ends[level]:
                atom, value = indices[slot], values[slot]
                for column in range(d):
                    error[column] += value * decoder[atom, column]
                slot += 1
            for column in range(d):
                errors[row, level, column] = share * error[column]
        total = np.float32(0)
        for column in range(d):
            total += error[column] * error[column]
        squared_errors[row] = total
        for level in range(n_levels - 2, -1, -1):  # an atom is part of its own level and all above
            for column in range(d):
                errors[row, level, column] += errors[row, level + 1, column]
        level = 0
        for slot in range(indptr[row], indptr[row + 1]):
            atom = indices[slot]
            while atom >= level_ends[level]:
                level += 1
            total = np.float32(0)
            for column in range(d):
                total += errors[row, level, column] * decoder[atom, column]
            value_gradients[slot] = total if values[slot] > 0 else np.float32(0)
    return errors, value_gradients, squared_errors


@njit(cache=True)
def group_by_atom(indptr, indices, n_atoms):
    """Order the entries of a CSR matrix by column (a counting sort).

    Returns
    -------
    atom_ptr : ndarray of shape (n_atoms + 1,), int64
    slots : ndarray of shape (nnz,), int64
        Positions in `indices`, atom after atom.
    rows : ndarray of shape (nnz,), int64
        The row of each of `slots`.
    """
    atom_ptr = np.zeros(n_atoms + 1, dtype=np.int64)
    for atom in indices:
        atom_ptr[atom + 1] += 1
    atom_ptr = np.cumsum(atom_ptr)
    free = atom_ptr[:-1].copy()
    slots = np.empty(indices.size, dtype=np.int64)
    rows = np.empty(indices.size, dtype=np.int64)
    for row in range(indptr.size - 1):
        for slot in range(indptr[row], indptr[row + 1]):
            target = free[indices[slot]]
            free[indices[slot]] += 1
            slots[target] = slot
            rows[target] = row
    return atom_ptr, slots, rows


@njit(parallel=True, fastmath=True, cache=True)
def accumulate_gradients(
    batch, errors, values, value_gradients, grouped, level_ends, scale, encoder, decoder, bias
):
    """Add up the weight gradients of every atom over the documents that activate it.

    Parameters
    ----------
    batch : ndarray of shape (n, d), float32
    errors, values, value_gradients : as :func:`backpropagate_codes` takes and returns them
    grouped : what :func:`group_by_atom` returned
    level_ends : ndarray of shape (n_levels,), int64
    scale : float
        Multiplies the sums; one over the number of documents for a mean.
    encoder, decoder : ndarray of shape (n_atoms, d), float32
        Overwritten with the gradients.
    bias : ndarray of shape (n_atoms,), float32
        Overwritten with the gradient of the encoder bias.
    """
    atom_ptr, slots, rows = grouped
    n_atoms, d = encoder.shape
    for atom in prange(n_atoms):
        level = 0
        while atom >= level_ends[level]:
            level += 1
        encoder[atom] = 0
        decoder[atom] = 0
        total = np.float32(0)
        for position in range(atom_ptr[atom], atom_ptr[atom + 1]):
            row = rows[position]
            value = scale * values[slots[position]]
            gradient = scale * value_gradients[slots[position]]
            total += gradient
            for column in range(d):
                encoder[atom, column] += gradient * batch[row, column]
                decoder[atom, column] += value * errors[row, level, column]
        bias[atom] = total


@njit(parallel=True, fastmath=True, cache=True)
def adam_rows(weights, gradients, first, second, rate, beta1, beta2, step, unit_norm):
    """Take one Adam step on a matrix, row by row, in place (Kingma & Ba 2015, algorithm 1).

    Parameters
    ----------
    weights, gradients, first, second : ndarray of shape (n, d), float32
        `first` and `second` are the running moments.
    rate, beta1, beta2 : float32
    step : int
        Steps taken, this one included.
    unit_norm : bool
        Take the gradient along the unit sphere, and put the rows back on it.
    """
    correct1 = np.float32(1 / (1 - np.float64(beta1) ** step))
    correct2 = np.float32(1 / (1 - np.float64(beta2) ** step))
    d = weights.shape[1]
    for row in prange(weights.shape[0]):
        weight, gradient = weights[row], gradients[row]
        radial = np.float32(0)
        if unit_norm:
            for column in range(d):
                radial += weight[column] * gradient[column]
        norm = np.float32(0)
        for column in range(d):
            slope = gradient[column] - radial * weight[column]
            first[row, column] += (1 - beta1) * (slope - first[row, column])
            second[row, column] += (1 - beta2) * (slope * slope - second[row, column])
            weight[column] -= (
                rate
                * correct1
                * first[row, column]
                / (np.sqrt(second[row, column] * correct2) + np.float32(1e-8))
            )
            norm += weight[column] * weight[column]
        if unit_norm:
            weight *= 1 / max(np.sqrt(norm), np.float32(1e-12))
