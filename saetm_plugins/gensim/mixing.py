"""From a document's atoms to what ``LdaModel.inference`` speaks of: gamma and phi."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from saetm_plugins.emission import Emissions


def spread_alpha(
    alpha: np.ndarray, atom_topics: sp.csr_matrix, prevalence: np.ndarray
) -> np.ndarray:
    """Spread a prior over topics over their atoms, by the atoms' prevalence.

    Parameters
    ----------
    alpha : ndarray of shape (T,)
    atom_topics : csr_matrix of shape (K, T)
    prevalence : ndarray of shape (K,)

    Returns
    -------
    ndarray of shape (K,)
        Sums to the sum of `alpha`; 0 for a dead atom.
    """
    topic_prevalence = np.maximum(prevalence @ atom_topics, np.finfo(np.float32).tiny)
    return prevalence * (atom_topics @ (alpha / topic_prevalence))


def gamma_of_mixtures(
    doc_topics: np.ndarray, counts: sp.csr_matrix, alpha: np.ndarray, background_weight: float
) -> np.ndarray:
    """Return Dirichlet parameters whose mean is the mixture and whose sum is the evidence.

    Parameters
    ----------
    doc_topics : ndarray of shape (n, T)
        Rows sum to 1.
    counts : csr_matrix of shape (n, V)
    alpha : ndarray of shape (T,)
    background_weight : float
        The share of words that say nothing about topics.

    Returns
    -------
    ndarray of shape (n, T), float32
    """
    n_words = np.asarray(counts.sum(axis=1), dtype=np.float32)
    evidence = np.float32(alpha.sum()) + np.float32(1 - background_weight) * n_words
    return (doc_topics * evidence).astype(np.float32, copy=False)


def topics_of_words(
    doc_atoms: sp.csr_matrix,
    counts: sp.csr_matrix,
    row: int,
    emissions: Emissions,
    atom_topics: np.ndarray,
) -> np.ndarray:
    """Return how many of a document's words come from each topic, n_w φ_wt.

    ``φ_wt = (1 − π) Σ_k θ_k B_kw W_kt / q_w``; what the background explains is in no topic.

    Parameters
    ----------
    doc_atoms : csr_matrix of shape (n, K)
    counts : csr_matrix of shape (n, V)
    row : int
        The document.
    emissions : Emissions
    atom_topics : ndarray of shape (K, T)

    Returns
    -------
    ndarray of shape (T, words of the document), float32
        Columns in the order of the row's column indices.
    """
    atoms, theta = _row(doc_atoms, row)
    words, weights = _row(counts, row)
    pi = np.float32(emissions.background_weight)
    shares = (1 - pi) * theta[:, None] * emissions.atom_words[np.ix_(atoms, words)]
    q = shares.sum(axis=0) + pi * emissions.background[words]
    shares *= np.divide(weights, q, where=q > 0, out=np.zeros_like(q))
    return atom_topics[atoms].T @ shares


def _row(matrix: sp.csr_matrix, row: int) -> tuple[np.ndarray, np.ndarray]:
    entries = slice(matrix.indptr[row], matrix.indptr[row + 1])
    return matrix.indices[entries], matrix.data[entries]
