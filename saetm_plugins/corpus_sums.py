"""Sums over documents: all that is kept of a corpus. They add up, in any order.

The sums of two batches, shards or models added are the sums over both.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.atoms.choice import choose_sharpening
from saetm_plugins.corpus.duplicates import without_atoms
from saetm_plugins.corpus.read import Corpus, read_batch
from saetm_plugins.corpus.vectorizers import count_known_words, default_vectorizer
from saetm_plugins.files.folders import pack_csr, reserve_space, unpack_csr
from saetm_plugins.files.write import write_whole
from saetm_plugins.merging import EmbeddingSums, corpus_nearness
from saetm_plugins.numerics.arrays import column_sums
from saetm_plugins.numerics.caching import cached_property
from saetm_plugins.numerics.mixtures import normalize_activations
from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges, n_threads
from saetm_plugins.validation import check_arrays

_AXES = {
    "atom_mass": "K", "distinct_atom_mass": "K", "embedded_atom_mass": "K", "atom_pairs": "KK",
    "embedding": "d", "atom_embeddings": "Kd", "atom_words": "KV", "document_frequency": "V",
    "embedded_document_frequency": "V", "word_embeddings": "Vd", "class_mass": "KC",
    "cosine_counts": "B",
}  # fmt: skip
_SIGNED = ("embedding", "atom_embeddings", "word_embeddings")
_BLOCK = 2**18  # documents at a time: their counts are copied in float64
_ROWS = 16_384  # and their embeddings
_DIMENSIONS = 16  # columns of embeddings that one thread sums
_REPETITION = 2.0  # of a text's words, on average; one in a hundred posts of 20 Newsgroups has more
_PAGE = 200.0  # damped counts of a document; four in a hundred posts have more


class Origin(NamedTuple):
    """What sums of documents were made with: sums add up where it is the same."""

    sae: SparseAutoencoder
    vocabulary: np.ndarray | None
    sharpening: float

    def check_equal(self, other: Origin) -> None:
        """Raise a ValueError that names what differs."""
        if self is other:
            return
        for same, what in (
            (self.sae is other.sae or self.sae.has_weights_of(other.sae), "sparse autoencoders"),
            (_equal(self.vocabulary, other.vocabulary), "vocabularies"),
            (self.sharpening == other.sharpening, "sharpening"),
        ):
            if not same:
                raise ValueError(f"sums were made with different {what}, so they do not add up")


def _equal(one: Any, other: Any) -> bool:  # NumPy's takes None, but says that it does not
    return np.array_equal(one, other)


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
    origin : Origin, optional
        What the sums were made with, where :meth:`of` made them.
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
    origin: Origin | None = None

    @classmethod
    def of(
        cls,
        sae: SparseAutoencoder,
        vocabulary: Any,
        batch: Any,
        *,
        vectorizer: Any = None,
        sharpening: float | None = None,
        device: str = "auto",
    ) -> CorpusSums:
        """Sum over a batch of documents, on any machine; :meth:`SAETopicModel.from_sums` goes on.

        Parameters
        ----------
        sae : SparseAutoencoder
        vocabulary : sequence of str, or None
            The words to count, those of :class:`~saetm_plugins.scale.WordCounts` say; None: topics
            without words.
        batch : Corpus, pyarrow Table or RecordBatch, DataFrame or mapping of columns
            With a column "embedding" or "embeddings", else the first one of lists, and "text".
        vectorizer : scikit-learn CountVectorizer, optional
            How texts become words; None: :func:`saetm_plugins.text.default_vectorizer`.
        sharpening, device
            As of :class:`~saetm_plugins.SAETopicModel`.
        """
        corpus = batch if isinstance(batch, Corpus) else read_batch(batch, vocabulary is not None)
        words = None
        if vocabulary is not None:
            words = np.asarray(vocabulary, dtype=object)
            counter = count_known_words(vectorizer or default_vectorizer(0), words)
            corpus = corpus.count_words(counter, words)
        corpus = corpus.with_blank()
        if corpus.distinct is None:
            corpus = corpus.with_distinct()
        sharpening = choose_sharpening(sharpening, sae)
        mixtures, learned_from = (
            without_atoms(each, corpus.blank)
            for each in document_mixtures(sae, corpus.embeddings, sharpening, device)
        )
        kept = mixtures[~corpus.blank]
        sums = sum_documents(*corpus.take_distinct(learned_from), sae.n_features, kept)
        return dataclasses.replace(sums, origin=Origin(sae, words, sharpening))

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write one ``.safetensors`` file, with atoms and vocabulary, completely or not at all."""
        tensors: dict[str, np.ndarray] = {}
        for name, value in self.named():
            if sp.issparse(value):
                tensors |= pack_csr(name, value)
            elif value is not None:
                tensors[name] = np.atleast_1d(value)
        facts: dict[str, Any] = {}
        if (origin := self.origin) is not None:
            tensors |= {f"sae.{name}": array for name, array in origin.sae.weights().items()}
            words = None if origin.vocabulary is None else origin.vocabulary.tolist()
            facts = {"sae": origin.sae.config(), "words": words, "sharpening": origin.sharpening}
        about = {"origin": json.dumps(facts)}
        reserve_space(Path(file).parent, sum(array.nbytes for array in tensors.values()))
        write_whole(Path(file), lambda target: save_file(tensors, target, metadata=about))

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> CorpusSums:
        """Read what :meth:`save` wrote; a ValueError where it is damaged."""
        try:
            with safe_open(file, framework="numpy") as opened:
                tensors = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
                facts = json.loads(opened.metadata()["origin"])
            found: dict[str, Any] = {}
            for field in dataclasses.fields(cls):
                if f"{field.name}.data" in tensors:
                    found[field.name] = unpack_csr(field.name, tensors)
                elif field.name in tensors:
                    array = tensors[field.name]
                    found[field.name] = float(array[0]) if field.type == "float" else array
            if facts:
                weights = {
                    name.removeprefix("sae."): array
                    for name, array in tensors.items()
                    if name.startswith("sae.")
                }
                words = None if facts["words"] is None else np.array(facts["words"], dtype=object)
                sae = SparseAutoencoder(weights, **facts["sae"])
                found["origin"] = Origin(sae, words, facts["sharpening"])
            return cls(**found)
        except (SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{str(file)!r} holds no sums, or damaged ones: {error}") from error

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
            When only one has words, or they were made with different atoms, words or sharpening.
        """
        if self.origin is not None and other.origin is not None:
            self.origin.check_equal(other.origin)
        if (self.atom_words is None) != (other.atom_words is None):
            raise ValueError("one of the sums has words and the other has none")
        sums: dict[str, Any] = {}
        for name, value in self.named():
            more = getattr(other, name)
            if value is None or more is None:  # no class of one's documents is known
                sums[name] = more if value is None else value
            else:
                sums[name] = value + more
        return CorpusSums(**sums, origin=None if other.origin is None else self.origin)

    def __mul__(self, factor: float) -> CorpusSums:
        """Return the sums with every document counted `factor` times."""
        scaled: dict[str, Any] = {
            name: None if value is None else value * factor for name, value in self.named()
        }
        return CorpusSums(**scaled, origin=self.origin)

    def named(self) -> Iterator[tuple[str, Any]]:
        """Return names and values of the sums."""
        names = (name for name in self.__dataclass_fields__ if name != "origin")
        return ((name, getattr(self, name)) for name in names)

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
            origin=None,
        )


def document_mixtures(
    sae: SparseAutoencoder, embeddings: np.ndarray, sharpening: float, device: str = "auto"
) -> tuple[sp.csr_matrix, sp.csr_matrix]:
    """Return the atoms of documents twice, (n, K), float32; rows sum to 1.

    Returns
    -------
    mixtures : csr_matrix
        What documents are about: normalised cosines with their active atoms.
    learned_from : csr_matrix
        What words are learned from: normalised activations, which tell atoms apart that are alike.
    """
    activations = sae.transform(embeddings, device=device)
    weights = (sae.cosines(embeddings, activations), activations)
    mixtures, learned_from = (normalize_activations(each, sharpening) for each in weights)
    return mixtures, learned_from


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
    n_rows, total = doc_atoms.shape[0], None
    for first in range(0, max(n_rows, 1), _BLOCK):  # so that copies in float64 are small
        rows = slice(first, first + _BLOCK)
        sums = _sum_block(
            doc_atoms[rows],
            None if counts is None else counts[rows],
            None if embeddings is None else embeddings[rows],
            width,
        )
        total = sums if total is None else total + sums
    assert total is not None
    shares = doc_atoms if mixtures is None else mixtures
    n_documents = float(shares.shape[0])
    return dataclasses.replace(total, n_documents=n_documents, atom_mass=column_sums(shares))


def _sum_block(
    doc_atoms: sp.csr_matrix,
    counts: sp.csr_matrix | None,
    embeddings: np.ndarray | None,
    width: int,
) -> CorpusSums:
    weights = sp.csr_matrix(doc_atoms, dtype=np.float64)
    n_rows, n_atoms = weights.shape
    mass = np.asarray(weights.sum(axis=0)).ravel()
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
        n_documents=float(n_rows),
        n_distinct=float(n_rows),
        n_embedded=embedded * n_rows,
        atom_mass=mass,
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
