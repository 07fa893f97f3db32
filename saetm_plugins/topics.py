"""Stage 3 inside the estimator: the current cut of the atoms, and all that follows from it."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.curation import CurationMixin
from saetm_plugins.guidance import Seeds
from saetm_plugins.merging import (
    MERGES,
    AtomViews,
    Merge,
    TopicCut,
    atom_word_vectors,
    guided_cut,
    make_merge,
)
from saetm_plugins.mixtures import mix_topics, mix_words
from saetm_plugins.validation import check_choice, check_count

EMITTED_SHARE = 0.3
"""Of a topic's words: more raises the likelihood of documents, less the words' coherence."""


class TopicsMixin(CurationMixin):
    """Topics of :class:`~saetm_plugins.model.SAETopicModel`: cuts of what stages 1 and 2 left."""

    # None without words, which mypy cannot tell from the others being there.
    vocabulary_: Any
    emissions_: Any
    components_: Any
    doc_atoms_: sp.csr_matrix
    merge: str
    atom_prevalence_: np.ndarray
    _seed: int
    _seeds: Seeds | None = None
    _atom_centroids: np.ndarray
    _atom_keywords: sp.csr_matrix | None
    _atom_companions: sp.csr_matrix | None
    _word_vectors: Any
    _corpus_word_vectors: Any
    _merges: dict[str, Merge]

    def retopic(self, n_topics: int | str, merge: str | None = None) -> Any:
        """Cut the atoms into another number of topics, in place; nothing is retrained.

        Parameters
        ----------
        n_topics : int or "auto"
        merge : str, optional
            Another way of merging than the one the model was made with, for this cut.

        Raises
        ------
        NotFittedError
            Before :meth:`fit`.
        TypeError, ValueError
            When `n_topics` is not legal or above the number of live atoms; the model is then as
            it was before.
        """
        check_is_fitted(self, "doc_atoms_")
        check_n_topics(n_topics)
        method = self._choose_merge(self.merge if merge is None else merge)
        if method not in self._merges:
            fitted = make_merge(method, random_state=self._seed).fit(self._views(method))
            self._merges = {**self._merges, method: fitted}
        if self._seeds is None:
            self._set_cut(self._with_emissions(self._merges[method].cut(n_topics)))
        else:
            self._set_cut(*self._cut_guided(method, n_topics))
        return self

    def get_topics(self, n_words: int = 10) -> list[list[str]]:
        """Return the most probable words of each topic, most probable first.

        Raises
        ------
        ValueError
            When the model was fitted without words.
        """
        check_is_fitted(self, "atom_topics_")
        check_count(n_words, "n_words")
        if self.components_ is None:
            raise ValueError("the model was fitted without documents, so its topics have no words")
        return [list(self.vocabulary_[_largest(row, n_words)]) for row in self.components_]

    def get_representative_indices(self, n_documents: int = 3) -> np.ndarray:
        """Return which fitted documents have the largest share of each topic.

        Returns
        -------
        ndarray of shape (n_topics, n_documents), int64
            Rows of :attr:`doc_topics_`, the largest share first.
        """
        check_is_fitted(self, "atom_topics_")
        n_documents = min(check_count(n_documents, "n_documents"), len(self.doc_topics_))
        return np.argsort(-self.doc_topics_, axis=0, kind="stable")[:n_documents].T

    def _views(self, method: str) -> AtomViews:
        """What a merge looks at: the soft one keywords or companions, others vectors of words.

        Densities are those of documents: word vectors of atoms lie too close to each other.
        """
        return AtomViews(
            self.atom_prevalence_,
            self._atom_centroids if method in ("nmf", "hdbscan") else self._atom_vectors,
            self._atom_keywords,
            self._word_vectors,
            self._atom_companions,
        )

    @cached_property
    def _atom_vectors(self) -> np.ndarray:
        """The paper's T_k, made when first asked for; without words, the documents' centroids."""
        if self.emissions_ is None:
            return self._atom_centroids
        vectors = self._word_vectors
        if vectors is None:
            vectors = self._corpus_word_vectors
        return atom_word_vectors(self.emissions_.atom_words, vectors)

    def _choose_merge(self, merge: str) -> str:
        check_choice(merge, "merge", ("auto", *MERGES))
        if merge != "auto":
            return merge
        keywords = self._atom_keywords
        return "nmf" if keywords is not None and keywords.nnz else "kmeans"

    def _cut_guided(self, method: str, n_topics: int | str) -> tuple[TopicCut, list[str | None]]:
        """Return a cut in which the labels of `seed_topics` have topics, and the topics' labels."""
        assert self._seeds is not None
        labels, vectors, words = self._seeds
        if isinstance(n_topics, str):
            found = self._merges[method].cut(n_topics).atom_topics.shape[1]
            n_topics = int(max(found, len(labels)))
        cut = guided_cut(
            make_merge(method, random_state=self._seed),  # it is fitted to the atoms left free
            self._views(method),
            vectors,
            n_topics,
            vectors=self._atom_centroids,
            label_words=words,
        )
        cut = self._with_emissions(cut)
        order = np.argsort(-(self.atom_prevalence_ @ cut.atom_topics), kind="stable")
        topic_words = None if cut.topic_words is None else cut.topic_words[order]
        named = [*labels, *[None] * (cut.atom_topics.shape[1] - len(labels))]
        return TopicCut(cut.atom_topics[:, order], topic_words), [named[topic] for topic in order]

    def _with_emissions(self, cut: TopicCut) -> TopicCut:
        """Mix emitted words into the words that a merge found, so that none has probability 0."""
        if cut.topic_words is None:
            return cut
        words = cut.topic_words * np.float32(1 - EMITTED_SHARE)
        words += np.float32(EMITTED_SHARE) * self._emitted_words(cut)
        return cut._replace(topic_words=words / words.sum(axis=1, keepdims=True))

    def _set_cut(self, cut: TopicCut, labels: list[str | None] | None = None) -> None:
        """Derive everything that depends on the cut, then set it at once."""
        topic_words = cut.topic_words
        if topic_words is None and self.atom_words_ is not None:
            topic_words = self._emitted_words(cut)
        prevalence = self.atom_prevalence_ @ cut.atom_topics
        doc_topics = mix_topics(self.doc_atoms_, cut.atom_topics, prevalence)
        self.atom_topics_ = sp.csr_matrix(cut.atom_topics, dtype=np.float32)
        self.components_ = topic_words
        self.topic_prevalence_ = prevalence.astype(np.float32)
        self.doc_topics_ = doc_topics
        self.labels_ = doc_topics.argmax(axis=1)
        self.n_topics_ = len(prevalence)
        self.topic_labels_ = [None] * self.n_topics_ if labels is None else labels
        self._edits = []

    def _emitted_words(self, cut: TopicCut) -> np.ndarray:
        return mix_words(cut.atom_topics, self.atom_prevalence_, self.atom_words_)

    def _atom_word_source(self) -> np.ndarray:
        """Return what words of hand-made topics are mixed from, shape (n_atoms, V)."""
        if self._atom_keywords is None or self._atom_keywords.nnz == 0:
            return self.atom_words_
        return self._atom_keywords.toarray()

    @property
    def atom_words_(self) -> Any:
        """P(word|atom), shape (n_atoms, V), float32; None without words."""
        return None if self.emissions_ is None else self.emissions_.atom_words

    @property
    def background_(self) -> Any:
        """P(word) of the words no atom accounts for, shape (V,), float32; None without words."""
        return None if self.emissions_ is None else self.emissions_.background


def _largest(row: np.ndarray, n: int) -> np.ndarray:
    """Return the places of the `n` largest, largest first; the first place wins a tie."""
    if n < len(row):
        reached = np.flatnonzero(row >= np.partition(row, -n)[-n])
    else:
        reached = np.arange(len(row))
    return reached[np.argsort(-row[reached], kind="stable")][:n]


def check_n_topics(n_topics: Any) -> None:
    """Refuse a number of topics that is neither a count nor "auto"."""
    if isinstance(n_topics, str):
        check_choice(n_topics, "n_topics", ("auto",))
    else:
        check_count(n_topics, "n_topics")
