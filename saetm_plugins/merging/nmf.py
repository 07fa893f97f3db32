"""Stage 3, "nmf": the soft merge. Atoms share topics; words and atoms are merged together.

Not in the paper, which merges hard (arXiv 2511.16309, section 4): the association of atoms with
keywords is factorized, ``keywords ≈ W @ H``. Rows of H are the topics' words, rows of W the atoms'
memberships, which are then shifted to topics whose documents are near to the atom's. Without words,
the co-occurrence of atoms in documents is factorized instead. Atoms of the same known classes are
near, too; classes of a weight above a half are also columns of the factorized matrix.
Within a topic, words near its mean word vector come first; a word's vector is the encoder's joined
to the mean vector of the atoms that it is a keyword of. A word of several topics loses probability
in all but the one where it is most probable, so that topics differ in their words.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from saetm_plugins.merging.base import Merge, TopicCut, beside_classes
from saetm_plugins.merging.factorization import SparseSVD, factorize, nndsvd, solve_columns
from saetm_plugins.merging.ward import WardTree
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.parallel import matmul

_FIRST_PASSES = 3
_FOLD_IN_PASSES = 10
_CLASS_POWER = 2.4  # from the weight of classes above a half to their share of the energy
_NEAR_WIDTH = 0.15  # of the kernel over the cosine between an atom's documents and a topic's
_LEAST_SHARE = 0.03  # added to an atom's share of every topic before that kernel
_LEAST_MASS = 1e-6  # of a topic's words with vectors, for their average to hold for the others
_ATOM_WEIGHT = 0.5  # of the mean vector of a word's atoms; the word's own vector counts 1


class NMFMerge(Merge):
    """Non-negative factorization of the atoms' keywords, or of their co-occurrence; a soft merge.

    ``n_topics="auto"`` takes the knee of a Ward tree over the atoms' vectors
    (:meth:`~saetm_plugins.merging.ward.WardTree.knee`).

    Parameters
    ----------
    n_iter : int, default=12
        Passes over both factors.
    focus : float, default=4
        Where `word_vectors` are given, P(word | topic) is multiplied by this power of the cosine
        between word and topic. More: a topic's words agree in meaning; less: they occur together.
    distinctness : float, default=0.5
        P(word | topic) is divided by this power of the topic's rank for the word, the topic where
        it is most probable first. More: topics share fewer words; less: their words occur together
        more often.
    min_share : float, default=0.01
        Memberships below this share of an atom are dropped.
    random_state : int, default=0
        Of the singular vectors that the factorization starts from, above 2,048 atoms.
    """

    def __init__(
        self,
        *,
        n_iter: int = 12,
        focus: float = 4,
        distinctness: float = 0.5,
        min_share: float = 0.01,
        random_state: int = 0,
    ):
        super().__init__(random_state=random_state)
        self.n_iter = n_iter
        self.focus = focus
        self.distinctness = distinctness
        self.min_share = min_share

    def _prepare(self) -> None:
        views = self.views_
        association = views.cooccurrence if views.keywords is None else views.keywords
        if association is None:
            raise ValueError("the soft merge needs views.keywords or views.cooccurrence")
        association = sp.csr_matrix(association, dtype=np.float32)
        self._n_words = association.shape[1]
        association = association[self.live_]
        association.eliminate_zeros()
        if association.nnz == 0:
            raise ValueError(
                'no live atom has a keyword or occurs with another; use merge="kmeans"'
            )
        self._words = np.unique(association.indices)
        self._matrix = association[:, self._words]
        if views.classes is not None:
            self._matrix = _beside_classes(
                self._matrix, views.classes[self.live_], views.class_weight
            )
        self._transposed = self._matrix.T.tocsr()
        self._svd = SparseSVD(self._matrix, self.random_state)
        self._prevalence = np.asarray(views.prevalence, dtype=np.float32)[self.live_]
        self._unit_vectors = unit_rows(views.vectors[self.live_])
        mean = np.average(self._unit_vectors, axis=0, weights=self._prevalence)
        self._offsets = self._unit_vectors - mean
        self._near_points = self._offsets
        if views.classes is not None:  # atoms of the same classes are near, too
            classes = views.classes[self.live_]
            self._near_points = beside_classes(self._offsets, classes, views.class_weight)
        self._word_vectors = None
        if views.keywords is not None and views.word_vectors is not None:
            self._word_vectors = self._join_vectors(unit_rows(views.word_vectors[self._words]))
            self._known = views.word_vectors[self._words].any(axis=1)

    def _join_vectors(self, by_meaning: np.ndarray) -> np.ndarray:
        """Return `by_meaning` (V, d') beside the mean vector of a word's atoms, of unit length."""
        by_atoms = unit_rows(self._transposed[: len(self._words)] @ self._offsets)
        return unit_rows(np.hstack([by_meaning, np.float32(_ATOM_WEIGHT) * by_atoms]))

    def _auto_count(self) -> int:
        return WardTree(self._unit_vectors, self.views_.prevalence[self.live_]).knee()

    def _cut(self, n_topics: int) -> TopicCut:
        rows, columns = nndsvd(self._svd, n_topics)
        # Some topics lose all words in the first passes; those that replace them need passes, too.
        settled = min(_FIRST_PASSES, self.n_iter)
        for n_iter in (settled, self.n_iter - settled):
            factorize(self._matrix, self._transposed, rows, columns, n_iter=n_iter)
            self._revive(rows, columns)
        memberships = self._memberships(rows * columns.sum(axis=0))
        mass = np.asarray(self.views_.prevalence)[self.live_] @ memberships
        order = np.argsort(-mass, kind="stable")
        atom_topics = self._spread(memberships[:, order])
        if self.views_.keywords is None:
            return TopicCut(atom_topics)
        return TopicCut(atom_topics, self._topic_words(columns[:, order]))

    def words_of(self, atom_topics: sp.csr_matrix) -> np.ndarray:
        """Return the words (T, V) of topics with given memberships, a CSR matrix (K, T).

        The factorization is solved for the words alone. Rows sum to 1; the row of a topic whose
        atoms have no keywords is zero.
        """
        strength = np.asarray(self._matrix.sum(axis=1))
        rows = np.asarray(atom_topics[self.live_].multiply(strength).todense(), dtype=np.float32)
        columns = np.asarray(self._transposed @ rows, dtype=np.float32)
        columns /= np.maximum(columns.sum(axis=0), np.finfo(np.float32).tiny)
        solve_columns(self._transposed, rows, columns, n_iter=_FOLD_IN_PASSES)
        return self._topic_words(columns)

    def _topic_words(self, columns: np.ndarray) -> np.ndarray:
        """Return P(word | topic), (T, V), from the factor of words and classes."""
        words = np.ascontiguousarray(columns[: len(self._words)].T)
        mass = words.sum(axis=1, keepdims=True)
        found = mass[:, 0] > 0
        words[found] /= mass[found]
        focused = words[found]
        self._focus(focused)
        self._tell_apart(focused)
        topic_words = np.zeros((len(words), self._n_words), dtype=np.float32)
        topic_words[np.ix_(found, self._words)] = focused
        return topic_words

    def _revive(self, rows: np.ndarray, columns: np.ndarray) -> None:
        """Give each topic that lost its words or its atoms one of the worst explained atoms."""
        empty = np.flatnonzero((rows.max(axis=0) <= 0) | (columns.max(axis=0) <= 0))
        if len(empty) == 0:
            return
        squares = np.asarray(self._matrix.multiply(self._matrix).sum(axis=1)).ravel()
        explained = np.einsum("kt,kt->k", self._matrix @ columns, rows)
        worst = np.argsort(explained - squares, kind="stable")[: len(empty)]
        for topic, atom in zip(empty, worst, strict=True):
            # Added to what the atom has, so that no other topic loses its last atom.
            rows[atom, topic] = max(rows[atom].max(), 1)
            words = self._matrix[atom].toarray().ravel()
            columns[:, topic] = words if words.any() else 1 / len(words)

    def _focus(self, topic_words: np.ndarray) -> None:
        """Weight each topic's words (T, V), in place, by nearness to its mean word vector."""
        if self._word_vectors is None or self.focus == 0:
            return
        known = topic_words * self._known
        vectors = torch.from_numpy(self._word_vectors)
        centres = unit_rows(matmul(torch.from_numpy(known), vectors).numpy())
        near = matmul(torch.from_numpy(centres), vectors.T).numpy()
        near = np.maximum(near, 1e-3) ** np.float32(self.focus)
        # A word without a vector counts as near as the topic's other words on average, if they
        # have enough mass for an average.
        mass = known.sum(axis=1, keepdims=True)
        average = np.divide((known * near).sum(axis=1, keepdims=True), mass,
                            where=mass > _LEAST_MASS, out=np.ones_like(mass))  # fmt: skip
        topic_words *= np.where(self._known, near, average)
        topic_words /= topic_words.sum(axis=1, keepdims=True)

    def _tell_apart(self, topic_words: np.ndarray) -> None:
        """Divide P(word | topic), (T, V), in place, by a power of the topic's rank by word."""
        if self.distinctness == 0:
            return
        flat = topic_words.reshape(-1)
        entries = np.flatnonzero(flat)
        values, words = flat[entries], entries % topic_words.shape[1]
        # One sort: by word, then falling probability, whose bits as an integer keep its order.
        falling = ~values.view(np.uint32)
        order = np.argsort((words.astype(np.uint64) << np.uint64(32)) | falling)
        n_topics = np.bincount(words)  # that hold each word
        first = np.repeat(np.cumsum(n_topics) - n_topics, n_topics)
        rank = np.empty(len(entries), dtype=np.float32)
        rank[order] = 1 + np.arange(len(entries)) - first
        flat[entries] = values / rank ** np.float32(self.distinctness)
        topic_words /= topic_words.sum(axis=1, keepdims=True)

    def _memberships(self, shares: np.ndarray) -> np.ndarray:
        """Return `shares` (n_live, T) pruned, with rows that sum to 1 and no empty row."""
        shares = self._draw_to_documents(_rows_to_one(shares))
        strongest = shares.max(axis=0)
        shares[(shares < self.min_share) & (shares < strongest)] = 0
        total = shares.sum(axis=1)
        lost = np.flatnonzero(total <= 0)
        if len(lost):
            centres = unit_rows(shares.T @ self._unit_vectors)
            shares[lost, np.argmax(self._unit_vectors[lost] @ centres.T, axis=1)] = 1
            total[lost] = 1
        return shares / total[:, None]

    def _draw_to_documents(self, shares: np.ndarray) -> np.ndarray:
        """Return `shares` (n_live, T) times a kernel of the nearness of atom and topic."""
        weights = torch.from_numpy(np.ascontiguousarray(shares.T * self._prevalence))
        centres = unit_rows(matmul(weights, torch.from_numpy(self._near_points)).numpy())
        directions = torch.from_numpy(unit_rows(self._near_points))
        near = matmul(directions, torch.from_numpy(centres).T).numpy()
        near = np.exp((near - 1) / np.float32(_NEAR_WIDTH))
        return _rows_to_one(np.sqrt(shares + np.float32(_LEAST_SHARE)) * near)

    def _spread(self, memberships: np.ndarray) -> sp.csr_matrix:
        """Return live rows as a sparse (K, T) matrix over all atoms."""
        live = sp.csr_matrix(memberships)
        indptr = np.zeros(len(self.views_.prevalence) + 1, dtype=live.indptr.dtype)
        indptr[self.live_ + 1] = np.diff(live.indptr)
        np.cumsum(indptr, out=indptr)
        shape = (len(self.views_.prevalence), memberships.shape[1])
        return sp.csr_matrix((live.data, live.indices, indptr), shape=shape)


def _rows_to_one(shares: np.ndarray) -> np.ndarray:
    """Return `shares` with rows that sum to 1; rows of zeros stay."""
    total = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, total, where=total > 0, out=np.zeros_like(shares))


def _beside_classes(
    association: sp.csr_matrix, classes: np.ndarray, class_weight: float
) -> sp.csr_matrix:
    """Return the association with columns of classes, which hold a share of the energy.

    Up to a weight of a half the share is 0, and classes do not change the words of topics.
    """
    share = min(max(0.0, 2 * class_weight - 1) ** _CLASS_POWER, 0.99)
    if share == 0:
        return association
    squares = np.asarray(association.multiply(association).sum(axis=1))
    scale = np.sqrt(squares.mean() * share / (1 - share))
    preferred = sp.csr_matrix(np.maximum(classes, 0) * scale, dtype=np.float32)
    return sp.hstack([association * np.sqrt(1 - share), preferred], format="csr", dtype=np.float32)
