"""What stages 1 and 2 know of a corpus: one value, made of sums over documents.

Emissions, keywords, centroids and merges all follow from the sums. They are computed when first
asked for and kept on the value, which never changes. Two of the same autoencoder add up:
``AtomModel.of_documents(a) + AtomModel.of_documents(b)`` is ``AtomModel.of_documents(a and b)``, so
batches, shards and models are merged exactly, in any order.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.atoms.nearness import near_atoms, nearest_cosines
from saetm_plugins.corpus_sums import (
    CorpusSums,
    document_mixtures,
    embedding_sums,
    sum_documents,
)
from saetm_plugins.emission import Emissions, fit_pooled_emissions
from saetm_plugins.merging import (
    MERGES,
    AtomViews,
    Merge,
    NMFMerge,
    atom_cooccurrence,
    atom_word_vectors,
    beside_classes,
    keyword_association,
    make_merge,
    spread_word_vectors,
)
from saetm_plugins.merging.labels import LabelTargets
from saetm_plugins.numerics.arrays import index_of_words, unit_rows
from saetm_plugins.numerics.caching import cached_property
from saetm_plugins.numerics.mixtures import mix_words, weights_of_mixtures
from saetm_plugins.validation import (
    check_arrays,
    check_choice,
    check_count,
    check_dense_size,
    check_fraction,
    check_not_negative,
    resolve_device,
)

NEAR_SHARE = np.float32(0.5)
"""Of a document's mixture: what it is near to, beside what it activates. Fresh atoms leave half of
a new document's variance unexplained, those that ship with the package 0.4."""
EMITTED_SHARE = np.float32(0.3)
"""Of a topic's words: more raises the likelihood of documents, less the words' coherence."""
_COSINE_BINS = np.linspace(-1, 1, 1001)
_MOST_DOCUMENTS = 1e11  # counts of more would be refused as too large for float32
_CLASS_KERNEL_WIDTH = 0.2  # of 0.05 to 0.2, the best on held-out labels of 20 Newsgroups


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
        sums = self.sums
        n_words = None if sums.document_frequency is None else len(sums.document_frequency)
        n_classes = None if sums.class_mass is None else sums.class_mass.shape[1]
        expected = (
            (sums.atom_embeddings.shape, (self.sae.n_atoms, self.sae.n_features), "atoms"),
            (n_words, None if self.vocabulary is None else len(self.vocabulary), "words"),
            (n_classes, None if self.classes is None else len(self.classes), "classes"),
        )
        for found, wanted, what in expected:
            if found != wanted:
                raise ValueError(f"sums are of {found} {what}; the model has {wanted}")
        if not 0 < sums.n_documents < 1e12:
            raise ValueError(f"sums are of {sums.n_documents:g} documents")
        if self.word_vectors is not None:
            check_arrays(self, {"word_vectors": "Vd"}, signed=("word_vectors",))
            if len(self.word_vectors) != n_words:
                raise ValueError(f"word_vectors has {len(self.word_vectors)} rows, not {n_words}")
        if self.label_targets is not None:
            vectors, shape = self.label_targets.vectors, (len(self.label_targets.labels),)
            if vectors.shape != (*shape, self.sae.n_features) or not np.isfinite(vectors).all():
                raise ValueError(f"label_targets has vectors of shape {vectors.shape}")
        check_count(self.random_state, "random_state", minimum=0)
        check_choice(self.solver, "solver", ("em", "adam"))
        check_fraction(self.class_weight, "class_weight", closed=True)
        check_not_negative(self.sharpening, "sharpening", most=50)
        if self.n_iter is not None:
            check_count(self.n_iter, "n_iter")
        if not isinstance(self.device, str):
            raise TypeError(f"device must be a name; found {self.device!r}")

    @property
    def n_atoms(self) -> int:
        """Number of atoms K, dead ones included."""
        return self.sae.n_atoms

    def mixtures(self, embeddings: np.ndarray) -> sp.csr_matrix:
        """Return the atoms of documents, (n, K), float32; rows sum to 1.

        Half of a mixture are the atoms that a document activates, half those that it is near to.
        """
        return self.with_near_atoms(self.both_mixtures(embeddings)[0], embeddings)

    def with_near_atoms(self, activated: sp.csr_matrix, embeddings: np.ndarray) -> sp.csr_matrix:
        """Return the mixtures of documents whose activated atoms (n, K) are known already."""
        mass, n_embedded = self.sums.embedded_atom_mass, self.sums.n_embedded
        if not mass.any():
            return activated
        mean = self.sums.embedding / n_embedded
        near = near_atoms(embeddings, self.centroids, mass, mean, resolve_device(self.device))
        near.data *= np.repeat(NEAR_SHARE * (np.diff(activated.indptr) > 0), np.diff(near.indptr))
        mixed = sp.csr_matrix(activated * (1 - NEAR_SHARE) + near)
        mixed.sort_indices()
        return mixed

    def outlier_scores(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the share of the fitted documents that lie nearer to the atoms, (n,) float32.

        Raises
        ------
        ValueError
            When no fitted document had an embedding.
        """
        counts = self.sums.cosine_counts
        if counts is None or not counts.any():
            raise ValueError("the model was fitted without embeddings: nothing is far from it")
        nearer = np.append(np.cumsum(counts[::-1])[::-1], 0)[1:] + counts / 2
        cosines = nearest_cosines(embeddings, *self._places)
        bins = np.digitize(cosines, _COSINE_BINS[1:-1])
        return (nearer[bins] / counts.sum()).astype(np.float32)

    def with_cosines_of(self, embeddings: np.ndarray, own: sp.csr_matrix) -> AtomModel:
        """Return the model that knows how near these fitted documents are to the others.

        Parameters
        ----------
        embeddings : ndarray of shape (n, d)
        own : csr_matrix of shape (n, K)
            What words were learned from, see :func:`document_mixtures`.
        """
        cosines = nearest_cosines(embeddings, *self._places, own)
        counts = np.histogram(cosines, _COSINE_BINS)[0].astype(np.float64)
        before = self.sums.cosine_counts
        counts = counts if before is None else before + counts
        return dataclasses.replace(self, sums=dataclasses.replace(self.sums, cosine_counts=counts))

    @property
    def _places(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Where the atoms lie: sums of embeddings, mass, and the mean of the corpus."""
        sums = self.sums
        mean = sums.embedding / max(sums.n_embedded, 1e-300)
        return sums.atom_embeddings, sums.embedded_atom_mass, mean

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

    def topic_words(self, atom_topics: sp.csr_matrix, words_from: str) -> np.ndarray:
        """Return P(word | topic), (T, V) float32, of topics given by their atoms.

        Parameters
        ----------
        atom_topics : csr_matrix of shape (K, T)
        words_from : {"keywords", "emissions"}
            As of :class:`~saetm_plugins.topics.Topics`.
        """
        if words_from == "emissions" or self.keywords is None or not self.keywords.nnz:
            return self._emitted_words(atom_topics)
        merge = self.fitted_merge("nmf")
        assert isinstance(merge, NMFMerge)
        return self.mix_emissions(atom_topics, merge.words_of(atom_topics))

    def mix_emissions(self, atom_topics: sp.csr_matrix, topic_words: np.ndarray) -> np.ndarray:
        """Mix emitted words into the words that a merge found, so that none has probability 0."""
        words = topic_words * (1 - EMITTED_SHARE)
        words += EMITTED_SHARE * self._emitted_words(atom_topics)
        return words / words.sum(axis=1, keepdims=True)

    def _emitted_words(self, atom_topics: sp.csr_matrix) -> np.ndarray:
        """Return the paper's P(w|t) = Σ_k W_kt θ̄_k B_kw / Σ_k W_kt θ̄_k."""
        assert self.emissions is not None
        return mix_words(atom_topics, self.weights, self.emissions.atom_words)


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
