"""What an SAEBERTopic is at any time: a fitted SAETopicModel, and BERTopic's tables of it.

BERTopic keeps lists and matrices of its topics in public attributes, from which its methods and
plots are made; after every change of the cut they are written anew from ``sae_model_``.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from bertopic import BERTopic
from bertopic._utils import check_is_fitted
from bertopic.backend import BaseEmbedder

from saetm_plugins.bertopic import tables
from saetm_plugins.bertopic.backend import WordEncoder
from saetm_plugins.bertopic.images import describe_images, embed_images, list_images
from saetm_plugins.bertopic.representation import SAERepresentation, top_words
from saetm_plugins.corpus.chunker import split_long
from saetm_plugins.corpus.images.reading import open_images
from saetm_plugins.corpus.passages import Passages, encode_passages
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.emission import infer_doc_atoms
from saetm_plugins.validation import all_or_nothing

_CANDIDATES = 30  # words that BERTopic hands to the first of a chain of representation models


class CutTopics(BERTopic):
    """BERTopic's state, written from a cut of atoms; the base of SAEBERTopic's parts."""

    outlier_threshold: float | None
    chunk: Any
    embedding_model: Any
    vectorizer_model: Any
    topic_embeddings_: Any
    topic_representations_: Any
    topic_sizes_: Any
    topics_: Any
    probabilities_: Any
    c_tf_idf_: Any
    custom_labels_: Any
    topic_aspects_: Any
    representation_model: Any
    ctfidf_model: Any
    representative_docs_: Any
    _model: Any = None  # the fitted NumberedTopicModel
    _topic_counts: Any = None  # words by topic (csr_matrix), -1 first; None without words
    _bow: sp.csr_matrix | None = None  # word counts of the fitted documents, unless just loaded
    _outlier_name: str | None = None  # what topic -1 is called by hand

    @property
    def sae_model_(self) -> Any:
        """A copy of the fitted :class:`~saetm_plugins.SAETopicModel`; None before the fit."""
        return copy.copy(self._model)

    @contextmanager
    def _editing(self) -> Iterator[Any]:
        """Let the block edit a copy of the model, which replaces it unless the block raises."""
        check_is_fitted(self)
        with all_or_nothing(self):
            self._model = copy.copy(self._model)
            yield self._model

    @contextmanager
    def _editing_all(
        self, docs: Any, images: Any = None, *, same_topics: bool = False
    ) -> Iterator[tuple[Any, Any]]:
        """Let the block edit the topics of the fitted documents, and write the tables anew.

        The block gets a copy of the model, and the documents as a list. `same_topics` says that it
        describes topics, and changes none.
        """
        texts = self._check_docs(docs, images)
        with self._editing() as model:
            self._recall(texts)
            yield model, texts
            self._write_tables(texts, images, same_topics=same_topics)

    def _write_tables(
        self,
        texts: list[str] | None = None,
        images: Any = None,
        embeddings: np.ndarray | None = None,
        *,
        with_outliers: bool = False,
        same_topics: bool = False,
    ) -> None:
        """Write all that BERTopic keeps of its topics, from the current cut.

        Where a model of words comes without `texts`, words in topics are those expected of the
        atoms. Aspects whose models are not known, as after a load, stay for the `same_topics` only.
        """
        aspects = self.topic_aspects_
        images = list_images(images, self._model.doc_atoms_)
        self._write_cut(with_outliers)
        self.topic_aspects_ = dict(aspects) if same_topics else {}
        self.c_tf_idf_, self.representative_docs_ = None, {}
        if self._is_wordless():
            describe_images(self, images, embeddings)
        else:
            self._write_words(texts, images)
        if lost := sorted(set(aspects) - set(self.topic_aspects_)):
            warnings.warn(
                f"aspects {lost} were of the topics before and are left out: "
                "update_topics(docs, representation_model=…) makes them for these",
                UserWarning,
                stacklevel=4,
            )
        self._write_names()

    def _write_cut(self, with_outliers: bool = False) -> None:
        """Write the tables that follow from the cut alone."""
        new = tables.bertopic_tables(
            self._model,
            allow_empty=self.outlier_threshold is not None,
            with_outliers=with_outliers,
            all_shares=self.calculate_probabilities,
            zeroshot=list(self.zeroshot_topic_list or []),
        )
        self.__dict__.update(new)

    def _write_words(self, texts: list[str] | None, images: Any) -> None:
        """Write words, c-TF-IDF and typical documents of topics."""
        model, outliers = self._model, self._outliers
        if texts is None:
            expected = sp.csr_matrix(model.atom_topics_.T @ model.atoms_.sums.atom_words)
            blank = sp.csr_matrix((outliers, expected.shape[1]))
            self._bow, counts = None, sp.vstack([blank, expected], format="csr")
        else:
            self._bow = self._count_again(texts) if self._bow is None else self._bow
            rows = model.labels_ + outliers
            counts = tables.sum_by_topic(rows, self._bow, model.n_topics_ + outliers)
        self.__dict__.update(tables.class_tf_idf(self, counts))
        # A batch may hold no document of a topic, or none without topic.
        words: dict[int, Any] = {-1: [tables.BLANK] * self.top_n_words} if outliers else {}
        words |= enumerate(top_words(model.components_, model.vocabulary_, self.top_n_words))
        self.topic_representations_ = words
        if texts is None:
            return
        if self.representation_model is not None or outliers:
            frame = pd.DataFrame(
                {"Document": texts, "Topic": self.topics_, "ID": range(len(texts))}
            )
            frame["Image"] = images
            described = self._extract_words_per_topic(model.vocabulary_, frame)
            self.topic_representations_ = dict(sorted({**words, **described}.items()))
        self.representative_docs_ = {
            topic: [texts[row] for row in rows]
            for topic, rows in tables.representative_rows(model.labels_, model.doc_topics_).items()
        }

    def _write_names(self) -> None:
        """Put the names given by hand, which stay with their topics, into ``custom_labels_``."""
        model = self._model
        targets = model.atoms_.label_targets
        automatic = {*(self.zeroshot_topic_list or []), *(targets.labels if targets else [])}
        named = {
            topic: label
            for topic, label in enumerate(model.topic_labels_)
            if label is not None and label not in automatic
        }
        if self._outlier_name is not None and self._outliers:
            named[-1] = self._outlier_name
        names = {**self.topic_labels_, **named}
        self.custom_labels_ = [names[topic] for topic in sorted(self.topic_sizes_)]
        if not named:
            self.custom_labels_ = None

    def _extract_representative_docs(
        self, c_tf_idf: Any, documents: pd.DataFrame, topics: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Choose documents for BERTopic: images without captions by their share of the topic."""
        if c_tf_idf is not None:
            return super()._extract_representative_docs(
                c_tf_idf, documents, topics, *args, **kwargs
            )
        n_rows = kwargs.get("nr_repr_docs", 5)
        rows = tables.representative_rows(self._model.labels_, self._model.doc_topics_, n_rows)
        return {}, [], [], [rows[topic].tolist() for topic in sorted(topics)]

    def _extract_words_per_topic(
        self, words: Any, documents: pd.DataFrame, *args: Any, **kwargs: Any
    ) -> Any:
        """Put the emissions' words where BERTopic begins with c-TF-IDF's; models asked for follow.

        BERTopic calls this for the fit, over time, per class and along the hierarchy.
        """
        if self._is_wordless():
            return super()._extract_words_per_topic(words, documents, *args, **kwargs)
        asked = self.representation_model
        self.representation_model = _after_emissions(asked)
        try:
            return super()._extract_words_per_topic(words, documents, *args, **kwargs)
        finally:
            self.representation_model = asked

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
        if documents is not None and images is None and self.can_embed():
            encoder, reader = self._encoders()
            passages = split_long(documents, reader, self.chunk, stacklevel=5)
            if passages is not None:
                return encode_passages(encoder, documents, passages, verbose=self.verbose)
        return self._embed(documents, images)

    def _encoders(self) -> tuple[Any, Any]:
        """Return what embeds texts, and what knows how much of a text it reads."""
        encoder = WordEncoder(self.embedding_model)
        inner = getattr(self.embedding_model, "embedding_model", None)
        return encoder, inner if callable(getattr(inner, "encode", None)) else encoder

    def transform_atoms(self, documents: list[str]) -> sp.csr_matrix:
        """Return the mixtures of atoms (n, K) of other texts, embedded by the embedding model."""
        embedded = self._embed_passages(documents, None)
        texts = documents if isinstance(embedded, Passages) else None
        return self._model.transform_atoms(texts, embedded)

    def for_analysis(self) -> Any:
        """Return ``sae_model_`` with the embedding model, for :mod:`saetm_plugins.analysis`."""
        model = self.sae_model_
        if self.can_embed():
            model.encoder = self._encoders()[1]
        return model

    def _check_docs(self, docs: Any, images: Any = None) -> list[str] | None:
        """Return the documents of :attr:`topics_` as a list, None for images without texts."""
        check_is_fitted(self)
        if self._is_wordless():
            n_images = len(self.topics_) if images is None else len(open_images(images))
            if n_images != len(self.topics_):
                raise ValueError(f"images holds {n_images}; the model knows {len(self.topics_)}")
            return None
        docs = check_documents(docs, "docs", least=0)
        if len(docs) != len(self.topics_):
            raise ValueError(f"docs holds {len(docs)} texts; the model knows {len(self.topics_)}")
        return docs

    def _is_wordless(self) -> bool:
        """Tell whether the model was fitted to images alone."""
        return self._model.components_ is None

    def _recall(self, docs: list[str] | None) -> None:
        """Take back all `docs`, where :attr:`topics_` was set to those of several batches.

        Of earlier batches only sums are kept: their mixtures are found anew, from embeddings where
        there is an embedding model, else from words.
        """
        model = self._model
        if docs is None or len(docs) == model.doc_atoms_.shape[0]:
            return
        if not model.online_:
            n_fitted = model.doc_atoms_.shape[0]
            raise ValueError(f"docs holds {len(docs)} texts; the model was fitted to {n_fitted}")
        self._bow = self._count_again(docs)
        if self.can_embed():
            doc_atoms = self.transform_atoms(docs)
        else:
            doc_atoms = infer_doc_atoms(self._bow, model.emissions_)
        model.recall_documents(doc_atoms, np.asarray(self.topics_))

    def _count_again(self, documents: Any) -> sp.csr_matrix:
        """Count the words of documents as when the model was fitted."""
        if self._model.vectorizer_not_saved_:
            raise ValueError(
                "vectorizer_model was not saved, as it holds more than plain settings (a tokenizer "
                "function, say), and words are to be counted: pass load(…, vectorizer_model=)"
            )
        return sp.csr_matrix(self.vectorizer_model.transform(documents), dtype=np.float32)

    def can_embed(self) -> bool:
        """Tell whether there is an embedding model."""
        return self.embedding_model is not None and type(self.embedding_model) is not BaseEmbedder


def _after_emissions(asked: Any) -> Any:
    """Return BERTopic's ``representation_model``; each chain now begins with emissions' words."""
    if asked is None:
        return SAERepresentation()
    if isinstance(asked, Mapping):
        return {aspect: _after_emissions(asked.get(aspect)) for aspect in ("Main", *asked)}
    chain = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    if any(isinstance(model, SAERepresentation) for model in chain):
        return chain
    return [SAERepresentation(top_n_words=_CANDIDATES), *chain]
