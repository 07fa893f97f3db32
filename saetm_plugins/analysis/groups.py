"""Groups of documents, however they are given, as one membership matrix."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.validation import check_names, without_tensors

if TYPE_CHECKING:
    import pandas as pd

FEW = 10
"""Groups of fewer documents are flagged: their shares say little."""


@dataclass(frozen=True)
class Groups:
    """Groups of documents, which may overlap.

    Attributes
    ----------
    names : list, length G
    members : csr_matrix of shape (G, n), float64
        Ones where a document is in a group; indices sorted.
    known : ndarray of shape (n,), bool
        Whether anything is known of a document's groups.
    """

    names: list[Any]
    members: sp.csr_matrix
    known: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """Documents in each group, (G,)."""
        return np.diff(self.members.indptr)

    def rows(self, group: int) -> np.ndarray:
        """Return the documents of a group, in order."""
        return self.members.indices[self.members.indptr[group] : self.members.indptr[group + 1]]


def read_groups(groups: Any, n_documents: int, name: str = "groups") -> Groups:
    """Return the groups of documents, in order of their names (or categories, or columns).

    Parameters
    ----------
    groups : array-like of length n, or matrix of shape (n, G)
        A label (or True or False) for each document; or a list of labels for each, for documents
        in several groups; or a matrix of zeros and ones, sparse, array or DataFrame. A document
        whose label is missing (None, NaN, NaT) is in no group, and warned of.
    n_documents : int
    name : str
        The argument's name in the caller's signature, for errors.

    Raises
    ------
    TypeError, ValueError
        When there is not one entry for each document, or nobody is in any group.
    """
    import pandas as pd

    if hasattr(groups, "detach"):
        without_tensors(groups, name)
        groups = groups.detach().cpu().numpy()
    if isinstance(groups, str | bytes) or not (hasattr(groups, "__len__") or sp.issparse(groups)):
        raise TypeError(
            f"{name} must hold a label for each document; found {type(groups).__name__}"
        )
    if np.ma.is_masked(groups):
        raise ValueError(f"{name} is a masked array with entries masked; None stands for no group")
    n_given = groups.shape[0] if hasattr(groups, "shape") else len(groups)
    if n_given != n_documents:
        raise ValueError(f"{name} has {n_given} entries for {n_documents} documents")
    if isinstance(groups, pd.DataFrame) and groups.shape[1] == 1 and not _is_binary(groups):
        groups = groups.iloc[:, 0]
    if sp.issparse(groups) or getattr(groups, "ndim", 1) == 2:
        return _from_matrix(groups, name)
    if not hasattr(groups, "dtype") or groups.dtype == object:
        check_names(list(groups), name)
    labels = groups if isinstance(groups, pd.Series) else _as_series(groups)
    if any(isinstance(label, list | tuple | set | frozenset) for label in labels):
        return _from_lists(labels, name)
    return _from_labels(labels, name)


def warn_of_few(names: Iterable[Any], sizes: np.ndarray, what: str = "groups") -> None:
    """Warn of groups with fewer than :data:`FEW` documents; they are kept."""
    few = [f"{name!r} ({size})" for name, size in zip(names, sizes, strict=True) if 0 < size < FEW]
    if few:
        shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
        warnings.warn(
            f"{what} with fewer than {FEW} documents are kept, but their shares say little: "
            f"{shown}",
            UserWarning,
            stacklevel=3,
        )


def warn_of_missing(n_missing: int, n_documents: int, name: str) -> None:
    """Warn of documents left out because their group or time is missing; raise if all are."""
    if n_missing == n_documents:
        raise ValueError(f"{name} is missing for all {n_documents} documents")
    if n_missing:
        warnings.warn(
            f"{name} is missing for {n_missing:,} of {n_documents:,} documents; they are left out",
            UserWarning,
            stacklevel=4,
        )


def _as_series(groups: Any) -> pd.Series:
    import pandas as pd

    if isinstance(groups, np.ndarray | pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(groups)
    values = np.empty(len(groups), dtype=object)  # lists of labels must stay lists
    values[:] = list(groups)
    return pd.Series(values)


def _from_labels(labels: pd.Series, name: str) -> Groups:
    import pandas as pd

    if isinstance(labels.dtype, pd.CategoricalDtype):
        labels = labels.cat.remove_unused_categories()
        codes, names = labels.cat.codes.to_numpy(), list(labels.cat.categories)
    else:
        codes, names = _sorted_codes(labels, name)
    known = codes >= 0
    warn_of_missing(int((~known).sum()), len(codes), name)
    return _from_codes(np.flatnonzero(known), codes[known], names, known)


def _from_lists(labels: pd.Series, name: str) -> Groups:
    import pandas as pd

    # An empty list is known to be in no group; None is not known.
    known = np.array([isinstance(label, list | tuple | set | frozenset) for label in labels])
    known |= labels.notna().to_numpy()
    lists = [label if _is_list(label) else [label] for label in labels[known]]
    rows = np.repeat(np.flatnonzero(known), [len(label) for label in lists])
    flat = _as_series([label for several in lists for label in several])
    warn_of_missing(int((~known).sum()), len(known), name)
    if not len(flat):
        raise ValueError(f"{name} puts no document in any group")
    codes, names = _sorted_codes(flat, name)
    if (codes < 0).any():
        row = int(rows[np.flatnonzero(codes < 0)[0]])
        raise ValueError(f"{name}[{row}] holds a missing label: {labels.iloc[row]!r}")
    pairs = pd.DataFrame({"row": rows, "code": codes}).drop_duplicates()
    return _from_codes(pairs["row"].to_numpy(), pairs["code"].to_numpy(), names, known)


def _from_codes(rows: np.ndarray, codes: np.ndarray, names: list[Any], known: np.ndarray) -> Groups:
    members = sp.csr_matrix((np.ones(len(rows)), (codes, rows)), shape=(len(names), len(known)))
    members.sort_indices()
    return Groups(names, members, known)


def _sorted_codes(labels: pd.Series, name: str) -> tuple[np.ndarray, list[Any]]:
    import pandas as pd

    try:
        codes, names = pd.factorize(labels)
    except TypeError as error:
        raise TypeError(f"{name} must hold labels that can be hashed: {error}") from None
    names = [value.item() if isinstance(value, np.generic) else value for value in names]
    try:
        order = sorted(range(len(names)), key=names.__getitem__)
    except TypeError:  # labels of several types
        order = sorted(range(len(names)), key=lambda code: str(names[code]))
    rank = np.empty(len(names) + 1, dtype=np.int64)
    rank[order], rank[-1] = np.arange(len(names)), -1
    return rank[codes], [names[code] for code in order]


def _from_matrix(matrix: Any, name: str) -> Groups:
    import pandas as pd

    names = list(matrix.columns) if isinstance(matrix, pd.DataFrame) else None
    if not _is_binary(matrix):
        raise ValueError(
            f"{name} must hold zeros and ones (or True and False) where it is a matrix of "
            "documents and groups"
        )
    values = matrix if sp.issparse(matrix) else np.asarray(matrix, dtype=np.float64)
    members = sp.csr_matrix(sp.csr_matrix(values, dtype=np.float64).T)
    members.eliminate_zeros()
    members.sum_duplicates()
    members.data[:] = 1.0
    names = list(range(members.shape[0])) if names is None else names
    filled = np.flatnonzero(np.diff(members.indptr))
    if len(filled) == 0:
        raise ValueError(f"{name} puts no document in any group")
    if len(filled) < len(names):
        empty = [names[group] for group in range(len(names)) if group not in set(filled)]
        warnings.warn(
            f"{name} without documents are left out: {empty[:10]}", UserWarning, stacklevel=4
        )
    members = sp.csr_matrix(members[filled])
    known = np.ones(members.shape[1], dtype=bool)
    return Groups([names[group] for group in filled], members, known)


def _is_binary(matrix: Any) -> bool:
    import pandas as pd

    if sp.issparse(matrix):
        return bool(np.isin(matrix.data, (0, 1)).all())
    if isinstance(matrix, pd.DataFrame) and any(
        not pd.api.types.is_bool_dtype(dtype) and not pd.api.types.is_numeric_dtype(dtype)
        for dtype in matrix.dtypes
    ):
        return False
    values = np.asarray(matrix)
    return values.dtype.kind in "bfiu" and bool(np.isin(values, (0, 1)).all())


def _is_list(label: Any) -> bool:
    return isinstance(label, list | tuple | set | frozenset)
