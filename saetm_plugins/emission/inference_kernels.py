"""Compiled loops of `inference.py`; each works on a range of documents and writes to it only."""

from __future__ import annotations

import numpy as np
from numba import float32, int32, int64, types, void

from saetm_plugins.numerics.compiling import FLOAT_ROWS, FLOATS, INTS, LONGS, compiled

_BAG = types.Tuple((LONGS, INTS, FLOATS))
_MODEL = types.Tuple((FLOAT_ROWS, FLOATS, FLOATS, FLOATS))
_SETTINGS = types.Tuple((float32, float32, int64, int64))

_SMALLEST = np.float32(1e-4)  # smaller shares of a document are not stored


@compiled(void(INTS, FLOATS, _MODEL, float32, float32, float32[::1]), fastmath=True)
def explain_all(words, counts, model, pi, prior, theta):
    """One EM step from the prevalence over all atoms: fill `theta` (K,), unnormalised."""
    word_atoms, _, mixed, prevalence = model
    theta[:] = 0
    for i in range(words.shape[0]):
        if mixed[words[i]] > 0:
            ratio = (np.float32(1) - pi) * counts[i] / mixed[words[i]]
            row = word_atoms[words[i]]
            for k in range(theta.shape[0]):
                theta[k] += ratio * row[k]
    for k in range(theta.shape[0]):
        theta[k] = prevalence[k] * (theta[k] + prior)


@compiled(float32(float32[::1], int64))
def nth_largest(values, n):
    """Return the `n`-th largest entry; reorders `values` (Hoare's selection).

    numba's own ``np.partition`` takes seconds to compile.
    """
    first, last = 0, values.shape[0] - 1
    while first < last:
        pivot = values[(first + last) // 2]
        i, j = first, last
        while i <= j:
            while values[i] > pivot:
                i += 1
            while values[j] < pivot:
                j -= 1
            if i <= j:
                values[i], values[j] = values[j], values[i]
                i += 1
                j -= 1
        if n - 1 <= j:
            last = j
        elif n - 1 >= i:
            first = i
        else:
            break
    return values[n - 1]


@compiled(void(FLOATS, int32[::1]))
def strongest(theta, atoms):
    """Fill `atoms` with the indices of the largest entries of `theta`; of equals, the first."""
    n = atoms.shape[0]
    threshold = nth_largest(theta.copy(), n)
    found = 0
    for k in range(theta.shape[0]):
        if found < n and theta[k] > threshold:  # with NaN there may be more than n
            atoms[found] = k
            found += 1
    for k in range(theta.shape[0]):
        if found < n and theta[k] == threshold:
            atoms[found] = k
            found += 1
    while found < n:  # with NaN, too: an index must lie within `theta`
        atoms[found] = found
        found += 1


@compiled(void(float32[::1]), fastmath=True)
def normalize_in_place(theta):
    """Scale `theta` to sum to 1; if its sum is 0 in float32, make it uniform."""
    total = np.float32(0)
    for k in range(theta.shape[0]):
        total += theta[k]
    for k in range(theta.shape[0]):
        theta[k] = theta[k] / total if total > 0 else np.float32(1) / theta.shape[0]


@compiled(
    void(FLOATS, FLOAT_ROWS, FLOATS, FLOATS, int64, float32[::1], float32[::1]), fastmath=True
)
def mix(counts, local, floors, pulls, n_iter, theta, responses):
    """Run the passes of EM after the first over the candidates of a document, in place.

    `local` (n, C) is (1 − π) B of its words and candidates, `floors` (n,) is π P0 of its words,
    `pulls` (C,) is α p of its candidates.
    """
    for _ in range(n_iter - 1):
        responses[:] = 0
        for i in range(local.shape[0]):
            q = floors[i]
            row = local[i]
            for c in range(row.shape[0]):
                q += row[c] * theta[c]
            if q > 0:
                ratio = counts[i] / q
                for c in range(row.shape[0]):
                    responses[c] += ratio * row[c]
        for c in range(theta.shape[0]):
            theta[c] = theta[c] * responses[c] + pulls[c]
        normalize_in_place(theta)


@compiled(
    void(int64, int64, _BAG, _MODEL, _SETTINGS, int32[:, ::1], float32[:, ::1]), fastmath=True
)
def infer_documents(first, last, bag, model, settings, atoms, weights):
    """Infer the documents [first, last): fill `atoms` and `weights` (N, kept).

    `bag` is (doc_ptr, words, counts); `model` is (word_atoms (U, K), background (U,), the words'
    probability at the prevalence (U,), prevalence (K,)); `settings` is (π, α, passes, candidates).
    """
    doc_ptr, all_words, all_counts = bag
    word_atoms, background, _, prevalence = model
    pi, prior, n_iter, width = settings
    theta_all = np.empty(prevalence.shape[0], np.float32)
    candidates = np.empty(width, np.int32)
    theta = np.empty(width, np.float32)
    pulls = np.empty(width, np.float32)
    responses = np.empty(width, np.float32)
    best = np.empty(atoms.shape[1], np.int32)
    for d in range(first, last):
        words = all_words[doc_ptr[d] : doc_ptr[d + 1]]
        counts = all_counts[doc_ptr[d] : doc_ptr[d + 1]]
        explain_all(words, counts, model, pi, max(prior, np.float32(1e-6)), theta_all)
        strongest(theta_all, candidates)
        for c in range(width):
            theta[c] = theta_all[candidates[c]]
            pulls[c] = prior * prevalence[candidates[c]]
        normalize_in_place(theta)
        local = np.empty((words.shape[0], width), np.float32)
        floors = np.empty(words.shape[0], np.float32)
        for i in range(words.shape[0]):
            floors[i] = pi * background[words[i]]
            for c in range(width):
                local[i, c] = (np.float32(1) - pi) * word_atoms[words[i], candidates[c]]
        if counts.sum() > 0:
            mix(counts, local, floors, pulls, n_iter, theta, responses)
        strongest(theta, best)
        total = np.float32(0)
        for b in range(best.shape[0]):
            share = theta[best[b]]
            share = share if share >= _SMALLEST else np.float32(0)
            atoms[d, b] = candidates[best[b]]
            weights[d, b] = share
            total += share
        if total <= 0:  # all shares are small: the first is kept
            weights[d, 0] = total = np.float32(1)
        for b in range(best.shape[0]):
            weights[d, b] /= total
