"""Arguments and options that several commands of ``saetm`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Model = Annotated[Path, typer.Argument(help="A saved model.", show_default=False)]
Texts = Annotated[
    Path,
    typer.Argument(
        help="CSV, TSV, XLSX, Parquet, JSON or JSONL with one text a row, a folder of .txt files, "
        "or - for standard input.",
        show_default=False,
    ),
]
TextColumn = Annotated[str, typer.Option(help="The column that holds the texts.")]
IdColumn = Annotated[
    str | None, typer.Option(help="What documents are called; by default their row numbers.")
]
Sep = Annotated[str | None, typer.Option(help="Separator of a CSV file; found out by default.")]
Encoding = Annotated[
    str | None, typer.Option(help="Of a file of text, latin-1 say; found out by default.")
]
Embeddings = Annotated[Path | None, typer.Option(help=".npy, one row a text.")]
Encoder = Annotated[
    str | None, typer.Option(help="A sentence-transformers name; by default the model's.")
]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what is at --out.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]
