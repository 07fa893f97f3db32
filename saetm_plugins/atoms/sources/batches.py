"""Stage 1, input: shuffled batches in bounded memory, the same for the same seed.

Rows are read in chunks of neighbours. An epoch is a random order of the chunks; some chunks at a
time are held in a buffer and their rows drawn at random, so shuffling reaches across shards and
within them. Where a batch lies follows from arithmetic: resuming reads nothing twice.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from saetm_plugins.atoms.sources.readers import ArrayReader, Reader, iterate_rows

_BUFFER_BYTES = 2**28
_CHUNKS_IN_BUFFER = 32


class RowNumbers:
    """A reader of row numbers instead of rows, for a corpus that is indexed where it lies."""

    n_features = 1
    in_memory = True

    def __init__(self, n_documents: int) -> None:
        self.n_documents = n_documents

    def read(self, start: int, stop: int) -> np.ndarray:
        """Return the numbers as (stop - start, 1) int64."""
        return np.arange(start, stop)[:, None]


def shuffled_batches(
    reader: Reader, batch_size: int, seed: int, first_batch: int = 0
) -> Iterator[np.ndarray]:
    """Yield (batch_size, d) float32 batches for ever; every document comes once an epoch.

    Parameters
    ----------
    reader : Reader
    batch_size : int
    seed : int
    first_batch : int, default=0
        Number of batches to leave out.
    """
    epoch, skip = divmod(first_batch * batch_size, reader.n_documents)
    waiting: list[np.ndarray] = []
    n_waiting = 0
    while True:
        for chunks, rng in _epoch_buffers(reader, seed, epoch):
            n_rows = sum(stop - start for start, stop in chunks)
            order = rng.permutation(n_rows)[skip:]
            skip = max(0, skip - n_rows)
            if len(order) == 0:
                continue
            rows = _read_chunks(reader, chunks)
            position = 0
            while n_waiting + len(order) - position >= batch_size:
                end = position + batch_size - n_waiting
                part = rows[order[position:end]]
                yield np.concatenate([*waiting, part]) if waiting else part
                position, waiting, n_waiting = end, [], 0
            if position < len(order):
                waiting.append(rows[order[position:]])
                n_waiting += len(order) - position
        epoch += 1


def streamed_batches(
    head: np.ndarray,
    rows: Iterator[np.ndarray],
    again: Iterable[Any] | None,
    batch_size: int,
    seed: int,
) -> Iterator[np.ndarray]:
    """Yield shuffled batches from an iterator through a buffer of constant size.

    Parameters
    ----------
    head : ndarray of shape (n, d), float32
        The rows already taken from the iterator: the buffer's first content.
    rows : iterator of ndarray
        The rest of the pass.
    again : iterable, optional
        Iterated for further passes; None ends the batches after this one.
    batch_size : int
    seed : int
    """
    rng = np.random.default_rng([seed, 1])
    buffer = head[rng.permutation(len(head))]
    while True:
        for incoming in rows:
            while len(incoming):
                n_rows = min(batch_size, len(incoming))
                slots = rng.choice(len(buffer), size=n_rows, replace=False)
                drawn = buffer[slots]
                buffer[slots] = incoming[:n_rows]
                incoming = incoming[n_rows:]
                if len(drawn) == batch_size:
                    yield drawn
        if again is None:
            break
        rows = iterate_rows(again)
    buffer = buffer[rng.permutation(len(buffer))]
    for start in range(0, len(buffer) - batch_size + 1, batch_size):
        yield buffer[start : start + batch_size]


def sample_rows(reader: Reader, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return about `n_rows` rows from all over a reader, shuffled; all, if there are no more."""
    if reader.n_documents <= n_rows:
        rows = reader.read(0, reader.n_documents)
    elif isinstance(reader, ArrayReader):
        rows = reader.rows[np.sort(rng.choice(reader.n_documents, size=n_rows, replace=False))]
        return rows.astype(np.float32)[rng.permutation(n_rows)]
    else:
        size = max(1, n_rows // 64)
        starts = rng.choice(reader.n_documents // size, size=64, replace=False) * size
        rows = np.concatenate([reader.read(start, start + size) for start in np.sort(starts)])
    return rows[rng.permutation(len(rows))]


def prefetch(batches: Iterator[np.ndarray], depth: int = 4) -> Iterator[np.ndarray]:
    """Read batches in a thread of their own, `depth` ahead; an error there is raised here."""
    ready: queue.Queue[Any] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: Any) -> None:
        while not stopped.is_set():
            try:
                return ready.put(item, timeout=0.1)
            except queue.Full:
                continue

    def work() -> None:
        try:
            for batch in batches:
                put(batch)
                if stopped.is_set():
                    return
            put(None)
        except BaseException as error:
            put(error)

    threading.Thread(target=work, daemon=True).start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stopped.set()


def _epoch_buffers(
    reader: Reader, seed: int, epoch: int
) -> Iterator[tuple[list[tuple[int, int]], np.random.Generator]]:
    """Yield the chunks (start, stop) that make up each buffer of an epoch."""
    rng = np.random.default_rng([seed, 1, epoch])
    if reader.in_memory:
        yield [(0, reader.n_documents)], rng
        return
    buffer_rows = max(_CHUNKS_IN_BUFFER, _BUFFER_BYTES // (4 * reader.n_features))
    size = max(1, buffer_rows // _CHUNKS_IN_BUFFER)
    starts = rng.permutation(np.arange(0, reader.n_documents, size))
    for first in range(0, len(starts), _CHUNKS_IN_BUFFER):
        chosen = starts[first : first + _CHUNKS_IN_BUFFER].tolist()
        yield [(s, min(s + size, reader.n_documents)) for s in chosen], rng


def _read_chunks(reader: Reader, chunks: list[tuple[int, int]]) -> np.ndarray:
    if len(chunks) == 1:
        return reader.read(*chunks[0])
    rows = np.empty((sum(stop - start for start, stop in chunks), reader.n_features), np.float32)
    end = 0
    for start, stop in chunks:
        rows[end : end + stop - start] = reader.read(start, stop)
        end += stop - start
    return rows
