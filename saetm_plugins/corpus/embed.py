"""Stage 1, before training: texts from a file to shards of embeddings, resumable."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from saetm_plugins.corpus.encoders import load_encoder
from saetm_plugins.files.folders import read_json, write_json
from saetm_plugins.files.texts import open_table
from saetm_plugins.files.write import write_whole
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import check_choice, check_count, check_embeddings, check_path

DTYPES = ("float16", "float32")
"""Of shards."""


def embed_file(
    file: str | os.PathLike[str],
    out: str | os.PathLike[str],
    encoder: Any = "sentence-transformers/all-MiniLM-L6-v2",
    *,
    text_column: str = "text",
    shard_size: int = 50_000,
    batch_size: int = 64,
    dtype: str = "float16",
    sep: str | None = None,
    encoding: str | None = None,
    verbose: bool = True,
    **reading: Any,
) -> Path:
    """Embed the texts of a file into a folder of ``.npy`` shards that :func:`train_sae` reads.

    A call that was interrupted goes on with the first shard that is missing.

    Parameters
    ----------
    file : path
        Texts, one a row, of any kind that :func:`saetm_plugins.files.texts.open_table` reads. It
        is read twice, row by row.
    out : path
        The folder; made if need be.
    encoder : str or object with ``encode(list of str)``
        A sentence-transformers model, by name or loaded.
    text_column : str, default="text"
    shard_size : int, default=50_000
        Texts in a shard.
    batch_size : int, default=64
        Texts the encoder gets at a time.
    dtype : {"float16", "float32"}
        Of the shards.
    sep, encoding : str, optional
        Of a CSV and of a file of text; found out by default.
    verbose : bool, default=True
        Show a progress bar.
    **reading
        Further arguments of :func:`saetm_plugins.files.texts.open_table`.

    Returns
    -------
    Path
        The folder.
    """
    file, out = Path(file), check_path(out, "out")
    shard_size = check_count(shard_size, "shard_size")
    batch_size = check_count(batch_size, "batch_size")
    check_choice(dtype, "dtype", DTYPES)
    with open_table(file, sep=sep, encoding=encoding, **reading) as table:
        n_texts = sum(1 for _ in table.texts(text_column))
        if n_texts == 0:
            raise ValueError(f"file {table.name} holds no rows")
        name = encoder if isinstance(encoder, str) else type(encoder).__name__
        source = "-" if str(file) == "-" else str(file.resolve())
        facts = {"file": source, "text_column": text_column, "n_texts": n_texts}
        facts |= {"encoder": name, "shard_size": shard_size, "dtype": dtype}
        facts |= {"sep": sep, "encoding": encoding, **reading}
        out.mkdir(parents=True, exist_ok=True)
        claim_folder(out, facts)
        stream, model = table.texts(text_column), None
        with progress_bar(
            total=n_texts, desc="Embedding", unit="text", disable=not verbose
        ) as progress:
            for number, start in enumerate(range(0, n_texts, shard_size)):
                n_rows = min(shard_size, n_texts - start)
                target = out / f"shard-{number:05d}.npy"
                if target.exists():
                    progress.update(sum(1 for _ in islice(stream, n_rows)))
                    continue
                model, parts = model or load_encoder(encoder), []
                for first in range(0, n_rows, batch_size):
                    batch = list(islice(stream, min(batch_size, n_rows - first)))
                    encoded = model.encode(batch)
                    parts.append(
                        check_embeddings(encoded, name="encoder output", n_rows=len(batch))
                    )
                    progress.update(len(batch))
                save_shard(target, parts, dtype)
    return out


def claim_folder(out: Path, facts: dict[str, Any]) -> None:
    """Write the settings of a folder's shards, or refuse the folder if its shards have others."""
    manifest = out / "manifest.json"
    if manifest.exists():
        found = read_json(manifest)
        other = [f"{key} was {found.get(key)!r}" for key in facts if found.get(key) != facts[key]]
        if other:
            raise ValueError(f"out {str(out)!r} holds shards of other settings: {'; '.join(other)}")
    else:
        write_whole(manifest, lambda target: write_json(target, facts, indent=2))


def save_shard(target: Path, parts: Sequence[np.ndarray], dtype: str) -> None:
    """Write arrays of shape (m, d) as the rows of one ``.npy`` file, completely or not at all."""
    rows = np.concatenate(parts).astype(dtype)

    def write(file: Path) -> None:
        with file.open("wb") as stream:  # np.save adds a suffix to a name
            np.save(stream, rows)

    write_whole(target, write)
