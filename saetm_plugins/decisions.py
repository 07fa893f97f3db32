"""What was decided about documents, by hand or by a name they are near to, above their mixtures.

Documents of one decision are a group, and a group knows the topics that it may belong to. Every
edit of topics maps these as it maps topics (:mod:`saetm_plugins.topics`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

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
        if self.allowed.ndim != 2 or self.allowed.dtype != bool:
            raise ValueError(f"decisions hold no booleans of topics: {self.allowed.dtype}")
        if self.names.ndim != 2 or not np.isfinite(self.names).all():
            raise ValueError("decisions hold names that are not finite rows")
        n_groups = len(self.allowed)
        if n_groups < _FIRST + len(self.names):
            raise ValueError(f"decisions hold {n_groups} groups for {len(self.names)} names")
        if self.groups.ndim != 1 or self.groups.dtype.kind not in "iu":
            raise ValueError(f"decisions hold groups that are no numbers: {self.groups.dtype}")
        if self.groups.size and not 0 <= self.groups.min() <= self.groups.max() < n_groups:
            raise ValueError("decisions hold groups that do not exist")
        if not np.isfinite(self.min_similarity):
            raise ValueError(f"decisions hold min_similarity={self.min_similarity}")

    @classmethod
    def none(cls, n_documents: int, n_topics: int) -> Decisions:
        """Return the decisions where nothing was decided about `n_documents` documents."""
        allowed = np.ones((_FIRST, n_topics), dtype=bool)
        return cls(np.zeros(n_documents, np.int64), allowed, np.zeros((0, 0), np.float32))

    @classmethod
    def of_names(
        cls, vectors: np.ndarray, min_similarity: float, embeddings: np.ndarray
    ) -> Decisions:
        """Return the groups of documents (n, d) by the names (M, d) that they are near to.

        No group has topics yet.
        """
        names = unit_rows(vectors)
        allowed = np.ones((_FIRST + len(names), 0), dtype=bool)
        made = cls(np.zeros(0, np.int64), allowed, names, float(min_similarity))
        return replace(made, groups=made.near(embeddings))

    @classmethod
    def gather(
        cls, sources: Sequence[tuple[Decisions | None, int]], n_topics: int
    ) -> tuple[Decisions, list[tuple[int, int]]]:
        """Return the names of several models, and the groups of all their documents by these.

        Decisions by hand are left out, see :meth:`gather_moves`. A name that several models have
        is one. `sources` are the decisions of each model, and how many documents it has; without
        any name there are `n_topics`. The second part of the result is the model, and its topic,
        that each name comes from.
        """
        names: dict[bytes, int] = {}
        vectors, owners, groups = [], [], []
        for number, (source, n_documents) in enumerate(sources):
            groups.append(np.zeros(n_documents, dtype=np.int64))
            for group, topic in [] if source is None else source.named:
                assert source is not None
                vector = source.names[group - _FIRST]
                if vector.tobytes() not in names:
                    names[vector.tobytes()] = len(names)
                    vectors.append(vector)
                    owners.append((number, topic))
                groups[-1][source.groups == group] = _FIRST + names[vector.tobytes()]
        every = np.concatenate(groups)
        if not every.any():
            return cls.none(len(every), n_topics), []
        least = next(source.min_similarity for source, _ in sources if source)
        allowed = np.ones((_FIRST + len(vectors), 0), dtype=bool)
        return cls(every, allowed, np.array(vectors), least), owners

    @property
    def closed(self) -> np.ndarray:
        """Topics (m,) that documents belong to by a name alone."""
        return np.flatnonzero(~self.allowed[UNDECIDED])

    @property
    def all_by_hand(self) -> bool:
        """Whether every document was given its topic by hand."""
        return bool(self.groups.size and self.groups.min() >= _FIRST + len(self.names))

    @property
    def named(self) -> list[tuple[int, int]]:
        """The groups of names that have a topic of their own, each with the topic."""
        groups = range(_FIRST, _FIRST + len(self.names))
        own = self.allowed > self.allowed[UNDECIDED]
        return [(group, int(self.allowed[group].argmax())) for group in groups if own[group].any()]

    def members(self) -> tuple[np.ndarray, sp.csr_matrix]:
        """Return the names (m,) that documents are near to, and which documents are, (n, m)."""
        found = np.unique(self.groups[self.groups >= _FIRST])
        return found - _FIRST, sp.csr_matrix(self.groups[:, None] == found, dtype=np.float32)

    def largest_allowed(self, doc_topics: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the largest topic (n,) that each document may have, -1 where it may have none.

        Parameters
        ----------
        doc_topics : ndarray of shape (n, T + D)
            The last columns are deleted topics, which undecided documents may have.
        groups : ndarray of shape (n,), int
        """
        n_topics = self.allowed.shape[1]
        labels = np.full(len(groups), -1)
        for group in np.unique(groups):
            allowed = np.flatnonzero(self.allowed[group])
            if group < _FIRST:
                allowed = np.append(allowed, np.arange(n_topics, doc_topics.shape[1]))
            if allowed.size:
                rows = np.flatnonzero(groups == group)
                labels[rows] = allowed[doc_topics[np.ix_(rows, allowed)].argmax(axis=1)]
        return labels

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
        """Give the documents in `rows` (m,) to `topics` (m,) by hand, -1 for none."""
        given, group = np.unique(topics, return_inverse=True)
        chosen = given[:, None] == np.arange(self.allowed.shape[1])
        groups = self.groups.copy()
        groups[rows] = len(self.allowed) + group
        allowed = np.vstack([self.allowed, chosen])
        return replace(self, allowed=allowed).of_documents(groups)

    def move(self, now: np.ndarray, labels: np.ndarray) -> Decisions:
        """Return the decisions with documents of topics `now` (n,) in topics `labels` (n,)."""
        groups = np.where((self.groups == UNDECIDED) & (labels >= 0), IN_A_TOPIC, self.groups)
        moved = np.flatnonzero(now != labels)
        return replace(self, groups=groups).assign(moved, labels[moved])

    def assign_all(self, labels: np.ndarray, n_topics: int) -> Decisions:
        """Give all documents to other topics, `labels` (n,); a name goes with most of its own."""
        allowed = np.ones((len(self.allowed), n_topics), dtype=bool)
        for group in np.unique(self.groups[self.groups >= _FIRST]):
            own = labels[self.groups == group]
            sizes = np.bincount(own[own >= 0], minlength=n_topics)
            if 2 * sizes.max() > len(own):
                allowed[group] = np.arange(n_topics) == sizes.argmax()
        return replace(self, allowed=allowed).assign(np.arange(len(labels)), labels)

    def with_topics_of_names(self, n_others: int) -> Decisions:
        """Return the decisions with a topic for each name found, before `n_others` for the rest."""
        found = _FIRST + self.members()[0]
        n_named = len(found)
        allowed = np.zeros((len(self.allowed), n_named + n_others), dtype=bool)
        allowed[:, n_named:] = True
        allowed[found] = np.eye(n_named, n_named + n_others, dtype=bool)
        return replace(self, allowed=allowed)

    def gather_moves(
        self, sources: Sequence[tuple[Decisions | None, int, np.ndarray]]
    ) -> Decisions:
        """Give documents of merged models to the topics that have most of those they were given.

        `sources` are the decisions of each model, how many documents it has, and the weight
        (T_i, T) that its topics share with those of now.
        """
        made, first = self, 0
        for source, n_documents, overlap in sources:
            named = [] if source is None else [group for group, _ in source.named]
            for group, allowed in enumerate([] if source is None else source.allowed):
                assert source is not None
                rows = first + np.flatnonzero(source.groups == group)
                if group == IN_A_TOPIC:
                    groups = made.groups.copy()
                    groups[rows] = np.maximum(groups[rows], IN_A_TOPIC)
                    made = replace(made, groups=groups)
                elif group > IN_A_TOPIC and group not in named and rows.size:
                    topic = overlap[allowed].sum(axis=0).argmax() if allowed.any() else -1
                    made = made.assign(rows, np.full(len(rows), topic))
            first += n_documents
        return made

    def select(self, topics: np.ndarray) -> Decisions:
        """Return what :meth:`Topics.select` leaves; groups that have lost all are undecided."""
        allowed = self.allowed[:, topics]
        if not allowed[UNDECIDED].any():
            allowed[:_FIRST] = True
        allowed[self.allowed.any(axis=1) & ~allowed.any(axis=1)] = allowed[UNDECIDED]
        return replace(self, allowed=allowed)

    def map(self, topics: np.ndarray) -> Decisions:
        """Return the decisions about other topics; `topics` (T, T') is 1 where one comes of one."""
        return replace(self, allowed=(self.allowed.astype(np.int64) @ topics) > 0)

    def carry(self, overlap: np.ndarray) -> Decisions:
        """Return the decisions about a new cut, the topics of names first.

        What was given a topic goes with it: to the topic that has the most of it by `overlap`
        (T, T'), the weight that topics of now and then share.
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
