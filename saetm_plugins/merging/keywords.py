"""Stage 3, what merges look at: keywords of atoms, word-vector means, document centroids.

The word-vector means are the paper's T_k (arXiv 2511.16309, section 4). The keywords are ours:
words are weighted by how near they are to the document they stand in (contextual keywords, as in
KeyNMF, Kardos et al. 2024), gathered by atom, and set against chance (positive pointwise mutual
information).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from saetm_plugins.merging.base import unit_rows
from saetm_plugins.merging.threads import run_blocks
from saetm_plugins.validation import check_count, check_embeddings


def keyword_association(
    doc_atoms: sp.csr_matrix,
    bow: sp.csr_matrix,
    embeddings: np.ndarray,
    word_vectors: np.ndarray,
    *,
    n_keywords: int = 25,
    n_atom_words: int = 100,
) -> sp.csr_matrix:
    """Associate atoms with the words that say what their documents are about.

    In each document the `n_keywords` words nearest to its embedding count, by their cosine; an
    atom's mass of a word is the sum over its documents; its score is the positive pointwise
    mutual information times the root of that mass.

    Parameters
    ----------
    doc_atoms : csr_matrix of shape (N, K)
        Mixtures of atoms, non-negative.
    bow : csr_matrix of shape (N, V)
        Which words stand in which document; the counts themselves do not matter.
    embeddings : ndarray of shape (N, d)
        Document embeddings; scaled to unit length here.
    word_vectors : ndarray of shape (V, d)
        In the space of `embeddings`; scaled to unit length here.
    n_keywords : int, default=25
        Words of a document that count.
    n_atom_words : int, default=100
        Words kept for an atom.

    Returns
    -------
    csr_matrix of shape (K, V), float32
        Non-negative scores, sorted indices; rows of dead atoms are empty.

    Raises
    ------
    ValueError
        When the shapes disagree or a number is not finite.
    """
    doc_atoms, bow = sp.csr_matrix(doc_atoms), sp.csr_matrix(bow)
    n_keywords = check_count(n_keywords, "n_keywords")
    n_atom_words = check_count(n_atom_words, "n_atom_words")
    if doc_atoms.shape[0] != bow.shape[0]:
        raise ValueError(f"doc_atoms has {doc_atoms.shape[0]} rows and bow {bow.shape[0]}")
    embeddings = check_embeddings(embeddings, n_rows=bow.shape[0])
    word_vectors = check_embeddings(word_vectors, name="word_vectors")
    if word_vectors.shape != (bow.shape[1], embeddings.shape[1]):
        raise ValueError(
            f"word_vectors has shape {word_vectors.shape}; {bow.shape[1]} words and "
            f"{embeddings.shape[1]} dimensions are needed"
        )
    keywords = _document_keywords(bow, unit_rows(embeddings), unit_rows(word_vectors), n_keywords)
    return _associate(doc_atoms, *keywords, n_words=bow.shape[1], n_atom_words=n_atom_words)


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
    """
    from saetm_plugins.merging._keyword_kernels import mass_thresholds

    atom_words = np.ascontiguousarray(atom_words, dtype=np.float32)
    if atom_words.shape[1] != len(word_vectors):
        raise ValueError(f"atom_words has {atom_words.shape[1]} columns and word_vectors "
                         f"{len(word_vectors)} rows")  # fmt: skip
    if not 0 < top_p <= 1:
        raise ValueError(f"top_p must lie in (0, 1]; found {top_p}")
    thresholds = np.empty(len(atom_words), dtype=np.float32)
    even = np.arange(len(atom_words) + 1) * atom_words.shape[1]
    run_blocks(mass_thresholds, even, atom_words, np.float32(top_p), thresholds)
    kept = np.where(atom_words >= thresholds[:, None], atom_words, np.float32(0))
    kept /= np.maximum(kept.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return kept @ np.asarray(word_vectors, dtype=np.float32)


def document_centroids(doc_atoms: sp.csr_matrix, embeddings: np.ndarray) -> np.ndarray:
    """Return the mean embedding (K, d), float32, of each atom's documents, by weight.

    Parameters
    ----------
    doc_atoms : csr_matrix of shape (N, K)
    embeddings : ndarray of shape (N, d)
        Scaled to unit length here. Rows of atoms without documents are zero.
    """
    sums = doc_atoms.T @ unit_rows(embeddings)
    mass = np.asarray(doc_atoms.sum(axis=0), dtype=np.float32).reshape(-1, 1)
    return np.divide(sums, mass, where=mass > 0, out=np.zeros_like(sums))


def _document_keywords(
    bow: sp.csr_matrix, embeddings: np.ndarray, word_vectors: np.ndarray, n_keywords: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return similarities and words (N, n_keywords) of each document, and their counts (N,)."""
    from saetm_plugins.merging._keyword_kernels import document_keywords

    values = np.zeros((bow.shape[0], n_keywords), dtype=np.float32)
    words = np.zeros((bow.shape[0], n_keywords), dtype=np.int32)
    counts = np.zeros(bow.shape[0], dtype=np.int32)
    run_blocks(document_keywords, bow.indptr, bow.indptr, bow.indices, embeddings, word_vectors,
               values, words, counts)  # fmt: skip
    return values, words, counts


def _associate(
    doc_atoms: sp.csr_matrix,
    values: np.ndarray,
    words: np.ndarray,
    counts: np.ndarray,
    *,
    n_words: int,
    n_atom_words: int,
) -> sp.csr_matrix:
    """Gather document keywords by atom and score them against chance."""
    from saetm_plugins.merging._keyword_kernels import associate

    n_atoms = doc_atoms.shape[1]
    weight = np.asarray(doc_atoms.sum(axis=1), dtype=np.float64)
    share = np.bincount(words.ravel(), (values * weight).ravel(), minlength=n_words)
    share = (share / max(share.sum(), np.finfo(np.float64).tiny)).astype(np.float32)
    by_atom = doc_atoms.tocsc()
    scores = np.empty((n_atoms, n_atom_words), dtype=np.float32)
    chosen = np.empty((n_atoms, n_atom_words), dtype=np.int32)
    n_kept = np.zeros(n_atoms, dtype=np.int32)
    run_blocks(associate, by_atom.indptr, by_atom.indptr, by_atom.indices,
               by_atom.data.astype(np.float32, copy=False), values, words, counts, share,
               scores, chosen, n_kept)  # fmt: skip
    kept = np.arange(n_atom_words) < n_kept[:, None]
    indptr = np.concatenate(([0], np.cumsum(n_kept)))
    result = sp.csr_matrix((scores[kept], chosen[kept], indptr), shape=(n_atoms, n_words))
    result.sort_indices()
    return result
