"""Topics counted and numbered as BERTopic does: by the documents each is the main topic of.

In BERTopic a topic is a set of documents, so one that owns none cannot be; topic 0 owns the most,
and -1 means no topic. All else is :class:`~saetm_plugins.SAETopicModel`'s.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import AgglomerativeClustering

from saetm_plugins import assignments, edits
from saetm_plugins import topics as cuts
from saetm_plugins.analysis.levels import topic_similarity
from saetm_plugins.atom_model import AtomModel
from saetm_plugins.corpus.passages import document_means
from saetm_plugins.decisions import UNDECIDED, Decisions
from saetm_plugins.fitted_topics import default_n_topics
from saetm_plugins.model import SAETopicModel
from saetm_plugins.topics import Topics
from saetm_plugins.validation import all_or_nothing, check_fraction

_MAX_TRIES = 5
_ENOUGH = 10  # documents for a topic, where there are as many for each


class NumberedTopicModel(SAETopicModel):
    """A :class:`~saetm_plugins.SAETopicModel` whose topics all own documents, topic 0 the most."""

    online_ = False
    """Whether documents were added by :meth:`partial_fit`: topics then keep their numbers, and a
    topic may own none of the last batch."""
    outlier_threshold_: float | None = None
    """The outlier share of the first cut, see :class:`~saetm_plugins.topics.Topics`."""
    encoder_argument = "embedding_model"

    def fit(self, documents: Any = None, y: Any = None, **fit_params: Any) -> Any:
        """Fit as :meth:`SAETopicModel.fit` does, from the beginning."""
        with all_or_nothing(self):
            self.online_ = False
            return super().fit(documents, y, **fit_params)

    def partial_fit(self, *args: Any, **kwargs: Any) -> Any:
        """Learn from more documents; topics keep their numbers from now on."""
        with all_or_nothing(self):
            self.online_ = hasattr(self, "atoms_")
            return super().partial_fit(*args, **kwargs)

    def predict(
        self, documents: Any, embeddings: Any = None, images: Any = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the main topic (n,) of each document, -1 for none, and its mixture (n, T).

        A document near to the name of a zero-shot topic belongs to that.
        """
        doc_atoms = self.transform_atoms(documents, embeddings, images=images)
        return self.topics_.mixtures(doc_atoms, self._near_names(embeddings))

    def cut_atoms(
        self,
        atoms: AtomModel,
        doc_atoms: sp.csr_matrix,
        n_topics: int | str | None,
        merge: str,
        before: Topics | None = None,
    ) -> Topics:
        """Cut into exactly `n_topics` topics that own documents wherever that can be.

        A cut with topics that own too few documents (see :func:`_least_size`) is made finer until
        enough topics own that many; the smallest ones above `n_topics` are left out. Where all
        documents were given topics by hand, these are joined, the most similar ones first.
        """
        n_live = int((atoms.prevalence > 0).sum())
        if n_topics is None:
            n_topics = default_n_topics(atoms)
        cuts.check_n_topics(n_topics)
        if not isinstance(n_topics, str) and n_topics > n_live:
            warnings.warn(
                f"n_topics={n_topics} is more than the {n_live} live atoms; there are fewer topics",
                UserWarning,
                stacklevel=4,
            )
            n_topics = n_live

        def cut(n_topics: int | str) -> Topics:
            if before is not None:
                return cuts.recut(atoms, before, n_topics, merge)
            found = cuts.cut(atoms, n_topics, merge)
            return replace(found, outlier_share=self.outlier_threshold_)

        if before is not None and before.decisions and before.decisions.all_by_hand:
            n_topics = len(cut(n_topics)) if isinstance(n_topics, str) else n_topics
            return self._join(before, n_topics)
        if isinstance(n_topics, str):
            return number_topics(cut(n_topics), doc_atoms)
        for least in sorted({1, _least_size(doc_atoms.shape[0], n_topics)}, reverse=True):
            cut_into = n_topics
            for _ in range(_MAX_TRIES):
                topics = number_topics(cut(cut_into), doc_atoms, least)
                if len(topics) >= n_topics or cut_into == n_live:
                    break
                cut_into = min(n_live, cut_into + 2 * (n_topics - len(topics)))
            while len(topics) > n_topics:
                topics = number_topics(topics.select(range(n_topics)), doc_atoms)
            if len(topics) == n_topics:
                break
        if len(topics) < n_topics:
            warnings.warn(
                f"only {len(topics)} of the {n_topics} topics asked for are the main topic of "
                "a document; the others are left out",
                UserWarning,
                stacklevel=4,
            )
        return topics

    def _join(self, topics: Topics, n_topics: int) -> Topics:
        """Join topics until `n_topics` are left."""
        if n_topics >= len(topics):
            warnings.warn(
                f"the {len(topics)} topics stay, as documents were given them by hand; "
                "split_topic makes more",
                UserWarning,
                stacklevel=5,
            )
            return topics
        joining = AgglomerativeClustering(n_topics, metric="precomputed", linkage="average")
        target = joining.fit_predict(1 - topic_similarity(self, topics))
        return number_topics(edits.join_topics(self.atoms_, topics, target), self.doc_atoms_)

    def assign_documents(self, labels: np.ndarray) -> None:
        """Give documents to topics (n,); see :func:`saetm_plugins.assignments.assign_documents`."""
        labels = np.asarray(labels, dtype=np.int64)
        self.set_topics(
            assignments.assign_documents(self.atoms_, self.topics_, self.doc_atoms_, labels)
        )

    def recall_documents(self, doc_atoms: sp.csr_matrix, labels: np.ndarray) -> None:
        """Describe other documents (n, K), whose topics `labels` (n,) are known, or -1."""
        if not -1 <= labels.min() <= labels.max() < self.n_topics_:
            raise ValueError(f"topics_ must name topics -1 to {self.n_topics_ - 1}; found {labels}")
        topics = self.topics_.of_documents(np.zeros(len(labels), dtype=np.int64))
        topics = assignments.move_documents(topics, doc_atoms, labels)
        self.doc_atoms_, self.passages_ = doc_atoms, None  # passages were those of the last batch
        self.set_topics(topics)

    def name_topics(
        self,
        names: Sequence[str],
        vectors: np.ndarray,
        min_similarity: float,
        embeddings: np.ndarray,
        n_topics: int | str | None,
    ) -> None:
        """Make zero-shot topics of the documents near to names, and cut the others anew.

        Near means a cosine of at least `min_similarity` between a document's embedding (n, d) and
        a name's vector (M, d). Topics of names count among the `n_topics`.
        """
        decisions = Decisions.of_names(vectors, min_similarity, embeddings)
        if (decisions.groups != UNDECIDED).any():
            named = assignments.name_topics(
                self.atoms_, self.topics_, self.doc_atoms_, decisions, names
            )
            self.set_topics(named)
            self.retopic(n_topics)

    def follow_names(self, embeddings: Any) -> None:
        """Give the fitted documents to the zero-shot topics they are near to."""
        groups = self._near_names(embeddings)
        if groups is not None:
            self.set_topics(self.topics_.of_documents(groups))

    def delete_topics(self, topics: Sequence[int | str]) -> list[int]:
        """Take topics, with the atoms' weight in them, out of this cut and of later ones.

        Returns the former number of each topic left.
        """
        names = self.topics_.labels
        numbered = self.topics_.with_labels(str(topic) for topic in range(self.n_topics_))
        left = edits.delete_topics(self.atoms_, numbered, topics).topics
        if not self.online_:
            left = number_topics(left, self.doc_atoms_)
        kept = [int(str(label)) for label in left.labels]
        super().take_edit(left.with_labels(names[topic] for topic in kept))
        return kept

    def take_edit(self, topics: Topics, comes_of: Any = None) -> Any:
        """Take over an edit, with topics numbered by size."""
        return super().take_edit(topics if self.online_ else number_topics(topics, self.doc_atoms_))

    def _near_names(self, embeddings: Any) -> np.ndarray | None:
        """Return the groups of documents by the names they are near to; None without names."""
        decisions = self.topics_.decisions
        if decisions is None or not len(decisions.names):
            return None
        return decisions.near(document_means(embeddings))


def check_fractions(model: Any) -> None:
    """Raise a ValueError unless ``outlier_threshold`` and ``target_weight`` are in [0, 1]."""
    if model.outlier_threshold is not None:
        check_fraction(model.outlier_threshold, "outlier_threshold", closed=True)
    check_fraction(model.target_weight, "target_weight", closed=True)


def _least_size(n_documents: int, n_topics: int) -> int:
    """Return how many documents a topic should own: 10, or a tenth of the mean where that is less.

    The soft merge goes by words. Two posts of a binary file share hundreds that no other one has,
    and were a topic of their own among 8 of 800 posts. 10 is BERTopic's ``min_topic_size``.
    """
    return max(1, min(_ENOUGH, n_documents // (10 * n_topics)))


def number_topics(topics: Topics, doc_atoms: sp.csr_matrix, least: int = 1) -> Topics:
    """Leave out topics that own fewer than `least` documents, and number the others by size.

    Topics of names alone come first, in their order, as zero-shot topics do in BERTopic.
    """
    while True:
        labels, _ = topics.mixtures(doc_atoms, topics.groups)
        sizes = np.bincount(labels[labels >= 0], minlength=len(topics))
        if topics.decisions is not None:  # topics of names come first, however small they are
            closed = topics.decisions.closed
            sizes[closed[sizes[closed] > 0]] = len(labels) + 1
        least = min(least, max(1, sizes.max()))  # one topic is left
        if sizes.min() >= least:
            order = np.argsort(-sizes, kind="stable")
            return topics if (np.diff(order) > 0).all() else topics.select(order)
        if not sizes.any():  # deleted topics own all documents
            return topics
        topics = topics.select(np.flatnonzero(sizes >= least))
