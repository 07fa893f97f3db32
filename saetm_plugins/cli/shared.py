"""Parts of several commands of ``saetm``: files read and written, checks before the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

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
    from saetm_plugins.files.folders import check_destination

    refuse_existing(out, overwrite)
    try:
        check_destination(out, kind, overwrite=overwrite)
    except OSError as error:
        raise typer.BadParameter(f"--out: {error}") from None


def save_with_tables(model: SAETopicModel, out: Path, overwrite: bool, ids: Any) -> None:
    """Save a model and, in its folder, its tables; print its topics."""
    from saetm_plugins.files.tables import write_table
    from saetm_plugins.model_tables import document_table, topic_table

    model.save(out, overwrite=overwrite)
    write_table(topic_table(model), out / "topics.csv")
    write_table(document_table(model, ids=ids), out / "documents.csv")
    print_topics(model, console)
    print_line(console, "Saved to", out)


def saved_ids(model: Path, n_documents: int) -> pd.Series | None:
    """Return the ids in the table of documents beside a saved model, if there is one."""
    from saetm_plugins.files.tables import read_table

    documents = model / "documents.csv"
    if not documents.is_file():
        return None
    ids = read_table(documents, "id")["id"]
    return ids if len(ids) == n_documents else None


def read_documents(
    file: Path, text_column: str, id_column: str | None, reading: dict[str, Any]
) -> tuple[list[str], pd.Series | None]:
    """Return the texts of a file and their ids; those of a folder are its files' names."""
    from saetm_plugins.files.tables import read_table

    if id_column is None and file.is_dir():
        id_column = "id"
    frame = read_table(file, text_column, id_column=id_column, **reading)
    return frame[text_column].tolist(), None if id_column is None else frame[id_column]


def read_chunk(text: str) -> Any:
    """Return the value of `--chunk` as the argument ``chunk`` of a model."""
    from saetm_plugins.corpus.chunker import Chunker

    if text in ("auto", "fitted"):
        return text
    if text == "none":
        return None
    try:
        return Chunker(max_tokens=int(text))
    except ValueError as error:
        raise typer.BadParameter(
            f'--chunk must be "auto", "none" or a number of tokens; found {text!r} ({error})'
        ) from None


def load_embeddings(file: Path | None) -> np.ndarray | None:
    """Return the rows of a .npy file."""
    import numpy as np

    if file is None:
        return None
    try:
        return np.load(file, allow_pickle=False)
    except ValueError as error:
        raise ValueError(f"embeddings {str(file)!r} is not a .npy file: {error}") from error
