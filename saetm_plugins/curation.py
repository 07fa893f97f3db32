"""Topics edited by hand: merged, split, dropped, named. Every edit is one more cut of the atoms.

Nothing is retrained, and :meth:`CurationMixin.undo` takes edits back one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.merging import TopicCut
from saetm_plugins.merging.base import unit_rows
from saetm_plugins.mixtures import mix_words
from saetm_plugins.validation import all_or_nothing, check_count


class CurationMixin:
    """Edits of the current cut, for :class:`~saetm_plugins.model.SAETopicModel`."""

    def merge_topics(self: Any, topics_to_merge: Sequence[Any]) -> Any:
        """Merge each group of topics into one; a document's shares of them add up.

        Parameters
        ----------
        topics_to_merge : list of lists of int, or list of int
            Groups of topics, or one group.

        Raises
        ------
        ValueError
            When a topic does not exist, or stands in two groups; nothing is changed.
        """
        check_is_fitted(self, "atom_topics_")
        one_group = all(np.isscalar(group) for group in topics_to_merge)
        groups = [list(group) for group in ([topics_to_merge] if one_group else topics_to_merge)]
        self._check_topics([topic for group in groups for topic in group], "topics_to_merge")
        target = np.arange(self.n_topics_)
        for group in groups:
            target[group] = min(group)
        _, target = np.unique(target, return_inverse=True)
        n_merged = int(target.max()) + 1
        joined = sp.csr_matrix(
            (np.ones(self.n_topics_, dtype=np.float32), (np.arange(self.n_topics_), target)),
            shape=(self.n_topics_, n_merged),
        )
        words = None
        if self.components_ is not None:
            words = mix_words(joined, self.topic_prevalence_, self.components_)
        labels: list[str | None] = [None] * n_merged
        for topic, label in zip(target, self.topic_labels_, strict=True):
            labels[topic] = labels[topic] or label
        return self._edit(TopicCut(self.atom_topics_ @ joined, words), labels)

    def split_topic(self: Any, topic: int, n: int = 2) -> Any:
        """Split one topic into `n`, by k-means over the vectors of its atoms.

        Parameters
        ----------
        topic : int
        n : int, default=2

        Raises
        ------
        ValueError
            When the topic does not exist or has fewer than `n` atoms; nothing is changed.
        """
        check_is_fitted(self, "atom_topics_")
        self._check_topics([topic], "topic")
        check_count(n, "n", minimum=2)
        weights = self.atom_topics_.toarray()
        members = np.flatnonzero(weights[:, topic] > 0)
        if len(members) < n:
            raise ValueError(f"n={n} is more than the {len(members)} atoms of topic {topic}")
        share = weights[members, topic] * self.atom_prevalence_[members]
        kmeans = KMeans(n, n_init=10, random_state=0)
        part = kmeans.fit_predict(unit_rows(self._atom_vectors[members]), sample_weight=share)
        pieces = np.zeros((len(weights), n), dtype=np.float32)
        pieces[members, part] = weights[members, topic]
        rest = np.delete(weights, topic, axis=1)
        words = None
        if self.components_ is not None:
            of_pieces = self._mix_atom_words(sp.csr_matrix(pieces))
            words = np.vstack([np.delete(self.components_, topic, axis=0), of_pieces])
        labels = [label for t, label in enumerate(self.topic_labels_) if t != topic]
        cut = TopicCut(sp.csr_matrix(np.hstack([rest, pieces])), words)
        return self._edit(cut, labels + [None] * n)

    def drop_atoms(self: Any, atoms: Sequence[int]) -> Any:
        """Take atoms out of all topics; a topic left without atoms goes.

        Parameters
        ----------
        atoms : sequence of int

        Raises
        ------
        ValueError
            When an atom does not exist, or no topic would be left; nothing is changed.
        """
        check_is_fitted(self, "atom_topics_")
        dropped = np.unique(np.asarray(atoms, dtype=np.int64))
        n_atoms = self.atom_topics_.shape[0]
        if dropped.size == 0 or dropped[0] < 0 or dropped[-1] >= n_atoms:
            raise ValueError(f"atoms must be numbers of atoms below {n_atoms}; found {atoms}")
        weights = self.atom_topics_.toarray()
        touched = weights[dropped].max(axis=0) > 0
        weights[dropped] = 0
        kept = np.flatnonzero(self.atom_prevalence_ @ weights > 0)
        if kept.size == 0:
            raise ValueError(f"atoms holds all live atoms ({len(dropped)}): no topic would be left")
        cut = sp.csr_matrix(weights[:, kept])
        words = None
        if self.components_ is not None:
            words = self.components_[kept].copy()
            changed = touched[kept]
            if changed.any():
                words[changed] = self._mix_atom_words(sp.csr_matrix(cut[:, changed]))
        return self._edit(TopicCut(cut, words), [self.topic_labels_[t] for t in kept])

    def set_topic_labels(self: Any, topic_labels: Mapping[int, str] | Sequence[str]) -> Any:
        """Name topics; an edit or :meth:`undo` carries the names along.

        Parameters
        ----------
        topic_labels : dict of int to str, or list of one str per topic

        Raises
        ------
        ValueError
            When a topic does not exist, or the list is of another length; nothing is changed.
        """
        check_is_fitted(self, "atom_topics_")
        if not isinstance(topic_labels, Mapping):
            if len(topic_labels) != self.n_topics_:
                raise ValueError(
                    f"topic_labels holds {len(topic_labels)} names for {self.n_topics_} topics"
                )
            topic_labels = dict(enumerate(topic_labels))
        self._check_topics(list(topic_labels), "topic_labels")
        labels = [topic_labels.get(t, label) for t, label in enumerate(self.topic_labels_)]
        self._edits = [*self._edits, (self._current_cut(), self.topic_labels_)]
        self.topic_labels_ = labels
        return self

    def undo(self: Any) -> Any:
        """Take back the last edit since the topics were last cut.

        Raises
        ------
        ValueError
            When there is no edit to take back.
        """
        check_is_fitted(self, "atom_topics_")
        if not self._edits:
            raise ValueError("there is no edit to undo since the topics were last cut")
        *earlier, (cut, labels) = self._edits
        self._set_cut(cut, labels)
        self._edits = earlier
        return self

    def _edit(self: Any, cut: TopicCut, labels: list[str | None]) -> Any:
        with all_or_nothing(self):
            edits = [*self._edits, (self._current_cut(), self.topic_labels_)]
            order = np.argsort(-(self.atom_prevalence_ @ cut.atom_topics), kind="stable")
            words = None if cut.topic_words is None else cut.topic_words[order]
            self._set_cut(TopicCut(cut.atom_topics[:, order], words), [labels[t] for t in order])
            self._edits = edits
        return self

    def _current_cut(self: Any) -> TopicCut:
        return TopicCut(self.atom_topics_, self.components_)

    def _mix_atom_words(self: Any, atom_topics: sp.csr_matrix) -> np.ndarray:
        words = mix_words(atom_topics, self.atom_prevalence_, self._atom_word_source())
        return self._with_emissions(TopicCut(atom_topics, words)).topic_words

    def _check_topics(self: Any, topics: list[Any], name: str) -> None:
        unknown = [t for t in topics if t not in range(self.n_topics_)]
        if unknown:
            raise ValueError(f"{name} names topics {unknown}; there are 0 to {self.n_topics_ - 1}")
        if len(set(topics)) < len(topics):
            raise ValueError(f"{name} names a topic twice: {sorted(topics)}")
