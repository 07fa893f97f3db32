"""What callers hand to BERTopic's methods: texts, timestamps and classes; errors name the row."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd


def check_texts(texts: Any, name: str) -> list[str]:
    """Return `texts`, any iterable of str, as a list.

    Raises
    ------
    TypeError
        When it is one string or a table, or an entry is no string.
    """
    if isinstance(texts, (str, bytes, pd.DataFrame)) or not isinstance(texts, Iterable):
        raise TypeError(f"{name} must be a list of strings; found {type(texts).__name__}")
    texts = list(texts)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            missing = text is None or text != text
            found = repr(text) if missing else type(text).__name__
            raise TypeError(f"{name}[{row}] must be a string; found {found}")
    return texts


def check_groups(values: Any, n_documents: int, name: str) -> list[Any]:
    """Return one value per document as a list; an index that a Series brings along has no part.

    Raises
    ------
    ValueError
        When there are more or fewer than documents, or one is None, NaN or NaT.
    """
    values = list(values)
    if len(values) != n_documents:
        raise ValueError(f"{name} has {len(values)} entries for {n_documents} documents")
    missing = np.flatnonzero(pd.isna(pd.Series(values, dtype=object)))
    if missing.size:
        row = int(missing[0])
        raise ValueError(
            f"{name}[{row}] is {values[row]!r}, as are {missing.size - 1} more entries; leave "
            "such documents out, or give them a value of their own"
            if missing.size > 1
            else f"{name}[{row}] is {values[row]!r}; leave such documents out, or give it a value"
        )
    return values


def check_times(values: Any, n_documents: int, datetime_format: str | None) -> list[Any]:
    """Return timestamps as a list: numbers or dates as they are, texts read as dates.

    Raises
    ------
    ValueError
        When one is missing, or a text that is no date (of that format).
    """
    times = check_groups(values, n_documents, "timestamps")
    if not times or not isinstance(times[0], str):
        return times
    # BERTopic 0.17.4 asks pandas for an option that pandas 3 no longer has.
    read = pd.to_datetime(pd.Series(times), format=datetime_format, errors="coerce")
    unread = np.flatnonzero(read.isna())
    if unread.size:
        wanted = f"of the format {datetime_format!r}" if datetime_format else "like the first one"
        row = int(unread[0])
        raise ValueError(f"timestamps[{row}] is {times[row]!r}, no date {wanted}")
    return list(read)
