"""Compiled loops of `bound.py`; each works on a range of documents and writes to it only."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, types, void

from saetm_plugins.numerics.compiling import DOUBLE_ROWS, DOUBLES, LONGS, compiled

_BAG = types.Tuple((LONGS, LONGS, DOUBLES))


@compiled(float64(float64))
def digamma(x):
    """Return ψ(x) for x > 0, to about 1e-10 (recurrence, then the asymptotic series)."""
    result = 0.0
    while x < 6.0:
        result -= 1.0 / x
        x += 1.0
    f = 1.0 / (x * x)
    series = f * (1.0 / 12 - f * (1.0 / 120 - f * (1.0 / 252 - f * (1.0 / 240 - f / 132))))
    return result + np.log(x) - 0.5 / x - series


@compiled(void(DOUBLES, float64[::1]))
def exp_log_theta(gamma, result):
    """Fill `result` (T,) with exp E[log θ] under Dirichlet(`gamma`)."""
    total = 0.0
    for t in range(gamma.shape[0]):
        total += gamma[t]
    base = digamma(total)
    for t in range(gamma.shape[0]):
        result[t] = np.exp(digamma(gamma[t]) - base)


@compiled(float64(DOUBLES, DOUBLES), fastmath=True)
def word_probability(row, theta):
    """Return Σ_t θ_t β_tw."""
    q = 0.0
    for t in range(theta.shape[0]):
        q += row[t] * theta[t]
    return q


@compiled(
    void(
        int64, int64, _BAG, DOUBLE_ROWS, DOUBLES, DOUBLES, int64, float64, float64[:, ::1]
    )
)  # fmt: skip
def tighten(first, last, bag, word_topics, floors, alpha, n_iter, threshold, gamma):
    """Raise the bound of the documents [first, last) over their `gamma` (N, T), in place.

    `bag` is (doc_ptr, words, counts); `word_topics` (U, T) is (1 − π) exp E[log β] of the words
    at hand and `floors` (U,) π P0.
    """
    doc_ptr, words, counts = bag
    theta = np.empty(alpha.shape[0])
    fresh = np.empty(alpha.shape[0])
    for d in range(first, last):
        for _ in range(n_iter):
            exp_log_theta(gamma[d], theta)
            fresh[:] = 0.0
            for p in range(doc_ptr[d], doc_ptr[d + 1]):
                row = word_topics[words[p]]
                q = floors[words[p]] + word_probability(row, theta)
                if q > 0:
                    ratio = counts[p] / q
                    for t in range(theta.shape[0]):
                        fresh[t] += ratio * row[t]
            change = 0.0
            for t in range(theta.shape[0]):
                value = alpha[t] + theta[t] * fresh[t]
                change += abs(value - gamma[d, t])
                gamma[d, t] = value
            if change < threshold * theta.shape[0]:
                break


@compiled(float64(int64, int64, _BAG, DOUBLE_ROWS, DOUBLES, DOUBLE_ROWS))
def score_words(first, last, bag, word_topics, floors, gamma):
    """Return Σ n log(π P0 + (1 − π) Σ_t exp(E[log θ_t] + E[log β_tw])) of the documents."""
    doc_ptr, words, counts = bag
    theta = np.empty(gamma.shape[1])
    total = 0.0
    for d in range(first, last):
        exp_log_theta(gamma[d], theta)
        for p in range(doc_ptr[d], doc_ptr[d + 1]):
            q = floors[words[p]] + word_probability(word_topics[words[p]], theta)
            total += counts[p] * np.log(q)
    return total
