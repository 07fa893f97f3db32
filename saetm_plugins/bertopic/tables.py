"""The matrices and lists that BERTopic keeps of its topics, from labels and word counts.

Topics come as consecutive rows: -1 first where it exists, then 0, 1, … (BERTopic's order).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone

N_REPRESENTATIVE = 3


def count_by_topic(
    labels: np.ndarray, bow: sp.csr_matrix, n_topics: int, outliers: int
) -> sp.csr_matrix:
    """Add up the words of each topic's documents.

    Parameters
    ----------
    labels : ndarray of shape (N,)
    bow : csr_matrix of shape (N, V)
    n_topics : int
        Without -1.
    outliers : {0, 1}
        Whether there is a row for -1.

    Returns
    -------
    csr_matrix of shape (n_topics + outliers, V), float64
    """
    one_hot = sp.csr_matrix(
        (np.ones(len(labels)), (labels + outliers, np.arange(len(labels)))),
        shape=(n_topics + outliers, len(labels)),
    )
    return sp.csr_matrix(one_hot @ bow, dtype=np.float64)


def class_tf_idf(topic_model: Any, counts: sp.csr_matrix) -> sp.csr_matrix:
    """Fit the topic model's c-TF-IDF to the words of its topics.

    Parameters
    ----------
    topic_model : BERTopic
        Its ``ctfidf_model`` is fitted; seed words count as they do in BERTopic.
    counts : csr_matrix of shape (T, V)
        Left as it is.

    Returns
    -------
    csr_matrix of shape (T, V), float64
    """
    ctfidf_model = clone(topic_model.ctfidf_model)
    # Words of topics that a batch held nothing of.
    with np.errstate(divide="ignore", invalid="ignore"):
        ctfidf_model.fit(counts, multiplier=_seed_multiplier(topic_model))
    topic_model.ctfidf_model = ctfidf_model
    return sp.csr_matrix(ctfidf_model.transform(counts.copy()))


def own_shares(labels: np.ndarray, doc_topics: np.ndarray) -> np.ndarray:
    """Return the share (N,) that each document has of its own topic; of the first without any."""
    return np.take_along_axis(doc_topics, np.maximum(labels, 0)[:, None], axis=1)[:, 0]


def representative_rows(
    labels: np.ndarray, shares: np.ndarray, n_rows: int = N_REPRESENTATIVE
) -> dict[int, np.ndarray]:
    """Return for each topic which of its documents have the largest share of it.

    Parameters
    ----------
    labels : ndarray of shape (N,)
    shares : ndarray of shape (N,)
        Share of each document's own topic.
    n_rows : int, default=3
        Of a topic, at most.
    """
    order = np.lexsort((-shares, labels))
    starts = np.flatnonzero(np.diff(labels[order], prepend=labels.min() - 1))
    stops = np.append(starts[1:], len(labels))
    return {
        int(labels[order[start]]): order[start : min(stop, start + n_rows)]
        for start, stop in zip(starts, stops, strict=True)
    }


def _seed_multiplier(topic_model: Any) -> np.ndarray | None:
    """Return BERTopic's factors of seed words (V,), None where there are none."""
    seeds = topic_model.ctfidf_model.seed_words or []
    guided = {word for words in topic_model.seed_topic_list or [] for word in words}
    if not seeds and not guided:
        return None
    strength = topic_model.ctfidf_model.seed_multiplier
    words = topic_model.vectorizer_model.get_feature_names_out()
    return np.array([1.2 if w in guided else strength if w in seeds else 1 for w in words])


def whole_sizes(expected: np.ndarray) -> np.ndarray:
    """Round expected sizes (T,) to whole ones that add up to the same, by largest remainders."""
    sizes = np.floor(expected).astype(np.int64)
    missing = round(float(expected.sum())) - int(sizes.sum())
    sizes[np.argsort(sizes - expected, kind="stable")[:missing]] += 1
    return sizes
