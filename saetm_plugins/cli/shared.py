"""What several commands of ``saetm`` share: files read and written, refusals before the work."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

console = Console()


def refuse_existing(out: Path, overwrite: bool) -> None:
    """Say so before the work, not after it."""
    if out.exists() and not overwrite:
        raise typer.BadParameter(f"--out {str(out)!r} exists; pass --overwrite to replace it")


def check_model_folder(out: Path, kind: str, overwrite: bool) -> None:
    """Refuse a folder that could not be written, before the work."""
    from saetm_plugins.files.folders import check_destination

    refuse_existing(out, overwrite)
    try:
        check_destination(out, kind, overwrite=overwrite)
    except OSError as error:
        raise typer.BadParameter(f"--out: {error}") from None


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
    """Return what `--chunk` says, as ``chunk=`` of a model takes it."""
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
