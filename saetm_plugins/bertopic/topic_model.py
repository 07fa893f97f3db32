"""SAEBERTopic: a BERTopic whose topics are cuts of a sparse autoencoder's atoms.

BERTopic keeps its public face, plots and tables; what it computes from a clustering comes from the
fitted :class:`~saetm_plugins.SAETopicModel` in ``sae_model_`` instead.
"""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np
import scipy.sparse as sp
from bertopic import BERTopic
from bertopic._utils import check_embeddings_shape, check_is_fitted
from bertopic.cluster import BaseCluster
from bertopic.dimensionality import BaseDimensionalityReduction

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.bertopic import tables
from saetm_plugins.bertopic.analysis import AnalysedTopics
from saetm_plugins.bertopic.backend import (
    as_encoder,
    check_embedding_model,
    load_backend,
    runs_locally,
)
from saetm_plugins.bertopic.checks import check_keybert
from saetm_plugins.bertopic.editing import EditedTopics
from saetm_plugins.bertopic.figures import DrawnTopics
from saetm_plugins.bertopic.files import SavedTopics
from saetm_plugins.bertopic.numbering import NumberedTopicModel, check_fractions
from saetm_plugins.corpus.chunker import check_chunk
from saetm_plugins.corpus.classes import one_hot_classes
from saetm_plugins.corpus.encoders import (
    DEFAULT_WIDTH,
    embeddings_match_encoder,
    has_default_encoder,
)
from saetm_plugins.corpus.images.captions import caption_images
from saetm_plugins.corpus.passages import Passages, document_means
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import fit_vectorizer
from saetm_plugins.corpus.words import choose_languages
from saetm_plugins.validation import all_or_nothing, as_names, check_count

_MODEL_PARAMETERS = (
    *("merge", "n_atoms", "k", "activation", "sharpening", "word_vectors", "solver"),
    *("emission_n_iter", "random_state", "device", "verbose"),
)
_OWN_PARAMETERS = {
    *("n_topics", "sae", "target_weight", "outlier_threshold", "chunk"),
    *_MODEL_PARAMETERS,
} - {"verbose"}


class SAEBERTopic(EditedTopics, AnalysedTopics, DrawnTopics, SavedTopics):
    """BERTopic with mixtures, words from emissions, no outliers, and any number of topics at once.

    Parameters
    ----------
    n_topics : int, "auto" or None, default=None
        Topics of the first cut; None means 50, or fewer where the corpus cannot carry as many;
        "auto" finds a number, as in :class:`~saetm_plugins.SAETopicModel`. BERTopic's
        ``nr_topics`` is taken for it where that is given.
    sae : "auto", "default", SparseAutoencoder or None, default="auto"
        Where atoms come from, see :class:`~saetm_plugins.SAETopicModel`.
    merge, n_atoms, k, activation, sharpening, word_vectors, solver, emission_n_iter, \
random_state, device
        As in :class:`~saetm_plugins.SAETopicModel`.
    calculate_probabilities : bool, default=True
        Make :attr:`probabilities_` the mixtures. BERTopic's default is False, as hdbscan takes long
        for them; here they are at hand anyway. False gives one number per document, the share of
        its main topic.
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
        BERTopic's own parameters. ``umap_model`` and ``hdbscan_model`` have no part here (a
        warning says so); ``vectorizer_model`` counts words per document, for c-TF-IDF and
        emissions alike, and defaults to :func:`saetm_plugins.text.default_vectorizer`;
        ``representation_model``, every aspect of it, starts from the emissions' words instead of
        c-TF-IDF's (KeyBERTInspired takes its candidates from c-TF-IDF itself).

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
        check_embedding_model(bertopic.get("embedding_model"))
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
        """Return BERTopic's parameters and those added here, which BERTopic would not see."""
        return sorted({*BERTopic._get_param_names(), *_OWN_PARAMETERS})

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
        if self.zeroshot_topic_list is not None:
            as_names(self.zeroshot_topic_list, "zeroshot_topic_list")
        with all_or_nothing(self):
            if self._found_encoder:  # of the documents before
                self.embedding_model, self._found_encoder = None, False
            given = embeddings is not None
            texts, embeddings = self._read(documents, embeddings, images)
            if given:
                self._find_encoder(texts, embeddings)
            check_keybert(self.representation_model, self.can_embed())
            self.topic_aspects_ = {}
            vectors = document_means(embeddings)
            if y is not None:
                one_hot_classes(y, len(vectors), "y")
            self._bow = self._count(texts)
            n_topics = self.n_topics if self.nr_topics is None else self.nr_topics
            seeds = self.seed_topic_list or []
            if self._is_zeroshot():
                name_vectors = self._extract_embeddings(self.zeroshot_topic_list)
            elif self.zeroshot_topic_list is not None:
                warnings.warn(
                    "zeroshot_topic_list has no effect: its names need embedding_model=, the one "
                    "that made the embeddings, which is not the default one or cannot be had",
                    UserWarning,
                    stacklevel=2,
                )
            model = NumberedTopicModel(
                n_topics=n_topics,
                seed_topics={", ".join(words): list(words) for words in seeds} or None,
                sae=self.sae,
                encoder=None if images is not None else self._word_encoder(),
                **{name: getattr(self, name) for name in _MODEL_PARAMETERS},
            )
            model.outlier_threshold_ = self.outlier_threshold
            words = None if self._bow is None else self.vectorizer_model.get_feature_names_out()
            model.fit(
                texts,
                embeddings=embeddings,
                images=images,
                bow=self._count_rows(texts, embeddings),
                vocabulary=words,
                classes=y,
                class_weight=self.target_weight,
                chunk=self.chunk,
            )
            model.vectorizer_ = None if self._bow is None else self.vectorizer_model
            self._model = model
            if self._is_zeroshot():
                model.name_topics(
                    self.zeroshot_topic_list, name_vectors, self.zeroshot_min_similarity,
                    vectors, n_topics,
                )  # fmt: skip
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
            if self._is_wordless():
                texts = None
            else:
                self._bow = self._count_again(texts)
            in_passages = isinstance(embeddings, Passages)
            model.partial_fit(
                texts if in_passages else None,
                embeddings=embeddings,
                images=images,
                bow=None if texts is None else self._count_rows(texts, embeddings),
            )
            model.follow_names(embeddings)
            earlier = self.representative_docs_
            self._write_tables(
                texts, images, embeddings, with_outliers=bool(had_outliers), same_topics=True
            )
            batch = Counter(self.topics_)
            self.topic_sizes_ = Counter({t: sizes[t] + batch[t] for t in self.topic_sizes_})
            if texts is None:
                return self
            if self._outliers > had_outliers:  # topics were deleted that owned no document so far
                counts = sp.vstack([sp.csr_matrix((1, counts.shape[1])), counts], format="csr")
            self.__dict__.update(tables.class_tf_idf(self, counts + self._topic_counts))
            self.representative_docs_ = {**self.representative_docs_, **earlier}
        return self

    def _word_encoder(self) -> Any:
        """Return the embedding model as an encoder of words, where that costs nothing."""
        backend = self.embedding_model
        if self.can_embed() and (runs_locally(backend) or self.word_vectors == "encoder"):
            return as_encoder(backend)
        return None

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
            self.embedding_model = load_backend(self.embedding_model, self.language, self.verbose)
        if embeddings is None:
            embeddings = self._embed_passages(documents, images)
        return documents, embeddings

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
            backend = load_backend(None, self.language, self.verbose)
            if embeddings_match_encoder(as_encoder(backend), texts, np.asarray(embeddings)):
                self.embedding_model, self._found_encoder = backend, True

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

    def _count_rows(self, documents: list[str] | None, embeddings: Any) -> sp.csr_matrix | None:
        """Return the counts of words of what was embedded: documents, or passages of long ones."""
        if documents is None or not isinstance(embeddings, Passages):
            return self._bow
        passages = embeddings.texts(documents)
        return sp.csr_matrix(self.vectorizer_model.transform(passages), dtype=np.float32)
