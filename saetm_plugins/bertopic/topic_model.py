"""SAEBERTopic: a BERTopic whose topics are cuts of a sparse autoencoder's atoms.

BERTopic keeps lists and matrices of its topics in public attributes, from which its methods and
figures are made. Here they are written anew from the fitted :class:`~saetm_plugins.SAETopicModel`
after every change of its topics (``_write_tables``); what is not below is BERTopic's as it is.
"""

from __future__ import annotations

import copy
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import scipy.sparse as sp
from bertopic import BERTopic
from bertopic._bertopic import logger
from bertopic._utils import (
    check_embeddings_shape,
    check_is_fitted,
    validate_distance_matrix,
)
from bertopic.backend import BaseEmbedder
from bertopic.cluster import BaseCluster
from bertopic.dimensionality import BaseDimensionalityReduction
from pandas.io.formats.style import Styler
from scipy.cluster.hierarchy import linkage
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.metrics.pairwise import cosine_similarity

from saetm_plugins.analysis import topic_linkage, topic_names
from saetm_plugins.analysis.explanation import describe_atoms
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.atoms.files.hub import resolve_path
from saetm_plugins.bertopic import embedding, figures, files, frequencies, tables
from saetm_plugins.bertopic.checks import check_groups, check_keybert, check_times, check_topics
from saetm_plugins.bertopic.images import list_images, visual_aspects
from saetm_plugins.bertopic.numbering import NumberedTopicModel, check_fractions
from saetm_plugins.bertopic.representation import after_emissions, top_words
from saetm_plugins.corpus.chunker import check_chunk, split_long
from saetm_plugins.corpus.classes import one_hot_classes
from saetm_plugins.corpus.encoders import (
    DEFAULT_WIDTH,
    embeddings_match_encoder,
    has_default_encoder,
)
from saetm_plugins.corpus.images.captions import caption_images
from saetm_plugins.corpus.images.reading import open_images
from saetm_plugins.corpus.passages import Passages, document_means, encode_passages
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import copy_vectorizer, fit_vectorizer
from saetm_plugins.corpus.words import choose_languages
from saetm_plugins.emission import infer_doc_atoms
from saetm_plugins.files.folders import pack_csr, unpack_csr
from saetm_plugins.plotting.topicwizard import topic_data
from saetm_plugins.validation import (
    all_or_nothing,
    as_list,
    as_names,
    check_choice,
    check_count,
    check_embeddings,
    check_path,
    is_integer,
)

_MODEL_PARAMETERS = (
    *("merge", "n_atoms", "k", "activation", "sharpening", "word_vectors", "solver"),
    *("emission_n_iter", "random_state", "device", "verbose"),
)
_PLAIN = (str, int, float, type(None))  # of parameters; the model behind saves the others
_LABEL_WORDS = 5


class SAEBERTopic(BERTopic):
    """BERTopic with mixtures, words from emissions, no outliers, and any number of topics at once.

    Parameters
    ----------
    n_topics : int, "auto" or None, default=None
        Topics of the first cut; None means 20, or fewer where the corpus cannot carry as many;
        "auto" finds a number, as in :class:`~saetm_plugins.SAETopicModel`. BERTopic's
        ``nr_topics`` is taken for it where that is given.
    sae : "auto", "default", SparseAutoencoder or None, default="auto"
        Where atoms come from, see :class:`~saetm_plugins.SAETopicModel`.
    merge, n_atoms, k, activation, sharpening, word_vectors, solver, emission_n_iter, \
random_state, device
        As in :class:`~saetm_plugins.SAETopicModel`.
    target_weight : float, default=0.5
        How much `y` counts in the merge: 0 not at all, 1 alone.
    outlier_threshold : float, optional
        Topic -1 goes to documents whose main topic has a smaller share of them than this, and to
        blank texts; 0 means blank texts alone, None (the default) no -1 at all: a blank text,
        whose mixture is the corpus' mean, then counts towards that one's largest topic.
    chunk : "auto", Chunker or None, default="auto"
        How texts that come without embeddings are read where the embedding model reads their
        beginnings alone: in passages, see :meth:`saetm_plugins.SAETopicModel.fit`.
    **bertopic
        BERTopic's own parameters. ``calculate_probabilities`` is True by default. ``umap_model``
        and ``hdbscan_model`` have no part here (a warning says so); ``vectorizer_model`` counts
        words per document, for c-TF-IDF and emissions alike, and defaults to
        :func:`saetm_plugins.text.default_vectorizer`; ``representation_model``, every aspect of
        it, starts from the emissions' words instead of c-TF-IDF's (KeyBERTInspired takes its
        candidates from c-TF-IDF itself).

    Attributes
    ----------
    sae_model_ : SAETopicModel
        Atoms, emissions and the current cut, numbered as BERTopic's topics are: by size. A copy:
        edits of it leave the tables here, and this model, as they are.
    probabilities_ : ndarray of shape (n, n_topics) or (n,), float32
        The mixture of each document, rows summing to 1 (less what deleted topics have of it); with
        ``calculate_probabilities=False`` the share of its main topic.

    References
    ----------
    Grootendorst, "BERTopic", arXiv 2203.05794; Girrbach & Akata, "Sparse autoencoders are topic
    models", arXiv 2511.16309.
    """

    embedding_model: Any
    vectorizer_model: Any
    ctfidf_model: Any
    representation_model: Any
    topics_: Any
    probabilities_: Any
    topic_sizes_: Any
    topic_representations_: Any
    topic_aspects_: Any
    topic_embeddings_: Any
    representative_docs_: Any
    custom_labels_: Any
    c_tf_idf_: Any
    _model: Any = None  # the fitted NumberedTopicModel
    _topic_counts: Any = None  # words by topic (csr_matrix), -1 first; None without words
    _bow: Any = None  # word counts (csr_matrix) of the fitted documents, unless just loaded
    _outlier_name: str | None = None  # the name given to topic -1 by hand
    _found_encoder = False  # whether `embedding_model` was found by trying, not given

    def __init__(
        self,
        n_topics: int | str | None = None,
        *,
        sae: SparseAutoencoder | str | None = "auto",
        merge: str = "auto",
        n_atoms: int | None = None,
        k: int | None = None,
        activation: str = "batch_topk",
        sharpening: float | None = None,
        word_vectors: Any = "auto",
        solver: str = "em",
        emission_n_iter: int | None = None,
        target_weight: float = 0.5,
        outlier_threshold: float | None = None,
        chunk: Any = "auto",
        random_state: Any = 0,
        device: str = "auto",
        **bertopic: Any,
    ):
        for slot in ("umap_model", "hdbscan_model"):
            if bertopic.pop(slot, None) is not None:
                warnings.warn(
                    f"{slot} is not used: atoms replace it. To keep the slots, use "
                    "BERTopic(hdbscan_model=SAEClusterer())",
                    UserWarning,
                    stacklevel=2,
                )
        embedding.check_embedding_model(bertopic.get("embedding_model"))
        self._counts_by_default = bertopic.get("vectorizer_model") is None
        bertopic.setdefault("calculate_probabilities", True)
        super().__init__(
            umap_model=BaseDimensionalityReduction(), hdbscan_model=BaseCluster(), **bertopic
        )
        self.n_topics = n_topics
        self.sae = sae
        self.merge = merge
        self.n_atoms = n_atoms
        self.k = k
        self.activation = activation
        self.sharpening = sharpening
        self.word_vectors = word_vectors
        self.solver = solver
        self.emission_n_iter = emission_n_iter
        self.target_weight = target_weight
        self.outlier_threshold = outlier_threshold
        self.chunk = chunk
        self.random_state = random_state
        self.device = device

    @classmethod
    def _get_param_names(cls) -> list[str]:
        return sorted({*BERTopic._get_param_names(), *super()._get_param_names()})

    @property
    def sae_model_(self) -> Any:
        """A copy of the fitted :class:`~saetm_plugins.SAETopicModel`; None before the fit."""
        return copy.copy(self._model)

    # Fitting and predicting

    def fit_transform(
        self,
        documents: Any = None,
        embeddings: np.ndarray | None = None,
        images: Any = None,
        y: Any = None,
    ) -> tuple[list[int], np.ndarray]:
        """Fit by the three stages of :meth:`SAETopicModel.fit`; return topics and probabilities.

        Parameters
        ----------
        documents : list of str, or None where `images` or `embeddings` are given
            With `images` their captions, or what makes them, see
            :func:`saetm_plugins.images.caption_images`.
        embeddings : ndarray of shape (n, d), optional
        images : folder, or sequence of paths, PIL images or arrays, optional
            As of :func:`saetm_plugins.images.open_images`; decoded a batch at a time.
        y : array-like of shape (n,), optional
            Known classes, -1 where unknown: atoms are drawn to topics of their classes.
        """
        check_fractions(self)
        check_chunk(self.chunk)
        check_count(self.top_n_words, "top_n_words")
        names = self.zeroshot_topic_list
        names = None if names is None else as_names(names, "zeroshot_topic_list")
        with all_or_nothing(self):
            if self._found_encoder:  # of the documents before
                self.embedding_model, self._found_encoder = None, False
            given = embeddings is not None
            texts, embeddings = self._read(documents, embeddings, images)
            if given:
                self._find_encoder(texts, embeddings)
            check_keybert(self.representation_model, self.can_embed())
            if names is not None and not self.can_embed():
                warnings.warn(
                    "zeroshot_topic_list has no effect: its names need embedding_model=, the one "
                    "that made the embeddings, which is not the default one or cannot be had",
                    UserWarning,
                    stacklevel=2,
                )
                names = None
            vectors = document_means(embeddings)
            if y is not None:
                one_hot_classes(y, len(vectors), "y")
            self._bow = self._count(texts)
            self.topic_aspects_ = {}
            n_topics = self.n_topics if self.nr_topics is None else self.nr_topics
            seeds = {", ".join(words): list(words) for words in self.seed_topic_list or []}
            self._model = model = NumberedTopicModel(
                n_topics=n_topics,
                seed_topics=seeds or None,
                sae=self.sae,
                encoder=None if images is not None else self._word_encoder(),
                **{name: getattr(self, name) for name in _MODEL_PARAMETERS},
            )
            model.outlier_threshold_ = self.outlier_threshold
            has_words = self._bow is not None
            model.fit(
                texts,
                embeddings=embeddings,
                images=images,
                bow=self._count_rows(texts, embeddings),
                vocabulary=self.vectorizer_model.get_feature_names_out() if has_words else None,
                classes=y,
                class_weight=self.target_weight,
                chunk=self.chunk,
            )
            model.vectorizer_ = self.vectorizer_model if has_words else None
            if names:
                model.name_topics(
                    names,
                    self._extract_embeddings(names),
                    self.zeroshot_min_similarity,
                    vectors,
                    n_topics,
                )
            self._write_tables(texts, images, vectors)
        return self.topics_, self.probabilities_

    def transform(
        self,
        documents: str | list[str] | None = None,
        embeddings: np.ndarray | None = None,
        images: Any = None,
    ) -> tuple[list[int], np.ndarray]:
        """Return the main topic of each new document, and :attr:`probabilities_` of them.

        The main topic is the largest of the mixture, not the nearest centroid or cluster; a
        document near to the name of a zero-shot topic belongs to that, as in the fit.
        """
        check_is_fitted(self)
        texts = [documents] if isinstance(documents, str) else documents
        if texts is not None:
            texts = check_documents(texts, "documents", least=0)
        if embeddings is None:
            embeddings = self._embed_passages(texts, images)
        elif texts is not None:
            check_embeddings_shape(embeddings, texts)
        labels, doc_topics = self._model.predict(texts, embeddings, images)
        shares = tables.probabilities(labels, doc_topics, self.calculate_probabilities)
        return labels.tolist(), shares

    def partial_fit(
        self,
        documents: Any = None,
        embeddings: np.ndarray | None = None,
        y: Any = None,
        images: Any = None,
    ) -> SAEBERTopic:
        """Fit on a first batch; then keep atoms, vocabulary and topics, and go on learning words.

        :attr:`topics_` and :attr:`probabilities_` describe the last batch, as in BERTopic; sizes
        add up. No ``OnlineCountVectorizer`` is needed: emissions and counts are sums. Parameters
        are those of :meth:`fit_transform`; `y` counts in the first batch only.
        """
        documents = [documents] if isinstance(documents, str) else documents
        if self.topics_ is None:
            self.fit_transform(documents, embeddings, images, y)
            return self
        if (documents is None) != self._is_wordless() or (documents is None and images is None):
            raise ValueError("documents: a further batch needs texts, and a model that has words")
        sizes, counts, had_outliers = self.topic_sizes_, self._topic_counts, self._outliers
        with self._editing() as model:
            texts, embeddings = self._read(documents, embeddings, images)
            if texts is not None:
                self._bow = self._count_again(texts)
            model.partial_fit(
                texts if isinstance(embeddings, Passages) else None,
                embeddings=embeddings,
                images=images,
                bow=self._count_rows(texts, embeddings),
            )
            model.follow_names(embeddings)
            earlier = self.representative_docs_
            self._write_tables(
                texts, images, embeddings, with_outliers=bool(had_outliers), same_topics=True
            )
            batch: Counter[int] = Counter(self.topics_)
            self.topic_sizes_ = Counter({t: sizes[t] + batch[t] for t in self.topic_sizes_})
            if texts is not None:
                if self._outliers > had_outliers:  # a deleted topic owned no document so far
                    counts = sp.vstack([sp.csr_matrix((1, counts.shape[1])), counts], format="csr")
                self._write_tf_idf(counts + self._topic_counts)
                self.representative_docs_ = {**self.representative_docs_, **earlier}
        return self

    def transform_atoms(self, documents: list[str]) -> sp.csr_matrix:
        """Return the mixtures of atoms (n, K) of other texts, embedded by the embedding model."""
        embedded = self._embed_passages(documents, None)
        texts = documents if isinstance(embedded, Passages) else None
        return self._model.transform_atoms(texts, embedded)

    # Editing topics

    def reduce_topics(
        self,
        docs: list[str],
        nr_topics: int | str = 20,
        images: list[Any] | None = None,
        use_ctfidf: bool = False,
        *,
        merge: str | None = None,
    ) -> SAEBERTopic:
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

        blank = [tables.BLANK] * self.top_n_words
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
        mixtures say, and later edits take them along. Where topics keep most of their documents, as
        after :meth:`reduce_outliers`, mixtures and words stay as they are. Else atoms follow the
        documents: an atom is shared among topics as its documents are, and so are mixtures and
        words; numbers left out are closed up. The vectorizer stays if none is given, and so do the
        models of aspects. Parameters are BERTopic's.
        """
        check_keybert(representation_model, self.can_embed())
        other_words = vectorizer_model is not None or n_gram_range is not None
        with self._editing_all(docs, images, same_topics=topics is None) as (model, texts):
            self.top_n_words = check_count(top_n_words, "top_n_words")
            before = self.representation_model
            self.representation_model = representation_model
            if representation_model is None and isinstance(before, Mapping):
                gone = {"Main", *(visual_aspects(before) if images is None else ())}
                kept = {name: each for name, each in before.items() if name not in gone}
                self.representation_model = kept or None
            self.ctfidf_model = self.ctfidf_model if ctfidf_model is None else ctfidf_model
            if other_words:
                self._learn_vocabulary(texts, vectorizer_model, n_gram_range)
            if topics is not None:
                labels = check_topics(topics, len(self.topics_))
                if max(labels) < 0:
                    raise ValueError("topics holds -1 alone; at least one topic is needed")
                if labels != list(self.topics_):
                    model.assign_documents(labels)

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

    def reduce_outliers(
        self,
        documents: list[str],
        topics: list[int],
        images: list[Any] | None = None,
        strategy: str = "distributions",
        probabilities: np.ndarray | None = None,
        *args: Any,
        **options: Any,
    ) -> list[int]:
        """Find topics for documents of topic -1, as BERTopic does.

        ``strategy="probabilities"`` needs no `probabilities` here: the mixtures are known. Where
        no document has topic -1 there is nothing to do, and `topics` come back as they are.
        Parameters are BERTopic's.
        """
        check_is_fitted(self)
        topics, strategy = check_topics(topics), str(strategy).lower()
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
            documents, topics, images, strategy, probabilities, *args, **options
        )
        return [int(topic) for topic in found]

    @classmethod
    def merge_models(
        cls, models: Sequence[Any], min_similarity: float = 0.7, embedding_model: Any = None
    ) -> Any:
        """Merge models: exactly where they share a sparse autoencoder, else as BERTopic does.

        Exactly means the topics of one model fitted to the documents of all
        (:meth:`SAETopicModel.merge_models`), cut into as many as the first model has; they come as
        an SAEBERTopic. BERTopic's own merge, by `min_similarity`, gives a BERTopic.
        """
        inner: list[Any] = [getattr(model, "sae_model_", None) for model in models]
        if len(inner) < 2 or any(model is None for model in inner) or not _share_atoms(inner):
            return super().merge_models(models, min_similarity, embedding_model)
        first = models[0]
        merged = copy.copy(first)
        merged._model = NumberedTopicModel.merge_models(inner)
        if embedding_model is not None:
            merged.embedding_model = embedding.load_backend(embedding_model, None)
        merged.vectorizer_model = merged._model.vectorizer_ or first.vectorizer_model
        merged._write_tables()
        labels = np.concatenate([model.labels_ for model in inner])
        merged.representative_docs_ = _most_shared(models, labels, merged._model.labels_)
        return merged

    # Looking at topics and documents

    def hierarchical_topics(
        self,
        docs: list[str],
        use_ctfidf: bool = True,
        linkage_function: Callable[..., np.ndarray] | None = None,
        distance_function: Callable[..., Any] | None = None,
    ) -> pd.DataFrame:
        """Return which topics merge in which order, as of :func:`saetm_plugins.analysis.taxonomy`.

        The words of a merged topic are those of its atoms; BERTopic counts c-TF-IDF again at every
        step. With one of the functions the tree is one of c-TF-IDF, or of the topics' centroids
        with ``use_ctfidf=False``, as in BERTopic. Parameters and columns are BERTopic's.
        """
        self._check_docs(docs)
        if linkage_function or distance_function:
            with_words = use_ctfidf and self.c_tf_idf_ is not None
            topics = (self.c_tf_idf_ if with_words else self.topic_embeddings_)[self._outliers :]
            distance_function = distance_function or (lambda rows: 1 - cosine_similarity(rows))
            link = linkage_function or (lambda d: linkage(d, "ward", optimal_ordering=True))
            distances = np.asarray(distance_function(topics))
            n_topics = self._model.n_topics_
            if distances.shape == (n_topics, n_topics) and np.allclose(distances, distances.T):
                # The same up to rounding, which SciPy takes for asymmetric.
                distances = (distances + distances.T) / 2
            tree = link(validate_distance_matrix(distances, n_topics))
        else:
            tree = topic_linkage(self)
        members = [[topic] for topic in range(self._model.n_topics_)]
        names = [_name(self.get_topic(topic)) or str(topic) for (topic,) in members]
        rows = []
        for left, right, distance in tree[:, :3]:
            left, right = int(left), int(right)
            members.append(sorted(members[left] + members[right]))
            names.append(self._name_merged(members[-1]))
            rows.append(
                (str(len(names) - 1), names[-1], members[-1])
                + (str(left), names[left], str(right), names[right], distance)
            )
        columns = ["Parent_ID", "Parent_Name", "Topics", "Child_Left_ID", "Child_Left_Name"]
        columns += ["Child_Right_ID", "Child_Right_Name", "Distance"]
        return pd.DataFrame(rows[::-1], columns=columns)

    def topics_over_time(
        self,
        docs: list[str],
        timestamps: Any,
        topics: list[int] | None = None,
        nr_bins: int | None = None,
        datetime_format: str | None = None,
        evolution_tuning: bool = True,
        global_tuning: bool = True,
        *,
        soft: bool = False,
    ) -> pd.DataFrame:
        """Return how frequent each topic is at each time, and its words then.

        With `soft`, documents' shares of a topic are added up instead of counting the documents
        that belong mostly to it: frequencies are then no integers, and every topic has one. The
        other parameters are BERTopic's.
        """
        check_is_fitted(self)
        if soft and topics is not None:
            raise ValueError("soft=True counts mixtures, and topics= has none; give one of them")
        texts = self._check_docs(docs) if topics is None else check_documents(docs, "docs", least=0)
        n_documents = len(self.topics_) if texts is None else len(texts)
        times = check_times(timestamps, n_documents, datetime_format)
        times = frequencies.as_datetimes(times) if nr_bins else times
        if topics is not None:
            topics = check_topics(topics, n_documents)
            if unknown := sorted(set(topics) - set(self.topic_sizes_)):
                raise ValueError(f"topics holds {unknown[0]}, which the model does not know")
        groups = frequencies.binned(times, nr_bins)
        if texts is None:
            hard = frequencies.count_documents(self, groups, "Timestamp")
        else:
            hard = super().topics_over_time(
                texts,
                times,
                topics=topics,
                nr_bins=nr_bins,
                evolution_tuning=evolution_tuning,
                global_tuning=global_tuning,
            )
        return frequencies.add_mixtures(self, hard, groups, "Timestamp") if soft else hard

    def topics_per_class(
        self, docs: list[str], classes: Any, global_tuning: bool = True, *, soft: bool = False
    ) -> pd.DataFrame:
        """Return how frequent each topic is in each class, as :meth:`topics_over_time` does."""
        texts = self._check_docs(docs)
        classes = check_groups(classes, len(self.topics_), "classes")
        if texts is None:
            hard = frequencies.count_documents(self, classes, "Class")
        else:
            hard = super().topics_per_class(texts, classes, global_tuning)
        return frequencies.add_mixtures(self, hard, classes, "Class") if soft else hard

    def get_document_info(self, docs: Any, df: Any = None, metadata: Any = None) -> pd.DataFrame:
        """Return BERTopic's table of documents; images without texts are None in it.

        Where ``topics_`` was set to those of several batches there is no column Probability, as
        the last batch's alone are known. Parameters are BERTopic's.
        """
        texts = self._check_docs(docs)
        if metadata is not None:  # without an index, which pandas would go by
            metadata = {column: list(values) for column, values in metadata.items()}
        shown = copy.copy(self)
        if shown.probabilities_ is not None and len(shown.probabilities_) != len(self.topics_):
            shown.probabilities_ = None
        docs = texts or [""] * len(self.topics_)
        info = BERTopic.get_document_info(shown, docs, df, metadata)
        return info if texts is not None else info.assign(Document=None)

    def explain_document(self, document: int | str, n_words: int = 10) -> pd.DataFrame:
        """Return the atoms of a document, the heaviest first.

        Parameters
        ----------
        document : int or str
            The position of a fitted document, or a text.
        n_words : int, default=10

        Returns
        -------
        DataFrame
            Columns Atom; Weight, its share of the document; Topic, the one it gives most to (-1
            if deleted); Words, its most probable ones.
        """
        check_is_fitted(self)
        n_words = check_count(n_words, "n_words")
        n_documents = self._model.doc_atoms_.shape[0]
        if isinstance(document, str):
            doc_atoms = self.transform_atoms([document])
        elif is_integer(document) and -n_documents <= document < n_documents:
            doc_atoms = self._model.doc_atoms_[document]
        else:
            raise IndexError(
                f"document must be a text, or one of {n_documents} positions; found {document!r}"
            )
        return describe_atoms(self._model, doc_atoms, n_words).rename(columns=str.capitalize)

    def prepare_topic_data(self, corpus: list[str], embeddings: Any = None) -> dict[str, Any]:
        """Return the mixtures of a corpus for ``topicwizard.visualize``.

        See :func:`~saetm_plugins.plotting.topicwizard.topic_data`.
        """
        check_is_fitted(self)
        embeddings = self._embed(corpus, None) if embeddings is None else embeddings
        width = self._model.sae_.n_features
        embeddings = check_embeddings(embeddings, n_rows=len(corpus), width=width)

        def transform(documents: list[str]) -> np.ndarray:
            return self._model.topics_of(self.transform_atoms(documents))[1]

        return topic_data(self._model, corpus, embeddings, transform, topic_names(self))

    def to_gensim(self, id2word: Any = None) -> Any:
        """Return the current topics as a gensim model, see :meth:`SAETopicModel.to_gensim`."""
        check_is_fitted(self)
        return self.sae_model_.to_gensim(id2word)

    def for_analysis(self) -> Any:
        """Return ``sae_model_`` with the embedding model, for :mod:`saetm_plugins.analysis`."""
        model = self.sae_model_
        if self.can_embed():
            model.encoder = embedding.reader_of(self.embedding_model)
        return model

    def can_embed(self) -> bool:
        """Tell whether there is an embedding model."""
        return self.embedding_model is not None and type(self.embedding_model) is not BaseEmbedder

    # Figures: those that BERTopic draws otherwise, or cannot draw

    def visualize_hierarchy(self, *args: Any, **options: Any) -> Any:
        """Draw the tree of :meth:`hierarchical_topics`; parameters are BERTopic's."""
        model, given = figures.arguments(BERTopic.visualize_hierarchy, self, args, options)
        if not (given["linkage_function"] or given["distance_function"]):
            shown = figures.shown_topics(self, given)
            tree = topic_linkage(self, shown)
            given["linkage_function"] = lambda _: tree
            # BERTopic wants distances even where the tree is given.
            n_pairs = len(shown) * (len(shown) - 1) // 2
            given["distance_function"] = lambda _: np.zeros(n_pairs)
            if "color_threshold" not in options:
                n_colors = max(2, round(len(shown) ** 0.5))  # a colour to each of so many branches
                given["color_threshold"] = tree[1 - min(n_colors, len(shown)), 2]
        return BERTopic.visualize_hierarchy(model, **given)

    def visualize_hierarchical_documents(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's documents by levels of the hierarchy; parameters are BERTopic's."""
        draw = BERTopic.visualize_hierarchical_documents
        given = figures.bind(draw, self, args, options)
        # BERTopic 0.17.4 breaks where a level holds the root, as with its 10 levels and 11 topics.
        tree = given["hierarchical_topics"].copy()
        parents = tree.Parent_ID.astype(int)
        tree.loc[parents == parents.max(), "Distance"] = np.inf
        levels = min(given["nr_levels"], len(tree) - 1)
        return draw(self, **{**given, "hierarchical_topics": tree, "nr_levels": levels})

    def visualize_topics_over_time(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's frequencies over time; parameters are BERTopic's."""
        draw = BERTopic.visualize_topics_over_time
        model, given = figures.arguments(draw, self, args, options)
        # BERTopic adds a column to the table.
        return draw(model, **{**given, "topics_over_time": given["topics_over_time"].copy()})

    def visualize_topics_per_class(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's frequencies per class; parameters are BERTopic's."""
        draw = BERTopic.visualize_topics_per_class
        model, given = figures.arguments(draw, self, args, options)
        table = given["topics_per_class"].copy()
        # BERTopic 0.17.4 breaks on a topic that the table has no row of.
        shown = figures.shown_topics(self, given)
        present = [topic for topic in shown if topic in set(table.Topic)]
        return draw(model, **{**given, "topics_per_class": table, "topics": present})

    def visualize_document_datamap(
        self,
        docs: list[str] | None = None,
        topics: list[int] | None = None,
        embeddings: Any = None,
        reduced_embeddings: Any = None,
        *args: Any,
        levels: Sequence[int] | None = None,
        **options: Any,
    ) -> Any:
        """Draw BERTopic's map of documents; with `levels`, one whose labels grow finer on zooming.

        `levels` are numbers of topics as of :func:`saetm_plugins.analysis.taxonomy`, the last one
        the model's own. The map is interactive then, and takes `options` of the interactive map
        only. The other parameters are BERTopic's.
        """
        if levels is None:
            return super().visualize_document_datamap(
                docs, topics, embeddings, reduced_embeddings, *args, **options
            )
        check_is_fitted(self)
        if topics is not None or args:
            raise ValueError("levels goes with keywords only, and shows all topics")
        if embeddings is None and reduced_embeddings is None:
            embeddings = self._embed(docs, None)
        return figures.zoomable_map(self, docs, embeddings, reduced_embeddings, levels, options)

    def visualize_term_rank(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's decline of term scores, which are probabilities here."""
        figure = super().visualize_term_rank(*args, **options)
        if self.representation_model is None:
            is_log = figures.bind(BERTopic.visualize_term_rank, self, args, options)["log_scale"]
            figure.update_yaxes(title="P(word | topic)" + " (log scale)" * bool(is_log))
        return figure

    def visualize_approximate_distribution(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's table of tokens and topics; parameters are BERTopic's."""
        # BERTopic 0.17.4 calls ``Styler.applymap``, which pandas 3 knows as ``map`` only.
        known = getattr(Styler, "applymap", None) or Styler.map
        with patch.object(Styler, "applymap", known, create=True):
            return super().visualize_approximate_distribution(*args, **options)

    # Saving and loading

    def save(
        self,
        path: Any,
        serialization: str = "safetensors",
        save_embedding_model: bool | str = True,
        save_ctfidf: bool = True,
    ) -> None:
        """Save so that stock ``BERTopic.load`` opens it, and :meth:`load` with atoms and re-cuts.

        The default is safetensors with c-TF-IDF, where BERTopic's is a pickle: atoms, emissions
        and mixtures are never pickled unless asked for.

        Parameters
        ----------
        path : path
            A folder, or a file for "pickle".
        serialization : {"safetensors", "pytorch", "pickle"}, default="safetensors"
            "pickle" writes the object as BERTopic does. Loading one can run code: load only
            your own.
        save_embedding_model : bool or str, default=True
            The name of the embedding model, True for the name it was loaded by.
        save_ctfidf : bool, default=True
        """
        check_choice(serialization, "serialization", ("safetensors", "pytorch", "pickle"))
        path = check_path(path)
        check_is_fitted(self)
        if serialization == "pickle":
            super().save(path, serialization, save_embedding_model, save_ctfidf)
            return
        stock = BERTopic.__new__(BERTopic)  # its files name BERTopic's parameters alone
        stock.__dict__.update({k: v for k, v in vars(self).items() if k not in ("sae", "_model")})
        parameters = {name: getattr(self, name) for name in self._own_parameters()}
        documents = self.representative_docs_ or {}
        config = {
            "parameters": {k: v for k, v in parameters.items() if isinstance(v, _PLAIN)},
            "counts_by_default": self._counts_by_default,
            "representative_docs": {str(topic): texts for topic, texts in documents.items()},
            "outlier_name": self._outlier_name,
            "online": self._model.online_,
        }
        tensors = {"sizes": np.array(sorted(self.topic_sizes_.items()), dtype=np.int64)}
        if self._topic_counts is not None:
            tensors |= pack_csr("topic_counts", self._topic_counts)
        with files.writing(path) as folder:
            files.write_stock_files(folder, stock, serialization, save_embedding_model, save_ctfidf)
            files.write_atoms(folder, config, tensors, self._model)

    @classmethod
    def load(
        cls,
        path: Any,
        embedding_model: Any = None,
        *,
        vectorizer_model: Any = None,
        allow_pickle: bool = False,
    ) -> Any:
        """Load a model saved by :meth:`save`; one of stock BERTopic comes as a plain BERTopic.

        Parameters
        ----------
        path : path or str
            A folder, a pickled file, or the name of a repository on the Hugging Face hub.
        embedding_model : optional
            As in BERTopic; None: the one whose name was saved.
        vectorizer_model : optional
            The one that the model was fitted with, where it could not be saved: it holds more than
            plain settings, a tokenizer function say. Without it no words are counted any more.
        allow_pickle : bool, default=False
            Open a pickled file, which may run any code: only for files of your own.

        Returns
        -------
        SAEBERTopic, or BERTopic where there are no atoms in the folder (a warning says so)
        """
        embedding.check_embedding_model(embedding_model)
        if check_path(path).is_file():
            if not allow_pickle:
                raise ValueError(
                    f"path {str(path)!r} is a file, which BERTopic pickles: opening it may run any "
                    "code; pass allow_pickle=True for a file of your own, or save as safetensors"
                )
            return super().load(str(path), embedding_model)
        folder = resolve_path(str(path))
        stock = files.read_stock_model(folder, embedding_model)
        atoms = files.read_atoms(folder, vectorizer_model)
        if atoms is None:
            warnings.warn(
                f"path {str(path)!r} was saved by stock BERTopic, without atoms, and is opened as "
                "a BERTopic: fit SAEBERTopic on the documents to cut topics anew",
                UserWarning,
                stacklevel=2,
            )
            return stock
        loaded = cls()
        loaded.__dict__.update(vars(stock))
        with files.refusing_damage(folder / files.FOLDER):
            loaded._take_over(*atoms)
        return loaded

    def _take_over(
        self, config: dict[str, Any], tensors: dict[str, np.ndarray], model: NumberedTopicModel
    ) -> None:
        if unknown := config["parameters"].keys() - self._own_parameters():
            raise KeyError(f"{unknown} are no parameters")
        self.__dict__.update(config["parameters"])
        self._counts_by_default = config["counts_by_default"]
        self.representative_docs_ = {
            int(topic): docs for topic, docs in config["representative_docs"].items()
        }
        self._outlier_name = config.get("outlier_name")
        if "topic_counts.data" in tensors:
            self._topic_counts = unpack_csr("topic_counts", tensors)
        model.online_ = config["online"]
        self._model = model
        self.chunk, self.sae = model.chunk_, model.sae
        self.vectorizer_model = model.vectorizer_ or self.vectorizer_model
        topics = self.topics_
        sizes = Counter({int(topic): int(size) for topic, size in tensors["sizes"]})
        self._write_cut(with_outliers=-1 in sizes)
        self.topic_sizes_ = sizes
        if len(topics) != len(self.topics_):  # set to those of several batches
            self.topics_ = topics

    @classmethod
    def _own_parameters(cls) -> set[str]:
        return {*cls._get_param_names()} - {*BERTopic._get_param_names()}

    # BERTopic's tables, from the current cut

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
            self._describe_images(images, embeddings)
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
        self._write_tf_idf(counts)
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

    def _write_tf_idf(self, counts: sp.csr_matrix) -> None:
        self._topic_counts = counts
        self.c_tf_idf_, self.ctfidf_model = tables.class_tf_idf(self, counts)

    def _describe_images(self, images: list[Any] | None, embeddings: np.ndarray | None) -> None:
        """Write what representation models, ``VisualRepresentation`` say, make of images alone.

        Without `images`, or a model that captions them, words are blank. `embeddings` (n, d) are
        made again from the atoms where they are None.
        """
        blank = [tables.BLANK] * self.top_n_words
        self.topic_representations_ = {topic: blank for topic in sorted(self.topic_sizes_)}
        if images is None:
            return
        columns = {"Document": None, "ID": range(len(images)), "Topic": self.topics_}
        frame = pd.DataFrame(columns, dtype=object)
        frame["Image"] = images
        if embeddings is None:
            embeddings = np.asarray(self._model.doc_atoms_ @ self._model.atoms_.centroids)
        captions = self._images_to_text(frame, embeddings)
        if captions.Document.notna().all():  # a representation model that captions
            centroids = self.topic_embeddings_
            self._extract_topics(captions)
            self._save_representative_docs(captions)
            self.topic_embeddings_ = centroids
            return
        self.topic_aspects_ = {
            aspect: visual.extract_topics(self, frame, None, self.topic_representations_)
            for aspect, visual in visual_aspects(self.representation_model).items()
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

    def _name_merged(self, topics: list[int]) -> str:
        model = self._model
        if model.components_ is None:
            return "_".join(str(topic) for topic in topics)
        mixed = model.topic_prevalence_[topics] @ model.components_[topics]
        return _name(top_words(mixed[None], model.vocabulary_, _LABEL_WORDS)[0])

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

        BERTopic calls this for the fit, over time and per class.
        """
        if self._is_wordless():
            return super()._extract_words_per_topic(words, documents, *args, **kwargs)
        asked = self.representation_model
        self.representation_model = after_emissions(asked)
        try:
            return super()._extract_words_per_topic(words, documents, *args, **kwargs)
        finally:
            self.representation_model = asked

    # Documents, embeddings and counts of words

    def _read(
        self, documents: Any, embeddings: np.ndarray | None, images: Any
    ) -> tuple[list[str] | None, Any]:
        """Check what was given, set the embedding model, return texts and embeddings.

        Those of long texts are of their passages.
        """
        if images is not None and callable(documents):
            documents = caption_images(images, documents, verbose=self.verbose)
        if documents is not None:
            documents = check_documents(documents, "documents", least=0)
            check_embeddings_shape(embeddings, documents)
        if embeddings is None or self.embedding_model is not None:
            self.embedding_model = embedding.load_backend(
                self.embedding_model, self.language, self.verbose
            )
        if embeddings is None:
            embeddings = self._embed_passages(documents, images)
        return documents, embeddings

    def _embed(self, documents: list[str] | None, images: Any) -> np.ndarray:
        if images is not None:
            return embedding.embed_images(self.embedding_model, documents, images, self.verbose)
        if documents is None:
            raise ValueError("documents, embeddings and images are all None; give at least one")
        if not self.can_embed():
            raise ValueError("texts need embeddings=, or embedding_model= at construction or load")
        return self._extract_embeddings(documents, method="document", verbose=self.verbose)

    def _embed_passages(self, documents: list[str] | None, images: Any) -> Any:
        """Return embeddings (n, d) of documents, or the embedded passages of long ones."""
        if documents is not None and images is None and self.can_embed():
            reader = embedding.reader_of(self.embedding_model)
            passages = split_long(documents, reader, self.chunk, stacklevel=5)
            if passages is not None:
                encoder = embedding.WordEncoder(self.embedding_model)
                return encode_passages(encoder, documents, passages, verbose=self.verbose)
        return self._embed(documents, images)

    def _find_encoder(self, texts: list[str] | None, embeddings: np.ndarray) -> None:
        """Take the default embedding model for the one of `embeddings` if it gives the same."""
        if (
            texts is not None
            and self.embedding_model is None
            and self.language in (None, "english")
            and (
                (isinstance(self.word_vectors, str) and self.word_vectors in ("auto", "encoder"))
                or self.zeroshot_topic_list is not None
            )
            and np.shape(embeddings)[1:] == (DEFAULT_WIDTH,)
            and has_default_encoder()
        ):
            backend = embedding.load_backend(None, self.language, self.verbose)
            encoder = embedding.as_encoder(backend)
            if embeddings_match_encoder(encoder, texts, np.asarray(embeddings)):
                self.embedding_model, self._found_encoder = backend, True

    def _word_encoder(self) -> Any:
        """Return the embedding model as an encoder of words, where that costs nothing."""
        backend = self.embedding_model
        if self.can_embed() and (embedding.runs_locally(backend) or self.word_vectors == "encoder"):
            return embedding.as_encoder(backend)
        return None

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
        n_fitted = model.doc_atoms_.shape[0]
        if docs is None or len(docs) == n_fitted:
            return
        if not model.online_:
            raise ValueError(f"docs holds {len(docs)} texts; the model was fitted to {n_fitted}")
        self._bow = self._count_again(docs)
        if self.can_embed():
            doc_atoms = self.transform_atoms(docs)
        else:
            doc_atoms = infer_doc_atoms(self._bow, model.emissions_)
        model.recall_documents(doc_atoms, np.asarray(self.topics_))

    def _count(self, documents: list[str] | None) -> sp.csr_matrix | None:
        """Fit the vectorizer, count words per document."""
        if documents is None:
            return None
        asked = None if self._counts_by_default else self.vectorizer_model
        # BERTopic's language, "english" unless said otherwise, chooses an embedding model.
        codes = choose_languages("auto", documents) if asked is None else ()
        bow, self.vectorizer_model = fit_vectorizer(
            asked, documents, languages=codes, ngram_range=self.n_gram_range
        )
        return bow

    def _count_again(self, documents: Any) -> sp.csr_matrix:
        """Count the words of documents as when the model was fitted."""
        if self._model.vectorizer_not_saved_:
            raise ValueError(
                "vectorizer_model was not saved, as it holds more than plain settings (a tokenizer "
                "function, say), and words are to be counted: pass load(…, vectorizer_model=)"
            )
        return _count_words(self.vectorizer_model, documents)

    def _count_rows(self, documents: list[str] | None, embeddings: Any) -> sp.csr_matrix | None:
        """Return the counts of words of what was embedded: documents, or passages of long ones."""
        if documents is None:
            return None
        if isinstance(embeddings, Passages):
            return _count_words(self.vectorizer_model, embeddings.texts(documents))
        return self._bow

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
            rows = _count_words(vectorizer, fitted.passages.texts(docs))
        self._model.relearn_words(rows, vectorizer.get_feature_names_out(), vectorizer)


def _count_words(vectorizer: Any, texts: Any) -> sp.csr_matrix:
    return sp.csr_matrix(vectorizer.transform(texts), dtype=np.float32)


def _name(words: list[tuple[str, float]]) -> str:
    return "_".join(word for word, _ in words[:_LABEL_WORDS] if word)


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
