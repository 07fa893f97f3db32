"""Compiled loops of stage 1: everything after the dense encoder product touches active atoms only.

A document activates some 8-32 of the atoms, so decoding, both weight gradients and the exact
activations cost about ``active / n_atoms`` of what dense products would. Each call works on a range
of documents or atoms, so plain threads share the work (`parallel.py`).

Dense encoder scores arrive as bfloat16 seen as int16: positive values of the two sort alike, and
integers compare faster. They only propose atoms; activations are computed in float32, and decide.
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
    """Decode every nested prefix of atoms, and send its error back to the activations.

    Parameters
    ----------
    batch : ndarray of shape (n, d), float32
    decoder : ndarray of shape (n_atoms, d), float32
    decoder_bias : ndarray of shape (d,), float32
    indptr, indices, values : activations as CSR, indices ascending within a row
    level_ends : ndarray of shape (n_levels,), int64
        Ascending prefix lengths, the last n_atoms; the loss is the mean error of the prefixes.

    errors : ndarray of shape (n, n_levels, d), float32
        Overwritten with the gradient of the loss of one document with respect to the decoded
        atoms of each level.
    squared_errors : ndarray of shape (n,), float32
        Overwritten with those of the whole dictionary.

    Returns
    -------
    value_gradients : ndarray of shape (nnz,), float32
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

    Returns
    -------
    atom_ptr : ndarray of shape (n_atoms + 1,)
    slots : ndarray of shape (nnz,)
        Positions in `indices`, atom after atom.
    rows : ndarray of shape (nnz,)
        The row of each of `slots`.
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
    """Add up the weight gradients of atoms over the documents that activate them.

    Parameters
    ----------
    start, stop : int
        The atoms.
    batch : ndarray of shape (n, d), float32
    errors, values, value_gradients : as :func:`backpropagate_codes` takes and returns them
    level_ends : ndarray of shape (n_levels,), int64
    grouped : what :func:`group_by_atom` returned
    scale : float
        Multiplies the sums; one over the number of documents for a mean.
    encoder, decoder : ndarray of shape (n_atoms, d), float32
        Overwritten with the gradients.
    bias : ndarray of shape (n_atoms,), float32
        Overwritten with the gradient of the encoder bias.
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
    """Take one Adam step on rows of a matrix, in place (Kingma & Ba 2015, algorithm 1).

    Parameters
    ----------
    start, stop : int
        The rows.
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
