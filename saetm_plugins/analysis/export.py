"""A row a document, for spreadsheets and databases."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pandas as pd

from saetm_plugins.analysis.fitted import as_topic_model, mixtures, open_model, topic_names
from saetm_plugins.tables import check_table_path, document_table, write_table
from saetm_plugins.validation import as_list, check_count, check_doc_topics, check_names


def export_documents(
    model: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    texts: Any = None,
    ids: Any = None,
    columns: pd.DataFrame | None = None,
    doc_topics: Any = None,
    n_topics: int = 3,
) -> pd.DataFrame:
    """Return a row a document: id, text, main topic, its name and share, the next topics.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic, SaeModel, SAEClusterer, or path
        Fitted; see :func:`saetm_plugins.analysis.as_topic_model`.
    path : path, optional
        Also write the table: ``.csv``, ``.tsv``, ``.parquet``, ``.xlsx`` (needs openpyxl) or
        ``.jsonl``; what is there is replaced.
    texts : sequence of str of length n, optional
        The model keeps none.
    ids : sequence of length n, optional
        What documents are called; their row numbers by default.
    columns : DataFrame of length n, optional
        What else is known of the documents: put at the end.
    doc_topics : array-like of shape (n, n_topics), optional
        Mixtures of other documents than the fitted ones, as ``model.transform`` returns.
    n_topics : int, default=3
        Topics to name for each document.

    Returns
    -------
    DataFrame
        Columns ``id``, ``text`` where there is one, ``topic, name, share`` of the largest topic,
        ``topic_2, name_2, share_2`` and so on (missing where the share is 0), then `columns`.

    Raises
    ------
    TypeError, ValueError
        When an argument is of another length than the documents, a column of `columns` is called
        like one of the table's, or `path` cannot be written.
    """
    model = open_model(model)
    fitted = as_topic_model(model)
    n_topics = check_count(n_topics, "n_topics")
    shares = (
        mixtures(model) if doc_topics is None else check_doc_topics(doc_topics, fitted.n_topics_)
    )
    if path is not None:
        check_table_path(path, len(shares))
    names = topic_names(model)
    table = document_table(fitted, shares, ids=ids, n_next=n_topics - 1)
    for column in [str(column) for column in table if str(column).startswith("topic")]:
        named = [names[topic] if topic == topic else None for topic in _plain(table[column])]
        table["name" + column.removeprefix("topic")] = named
    if texts is not None:
        given = _of_length(as_list(texts, "texts", "texts"), len(table), "texts")
        check_names(given, "texts")
        table.insert(1, "text", given)
    if columns is not None:
        if not isinstance(columns, pd.DataFrame):
            raise TypeError(f"columns must be a DataFrame; found {type(columns).__name__}")
        _of_length(columns, len(table), "columns")
        doubled = [str(column) for column in columns if column in table]
        if doubled:
            raise ValueError(f"columns names {', '.join(doubled)}, which the table has itself")
        table = pd.concat([table, columns.reset_index(drop=True)], axis=1)
    if path is not None:
        write_table(table, path)
    return table


def _plain(topics: pd.Series) -> list[Any]:
    """Return topics as int, missing ones as NaN."""
    return [np.nan if topic is pd.NA else int(topic) for topic in topics]


def _of_length(values: Any, n_documents: int, name: str) -> Any:
    if len(values) != n_documents:
        raise ValueError(f"{name} has {len(values)} rows for {n_documents} documents")
    return values
