"""Embeddings in memory, memory-mapped or in shards, as a :class:`Reader` of consecutive rows."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from saetm_plugins.files.shards import Shard, open_shard, shard_files
from saetm_plugins.validation import check_embeddings, check_rows, check_shape, is_large_half


class Reader(Protocol):
    """Rows of embeddings that can be read in any order."""

    n_documents: int
    n_features: int
    in_memory: bool

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return rows `start` to `stop` as a finite (stop - start, d) float32 array."""


class ArrayReader:
    """Embeddings in memory; or a memory-mapped or large float16 array, checked as it is read."""

    def __init__(self, embeddings: Any, *, width: int | None = None) -> None:
        half = isinstance(embeddings, np.ndarray) and is_large_half(embeddings)
        self.in_memory = not (half or isinstance(embeddings, np.memmap))
        if not self.in_memory:
            check_shape(embeddings, "embeddings", width=width)
            if embeddings.dtype.kind not in "fiub":
                raise ValueError(f"embeddings must hold real numbers; found {embeddings.dtype}")
            self.rows = embeddings
        else:
            self.rows = check_embeddings(embeddings, width=width)
        self.n_documents, self.n_features = self.rows.shape

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`Reader`."""
        rows = self.rows[start:stop]
        if not self.in_memory:
            rows = np.asarray(rows, dtype=np.float32)
            check_rows(rows, "embeddings", start)
        return rows


class ShardReader:
    """A ``.npy``, ``.safetensors``, ``.parquet`` or ``.arrow`` file, or a folder, in name order."""

    in_memory = False

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._shards: list[Shard] = [open_shard(file) for file in shard_files(Path(folder))]
        first = self._shards[0]
        self.n_features = first.n_features
        for other in self._shards:
            if other.n_features != self.n_features:
                raise ValueError(
                    f"shard {str(other.file)!r} has {other.n_features} dimensions, "
                    f"{str(first.file)!r} has {self.n_features}"
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
            check_rows(rows, str(shard.file), first - shard_start)
            parts.append(rows)
        return np.concatenate(parts) if len(parts) > 1 else parts[0]


def open_reader(embeddings: Any) -> Reader:
    """Return a reader of an (n, d) array, tensor or memory map, or of a path of shards."""
    if isinstance(embeddings, str | os.PathLike):
        path = Path(embeddings)
        if not path.exists():
            raise FileNotFoundError(f"embeddings: no file or folder {str(path)!r}")
        try:
            return ShardReader(path)
        except ValueError as error:
            raise ValueError(f"embeddings: {error}") from error
    return ArrayReader(embeddings)
