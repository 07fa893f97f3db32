"""Compiled loops of the emission stage (paper, sec. 4), one per task; see `em.py` for the algebra.

Every loop runs over a range of words, or of documents, and writes only to that range: ranges can be
given to any number of threads in any order and the result stays the same bit for bit. The loops
release the GIL, so plain Python threads run them (`parallel.py`); that compiles in a third of the
time of numba's own parallel loops and survives forks and concurrent callers.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_TINY = np.float32(1e-25)  # smaller expected counts become 0: denormal floats are slow


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def log_in_place(values):
    """Replace positive float32 `values` by their natural logs (vectorised, error below 1e-6)."""
    bits = values.view(np.int32)
    for i in range(values.shape[0]):
        exponent = (bits[i] - np.int32(0x3F3504F3)) >> np.int32(23)  # mantissa in [√½, √2)
        bits[i] -= exponent << np.int32(23)
        t = (values[i] - np.float32(1)) / (values[i] + np.float32(1))
        s = t * t
        series = np.float32(1 / 7) + s * np.float32(1 / 9)
        series = np.float32(1 / 3) + s * (np.float32(1 / 5) + s * series)
        values[i] = np.float32(exponent) * np.float32(0.69314718056) + np.float32(2) * t * (
            np.float32(1) + s * series
        )


@njit(nogil=True, cache=True)
def gather_word(start, stop, docs, counts, doc_ptr, atoms, weights, row, floor, responses, probs):
    """Sum θ_dk n_d / q_d over one word's documents into `responses` (K,).

    `row` (K,) is (1 − π) B_kw and `floor` is π P0_w. Fills `probs` with q_d and returns
    Σ n_d / q_d.
    """
    total = np.float32(0)
    for p in range(start, stop):
        first, last = doc_ptr[docs[p]], doc_ptr[docs[p] + 1]
        q = floor
        for j in range(first, last):
            q += weights[j] * row[atoms[j]]
        probs[p - start] = q
        if q > 0:
            ratio = counts[p] / q
            total += ratio
            for j in range(first, last):
                responses[atoms[j]] += weights[j] * ratio
    return total


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def weighted_log_sum(values, weights, start, stop):
    """Return Σ weights[start:stop] · log(values) in float64; overwrites `values`."""
    used = values[: stop - start]
    log_in_place(used)
    total = 0.0
    for i in range(stop - start):
        total += np.float64(used[i]) * weights[start + i]
    return total


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def log_ratio_sum(row, mean, buffer):
    """Return Σ_k log(row_k / mean), the word's share of the log prior of all atoms."""
    inverse = np.float32(1) / mean
    for k in range(row.shape[0]):
        buffer[k] = row[k] * inverse
    log_in_place(buffer)
    total = 0.0
    for k in range(row.shape[0]):
        total += buffer[k]
    return total


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def longest_word(word_ptr, first, last):
    """Return the largest number of documents of a word in [first, last)."""
    longest = 0
    for v in range(first, last):
        longest = max(longest, word_ptr[v + 1] - word_ptr[v])
    return longest


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def scale_row(unscaled, scale, pi, mean, prior, row, buffer):
    """Fill `row` with (1 − π) B_kw of one word; return its log prior / prior."""
    log_prior = 0.0
    for k in range(row.shape[0]):
        row[k] = unscaled[k] * scale[k]
    if prior > 0 and mean > 0:
        log_prior = mean * log_ratio_sum(row, mean, buffer)
    for k in range(row.shape[0]):
        row[k] *= np.float32(1) - pi
    return log_prior


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def expected_row(row, responses, pseudo, expected, atom_mass):
    """M-step of one word: its expected counts plus `pseudo`, summed into `atom_mass`."""
    for k in range(row.shape[0]):
        count = row[k] * responses[k]
        count = (count if count > _TINY else np.float32(0)) + pseudo
        expected[k] = count
        atom_mass[k] += count


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def em_words(first, last, block, state, pi, prior, word_mass, atom_mass):
    """One EM pass over the words [first, last): E-step and M-step, in place.

    `block` is (word_ptr, docs, counts, doc_ptr, atoms, weights), the counts by word and θ by
    document. `state` is (word_atoms, scale, background, mean): `word_atoms` (V, K) times `scale`
    (K,) is Bᵀ on entry, and on exit this pass's expected counts plus prior · mean, whose sums are
    added to `atom_mass` (K,). `word_mass` (V,) receives the background's expected counts. Returns
    the log-likelihood and the log prior / prior of the words on entry.
    """
    word_ptr, docs, counts, doc_ptr, atoms, weights = block
    word_atoms, scale, background, mean = state
    row = np.empty(word_atoms.shape[1], np.float32)
    responses = np.empty(word_atoms.shape[1], np.float32)
    probs = np.empty(longest_word(word_ptr, first, last), np.float32)
    log_likelihood = 0.0
    log_prior = 0.0
    for v in range(first, last):
        log_prior += scale_row(word_atoms[v], scale, pi, mean[v], prior, row, responses)
        responses[:] = 0
        start, stop = word_ptr[v], word_ptr[v + 1]
        floor = pi * background[v]
        word_mass[v] = floor * gather_word(
            start, stop, docs, counts, doc_ptr, atoms, weights, row, floor, responses, probs
        )
        log_likelihood += weighted_log_sum(probs, counts, start, stop)
        expected_row(row, responses, prior * mean[v], word_atoms[v], atom_mass)
    return log_likelihood, log_prior


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def gather_words(first, last, block, state, pi, responses, ratios):
    """E-step alone over the words [first, last): adds to `responses` (V, K) and `ratios` (V,)."""
    word_ptr, docs, counts, doc_ptr, atoms, weights = block
    word_atoms, scale, background, mean = state
    row = np.empty(word_atoms.shape[1], np.float32)
    probs = np.empty(longest_word(word_ptr, first, last), np.float32)
    log_likelihood = 0.0
    for v in range(first, last):
        start, stop = word_ptr[v], word_ptr[v + 1]
        if start == stop:
            continue
        scale_row(word_atoms[v], scale, pi, mean[v], np.float32(0), row, row)
        ratios[v] += gather_word(
            start,
            stop,
            docs,
            counts,
            doc_ptr,
            atoms,
            weights,
            row,
            pi * background[v],
            responses[v],
            probs,
        )
        log_likelihood += weighted_log_sum(probs, counts, start, stop)
    return log_likelihood


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def update_words(first, last, state, pi, prior, responses, ratios, word_mass, atom_mass):
    """M-step alone over the words [first, last), in place; returns their log prior / prior."""
    word_atoms, scale, background, mean = state
    row = np.empty(word_atoms.shape[1], np.float32)
    buffer = np.empty(word_atoms.shape[1], np.float32)
    log_prior = 0.0
    for v in range(first, last):
        log_prior += scale_row(word_atoms[v], scale, pi, mean[v], prior, row, buffer)
        word_mass[v] = pi * background[v] * ratios[v]
        expected_row(row, responses[v], prior * mean[v], word_atoms[v], atom_mass)
    return log_prior


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def update_words_from(first, last, state, pi, prior, sums, kept, word_mass, atom_mass):
    """M-step of the words [first, last) on top of documents no longer at hand, in place.

    `sums` is (responses, ratios) of the new documents. `kept` is (words, gain, floor, counts): the
    earlier documents' expected counts of an atom's words are ``words * gain - floor`` where that is
    more than 0, with `words` (V, K), which may be `state`'s own, `gain` (K,) and `floor` (V,), huge
    for words that none of them held; `counts` (V,) are the background's.
    """
    word_atoms, scale, background, mean = state
    responses, ratios = sums
    words, gain, floor, counts = kept
    for v in range(first, last):
        word_mass[v] = pi * background[v] * ratios[v] + counts[v]
        pseudo = prior * mean[v]
        for k in range(word_atoms.shape[1]):
            earlier = words[v, k] * gain[k] - floor[v]
            count = word_atoms[v, k] * scale[k] * (np.float32(1) - pi) * responses[v, k]
            count += max(earlier, np.float32(0)) + pseudo
            word_atoms[v, k] = count
            atom_mass[k] += count


@njit(nogil=True, cache=True, fastmath=True, error_model="numpy")
def score_words(first, last, block, state, pi):
    """Return Σ n log q over the words [first, last), and the Σ n of those that q can explain."""
    word_ptr, docs, counts, doc_ptr, atoms, weights = block
    word_atoms, scale, background, _ = state
    probs = np.empty(longest_word(word_ptr, first, last), np.float32)
    log_likelihood = 0.0
    total = 0.0
    for v in range(first, last):
        start, stop = word_ptr[v], word_ptr[v + 1]
        if background[v] <= 0:
            continue
        for p in range(start, stop):
            q = np.float32(0)
            for j in range(doc_ptr[docs[p]], doc_ptr[docs[p] + 1]):
                q += weights[j] * word_atoms[v, atoms[j]] * scale[atoms[j]]
            probs[p - start] = pi * background[v] + (np.float32(1) - pi) * q
            total += counts[p]
        log_likelihood += weighted_log_sum(probs, counts, start, stop)
    return log_likelihood, total


@njit(nogil=True, cache=True)
def transpose_scaled(first, last, word_atoms, scale, atom_words):
    """Write atom_words[k, v] = word_atoms[v, k] · scale[k] for the atoms [first, last)."""
    n_words = word_atoms.shape[0]
    for v0 in range(0, n_words, 64):
        for k in range(first, last):
            for v in range(v0, min(v0 + 64, n_words)):
                atom_words[k, v] = word_atoms[v, k] * scale[k]
