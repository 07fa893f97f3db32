"""Compiled loops of the emission stage (paper, sec. 4), one per task; see `em.py` for the algebra.

Every loop runs over a range of words and writes only to that range, so the result is the same bit
for bit whatever the number of threads. Plain Python threads run the loops, which release the GIL
(`numerics/parallel.py`).
"""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64, types, void

from saetm_plugins.numerics.compiling import DOUBLES, FLOAT_ROWS, FLOATS, INTS, LONGS, compiled

_BLOCK = types.Tuple((LONGS, INTS, FLOATS, LONGS, INTS, FLOATS))
_STATE = types.Tuple((FLOAT_ROWS, FLOATS, FLOATS, FLOATS))
_WRITTEN_STATE = types.Tuple((float32[:, ::1], FLOATS, FLOATS, FLOATS))

_TINY = np.float32(1e-25)  # smaller expected counts become 0: denormal floats are slow


@compiled(
    float64(
        int64, int64, INTS, FLOATS, LONGS, INTS, FLOATS, FLOATS, float32, float64[::1], float32[::1]
    )
)
def gather_word(start, stop, docs, counts, doc_ptr, atoms, weights, row, floor, responses, probs):
    """Sum θ_dk n_d / q_d over one word's documents into `responses` (K,), float64.

    `row` (K,) is (1 − π) B_kw and `floor` is π P0_w. Fills ``probs[start:stop]`` with q_d and
    returns Σ n_d / q_d.
    """
    total = 0.0
    for p in range(start, stop):
        first, last = doc_ptr[docs[p]], doc_ptr[docs[p] + 1]
        q = floor
        for j in range(first, last):
            q += weights[j] * row[atoms[j]]
        probs[p] = q
        if q > 0:
            ratio = counts[p] / q
            total += ratio
            for j in range(first, last):
                responses[atoms[j]] += weights[j] * ratio
    return total


@compiled(void(FLOATS, FLOATS, float32, float32[::1]), fastmath=True)
def scale_row(values, scale, factor, row):
    """Fill `row` (K,) with ``values * scale * factor``."""
    for k in range(row.shape[0]):
        row[k] = values[k] * scale[k] * factor


@compiled(void(FLOATS, DOUBLES, float32, float32[::1], float64[::1]), fastmath=True)
def expected_row(row, responses, pseudo, expected, atom_mass):
    """M-step of one word: its expected counts plus `pseudo`, summed into `atom_mass`."""
    for k in range(row.shape[0]):
        count = np.float32(row[k] * responses[k])
        count = (count if count > _TINY else np.float32(0)) + pseudo
        expected[k] = count
        atom_mass[k] += count


@compiled(
    void(
        int64, int64, _BLOCK, _WRITTEN_STATE, float32, float32,
        float32[::1], float64[::1], float32[::1],
    ),
    fastmath=True,
)  # fmt: skip
def em_words(first, last, block, state, pi, prior, word_mass, atom_mass, probs):
    """One EM pass over the words [first, last): E-step and M-step, in place.

    `block` is (word_ptr, docs, counts, doc_ptr, atoms, weights), the counts by word and θ by
    document. `state` is (word_atoms, scale, background, mean): `word_atoms` (V, K) times `scale`
    (K,) is Bᵀ on entry, and on exit this pass's expected counts plus prior · mean, whose sums are
    added to `atom_mass` (K,). `word_mass` (V,) receives the background's expected counts, `probs`
    (nnz,) the probability of every word of a document on entry.
    """
    word_ptr, docs, counts, doc_ptr, atoms, weights = block
    word_atoms, scale, background, mean = state
    row = np.empty(word_atoms.shape[1], np.float32)
    responses = np.empty(word_atoms.shape[1], np.float64)
    for v in range(first, last):
        scale_row(word_atoms[v], scale, np.float32(1) - pi, row)
        responses[:] = 0
        floor = pi * background[v]
        word_mass[v] = floor * gather_word(
            word_ptr[v], word_ptr[v + 1], docs, counts, doc_ptr, atoms, weights, row, floor,
            responses, probs,
        )  # fmt: skip
        expected_row(row, responses, prior * mean[v], word_atoms[v], atom_mass)


@compiled(void(int64, int64, _BLOCK, _STATE, float32, float32[::1]), fastmath=True)
def explain_words(first, last, block, state, pi, probs):
    """Fill `probs` (nnz,) with the probability of the words [first, last) of every document."""
    word_ptr, docs, _, doc_ptr, atoms, weights = block
    word_atoms, scale, background, _ = state
    for v in range(first, last):
        for p in range(word_ptr[v], word_ptr[v + 1]):
            q = np.float32(0)
            for j in range(doc_ptr[docs[p]], doc_ptr[docs[p] + 1]):
                q += weights[j] * word_atoms[v, atoms[j]] * scale[atoms[j]]
            probs[p] = pi * background[v] + (np.float32(1) - pi) * q
