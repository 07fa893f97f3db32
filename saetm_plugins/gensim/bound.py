"""How well topics predict words, by the formula that ``LdaModel.bound`` computes.

The evidence lower bound of Hoffman, Blei & Bach ("Online learning for latent Dirichlet allocation",
NIPS 2010, eq. 1 and 4), with one term more: a word comes from the background P0 with probability π
(SAE-TM, arXiv 2511.16309, sec. 4), so its probability is π P0_w + (1 − π) Σ_t θ_t β_tw. At π = 0
it is LDA's bound, which makes the figures of the two comparable.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from gensim.matutils import dirichlet_expectation
from scipy.special import gammaln

from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges


class TopicPosterior(NamedTuple):
    """The parts of a model that the bound depends on; axes are topics and the model's words.

    Attributes
    ----------
    topics : ndarray of shape (T, V), float64
        λ, parameters of the Dirichlet posterior over each topic's words.
    eta : ndarray of shape (V,) or (T, V), float64
        Its prior.
    alpha : ndarray of shape (T,), float64
        Prior over the topics of a document.
    background : ndarray of shape (V,), float64
        P0.
    background_weight : float
        π.
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
        from saetm_plugins.gensim import _bound_kernels as kernels

        gamma = self._at_least_alpha(gamma)
        bag = _bag(counts)
        map_ranges(
            lambda _, first, last: kernels.tighten(
                first,
                last,
                bag,
                self._word_topics,
                self._floors,
                self._alpha,
                n_iter,
                threshold,
                gamma,
            ),
            balanced_ranges(np.diff(counts.indptr) + 10.0),
        )
        return gamma

    def score(self, counts: sp.csr_matrix, gamma: np.ndarray) -> float:
        """Return E_q[log p(words, θ) − log q(θ)] summed over documents, counts (n, V)."""
        from saetm_plugins.gensim import _bound_kernels as kernels

        gamma = self._at_least_alpha(gamma)
        bag = _bag(counts)
        words = map_ranges(
            lambda _, first, last: kernels.score_words(
                first, last, bag, self._word_topics, self._floors, gamma
            ),
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
