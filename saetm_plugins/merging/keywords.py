"""Stage 3, contextual keywords: which words say what a document, and so an atom, is about.

Not in the paper (arXiv 2511.16309). Words are weighted by how near they are to the document they
stand in (as in KeyNMF, Kardos et al. 2024), by word vectors and by the company they keep in the
corpus; gathered by atom; and set against chance (positive pointwise mutual information).
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from saetm_plugins.merging.base import unit_rows
from saetm_plugins.parallel import map_rows
from saetm_plugins.validation import check_count, check_embeddings

CORPUS_WEIGHT = 0.5  # of a word's company beside its vector; more: NPMI up, intruder down
CHANCE_POWER = 1.1  # of a word's share of all mass; more: fewer shared words, less coherence
_SAMPLE = 2048  # documents on which the similarities of words without a vector are learned


def keyword_association(
    doc_atoms: sp.csr_matrix,
    bow: sp.csr_matrix,
    embeddings: np.ndarray,
    word_vectors: np.ndarray | None = None,
    *,
    n_keywords: int = 25,
    n_atom_words: int = 64,
) -> sp.csr_matrix:
    """Associate atoms with the words that say what their documents are about.

    In each document the `n_keywords` words nearest to it count, by their nearness
    (:class:`DocumentKeywords`); an atom's mass of a word is the sum over its documents; its score
    is the positive pointwise mutual information times the root of that mass, where a word's chance
    is its share of all mass to the power `CHANCE_POWER`.

    Parameters
    ----------
    doc_atoms : csr_matrix of shape (N, K)
        Mixtures of atoms, non-negative.
    bow : csr_matrix of shape (N, V)
        Which words stand in which document; the counts themselves do not matter.
    embeddings : ndarray of shape (N, d)
        Document embeddings, of any length.
    word_vectors : ndarray of shape (V, d), optional
        By the encoder of `embeddings`; a zero row: not known.
    n_keywords : int, default=25
        Words of a document that count.
    n_atom_words : int, default=64
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
    doc_atoms = sp.csr_matrix(doc_atoms)
    n_atom_words = check_count(n_atom_words, "n_atom_words")
    if doc_atoms.shape[0] != bow.shape[0]:
        raise ValueError(f"doc_atoms has {doc_atoms.shape[0]} rows and bow {bow.shape[0]}")
    keywords = DocumentKeywords(bow, embeddings, word_vectors, n_keywords=n_keywords)
    return _associate(doc_atoms, keywords, n_atom_words)


def words_worth_encoding(
    bow: sp.csr_matrix, embeddings: np.ndarray, n_words: int = 4000, *, n_documents: int = 8192
) -> np.ndarray:
    """Choose the words that an encoder's vectors are worth their price for.

    Those with the most weight as keywords of documents, as the corpus alone tells.

    Parameters
    ----------
    bow : csr_matrix of shape (N, V)
    embeddings : ndarray of shape (N, d)
    n_words : int, default=4000
    n_documents : int, default=8192
        Look at so many documents at most, evenly spaced.

    Returns
    -------
    ndarray of shape (min(n_words, V),), int64
        Columns of `bow`, ascending.
    """
    if bow.shape[1] <= n_words:
        return np.arange(bow.shape[1])
    step = -(-bow.shape[0] // n_documents)
    keywords = DocumentKeywords(sp.csr_matrix(bow)[::step], embeddings[::step])
    return np.sort(np.argsort(-keywords.word_mass(), kind="stable")[:n_words])


class DocumentKeywords:
    """The words nearest to each document, and how near.

    Nearness is the cosine of the word's vector with the document's embedding, plus
    `CORPUS_WEIGHT` times the cosine of the document with the sum of the *other* documents that
    hold the word (embeddings centred and of unit length). Without word vectors the second alone
    counts; for a word without a vector the first is predicted from the second, by a straight line
    fitted to the words that have one.

    Parameters
    ----------
    bow : csr_matrix of shape (N, V)
    embeddings : ndarray of shape (N, d)
    word_vectors : ndarray of shape (V, d), optional
    n_keywords : int, default=25

    Attributes
    ----------
    nearness : ndarray of shape (N, n_keywords), float32
    words : ndarray of shape (N, n_keywords), int32
    counts : ndarray of shape (N,), int32
        How many of a row's entries are in use; the others are 0.
    n_words : int
        V.
    """

    def __init__(
        self,
        bow: sp.csr_matrix,
        embeddings: np.ndarray,
        word_vectors: np.ndarray | None = None,
        *,
        n_keywords: int = 25,
    ):
        from saetm_plugins.merging._keyword_kernels import document_keywords

        bow = sp.csr_matrix(bow)
        n_documents, self.n_words = bow.shape
        n_keywords = check_count(n_keywords, "n_keywords")
        embeddings = check_embeddings(embeddings, n_rows=n_documents)
        vectors = _check_word_vectors(word_vectors, self.n_words, embeddings.shape[1])
        documents, sums = _corpus_side(bow, embeddings)
        words = (*sums, vectors)
        known = np.zeros(self.n_words, dtype=bool)
        known[: len(vectors)] = np.any(vectors != 0, axis=1)
        self.nearness = np.zeros((n_documents, n_keywords), dtype=np.float32)
        self.words = np.zeros((n_documents, n_keywords), dtype=np.int32)
        self.counts = np.zeros(n_documents, dtype=np.int32)
        map_rows(document_keywords, bow.indptr, bow.indptr, bow.indices, documents, words, known,
                   _mix(bow, documents, words, known), self.nearness, self.words,
                   self.counts)  # fmt: skip

    def word_mass(self, weights: np.ndarray | None = None) -> np.ndarray:
        """Return the sum of nearness (V,) of each word, documents weighted by `weights` (N,)."""
        nearness = self.nearness if weights is None else self.nearness * weights[:, None]
        return np.bincount(self.words.ravel(), nearness.ravel(), minlength=self.n_words)


def _check_word_vectors(word_vectors: np.ndarray | None, n_words: int, width: int) -> np.ndarray:
    """Return unit word vectors; none at all is an array of no rows."""
    if word_vectors is None:
        return np.zeros((0, width), dtype=np.float32)
    word_vectors = check_embeddings(word_vectors, name="word_vectors")
    if word_vectors.shape != (n_words, width):
        raise ValueError(
            f"word_vectors has shape {word_vectors.shape}; {n_words} words and {width} dimensions "
            "are needed"
        )
    return unit_rows(word_vectors)


def _corpus_side(
    bow: sp.csr_matrix, embeddings: np.ndarray
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Return what similarities need of documents and of words, without a copy of embeddings.

    The unit embedding of a document is ``scale * e``; centred and of unit length again it is
    ``centred_scale * e - centred_shift * mean``.
    """
    from saetm_plugins.merging._keyword_kernels import word_sums

    lengths = np.linalg.norm(embeddings, axis=1)
    scale = np.divide(1, lengths, where=lengths > 0, out=np.zeros_like(lengths))
    mean = (scale @ embeddings) / len(embeddings)
    squared = scale * scale * lengths * lengths - 2 * scale * (embeddings @ mean) + mean @ mean
    centred = (scale > 0) & (squared > 1e-6)
    shift = np.divide(1, np.sqrt(np.maximum(squared, 0)), where=centred, out=np.zeros_like(scale))
    by_word = bow.tocsc()
    sums = np.zeros((bow.shape[1], embeddings.shape[1]), dtype=np.float32)
    map_rows(word_sums, by_word.indptr, by_word.indptr, by_word.indices, embeddings,
               scale * shift, sums)  # fmt: skip
    presence = sp.csc_matrix((np.ones(by_word.nnz, dtype=np.float32), by_word.indices,
                              by_word.indptr), shape=bow.shape)  # fmt: skip
    sums -= (presence.T @ shift)[:, None] * mean
    squares = np.einsum("wd,wd->w", sums, sums)
    return (embeddings, scale, scale * shift, shift), (sums, sums @ mean, squares)


def _mix(
    bow: sp.csr_matrix,
    documents: tuple[np.ndarray, ...],
    words: tuple[np.ndarray, ...],
    known: np.ndarray,
) -> tuple[np.float32, np.float32, np.float32]:
    """Return the weight of the corpus, and the line that stands in for a missing word vector."""
    if not known.any():
        return np.float32(1), np.float32(0), np.float32(0)
    if known.all():
        return np.float32(CORPUS_WEIGHT), np.float32(0), np.float32(0)
    from saetm_plugins.merging._keyword_kernels import similarities

    step = -(-bow.shape[0] // _SAMPLE)
    sample = bow[::step]
    by_corpus = np.zeros(sample.nnz, dtype=np.float32)
    by_vector = np.zeros(sample.nnz, dtype=np.float32)
    picked = (np.ascontiguousarray(documents[0][::step]), *(part[::step] for part in documents[1:]))
    map_rows(similarities, sample.indptr, sample.indptr, sample.indices, picked, words,
               by_corpus, by_vector)  # fmt: skip
    pairs = known[sample.indices]
    x, y = by_corpus[pairs].astype(np.float64), by_vector[pairs].astype(np.float64)
    spread = x.var() if len(x) else 0.0
    slope = np.mean((x - x.mean()) * (y - y.mean())) / spread if spread > 0 else 0.0
    intercept = y.mean() - slope * x.mean() if len(x) else 0.0
    return np.float32(CORPUS_WEIGHT), np.float32(slope), np.float32(intercept)


def _associate(
    doc_atoms: sp.csr_matrix, keywords: DocumentKeywords, n_atom_words: int
) -> sp.csr_matrix:
    """Gather document keywords by atom and score them against chance."""
    from saetm_plugins.merging._keyword_kernels import associate

    n_atoms = doc_atoms.shape[1]
    share = keywords.word_mass(np.asarray(doc_atoms.sum(axis=1)).ravel()) ** CHANCE_POWER
    share = (share / max(share.sum(), np.finfo(np.float64).tiny)).astype(np.float32)
    by_atom = doc_atoms.tocsc()
    scores = np.empty((n_atoms, n_atom_words), dtype=np.float32)
    chosen = np.empty((n_atoms, n_atom_words), dtype=np.int32)
    n_kept = np.zeros(n_atoms, dtype=np.int32)
    map_rows(associate, by_atom.indptr, by_atom.indptr, by_atom.indices,
               by_atom.data.astype(np.float32, copy=False), keywords.nearness, keywords.words,
               keywords.counts, share, scores, chosen, n_kept)  # fmt: skip
    kept = np.arange(n_atom_words) < n_kept[:, None]
    indptr = np.concatenate(([0], np.cumsum(n_kept)))
    result = sp.csr_matrix((scores[kept], chosen[kept], indptr), shape=(n_atoms, keywords.n_words))
    result.sort_indices()
    return result
