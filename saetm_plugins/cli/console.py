"""How the ``saetm`` command prints: tables, and errors and warnings in one line each."""

from __future__ import annotations

import numbers
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    import pandas as pd

    from saetm_plugins import SAETopicModel

_PER_CENT = ("share", "coverage", "weight", "difference", "low", "high", "change", "stable")
_WIDE = ("words", "text", "sentence")


def print_topics(
    model: SAETopicModel,
    console: Console,
    *,
    n_words: int = 8,
    documents: list[str] | None = None,
) -> None:
    """Print a table of topics: documents, share, words and, given texts, the most typical one.

    The largest share comes first, as on the page to explore topics in.
    For a model fitted without documents, which has no words: the rows of typical documents.
    """
    sizes = model.topic_table()["documents"]
    n_documents = len(model.labels_) or int(model.n_documents_seen_)
    has_words = model.components_ is not None
    table = Table(title=f"{model.n_topics_} topics of {n_documents:,} documents")
    table.add_column("topic", justify="right", no_wrap=True)
    table.add_column("docs", justify="right", no_wrap=True)
    table.add_column("share", justify="right", no_wrap=True)
    table.add_column("words" if has_words else "rows of typical documents", min_width=24)
    if documents is not None:
        table.add_column("most typical document", overflow="ellipsis", no_wrap=True, max_width=48)
    typical = model.get_representative_indices(3)
    described: Any = model.get_topics(n_words) if has_words else typical.astype(str)
    for topic in (-model.topic_prevalence_).argsort(kind="stable"):
        label = model.topic_labels_[topic]
        row = [
            str(topic) if label is None else f"{topic} {label}",
            f"{sizes[topic]:,}",
            f"{model.topic_prevalence_[topic]:.1%}",
            " ".join(described[topic]),
        ]
        if documents is not None:
            row.append(" ".join(documents[typical[topic, 0]].split()))
        table.add_row(*map(Text, row))  # a str would be read as markup, [brackets] and all
    console.print(table)


def print_table(
    frame: pd.DataFrame, console: Console, title: str = "", *, n_rows: int = 20
) -> None:
    """Print the first rows of a DataFrame, shares in per cent, and those columns that fit."""
    shown = frame.head(n_rows)
    left_out: list[str] = []
    table = _table_of(shown, title)
    unbounded = console.options.update(width=10_000)
    while console.measure(table, options=unbounded).minimum > console.width and shown.shape[1] > 1:
        left_out.insert(0, str(shown.columns[-1]))
        shown = shown.iloc[:, :-1]
        table = _table_of(shown, title)
    console.print(table)
    if left_out:
        print_line(console, "… and, in a wider terminal,", ", ".join(left_out))
    if len(frame) > n_rows:
        print_line(console, f"… and {len(frame) - n_rows:,} more rows", "")


def _table_of(shown: pd.DataFrame, title: str) -> Table:
    table = Table(title=title or None)
    columns = [[_as_cell(str(column), value) for value in shown[column]] for column in shown]
    for column, cells in zip(shown, columns, strict=True):
        is_number = shown[column].dtype.kind in "iuf" or str(shown[column].dtype) == "Int64"
        whole = is_number or column == "difference"
        heading = str(column).replace("_", " ")
        least = 20 if column in _WIDE else None
        table.add_column(
            heading,
            justify="right" if is_number else "left",
            no_wrap=whole or column == "text",
            overflow="ellipsis",
            min_width=max(map(len, [heading, *cells])) if whole else least,
            max_width=48 if column in ("text", "sentence") else None,
        )
    for row in zip(*columns, strict=True):
        table.add_row(*map(Text, row))
    return table


def _as_cell(column: str, value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value))
    if value is None or str(value) in ("<NA>", "nan", "NaT"):  # missing
        return ""
    if isinstance(value, numbers.Real) and not isinstance(value, numbers.Integral):
        if column.split("_")[0] in _PER_CENT:
            return f"{round(float(value), 3) + 0.0:.1%}"  # never "-0.0%"
        return f"{value:.3g}" if column in ("p", "q") else f"{value:.3f}"
    return " ".join(str(value).split())


def print_line(console: Console, heading: str, message: object, *, style: str = "") -> None:
    """Print a heading and a message in one line, whatever brackets the message holds."""
    line = Text.assemble((heading, style), " ", " ".join(str(message).split()))
    console.print(line, highlight=False, soft_wrap=True)
