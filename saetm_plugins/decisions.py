"""What was decided about documents, by hand or by a name they are near to, above their mixtures.

Documents of one decision are a group, and a group knows the topics that it may belong to. Every
edit of topics maps these as it maps topics (:mod:`saetm_plugins.topics`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from saetm_plugins.numerics.arrays import unit_rows

UNDECIDED = 0
"""The group of documents whose mixture decides: their main topic, or none."""
IN_A_TOPIC = 1
"""The group of documents whose mixture decides, but that are no outliers."""
_FIRST = 2  # group of a decision


@dataclass(frozen=True)
class Decisions:
    """Groups of fitted documents, and the topics that each group may belong to.

    A document belongs to the largest of its group's topics.

    Attributes
    ----------
    groups : ndarray of shape (n,), int64
        The group of each fitted document: :data:`UNDECIDED`, :data:`IN_A_TOPIC`, then one of each
        name, then those made by hand.
    allowed : ndarray of shape (n_groups, T), bool
        Topics of each group; a group without any belongs to topic -1. What the first group may not
        belong to are topics of names alone.
    names : ndarray of shape (M, d), float32
        Embeddings of names, rows of length 1: a document near to one is of its group.
    min_similarity : float
        The cosine from which on a document is near to a name.
    """

    groups: np.ndarray
    allowed: np.ndarray
    names: np.ndarray
    min_similarity: float = 0.0

    def __post_init__(self) -> None:
        n_groups = len(self.allowed)
        if self.allowed.dtype != bool or self.names.ndim != 2 or not np.isfinite(self.names).all():
            raise ValueError(
                "decisions hold topics that are no booleans, or names that are no rows"
            )
        if n_groups < _FIRST + len(self.names):
            raise ValueError(f"decisions hold {n_groups} groups for {len(self.names)} names")
        if self.groups.size and not 0 <= self.groups.min() <= self.groups.max() < n_groups:
            raise ValueError("decisions hold groups that are not there")

    @classmethod
    def none(cls, n_documents: int, n_topics: int) -> Decisions:
        """Return that nothing was decided about `n_documents` documents."""
        allowed = np.ones((_FIRST, n_topics), dtype=bool)
        return cls(np.zeros(n_documents, np.int64), allowed, np.zeros((0, 0), np.float32))

    @classmethod
    def of_names(
        cls, vectors: np.ndarray, min_similarity: float, embeddings: np.ndarray
    ) -> Decisions:
        """Return the groups of documents by the names they are near to; topics are still none.

        Parameters
        ----------
        vectors : array-like of shape (M, d)
        min_similarity : float
        embeddings : ndarray of shape (n, d)
        """
        names = unit_rows(vectors)
        allowed = np.ones((_FIRST + len(names), 0), dtype=bool)
        made = cls(np.zeros(0, np.int64), allowed, names, float(min_similarity))
        return replace(made, groups=made.near(embeddings))

    @property
    def closed(self) -> np.ndarray:
        """Topics (m,) that documents belong to by a name alone."""
        return np.flatnonzero(~self.allowed[UNDECIDED])

    @property
    def all_by_hand(self) -> bool:
        """Whether every document was given its topic by hand."""
        return bool(self.groups.size and self.groups.min() >= _FIRST + len(self.names))

    def near(self, embeddings: np.ndarray) -> np.ndarray:
        """Return the groups (n,) of documents by their embeddings (n, d), a name's or undecided."""
        groups = np.zeros(len(embeddings), dtype=np.int64)
        if len(self.names):
            cosines = unit_rows(np.asarray(embeddings, dtype=np.float32)) @ self.names.T
            found = cosines.max(axis=1) >= self.min_similarity
            groups[found] = _FIRST + cosines[found].argmax(axis=1)
        return groups

    def of_documents(self, groups: np.ndarray) -> Decisions:
        """Return the decisions with other documents, given by their groups."""
        last = _FIRST + len(self.names)
        used = np.unique(groups[groups >= last])  # of those made by hand
        number = np.arange(len(self.allowed))
        number[used] = last + np.arange(len(used))
        allowed = np.vstack([self.allowed[:last], self.allowed[used]])
        return replace(self, groups=number[groups], allowed=allowed)

    def assign(self, rows: np.ndarray, topics: np.ndarray) -> Decisions:
        """Give documents to topics by hand.

        Parameters
        ----------
        rows : ndarray of shape (m,), int
            Which of the fitted documents.
        topics : ndarray of shape (m,), int
            Their topics, -1 for none.
        """
        given, group = np.unique(topics, return_inverse=True)
        chosen = given[:, None] == np.arange(self.allowed.shape[1])
        groups = self.groups.copy()
        groups[rows] = len(self.allowed) + group
        allowed = np.vstack([self.allowed, chosen])
        return replace(self, allowed=allowed).of_documents(groups)

    def select(self, topics: np.ndarray) -> Decisions:
        """Return what :meth:`Topics.select` leaves; groups that have lost all are undecided."""
        allowed = self.allowed[:, topics]
        if not allowed[UNDECIDED].any():
            allowed[:_FIRST] = True
        allowed[self.allowed.any(axis=1) & ~allowed.any(axis=1)] = allowed[UNDECIDED]
        return replace(self, allowed=allowed)

    def map(self, topics: np.ndarray) -> Decisions:
        """Return the decisions about other topics, `topics` (T, T') telling which come of which."""
        return replace(self, allowed=(self.allowed.astype(np.int64) @ topics) > 0)

    def carry(self, overlap: np.ndarray) -> Decisions:
        """Return the decisions about a new cut, the topics of names first.

        What was given a topic goes with it: to the topic that has the most of it.

        Parameters
        ----------
        overlap : ndarray of shape (T, T')
            The weight that topics of now and then share.
        """
        closed, n_closed = self.closed, len(self.closed)
        open_then = np.arange(overlap.shape[1]) >= n_closed
        allowed = np.zeros((len(self.allowed), overlap.shape[1]), dtype=bool)
        for group, topics in enumerate(self.allowed):
            own = topics & self.allowed[UNDECIDED]
            made_by_hand = group >= _FIRST + len(self.names)
            is_free = not made_by_hand and (topics == self.allowed[UNDECIDED]).all()
            allowed[group, :n_closed] = topics[closed]
            if is_free:
                allowed[group] |= open_then
            elif own.any():
                allowed[group, n_closed + overlap[own, n_closed:].sum(axis=0).argmax()] = True
        return replace(self, allowed=allowed)
