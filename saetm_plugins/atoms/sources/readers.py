"""Stage 1, input: embeddings in memory, memory-mapped, in shards, or batch by batch.

All but iterators become a :class:`Reader` of consecutive rows; :mod:`.batches` shuffles them.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from saetm_plugins.atoms.sources.shards import Shard, open_shard, shard_files
from saetm_plugins.validation import check_embeddings


class Reader(Protocol):
    """Rows of embeddings that can be read from anywhere."""

    n_documents: int
    n_features: int
    in_memory: bool

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows `start` to `stop` as a finite (stop - start, d) float32 array."""


class ArrayReader:
    """Embeddings in memory, or a memory-mapped array, checked as it is read."""

    def __init__(self, embeddings: Any, name: str = "embeddings") -> None:
        self._name = name
        self.in_memory = not isinstance(embeddings, np.memmap)
        if not self.in_memory:
            if embeddings.ndim != 2 or 0 in embeddings.shape:
                raise ValueError(
                    f"{name} must be 2-D and not empty; found shape {embeddings.shape}"
                )
            self.rows = embeddings
        else:
            self.rows = check_embeddings(embeddings, name=name)
        self.n_documents, self.n_features = self.rows.shape

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`Reader`."""
        rows = self.rows[start:stop]
        if not self.in_memory:
            rows = np.asarray(rows, dtype=np.float32)
            _check_rows(rows, self._name, start)
        return rows


class ShardReader:
    """A folder of ``.npy``, ``.safetensors``, ``.parquet`` or ``.arrow`` files, in name order.

    Parameters
    ----------
    folder : path
        Or the path of one such file.

    Raises
    ------
    ValueError
        When the folder holds no shard, a shard is truncated, or one is of another width.
    """

    in_memory = False

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._shards: list[Shard] = [open_shard(file) for file in shard_files(Path(folder))]
        self.n_features = self._shards[0].n_features
        for shard in self._shards:
            if shard.n_features != self.n_features:
                raise ValueError(
                    f"shard {str(shard.file)!r} has {shard.n_features} dimensions, "
                    f"{str(self._shards[0].file)!r} has {self.n_features}"
                )
        self._ends = np.cumsum([shard.n_documents for shard in self._shards])
        self.n_documents = int(self._ends[-1])

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`Reader`."""
        parts = []
        while start < stop:
            index = int(np.searchsorted(self._ends, start, side="right"))
            shard, first = self._shards[index], start
            shard_start = int(self._ends[index]) - shard.n_documents
            start = min(stop, int(self._ends[index]))
            rows = shard.read(first - shard_start, start - shard_start)
            _check_rows(rows, str(shard.file), first - shard_start)
            parts.append(rows)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def open_reader(embeddings: Any) -> Reader:
    """Return a reader for whatever embeddings come as.

    Parameters
    ----------
    embeddings : array-like, path or torch tensor
        An (n, d) array, tensor or memory map; the path of one shard file, or of a folder of them.

    Raises
    ------
    FileNotFoundError
        When a path does not exist.
    ValueError
        When there are no rows, or not of one width, or not finite.
    """
    if isinstance(embeddings, str | os.PathLike):
        path = Path(embeddings)
        if not path.exists():
            raise FileNotFoundError(f"embeddings: no file or folder {str(path)!r}")
        return ShardReader(path)
    return ArrayReader(embeddings)


def is_stream(embeddings: Any) -> bool:
    """Tell an iterable of batches (a DataLoader, a generator) from an array, list or path."""
    if isinstance(embeddings, np.ndarray | list | tuple | str | os.PathLike):
        return False
    return isinstance(embeddings, Iterable) and not hasattr(embeddings, "shape")


def iterate_rows(batches: Iterable[Any]) -> Iterator[np.ndarray]:
    """Yield every batch of an iterable as a finite (n, d) float32 array.

    Parameters
    ----------
    batches : iterable of array-like, or of tuples whose first item is one

    Raises
    ------
    ValueError
        When a batch is not finite or of another width than the first; it says which.
    """
    width = None
    for number, batch in enumerate(batches):
        if isinstance(batch, tuple | list) and hasattr(batch[0], "shape"):
            batch = batch[0]
        name = f"embeddings (batch {number})"
        rows = check_embeddings(batch, name=name)
        if width is not None and rows.shape[1] != width:
            raise ValueError(f"{name} has {rows.shape[1]} dimensions, batches before had {width}")
        width = rows.shape[1]
        yield rows


def _check_rows(rows: np.ndarray, name: str, start: int) -> None:
    """Check that rows read from `start` on are finite; the error counts rows from the file's."""
    if not np.isfinite(rows.sum(axis=1)).all():
        bad = np.flatnonzero(~np.isfinite(rows).all(axis=1))
        if len(bad):
            raise ValueError(f"{name}, row {start + bad[0]}: NaN or infinity in the embedding")
