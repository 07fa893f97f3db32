"""A row a document, for spreadsheets and databases."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd

from saetm_plugins.analysis.fitted import as_topic_model, mixtures
from saetm_plugins.files.tables import check_table_path, write_table
from saetm_plugins.model_tables import document_table
from saetm_plugins.validation import as_list, check_count, check_doc_topics


def export_documents(
    model: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    texts: Any = None,
    ids: Any = None,
    columns: pd.DataFrame | None = None,
    doc_topics: Any = None,
    labels: Any = None,
    n_topics: int = 3,
    min_share: float | None = None,
) -> pd.DataFrame:
    """Return a row a document: id, text, main topic, its name and share, the next topics.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    path : path, optional
        Also write the table: ``.csv``, ``.tsv``, ``.parquet``, ``.xlsx`` (needs openpyxl) or
        ``.jsonl``; a file of that name is replaced.
    texts : sequence of str of length n, optional
        The model keeps none.
    ids : sequence of length n, optional
        What documents are called; their row numbers by default.
    columns : DataFrame of length n, optional
        Further columns, put at the end.
    doc_topics : array-like of shape (n, n_topics), optional
        Mixtures of other documents than the fitted ones, as ``model.transform`` returns.
    labels : array-like of shape (n,), optional
        Topics of `doc_topics`, as ``model.topics_of`` returns them, -1 for none.
    n_topics : int, default=3
        Topics to name for each document.
    min_share : float, optional
        As of :func:`saetm_plugins.tables.document_table`.

    Returns
    -------
    DataFrame
        Columns ``id``, ``text`` if given, ``topic, name, share`` of the largest topic,
        ``sure``, ``topic_2, name_2, share_2`` and so on, see
        :func:`saetm_plugins.tables.document_table`; then `columns`.
    """
    model = as_topic_model(model)
    n_topics = check_count(n_topics, "n_topics")
    if doc_topics is None:
        shares = mixtures(model)
    else:
        shares = check_doc_topics(doc_topics, model.n_topics_)
    if path is not None:
        check_table_path(path, len(shares))
    if doc_topics is None:
        labels = model.labels_
    table = document_table(
        model, shares, labels=labels, ids=ids, n_next=n_topics - 1, min_share=min_share
    )
    if texts is not None:
        texts = as_list(texts, "texts", "texts")
        if len(texts) != len(table):
            raise ValueError(f"texts has {len(texts)} rows for {len(table)} documents")
        table.insert(1, "text", texts)
    if columns is not None:
        if len(columns) != len(table):
            raise ValueError(f"columns has {len(columns)} rows for {len(table)} documents")
        if doubled := [str(column) for column in columns if column in table]:
            raise ValueError(f"columns names {', '.join(doubled)}, which the table has itself")
        table = pd.concat([table, columns.reset_index(drop=True)], axis=1)
    if path is not None:
        write_table(table, path)
    return table
