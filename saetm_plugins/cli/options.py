"""Arguments and options of several commands of ``saetm``, each declared once.

Options that belong together are the fields of a class. A command takes such a class as one
parameter, and :func:`expand_options` gives the shell its fields.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

Model = Annotated[Path, typer.Argument(help="A saved model.", show_default=False)]
Texts = Annotated[
    Path,
    typer.Argument(
        help="CSV, TSV, XLSX, Parquet, JSON or JSONL with one text a row, also compressed; a "
        "folder of .txt files or of pictures; or - for standard input.",
        show_default=False,
    ),
]
TextColumn = Annotated[str, typer.Option(help="The column that holds the texts.")]
Encoder = Annotated[
    str | None, typer.Option(help="A sentence-transformers name; by default the model's.")
]
Chunk = Annotated[
    str,
    typer.Option(
        help='Long texts in passages: "auto" where the encoder reads no further, a number of '
        'tokens, or "none" for their beginnings alone.'
    ),
]
TimeUnit = Annotated[
    str | None,
    typer.Option(help="Of times that are numbers: s, ms, us or ns since 1970, or days of excel."),
]
TimeFormat = Annotated[
    str | None, typer.Option(help="How times are written, such as %d.%m.%Y; ISO dates need none.")
]
MinShare = Annotated[
    float | None,
    typer.Option(
        help="Name no topic of a smaller share; by default the main one, and next ones from 0.1."
    ),
]
KeepColumns = Annotated[bool, typer.Option(help="Keep the file's other columns.")]
DayFirst = Annotated[
    bool, typer.Option("--day-first", help="28/02/2024 and 28.2.2024 are dates, day first.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


@dataclass(frozen=True)
class Format:
    """The format of a file, where it is not to be detected; arguments of ``read_table``."""

    sep: Annotated[
        str | None, typer.Option(help="Separator of a CSV file; detected by default.")
    ] = None
    encoding: Annotated[
        str | None, typer.Option(help="Of a file of text, such as latin-1; detected by default.")
    ] = None
    encoding_errors: Annotated[
        str, typer.Option(help='"replace" reads bytes that are not in the encoding as U+FFFD.')
    ] = "strict"
    quoting: Annotated[
        str | None,
        typer.Option(help='Of a CSV file: "csv", or "none", quotes are characters; detected.'),
    ] = None
    sheet: Annotated[str | None, typer.Option(help="Of an Excel file, its name or number.")] = None
    header_row: Annotated[
        int, typer.Option(help="The line, or row of a sheet, that names columns.")
    ] = 1
    no_header: Annotated[
        bool, typer.Option("--no-header", help="No row names the columns: they are 1, 2 and so on.")
    ] = False

    def reading(self) -> dict[str, Any]:
        """Return the arguments of :func:`saetm_plugins.files.texts.open_table`."""
        given = {field.name: getattr(self, field.name) for field in fields(Format)}
        return given | {"header_row": 0 if given.pop("no_header") else self.header_row}


@dataclass(frozen=True)
class Rows(Format):
    """How a file's rows are read: which columns, in which format, with which embeddings."""

    text_column: TextColumn = "text"
    id_column: Annotated[
        str | None, typer.Option(help="The column with the documents' ids; by default row numbers.")
    ] = None
    embeddings: Annotated[
        Path | None,
        typer.Option(help=".npy, one row a text, or a folder of `saetm embed`."),
    ] = None


@dataclass(frozen=True)
class NewRows(Rows):
    """Rows of a model's own documents, or of new ones to encode."""

    new: Annotated[
        bool,
        typer.Option("--new", help="The file holds other documents than the model's: encode them."),
    ] = False
    encoder: Encoder = None


@dataclass(frozen=True)
class Output:
    """The file for the table or page."""

    out: Annotated[
        Path | None,
        typer.Option(
            help="Write all rows to .csv, .tsv, .xlsx, .parquet or .jsonl, or a page: .html.",
            show_default=False,
        ),
    ] = None
    overwrite: Overwrite = False


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replace each parameter of a command that is a class of options by the class's fields."""
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    parameters: list[inspect.Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        owner, inner = command, [parameter]
        if name in groups:
            owner, inner = groups[name], [*inspect.signature(groups[name]).parameters.values()]
        types = get_type_hints(owner, include_extras=True)
        for each in inner:  # typer passes all by name
            parameters.append(each.replace(kind=each.KEYWORD_ONLY, annotation=types[each.name]))

    @wraps(command)
    def run(**given: Any) -> None:
        for name, kind in groups.items():
            given[name] = kind(**{field.name: given.pop(field.name) for field in fields(kind)})
        command(**given)

    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    return run
