"""Stage 3, keywords: which words are typical of the documents of an atom.

Not in the paper (arXiv 2511.16309). Counts of a word in an atom's documents are weighted by how
near the word is to them (as in KeyNMF, Kardos et al. 2024): the cosine of its encoder vector with
the atom's mean document, and how much the word's other documents resemble them; the weight is
damped in short texts (:func:`nearness_power`). The result is compared with chance
(:func:`~saetm_plugins.merging.association_scores`). All of it follows from sums over documents, so
batches add up to the keywords of the corpus.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.merging.association import association_scores
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.pairs import products_of_pairs
from saetm_plugins.validation import check_embeddings

CORPUS_WEIGHT = 0.75  # of nearness by a word's other documents; that by its vector counts 1
CHANCE_POWER = 1.1  # on a word's share of the mass; above 1, topics share fewer words
N_KEYWORDS = 48
LONG_TEXT = 16  # words; in shorter texts the exponent of nearness is length / 16,
LEAST_POWER = 0.25  # but at least this
NARROW = 0.5  # mean cosine of two documents above which vectors are centred
_WORDS = 1024  # words at a time, whose sums are copied


class EmbeddingSums(NamedTuple):
    """Sums of documents' embeddings, scaled to unit length, by atom and by word."""

    n_documents: float
    total: np.ndarray
    """Of all documents, (d,)."""
    atom_mass: np.ndarray
    """Σ θ_k, (K,)."""
    atoms: np.ndarray
    """Weighted by θ_k, (K, d)."""
    document_frequency: np.ndarray
    words: np.ndarray
    """Of the documents that hold a word, (V, d)."""


def keyword_association(
    atom_words: sp.csr_matrix,
    embeddings: EmbeddingSums,
    word_vectors: np.ndarray | None = None,
    *,
    n_keywords: int = N_KEYWORDS,
    nearness: np.ndarray | None = None,
) -> sp.csr_matrix:
    """Associate atoms with the words that are typical of their documents.

    Parameters
    ----------
    atom_words : csr_matrix of shape (K, V)
        Word counts of the documents, weighted by their atoms: Σ θ_k n_w.
    embeddings : EmbeddingSums
    word_vectors : ndarray of shape (V, d), optional
        By the encoder of the documents; zero where not known.
    n_keywords : int, default=48
        Words kept for an atom.
    nearness : ndarray of shape (nnz,), optional
        Of :func:`corpus_nearness`, if it is computed already.

    Returns
    -------
    csr_matrix of shape (K, V), float32
        Non-negative scores, sorted indices; rows of dead atoms are empty.
    """
    nearness = by_corpus = corpus_nearness(atom_words, embeddings) if nearness is None else nearness
    if word_vectors is not None:
        vectors = check_embeddings(word_vectors, name="word_vectors")
        if vectors.shape != embeddings.words.shape:
            raise ValueError(
                f"word_vectors has shape {vectors.shape}; {embeddings.words.shape} is needed"
            )
        vectors = spread_word_vectors(unit_rows(vectors), embeddings)
        nearness = _vector_nearness(atom_words, embeddings, vectors, by_corpus)
        nearness += np.float32(CORPUS_WEIGHT) * by_corpus
    weights = np.maximum(nearness, 0)
    if (power := nearness_power(embeddings)) < 1:
        weights **= np.float32(power)
    mass = sp.csr_matrix(
        (atom_words.data * weights, atom_words.indices, atom_words.indptr), shape=atom_words.shape
    )
    return association_scores(mass, n_keywords, chance_power=CHANCE_POWER)


def spread_word_vectors(word_vectors: np.ndarray, embeddings: EmbeddingSums) -> np.ndarray:
    """Return word vectors (V, d') less their mean, as unit rows, if documents lie in a narrow cone.

    Some encoders (e5, gte) embed everything near one direction, and every word is near to every
    document before the mean is subtracted. Zero rows, of words without a vector, stay zero.
    Vectors of a wide cone, or of another space than the documents, are returned as they are.
    """
    known = np.any(word_vectors, axis=1)
    of_one_space = word_vectors.shape[1] == len(embeddings.total)
    if not (of_one_space and known.any() and _lie_in_narrow_cone(embeddings)):
        return word_vectors
    units = unit_rows(word_vectors)
    units[known] = unit_rows(units[known] - units[known].mean(axis=0))
    return units


def select_words_to_encode(
    atom_words: sp.csr_matrix, nearness: np.ndarray, n_words: int = 4000
) -> np.ndarray:
    """Return the `n_words` columns of largest weight as keywords, ascending.

    Takes the arguments of :func:`keyword_association`, with `nearness` of :func:`corpus_nearness`.
    """
    if atom_words.shape[1] <= n_words:
        return np.arange(atom_words.shape[1])
    weight = np.maximum(nearness, 0) * atom_words.data
    by_word = np.bincount(atom_words.indices, weight, minlength=atom_words.shape[1])
    return np.sort(np.argsort(-by_word, kind="stable")[:n_words])


def nearness_power(embeddings: EmbeddingSums) -> float:
    """Return the exponent of nearness, from the mean number of different words of a text.

    A long text has words beside its subject, which nearness weeds out. In a title it would keep
    words of like meaning, which seldom occur together.
    """
    n_words = embeddings.document_frequency.sum() / max(embeddings.n_documents, 1)
    return float(min(1.0, max(LEAST_POWER, n_words / LONG_TEXT)))


def _lie_in_narrow_cone(embeddings: EmbeddingSums) -> bool:
    mean = embeddings.total / max(embeddings.n_documents, 1)
    return bool(mean @ mean > NARROW)


def corpus_nearness(atom_words: sp.csr_matrix, embeddings: EmbeddingSums) -> np.ndarray:
    """Return for each entry how much the word's other documents resemble the atom's.

    An ndarray of shape (nnz,), float32, in the order of `atom_words`.
    """
    mean = embeddings.total / max(embeddings.n_documents, 1)
    atoms = embeddings.atoms - embeddings.atom_mass[:, None] * mean
    lengths = np.linalg.norm(atoms, axis=1) / np.maximum(embeddings.atom_mass, 1e-12)
    words, word_lengths = _centred_words(embeddings, mean)
    near = products_of_pairs(
        atom_words.indptr, atom_words.indices, unit_rows(atoms), words, on_all_cores=True
    )
    near -= np.repeat(lengths.astype(np.float32), np.diff(atom_words.indptr))  # the document itself
    # The 1 shrinks the nearness of words of few documents.
    return near / (word_lengths[atom_words.indices] + 1)


def _centred_words(embeddings: EmbeddingSums, mean: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the centred sums of words' embeddings (V, d), and their lengths (V,); float32."""
    words = np.empty(embeddings.words.shape, dtype=np.float32)
    lengths = np.empty(len(words), dtype=np.float32)
    for first in range(0, len(words), _WORDS):
        block = slice(first, first + _WORDS)
        centred = embeddings.words[block] - embeddings.document_frequency[block, None] * mean
        words[block], lengths[block] = centred, np.linalg.norm(centred, axis=1)
    return words, lengths


def _vector_nearness(
    atom_words: sp.csr_matrix, embeddings: EmbeddingSums, vectors: np.ndarray, by_corpus: np.ndarray
) -> np.ndarray:
    """Return the cosine of word and atom for each entry.

    For words without a vector it is predicted from `by_corpus`, by a line fitted to the others.
    """
    atoms = embeddings.atoms
    if _lie_in_narrow_cone(embeddings):
        mean = embeddings.total / max(embeddings.n_documents, 1)
        atoms = atoms - embeddings.atom_mass[:, None] * mean
    near = products_of_pairs(
        atom_words.indptr, atom_words.indices, unit_rows(atoms), vectors, on_all_cores=True
    )
    known = np.any(vectors, axis=1)[atom_words.indices]
    if known.all():
        return near
    x, y = by_corpus[known].astype(np.float64), near[known].astype(np.float64)
    spread = x.var() if len(x) else 0.0
    slope = np.mean((x - x.mean()) * (y - y.mean())) / spread if spread > 0 else 0.0
    intercept = y.mean() - slope * x.mean() if len(x) else 0.0
    return np.where(known, near, slope * by_corpus + intercept).astype(np.float32)
