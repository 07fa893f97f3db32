"""What stages 1 and 2 know of a corpus: one value, made of sums over documents.

Emissions, keywords, centroids and merges all follow from the sums. They are computed when first
asked for and kept on the value, which never changes. Two of the same autoencoder add up:
``AtomModel.of_documents(a) + AtomModel.of_documents(b)`` is ``AtomModel.of_documents(a and b)``, so
batches, shards and models are merged exactly, in any order.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.emission import Emissions, fit_pooled_emissions
from saetm_plugins.merging import (
    MERGES,
    AtomViews,
    EmbeddingSums,
    Merge,
    atom_cooccurrence,
    atom_word_vectors,
    beside_classes,
    corpus_nearness,
    keyword_association,
    make_merge,
    spread_word_vectors,
)
from saetm_plugins.merging.labels import LabelTargets
from saetm_plugins.numerics.arrays import column_sums, index_of_words, unit_rows
from saetm_plugins.numerics.caching import cached_property
from saetm_plugins.numerics.mixtures import normalize_activations, weights_of_mixtures
from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges, n_threads
from saetm_plugins.validation import check_choice, check_dense_size, check_not_negative

_ROWS = 16_384  # documents at a time: their embeddings are copied in float64
_MOST_DOCUMENTS = 1e11  # counts of more would be refused as too large for float32
_DIMENSIONS = 16  # columns of embeddings that one thread sums
_REPETITION = 2.0  # of a text's words, on average; one in a hundred posts of 20 Newsgroups has more
_CLASS_KERNEL_WIDTH = 0.2  # of 0.05 to 0.2, the best on held-out labels of 20 Newsgroups


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
    told = (sae.cosines(embeddings, activations), activations)
    mixtures, learned_from = (normalize_activations(each, sharpening) for each in told)
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
    weights = sp.csr_matrix(doc_atoms, dtype=np.float64)
    n_rows, n_atoms = weights.shape
    mass = np.asarray(weights.sum(axis=0)).ravel()
    shares = weights if mixtures is None else mixtures
    lengths = np.ones(n_rows)
    words: dict[str, Any] = {}
    presence = None
    if counts is not None:
        damped = sp.csr_matrix(counts, dtype=np.float64, copy=True)
        damped.eliminate_zeros()
        presence = sp.csr_matrix(
            (np.ones(damped.nnz), damped.indices, damped.indptr), shape=damped.shape
        )
        damp_counts(damped)
        lengths = np.asarray(damped.sum(axis=1)).ravel()
        frequency = np.asarray(presence.sum(axis=0)).ravel()
        words = {
            "atom_words": _product(weights, damped),
            "document_frequency": frequency,
            "embedded_document_frequency": np.zeros_like(frequency),
            "word_embeddings": np.zeros((damped.shape[1], width)),
        }
    sums = CorpusSums(
        n_documents=float(shares.shape[0]),
        n_distinct=float(n_rows),
        n_embedded=0.0,
        atom_mass=column_sums(shares),
        distinct_atom_mass=mass,
        embedded_atom_mass=np.zeros(n_atoms),
        atom_pairs=_product(weights, sp.csr_matrix(sp.diags(lengths) @ weights)),
        embedding=np.zeros(width),
        atom_embeddings=np.zeros((n_atoms, width)),
        **words,
    )
    if embeddings is None:
        return sums
    sums = dataclasses.replace(
        sums, n_embedded=float(n_rows), embedded_atom_mass=sums.distinct_atom_mass
    )
    if counts is not None:
        sums = dataclasses.replace(sums, embedded_document_frequency=sums.document_frequency)
    for first in range(0, n_rows, _ROWS):
        rows = slice(first, first + _ROWS)
        _add_embeddings(sums, weights[rows], None if presence is None else presence[rows],
                        embeddings[rows])  # fmt: skip
    return sums


def damp_counts(counts: sp.csr_matrix) -> None:
    """Damp counts (n, V) of words in place, to log2(1 + count) of texts that repeat little.

    Those of a text whose words stand in it more than `_REPETITION` times on average are scaled down
    to that before, so that a log file of a million lines weighs as much as a page of it.
    """
    n_words = np.maximum(np.diff(counts.indptr), 1)
    mean = np.asarray(counts.sum(axis=1)).ravel() / n_words
    scale = np.minimum(1, _REPETITION / np.maximum(mean, _REPETITION))
    if (scale < 1).any():
        counts.data *= np.repeat(scale, np.diff(counts.indptr))
    np.log2(1 + counts.data, out=counts.data)


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
    sums: CorpusSums, mixtures: sp.csr_matrix, presence: sp.csr_matrix | None, embeddings: Any
) -> None:
    """Add a block of documents to the sums of embeddings, in place."""
    units = np.asarray(embeddings, dtype=np.float64)
    norms = np.linalg.norm(units, axis=1, keepdims=True)
    units = units / np.where(norms > 0, norms, 1)
    atoms = mixtures.T.tocsr()
    words = None if presence is None else presence.T.tocsr()

    def add(_: int, first: int, last: int) -> None:
        part = np.ascontiguousarray(units[:, first:last])
        sums.embedding[first:last] += part.sum(axis=0)
        sums.atom_embeddings[:, first:last] += atoms @ part
        if words is not None and sums.word_embeddings is not None:
            sums.word_embeddings[:, first:last] += words @ part

    width = units.shape[1]
    map_ranges(add, [(i, min(i + _DIMENSIONS, width)) for i in range(0, width, _DIMENSIONS)])


@dataclass(frozen=True)
class AtomModel:
    """Atoms of a corpus: autoencoder, words, sums over documents. Add two to merge them.

    Attributes
    ----------
    sae : SparseAutoencoder
    sums : CorpusSums
    vocabulary : ndarray of shape (V,), or None
    word_vectors : ndarray of shape (V, d'), float32, or None
        Vectors of words that were given, or by the documents' encoder; a zero row: not known. None
        where the corpus alone says what words are near each other.
    sharpening : float
        Exponent on cosines and activations before they are normalised to a mixture.
    random_state : int
    solver, n_iter, device
        Of the emissions, see :func:`saetm_plugins.emission.fit_pooled_emissions`.
    label_targets : LabelTargets, optional
        Labels that topics are to have in every cut.
    classes : ndarray of shape (C,), optional
        Names of the known classes, in the order of ``sums.class_mass``; atoms of the same classes
        merge first.
    class_weight : float
        How much classes count in a merge: 0 not at all, 1 alone.
    """

    sae: SparseAutoencoder
    sums: CorpusSums
    vocabulary: np.ndarray | None = None
    word_vectors: np.ndarray | None = None
    sharpening: float = 2.0
    random_state: int = 0
    solver: str = "em"
    n_iter: int | None = None
    device: str = "auto"
    label_targets: LabelTargets | None = None
    classes: np.ndarray | None = None
    class_weight: float = 0.5
    _merges: dict[str, Merge] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.vocabulary is not None:
            check_dense_size(
                (self.n_atoms, len(self.vocabulary)), "P(word | atom)", "fewer atoms or words"
            )
        mass, names = self.sums.class_mass, self.classes
        if (None if mass is None else mass.shape[1]) != (None if names is None else len(names)):
            raise ValueError("sums.class_mass needs one of classes for each of its columns")

    @property
    def n_atoms(self) -> int:
        """Number of atoms K, dead ones included."""
        return self.sae.n_atoms

    def mixtures(self, embeddings: np.ndarray) -> sp.csr_matrix:
        """Return the atoms of documents, (n, K), float32; rows sum to 1."""
        return self.both_mixtures(embeddings)[0]

    def both_mixtures(self, embeddings: np.ndarray) -> tuple[sp.csr_matrix, sp.csr_matrix]:
        """Return :func:`document_mixtures`: the atoms of documents, and what words learn from."""
        return document_mixtures(self.sae, embeddings, self.sharpening, self.device)

    def with_documents(
        self,
        doc_atoms: sp.csr_matrix,
        counts: sp.csr_matrix | None,
        embeddings: np.ndarray | None,
        mixtures: sp.csr_matrix | None = None,
        *,
        decay: float = 1.0,
    ) -> AtomModel:
        """Return the model with more documents.

        Parameters
        ----------
        doc_atoms : csr_matrix of shape (n, K)
        counts : csr_matrix of shape (n, V), or None
        embeddings : ndarray of shape (n, d), or None
        mixtures : csr_matrix of shape (N, K), optional
            As of :func:`sum_documents`.
        decay : float, default=1.0
            What earlier documents count from now on: 1 as before, 0 nothing.

        Raises
        ------
        ValueError
            When `decay` is not a number of at least 0 and at most a million, or no word would be
            left.
        """
        check_not_negative(decay, "decay", most=1e6)
        more = sum_documents(doc_atoms, counts, embeddings, self.sae.n_features, mixtures)
        sums = more if decay == 0 else self.sums * decay + more
        if sums.n_documents > _MOST_DOCUMENTS:
            raise ValueError(f"decay={decay} makes {sums.n_documents:.2g} documents of those seen")
        if sums.document_frequency is not None and not sums.document_frequency.any():
            raise ValueError("documents hold no word of the vocabulary, and decay=0 keeps none")
        classes = None if sums.class_mass is None else self.classes
        return dataclasses.replace(self, sums=sums, classes=classes)

    def with_words(
        self, doc_atoms: sp.csr_matrix, counts: sp.csr_matrix, vocabulary: np.ndarray
    ) -> AtomModel:
        """Return the model with the words of these documents alone, over another vocabulary.

        Parameters
        ----------
        doc_atoms : csr_matrix of shape (n, K)
        counts : csr_matrix of shape (n, V)
        vocabulary : ndarray of shape (V,)
        """
        embeddings = np.asarray(doc_atoms @ self.centroids)
        weights = weights_of_mixtures(doc_atoms)
        found = sum_documents(weights, counts, embeddings, self.sae.n_features)
        of_words = ("atom_pairs", "atom_words", "document_frequency",
                    "embedded_document_frequency", "word_embeddings")  # fmt: skip
        words = {name: getattr(found, name) for name in of_words}
        return dataclasses.replace(
            self,
            sums=dataclasses.replace(self.sums, **words),
            vocabulary=vocabulary,
            word_vectors=None,
        )

    def with_vocabulary(self, vocabulary: np.ndarray) -> AtomModel:
        """Return the model over a vocabulary that holds all of its words; new words are unseen."""
        if self.vocabulary is None or np.array_equal(self.vocabulary, vocabulary):
            return self
        columns = index_of_words(self.vocabulary, vocabulary)
        vectors = self.word_vectors
        if vectors is not None:
            vectors = np.zeros((len(vocabulary), vectors.shape[1]), dtype=np.float32)
            vectors[columns] = self.word_vectors
        return dataclasses.replace(
            self,
            vocabulary=vocabulary,
            word_vectors=vectors,
            sums=self.sums.with_columns(columns, len(vocabulary)),
        )

    def with_classes(self, classes: np.ndarray) -> AtomModel:
        """Return the model over classes that hold all of its own; new ones have no documents."""
        mass = self.sums.class_mass
        if self.classes is None or mass is None or np.array_equal(self.classes, classes):
            return self
        columns = index_of_words(self.classes, classes)
        wide = sp.csr_matrix(
            (mass.data, columns[mass.indices], mass.indptr), (self.n_atoms, len(classes))
        )
        wide.sort_indices()
        sums = dataclasses.replace(self.sums, class_mass=wide)
        return dataclasses.replace(self, sums=sums, classes=classes)

    def __add__(self, other: AtomModel) -> AtomModel:
        """Return the model of both corpora; of different vocabularies or classes, over the union.

        Words that one of them did not count are taken not to occur in its documents, and classes
        of one without classes are unknown. Settings are those of the left one.

        Raises
        ------
        ValueError
            When the autoencoders differ, mixtures were made differently, or only one has words.
        """
        _check_addable(self, other)
        left, right = self, other
        if self.vocabulary is not None and other.vocabulary is not None:
            words = self.vocabulary
            if not np.array_equal(words, other.vocabulary):
                words = np.array(sorted({*words, *other.vocabulary}), dtype=object)
            left, right = self.with_vocabulary(words), other.with_vocabulary(words)
        vectors = left.word_vectors
        if vectors is not None and right.word_vectors is not None:
            vectors = np.where(np.any(vectors, axis=1)[:, None], vectors, right.word_vectors)
        with_classes = [model for model in (left, right) if model.classes is not None]
        classes, weight = None, left.class_weight
        if with_classes:
            classes = np.unique(np.concatenate([model.classes for model in with_classes]))
            weight = with_classes[0].class_weight
            left, right = left.with_classes(classes), right.with_classes(classes)
        return dataclasses.replace(
            left,
            sums=left.sums + right.sums,
            word_vectors=vectors,
            classes=classes,
            class_weight=weight,
        )

    @cached_property
    def prevalence(self) -> np.ndarray:
        """Mean share of each atom over the documents, (K,) float32; 0 for a dead atom."""
        return (self.sums.atom_mass / max(self.sums.n_documents, 1e-300)).astype(np.float32)

    @cached_property
    def weights(self) -> np.ndarray:
        """Mean share of each atom over the documents that differ, (K,) float32; for merging."""
        sums = self.sums
        return (sums.distinct_atom_mass / max(sums.n_distinct, 1e-300)).astype(np.float32)

    @cached_property
    def centroids(self) -> np.ndarray:
        """Mean unit embedding of each atom's documents, (K, d) float32; zero for a dead atom."""
        mass = self.sums.embedded_atom_mass[:, None]
        sums = self.sums.atom_embeddings
        return np.divide(sums, mass, where=mass > 0, out=np.zeros_like(sums)).astype(np.float32)

    @cached_property
    def emissions(self) -> Emissions | None:
        """P(word | atom) and the background (paper, section 4); None without words."""
        sums = self.sums
        if sums.atom_words is None or sums.document_frequency is None:
            return None
        return fit_pooled_emissions(
            sums.atom_words,
            sums.atom_pairs,
            sums.document_frequency,
            sums.n_distinct,
            solver=self.solver,
            n_iter=self.n_iter,
            device=self.device,
            random_state=self.random_state,
        )

    @cached_property
    def keywords(self) -> sp.csr_matrix | None:
        """Association of atoms with words, (K, V) float32; None without words."""
        if self.sums.atom_words is None:
            return None
        vectors = self.word_vectors
        if vectors is not None and vectors.shape[1] != self.sae.n_features:
            vectors = None  # of another space than the documents', word2vec's say
        return keyword_association(
            self.sums.atom_words, embedding_sums(self.sums), vectors, nearness=self.sums.nearness
        )

    @cached_property
    def cooccurrence(self) -> sp.csr_matrix:
        """Association of atoms with atoms in the same documents, (K, K) float32."""
        return atom_cooccurrence(self.sums.atom_pairs)

    @cached_property
    def vectors(self) -> np.ndarray:
        """The paper's T_k, (K, d') float32; the centroids where most atoms have no keywords."""
        emissions = self.emissions
        if emissions is None or not self._have_keywords:
            return self.centroids
        vectors = self.word_vectors
        if vectors is None:
            vectors = _corpus_word_vectors(self.sums)
        return atom_word_vectors(emissions.atom_words, vectors)

    def choose_merge(self, merge: str) -> str:
        """Return the name of a merge: for "auto" the soft one with words, "kmeans" without.

        Words count where atoms that hold half of the documents or more have keywords.

        Raises
        ------
        ValueError
            When there is no such merge.
        """
        check_choice(merge, "merge", ("auto", *MERGES))
        if merge != "auto":
            return merge
        return "nmf" if self._have_keywords else "kmeans"

    @cached_property
    def _have_keywords(self) -> bool:
        """Whether atoms that hold half of the documents or more have keywords."""
        if self.keywords is None:
            return False
        return bool(2 * self.weights[np.diff(self.keywords.indptr) > 0].sum() >= 1)

    def views(self, merge: str) -> AtomViews:
        """Return the inputs of a merge.

        "nmf" and "hdbscan" get centroids of documents, the others the means of word vectors:
        densities are those of documents, as word vectors of atoms lie too close to each other.
        """
        by_documents = merge in ("nmf", "hdbscan")
        vectors = self.centroids if by_documents else self.vectors
        classes = None
        if self.sums.class_mass is not None and self.class_weight > 0:
            classes = class_preference(self.sums.class_mass, self.centroids)
            if merge != "nmf":
                vectors = beside_classes(vectors, classes, self.class_weight)
        words = self.word_vectors
        if words is not None and self.keywords is not None:
            words = spread_word_vectors(words, embedding_sums(self.sums))
        return AtomViews(
            self.weights,
            vectors,
            self.keywords,
            words,
            self.cooccurrence if merge == "nmf" and self.keywords is None else None,
            classes,
            self.class_weight,
        )

    def fitted_merge(self, merge: str) -> Merge:
        """Return a merge fitted to the atoms; made once."""
        if merge not in self._merges:
            fitted = make_merge(merge, random_state=self.random_state).fit(self.views(merge))
            self._merges[merge] = fitted
        return self._merges[merge]


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


def class_preference(class_mass: sp.csr_matrix, centroids: np.ndarray) -> np.ndarray:
    """Return how much each atom prefers each class to the others, (K, C), rows of unit length.

    An atom has few documents of a known class, so it takes those of atoms near to it as well (a
    kernel over the cosine of centroids); the classes' overall shares are then subtracted.

    Parameters
    ----------
    class_mass : csr_matrix of shape (K, C)
    centroids : ndarray of shape (K, d)
    """
    mass = class_mass.toarray().astype(np.float64)
    directions = unit_rows(centroids - centroids.mean(axis=0))
    near = np.exp((directions @ directions.T - 1) / _CLASS_KERNEL_WIDTH)
    smoothed = near @ mass
    smoothed /= smoothed.sum(axis=1, keepdims=True)
    return unit_rows(smoothed - mass.sum(axis=0) / mass.sum())


def _corpus_word_vectors(sums: CorpusSums) -> np.ndarray:
    """Return the mean embedding of each word's documents less the corpus' mean, (V, d) float32."""
    found = embedding_sums(sums)
    frequency = found.document_frequency[:, None]
    mean = found.total / max(found.n_documents, 1)
    return (found.words / np.maximum(frequency, 1) - (frequency > 0) * mean).astype(np.float32)


def _check_addable(left: AtomModel, right: AtomModel) -> None:
    if left.sae is not right.sae and not left.sae.has_weights_of(right.sae):
        raise ValueError("models can be merged where they share a sparse autoencoder; these differ")
    if left.sharpening != right.sharpening:
        raise ValueError(
            f"models were made with sharpening={left.sharpening} and {right.sharpening}"
        )
    if (left.vocabulary is None) != (right.vocabulary is None):
        raise ValueError("one of the models has words and the other has none")
