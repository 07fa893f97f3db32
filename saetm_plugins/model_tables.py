"""Tables of a fitted model: which topics its documents are about, and what the topics are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from saetm_plugins.files.tables import narrow
from saetm_plugins.validation import (
    as_list,
    check_count,
    check_doc_topics,
    check_fraction,
)

if TYPE_CHECKING:
    import pandas as pd

_ROWS_AT_A_TIME = 65_536
_LEAST_NEXT = 0.1  # of 4,000 posts of 20 Newsgroups, 2nd topics below it agree with 1 class in 7


def document_table(
    model: Any,
    doc_topics: np.ndarray | None = None,
    *,
    labels: Any = None,
    ids: Iterable[Any] | None = None,
    n_next: int = 2,
    min_share: float | None = None,
) -> pd.DataFrame:
    """Return which topics each document is about: a row a document.

    Parameters
    ----------
    model : SAETopicModel
        Fitted.
    doc_topics : array-like of shape (n, n_topics), optional
        Mixtures, as ``model.transform`` returns; None means those of the fitted documents.
    labels : array-like of shape (n,), optional
        The topic of each document as ``model.topics_of`` returns them, -1 for a blank text, whose
        row names no topic. None: those of the fitted documents; of new ones, no text is blank.
    ids : iterable of length n, optional
        What the documents are called; their row numbers from 0 by default.
    n_next : int, default=2
        How many topics to name beside the largest one.
    min_share : float, optional
        Topics of a smaller share are not named; a text without any has topic -1. None names the
        largest topic whatever its share, and the next ones from 0.1.

    Returns
    -------
    DataFrame
        Columns ``id, topic, name, share`` of the largest topic, -1 for a blank text; ``sure``, the
        part of the fitted documents whose largest share is no larger: near 0 the topic is a guess;
        then ``topic_2, name_2, share_2`` and so on of the next topics, missing where they are too
        small.
    """
    import pandas as pd

    n_topics = model.n_topics_
    mixtures = model.doc_topics_ if doc_topics is None else check_doc_topics(doc_topics, n_topics)
    n_next = check_count(n_next, "n_next", minimum=0)
    names = list(range(len(mixtures))) if ids is None else as_list(ids, "ids", "names")
    if len(names) != len(mixtures):
        raise ValueError(f"ids has {len(names)} values for {len(mixtures)} documents")
    if labels is None:
        labels = model.labels_ if doc_topics is None else np.zeros(len(mixtures), dtype=np.int64)
    blank = np.asarray(labels) < 0
    if blank.shape != (len(mixtures),):
        raise ValueError(f"labels has shape {blank.shape} for {len(mixtures)} documents")
    if min_share is not None:
        check_fraction(min_share, "min_share", closed=True)
    topics, shares = _largest_shares(mixtures, min(n_next + 1, n_topics))
    topic_names = np.array(name_topics_by_words(model), dtype=object)
    columns: dict[str, Any] = {"id": narrow(pd.Series(names, dtype=object))}
    for rank in range(topics.shape[1]):
        suffix = "" if rank == 0 else f"_{rank + 1}"
        least = (_LEAST_NEXT if rank else 0) if min_share is None else min_share
        absent = blank | (shares[:, rank] < least) | ((shares[:, rank] <= 0) & (rank > 0))
        columns["topic" + suffix] = pd.array(topics[:, rank], dtype="Int64" if rank else "int64")
        columns["name" + suffix] = topic_names[topics[:, rank]]
        columns["share" + suffix] = np.where(absent, np.nan, shares[:, rank]).astype(np.float32)
        if absent.any():
            columns["topic" + suffix][absent] = pd.NA if rank else -1
            columns["name" + suffix][absent] = None
        if rank == 0:
            sure = _sureness(model, shares[:, 0])
            columns["sure"] = np.where(absent, np.nan, sure).astype(np.float32)
    return pd.DataFrame(columns)


def topic_table(model: Any, *, n_words: int = 10) -> pd.DataFrame:
    """Return what the topics are about and how large they are: a row a topic.

    Parameters
    ----------
    model : SAETopicModel
        Fitted.
    n_words : int, default=10

    Returns
    -------
    DataFrame
        Columns ``topic``; ``name``, the label or else the first words; ``documents``, of how many
        fitted documents it is the largest topic (where the model does not hold them, its share of
        their number); ``share``, its mean share of them; ``words``, the most probable first,
        separated by blanks ("" in a model fitted without documents).
    """
    import pandas as pd

    labels = np.asarray(model.labels_)
    sizes = np.bincount(labels[labels >= 0], minlength=model.n_topics_)
    if len(labels) == 0:
        sizes = np.rint(model.topic_prevalence_ * model.n_documents_seen_).astype(np.int64)
    return pd.DataFrame(
        {
            "topic": np.arange(model.n_topics_),
            "name": name_topics_by_words(model),
            "documents": sizes,
            "share": np.asarray(model.topic_prevalence_, dtype=np.float32),
            "words": [" ".join(words) for words in words_of_topics(model, n_words)],
        }
    )


def words_of_topics(model: Any, n_words: int) -> list[list[str]]:
    """Return the most probable words of each topic; no words in a model without documents."""
    if model.components_ is None:
        return [[] for _ in range(model.n_topics_)]
    return model.get_topics(n_words)


def name_topics_by_words(model: Any) -> list[str]:
    """Name topics by their label, else by three words, else by their number."""
    named = zip(model.topic_labels_, words_of_topics(model, 3), strict=True)
    return [
        label or " ".join(words) or f"topic {topic}" for topic, (label, words) in enumerate(named)
    ]


def _sureness(model: Any, shares: np.ndarray) -> np.ndarray:
    """Return the part of the fitted documents whose largest share is at most each of `shares`."""
    known = np.sort(model.doc_topics_[np.asarray(model.labels_) >= 0].max(axis=1))
    return np.searchsorted(known, shares, side="right") / max(len(known), 1)


def _largest_shares(mixtures: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the `n` largest topics of each row and their shares, largest first."""
    topics = np.empty((len(mixtures), n), dtype=np.int64)
    shares = np.empty((len(mixtures), n), dtype=np.float32)
    for start in range(0, len(mixtures), _ROWS_AT_A_TIME):
        block = np.array(mixtures[start : start + _ROWS_AT_A_TIME], dtype=np.float32)
        rows = np.arange(len(block))
        for rank in range(n):
            best = block.argmax(axis=1)
            topics[start : start + len(block), rank] = best
            shares[start : start + len(block), rank] = block[rows, best]
            block[rows, best] = -1
    return topics, shares
