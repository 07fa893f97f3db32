"""Groups of documents, read from labels, lists of labels or a matrix, as a membership matrix."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

FEW = 10
"""Groups of fewer documents are flagged, as their shares are uncertain."""
_LISTS = (list, tuple, set, frozenset)


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

    @classmethod
    def of_codes(cls, names: list[Any], codes: np.ndarray) -> Groups:
        """Make groups of the number of the group of each document, -1 where unknown."""
        rows = np.flatnonzero(codes >= 0)
        members = sp.csr_matrix(
            (np.ones(len(rows)), (codes[rows], rows)), shape=(len(names), len(codes))
        )
        return cls(names, members, codes >= 0)

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
    """
    if hasattr(groups, "detach"):
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
    return _from_labels(_as_series(groups), name)


def warn_of_few(names: Iterable[Any], sizes: np.ndarray, what: str = "groups") -> None:
    """Warn of groups with fewer than :data:`FEW` documents; they are kept."""
    few = [f"{name!r} ({size})" for name, size in zip(names, sizes, strict=True) if 0 < size < FEW]
    if few:
        shown = ", ".join(few[:5]) + (f" and {len(few) - 5} more" if len(few) > 5 else "")
        warnings.warn(
            f"{what} with fewer than {FEW} documents are kept, but their shares are "
            f"uncertain: {shown}",
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


def two_sides(groups: Groups, a: Any, b: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the documents of a and b (None: of all others), less those of both."""
    rows_a = _rows_of(groups, a, "a")
    if b is None:
        rows_b = np.setdiff1d(np.flatnonzero(groups.known), rows_a)
        if len(rows_b) == 0:
            raise ValueError(f"all documents are in a={a!r}: there is nothing to compare it with")
    else:
        rows_b = _rows_of(groups, b, "b")
        both = np.intersect1d(rows_a, rows_b)
        rows_a, rows_b = np.setdiff1d(rows_a, both), np.setdiff1d(rows_b, both)
        if len(rows_a) == 0 or len(rows_b) == 0:
            raise ValueError(f"a={a!r} and b={b!r} hold the same documents")
    named_b = "the rest" if b is None else b
    warn_of_few([a, named_b], np.array([len(rows_a), len(rows_b)]))
    return rows_a, rows_b


def _rows_of(groups: Groups, label: Any, argument: str) -> np.ndarray:
    labels = label if isinstance(label, list) else [label]
    unknown = [each for each in labels if each not in groups.names]
    if unknown or not labels:
        shown = ", ".join(map(repr, groups.names[:10])) + (", …" if len(groups.names) > 10 else "")
        found = unknown[0] if unknown else labels
        raise ValueError(f"{argument}={found!r} is not one of the groups: {shown}")
    return np.unique(np.concatenate([groups.rows(groups.names.index(each)) for each in labels]))


def _as_series(groups: Any) -> pd.Series:
    if isinstance(groups, np.ndarray | pd.Series | pd.Index | pd.api.extensions.ExtensionArray):
        return pd.Series(groups).reset_index(drop=True)
    values = np.empty(len(groups), dtype=object)  # lists of labels must stay lists
    values[:] = list(groups)
    return pd.Series(values)


def _from_labels(labels: pd.Series, name: str) -> Groups:
    """Return groups of a label for each document, or of a list of labels for each."""
    several = np.array([isinstance(label, _LISTS) for label in labels])
    known = several | labels.notna().to_numpy()  # an empty list is known to be in no group
    warn_of_missing(int((~known).sum()), len(known), name)
    rows, labels = np.flatnonzero(known), labels[known]
    if several.any():
        lists = [label if isinstance(label, _LISTS) else [label] for label in labels]
        rows = np.repeat(rows, list(map(len, lists)))
        labels = _as_series([label for each in lists for label in each])
        if not len(labels):
            raise ValueError(f"{name} puts no document in any group")
    codes, names = _sorted_codes(labels, name)
    if (codes < 0).any():
        raise ValueError(f"{name}[{rows[codes < 0][0]}] holds a missing label")
    members = sp.csr_matrix((np.ones(len(rows)), (codes, rows)), shape=(len(names), len(known)))
    members.sum_duplicates()
    members.data[:] = 1.0
    return Groups(names, members, known)


def _sorted_codes(labels: pd.Series, name: str) -> tuple[np.ndarray, list[Any]]:
    """Return the position of each label among the sorted names, and these."""
    if isinstance(labels.dtype, pd.CategoricalDtype):
        labels = labels.cat.remove_unused_categories()
        return labels.cat.codes.to_numpy(), list(labels.cat.categories)
    try:
        codes, found = pd.factorize(labels)
    except TypeError as error:
        raise TypeError(f"{name} must hold labels that can be hashed: {error}") from None
    names = [value.item() if isinstance(value, np.generic) else value for value in found]
    try:
        order = sorted(range(len(names)), key=names.__getitem__)
    except TypeError:  # labels of several types
        order = sorted(range(len(names)), key=lambda code: str(names[code]))
    rank = np.full(len(names) + 1, -1)  # the last one is that of missing labels
    rank[order] = np.arange(len(names))
    return rank[codes], [names[code] for code in order]


def _from_matrix(matrix: Any, name: str) -> Groups:
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
    names = list(
        matrix.columns if isinstance(matrix, pd.DataFrame) else range(len(members.indptr) - 1)
    )
    filled = np.flatnonzero(np.diff(members.indptr))
    if len(filled) == 0:
        raise ValueError(f"{name} puts no document in any group")
    if len(filled) < len(names):
        empty = [names[group] for group in np.flatnonzero(np.diff(members.indptr) == 0)]
        warnings.warn(
            f"{name} without documents are left out: {empty[:10]}", UserWarning, stacklevel=4
        )
    known = np.ones(members.shape[1], dtype=bool)
    return Groups([names[group] for group in filled], sp.csr_matrix(members[filled]), known)


def _is_binary(matrix: Any) -> bool:
    if sp.issparse(matrix):
        return bool(np.isin(matrix.data, (0, 1)).all())
    if isinstance(matrix, pd.DataFrame) and any(
        not pd.api.types.is_bool_dtype(dtype) and not pd.api.types.is_numeric_dtype(dtype)
        for dtype in matrix.dtypes
    ):
        return False
    values = np.asarray(matrix)
    return values.dtype.kind in "bfiu" and bool(np.isin(values, (0, 1)).all())
