"""The rows of a file as documents of a saved model: those it was fitted to, or new ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from saetm_plugins.cli import library
from saetm_plugins.cli.images import (
    open_picture_folder,
    picture_embeddings,
    read_picture_embeddings,
)
from saetm_plugins.cli.options import NewRows, Rows
from saetm_plugins.cli.shared import load_embeddings

if TYPE_CHECKING:
    import pandas as pd

    from saetm_plugins.corpus.images import Images


def read_documents(
    file: Path, rows: Rows, chunk: Any, *, keep_columns: bool = False
) -> tuple[dict[str, Any], pd.Series | list[str] | None, pd.DataFrame | None]:
    """Return new texts or pictures as the arguments of ``fit`` or ``transform``.

    Beside them their ids, and the file's other columns, the texts' alone or all.
    """
    images = open_picture_folder(file)
    if images is not None:
        embeddings = picture_embeddings(rows.embeddings)
        return {"images": images, "embeddings": embeddings}, list(images.names), None
    # The ids of the texts of a folder are the names of their files.
    id_column = "id" if rows.id_column is None and file.is_dir() else rows.id_column
    frame = library.tables.read_table(
        file,
        rows.text_column,
        id_column=id_column,
        keep_columns=keep_columns,
        **rows.reading(),
    )
    documents = {
        "documents": frame[rows.text_column].tolist(),
        "embeddings": load_embeddings(rows.embeddings),
        "chunk": chunk,
    }
    ids = None if id_column is None else frame.pop(id_column)
    return documents, ids, frame


def join_columns(table: pd.DataFrame, frame: pd.DataFrame, *left_out: str | None) -> pd.DataFrame:
    """Put the columns of a file behind those of a table; "topic" of the file is "topic (file)"."""
    others = frame.drop(columns=[name for name in left_out if name in frame])
    names = {name: f"{name} (file)" for name in others if name in table}
    others = others.rename(columns=names).reset_index(drop=True)
    return library.pandas.concat([table, others], axis=1)


class Collection(NamedTuple):
    """Documents in the order of the model's, or of the file; without a file nothing of them.

    ``frame``: the columns asked for; ``texts`` and ``ids`` where there are any; ``embeddings``
    as given; ``images``, the pictures of a folder; ``doc_atoms`` (n, K) of new documents, None for
    the fitted ones.
    """

    frame: Any = None
    texts: list[str] | None = None
    ids: list[Any] | None = None
    embeddings: Any = None
    images: Images | None = None
    doc_atoms: Any = None

    def need_texts(self) -> list[str]:
        """Return the texts, or raise where the file has none."""
        if self.texts is None:
            raise ValueError("text_column 'text' is not in the file, or it is one of pictures")
        return self.texts


def read_collection(
    folder: Path,
    model: Any,
    file: Path | None,
    rows: Rows,
    *,
    keep_columns: bool = False,
    **columns: Any,
) -> Collection:
    """Read a file beside a model; rows are the model's by their ids, else by their order.

    `keep_columns` reads all columns of a table.

    A folder of pictures has the columns ``image``, the path within it, and ``folder``, the part of
    that before the file's name.
    """
    if file is None:
        new = isinstance(rows, NewRows) and rows.new
        if new or rows.id_column or rows.embeddings or any(columns.values()):
            raise ValueError("file is needed for --new, --embeddings and names of columns")
        return Collection()
    text_column, id_column = rows.text_column, rows.id_column
    images = open_picture_folder(file)
    if images is not None:
        id_column = "image"
        frame, has_texts = _name_pictures(images, columns), False
        vectors = read_picture_embeddings(images, rows.embeddings)
    else:
        if id_column is None and file.is_dir():
            id_column = "id"  # the files' names
        columns["id_column"] = id_column
        frame, has_texts = _read(
            file, text_column, columns, rows.reading() | {"keep_columns": keep_columns}
        )
        vectors = load_embeddings(rows.embeddings)
    new = isinstance(rows, NewRows) and rows.new
    if vectors is not None and len(vectors) != len(frame):
        raise ValueError(f"embeddings has {len(vectors)} rows for {len(frame)} documents")
    n_fitted = model.doc_atoms_.shape[0]
    if not new and id_column is not None and (folder / "documents.csv").is_file():
        order = _order_by_id(folder, frame[id_column], id_column, rows)
        frame = frame.iloc[order]  # the index says which row of the file each is
        vectors = None if vectors is None else vectors[order]
        images = None if images is None else images[order]
    if not new and len(frame) != n_fitted:
        raise ValueError(
            f"file {str(file)!r} has {len(frame)} rows, the model was fitted to {n_fitted} "
            f"documents{_or_new(rows)}"
        )
    texts = frame[text_column].tolist() if has_texts else None
    doc_atoms = None
    if new:
        if texts is None and vectors is None and images is None:
            raise ValueError(f"text_column {text_column!r} is not in {file}; --new needs texts")
        known = None if vectors is not None else texts
        doc_atoms = model.transform_atoms(known, vectors, images=images)
    ids = None if id_column is None else frame[id_column].tolist()
    return Collection(frame, texts, ids, vectors, images, doc_atoms)


def read_time_column(
    frame: pd.DataFrame,
    column: str,
    unit: str | None,
    time_format: str | None,
    day_first: bool,
) -> pd.Series:
    """Return the times in a column of a file; a message names the column and the row.

    Those that cannot be read are missing, with a warning, where most can.
    """
    name = f"time_column {column!r}"
    return library.times.parse_times(
        frame[column].reset_index(drop=True),
        name,
        unit=unit,
        format=time_format,
        day_first=day_first,
        leave_out=True,
        at=lambda row: f"{name}, row {frame.index[row] + 1}",
    )


def _name_pictures(images: Images, columns: dict[str, str | None]) -> pd.DataFrame:
    """Return the columns that a folder of pictures has."""
    names = list(images.names)
    frame = library.pandas.DataFrame(
        {"image": names, "folder": [str(Path(name).parent) for name in names]}
    )
    for option, column in columns.items():
        if column is not None and column not in frame:
            raise ValueError(f"{option} {column!r}: a folder of pictures has image and folder")
    return frame


def _read(
    file: Path, text_column: str, columns: dict[str, Any], reading: dict[str, Any]
) -> tuple[pd.DataFrame, bool]:
    """Read the columns, and the texts where the file has them."""
    try:
        return library.tables.read_table(file, text_column, **reading, **columns), True
    except ValueError as error:
        asked = any(column is not None for column in columns.values())
        if text_column != "text" or not asked or not str(error).startswith("text_column "):
            raise
    return library.tables.read_table(file, None, **reading, **columns), False


def _order_by_id(folder: Path, ids: pd.Series, id_column: str, rows: Rows) -> list[int]:
    """Return the row of each of the model's documents, by the ids that `saetm fit` wrote."""
    saved = library.tables.read_table(folder / "documents.csv", "id")["id"].tolist()
    row_of = {str(key): row for row, key in enumerate(ids)}
    if len(row_of) < len(ids):
        twice = str(ids[ids.astype(str).duplicated()].iloc[0])
        raise ValueError(f"id_column {id_column!r} names documents twice, the first {twice!r}")
    missing = [key for key in saved if key not in row_of]
    if missing:
        raise ValueError(
            f"id_column {id_column!r} lacks {len(missing)} of the model's {len(saved)} documents, "
            f"such as {missing[0]!r}{_or_new(rows)}"
        )
    return [row_of[key] for key in saved]


def _or_new(rows: Rows) -> str:
    return "; pass --new for other documents" if isinstance(rows, NewRows) else ""
