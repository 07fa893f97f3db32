"""Stage 3, "nmf": the soft merge. Atoms share topics; words and atoms are merged together.

Not in the paper, which merges hard (arXiv 2511.16309, section 4): the association of atoms with
keywords is factorized, ``keywords ≈ W @ H``. Rows of H are the topics' words, rows of W the atoms'
memberships, which are then drawn to the topics whose documents are near to the atom's. Where there
are no words, the co-occurrence of atoms in documents is factorized in the same way. Known classes
draw atoms to topics, too; those that weigh more than words do are further columns beside them.
Within a topic, words near its mean word vector come first, where a word's vector is the encoder's
beside the mean vector of the atoms that it is a keyword of. A word that several topics hold counts
most in the one where it is most probable, so that topics differ in their words.
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
_LEAST_SHARE = 0.03  # of an atom in each topic before that, so that nearness alone may raise it
_LEAST_MASS = 1e-6  # of the words of a topic that have vectors, for these to speak for the others
_ATOM_WEIGHT = 0.5  # of a word's atoms beside its own vector; more: diversity up, intruder down


class NMFMerge(Merge):
    """Non-negative factorization of the atoms' keywords, or of their co-occurrence; a soft merge.

    ``n_topics="auto"`` takes the knee of the inertia curve of a Ward tree over the atoms'
    vectors (:meth:`~saetm_plugins.merging.ward.WardTree.knee`).

    Parameters
    ----------
    n_iter : int, default=12
        Passes over both factors.
    focus : float, default=4
        Power of the cosine between a word's vector and its topic's that a topic's words are
        weighted by, where `word_vectors` are given; 0 leaves them as they are. More: topics whose
        words agree in meaning; less: whose words occur together.
    distinctness : float, default=0.5
        Power of a topic's rank among those that hold a word, the one where it is most probable
        first, that its probability is divided by; 0 leaves it as it is. More: topics share fewer
        words; less: their words occur together more often.
    min_share : float, default=0.01
        Memberships below this share of an atom are dropped, so that documents stay sparse.
    random_state : int, default=0
        Of the singular vectors that it starts from, where there are more than 2,048 atoms; with
        fewer they are exact.
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
                'no live atom has a keyword, or occurs with another; merge="kmeans" needs neither'
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
        self._places = self._unit_vectors - mean
        self._near_by = self._places
        if views.classes is not None:  # atoms of the same classes are near, too
            classes = views.classes[self.live_]
            self._near_by = beside_classes(self._places, classes, views.class_weight)
        self._word_vectors = None
        if views.keywords is not None and views.word_vectors is not None:
            self._word_vectors = self._place_words(unit_rows(views.word_vectors[self._words]))
            self._known = views.word_vectors[self._words].any(axis=1)

    def _place_words(self, by_meaning: np.ndarray) -> np.ndarray:
        """Return `by_meaning` (V, d') beside the mean vector of a word's atoms, of unit length."""
        by_atoms = unit_rows(self._transposed[: len(self._words)] @ self._places)
        return unit_rows(np.hstack([by_meaning, np.float32(_ATOM_WEIGHT) * by_atoms]))

    def _auto_count(self) -> int:
        return WardTree(self._unit_vectors, self.views_.prevalence[self.live_]).knee()

    def _cut(self, n_topics: int) -> TopicCut:
        rows, columns = nndsvd(self._svd, n_topics)
        # Topics die in the first passes, while the largest take all; what is put in their place
        # needs passes to settle.
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
        """Return the words of topics that are given by their atoms, not cut here.

        The factorization is solved for the words alone, with the memberships held.

        Parameters
        ----------
        atom_topics : csr_matrix of shape (K, T)

        Returns
        -------
        ndarray of shape (T, V), float32
            Rows sum to 1; a topic none of whose atoms has a keyword has a row of zeros.
        """
        strength = np.asarray(self._matrix.sum(axis=1))
        rows = np.asarray(atom_topics[self.live_].multiply(strength).todense(), dtype=np.float32)
        columns = np.asarray(self._transposed @ rows, dtype=np.float32)
        columns /= np.maximum(columns.sum(axis=0), np.finfo(np.float32).tiny)
        solve_columns(self._transposed, rows, columns, n_iter=_FOLD_IN_PASSES)
        return self._topic_words(columns)

    def _topic_words(self, columns: np.ndarray) -> np.ndarray:
        """Return P(word | topic), (T, V), of the factor of words (and classes, which go)."""
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
        """Give every topic that lost its words or its atoms the worst explained atom left."""
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
        # A word without a vector is taken to be as near as the topic's words are on average.
        mass = known.sum(axis=1, keepdims=True)
        # Where those with one are almost none of the topic, their products would vanish.
        average = np.divide((known * near).sum(axis=1, keepdims=True), mass,
                            where=mass > _LEAST_MASS, out=np.ones_like(mass))  # fmt: skip
        topic_words *= np.where(self._known, near, average)
        topic_words /= topic_words.sum(axis=1, keepdims=True)

    def _tell_apart(self, topic_words: np.ndarray) -> None:
        """Divide P(word | topic), (T, V), in place, by a power of the topic's rank for the word."""
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
        """Return `shares` (n_live, T) times a kernel of how near the documents of both lie."""
        weights = torch.from_numpy(np.ascontiguousarray(shares.T * self._prevalence))
        centres = unit_rows(matmul(weights, torch.from_numpy(self._near_by)).numpy())
        directions = torch.from_numpy(unit_rows(self._near_by))
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

    Up to a weight of a half they hold none: classes then say which topics an atom belongs to, and
    the topics' words are those of the corpus alone (benchmarks/RESULTS.md).
    """
    share = min(max(0.0, 2 * class_weight - 1) ** _CLASS_POWER, 0.99)
    if share == 0:
        return association
    squares = np.asarray(association.multiply(association).sum(axis=1))
    scale = np.sqrt(squares.mean() * share / (1 - share))
    preferred = sp.csr_matrix(np.maximum(classes, 0) * scale, dtype=np.float32)
    return sp.hstack([association * np.sqrt(1 - share), preferred], format="csr", dtype=np.float32)
