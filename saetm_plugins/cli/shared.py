"""Parts of several commands of ``saetm``: files read and written, checks before the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

from saetm_plugins.cli import library
from saetm_plugins.cli.console import print_line, print_topics

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from saetm_plugins import SAETopicModel

console = Console()


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Raise where `out` exists and is not to be replaced."""
    if out.exists() and not overwrite:
        raise typer.BadParameter(f"--out {str(out)!r} exists; pass --overwrite to replace it")


def check_model_folder(out: Path, kind: str, overwrite: bool) -> None:
    """Raise where a model's folder could not be written."""
    refuse_existing(out, overwrite)
    try:
        library.folders.check_destination(out, kind, overwrite=overwrite)
    except OSError as error:
        raise typer.BadParameter(f"--out: {error}") from None


def save_with_tables(model: SAETopicModel, out: Path, overwrite: bool, ids: Any) -> None:
    """Save a model and, in its folder, its tables; print its topics."""
    tables = library.model_tables
    model.save(out, overwrite=overwrite)
    library.tables.write_table(tables.topic_table(model), out / "topics.csv")
    library.tables.write_table(tables.document_table(model, ids=ids), out / "documents.csv")
    print_topics(model, console)
    print_line(console, "Saved to", out)


def saved_ids(model: Path, n_documents: int) -> pd.Series | None:
    """Return the ids in the table of documents beside a saved model, if there is one."""
    documents = model / "documents.csv"
    if not documents.is_file():
        return None
    ids = library.tables.read_table(documents, "id")["id"]
    return ids if len(ids) == n_documents else None


def read_numbers(text: str | None, name: str) -> list[int] | None:
    """Read numbers such as "10,20,50", or "10:100:10", a range with its last number."""
    if text is None:
        return None
    try:
        found: list[int] = []
        for part in text.replace(",", " ").split():
            first, *rest = (int(number) for number in part.split(":"))
            found += range(first, rest[0] + 1, *rest[1:2]) if rest else [first]
        return found
    except ValueError:
        raise ValueError(
            f'{name} must be numbers, such as "10,20,50" or "10:100:10"; found {text!r}'
        ) from None


def read_topics(texts: list[str] | None) -> list[int | str]:
    """Read numbers and names of topics, with commas between them."""
    found = [part.strip() for text in texts or () for part in text.split(",")]
    return [int(part) if part.isdecimal() else part for part in found]


def read_chunk(text: str) -> Any:
    """Return the value of `--chunk` as the argument ``chunk`` of a model."""
    if text in ("auto", "fitted"):
        return text
    if text == "none":
        return None
    try:
        return library.chunker.Chunker(max_tokens=int(text))
    except ValueError as error:
        raise typer.BadParameter(
            f'--chunk must be "auto", "none" or a number of tokens; found {text!r} ({error})'
        ) from None


def load_embeddings(file: Path | None) -> np.ndarray | None:
    """Return the rows of a .npy file, or of a folder that `saetm embed` wrote."""
    if file is None:
        return None
    if file.is_dir():
        shards = map(library.shards.open_shard, library.shards.shard_files(file))
        return library.numpy.concatenate([shard.read(0, shard.n_documents) for shard in shards])
    try:
        return library.numpy.load(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"embeddings {str(file)!r} is not a .npy file: {error}") from error
