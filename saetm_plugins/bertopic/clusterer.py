"""SAE topics as a scikit-learn clusterer, for the ``hdbscan_model`` slot of any BERTopic."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
)
from sklearn.utils.validation import check_is_fitted, validate_data

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.bertopic.numbering import NumberedTopicModel, check_fractions
from saetm_plugins.corpus.classes import one_hot_classes
from saetm_plugins.validation import all_or_nothing, without_tensors

_MODEL_PARAMETERS = [
    *("n_topics", "sae", "merge", "n_atoms", "k", "activation", "sharpening"),
    *("random_state", "device", "verbose"),
]


class SAEClusterer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """Cluster embeddings by the main topic of each, from a sparse autoencoder's atoms.

    Parameters
    ----------
    n_topics : int, "auto" or None, default=None
        Clusters; None means 20, or fewer where the corpus cannot carry as many.
    sae : "auto", "default", SparseAutoencoder or None, default="auto"
        Where atoms come from, see :class:`~saetm_plugins.SAETopicModel`.
    merge : {"auto", "kmeans", "ward", "hdbscan", "nmf"}, default="auto"
        How atoms become topics, see :mod:`saetm_plugins.merging`; "auto" is "kmeans".
    n_atoms, k, activation, sharpening, random_state, device, verbose
        As in :class:`~saetm_plugins.SAETopicModel`.
    outlier_threshold : float, optional
        Label -1 goes to what belongs to its main topic by less than this share; None: to nothing.
    calculate_probabilities : bool, default=False
        Make :attr:`probabilities_` the memberships in all topics, which BERTopic then hands out
        as its ``probabilities_``.
    target_weight : float, default=0.5
        How much `y` counts where it is given: 0 not at all, 1 alone (UMAP's parameter).

    Attributes
    ----------
    labels_ : ndarray of shape (n,), int64
        0 to n_topics_ - 1, largest first, and -1 where `outlier_threshold` asks for it.
    probabilities_ : ndarray of shape (n,) or (n, n_topics_), float32
        Membership in the main topic, as hdbscan's, or in all.
    n_topics_ : int
        Every topic owns a fitted row.
    model_ : SAETopicModel
        What is behind it: atoms, mixtures, re-cuts.
    n_features_in_ : int

    References
    ----------
    Girrbach & Akata, "Sparse autoencoders are topic models", arXiv 2511.16309, sections 3 and 4.
    """

    def __init__(
        self,
        n_topics: int | str | None = None,
        sae: SparseAutoencoder | str | None = "auto",
        *,
        merge: str = "auto",
        n_atoms: int | None = None,
        k: int | None = None,
        activation: str = "batch_topk",
        sharpening: float | None = None,
        outlier_threshold: float | None = None,
        calculate_probabilities: bool = False,
        target_weight: float = 0.5,
        random_state: Any = 0,
        device: str = "auto",
        verbose: bool = False,
    ):
        self.n_topics = n_topics
        self.sae = sae
        self.merge = merge
        self.n_atoms = n_atoms
        self.k = k
        self.activation = activation
        self.sharpening = sharpening
        self.outlier_threshold = outlier_threshold
        self.calculate_probabilities = calculate_probabilities
        self.target_weight = target_weight
        self.random_state = random_state
        self.device = device
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> SAEClusterer:
        """Learn atoms from embeddings and merge them into topics.

        Parameters
        ----------
        X : array-like of shape (n, d)
        y : array-like of shape (n,), optional
            Known classes, -1 where unknown: atoms that fire on the same classes merge first.
        """
        check_fractions(self)
        with all_or_nothing(self):
            X = self._check(X, ensure_min_samples=2)
            if y is not None:
                one_hot_classes(y, len(X), "y")
            model = NumberedTopicModel(**{name: getattr(self, name) for name in _MODEL_PARAMETERS})
            try:
                model.fit(None, embeddings=X, classes=y, class_weight=self.target_weight)
            except ValueError as error:
                shape = f"n_samples={X.shape[0]}, n_features={X.shape[1]}"
                raise ValueError(f"{error} ({shape})") from error
            self.model_ = model
            self._describe(model.doc_topics_)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> SAEClusterer:
        """Fit on a first batch; then keep atoms and topics, and go on counting.

        :attr:`labels_` and :attr:`probabilities_` describe this batch afterwards; `y` (n,) counts
        in the first batch only.
        """
        if not hasattr(self, "model_"):
            return self.fit(X, y)
        with all_or_nothing(self, self.model_):
            self.model_.partial_fit(None, embeddings=self._check(X, reset=False))
            self._describe(self.model_.doc_topics_)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the topic (n,) of each row, as in :attr:`labels_`."""
        return self._label(self.transform(X))

    def transform(self, X: Any) -> np.ndarray:
        """Return the membership (n, n_topics_) of each row in each topic; rows sum to 1."""
        check_is_fitted(self, "model_")
        return self.model_.transform(None, embeddings=self._check(X, reset=False))

    def __sklearn_tags__(self) -> Any:
        """Say that memberships are float32 whatever the input is."""
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    @property
    def n_topics_(self) -> int:
        """Number of topics."""
        return self.model_.n_topics_

    @property
    def _n_features_out(self) -> int:
        return self.model_.n_topics_

    @property
    def doc_atoms_(self) -> sp.csr_matrix:
        """Mixtures of atoms of the fitted rows (n, n_atoms), of the last batch if in batches."""
        return self.model_.doc_atoms_

    def _check(self, X: Any, **options: Any) -> np.ndarray:
        X = without_tensors(X, "X")
        return validate_data(self, X, dtype=(np.float64, np.float32), **options)

    def _describe(self, doc_topics: np.ndarray) -> None:
        self.labels_ = self._label(doc_topics)
        self.probabilities_ = doc_topics if self.calculate_probabilities else doc_topics.max(axis=1)

    def _label(self, doc_topics: np.ndarray) -> np.ndarray:
        labels = doc_topics.argmax(axis=1)
        if self.outlier_threshold is not None:
            labels[doc_topics.max(axis=1) < self.outlier_threshold] = -1
        return labels
