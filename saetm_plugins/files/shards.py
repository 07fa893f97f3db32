"""One file of embeddings (NumPy, safetensors, Parquet or Arrow), read a range of rows at a time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class Shard(NamedTuple):
    """An opened file; ``read(start, stop)`` returns rows as (stop - start, d) float32."""

    file: Path
    n_documents: int
    n_features: int
    read: Callable[[int, int], np.ndarray]


def shard_files(path: Path) -> list[Path]:
    """Return the shards of a folder in name order, or the one file that `path` is."""
    if path.is_file():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix in _OPENERS)
    if not files:
        raise ValueError(f"folder {str(path)!r} holds no {', '.join(_OPENERS)} files")
    return files


def open_shard(file: Path) -> Shard:
    """Open one file of embeddings."""
    if file.suffix not in _OPENERS:
        raise ValueError(f"shard {str(file)!r} must end in {', '.join(_OPENERS)}")
    try:
        shape, read = _OPENERS[file.suffix](file)
    except ImportError:
        raise
    except Exception as error:  # each library has errors of its own for a broken file
        raise ValueError(f"shard {str(file)!r} is truncated or not embeddings: {error}") from error
    if len(shape) != 2 or 0 in shape:
        raise ValueError(f"shard {str(file)!r} must be 2-D and not empty; found shape {shape}")
    return Shard(file, shape[0], shape[1], read)


def _open_npy(file: Path) -> Any:
    rows = np.load(file, mmap_mode="r", allow_pickle=False)

    def read(start: int, stop: int) -> np.ndarray:
        # A fresh map for every read: pages of a long-lived one would stay in our memory.
        return np.array(np.load(file, mmap_mode="r")[start:stop], dtype=np.float32)

    return rows.shape, read


def _open_safetensors(file: Path) -> Any:
    from safetensors import safe_open

    with safe_open(file, framework="pt") as tensors:
        names = list(tensors.keys())
        name = "embeddings" if "embeddings" in names else names[0]
        shape = tuple(tensors.get_slice(name).get_shape())

    def read(start: int, stop: int) -> np.ndarray:
        with safe_open(file, framework="pt") as tensors:
            return tensors.get_slice(name)[start:stop].float().numpy()

    return shape, read


def _open_parquet(file: Path) -> Any:
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file)
    facts, column = table.metadata, _vector_column(table.schema_arrow)
    ends = np.cumsum([facts.row_group(i).num_rows for i in range(facts.num_row_groups)])

    def read(start: int, stop: int) -> np.ndarray:
        first, last = np.searchsorted(ends, [start, stop - 1], side="right")
        values = table.read_row_groups(range(first, last + 1), columns=[column]).column(0)
        offset = start - (int(ends[first - 1]) if first else 0)
        return _to_rows(values.slice(offset, stop - start))

    first_row = next(table.iter_batches(batch_size=1, columns=[column])).column(0)
    return (facts.num_rows, _to_rows(first_row).shape[1]), read


def _open_arrow(file: Path) -> Any:
    import pyarrow as pa

    source = pa.memory_map(str(file))
    try:
        table = pa.ipc.open_file(source).read_all()
    except pa.ArrowInvalid:  # what ``datasets`` writes is the stream format
        source.seek(0)
        table = pa.ipc.open_stream(source).read_all()
    values = table.column(_vector_column(table.schema))

    def read(start: int, stop: int) -> np.ndarray:
        return _to_rows(values.slice(start, stop - start))

    return (len(values), _to_rows(values.slice(0, 1)).shape[1]), read


def _vector_column(schema: Any) -> str:
    """Return the column named "embedding(s)", else the first one that holds lists."""
    import pyarrow as pa

    kinds = (pa.ListType, pa.LargeListType, pa.FixedSizeListType)
    lists = [field.name for field in schema if isinstance(field.type, kinds)]
    if not lists:
        raise ValueError(f"no column of lists among {', '.join(schema.names)}")
    return next((name for name in lists if name in ("embeddings", "embedding")), lists[0])


def _to_rows(values: Any) -> np.ndarray:
    """Turn an Arrow column of equally long lists into a (n, d) float32 array."""
    from pyarrow.compute import list_value_length

    if hasattr(values, "combine_chunks"):
        values = values.combine_chunks()
    if len(list_value_length(values).unique()) != 1:
        raise ValueError("the lists of the embedding column differ in length")
    return np.asarray(values.flatten(), dtype=np.float32).reshape(len(values), -1)


_OPENERS: dict[str, Callable[[Path], Any]] = {
    ".npy": _open_npy,
    ".safetensors": _open_safetensors,
    ".parquet": _open_parquet,
    ".arrow": _open_arrow,
}
