"""What an SAEBERTopic is at any time: a fitted SAETopicModel, and BERTopic's tables of it.

BERTopic keeps lists and matrices of its topics in public attributes, from which its methods and
plots are made; after every change of the cut they are written anew from ``sae_model_``.
"""

from __future__ import annotations

import copy
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from bertopic import BERTopic
from bertopic._bertopic import TopicMapper
from bertopic._utils import check_is_fitted
from bertopic.backend import BaseEmbedder
from bertopic.cluster import BaseCluster

from saetm_plugins.bertopic import tables
from saetm_plugins.bertopic.backend import WordEncoder
from saetm_plugins.bertopic.checks import check_texts
from saetm_plugins.bertopic.images import BLANK, describe_images, embed_images, list_images
from saetm_plugins.bertopic.representation import SAERepresentation, top_words
from saetm_plugins.corpus.chunker import Chunker, fine_chunker, split_long
from saetm_plugins.corpus.images.reading import open_images
from saetm_plugins.corpus.passages import Passages, encode_passages
from saetm_plugins.emission import infer_doc_atoms
from saetm_plugins.numerics.arrays import column_sums
from saetm_plugins.validation import all_or_nothing

_CANDIDATES = 30  # words that BERTopic hands to the first of a chain of representation models


class CutTopics(BERTopic):
    """BERTopic's state, written from a cut of atoms; the base of SAEBERTopic's parts."""

    sae_model_: Any = None
    outlier_threshold: float | None
    chunk: Any
    embedding_model: Any
    vectorizer_model: Any
    topic_embeddings_: Any
    topic_representations_: Any
    topic_sizes_: Any
    topic_mapper_: Any
    topics_: Any
    probabilities_: Any
    c_tf_idf_: Any
    custom_labels_: Any
    topic_aspects_: Any
    representation_model: Any
    ctfidf_model: Any
    representative_docs_: Any
    _topic_id_to_zeroshot_topic_idx: dict[int, int]
    hdbscan_model: Any
    _topic_counts: Any = None  # words by topic (csr_matrix), -1 first; None without words
    _bow: sp.csr_matrix | None = None  # word counts of the fitted documents, unless just loaded
    _outlier_name: str | None = None  # what topic -1 is called by hand

    @contextmanager
    def _editing(self) -> Iterator[Any]:
        """Let the block edit a copy of ``sae_model_``, which takes its place unless it raises."""
        with all_or_nothing(self):
            self.sae_model_ = copy.copy(self.sae_model_)
            self.sae_model_.owner = None
            yield self.sae_model_

    @contextmanager
    def _editing_all(
        self, docs: Any, images: Any = None, *, same_topics: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Let the block edit the topics of the fitted documents, and write the tables anew.

        The block gets a copy of ``sae_model_``, and the documents as a list. `same_topics` says
        that it describes topics, and changes none.
        """
        texts = self._check_docs(docs, images)
        with self._editing() as model:
            self._recall(texts)
            yield model, texts
            self._describe(texts, images, same_topics=same_topics)

    def _describe(
        self,
        documents: list[str] | None,
        images: Any = None,
        embeddings: np.ndarray | None = None,
        *,
        keep_outliers: bool = False,
        same_topics: bool = False,
    ) -> None:
        """Write what BERTopic keeps of its topics, from the current cut.

        Aspects that no model makes again, as after a load, stay where topics are the `same_topics`.
        """
        model = self.sae_model_
        images = list_images(images, model.doc_atoms_)
        labels = model.labels_
        self._describe_sizes(keep_outliers)
        aspects = self.topic_aspects_
        self.topic_aspects_ = dict(aspects) if same_topics else {}
        if documents is None:
            describe_images(self, images, embeddings)
            self._warn_of_lost(aspects)
            self._show_names()
            return
        if self._bow is None:
            self._bow = self._count_again(documents)
        self._topic_counts = tables.count_by_topic(
            labels, self._bow, model.n_topics_, self._outliers
        )
        self.c_tf_idf_ = tables.class_tf_idf(self, self._topic_counts)
        self.topic_representations_ = self._describe_words(documents, images)
        shares = tables.own_shares(labels, model.doc_topics_)
        self.representative_docs_ = {
            topic: [documents[row] for row in rows]
            for topic, rows in tables.representative_rows(labels, shares).items()
        }
        self._warn_of_lost(aspects)
        self._show_names()

    def _warn_of_lost(self, aspects: Mapping[str, Any]) -> None:
        """Say so where `aspects` there were are not made for the topics of now."""
        lost = sorted(set(aspects) - set(self.topic_aspects_))
        if lost:
            warnings.warn(
                f"aspects {lost} were of the topics before and are left out: "
                "update_topics(docs, representation_model=…) makes them for these",
                UserWarning,
                stacklevel=4,
            )

    def forget_documents(self) -> None:
        """Write what BERTopic keeps of its topics where the documents are not at hand.

        Words in topics are those expected of the atoms, not counted.
        """
        model = self.sae_model_
        self._bow = None
        self._describe_sizes()
        aspects, self.topic_aspects_, self.representative_docs_ = self.topic_aspects_, {}, {}
        self._warn_of_lost(aspects)
        if model.components_ is None:
            describe_images(self, None, None)
            self._show_names()
            return
        words = top_words(model.components_, model.vocabulary_, self.top_n_words)
        self.topic_representations_ = dict(enumerate(words))
        self._topic_counts = sp.csr_matrix(model.atom_topics_.T @ model.atoms_.sums.atom_words)
        self.c_tf_idf_ = tables.class_tf_idf(self, self._topic_counts)
        self._show_names()

    def _describe_sizes(self, keep_outliers: bool = False) -> None:
        """Write all that needs no documents; topic -1 too where earlier batches had it."""
        model = self.sae_model_
        self.topics_ = model.labels_.tolist()
        self.topic_sizes_ = Counter(self.topics_)
        if self.outlier_threshold is not None or model.online_:
            # A topic may be left without documents.
            self.topic_sizes_.update(dict.fromkeys(range(model.n_topics_), 0))
        has_outliers = keep_outliers or model.topics_.deleted is not None
        if model.online_ and has_outliers:
            self.topic_sizes_[-1] += 0
        n_seen = round(model.n_documents_seen_)
        if model.online_ and len(self.topics_) != n_seen:  # of earlier batches only sums are left
            sizes = tables.whole_sizes(model.topic_prevalence_ * model.n_documents_seen_)
            self.topic_sizes_ = Counter(dict(enumerate(sizes.tolist())))
            if has_outliers:
                self.topic_sizes_[-1] = max(0, n_seen - int(sizes.sum()))
        self.topic_mapper_ = TopicMapper(list(self.topic_sizes_))
        names = self.zeroshot_topic_list or []
        self._topic_id_to_zeroshot_topic_idx = {
            topic: names.index(label)
            for topic, label in enumerate(model.topic_labels_)
            if label in names
        }
        self.probabilities_ = self._probabilities(model.labels_, model.doc_topics_)
        self.topic_embeddings_ = self._topic_centroids()
        self.hdbscan_model = BaseCluster()
        self.hdbscan_model.labels_ = model.labels_  # which code in the wild asks the clusterer for
        model.owner = self

    def _show_names(self) -> None:
        """Put the names given by hand, which stay with their topics, into ``custom_labels_``."""
        model = self.sae_model_
        targets = model.atoms_.label_targets
        automatic = {*(self.zeroshot_topic_list or []), *(targets.labels if targets else [])}
        named = {
            topic: label
            for topic, label in enumerate(model.topic_labels_)
            if label is not None and label not in automatic
        }
        if self._outlier_name is not None and self._outliers:
            named[-1] = self._outlier_name
        names = self.topic_labels_
        self.custom_labels_ = (
            [named.get(topic, names[topic]) for topic in sorted(self.topic_sizes_)]
            if named
            else None
        )

    def _describe_words(self, documents: list[str], images: Any) -> Any:
        model = self.sae_model_
        every = top_words(model.components_, model.vocabulary_, self.top_n_words)
        if self.representation_model is None and self._outliers == 0:
            return dict(enumerate(every))
        frame = pd.DataFrame(
            {"Document": documents, "Topic": self.topics_, "ID": range(len(documents))}
        )
        frame["Image"] = images
        described = self._extract_words_per_topic(model.vocabulary_, frame)
        # A batch may hold no document of a topic, or none without topic.
        blank = {-1: [BLANK] * self.top_n_words} if self._outliers else {}
        return dict(sorted({**blank, **dict(enumerate(every)), **described}.items()))

    def _extract_representative_docs(
        self, c_tf_idf: Any, documents: pd.DataFrame, topics: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Choose documents for BERTopic: images without captions by their share of the topic."""
        if c_tf_idf is not None:
            return super()._extract_representative_docs(
                c_tf_idf, documents, topics, *args, **kwargs
            )
        labels = self.sae_model_.labels_
        shares = tables.own_shares(labels, self.sae_model_.doc_topics_)
        rows = tables.representative_rows(labels, shares, kwargs.get("nr_repr_docs", 5))
        return {}, [], [], [rows[topic].tolist() for topic in sorted(topics)]

    def _topic_centroids(self) -> np.ndarray:
        """Return the mean embedding of each topic's documents, weighted by their share of it."""
        model = self.sae_model_
        mass = np.asarray(model.atom_topics_.T.multiply(model.atom_prevalence_).todense())
        if self._outliers:
            lost = column_sums(model.doc_atoms_[model.labels_ == -1])
            mass = np.vstack([lost, mass])
        total = np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        return np.asarray(mass @ model.atoms_.centroids / total, dtype=np.float32)

    def _extract_words_per_topic(
        self, words: Any, documents: pd.DataFrame, *args: Any, **kwargs: Any
    ) -> Any:
        """Put the emissions' words where BERTopic begins with c-TF-IDF's; models asked for follow.

        BERTopic calls this for the fit, over time, per class and along the hierarchy.
        """
        if self.sae_model_ is None or self.sae_model_.components_ is None:
            return super()._extract_words_per_topic(words, documents, *args, **kwargs)
        asked = self.representation_model
        self.representation_model = _after_emissions(asked)
        try:
            return super()._extract_words_per_topic(words, documents, *args, **kwargs)
        finally:
            self.representation_model = asked

    def _probabilities(self, labels: np.ndarray, doc_topics: np.ndarray) -> np.ndarray:
        if self.calculate_probabilities:
            return doc_topics
        return np.where(labels < 0, np.float32(0), tables.own_shares(labels, doc_topics))

    def _embed(self, documents: list[str] | None, images: Any) -> np.ndarray:
        if images is not None:
            return embed_images(self, documents, images)
        if documents is None:
            raise ValueError("documents, embeddings and images are all None; give at least one")
        if not self.can_embed():
            raise ValueError("texts need embeddings=, or embedding_model= at construction or load")
        return self._extract_embeddings(documents, method="document", verbose=self.verbose)

    def _embed_passages(self, documents: list[str] | None, images: Any) -> Any:
        """Return embeddings (n, d) of documents, or the embedded passages of long ones."""
        if documents is None or images is not None or not self.can_embed():
            return self._embed(documents, images)
        encoder, told = self._encoders()
        passages = split_long(documents, told, self.chunk, stacklevel=5)
        if passages is None:
            return self._embed(documents, images)
        return encode_passages(encoder, documents, passages, verbose=self.verbose)

    def embed_passages(self, documents: list[str], chunker: Chunker | None = None) -> Passages:
        """Split texts, and embed the passages by the embedding model.

        Parameters
        ----------
        documents : list of str
        chunker : Chunker, optional
            None splits into a few sentences each.
        """
        if not self.can_embed():
            raise ValueError("texts need embedding_model= at construction or load")
        encoder, told = self._encoders()
        passages = (chunker or fine_chunker(told)).split(documents, told)
        return encode_passages(encoder, documents, passages)

    def _encoders(self) -> tuple[Any, Any]:
        """Return what embeds texts, and what tells how much it reads of one."""
        encoder = WordEncoder(self.embedding_model)
        inner = getattr(self.embedding_model, "embedding_model", None)
        return encoder, inner if callable(getattr(inner, "encode", None)) else encoder

    def transform_atoms(self, documents: list[str]) -> sp.csr_matrix:
        """Return the mixtures of atoms of other documents, embedded by the embedding model.

        Parameters
        ----------
        documents : list of str

        Returns
        -------
        csr_matrix of shape (n, n_atoms), float32
        """
        embedded = self._embed_passages(documents, None)
        texts = documents if isinstance(embedded, Passages) else None
        return self.sae_model_.transform_atoms(texts, embedded)

    def for_analysis(self) -> Any:
        """Return a copy of ``sae_model_`` that embeds texts by the embedding model.

        It is what functions of :mod:`saetm_plugins.analysis` read.
        """
        model = copy.copy(self.sae_model_)
        if self.can_embed():
            model.encoder = self._encoders()[1]
        return model

    def _check_atoms(self, method: str) -> None:
        check_is_fitted(self)
        if self.sae_model_ is None:
            raise ValueError(
                f"{method} cuts atoms, and this model was saved by stock BERTopic, without any: "
                "fit SAEBERTopic on the documents, or open it with BERTopic.load to merge topics"
            )

    def _check_docs(self, docs: Any, images: Any = None) -> list[str] | None:
        """Return the documents of :attr:`topics_` as a list, None for images without texts."""
        check_is_fitted(self)
        if self._is_wordless():
            n_images = len(self.topics_) if images is None else len(open_images(images))
            if n_images != len(self.topics_):
                raise ValueError(f"images holds {n_images}; the model knows {len(self.topics_)}")
            return None
        docs = check_texts(docs, "docs")
        if len(docs) != len(self.topics_):
            raise ValueError(f"docs holds {len(docs)} texts; the model knows {len(self.topics_)}")
        return docs

    def _is_wordless(self) -> bool:
        """Tell whether the model was fitted to images alone."""
        return self.sae_model_ is not None and self.sae_model_.components_ is None

    def _recall(self, docs: list[str] | None) -> None:
        """Know all `docs` again, where :attr:`topics_` was set to those of several batches.

        Of earlier batches only sums are kept: their mixtures are found anew, from embeddings where
        there is an embedding model, else from words.
        """
        model = self.sae_model_
        if docs is None or len(docs) == model.doc_atoms_.shape[0]:
            return
        if not model.online_:
            n_fitted = model.doc_atoms_.shape[0]
            raise ValueError(f"docs holds {len(docs)} texts; the model was fitted to {n_fitted}")
        self._bow = self._count_again(docs)
        if self.can_embed():
            embedded = self._embed_passages(docs, None)
            texts = docs if isinstance(embedded, Passages) else None
            doc_atoms = model.transform_atoms(texts, embedded)
        else:
            doc_atoms = infer_doc_atoms(self._bow, model.emissions_)
        model.recall_documents(doc_atoms, np.asarray(self.topics_))

    def _count_again(self, documents: Any) -> sp.csr_matrix:
        """Count the words of documents as when the model was fitted.

        Raises
        ------
        ValueError
            When the model was loaded without its vectorizer.
        """
        if self.sae_model_.vectorizer_not_saved_:
            raise ValueError(
                "vectorizer_model was not saved, as it holds more than plain settings (a tokenizer "
                "function, say), and words are to be counted: pass load(…, vectorizer_model=)"
            )
        return sp.csr_matrix(self.vectorizer_model.transform(documents), dtype=np.float32)

    def can_embed(self) -> bool:
        """Tell whether there is an embedding model."""
        return self.embedding_model is not None and type(self.embedding_model) is not BaseEmbedder


def _after_emissions(asked: Any) -> Any:
    """Return BERTopic's ``representation_model``, each chain of which begins with our words."""
    if asked is None:
        return SAERepresentation()
    if isinstance(asked, Mapping):
        return {aspect: _after_emissions(asked.get(aspect)) for aspect in ("Main", *asked)}
    chain = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    if any(isinstance(model, SAERepresentation) for model in chain):
        return chain
    return [SAERepresentation(top_n_words=_CANDIDATES), *chain]
