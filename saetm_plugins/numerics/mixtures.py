"""Mixtures: activations → atoms of a document → topics of a document, and atoms → words of a topic.

The paper's section 3 shows that normalised activations are a document's mixture; section 4.3 adds
atoms up to topics.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.preprocessing import normalize

from saetm_plugins.numerics.parallel import even_ranges, map_ranges

_RELEARNING = 2.0  # power of mixtures; of 1, 1.5 and 2 it gives words nearest to those of a fit
_COLUMNS = 512  # words at a time


def normalize_activations(activations: sp.csr_matrix, sharpening: float = 1.0) -> sp.csr_matrix:
    """Turn activations into mixtures, θ_k = a_k^s / Σ_j a_j^s (paper, eq. of section 3.3 at s = 1).

    `activations` are a csr_matrix (N, K), not negative; `sharpening` is the exponent s, which above
    1 moves mass to a document's strongest atoms. A row without activations stays empty.
    """
    theta = sp.csr_matrix(activations, dtype=np.float32, copy=True)
    if sharpening != 1.0:
        # Scaled by the row's maximum first: a power of a tiny activation must not vanish.
        np.divide(theta.data, _per_entry(theta, theta.max(axis=1).toarray()), out=theta.data)
        np.power(theta.data, sharpening, out=theta.data)
    np.divide(theta.data, _per_entry(theta, np.asarray(theta.sum(axis=1))), out=theta.data)
    return theta


def weights_of_mixtures(doc_atoms: sp.csr_matrix) -> sp.csr_matrix:
    """Estimate activations, from which a fit learns words, where only mixtures are known.

    Mixtures are made of cosines, which vary less than activations; rows of the result sum to 1.
    """
    return normalize_activations(doc_atoms, _RELEARNING)


def mix_topics(
    doc_atoms: sp.csr_matrix, atom_topics: sp.csr_matrix, topic_prevalence: np.ndarray
) -> np.ndarray:
    """Add up each document's atoms to topics, θ_t = Σ_k θ_k W_kt, (N, T) float32.

    Takes θ (N, K) and W (K, T), sparse. `topic_prevalence` (T,) is the mixture of a document none
    of whose atoms is in a topic.
    """
    doc_topics = np.asarray(doc_atoms @ atom_topics.toarray(), dtype=np.float32)
    mass = doc_topics.sum(axis=1, keepdims=True)
    without = np.flatnonzero(mass[:, 0] <= 0)
    mass[without] = 1.0
    doc_topics /= mass
    doc_topics[without] = topic_prevalence / topic_prevalence.sum()
    return doc_topics


def mix_words(
    atom_topics: sp.csr_matrix, prevalence: np.ndarray, atom_words: np.ndarray
) -> np.ndarray:
    """Average the words of each topic's atoms, P(w|t) = Σ_k W_kt θ̄_k B_kw / Σ_k W_kt θ̄_k.

    Takes W (K, T), sparse, θ̄ (K,) and B (K, V); returns (T, V), float32.
    """
    # An atom without documents (any more) counts only where a topic has no other.
    shares = np.maximum(prevalence, np.finfo(np.float32).tiny)
    weights = sp.csr_matrix(sp.csr_matrix(atom_topics).multiply(shares[:, None])).T.tocsr()
    weights = normalize(weights.astype(np.float64), norm="l1", axis=1).astype(np.float32)
    n_words = atom_words.shape[1]
    topic_words = np.empty((weights.shape[0], n_words), dtype=np.float32)

    def mix(_: int, first: int, last: int) -> None:
        # Mostly the transpose of the solver's array, which torch copies faster than NumPy.
        columns = torch.from_numpy(atom_words[:, first:last]).contiguous().numpy()
        topic_words[:, first:last] = weights @ columns

    map_ranges(mix, even_ranges(n_words, _COLUMNS))
    topic_words /= topic_words.sum(axis=1, keepdims=True)
    return topic_words


def _per_entry(matrix: sp.csr_matrix, per_row: np.ndarray) -> np.ndarray:
    return np.repeat(np.ravel(per_row), np.diff(matrix.indptr))
