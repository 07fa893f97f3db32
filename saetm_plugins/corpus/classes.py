"""Known classes of documents, as a user gives them: one each, -1 where unknown."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.validation import is_missing, without_tensors


class OneHotClasses(NamedTuple):
    """Known classes of documents."""

    names: np.ndarray
    """Sorted, (C,), str."""
    codes: sp.csr_matrix
    """One where a document is of a class, (n, C); rows of unknown classes are empty."""


def one_hot_classes(classes: Any, n_documents: int, name: str = "classes") -> OneHotClasses:
    """Return the known classes of documents, one each of any type; -1 where unknown."""
    try:
        given = np.asarray(without_tensors(classes, name)).ravel()
    except (ValueError, TypeError) as error:  # lists of several lengths, masked entries
        raise ValueError(f"{name} must hold one class per document: {error}") from None
    if len(given) != n_documents:
        raise ValueError(f"{name} has {len(given)} entries for {n_documents} documents")
    texts = np.empty(n_documents, dtype=object)
    for row, value in enumerate(given):
        if is_missing(value) or isinstance(value, list | tuple | dict | set | np.ndarray):
            raise ValueError(f"{name}[{row}] is {value!r:.80}; -1 stands for an unknown class")
        # Bytes may be of any encoding: it only counts which are equal.
        texts[row] = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    known = np.flatnonzero(texts != "-1")
    names, codes = np.unique(texts[known].astype(str), return_inverse=True)
    one_hot = sp.csr_matrix((np.ones(len(known)), (known, codes)), shape=(n_documents, len(names)))
    return OneHotClasses(names, one_hot)
