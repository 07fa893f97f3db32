"""Blank and duplicate documents: atoms are not learned from them.

A blank text has an embedding like any other, and all blank texts share it. Copies of a text make an
atom of their own, and with enough of them no atoms are left for what texts share.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

_WORD = re.compile(r"[^\W_]")
_TOLERANCE = 1e-4  # of an embedding's length: rounding to half precision, not another text
_PROJECTIONS = 6
_CELLS = (2e-4, 4e-2)  # of standard deviations; rounding seldom leaves one, of float16 the larger


def find_blank(
    texts: Sequence[str] | None,
    n_documents: int,
    counts: sp.csr_matrix | None = None,
    embeddings: np.ndarray | None = None,
) -> np.ndarray:
    """Return which texts are blank: no letter, digit or symbol, and no word that was counted.

    Without texts, no document is blank. Where empty texts have different embeddings they are
    captions of images: no text is blank then. `counts` are (n, V), `embeddings` (n, d).
    """
    if texts is None:
        return np.zeros(n_documents, dtype=bool)
    blank = np.array([_is_blank(text) for text in texts], dtype=bool)
    if embeddings is not None and blank.any():
        empty = [row for row, text in enumerate(texts) if not text.strip()]
        if len(empty) > 1 and find_distinct(embeddings[empty]).any():
            return np.zeros(n_documents, dtype=bool)
    if counts is not None:
        blank &= np.diff(counts.indptr) == 0
    return blank


def find_distinct(embeddings: np.ndarray) -> np.ndarray:
    """Return for each row of embeddings (n, d) the first row that is the same up to rounding."""
    n_documents = len(embeddings)
    lengths = np.sqrt(np.einsum("nd,nd->n", embeddings, embeddings))
    rng = np.random.default_rng(0)
    directions = rng.normal(size=(embeddings.shape[1], _PROJECTIONS)) / (lengths.mean() or 1)
    positions = embeddings @ directions.astype(np.float32)
    rows, others = [], []
    # Duplicates share a cell of one grid or, where rounding separates them, of the other.
    for size in _CELLS:
        cells = np.floor(positions / np.float32(size)).astype(np.int64)
        hashes = cells @ rng.integers(2**62, size=_PROJECTIONS)  # overflow is part of it
        _, starts, cell = np.unique(hashes, return_index=True, return_inverse=True)
        first = starts[cell]
        later = np.flatnonzero(first != np.arange(n_documents))
        apart = np.linalg.norm(embeddings[later] - embeddings[first[later]], axis=1)
        same = later[apart <= _TOLERANCE * lengths[later]]
        rows.append(same)
        others.append(first[same])
    found, earlier = np.concatenate(rows), np.concatenate(others)
    if len(found) == 0:
        return np.arange(n_documents)
    links = sp.csr_matrix((np.ones(len(found)), (found, earlier)), shape=(n_documents, n_documents))
    _, group = connected_components(links, directed=False)
    _, first_of_group = np.unique(group, return_index=True)
    return first_of_group[group]


def choose_distinct(embeddings: np.ndarray | None, blank: np.ndarray) -> np.ndarray:
    """Return the rows to learn from: neither blank nor, with embeddings, duplicates."""
    rows = np.flatnonzero(~blank)
    if embeddings is None or len(rows) == 0:
        return rows
    return rows[np.unique(find_distinct(take(embeddings, rows)))]


def take(array: Any, rows: np.ndarray) -> Any:
    """Return distinct `rows` of an array; the array itself where these are all, or it is None."""
    return array if array is None or len(rows) == array.shape[0] else array[rows]


def without_atoms(doc_atoms: sp.csr_matrix, blank: np.ndarray) -> sp.csr_matrix:
    """Return the mixtures (n, K) with empty rows for `blank` (n,) documents."""
    if not blank.any():
        return doc_atoms
    kept = np.repeat(~blank, np.diff(doc_atoms.indptr))
    lengths = np.where(blank, 0, np.diff(doc_atoms.indptr))
    indptr = np.concatenate(([0], np.cumsum(lengths))).astype(doc_atoms.indptr.dtype)
    return sp.csr_matrix((doc_atoms.data[kept], doc_atoms.indices[kept], indptr), doc_atoms.shape)


def _is_blank(text: str) -> bool:
    if _WORD.search(text):
        return False
    # Separators, control characters and punctuation; a smiley is a symbol, and has content.
    return all(unicodedata.category(character)[0] in "ZCP" for character in text)
