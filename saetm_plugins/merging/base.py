"""Stage 3, the interface of all merges: their inputs and what they return.

The paper (arXiv 2511.16309, section 4) merges atoms into any number of topics after training. A
merge is fitted once to :class:`AtomViews`, then cut to any number of topics.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.validation import check_count


class AtomViews(NamedTuple):
    """The inputs of a merge; their size does not depend on the number of documents."""

    prevalence: np.ndarray
    """Mean of `doc_atoms` over the documents, (K,); 0 marks a dead atom."""
    vectors: np.ndarray
    """Word-vector means (the paper's T_k), centroids of documents, or decoder rows, (K, d)."""
    keywords: sp.csr_matrix | None = None
    """For the soft merge: non-negative association of atoms with words, (K, V)."""
    word_vectors: np.ndarray | None = None
    """For the soft merge to order a topic's words by: the encoder's, (V, d'), 0 where unknown."""
    cooccurrence: sp.csr_matrix | None = None
    """For the soft merge without keywords: non-negative association of atoms, (K, K)."""
    classes: np.ndarray | None = None
    """For the soft merge (in others part of `vectors`): unit preferences for classes, (K, C)."""
    class_weight: float = 0.5
    """How much `classes` count: 0 not at all, 1 alone."""


class TopicCut(NamedTuple):
    """Topics as weighted sets of atoms, the topic of largest prevalence first."""

    atom_topics: sp.csr_matrix
    """(K, T), float32; rows of live atoms sum to 1, those of dead atoms and outliers are empty."""
    topic_words: np.ndarray | None = None
    """P(word | topic), (T, V), float32; None where words follow from the atoms' emissions."""


class Merge(ABC):
    """Base of all merges: ``fit`` once, ``cut`` to any number of topics.

    Parameters
    ----------
    random_state : int, default=0
        Seed; the same seed gives the same cut, bit for bit.
    """

    def __init__(self, *, random_state: int = 0):
        self.random_state = random_state

    def fit(self, views: AtomViews) -> Merge:
        """Do once what every cut shares; return this object."""
        if not np.any(views.prevalence > 0):
            n_atoms = len(views.prevalence)
            raise ValueError(f"no atom is alive: the prevalence of all {n_atoms} atoms is 0")
        self.views_ = views
        self.live_ = np.flatnonzero(views.prevalence > 0)
        self._prepare()
        return self

    def cut(self, n_topics: int | str = "auto") -> TopicCut:
        """Merge the live atoms into topics.

        Parameters
        ----------
        n_topics : int or "auto", default="auto"
            "auto": the merge's own count, by the criterion that its class states.

        Returns
        -------
        TopicCut
            No topic is empty; topics in order of falling prevalence.
        """
        if not hasattr(self, "live_"):
            raise RuntimeError(f"{type(self).__name__} is not fitted; call fit(views) first")
        if isinstance(n_topics, str):
            if n_topics != "auto":
                raise ValueError(f'n_topics must be an integer or "auto"; found {n_topics!r}')
            return self._cut(self._auto_count())
        n_topics = check_count(n_topics, "n_topics")
        if n_topics > len(self.live_):
            raise ValueError(f"n_topics={n_topics} is more than the {len(self.live_)} live atoms")
        return self._cut(n_topics)

    @abstractmethod
    def _prepare(self) -> None:
        """Compute what all cuts share, from ``views_`` and ``live_``."""

    @abstractmethod
    def _auto_count(self) -> int:
        """Return the number of topics for ``n_topics="auto"``."""

    @abstractmethod
    def _cut(self, n_topics: int) -> TopicCut:
        """Return the cut; `n_topics` is already checked."""


def hard_cut(labels: np.ndarray, live: np.ndarray, prevalence: np.ndarray) -> TopicCut:
    """Build the cut of a hard merge, topics ordered by falling prevalence.

    `labels` (n_live,) has the topic, or a negative number, of each of the `live` atoms.
    """
    n_topics = int(labels.max(initial=-1)) + 1
    member = labels >= 0
    atoms, topics = live[member], labels[member]
    mass = np.bincount(topics, weights=prevalence[atoms], minlength=n_topics)
    rank = np.empty(n_topics, dtype=np.int32)
    rank[np.argsort(-mass, kind="stable")] = np.arange(n_topics, dtype=np.int32)
    indptr = np.zeros(len(prevalence) + 1, dtype=np.int32)
    indptr[atoms + 1] = 1
    np.cumsum(indptr, out=indptr)
    weights = np.ones(len(atoms), dtype=np.float32)
    return TopicCut(
        sp.csr_matrix((weights, rank[topics], indptr), shape=(len(prevalence), n_topics))
    )


def beside_classes(vectors: np.ndarray, classes: np.ndarray, class_weight: float) -> np.ndarray:
    """Return unit vectors of atoms (K, d) with their classes (K, C) as further dimensions.

    A `class_weight` of 0 counts the vectors alone, 1 the classes alone.
    """
    by_vectors = np.float32((1 - class_weight) ** 0.5) * unit_rows(vectors)
    return np.hstack([by_vectors, np.float32(class_weight**0.5) * classes])
