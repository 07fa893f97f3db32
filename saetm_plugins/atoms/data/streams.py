"""Embeddings in batches: a torch DataLoader, a generator, any other iterable."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sized
from typing import Any

import numpy as np

from saetm_plugins.atoms.data.readers import ArrayReader, Reader, open_reader
from saetm_plugins.validation import check_embeddings

BUFFER_BYTES = 2**28  # of rows held at a time


def open_source(embeddings: Any) -> Reader | RowStream:
    """Return a reader of embeddings in memory or in files, or a stream of an iterable."""
    if not _is_stream(embeddings):
        return open_reader(embeddings)
    stream = RowStream(embeddings)
    return ArrayReader(stream.head) if stream.is_complete else stream


class RowStream:
    """The rows of an iterable of batches, all at once if they fit a buffer, else in passes.

    Parameters
    ----------
    batches : iterable of array-like (m, d), or of tuples that begin with one
        An iterator is read once, another iterable as often as needed.

    Attributes
    ----------
    head : ndarray of shape (n, d), float32
        The first rows, as many as the buffer holds.
    is_complete : bool
        Whether `head` is all there is.
    n_documents : int or None
        Number of rows of a pass; None for an iterator that goes on after `head`.
    """

    def __init__(self, batches: Iterable[Any]) -> None:
        self._batches = batches
        rows = iterate_rows(batches)
        self.head = take_rows(rows)
        if len(self.head) == 0:
            raise ValueError("embeddings is an iterable without batches")
        following = list(itertools.islice(rows, 1))
        self.is_complete = not following
        self.n_documents: int | None = len(self.head)
        self._rest = itertools.chain(following, rows)
        if not self.is_complete:
            self.n_documents = None if isinstance(batches, Iterator) else self._count()

    def passes(self) -> Iterator[Iterator[np.ndarray]]:
        """Yield the batches of each pass: one pass for an iterator, else passes without end."""
        if isinstance(self._batches, Iterator):
            yield itertools.chain([self.head], self._rest)
            return
        while True:
            yield iterate_rows(self._batches)

    def _count(self) -> int:
        """Return the length of a DataLoader's dataset, or count the rest of the first pass."""
        rest, self._rest = self._rest, itertools.chain()
        dataset = getattr(self._batches, "dataset", None)
        if isinstance(dataset, Sized) and getattr(self._batches, "batch_size", None):
            return len(dataset)
        return len(self.head) + sum(len(rows) for rows in rest)


def _is_stream(embeddings: Any) -> bool:
    """Tell an iterable of batches from an array, a path or a list of vectors."""
    if isinstance(embeddings, list | tuple):
        return len(embeddings) > 0 and getattr(embeddings[0], "ndim", 1) == 2
    known = isinstance(embeddings, str) or hasattr(embeddings, "shape")
    return isinstance(embeddings, Iterable) and not known


def iterate_rows(batches: Iterable[Any]) -> Iterator[np.ndarray]:
    """Yield every batch of an iterable as a finite (n, d) float32 array."""
    width = None
    for number, batch in enumerate(batches):
        if isinstance(batch, tuple | list) and getattr(next(iter(batch), None), "ndim", 0) == 2:
            batch = batch[0]
        name = f"embeddings (batch {number})"
        rows = check_embeddings(batch, name=name)
        if width is not None and rows.shape[1] != width:
            raise ValueError(f"{name} has {rows.shape[1]} dimensions, batches before had {width}")
        width = rows.shape[1]
        yield rows


def take_rows(rows: Iterator[np.ndarray]) -> np.ndarray:
    """Take batches from an iterator until the buffer is full; return their rows."""
    taken: list[np.ndarray] = []
    n_bytes = 0
    while n_bytes < BUFFER_BYTES and (batch := next(rows, None)) is not None:
        taken.append(batch)
        n_bytes += batch.nbytes
    return np.concatenate(taken) if taken else np.empty((0, 1), dtype=np.float32)
