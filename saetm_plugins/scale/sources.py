"""Where documents come from: shards on disk, or batches that can be read again and again.

A source is read in parts of some 65,536 documents, the same ones in every pass, each by whatever
process gets it.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saetm_plugins.files.shards import (
    read_texts,
    shard_files,
    texts_file,
    to_rows,
    vector_column,
)
from saetm_plugins.validation import check_rows, check_text

PART = 65_536
"""Documents of a part, at least, but for the last; a block has this many at most."""
_READ = 8_192  # documents read from a file at a time


class Block(NamedTuple):
    """Documents that follow each other in a part."""

    first: int
    texts: list[str] | None
    embeddings: np.ndarray | None
    """(n, d), float32."""


@dataclass(frozen=True)
class _Piece:
    """Rows of a file, or a table in memory."""

    name: str
    first: int
    n_rows: int
    text_column: str | None
    source: Any
    group: int = 0
    """Of a Parquet file: its number."""

    def read(self, texts: bool, embeddings: bool) -> Iterator[tuple[Any, Any]]:
        """Yield texts and embeddings, as they are stored, some 8,192 rows at a time."""
        kind = self.source.suffix if isinstance(self.source, Path) else ""
        if kind == ".npy":
            yield from self._read_npy(texts, embeddings)
            return
        columns = [self.text_column] if texts and self.text_column else []
        for table in self._tables(kind, columns, embeddings):
            found = table.column(columns[0]).to_pylist() if columns else None
            column = vector_column(table.schema) if embeddings else None
            yield found, None if column is None else to_rows(table.column(column))

    def _tables(self, kind: str, columns: list[str], embeddings: bool) -> Iterator[Any]:
        if kind == ".parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(self.source) as file:
                names = columns + ([vector_column(file.schema_arrow)] if embeddings else [])
                yield from file.iter_batches(_READ, row_groups=[self.group], columns=names)
        elif kind:
            with _open_arrow(self.source) as batches:
                yield from batches
        else:
            for first in range(0, self.n_rows, _READ):
                yield self.source.slice(first, _READ)

    def _read_npy(self, texts: bool, embeddings: bool) -> Iterator[tuple[Any, Any]]:
        listed = None
        if texts and self.text_column:
            listed, n_rows = read_texts(self.source), len(np.load(self.source, mmap_mode="r"))
            if len(listed) != n_rows:
                raise ValueError(f"shard {self.name!r} has {len(listed)} texts for {n_rows} rows")
        for first in range(self.first, self.first + self.n_rows, _READ):
            last = min(first + _READ, self.first + self.n_rows)
            rows = np.load(self.source, mmap_mode="r")[first:last] if embeddings else None
            yield listed and listed[first:last], None if rows is None else np.array(rows)


@dataclass(frozen=True)
class Part:
    """Documents that one process reads at a time."""

    number: int
    pieces: tuple[_Piece, ...]
    with_texts: bool
    block: int
    """Documents of a block, at most."""

    @property
    def name(self) -> str:
        """The name of the first shard."""
        return self.pieces[0].name

    @property
    def n_rows(self) -> int:
        """Number of documents."""
        return sum(piece.n_rows for piece in self.pieces)

    def places(self) -> dict[str, Any]:
        """Return shard and row of every document, as columns of pyarrow."""
        import pyarrow as pa

        sizes = [piece.n_rows for piece in self.pieces]
        names = pa.array([piece.name for piece in self.pieces])
        shards = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
        rows = [np.arange(piece.first, piece.first + piece.n_rows) for piece in self.pieces]
        return {
            "shard": names.take(pa.array(shards)),
            "row": pa.array(np.concatenate(rows), pa.int64()),
        }

    def read(
        self, texts: bool, embeddings: bool, checksums: dict[str, int], width: int | None = None
    ) -> Iterator[Block]:
        """Yield the documents in blocks, checked; a ValueError names shard and row.

        `checksums` of what is read are filled in, or, where they are there, compared at the end: a
        ValueError where a shard has changed.
        """
        texts = texts and self.with_texts
        found: dict[str, int] = {}
        waiting: list[tuple[Any, Any]] = []
        first = n_waiting = 0
        for piece in self.pieces:
            row = begin = piece.first
            for batch, stored in piece.read(texts, embeddings):
                if stored is not None:
                    content = np.ascontiguousarray(stored).data
                    found["embeddings"] = zlib.crc32(content, found.get("embeddings", 0))
                    stored = _check_embeddings(stored, piece.name, row, width)
                    width = stored.shape[1]
                if batch is not None:
                    for i, text in enumerate(batch):
                        check_text(text, f"shard {piece.name!r}, text in row {row + i},")
                    joined = "\0".join(batch).encode()
                    found["texts"] = zlib.crc32(joined, found.get("texts", 0))
                row += len(stored if batch is None else batch)
                waiting.append((batch, stored))
                n_waiting += len(stored if batch is None else batch)
                if n_waiting + _READ > self.block:
                    yield _join(first, waiting)
                    first, n_waiting, waiting = first + n_waiting, 0, []
            if row - begin != piece.n_rows:
                raise ValueError(f"shard {piece.name!r} has {row - begin} rows, not {piece.n_rows}")
        if waiting:
            yield _join(first, waiting)
        for kind, total in found.items():
            if checksums.setdefault(kind, total) != total:
                raise ValueError(f"shard {self.name!r}, or one after it, has changed since pass 1")


class Source:
    """Documents in parts, which can be iterated over again and again.

    Parameters
    ----------
    source : path, Hugging Face Dataset or IterableDataset, or iterable of pyarrow batches
        A path is a folder of ``.npy`` files with their texts, as ``saetm embed`` writes, or of
        ``.parquet`` or ``.arrow`` files, or one such file.
    text_column : str, or None
        None: the texts are not read.
    """

    def __init__(self, source: Any, text_column: str | None = "text") -> None:
        self._pieces: Callable[[], Iterable[_Piece]]
        if isinstance(source, str | os.PathLike):
            pieces = list(_pieces_of_folder(Path(source), text_column))
            self._pieces = lambda: pieces
        else:
            self._pieces = lambda: _pieces_of_batches(source, text_column)
            if iter(source) is source:
                raise TypeError(
                    "source is an iterator, which can be read once; it is read five times"
                )
        self.text_column = text_column
        self.width: int | None = None
        """d, where it is known."""
        parts = [(part.name, part.n_rows) for part in self]
        self.described = [text_column, *map(list, parts)]
        self.sizes = [n_rows for _, n_rows in parts]
        self.n_parts, self.n_rows = len(self.sizes), sum(self.sizes)
        if self.n_rows < 2:
            raise ValueError(f"source holds {self.n_rows} documents; at least 2 are needed")

    def __iter__(self) -> Iterator[Part]:
        waiting: list[_Piece] = []
        number, n_rows, with_texts = 0, 0, self.text_column is not None
        for piece in self._pieces():
            waiting.append(piece)
            n_rows += piece.n_rows
            if n_rows >= PART:
                yield Part(number, tuple(waiting), with_texts, PART)
                number, n_rows, waiting = number + 1, 0, []
        if waiting:
            yield Part(number, tuple(waiting), with_texts, PART)


def _pieces_of_folder(path: Path, text_column: str | None) -> Iterator[_Piece]:
    if not path.exists():
        raise FileNotFoundError(f"source: no file or folder {str(path)!r}")
    empty, width = [], None
    for file in shard_files(path):
        sizes, own = _groups_of(file, text_column)
        if width is not None and own not in (None, width):
            raise ValueError(f"shard {str(file)!r} has {own} dimensions, not {width}")
        width = own if width is None else width
        if not sum(sizes):
            empty.append(str(file))
        first = 0
        for group, n_rows in enumerate(sizes):
            if n_rows:
                yield _Piece(str(file), first, n_rows, text_column, file, group)
            first += n_rows
    if empty:
        warnings.warn(f"shards without rows are left out: {', '.join(empty)}", stacklevel=4)


def _groups_of(file: Path, text_column: str | None) -> tuple[list[int], int | None]:
    """Return how many rows are read of a file at a time, and d where it says so."""
    try:
        if file.suffix == ".npy":
            rows = np.load(file, mmap_mode="r", allow_pickle=False)
            if rows.ndim != 2 or rows.dtype.kind != "f":
                raise ValueError(f"it holds {rows.dtype} of shape {rows.shape}")
            if text_column is not None and not texts_file(file).is_file():
                raise ValueError(
                    f"its texts, {texts_file(file).name}, are missing: `saetm embed` again writes "
                    "them, and embeds nothing anew; text_column=None does without words"
                )
            sizes = [min(PART, len(rows) - first) for first in range(0, len(rows), PART)]
            return sizes, rows.shape[1]
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq

            with pq.ParquetFile(file) as table:
                schema, about = table.schema_arrow, table.metadata
                sizes = [about.row_group(i).num_rows for i in range(about.num_row_groups)]
        elif file.suffix == ".arrow":
            with _open_arrow(file) as batches:
                schema = batches.schema
                sizes = [sum(batch.num_rows for batch in batches)]
        else:
            raise ValueError("it is neither .npy, .parquet nor .arrow")
        width = getattr(schema.field(vector_column(schema)).type, "list_size", None)
        if text_column is not None and text_column not in schema.names:
            raise ValueError(
                f"it has no column {text_column!r} of texts among {', '.join(schema.names)}"
            )
    except ImportError:
        raise
    except Exception as error:  # each library has errors of its own for a broken file
        raise ValueError(f"shard {str(file)!r} cannot be read: {error}") from error
    return sizes, width


def _pieces_of_batches(source: Any, text_column: str | None) -> Iterator[_Piece]:
    import pyarrow as pa

    if hasattr(source, "with_format"):  # Hugging Face's
        source = source.with_format("arrow").iter(batch_size=_READ)
    for number, batch in enumerate(source):
        if not isinstance(batch, pa.Table | pa.RecordBatch):
            raise TypeError(f"source must give pyarrow batches; found {type(batch).__name__}")
        if text_column is not None and text_column not in batch.schema.names:
            raise ValueError(f"source has no column {text_column!r}; found {batch.schema.names}")
        if batch.num_rows:
            yield _Piece(f"batch {number}", 0, batch.num_rows, text_column, batch)


def _open_arrow(file: Path) -> Any:
    """Return an iterable of the batches of a file or, as ``datasets`` writes, a stream."""
    import pyarrow as pa

    source = pa.memory_map(str(file))
    try:
        opened = pa.ipc.open_file(source)
    except pa.ArrowInvalid:
        source.seek(0)
        return pa.ipc.open_stream(source)
    table = opened.read_all()
    return pa.RecordBatchReader.from_batches(table.schema, table.to_batches(_READ))


def _check_embeddings(
    stored: np.ndarray, name: str, first_row: int, width: int | None
) -> np.ndarray:
    if stored.dtype.kind != "f":
        raise ValueError(f"shard {name!r} holds embeddings of {stored.dtype}")
    if width is not None and stored.shape[1] != width:
        raise ValueError(f"shard {name!r} has {stored.shape[1]} dimensions, not {width}")
    rows = np.ascontiguousarray(stored, dtype=np.float32)
    check_rows(rows, f"shard {name!r}", first_row)
    return rows


def _join(first: int, waiting: list[tuple[Any, Any]]) -> Block:
    texts, rows = zip(*waiting, strict=True)
    joined = None if texts[0] is None else [text for batch in texts for text in batch]
    return Block(first, joined, None if rows[0] is None else np.concatenate(rows))
