"""What BERTopic keeps of topics, computed from a cut of atoms and from counts of words.

Matrices have a row per topic: -1 first where it exists, then 0, 1, … (BERTopic's order).
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import scipy.sparse as sp
from bertopic._bertopic import TopicMapper
from bertopic.cluster import BaseCluster
from sklearn.base import clone

from saetm_plugins.numerics.arrays import column_sums

N_REPRESENTATIVE = 3
BLANK = ("", 1e-05)
"""What BERTopic puts where a topic has too few words."""


def bertopic_tables(
    model: Any, *, allow_empty: bool, with_outliers: bool, all_shares: bool, zeroshot: list[str]
) -> dict[str, Any]:
    """Return BERTopic's attributes that follow from the cut alone, by their names.

    Parameters
    ----------
    model : NumberedTopicModel
    allow_empty : bool
        List topics without documents in the sizes; after batches they always are.
    with_outliers : bool
        List topic -1, which an earlier batch had.
    all_shares : bool
        Make the probabilities the mixtures.
    zeroshot : list of str
        Names of zero-shot topics.
    """
    labels = model.labels_
    sizes = Counter(labels.tolist())
    if allow_empty or model.online_:
        sizes.update(dict.fromkeys(range(model.n_topics_), 0))
    with_outliers = with_outliers or model.topics_.deleted is not None
    if model.online_ and with_outliers:
        sizes[-1] += 0
    n_seen = round(model.n_documents_seen_)
    if model.online_ and len(labels) != n_seen:  # of earlier batches only sums are left
        expected = _round_to_sum(model.topic_prevalence_ * model.n_documents_seen_)
        sizes = Counter(dict(enumerate(expected.tolist())))
        if with_outliers:
            sizes[-1] = max(0, n_seen - int(expected.sum()))
    clusterer = BaseCluster()
    clusterer.labels_ = labels  # which code in the wild asks the clusterer for
    return {
        "topics_": labels.tolist(),
        "topic_sizes_": sizes,
        "topic_mapper_": TopicMapper(list(sizes)),
        "_topic_id_to_zeroshot_topic_idx": {
            topic: zeroshot.index(label)
            for topic, label in enumerate(model.topic_labels_)
            if label in zeroshot
        },
        "probabilities_": probabilities(labels, model.doc_topics_, all_shares),
        "topic_embeddings_": topic_centroids(model, -1 in sizes),
        "hdbscan_model": clusterer,
    }


def probabilities(labels: np.ndarray, doc_topics: np.ndarray, all_shares: bool) -> np.ndarray:
    """Return the mixtures (n, T), or the share (n,) that each document has of its own topic."""
    if all_shares:
        return doc_topics
    return np.where(labels < 0, np.float32(0), own_shares(labels, doc_topics))


def topic_centroids(model: Any, outliers: bool) -> np.ndarray:
    """Return the mean embedding (T, d) of each topic's documents, weighted by their share of it."""
    mass = np.asarray(model.atom_topics_.T.multiply(model.atom_prevalence_).todense())
    if outliers:
        mass = np.vstack([column_sums(model.doc_atoms_[model.labels_ == -1]), mass])
    total = np.maximum(mass.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return np.asarray(mass @ model.atoms_.centroids / total, dtype=np.float32)


def sum_by_topic(labels: np.ndarray, rows: sp.csr_matrix, n_rows: int) -> sp.csr_matrix:
    """Add up the rows (N, V) of each topic's documents, to (n_rows, V), float64.

    `labels` (N,) are rows of the result: topics plus one where there is a row for topic -1.
    """
    one_hot = sp.csr_matrix(
        (np.ones(len(labels)), (labels, np.arange(len(labels)))), shape=(n_rows, len(labels))
    )
    return sp.csr_matrix(one_hot @ rows, dtype=np.float64)


def class_tf_idf(topic_model: Any, counts: sp.csr_matrix) -> tuple[sp.csr_matrix, Any]:
    """Return the c-TF-IDF (T, V) of the words of topics, and the ``ctfidf_model`` fitted to them.

    Seed words count as they do in BERTopic.
    """
    fitted = clone(topic_model.ctfidf_model)
    seeds = fitted.seed_words or []
    guided = {word for words in topic_model.seed_topic_list or [] for word in words}
    multiplier = None
    if seeds or guided:
        words = topic_model.vectorizer_model.get_feature_names_out()
        strength = fitted.seed_multiplier
        multiplier = np.array(
            [1.2 if w in guided else strength if w in seeds else 1 for w in words]
        )
    with np.errstate(divide="ignore", invalid="ignore"):  # words that no topic of a batch holds
        fitted.fit(counts, multiplier=multiplier)
    return sp.csr_matrix(fitted.transform(counts.copy())), fitted


def own_shares(labels: np.ndarray, doc_topics: np.ndarray) -> np.ndarray:
    """Return the share (N,) that each document has of its own topic; of topic 0 without any."""
    return np.take_along_axis(doc_topics, np.maximum(labels, 0)[:, None], axis=1)[:, 0]


def representative_rows(
    labels: np.ndarray, doc_topics: np.ndarray, n_rows: int = N_REPRESENTATIVE
) -> dict[int, np.ndarray]:
    """Return which `n_rows` documents of each topic have the largest share of it."""
    order = np.lexsort((-own_shares(labels, doc_topics), labels))
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels.min() - 1))
    stops = np.append(starts[1:], len(labels))
    return {
        int(labels[order[start]]): order[start : min(stop, start + n_rows)]
        for start, stop in zip(starts, stops, strict=True)
    }


def _round_to_sum(expected: np.ndarray) -> np.ndarray:
    """Round sizes (T,) to integers of the same sum, by largest remainders."""
    sizes = np.floor(expected).astype(np.int64)
    missing = round(float(expected.sum())) - int(sizes.sum())
    sizes[np.argsort(sizes - expected, kind="stable")[:missing]] += 1
    return sizes
