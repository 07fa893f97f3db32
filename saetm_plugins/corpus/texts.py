"""Documents as users hand them over: a list, a column of a table, an array of pyarrow."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from saetm_plugins.validation import check_text


def check_documents(documents: Any, name: str = "documents", *, least: int = 1) -> list[str]:
    """Return `documents`, an iterable of str or a table of one column, as a list of texts.

    `name` is the argument's, for the error; `least` how many texts there must be.
    """
    found = "one string" if isinstance(documents, str) else type(documents).__name__
    if isinstance(documents, (str, bytes, Set, Mapping)):
        raise TypeError(f"{name} must be a list of strings, in an order; found {found}")
    try:
        texts = list(one_column(documents, name))
    except TypeError:
        raise TypeError(f"{name} must be an iterable of strings; found {found}") from None
    if not texts and least:
        raise ValueError(f"{name} is empty")
    for row, text in enumerate(texts):
        check_text(text, f"{name}[{row}]")
    if len(texts) < least:
        raise ValueError(f"{name} must hold at least {least}; found {len(texts)}")
    return texts


def one_column(values: Any, name: str = "documents") -> Any:
    """Return one document per row as an iterable, from a table of one column or an array (n, 1).

    Tables are pandas', polars' or pyarrow's; anything else is returned as it is.
    """
    shape = getattr(values, "shape", None)
    if isinstance(shape, tuple) and len(shape) > 1:
        if len(shape) > 2 or shape[1] != 1:
            columns = getattr(values, "column_names", getattr(values, "columns", None))
            named = "" if columns is None else f": {', '.join(map(str, columns)):.200}"
            raise ValueError(f"{name} must be one column of texts; found shape {shape}{named}")
        return np.asarray(values, dtype=object).ravel()
    return values.to_pylist() if hasattr(values, "to_pylist") else values
