"""From a document's atoms to the gamma and phi of ``LdaModel.inference``."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from saetm_plugins.emission import Emissions


def spread_alpha(
    alpha: np.ndarray, atom_topics: sp.csr_matrix, prevalence: np.ndarray
) -> np.ndarray:
    """Spread a prior over topics (T,) over their atoms (K,), by the atoms' prevalence.

    The sum stays that of `alpha`; a dead atom gets 0.
    """
    topic_prevalence = np.maximum(prevalence @ atom_topics, np.finfo(np.float32).tiny)
    return prevalence * (atom_topics @ (alpha / topic_prevalence))


def gamma_of_mixtures(
    doc_topics: np.ndarray, counts: sp.csr_matrix, alpha: np.ndarray, background_weight: float
) -> np.ndarray:
    """Return Dirichlet parameters (n, T): their mean is the mixture, their sum the evidence."""
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

    Returns
    -------
    ndarray of shape (T, words of the document), float32
        Columns in the order of the column indices of that `row` of `counts`.
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
