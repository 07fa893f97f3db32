"""Topics counted and numbered as BERTopic does: by the documents each is the main topic of.

In BERTopic a topic is a set of documents, so one that owns none cannot be; topic 0 owns the most,
and -1 means no topic. All else is :class:`~saetm_plugins.SAETopicModel`'s.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.merging import TopicCut
from saetm_plugins.merging.base import unit_rows
from saetm_plugins.mixtures import mix_topics
from saetm_plugins.model import SAETopicModel
from saetm_plugins.validation import all_or_nothing

DEFAULT_N_TOPICS = 50
_MAX_TRIES = 5
_CLASS_KERNEL_WIDTH = 0.2  # of 0.05 to 0.2, the best on held-out labels of 20 Newsgroups


class NumberedTopicModel(SAETopicModel):
    """A topic model in which every topic owns a document and topic 0 owns the most.

    Parameters are those of :class:`~saetm_plugins.SAETopicModel`; ``n_topics=None`` means 50, or
    one per ten documents where that is fewer, and never more than there are live atoms.

    Attributes
    ----------
    deleted_ : csr_matrix of shape (n_atoms, n_deleted), float32
        Weights of atoms in deleted topics. What an atom gave them it gives no other topic, in
        this cut and in later ones; a document that belongs mostly to one of them has label -1.
    """

    deleted_: sp.csr_matrix | None = None
    online_ = False

    def fit(self, documents: Any, embeddings: Any = None, y: Any = None, **fit_params: Any) -> Any:
        """Fit as :meth:`SAETopicModel.fit` does; nothing is deleted any more."""
        with all_or_nothing(self):
            self.deleted_, self.online_ = None, False
            return super().fit(documents, embeddings, y, **fit_params)

    def partial_fit(self, *args: Any, **kwargs: Any) -> Any:
        """Go on as :meth:`SAETopicModel.partial_fit` does; topics keep their numbers from now on.

        A batch says nothing of topics that it has no documents of, so none is left out.
        """
        with all_or_nothing(self):
            self.online_ = hasattr(self, "atom_topics_")
            return super().partial_fit(*args, **kwargs)

    def transform(self, documents: Any, embeddings: Any = None) -> np.ndarray:
        """Return mixtures; with deleted topics, rows sum to what is left.

        Returns
        -------
        ndarray of shape (n, n_topics), float32
        """
        return self.predict(documents, embeddings)[1]

    def predict(self, documents: Any, embeddings: Any = None) -> tuple[np.ndarray, np.ndarray]:
        """Return the main topic of each document, -1 for a deleted one, and its mixture.

        Returns
        -------
        labels : ndarray of shape (n,), int64
        doc_topics : ndarray of shape (n, n_topics), float32
        """
        if self.deleted_ is None:
            doc_topics = super().transform(documents, embeddings)
            return doc_topics.argmax(axis=1), doc_topics
        _, embeddings = self._read(documents, embeddings, sae=self.sae_)
        return self._mix(self._doc_atoms(embeddings))

    def retopic(self, n_topics: int | str | None, merge: str | None = None) -> Any:
        """Cut anew, into exactly `n_topics` topics that own documents wherever that can be.

        A cut whose topics are not all some document's main topic is made finer until enough
        are, and the smallest ones too many are left out.
        """
        with all_or_nothing(self), self._without_deleted():
            n_live = int((self.atom_prevalence_ > 0).sum())
            if n_topics is None:
                n_topics = min(DEFAULT_N_TOPICS, n_live, max(1, self.doc_atoms_.shape[0] // 10))
            super().retopic(n_topics, merge)
            if isinstance(n_topics, str) or self.n_topics_ == n_topics:
                return self
            cut_into = n_topics
            for _ in range(_MAX_TRIES):
                if self.n_topics_ >= n_topics or cut_into == n_live:
                    break
                cut_into = min(n_live, cut_into + 2 * (n_topics - self.n_topics_))
                super().retopic(cut_into, merge)
            if self.n_topics_ > n_topics:
                words = None if self.components_ is None else self.components_[:n_topics]
                labels = self.topic_labels_[:n_topics]
                self._set_cut(TopicCut(self.atom_topics_[:, :n_topics], words), labels)
        if self.n_topics_ < n_topics:
            warnings.warn(
                f"only {self.n_topics_} of the {n_topics} topics asked for are the main topic of "
                "a document; the others are left out",
                UserWarning,
                stacklevel=3,
            )
        return self

    def guide(self, y: Any, target_weight: float) -> None:
        """Let atoms that fire on the same classes merge first, for this cut and later ones.

        Parameters
        ----------
        y : array-like of shape (n,)
            Class of each fitted document, -1 where it is not known.
        target_weight : float
            0: the classes do not matter; 1: nothing else does.

        Raises
        ------
        ValueError
            When `y` is of another length, or `target_weight` outside of [0, 1].
        """
        classes = np.asarray(y).ravel()
        if len(classes) != self.doc_atoms_.shape[0]:
            raise ValueError(f"y has {len(classes)} entries for {self.doc_atoms_.shape[0]} rows")
        if not 0 <= target_weight <= 1:
            raise ValueError(f"target_weight must lie in [0, 1]; found {target_weight!r}")
        known = classes != -1
        if not known.any() or target_weight == 0:
            return
        names, codes = np.unique(classes[known], return_inverse=True)
        one_hot = sp.csr_matrix(
            (np.ones(len(codes), np.float32), (np.flatnonzero(known), codes)),
            shape=(len(classes), len(names)),
        )
        by_class = _lean_of_atoms(self.doc_atoms_.T @ one_hot, self._atom_centroids)
        self._atom_vectors = np.hstack(
            [
                np.float32((1 - target_weight) ** 0.5) * unit_rows(self._atom_vectors),
                np.float32(target_weight**0.5) * by_class,
            ]
        )
        if self.merge in ("auto", "nmf"):  # only "ward" and "kmeans" look at these vectors
            self.merge = "ward"
        self._merges = {}
        self.retopic(self.n_topics)

    def follow(self, labels: Sequence[int]) -> None:
        """Give atoms to topics as the documents were: W_kt = Σ_{d in t} θ_dk / Σ_d θ_dk.

        Topics keep the numbers, and documents the topics, that `labels` gives them; the mixtures
        follow the atoms.

        Parameters
        ----------
        labels : sequence of int, length n
            Topics 0 to T - 1, none of them empty, or -1.
        """
        topics = np.asarray(labels, dtype=np.int64)
        owned = np.flatnonzero(topics >= 0)
        one_hot = sp.csr_matrix(
            (np.ones(len(owned), np.float32), (owned, topics[owned])),
            shape=(len(topics), int(topics.max()) + 1),
        )
        atom_topics = _unit_sum_rows(self.doc_atoms_.T @ one_hot)
        if self.deleted_ is not None:
            self.deleted_, self._merges = None, {}
        words = None if self.components_ is None else self._mix_atom_words(atom_topics)
        prevalence = self.atom_prevalence_ @ atom_topics
        self.atom_topics_, self.components_ = atom_topics, words
        self.topic_prevalence_ = np.asarray(prevalence, dtype=np.float32)
        self.n_topics_ = atom_topics.shape[1]
        self.topic_labels_, self._edits = [None] * self.n_topics_, []
        self.doc_topics_ = mix_topics(self.doc_atoms_, atom_topics, self.topic_prevalence_)
        self.labels_ = topics

    def delete_topics(self, topics: Sequence[int]) -> None:
        """Take topics, with the atoms' weight in them, out of this cut and of later ones.

        Raises
        ------
        ValueError
            When a topic does not exist, or none would be left; nothing is changed.
        """
        self._check_topics(list(topics), "topics_to_delete")
        kept = np.setdiff1d(np.arange(self.n_topics_), topics)
        if kept.size == 0:
            raise ValueError(f"topics_to_delete names all {self.n_topics_} topics")
        left = self._left()
        going = sp.csr_matrix(sp.diags(left) @ self.atom_topics_[:, np.asarray(topics)])
        if self.deleted_ is not None:
            going = sp.hstack([self.deleted_, going])
        words = None if self.components_ is None else self.components_[kept]
        labels = [self.topic_labels_[topic] for topic in kept]
        with all_or_nothing(self):
            self.deleted_, self._merges = sp.csr_matrix(going, dtype=np.float32), {}
            self._set_cut(TopicCut(self.atom_topics_[:, kept], words), labels)

    @classmethod
    def load(cls, path: Any, *, encoder: Any = None) -> Any:
        """Load a model saved by :meth:`SAETopicModel.save`, its topics numbered as they were."""
        loaded = SAETopicModel.load(path, encoder=encoder)
        model = cls(**loaded.get_params(deep=False))
        model.__dict__.update(vars(loaded))
        return model

    def _check_parameters(self) -> None:
        asked = self.n_topics
        self.n_topics = DEFAULT_N_TOPICS if asked is None else asked
        try:
            super()._check_parameters()
        finally:
            self.n_topics = asked

    def _set_cut(self, cut: TopicCut, labels: list[str | None] | None = None) -> None:
        """Set the cut, leave out topics that own no document, number the others by size."""
        with self._without_deleted():
            weights = _unit_sum_rows(cut.atom_topics)
            super()._set_cut(TopicCut(weights, cut.topic_words), labels)
        if self.deleted_ is not None:
            self.labels_, self.doc_topics_ = self._mix(self.doc_atoms_)
        if self.online_:
            return
        sizes = np.bincount(self.labels_[self.labels_ >= 0], minlength=self.n_topics_)
        order = np.argsort(-sizes, kind="stable")
        if sizes.min() == 0:
            owned = np.sort(order[: np.count_nonzero(sizes)])
            words = None if self.components_ is None else self.components_[owned]
            names = [self.topic_labels_[topic] for topic in owned]
            self._set_cut(TopicCut(self.atom_topics_[:, owned], words), names)
        elif (np.diff(order) < 0).any():
            self._renumber(order)

    def _renumber(self, order: np.ndarray) -> None:
        """Make topic ``order[i]`` topic i."""
        self.atom_topics_ = sp.csr_matrix(self.atom_topics_[:, order])
        if self.components_ is not None:
            self.components_ = self.components_[order]
        self.topic_prevalence_ = self.topic_prevalence_[order]
        self.doc_topics_ = self.doc_topics_[:, order]
        self.topic_labels_ = [self.topic_labels_[topic] for topic in order]
        rank = np.empty(len(order) + 1, dtype=np.int64)
        rank[order], rank[-1] = np.arange(len(order)), -1
        self.labels_ = rank[self.labels_]

    @contextmanager
    def _without_deleted(self) -> Iterator[None]:
        """Let the prevalence of atoms be what deleted topics leave of it, inside of the block."""
        if self.deleted_ is None or getattr(self, "_whole_prevalence", None) is not None:
            yield
            return
        self._whole_prevalence = self.atom_prevalence_
        self.atom_prevalence_ = self.atom_prevalence_ * self._left()
        try:
            yield
        finally:
            self.atom_prevalence_ = self._whole_prevalence
            del self._whole_prevalence

    def _left(self) -> np.ndarray:
        """Return the share (n_atoms,) of each atom that deleted topics do not have."""
        if self.deleted_ is None:
            return np.ones(self.doc_atoms_.shape[1], dtype=np.float32)
        left = 1 - np.asarray(self.deleted_.sum(axis=1), dtype=np.float32).ravel()
        left[left < 1e-6] = 0
        return left

    def _mix(self, doc_atoms: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray]:
        """Return labels and mixtures where topics were deleted."""
        weights = sp.hstack([sp.diags(self._left()) @ self.atom_topics_, self.deleted_])
        prevalence = np.zeros(weights.shape[1], dtype=np.float32)
        prevalence[: self.n_topics_] = self.topic_prevalence_
        mixtures = mix_topics(doc_atoms, sp.csr_matrix(weights), prevalence)
        labels = mixtures.argmax(axis=1)
        labels[labels >= self.n_topics_] = -1
        return labels, mixtures[:, : self.n_topics_]


def _lean_of_atoms(class_mass: sp.csr_matrix, centroids: np.ndarray) -> np.ndarray:
    """Return how far each atom leans to each class, rows of unit length.

    An atom has few labelled documents, so it takes those of atoms near to it as well (a kernel
    over the cosine of centroids); the classes' overall shares are then taken away.

    Parameters
    ----------
    class_mass : csr_matrix of shape (n_atoms, n_classes)
    centroids : ndarray of shape (n_atoms, d)
    """
    mass = class_mass.toarray().astype(np.float64)
    directions = unit_rows(centroids - centroids.mean(axis=0))
    near = np.exp((directions @ directions.T - 1) / _CLASS_KERNEL_WIDTH)
    smoothed = near @ mass
    smoothed /= smoothed.sum(axis=1, keepdims=True)
    return unit_rows(smoothed - mass.sum(axis=0) / mass.sum())


def _unit_sum_rows(weights: sp.csr_matrix) -> sp.csr_matrix:
    """Scale the rows of `weights` to sum to 1; empty rows stay empty."""
    weights = sp.csr_matrix(weights, dtype=np.float32, copy=True)
    mass = np.asarray(weights.sum(axis=1)).ravel()
    weights.data /= np.repeat(mass, np.diff(weights.indptr))
    weights.eliminate_zeros()
    return weights
