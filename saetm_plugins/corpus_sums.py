"""Sums over documents: all that is kept of a corpus. They add up, in any order.

The sums of two batches, shards or models added are the sums over both.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.merging import EmbeddingSums, corpus_nearness
from saetm_plugins.numerics.arrays import column_sums
from saetm_plugins.numerics.caching import cached_property
from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges, n_threads
from saetm_plugins.validation import check_arrays

_AXES = {
    "atom_mass": "K", "distinct_atom_mass": "K", "embedded_atom_mass": "K", "atom_pairs": "KK",
    "embedding": "d", "atom_embeddings": "Kd", "atom_words": "KV", "document_frequency": "V",
    "embedded_document_frequency": "V", "word_embeddings": "Vd", "class_mass": "KC",
    "cosine_counts": "B",
}  # fmt: skip
_SIGNED = ("embedding", "atom_embeddings", "word_embeddings")
_ROWS = 16_384  # documents at a time: their embeddings are copied in float64
_DIMENSIONS = 16  # columns of embeddings that one thread sums
_REPETITION = 2.0  # of a text's words, on average; one in a hundred posts of 20 Newsgroups has more
_PAGE = 200.0  # damped counts of a document; four in a hundred posts have more


@dataclass(frozen=True)
class CorpusSums:
    """Sums over documents; all that is kept of them. Everything is float64.

    Embeddings are scaled to unit length before they are summed; documents known by their words
    alone have none. The fields about words are None where there are no words. A document that
    repeats another one of its batch counts in `n_documents` and `atom_mass`, nowhere else: how
    often a text was copied says how common its topics are, and nothing about words and atoms. Where
    long documents were split, only these two count documents; all else is of passages.

    Attributes
    ----------
    n_documents, n_distinct, n_embedded : float
        Documents, those that repeat no other one, and those of the latter with an embedding.
    atom_mass : ndarray of shape (K,)
        Σ θ_k over documents, with θ their mixtures; below θ is what words are learned from
        (:func:`document_mixtures`).
    distinct_atom_mass, embedded_atom_mass : ndarray of shape (K,)
        Σ θ_k over the others.
    atom_pairs : csr_matrix of shape (K, K)
        Σ |n| θ_k θ_j, with |n| the word counts of a document (1 without words).
    embedding : ndarray of shape (d,)
        Sum of the embeddings.
    atom_embeddings : ndarray of shape (K, d)
        Σ θ_k e.
    atom_words : csr_matrix of shape (K, V), optional
        Σ θ_k n_w, with n_w the damped count of a word, log2(1 + count).
    document_frequency, embedded_document_frequency : ndarray of shape (V,), optional
        Documents that hold each word.
    word_embeddings : ndarray of shape (V, d), optional
        Sum of the embeddings of the documents that hold each word.
    class_mass : csr_matrix of shape (K, C), optional
        Σ θ_k over the documents of each known class, of all documents; None where none is known.
    cosine_counts : ndarray of shape (B,), optional
        Documents by their cosine with the nearest atom, from -1 to 1, each compared with the
        others (:func:`~saetm_plugins.atoms.nearness.nearest_cosines`).
    """

    n_documents: float
    n_distinct: float
    n_embedded: float
    atom_mass: np.ndarray
    distinct_atom_mass: np.ndarray
    embedded_atom_mass: np.ndarray
    atom_pairs: sp.csr_matrix
    embedding: np.ndarray
    atom_embeddings: np.ndarray
    atom_words: sp.csr_matrix | None = None
    document_frequency: np.ndarray | None = None
    embedded_document_frequency: np.ndarray | None = None
    word_embeddings: np.ndarray | None = None
    class_mass: sp.csr_matrix | None = None
    cosine_counts: np.ndarray | None = None

    def __post_init__(self) -> None:
        check_arrays(self, _AXES, signed=_SIGNED)
        words = [getattr(self, name) is None for name in _AXES if "V" in _AXES[name]]
        if any(words) and not all(words):
            raise ValueError("the sums hold some of the arrays about words and lack others")
        numbers = (self.n_documents, self.n_distinct, self.n_embedded)
        if not all(0 <= n < np.inf for n in numbers):
            raise ValueError(f"the sums are of {numbers} documents")

    def __add__(self, other: CorpusSums) -> CorpusSums:
        """Return the sums over the documents of both.

        Raises
        ------
        ValueError
            When only one has words.
        """
        if (self.atom_words is None) != (other.atom_words is None):
            raise ValueError("one of the sums has words and the other has none")
        sums: dict[str, Any] = {}
        for name, value in self.named():
            more = getattr(other, name)
            if value is None or more is None:  # no class of one's documents is known
                sums[name] = more if value is None else value
            else:
                sums[name] = value + more
        return CorpusSums(**sums)

    def __mul__(self, factor: float) -> CorpusSums:
        """Return the sums with every document counted `factor` times."""
        scaled: dict[str, Any] = {
            name: None if value is None else value * factor for name, value in self.named()
        }
        return CorpusSums(**scaled)

    def named(self) -> Iterator[tuple[str, Any]]:
        """Return names and values of the sums."""
        return ((name, getattr(self, name)) for name in self.__dataclass_fields__)

    @cached_property
    def nearness(self) -> np.ndarray:
        """How near a word's documents are to an atom's, at each entry of `atom_words`, float32."""
        assert self.atom_words is not None
        return corpus_nearness(self.atom_words, embedding_sums(self))

    def with_columns(self, columns: np.ndarray, n_words: int) -> CorpusSums:
        """Return the sums with word i in column ``columns[i]`` of `n_words`; the rest is zero."""
        if self.atom_words is None:
            return self
        old = self.atom_words
        atom_words = sp.csr_matrix(
            (old.data, columns[old.indices].astype(np.int32), old.indptr), (old.shape[0], n_words)
        )
        atom_words.sort_indices()

        def spread(array: Any) -> np.ndarray:
            wide = np.zeros((n_words, *array.shape[1:]))
            wide[columns] = array
            return wide

        return dataclasses.replace(
            self,
            atom_words=atom_words,
            document_frequency=spread(self.document_frequency),
            embedded_document_frequency=spread(self.embedded_document_frequency),
            word_embeddings=spread(self.word_embeddings),
        )


def sum_documents(
    doc_atoms: sp.csr_matrix,
    counts: sp.csr_matrix | None,
    embeddings: np.ndarray | None,
    width: int,
    mixtures: sp.csr_matrix | None = None,
) -> CorpusSums:
    """Sum over documents that differ, or over the passages of long ones.

    Parameters
    ----------
    doc_atoms : csr_matrix of shape (n, K)
        What words are learned from, see :func:`document_mixtures`.
    counts : csr_matrix of shape (n, V), optional
        Counts are damped to log2(1 + count): a document that repeats a word says it more surely,
        but not in proportion.
    embeddings : ndarray of shape (n, d), optional
        None where documents are known by their words alone.
    width : int
        d.
    mixtures : csr_matrix of shape (N, K), optional
        Of all documents, those that repeat another one as well; of whole ones, where the n rows are
        passages. Shares count these, all else the n rows. None: `doc_atoms`.
    """
    weights = sp.csr_matrix(doc_atoms, dtype=np.float64)
    n_rows, n_atoms = weights.shape
    mass = np.asarray(weights.sum(axis=0)).ravel()
    shares = weights if mixtures is None else mixtures
    lengths = np.ones(n_rows)
    presence = atom_words = frequency = word_embeddings = None
    if counts is not None:
        damped = sp.csr_matrix(counts, dtype=np.float64, copy=True)
        damped.eliminate_zeros()
        presence = sp.csr_matrix(
            (np.ones(damped.nnz), damped.indices, damped.indptr), shape=damped.shape
        )
        damp_counts(damped)
        lengths = np.asarray(damped.sum(axis=1)).ravel()
        frequency = np.asarray(presence.sum(axis=0)).ravel()
        atom_words = _product(weights, damped)
        word_embeddings = np.zeros((damped.shape[1], width))
    embedding, atom_embeddings = np.zeros(width), np.zeros((n_atoms, width))
    for first in range(0, 0 if embeddings is None else n_rows, _ROWS):
        rows = slice(first, first + _ROWS)
        assert embeddings is not None
        _add_embeddings(
            (embedding, atom_embeddings, word_embeddings),
            weights[rows],
            None if presence is None else presence[rows],
            embeddings[rows],
        )
    embedded = float(embeddings is not None)
    return CorpusSums(
        n_documents=float(shares.shape[0]),
        n_distinct=float(n_rows),
        n_embedded=embedded * n_rows,
        atom_mass=column_sums(shares),
        distinct_atom_mass=mass,
        embedded_atom_mass=embedded * mass,
        atom_pairs=_product(weights, sp.csr_matrix(sp.diags(lengths) @ weights)),
        embedding=embedding,
        atom_embeddings=atom_embeddings,
        atom_words=atom_words,
        document_frequency=frequency,
        embedded_document_frequency=None if frequency is None else embedded * frequency,
        word_embeddings=word_embeddings,
    )


def damp_counts(counts: sp.csr_matrix) -> None:
    """Damp counts (n, V) of words in place, to log2(1 + count) of texts of a page at most.

    Those of a text whose words stand in it more than `_REPETITION` times on average are scaled down
    to that before, so that a log file of a million lines weighs as much as a page of it. What a
    document then has above `_PAGE` is scaled down to that: one long text among short ones must not
    decide the words of a topic.
    """
    n_words = np.maximum(np.diff(counts.indptr), 1)
    mean = np.asarray(counts.sum(axis=1)).ravel() / n_words
    scale = np.minimum(1, _REPETITION / np.maximum(mean, _REPETITION))
    if (scale < 1).any():
        counts.data *= np.repeat(scale, np.diff(counts.indptr))
    np.log2(1 + counts.data, out=counts.data)
    length = np.asarray(counts.sum(axis=1)).ravel()
    if (length > _PAGE).any():
        scale = np.minimum(1, _PAGE / np.maximum(length, _PAGE))
        counts.data *= np.repeat(scale, np.diff(counts.indptr))


def _product(left: sp.csr_matrix, right: sp.csr_matrix) -> sp.csr_matrix:
    """Return ``left.T @ right`` with sorted indices."""
    rows = left.T.tocsr()

    def multiply(_: int, first: int, last: int) -> sp.csr_matrix:
        product = sp.csr_matrix(rows[first:last] @ right)
        product.sort_indices()
        return product

    parts = map_ranges(multiply, balanced_ranges(np.diff(rows.indptr), 4 * n_threads()))
    return sp.vstack(parts, format="csr")


def _add_embeddings(
    totals: tuple[np.ndarray, np.ndarray, np.ndarray | None],
    mixtures: sp.csr_matrix,
    presence: sp.csr_matrix | None,
    embeddings: np.ndarray,
) -> None:
    """Add a block of documents to the sums of embeddings: of all, of atoms, of words; in place."""
    of_all, of_atoms, of_words = totals
    units = np.asarray(embeddings, dtype=np.float64)
    norms = np.linalg.norm(units, axis=1, keepdims=True)
    units = units / np.where(norms > 0, norms, 1)
    atoms = mixtures.T.tocsr()
    words = None if presence is None else presence.T.tocsr()

    def add(_: int, first: int, last: int) -> None:
        part = np.ascontiguousarray(units[:, first:last])
        of_all[first:last] += part.sum(axis=0)
        of_atoms[:, first:last] += atoms @ part
        if words is not None and of_words is not None:
            of_words[:, first:last] += words @ part

    width = units.shape[1]
    map_ranges(add, [(i, min(i + _DIMENSIONS, width)) for i in range(0, width, _DIMENSIONS)])


def embedding_sums(sums: CorpusSums) -> EmbeddingSums:
    """Return where atoms and words lie among the embeddings; for sums with words."""
    assert sums.embedded_document_frequency is not None
    assert sums.word_embeddings is not None
    return EmbeddingSums(
        sums.n_embedded,
        sums.embedding,
        sums.embedded_atom_mass,
        sums.atom_embeddings,
        sums.embedded_document_frequency,
        sums.word_embeddings,
    )
