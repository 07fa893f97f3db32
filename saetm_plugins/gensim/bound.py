"""How well topics predict words, by the formula that ``LdaModel.bound`` computes.

The evidence lower bound of Hoffman, Blei & Bach ("Online learning for latent Dirichlet allocation",
NIPS 2010, eq. 1 and 4), with one term more: a word comes from the background P0 with probability π
(SAE-TM, arXiv 2511.16309, sec. 4), so its probability is π P0_w + (1 − π) Σ_t θ_t β_tw. At π = 0
it is LDA's bound, which makes the figures of the two comparable.

The compiled loops, at the end, each work on a range of documents and write to it only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from gensim.matutils import dirichlet_expectation
from numba import float64, int64, types, void
from scipy.special import gammaln

from saetm_plugins.numerics.compiling import DOUBLE_ROWS, DOUBLES, LONGS, compiled
from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges


class TopicPosterior(NamedTuple):
    """The parts of a model that the bound depends on; axes are topics and the model's words.

    ``topics`` (T, V): λ, the Dirichlet posterior over each topic's words. ``eta`` (V,) or (T, V):
    its prior. ``alpha`` (T,): prior over the topics of a document. ``background`` (V,): P0.
    ``background_weight``: π.
    """

    topics: np.ndarray
    eta: np.ndarray
    alpha: np.ndarray
    background: np.ndarray
    background_weight: float


class DocumentBound:
    """The bound of documents' words, block by block.

    Entries of gamma below alpha are raised to it: where the bound is highest none is below, and a
    mixture of exactly 0 would make it minus infinity.
    """

    def __init__(self, posterior: TopicPosterior):
        self._alpha = np.asarray(posterior.alpha, dtype=np.float64)
        weight = posterior.background_weight
        topics = np.exp(dirichlet_expectation(np.asarray(posterior.topics, dtype=np.float64)))
        self._word_topics = np.ascontiguousarray((1 - weight) * topics.T)
        self._floors = weight * np.asarray(posterior.background, dtype=np.float64)

    def fit_gamma(
        self, counts: sp.csr_matrix, gamma: np.ndarray, n_iter: int, threshold: float
    ) -> np.ndarray:
        """Return the parameters (n, T) of the documents' mixtures at which the bound is highest.

        Starts from `gamma`; a document gets at most `n_iter` passes, until its parameters change
        by less than `threshold` on average.
        """
        gamma = self._at_least_alpha(gamma)
        bag = _bag(counts)
        map_ranges(
            lambda _, *rows: tighten(
                *rows, bag, self._word_topics, self._floors, self._alpha, n_iter, threshold, gamma
            ),
            balanced_ranges(np.diff(counts.indptr) + 10.0),
        )
        return gamma

    def score(self, counts: sp.csr_matrix, gamma: np.ndarray) -> float:
        """Return E_q[log p(words, θ) − log q(θ)] summed over documents, counts (n, V)."""
        gamma = self._at_least_alpha(gamma)
        bag = _bag(counts)
        words = map_ranges(
            lambda _, *rows: score_words(*rows, bag, self._word_topics, self._floors, gamma),
            balanced_ranges(np.diff(counts.indptr) + 10.0),
        )
        mixtures = _dirichlet_gap(gamma, self._alpha).sum()
        return float(sum(words) + mixtures)

    def _at_least_alpha(self, gamma: np.ndarray) -> np.ndarray:
        return np.maximum(gamma, self._alpha, dtype=np.float64, order="C")


def topics_score(posterior: TopicPosterior) -> float:
    """Return E_q[log p(β) − log q(β)] summed over topics; not positive."""
    topics = np.asarray(posterior.topics, dtype=np.float64)
    return float(_dirichlet_gap(topics, np.asarray(posterior.eta, dtype=np.float64)).sum())


def _dirichlet_gap(posterior: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """Return −KL(Dirichlet(posterior) ‖ Dirichlet(prior)) of each row."""
    prior = np.broadcast_to(prior, posterior.shape)
    gap = ((prior - posterior) * dirichlet_expectation(posterior)).sum(axis=1)
    gap += (gammaln(posterior) - gammaln(prior)).sum(axis=1)
    return gap + gammaln(prior.sum(axis=1)) - gammaln(posterior.sum(axis=1))


def _bag(counts: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        counts.indptr.astype(np.int64),
        counts.indices.astype(np.int64),
        counts.data.astype(np.float64),
    )


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


@compiled(void(int64, int64, _BAG, DOUBLE_ROWS, DOUBLES, DOUBLES, int64, float64, float64[:, ::1]))
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
