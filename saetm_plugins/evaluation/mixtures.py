"""Evaluation by mixtures: what documents' topic shares and topics' word shares say.

Labels and clusters are scored by scikit-learn; topic significance is AlSumait, Barbará, Gentle &
Domeniconi, "Topic significance ranking of LDA generative models", ECML PKDD 2009.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, normalized_mutual_info_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from saetm_plugins.validation import check_finite


class TopicSignificance(NamedTuple):
    """How far each topic is from three kinds of junk; Kullback–Leibler divergences in nats.

    ``uniform`` (T,): its words from equally probable words.
    ``vacuous`` (T,): its words from the words of the whole corpus.
    ``background`` (T,): its documents from a topic equally present in all of them.
    A topic without mass (no document, no words) has 0.
    """

    uniform: np.ndarray
    vacuous: np.ndarray
    background: np.ndarray


def topic_significance(topic_words: Any, doc_topics: Any) -> TopicSignificance:
    """Score each topic of a mixture model against junk topics.

    AlSumait et al. 2009, sections 3.1–3.3. Divergences are exact: no constant is added to
    probabilities, so a sparse topic is not penalised.

    Parameters
    ----------
    topic_words : array-like of shape (T, V)
        Non-negative; rows are normalised.
    doc_topics : array-like or sparse matrix of shape (N, T)
        Non-negative mixtures of documents.

    Returns
    -------
    TopicSignificance

    Raises
    ------
    ValueError
        When a matrix is negative or not finite, or they disagree about T.
    """
    words = _check_shares(topic_words, "topic_words")
    shares = _check_shares(doc_topics, "doc_topics")
    if words.shape[0] != shares.shape[1]:
        raise ValueError(
            f"topic_words has {words.shape[0]} topics, doc_topics has {shares.shape[1]}"
        )
    words = _normalize_rows(words)
    vacuous = _normalize_rows(shares.sum(axis=0, keepdims=True)) @ words
    documents = _normalize_rows(shares.T)
    return TopicSignificance(
        uniform=_divergence(words, np.full((1, words.shape[1]), 1 / words.shape[1])),
        vacuous=_divergence(words, vacuous),
        background=_divergence(documents, np.full((1, len(shares)), 1 / len(shares))),
    )


def coverage(labels: Any) -> float:
    """Return the share of documents that got a topic (label -1: none).

    Parameters
    ----------
    labels : array-like of shape (N,), int
    """
    return float(np.mean(np.asarray(labels) >= 0))


def normalized_mutual_information(classes: Any, labels: Any) -> float:
    """Return the NMI of documents' classes and topics; -1 counts as a topic of its own.

    Parameters
    ----------
    classes : array-like of shape (N,)
    labels : array-like of shape (N,)

    Returns
    -------
    float
        Between 0 and 1.
    """
    return float(normalized_mutual_info_score(classes, labels))


def purity(classes: Any, labels: Any) -> float:
    """Return the share of documents in the commonest class of their topic.

    Manning, Raghavan & Schütze, "Introduction to information retrieval", section 16.3.

    Parameters
    ----------
    classes : array-like of shape (N,)
    labels : array-like of shape (N,)
    """
    counts = contingency_matrix(classes, labels)
    return float(counts.max(axis=0).sum() / counts.sum())


def classification_f1(
    doc_topics: Any, classes: Any, n_folds: int = 5, random_state: int = 0
) -> float:
    """Return the macro F1 of predicting classes from mixtures, cross-validated.

    Logistic regression on standardised mixtures, stratified folds.

    Parameters
    ----------
    doc_topics : array-like of shape (N, T)
    classes : array-like of shape (N,)
    n_folds : int, default=5
    random_state : int, default=0

    Raises
    ------
    ValueError
        When a class has fewer documents than there are folds, or mixtures are not finite.
    """
    features = _check_shares(doc_topics, "doc_topics", signed=True)
    _, class_ids, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    if sizes.min() < n_folds:
        raise ValueError(
            f"classes has a class of {sizes.min()} documents; n_folds={n_folds} needs {n_folds}"
        )
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=random_state)
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=200))
    predicted = cross_val_predict(classifier, features, class_ids, cv=folds)
    return float(f1_score(class_ids, predicted, average="macro"))


def _check_shares(matrix: Any, name: str, *, signed: bool = False) -> np.ndarray:
    """Return `matrix` as a dense, finite, (unless `signed`) non-negative float64 array."""
    dense = np.asarray(matrix.toarray() if sp.issparse(matrix) else matrix, dtype=np.float64)
    if dense.ndim != 2:
        raise ValueError(f"{name} must be 2-D; found shape {dense.shape}")
    check_finite(dense, name)
    if not signed and (dense < 0).any():
        raise ValueError(f"{name} holds negative values; found {dense.min():.3g}")
    return dense


def _normalize_rows(matrix: np.ndarray) -> np.ndarray:
    """Scale rows to sum to 1; rows of zeros stay."""
    sums = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, sums, out=np.zeros_like(matrix), where=sums > 0)


def _divergence(rows: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return KL(row ‖ other) of each row, in nats."""
    inside = rows > 0
    ratio = np.divide(rows, other, out=np.ones_like(rows), where=inside)
    return (rows * np.log(ratio)).sum(axis=1)
