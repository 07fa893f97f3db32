"""Stage 3, atom vectors: word-vector means and document centroids, for the hard merges.

The word-vector means are the paper's T_k (arXiv 2511.16309, section 4).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from saetm_plugins.parallel import map_rows


def atom_word_vectors(
    atom_words: np.ndarray, word_vectors: np.ndarray, *, top_p: float = 0.9
) -> np.ndarray:
    """Return the paper's T_k: the mean vector of each atom's most probable words.

    Parameters
    ----------
    atom_words : ndarray of shape (K, V)
        P(word | atom), rows sum to 1.
    word_vectors : ndarray of shape (V, d)
    top_p : float, default=0.9
        Share of each atom's mass, most probable words first, that counts.

    Returns
    -------
    ndarray of shape (K, d), float32

    Raises
    ------
    ValueError
        When the shapes disagree or `top_p` is not in (0, 1].
    """
    from saetm_plugins.merging._keyword_kernels import mass_thresholds

    atom_words = np.ascontiguousarray(atom_words, dtype=np.float32)
    if atom_words.shape[1] != len(word_vectors):
        raise ValueError(
            f"atom_words has {atom_words.shape[1]} columns and word_vectors "
            f"{len(word_vectors)} rows"
        )
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1]; found {top_p}")
    thresholds = np.empty(len(atom_words), dtype=np.float32)
    even = np.arange(len(atom_words) + 1) * atom_words.shape[1]
    map_rows(mass_thresholds, even, atom_words, np.float32(top_p), thresholds)
    kept = np.where(atom_words >= thresholds[:, None], atom_words, np.float32(0))
    kept /= np.maximum(kept.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return kept @ np.asarray(word_vectors, dtype=np.float32)


def document_centroids(doc_atoms: sp.csr_matrix, embeddings: np.ndarray) -> np.ndarray:
    """Return the mean unit embedding (K, d), float32, of each atom's documents, by weight.

    Parameters
    ----------
    doc_atoms : csr_matrix of shape (N, K)
    embeddings : ndarray of shape (N, d)
        Scaled to unit length here. Rows of atoms without documents are zero.
    """
    lengths = np.linalg.norm(embeddings, axis=1)
    scale = np.divide(1, lengths, where=lengths > 0, out=np.zeros_like(lengths))
    unit = doc_atoms.multiply(scale[:, None]).tocsr()
    sums = np.asarray(unit.T @ embeddings, dtype=np.float32)
    mass = np.asarray(doc_atoms.sum(axis=0), dtype=np.float32).reshape(-1, 1)
    return np.divide(sums, mass, where=mass > 0, out=np.zeros_like(sums))
