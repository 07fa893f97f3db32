"""Topics, classes and times of documents, where BERTopic would lose or mix rows in silence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from bertopic.representation import KeyBERTInspired
from pandas.api.types import is_hashable

from saetm_plugins.validation import as_list, check_text, is_integer, is_missing


def check_keybert(representation_model: Any, can_embed: bool) -> None:
    """Refuse KeyBERTInspired, which embeds words, where there is no embedding model."""
    of_aspects = isinstance(representation_model, Mapping)
    for chain in representation_model.values() if of_aspects else [representation_model]:
        for model in chain if isinstance(chain, (list, tuple)) else [chain]:
            if isinstance(model, KeyBERTInspired) and not can_embed:
                raise ValueError(
                    "KeyBERTInspired embeds words and needs embedding_model=, the model that made "
                    "the embeddings; without one, MaximalMarginalRelevance or none describes topics"
                )


def check_topics(topics: Any, n_documents: int | None = None) -> list[int]:
    """Return the topic of each document, -1 for none, as a list of int."""
    found = as_list(topics, "topics", "numbers of topics")
    if n_documents is not None and len(found) != n_documents:
        raise ValueError(f"topics has {len(found)} entries for {n_documents} documents")
    for row, topic in enumerate(found):
        if not is_integer(topic) or topic < -1:
            raise TypeError(f"topics[{row}] must be a topic's number, or -1; found {topic!r:.80}")
    return [int(topic) for topic in found]


def check_groups(values: Any, n_documents: int, name: str) -> list[Any]:
    """Return one value per document as a list, none of them missing; a Series' index is ignored."""
    values = as_list(values, name, "one value per document")
    if len(values) != n_documents:
        raise ValueError(f"{name} has {len(values)} entries for {n_documents} documents")
    for row, value in enumerate(values):
        if not is_hashable(value):
            raise TypeError(f"{name}[{row}] must be one value; found {value!r:.80}")
        if is_missing(value):
            raise ValueError(
                f"{name}[{row}] is {value!r}; leave such documents out, or give them a value of "
                "their own"
            )
        if isinstance(value, str):
            check_text(value, f"{name}[{row}]")
    return values


def check_times(values: Any, n_documents: int, datetime_format: str | None) -> list[Any]:
    """Return timestamps as a list: numbers and dates as they are, texts read as dates."""
    times = check_groups(values, n_documents, "timestamps")
    try:
        sorted(times)
    except TypeError as error:
        raise TypeError(f"timestamps must all be numbers, dates or texts: {error}") from None
    if not times or not isinstance(times[0], str):
        return times
    # BERTopic 0.17.4 asks pandas for an option that pandas 3 no longer has.
    read = pd.to_datetime(pd.Series(times), format=datetime_format, errors="coerce")
    for row, time in enumerate(read):
        if pd.isna(time):
            wanted = f"of the format {datetime_format!r}" if datetime_format else "like the first"
            raise ValueError(f"timestamps[{row}] is {times[row]!r}, no date {wanted}")
    return list(read)
