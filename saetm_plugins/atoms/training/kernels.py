"""Compiled loops of stage 1: everything after the dense encoder product touches active atoms only.

A document activates some 8-32 of the atoms, so decoding, both weight gradients and the exact
activations cost about ``active / n_atoms`` of what dense products would. No loop adds across
threads, so results do not depend on how many threads there are.

Dense encoder scores arrive as bfloat16 seen as int16: positive values of the two sort alike, and
integers compare faster. They only propose atoms; activations are computed in float32, and decide.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

from saetm_plugins.atoms.encode_kernel import add_up, exact_score, first_largest, kth_largest

_BLOCK = 32  # scores looked at together


@njit(parallel=True, fastmath=True, cache=True)
def activate_above(batch, encoder, encoder_bias, scores, floors):
    """Compute the float32 activations ``max(0, w_k . x + b_k)`` of what reaches a row's floor.

    Parameters
    ----------
    batch : ndarray of shape (n, d), float32
    encoder : ndarray of shape (n_atoms, d), float32
    encoder_bias : ndarray of shape (n_atoms,), float32
    scores : ndarray of shape (n, n_atoms), int16
    floors : ndarray of shape (n,), int16
        In a row that nowhere reaches it the best score does.

    Returns
    -------
    indptr, indices, values : the arrays of a CSR matrix, indices ascending within a row
    """
    n, n_atoms = scores.shape
    counts = np.zeros(n + 1, dtype=np.int64)
    for row in prange(n):
        count = 0
        for atom in range(n_atoms):
            if scores[row, atom] >= floors[row]:
                count += 1
        counts[row + 1] = max(count, 1)
    indptr = counts
    add_up(indptr)
    indices = np.empty(indptr[n], dtype=np.int32)
    values = np.empty(indptr[n], dtype=np.float32)
    for row in prange(n):
        slot = indptr[row]
        for start in range(0, n_atoms, _BLOCK):
            stop = min(start + _BLOCK, n_atoms)
            best = scores[row, start]
            for atom in range(start + 1, stop):
                best = max(best, scores[row, atom])
            if best < floors[row]:  # most blocks: few of many atoms are active
                continue
            for atom in range(start, stop):
                if scores[row, atom] >= floors[row]:
                    indices[slot] = atom
                    slot += 1
        if slot == indptr[row]:
            indices[slot] = first_largest(scores[row])
        for slot in range(indptr[row], indptr[row + 1]):
            exact = exact_score(batch[row], encoder, encoder_bias, indices[slot])
            values[slot] = max(np.float32(0), exact)
    return indptr, indices, values


@njit(parallel=True, cache=True)
def keep_largest(indptr, indices, values, cut, k):
    """Keep the entries of every row that reach `cut`, at most the `k` largest, at least one.

    Parameters
    ----------
    indptr, indices, values : activations as CSR
    cut : float
    k : int

    Returns
    -------
    indptr, indices, values : what is kept of them
    """
    n = indptr.size - 1
    cuts = np.empty(n, dtype=np.float32)
    counts = np.zeros(n + 1, dtype=np.int64)
    for row in prange(n):
        found = values[indptr[row] : indptr[row + 1]]
        cuts[row] = min(np.float32(cut), found[first_largest(found)])
        if found.size > k:
            cuts[row] = max(cuts[row], kth_largest(found, k))
        reached = 0
        for value in found:
            reached += value >= cuts[row]
        counts[row + 1] = min(k, reached)
    kept_ptr = counts
    add_up(kept_ptr)
    kept_indices = np.empty(kept_ptr[n], dtype=np.int32)
    kept_values = np.empty(kept_ptr[n], dtype=np.float32)
    for row in prange(n):
        ties = kept_ptr[row + 1] - kept_ptr[row]
        for slot in range(indptr[row], indptr[row + 1]):
            ties -= values[slot] > cuts[row]
        kept = kept_ptr[row]
        for slot in range(indptr[row], indptr[row + 1]):
            if values[slot] == cuts[row]:  # ties go to the first atoms
                ties -= 1
            if values[slot] > cuts[row] or (values[slot] == cuts[row] and ties >= 0):
                kept_indices[kept] = indices[slot]
                kept_values[kept] = values[slot]
                kept += 1
    return kept_ptr, kept_indices, kept_values


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
    add_up(atom_ptr)
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
