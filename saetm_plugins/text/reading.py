"""Documents and embeddings as they are given, checked against each other."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from saetm_plugins.validation import check_embeddings, check_text, holds_labels


def check_documents(documents: Any) -> list[str]:
    """Return `documents` (any iterable of str, a generator too) as a list.

    Raises
    ------
    TypeError
        When it is one string, a set or a mapping, or holds something that is not a string.
    ValueError
        When it is empty, or a text holds half of a surrogate pair.
    """
    if isinstance(documents, (str, bytes)):
        raise TypeError("documents must be a list of strings; found one string")
    if isinstance(documents, (Set, Mapping)):
        raise TypeError(
            f"documents must be a list of strings, in an order; found {type(documents).__name__}"
        )
    try:
        texts = list(documents)
    except TypeError:
        raise TypeError(
            f"documents must be an iterable of strings; found {type(documents).__name__}"
        ) from None
    if not texts:
        raise ValueError("documents is empty")
    for row, text in enumerate(texts):
        check_text(text, f"documents[{row}]")
    return texts


def read_documents(
    documents: Any, embeddings: Any, *, least: int = 1
) -> tuple[list[str] | None, np.ndarray | None]:
    """Check documents and embeddings against each other; either may be None, not both.

    Labels in the place of embeddings, as a scikit-learn Pipeline passes them on, are left out;
    a pandas Series or list of vectors is no labels.

    Returns
    -------
    texts : list of str, or None
    embeddings : ndarray of shape (n, d), float32, or None

    Raises
    ------
    TypeError, ValueError
        When one is not legal, they are of different length, or there are fewer than `least`.
    """
    if documents is not None and holds_labels(embeddings):
        embeddings = None
    if documents is None and embeddings is None:
        raise ValueError("documents and embeddings are both None; give at least one")
    texts = None if documents is None else check_documents(documents)
    if texts is not None and len(texts) < least:
        raise ValueError(f"documents must hold at least {least}; found {len(texts)}")
    if embeddings is None:
        return texts, None
    embeddings = check_embeddings(embeddings, n_rows=None if texts is None else len(texts))
    if len(embeddings) < least:
        raise ValueError(f"embeddings must hold at least {least} rows; found {len(embeddings)}")
    return texts, embeddings
