"""Shuffled batches in bounded memory, the same for the same seed.

A reader is read in chunks of consecutive rows, in a new order each epoch; rows are drawn at random
from a buffer of some chunks, across shards and within them. The rows of any batch are known in
advance, so resuming reads nothing twice. A stream is read in its own order, through a buffer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from saetm_plugins.atoms.data.readers import ArrayReader, Reader
from saetm_plugins.atoms.data.streams import BUFFER_BYTES, RowStream, take_rows

_CHUNKS_IN_BUFFER = 32


class RowNumbers:
    """A reader of row numbers instead of rows, to index a corpus on its device."""

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
    """Yield (batch_size, d) batches without end, from number `first_batch`; epochs are complete."""
    return _rebatch(_shuffled_parts(reader, batch_size, seed, first_batch), batch_size)


def streamed_batches(
    passes: Iterable[Iterator[np.ndarray]], batch_size: int, seed: int
) -> Iterator[np.ndarray]:
    """Yield (batch_size, d) batches of passes over a stream, shuffled through a buffer.

    Every row comes once a pass; a pass without rows is the end. The last batch is filled up with
    earlier rows.
    """
    return _rebatch(_streamed_parts(passes, seed), batch_size)


def sample_rows(reader: Reader | RowStream, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Return about `n_rows` rows, shuffled, of all parts of a reader or of a stream's head."""
    if isinstance(reader, RowStream):
        return reader.head[rng.permutation(len(reader.head))[:n_rows]]
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
    """Read batches in a thread, `depth` ahead; an error there is raised here."""
    pool = ThreadPoolExecutor(max_workers=1)
    try:
        ahead = deque(pool.submit(next, batches, None) for _ in range(depth))
        while (batch := ahead.popleft().result()) is not None:
            ahead.append(pool.submit(next, batches, None))
            yield batch
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _epoch_buffers(
    reader: Reader, seed: int, epoch: int
) -> Iterator[tuple[list[tuple[int, int]], np.random.Generator]]:
    """Yield the chunks (start, stop) that make up each buffer of an epoch."""
    rng = np.random.default_rng([seed, 1, epoch])
    if reader.in_memory:
        yield [(0, reader.n_documents)], rng
        return
    buffer_rows = max(_CHUNKS_IN_BUFFER, BUFFER_BYTES // (4 * reader.n_features))
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


def _shuffled_parts(
    reader: Reader, part_size: int, seed: int, first_batch: int
) -> Iterator[np.ndarray]:
    """Yield the rows of one epoch after another in parts of at most `part_size`."""
    epoch, skip = divmod(first_batch * part_size, reader.n_documents)
    while True:
        for chunks, rng in _epoch_buffers(reader, seed, epoch):
            n_rows = sum(stop - start for start, stop in chunks)
            order = rng.permutation(n_rows)[skip:]
            skip = max(0, skip - n_rows)
            if len(order) == 0:
                continue
            rows = _read_chunks(reader, chunks)
            for start in range(0, len(order), part_size):
                yield rows[order[start : start + part_size]]
        epoch += 1


def _streamed_parts(passes: Iterable[Iterator[np.ndarray]], seed: int) -> Iterator[np.ndarray]:
    """Replace random rows of a buffer by incoming ones and yield them; empty it at the end."""
    for epoch, rows in enumerate(passes):
        rng = np.random.default_rng([seed, 1, epoch])
        buffer = take_rows(rows)
        if len(buffer) == 0:
            return
        for incoming in rows:
            for start in range(0, len(incoming), len(buffer)):
                entering = incoming[start : start + len(buffer)]
                slots = rng.choice(len(buffer), size=len(entering), replace=False)
                yield buffer[slots]
                buffer[slots] = entering
        yield buffer[rng.permutation(len(buffer))]


def _rebatch(parts: Iterator[np.ndarray], batch_size: int) -> Iterator[np.ndarray]:
    """Cut parts of any length into equal batches; the last is filled up from the last part."""
    waiting: list[np.ndarray] = []
    n_waiting = 0
    for part in parts:
        start = 0
        while n_waiting + len(part) - start >= batch_size:
            end = start + batch_size - n_waiting
            rows = part[start:end]
            yield np.concatenate([*waiting, rows]) if waiting else rows
            start, waiting, n_waiting = end, [], 0
        if start < len(part):
            waiting.append(part[start:])
            n_waiting += len(part) - start
    if waiting:
        repeated = np.resize(part, (batch_size - n_waiting, part.shape[1]))
        yield np.concatenate([*waiting, repeated])
