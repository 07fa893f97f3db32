"""Compiled loops of stage 1: all that follows the dense encoder product, for active atoms only.

A document activates 8 to 32 atoms, so the cost is about ``active / n_atoms`` of dense products.
Each call works on a range of documents or atoms; plain threads share them (`numerics/parallel.py`).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from numba import boolean, float32, int64, types, void

from saetm_plugins.numerics.compiling import FLOAT_ROWS, FLOATS, INTS, LONGS, compiled

_ERRORS = float32[:, :, ::1]
_GROUPED = types.Tuple((INTS, INTS, INTS))


@compiled(
    float32[::1](
        FLOAT_ROWS, FLOAT_ROWS, FLOATS, LONGS, INTS, FLOATS, LONGS, _ERRORS, float32[::1]
    ),
    fastmath=True,
)  # fmt: skip
def backpropagate_codes(
    batch, decoder, decoder_bias, indptr, indices, values, level_ends, errors, squared_errors
):
    """Decode every nested prefix of atoms; return the loss's gradient by activations (nnz,).

    Parameters
    ----------
    batch : (n, d)
    decoder, decoder_bias : (n_atoms, d) and (d,)
    indptr, indices, values : activations as CSR, indices ascending within a row
    level_ends : (n_levels,)
        Ascending prefix lengths, the last n_atoms; the loss is the mean error of the prefixes.
    errors : (n, n_levels, d)
        Overwritten with the gradient of each document's loss by the decoded atoms of each level.
    squared_errors : (n,)
        Overwritten with those of all atoms.
    """
    n, d = batch.shape
    n_levels = level_ends.size
    share = np.float32(2 / n_levels)
    value_gradients = np.empty(values.size, dtype=np.float32)
    for row in range(n):
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
    return value_gradients


def group_by_atom(indptr, indices, n_atoms):
    """Order the entries of a CSR matrix by column.

    Returns, as int32, pointers (n_atoms + 1,), positions in `indices` (nnz,) and their rows (nnz,).
    """
    slots = np.arange(len(indices), dtype=np.int32)
    grouped = sp.csr_matrix((slots, indices, indptr), (len(indptr) - 1, n_atoms)).tocsc()
    return tuple(
        part.astype(np.int32, copy=False)
        for part in (grouped.indptr, grouped.data, grouped.indices)
    )


@compiled(
    void(
        int64, int64, FLOAT_ROWS, _ERRORS, FLOATS, FLOATS, LONGS, _GROUPED, float32,
        float32[:, ::1], float32[:, ::1], float32[::1]
    ),
    fastmath=True,
)  # fmt: skip
def accumulate_gradients(
    start, stop, batch, errors, values, value_gradients, level_ends, grouped, scale, encoder,
    decoder, bias
):  # fmt: skip
    """Add up the weight gradients of the atoms [start, stop) over the documents that activate them.

    Takes arguments and results of :func:`backpropagate_codes` and the result of
    :func:`group_by_atom`. Overwrites `encoder`, `decoder` (n_atoms, d) and the encoder's `bias`
    with the gradients, times `scale`.
    """
    atom_ptr, slots, rows = grouped
    d = encoder.shape[1]
    for atom in range(start, stop):
        level = 0
        while atom >= level_ends[level]:
            level += 1
        # Views of rows: an index that might be negative would keep the loop from being vectorised.
        of_encoder, of_decoder = encoder[atom], decoder[atom]
        of_encoder[:] = 0
        of_decoder[:] = 0
        total = np.float32(0)
        for position in range(atom_ptr[atom], atom_ptr[atom + 1]):
            row = rows[position]
            value = scale * values[slots[position]]
            gradient = scale * value_gradients[slots[position]]
            total += gradient
            document, error = batch[row], errors[row, level]
            for column in range(d):
                of_encoder[column] += gradient * document[column]
                of_decoder[column] += value * error[column]
        bias[atom] = total


@compiled(
    void(
        int64, int64, float32[:, ::1], FLOAT_ROWS, float32[:, ::1], float32[:, ::1],
        float32, float32, float32, int64, boolean
    ),
    fastmath=True,
)  # fmt: skip
def adam_rows(start, stop, weights, gradients, first, second, rate, beta1, beta2, step, unit_norm):
    """Take one Adam step on the rows [start, stop), in place (Kingma & Ba 2015, algorithm 1).

    `first` and `second` (n, d) are the running moments; `step` counts from 1. With `unit_norm` the
    gradient is taken along the unit sphere, and rows are put back on it.
    """
    correct1 = np.float32(1 / (1 - np.float64(beta1) ** step))
    correct2 = np.float32(1 / (1 - np.float64(beta2) ** step))
    d = weights.shape[1]
    for row in range(start, stop):
        # Views of rows: an index that might be negative would keep the loop from being vectorised.
        weight, gradient = weights[row], gradients[row]
        mean, variance = first[row], second[row]
        radial = np.float32(0)
        if unit_norm:
            for column in range(d):
                radial += weight[column] * gradient[column]
        for column in range(d):
            slope = gradient[column] - radial * weight[column]
            mean[column] += (1 - beta1) * (slope - mean[column])
            variance[column] += (1 - beta2) * (slope * slope - variance[column])
        for column in range(d):
            weight[column] -= (
                rate
                * correct1
                * mean[column]
                / (np.sqrt(variance[column] * correct2) + np.float32(1e-8))
            )
        if unit_norm:
            norm = np.float32(0)
            for column in range(d):
                norm += weight[column] * weight[column]
            scale = 1 / max(np.sqrt(norm), np.float32(1e-12))
            for column in range(d):
                weight[column] *= scale
