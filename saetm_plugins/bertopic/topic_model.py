"""SAEBERTopic: a BERTopic whose topics are cuts of a sparse autoencoder's atoms.

BERTopic keeps its public face, plots and tables; what it computes from a clustering comes from the
fitted :class:`~saetm_plugins.SAETopicModel` in ``sae_model_`` instead.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from bertopic import BERTopic
from bertopic._bertopic import TopicMapper
from bertopic._utils import check_documents_type, check_embeddings_shape, check_is_fitted
from bertopic.backend import BaseEmbedder
from bertopic.cluster import BaseCluster
from bertopic.dimensionality import BaseDimensionalityReduction
from sklearn.base import clone

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.bertopic import tables
from saetm_plugins.bertopic.backend import load_backend
from saetm_plugins.bertopic.numbering import NumberedTopicModel
from saetm_plugins.bertopic.representation import SAERepresentation, top_words
from saetm_plugins.text import default_vectorizer
from saetm_plugins.validation import all_or_nothing

_MODEL_PARAMETERS = (
    ("merge", "n_atoms", "k", "activation", "sharpening", "word_vectors", "solver")
    + ("emission_n_iter", "random_state", "device", "verbose")
)  # fmt: skip
_OWN_PARAMETERS = ("n_topics", "sae", "target_weight", *_MODEL_PARAMETERS[:-1])
_CANDIDATES = 30  # words that BERTopic hands to the first of a chain of representation models


class SAEBERTopic(BERTopic):
    """BERTopic with mixtures, words from emissions, no outliers, and any number of topics at once.

    Parameters
    ----------
    n_topics : int, "auto" or None, default=None
        Topics of the first cut; None means 50, or fewer where the corpus cannot carry as many.
        BERTopic's ``nr_topics`` is taken for it where that is given.
    sae : SparseAutoencoder, optional
        A trained autoencoder, used frozen.
    merge, n_atoms, k, activation, sharpening, word_vectors, solver, emission_n_iter, \
random_state, device
        As in :class:`~saetm_plugins.SAETopicModel`.
    target_weight : float, default=0.5
        How much `y` and ``seed_topic_list`` count in the merge: 0 not at all, 1 alone.
    **bertopic
        BERTopic's own parameters. ``umap_model`` and ``hdbscan_model`` have no part here (a
        warning says so); ``vectorizer_model`` counts words per document, for c-TF-IDF and
        emissions alike, and defaults to :func:`saetm_plugins.text.default_vectorizer`;
        ``representation_model`` starts from the emissions' words instead of c-TF-IDF's.

    Attributes
    ----------
    sae_model_ : SAETopicModel
        Atoms, emissions and the current cut, numbered as BERTopic's topics are: by size.
    probabilities_ : ndarray of shape (n, n_topics) or (n,), float32
        With ``calculate_probabilities=True`` the mixture of each document, rows summing to 1
        (less what deleted topics have of it); else the share of its main topic.

    References
    ----------
    Grootendorst, "BERTopic", arXiv 2203.05794; Girrbach & Akata, "Sparse autoencoders are topic
    models", arXiv 2511.16309.
    """

    sae_model_: NumberedTopicModel | None = None

    def __init__(
        self,
        n_topics: int | str | None = None,
        *,
        sae: SparseAutoencoder | None = None,
        merge: str = "auto",
        n_atoms: int | None = None,
        k: int | None = None,
        activation: str = "batch_topk",
        sharpening: float = 2.0,
        word_vectors: Any = "corpus",
        solver: str = "em",
        emission_n_iter: int | None = None,
        target_weight: float = 0.5,
        random_state: Any = 0,
        device: str = "auto",
        **bertopic: Any,
    ):
        for slot in ("umap_model", "hdbscan_model"):
            if bertopic.pop(slot, None) is not None:
                warnings.warn(
                    f"{slot} is not used: atoms take its place. To keep the slots, use "
                    "BERTopic(hdbscan_model=SAEClusterer())",
                    UserWarning,
                    stacklevel=2,
                )
        self._counts_by_default = bertopic.get("vectorizer_model") is None
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
        self.random_state = random_state
        self.device = device

    @classmethod
    def _get_param_names(cls) -> list[str]:
        """Return BERTopic's parameters and ours; BERTopic looks at one signature only."""
        return sorted({*BERTopic._get_param_names(), *_OWN_PARAMETERS})

    def fit_transform(
        self,
        documents: list[str] | None,
        embeddings: np.ndarray | None = None,
        images: list[Any] | None = None,
        y: Any = None,
    ) -> tuple[list[int], np.ndarray]:
        """Fit, and return each document's main topic and probabilities.

        Replaces UMAP, HDBSCAN and c-TF-IDF by the three stages of
        :meth:`saetm_plugins.SAETopicModel.fit`.

        Parameters
        ----------
        documents : list of str, or None where `images` and `embeddings` are given
        embeddings : ndarray of shape (n, d), optional
        images : list, optional
            Paths or PIL images, as in BERTopic.
        y : array-like of shape (n,), optional
            Known classes, -1 where unknown: atoms of the same classes merge first.

        Returns
        -------
        topics : list of int
        probabilities : ndarray
            See :attr:`probabilities_`.

        Raises
        ------
        TypeError, ValueError
            When an argument is not legal, or `n_topics` is above the number of live atoms; the
            model is then as it was before.
        """
        with all_or_nothing(self):
            documents, embeddings = self._read(documents, embeddings, images)
            if self.seed_topic_list is not None and self.embedding_model is not None:
                y, embeddings = self._guided_topic_modeling(embeddings.copy())
            self._bow = self._count(documents)
            # The cut asked for comes once the views that it is made by are complete.
            model = NumberedTopicModel(n_topics=1, sae=self.sae, **self._model_parameters())
            words = None if self._bow is None else self.vectorizer_model.get_feature_names_out()
            model.fit(None, embeddings, bow=self._bow, vocabulary=words)
            model.vectorizer_ = None if self._bow is None else self.vectorizer_model
            self._atom_centroids = model.atom_centroids(embeddings)
            if y is not None:
                model.guide(y, self.target_weight)
            model.n_topics = self.n_topics
            self.sae_model_ = model
            self._cut(self.n_topics if self.nr_topics is None else self.nr_topics)
            self._describe(documents, images)
        return self.topics_, self.probabilities_

    def transform(
        self,
        documents: str | list[str] | None,
        embeddings: np.ndarray | None = None,
        images: list[Any] | None = None,
    ) -> tuple[list[int], np.ndarray]:
        """Return the main topic and the probabilities of new documents.

        A document's topic is the largest of its mixture, not the nearest centroid or cluster.

        Parameters
        ----------
        documents : str, list of str, or None where `images` or `embeddings` are given
        embeddings : ndarray of shape (n, d), optional
        images : list, optional

        Returns
        -------
        topics : list of int
        probabilities : ndarray
            Mixtures (n, n_topics) with ``calculate_probabilities=True``, else shares (n,).
        """
        check_is_fitted(self)
        if self.sae_model_ is None:
            return super().transform(documents, embeddings, images)
        texts = [documents] if isinstance(documents, str) else documents
        if texts is not None:
            check_documents_type(texts)
        if embeddings is None:
            embeddings = self._embed(texts, images)
        elif texts is not None:
            check_embeddings_shape(embeddings, texts)
        labels, doc_topics = self.sae_model_.predict(None, embeddings)
        return labels.tolist(), self._probabilities(labels, doc_topics)

    def reduce_topics(
        self,
        docs: list[str],
        nr_topics: int | str = 20,
        images: list[Any] | None = None,
        use_ctfidf: bool = False,
    ) -> SAEBERTopic:
        """Cut the atoms anew, into fewer topics or more; nothing is retrained.

        BERTopic can only merge the topics that there are.

        Parameters
        ----------
        docs : list of str
            The fitted documents.
        nr_topics : int or "auto", default=20
            "auto" cuts by HDBSCAN over the atoms.
        images : list, optional
        use_ctfidf : ignored
            Topics are not merged by their words, atoms are.

        Raises
        ------
        ValueError
            When `nr_topics` is above the number of live atoms, or the model has no atoms; it is
            then as it was before.
        """
        self._check_atoms("reduce_topics")
        self._check_docs(docs)
        with all_or_nothing(self, self.sae_model_):
            self._cut(nr_topics)
            self.nr_topics = nr_topics
            self._describe(docs, images)
        return self

    def merge_topics(
        self,
        docs: list[str],
        topics_to_merge: Sequence[int | Iterable[int]],
        images: list[Any] | None = None,
    ) -> None:
        """Merge topics as BERTopic does; a document's shares of them add up.

        Parameters
        ----------
        docs : list of str
            The fitted documents.
        topics_to_merge : list of int, or list of lists of int
            One group, or several.
        images : list, optional

        Raises
        ------
        ValueError
            When a topic does not exist; the model is then as it was before.
        """
        if self.sae_model_ is None:
            super().merge_topics(docs, topics_to_merge, images)
            return
        self._check_docs(docs)
        with all_or_nothing(self, self.sae_model_):
            self.sae_model_.merge_topics(list(topics_to_merge))
            self._describe(docs, images)

    def _read(
        self, documents: list[str] | None, embeddings: np.ndarray | None, images: Any
    ) -> tuple[list[str] | None, np.ndarray]:
        """Check what was given, set the embedding model, return texts and embeddings."""
        if documents is not None:
            check_documents_type(documents)
            documents = list(documents)
            check_embeddings_shape(embeddings, documents)
        if embeddings is None or self.embedding_model is not None:
            self.embedding_model = load_backend(self.embedding_model, self.language, self.verbose)
        if embeddings is None:
            embeddings = self._embed(documents, images)
        return documents, embeddings

    def _embed(self, documents: list[str] | None, images: Any) -> np.ndarray:
        if images is not None and not hasattr(self.embedding_model, "embed_images"):
            raise ValueError(
                "images need embeddings=, or an embedding_model that embeds images, such as "
                "bertopic.backend.MultiModalBackend; found "
                f"{type(self.embedding_model).__name__}"
            )
        if documents is None and images is None:
            raise ValueError("documents, embeddings and images are all None; give at least one")
        if self.embedding_model is None or type(self.embedding_model) is BaseEmbedder:
            raise ValueError("texts need embeddings=, or embedding_model= at construction or load")
        texts = [None] * len(images) if documents is None else documents
        return self._extract_embeddings(
            texts, images=images, method="document", verbose=self.verbose
        )

    def _count(self, documents: list[str] | None) -> sp.csr_matrix | None:
        """Fit the vectorizer, count words per document."""
        if documents is None:
            return None
        if self._counts_by_default:
            vectorizer = default_vectorizer(len(documents))
            vectorizer.set_params(ngram_range=self.n_gram_range)
        else:
            vectorizer = clone(self.vectorizer_model)
        bow = sp.csr_matrix(vectorizer.fit_transform(documents), dtype=np.float32)
        self.vectorizer_model = vectorizer
        return bow

    def _model_parameters(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in _MODEL_PARAMETERS}

    def _cut(self, n_topics: int | str | None) -> None:
        merge = "hdbscan" if n_topics == "auto" else None
        self.sae_model_.retopic(n_topics, merge)

    def _describe(self, documents: list[str] | None, images: list[Any] | None = None) -> None:
        """Set what BERTopic keeps of its topics from the current cut."""
        model = self.sae_model_
        labels = model.labels_
        self.topics_ = labels.tolist()
        self.topic_sizes_ = Counter(self.topics_)
        self.topic_mapper_ = TopicMapper(self.topics_)
        self.probabilities_ = self._probabilities(labels, model.doc_topics_)
        self.custom_labels_, self.topic_aspects_ = None, {}
        self.topic_embeddings_ = self._topic_centroids()
        if documents is None:
            return
        if self._bow is None:
            self._bow = sp.csr_matrix(self.vectorizer_model.transform(documents), dtype=np.float32)
        self.c_tf_idf_ = tables.class_tf_idf(self, labels, self._bow)
        self.topic_representations_ = self._describe_words(documents, images)
        shares = np.take_along_axis(model.doc_topics_, np.maximum(labels, 0)[:, None], axis=1)[:, 0]
        self.representative_docs_ = {
            topic: [documents[row] for row in rows]
            for topic, rows in tables.representative_rows(labels, shares).items()
        }

    def _describe_words(self, documents: list[str], images: Any) -> Any:
        if self.representation_model is None and self._outliers == 0:
            words = top_words(
                self.sae_model_.components_, self.sae_model_.vocabulary_, self.top_n_words
            )
            return dict(enumerate(words))
        frame = pd.DataFrame(
            {"Document": documents, "Topic": self.topics_, "ID": range(len(documents))}
        )
        frame["Image"] = images
        return self._extract_words_per_topic(self.sae_model_.vocabulary_, frame)

    def _topic_centroids(self) -> np.ndarray:
        """Return the mean embedding of each topic's documents, weighted by their share of it."""
        weights = [self.sae_model_.atom_topics_]
        if self._outliers:
            weights.insert(0, sp.csr_matrix(self.sae_model_.deleted_.sum(axis=1)))
        mass = sp.hstack(weights).T.multiply(self.sae_model_.atom_prevalence_)
        total = np.maximum(np.asarray(mass.sum(axis=1)), np.finfo(np.float32).tiny)
        return np.asarray(mass @ self._atom_centroids / total, dtype=np.float32)

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
        return np.where(labels < 0, np.float32(0), doc_topics.max(axis=1))

    def _check_atoms(self, method: str) -> None:
        check_is_fitted(self)
        if self.sae_model_ is None:
            raise ValueError(
                f"{method} cuts atoms, and this model was saved by stock BERTopic, without any: "
                "fit SAEBERTopic on the documents, or open it with BERTopic.load to merge topics"
            )

    def _check_docs(self, docs: Any) -> None:
        check_is_fitted(self)
        check_documents_type(docs)
        if len(docs) != len(self.topics_):
            raise ValueError(f"docs holds {len(docs)} texts; the model knows {len(self.topics_)}")


def _after_emissions(asked: Any) -> Any:
    """Return BERTopic's ``representation_model`` with the emissions' words as its beginning."""
    if asked is None:
        return SAERepresentation()
    if isinstance(asked, Mapping):
        return {**asked, "Main": _after_emissions(asked.get("Main"))}
    chain = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    if any(isinstance(model, SAERepresentation) for model in chain):
        return chain
    return [SAERepresentation(top_n_words=_CANDIDATES), *chain]
