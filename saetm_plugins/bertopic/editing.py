"""SAEBERTopic's edits: every one is another cut of the same atoms, so all follow from it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from bertopic import BERTopic
from bertopic._bertopic import logger
from bertopic._utils import check_is_fitted
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.bertopic.backend import load_backend
from saetm_plugins.bertopic.base import CutTopics
from saetm_plugins.bertopic.checks import check_keybert, check_topics
from saetm_plugins.bertopic.images import visual_aspects
from saetm_plugins.bertopic.tables import BLANK
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import copy_vectorizer
from saetm_plugins.validation import as_list, check_choice, check_count, check_embeddings


class EditedTopics(CutTopics):
    """Reduce, merge, delete and update; atoms, mixtures, words and sizes stay together."""

    def reduce_topics(
        self,
        docs: list[str],
        nr_topics: int | str = 20,
        images: list[Any] | None = None,
        use_ctfidf: bool = False,
        *,
        merge: str | None = None,
    ) -> EditedTopics:
        """Cut the atoms anew, into fewer topics or more; nothing is retrained.

        BERTopic can only merge the topics that there are.

        Parameters
        ----------
        docs : list of str
            The fitted documents.
        nr_topics : int or "auto", default=20
            As ``n_topics`` of the constructor.
        images : list, optional
        use_ctfidf : ignored
        merge : {"nmf", "kmeans", "ward", "hdbscan"}, optional
            Another way of merging, for this cut: "ward" is the fastest and its cuts are nested.
        """
        with self._editing_all(docs, images) as (model, _):
            model.retopic(nr_topics, merge)
            self.nr_topics = nr_topics
        return self

    def merge_topics(
        self,
        docs: list[str],
        topics_to_merge: Sequence[int | Iterable[int]],
        images: list[Any] | None = None,
    ) -> None:
        """Merge one group of topics, or several; a document's shares of them add up."""
        with self._editing_all(docs, images) as (model, _):
            model.merge_topics(topics_to_merge)

    def split_topic(
        self, docs: list[str], topic: int, n: int = 2, images: list[Any] | None = None
    ) -> None:
        """Split one topic into `n`, by its atoms; stock BERTopic needs a new fit for it."""
        with self._editing_all(docs, images) as (model, _):
            model.split_topic(topic, n)

    def set_topic_labels(self, topic_labels: Mapping[int, str] | list[str]) -> None:
        """Name topics; names stay with topics that later merges and cuts leave as they are.

        A topic is taken for the same where a new one shares more than half of the weight of both
        (:func:`saetm_plugins.topics.carry_labels`). Labels that begin with the topic's number, as
        ``generate_topic_labels`` makes them, hold until the next edit only. As in BERTopic they are
        a list of a name for every topic, -1 first where it exists, or a dict of some.
        """
        check_is_fitted(self)
        topics = sorted(self.topic_sizes_)
        if not isinstance(topic_labels, Mapping):
            topic_labels = as_list(topic_labels, "topic_labels", "names of topics")
            if len(topic_labels) != len(topics):
                raise ValueError(f"topic_labels holds {len(topic_labels)} for {len(topics)} topics")
            topic_labels = dict(zip(topics, topic_labels, strict=True))
        labels = {topic: topic_labels.get(topic) for topic in topics}
        given = {t: name for t, name in labels.items() if name is not None and str(name)}
        numbered = {t for t, label in given.items() if re.match(rf"{t}(\D|$)", str(label))}
        with self._editing() as model:
            lasting = {t: None if t in numbered else label for t, label in given.items() if t >= 0}
            model.set_topic_labels(lasting)
            if -1 in given:
                self._outlier_name = None if -1 in numbered else given[-1]
            shown = self.custom_labels_ or [self.topic_labels_[topic] for topic in topics]
            self.custom_labels_ = [given.get(t, s) for t, s in zip(topics, shown, strict=True)]

    @classmethod
    def merge_models(
        cls, models: Sequence[Any], min_similarity: float = 0.7, embedding_model: Any = None
    ) -> Any:
        """Merge models: exactly where they share a sparse autoencoder, else as BERTopic does.

        Exactly means the topics of one model fitted to the documents of all
        (:meth:`SAETopicModel.merge_models`), cut into as many as the first model has; they come as
        an SAEBERTopic. BERTopic's own merge, by `min_similarity`, gives a BERTopic.
        """
        models = _check_models(models)
        inner: list[Any] = [getattr(model, "sae_model_", None) for model in models]
        if len(inner) < 2 or any(model is None for model in inner) or not _share_atoms(inner):
            return super().merge_models(models, min_similarity, embedding_model)
        first = models[0]
        merged = copy.copy(first)
        merged._model = type(inner[0]).merge_models(inner)
        if embedding_model is not None:
            merged.embedding_model = load_backend(embedding_model, None)
        merged.vectorizer_model = merged._model.vectorizer_ or first.vectorizer_model
        merged._write_tables()
        labels = np.concatenate([model.labels_ for model in inner])
        merged.representative_docs_ = _most_shared(models, labels, merged._model.labels_)
        return merged

    def delete_topics(self, topics_to_delete: list[int]) -> None:
        """Delete topics as BERTopic does: what belongs mostly to them gets topic -1.

        Their atoms' weight is out of later re-cuts too, and out of the mixtures.
        """
        with self._editing() as model:
            had_outliers, topics, last = self._outliers, self.topics_, model.labels_.tolist()
            kept = model.delete_topics(topics_to_delete)
            self._write_cut()
            if len(topics) != len(last):  # set to those of several batches, the last one's last
                number = {old: new for new, old in enumerate(kept)}
                earlier = topics[: -len(last)] if topics[-len(last) :] == last else topics
                renumbered = [number.get(topic, -1) for topic in earlier]
                self.topics_ = renumbered + self.topics_[: len(topics) - len(earlier)]
            self._keep_descriptions(kept, had_outliers)

    def _keep_descriptions(self, kept: list[int], had_outliers: int) -> None:
        """Carry words and documents of the topics `kept` over to their new numbers."""

        def renumber(described: Mapping[int, Any], outliers: Any) -> dict[int, Any]:
            of_kept = {new: described[old] for new, old in enumerate(kept) if old in described}
            return {-1: described.get(-1, outliers), **of_kept}

        blank = [BLANK] * self.top_n_words
        self.topic_representations_ = renumber(self.topic_representations_, blank)
        self.representative_docs_ = renumber(self.representative_docs_, [])
        aspects = self.topic_aspects_.items()
        self.topic_aspects_ = {name: renumber(described, blank) for name, described in aspects}
        self._write_names()
        rows = np.asarray(kept) + had_outliers
        for table in ("_topic_counts", "c_tf_idf_"):
            matrix = getattr(self, table)
            if matrix is not None:
                gone = np.setdiff1d(np.arange(matrix.shape[0]), rows)
                parts = [sp.csr_matrix(matrix[gone].sum(axis=0))] if self._outliers else []
                setattr(self, table, sp.vstack([*parts, matrix[rows]], format="csr"))

    def update_topics(
        self,
        docs: list[str],
        images: list[Any] | None = None,
        topics: Sequence[int] | None = None,
        top_n_words: int = 10,
        n_gram_range: tuple[int, int] | None = None,
        vectorizer_model: CountVectorizer | None = None,
        ctfidf_model: Any = None,
        representation_model: Any = None,
    ) -> None:
        """Describe topics anew, or put documents into other ones; the atoms stay.

        Another vectorizer or n-gram range means another vocabulary, and emissions are learned for
        it in seconds. With `topics`, documents have the topics they are given, whatever their
        mixtures say, and later edits take them along. Topics that keep most of their documents stay
        as they are, after :meth:`reduce_outliers` say. Else atoms follow the documents: an atom is
        shared among topics as its documents are, and so are mixtures and words; numbers left out
        are closed up. The vectorizer stays if none is given, and so do the models of aspects.
        Parameters are BERTopic's.
        """
        check_keybert(representation_model, self.can_embed())
        other_words = vectorizer_model is not None or n_gram_range is not None
        with self._editing_all(docs, images, same_topics=topics is None) as (model, texts):
            if texts is None and other_words:
                raise ValueError(
                    "another vectorizer needs texts; the model was fitted to images alone"
                )
            self.top_n_words = check_count(top_n_words, "top_n_words")
            self.representation_model = self._with_aspects(representation_model, images)
            self.ctfidf_model = self.ctfidf_model if ctfidf_model is None else ctfidf_model
            if other_words:
                self._learn_vocabulary(texts, vectorizer_model, n_gram_range)
            if topics is not None:
                labels = check_topics(topics, len(self.topics_))
                if max(labels) < 0:
                    raise ValueError("topics holds -1 alone; at least one topic is needed")
                if not np.array_equal(labels, self.topics_):
                    model.assign_documents(labels)

    def reduce_outliers(
        self,
        documents: list[str],
        topics: list[int],
        images: list[Any] | None = None,
        strategy: str = "distributions",
        probabilities: np.ndarray | None = None,
        threshold: float = 0,
        embeddings: np.ndarray | None = None,
        distributions_params: Mapping[str, Any] | None = None,
    ) -> list[int]:
        """Find topics for documents of topic -1, as BERTopic does.

        ``strategy="probabilities"`` needs no `probabilities` here: the mixtures are known. Where
        no document has topic -1 there is nothing to do, and `topics` come back as they are.
        Parameters are BERTopic's.
        """
        check_is_fitted(self)
        topics = check_topics(topics)
        strategy = str(strategy).lower()
        check_choice(
            strategy, "strategy", ("distributions", "probabilities", "c-tf-idf", "embeddings")
        )
        if images is None and (documents is not None or strategy != "probabilities"):
            documents = check_documents(documents, "documents", least=0)
            if len(documents) != len(topics):
                raise ValueError(f"documents holds {len(documents)} texts for {len(topics)} topics")
        if -1 not in topics:
            logger.warning("Outliers - No document has topic -1: topics stay as they are")
            return topics
        if not self._outliers:
            raise ValueError(
                "topics holds -1, of which the model knows nothing: call update_topics(docs, "
                "topics=topics) first"
            )
        if strategy == "probabilities":
            given = self._model.doc_topics_ if probabilities is None else probabilities
            probabilities = check_embeddings(given, name="probabilities", n_rows=len(topics))
        found = super().reduce_outliers(
            documents,
            topics,
            images=images,
            strategy=strategy,
            probabilities=probabilities,
            threshold=threshold,
            embeddings=embeddings,
            distributions_params=dict(distributions_params or {}),
        )
        return [int(topic) for topic in found]

    def _learn_vocabulary(
        self, docs: list[str], vectorizer_model: Any, n_gram_range: tuple[int, int] | None
    ) -> None:
        """Count other words, and learn the atoms' emissions of them."""
        own = vectorizer_model is None
        vectorizer = copy_vectorizer(self.vectorizer_model if own else vectorizer_model)
        if n_gram_range is not None:
            if not hasattr(vectorizer, "ngram_range"):
                raise TypeError(f"n_gram_range is no setting of {type(vectorizer).__name__}")
            vectorizer.ngram_range = tuple(n_gram_range)
            if own:  # a loaded one is bound to the words of before
                vectorizer.vocabulary = None
        try:
            self._bow = sp.csr_matrix(vectorizer.fit_transform(docs), dtype=np.float32)
        except ValueError as error:  # no word is left
            name = "vectorizer_model" if n_gram_range is None else "n_gram_range"
            raise ValueError(f"{name}: {error}") from error
        self.vectorizer_model = vectorizer
        fitted, rows = self._model.passages_, self._bow
        if fitted is not None and fitted.passages.find_other(docs) is None:
            rows = sp.csr_matrix(
                vectorizer.transform(fitted.passages.texts(docs)), dtype=np.float32
            )
        self._model.relearn_words(rows, vectorizer.get_feature_names_out(), vectorizer)

    def _with_aspects(self, representation_model: Any, images: Any) -> Any:
        """Return what describes topics from now on: the models of aspects stay if none is given."""
        before = self.representation_model
        if representation_model is not None or not isinstance(before, Mapping):
            return representation_model
        left_out = {"Main", *(visual_aspects(before) if images is None else ())}
        return {name: model for name, model in before.items() if name not in left_out} or None


def _check_models(models: Any) -> list[Any]:
    """Return models to merge, one or more fitted ones."""
    found = as_list(models, "models", "models of BERTopic")
    if not found:
        raise ValueError("models is empty; at least one is needed")
    for index, model in enumerate(found):
        if not isinstance(model, BERTopic):
            raise TypeError(f"models[{index}] must be a BERTopic; found {model!r:.80}")
        check_is_fitted(model)
    return found


def _share_atoms(models: Sequence[Any]) -> bool:
    first = models[0]
    return all(
        model.sae_.has_weights_of(first.sae_)
        and model.atoms_.sharpening == first.atoms_.sharpening
        and (model.vocabulary_ is None) == (first.vocabulary_ is None)
        for model in models[1:]
    )


def _most_shared(models: Sequence[Any], old: np.ndarray, new: np.ndarray) -> dict[int, Any]:
    """Return for each new topic the typical documents of the old topic it shares most with.

    `old` and `new` (n,) are topics of the documents of all `models`: in their own, and merged.
    """
    owner = np.repeat(np.arange(len(models)), [len(model.topics_) for model in models])
    found = {}
    for topic in np.unique(new):
        pairs, counts = np.unique(
            np.stack([owner[new == topic], old[new == topic]]), axis=1, return_counts=True
        )
        model, before = pairs[:, counts.argmax()]
        found[int(topic)] = list((models[model].representative_docs_ or {}).get(int(before), []))
    return found
