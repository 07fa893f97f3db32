"""Topics counted and numbered as BERTopic does: by the documents each is the main topic of.

In BERTopic a topic is a set of documents, so one that owns none cannot be; topic 0 owns the most,
and -1 means no topic. All else is :class:`~saetm_plugins.SAETopicModel`'s.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins import topics as cuts
from saetm_plugins.atom_model import AtomModel
from saetm_plugins.fitted_topics import DEFAULT_N_TOPICS
from saetm_plugins.model import SAETopicModel
from saetm_plugins.topics import Topics
from saetm_plugins.validation import all_or_nothing, check_fraction, is_integer

_MAX_TRIES = 5


class NumberedTopicModel(SAETopicModel):
    """A topic model in which every topic owns a document and topic 0 owns the most.

    Parameters are those of :class:`~saetm_plugins.SAETopicModel`.

    Attributes
    ----------
    online_ : bool
        Whether documents were added by :meth:`partial_fit`: topics then keep their numbers, and a
        topic may own none of the last batch.
    owner : SAEBERTopic or None
        Whose :attr:`sae_model_` this is. Its tables would not follow an edit made here, which is
        refused; a copy (``copy.copy``) has no owner to look after.
    outlier_threshold_ : float or None
        Documents whose main topic has less of them than this belong to topic -1, as do those
        without atoms, of which nothing is known; None: no document does, but for deleted topics.
    """

    online_ = False
    owner: Any = None
    outlier_threshold_: float | None = None

    def fit(self, documents: Any = None, y: Any = None, **fit_params: Any) -> Any:
        """Fit as :meth:`SAETopicModel.fit` does; nothing is deleted any more."""
        with all_or_nothing(self):
            self.online_ = False
            return super().fit(documents, y, **fit_params)

    def partial_fit(self, *args: Any, **kwargs: Any) -> Any:
        """Learn from more documents; topics keep their numbers from now on."""
        with all_or_nothing(self):
            self.online_ = hasattr(self, "topics_")
            return super().partial_fit(*args, **kwargs)

    def predict(
        self, documents: Any, embeddings: Any = None, images: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the main topic of each document, -1 for none, and its mixture.

        Returns
        -------
        labels : ndarray of shape (n,), int64
        doc_topics : ndarray of shape (n, n_topics), float32
        """
        return self.topics_of(self.transform_atoms(documents, embeddings, images=images))

    def topics_of(self, doc_atoms: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Return the topics of documents given by their atoms, -1 for none, and their mixtures."""
        labels, doc_topics = super().topics_of(doc_atoms)
        return self._labels(labels, doc_topics, doc_atoms), doc_topics

    def cut_atoms(
        self, atoms: AtomModel, doc_atoms: sp.csr_matrix, n_topics: int | str | None, merge: str
    ) -> Topics:
        """Cut into exactly `n_topics` topics that own documents wherever that can be.

        A cut whose topics are not all some document's main topic is made finer until enough
        are, and the smallest ones too many are left out. Deleted topics stay deleted.
        """
        recut = hasattr(self, "topics_") and self.atoms_ is atoms
        deleted = self.topics_.deleted if recut else None
        n_live = int((atoms.prevalence > 0).sum())
        if n_topics is None:
            n_topics = min(DEFAULT_N_TOPICS, n_live, max(1, doc_atoms.shape[0] // 10))
        elif not isinstance(n_topics, str) and is_integer(n_topics) and n_topics > n_live:
            warnings.warn(
                f"n_topics={n_topics} is more than the {n_live} live atoms; there are fewer topics",
                UserWarning,
                stacklevel=4,
            )
            n_topics = n_live
        topics = number_topics(cuts.cut(atoms, n_topics, merge, deleted=deleted), doc_atoms)
        if isinstance(n_topics, str):
            return topics
        cut_into = n_topics
        for _ in range(_MAX_TRIES):
            if len(topics) >= n_topics or cut_into == n_live:
                break
            cut_into = min(n_live, cut_into + 2 * (n_topics - len(topics)))
            topics = number_topics(cuts.cut(atoms, cut_into, merge, deleted=deleted), doc_atoms)
        while len(topics) > n_topics:
            topics = number_topics(topics.select(range(n_topics)), doc_atoms)
        if len(topics) < n_topics:
            warnings.warn(
                f"only {len(topics)} of the {n_topics} topics asked for are the main topic of "
                "a document; the others are left out",
                UserWarning,
                stacklevel=4,
            )
        return topics

    def set_topics(self, topics: Topics, labels: np.ndarray | None = None) -> None:
        """Take over a cut, its topics numbered by the documents they own unless `labels` say."""
        self._check_not_owned()
        if labels is None and not self.online_:
            topics = number_topics(topics, self.doc_atoms_)
        super().set_topics(topics, labels)
        if labels is None:
            self.labels_ = self._labels(self.labels_, self.doc_topics_, self.doc_atoms_)

    def set_topic_labels(self, topic_labels: Any) -> Any:
        """Name topics as :meth:`SAETopicModel.set_topic_labels` does."""
        self._check_not_owned()
        return super().set_topic_labels(topic_labels)

    def follow(self, labels: np.ndarray) -> None:
        """Give atoms to topics as documents were; documents keep the topics that they are given.

        Parameters
        ----------
        labels : ndarray of shape (n,), int
            Topics 0 to T - 1, none of them empty, or -1.
        """
        labels = np.asarray(labels, dtype=np.int64)
        topics = cuts.follow(self.atoms_, self.doc_atoms_, labels)
        self.set_topics(cuts.carry_labels(self.atoms_, self.topics_, topics), labels)

    def delete_topics(self, topics: Sequence[int]) -> list[int]:
        """Take topics, with the atoms' weight in them, out of this cut and of later ones.

        Returns
        -------
        list of int
            The former number of each topic left.

        Raises
        ------
        ValueError
            When a topic does not exist, or none would be left; nothing is changed.
        """
        names = self.topics_.labels
        numbered = self.topics_.with_labels(str(topic) for topic in range(self.n_topics_))
        left = cuts.delete_topics(self.atoms_, numbered, topics)
        if not self.online_:
            left = number_topics(left, self.doc_atoms_)
        kept = [int(str(label)) for label in left.labels]
        self.set_topics(left.with_labels(names[topic] for topic in kept))
        return kept

    def _check_not_owned(self) -> None:
        if self.owner is not None and self.owner.sae_model_ is self:
            raise ValueError(
                "this model is an SAEBERTopic's, whose tables would not follow: call the "
                "SAEBERTopic's reduce_topics, merge_topics, split_topic, delete_topics, "
                "update_topics or set_topic_labels, or edit a copy, copy.copy(…sae_model_)"
            )

    @property
    def _where_blank(self) -> str:
        if self.outlier_threshold_ is not None:
            return "and topic -1"
        return "and count towards its largest topic, unless outlier_threshold= is given"

    def _labels(
        self, labels: np.ndarray, doc_topics: np.ndarray, doc_atoms: sp.csr_matrix
    ) -> np.ndarray:
        """Return the topics of documents as `outlier_threshold_` wants them."""
        largest = doc_topics.max(axis=1)
        if self.outlier_threshold_ is not None:
            return np.where(largest < self.outlier_threshold_, -1, labels)
        return np.where(np.diff(doc_atoms.indptr) == 0, doc_topics.argmax(axis=1), labels)


def check_outlier_threshold(threshold: Any) -> None:
    """Raise a ValueError unless `threshold` is None or a number in [0, 1]."""
    if threshold is not None:
        check_fraction(threshold, "outlier_threshold", closed=True)


def number_topics(topics: Topics, doc_atoms: sp.csr_matrix) -> Topics:
    """Leave out topics that own no document, and number the others by how many they own.

    Parameters
    ----------
    topics : Topics
    doc_atoms : csr_matrix of shape (n, K)
    """
    while True:
        labels, _ = topics.mixtures(doc_atoms)
        sizes = np.bincount(labels[labels >= 0], minlength=len(topics))
        if sizes.min() > 0:
            order = np.argsort(-sizes, kind="stable")
            return topics if (np.diff(order) > 0).all() else topics.select(order)
        if not sizes.any():  # deleted topics own all documents
            return topics
        topics = topics.select(np.flatnonzero(sizes))
