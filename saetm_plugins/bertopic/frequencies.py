"""How frequent topics are over time and per class: what BERTopic's counts lack."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd

_WORDS = 5


def as_datetimes(times: list[Any]) -> list[Any]:
    """Return dates and periods as the timestamps they begin with, which pandas can put in bins."""
    if isinstance(times[0], pd.Period):
        return list(pd.PeriodIndex(times).to_timestamp())
    if isinstance(times[0], date):
        return list(pd.to_datetime(pd.Series(times)))
    return times


def binned(times: list[Any], nr_bins: int | None) -> list[Any]:
    """Return the left end of the bin that each time lies in, as BERTopic names bins."""
    if not nr_bins:
        return times
    return [interval.left for interval in pd.cut(pd.Series(times), bins=nr_bins)]


def count_documents(topic_model: Any, groups: list[Any], column: str) -> pd.DataFrame:
    """Count documents by group and topic, without their texts, in BERTopic's columns.

    `groups` are the class or time of each document, and `column` is what the groups are called.
    """
    frame = pd.DataFrame({"Topic": topic_model.topics_, column: groups})
    counts = frame.groupby([column, "Topic"]).size().rename("Frequency").reset_index()
    counts["Words"] = [_words(topic_model, topic) for topic in counts.Topic]
    return counts[["Topic", "Words", "Frequency", column]]


def add_mixtures(
    topic_model: Any, counted: pd.DataFrame, groups: list[Any], column: str
) -> pd.DataFrame:
    """Return the table `counted` with sums of mixtures for numbers of documents, for all topics."""
    doc_topics = pd.DataFrame(topic_model.sae_model_.doc_topics_.astype(float))
    if len(groups) != len(doc_topics):
        raise ValueError(
            f"soft=True needs the mixtures of {len(groups)} documents; after batches those of "
            f"the last {len(doc_topics)} are known"
        )
    words = {(row.Topic, getattr(row, column)): row.Words for row in counted.itertuples()}
    rows = [
        (topic, words.get((topic, group), _words(topic_model, topic)), frequency, group)
        for group, sums in doc_topics.groupby(pd.Series(groups)).sum().iterrows()
        for topic, frequency in sums.items()
    ]
    return pd.DataFrame(rows, columns=["Topic", "Words", "Frequency", column])


def _words(topic_model: Any, topic: Any) -> str:
    return ", ".join(word for word, _ in topic_model.get_topic(topic)[:_WORDS] if word)
