"""Evaluation by the documents' shares of topics and the topics' shares of words.

scikit-learn scores labels and clusters. Topic significance is by AlSumait, Barbará, Gentle &
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

from saetm_plugins.validation import (
    check_count,
    check_finite,
    check_indices,
    is_missing,
    without_tensors,
)


class TopicSignificance(NamedTuple):
    """The Kullback–Leibler divergence of each topic (T,) from three kinds of junk topics, in nats.

    ``uniform``: of its words from equally probable words. ``vacuous``: of its words from the words
    of the whole corpus. ``background``: of its documents from a topic equally present in all.
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
        ``vacuous`` is infinite for a topic with words that no document's topics have.
    """
    words = _check_shares(topic_words, "topic_words")
    shares = _check_shares(doc_topics, "doc_topics")
    if words.shape[0] != shares.shape[1]:
        raise ValueError(
            f"topic_words has {words.shape[0]} topics, doc_topics has {shares.shape[1]}"
        )
    if not shares.any():
        raise ValueError("doc_topics holds zeros alone")
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
    given = _check_labels(labels, "labels")
    if given.dtype.kind not in "fiub":
        raise ValueError(f"labels must be numbers; found {given.tolist()[0]!r}")
    return float(np.mean(given >= 0))


def normalized_mutual_information(classes: Any, labels: Any) -> float:
    """Return the NMI of documents' classes and topics; -1 counts as a topic of its own.

    Parameters
    ----------
    classes, labels : array-like of shape (N,)

    Returns
    -------
    float
        Between 0 and 1.
    """
    return float(normalized_mutual_info_score(*_check_pairs(classes, labels)))


def purity(classes: Any, labels: Any) -> float:
    """Return the share of documents in the commonest class of their topic.

    Manning, Raghavan & Schütze, "Introduction to information retrieval", section 16.3.

    Parameters
    ----------
    classes, labels : array-like of shape (N,)
    """
    counts = contingency_matrix(*_check_pairs(classes, labels))
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
    """
    n_folds = check_count(n_folds, "n_folds", minimum=2)
    features = _check_shares(doc_topics, "doc_topics", signed=True)
    given = _check_labels(classes, "classes")
    if len(given) != len(features):
        raise ValueError(f"classes has {len(given)} entries, doc_topics has {len(features)} rows")
    _, class_ids, sizes = np.unique(given, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        raise ValueError(f"classes holds {given.tolist()[0]!r} alone; two classes are needed")
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
    if sp.issparse(matrix):
        check_indices(matrix, name)
        matrix = matrix.toarray()
    try:
        dense = np.asarray(without_tensors(matrix, name), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must hold real numbers: {error}") from None
    if dense.ndim != 2:
        raise ValueError(f"{name} must be 2-D; found shape {dense.shape}")
    if dense.size == 0:
        raise ValueError(f"{name} is empty: shape {dense.shape}")
    check_finite(dense, name)
    if not signed and (dense < 0).any():
        raise ValueError(f"{name} holds negative values; found {dense.min():.3g}")
    return dense


def _check_labels(values: Any, name: str) -> np.ndarray:
    """Return one class or label per document, (N,), none of them missing."""
    if hasattr(values, "detach") and not values.is_floating_point():
        values = values.detach().cpu().tolist()  # integers, which floats might round
    values = without_tensors(values, name)
    try:
        given = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must hold one value per document: {error}") from None
    if given.ndim != 1 or len(given) == 0 or given.dtype.kind == "c":
        found = f"shape {given.shape}, dtype {given.dtype}"
        raise ValueError(f"{name} must hold one value per document; found {found}")
    for row, value in enumerate(given.tolist()):
        if np.ndim(value) or sp.issparse(value) or is_missing(value):
            raise ValueError(f"{name}[{row}] is {value!r:.80}, not one class or topic")
    return given.astype(str) if given.dtype.kind == "O" else given


def _check_pairs(classes: Any, labels: Any) -> tuple[np.ndarray, np.ndarray]:
    first, second = _check_labels(classes, "classes"), _check_labels(labels, "labels")
    if len(first) != len(second):
        raise ValueError(f"classes has {len(first)} entries, labels has {len(second)}")
    return first, second


def _normalize_rows(matrix: np.ndarray) -> np.ndarray:
    """Scale rows to sum to 1; rows of zeros stay."""
    highest = matrix.max(axis=1, keepdims=True)  # first, so that no sum overflows
    matrix = np.divide(matrix, highest, out=np.zeros_like(matrix), where=highest > 0)
    sums = matrix.sum(axis=1, keepdims=True)
    return np.divide(matrix, sums, out=np.zeros_like(matrix), where=sums > 0)


def _divergence(rows: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return KL(row ‖ other) of each row, in nats."""
    ratio = np.divide(rows, other, out=np.ones_like(rows), where=rows > 0)
    return (rows * np.log(ratio)).sum(axis=1)
