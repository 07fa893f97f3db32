"""Commands about single documents: find, explain, export and transform them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from saetm_plugins.cli.images import open_picture_folder, picture_embeddings, picture_names
from saetm_plugins.cli.options import (
    Chunk,
    Encoder,
    Model,
    NewRows,
    Output,
    Overwrite,
    Rows,
    Texts,
    expand_options,
)
from saetm_plugins.cli.output import check_out, give_out
from saetm_plugins.cli.reading import read_collection
from saetm_plugins.cli.shared import load_embeddings, read_chunk, read_documents

File = Annotated[
    Path | None, typer.Option(help="The documents, to show their texts or ids, or new ones.")
]


@expand_options
def search(
    model: Model,
    query: Annotated[str | None, typer.Argument(help="A phrase.")] = None,
    file: File = None,
    topic: Annotated[int | None, typer.Option(help="Documents of this topic.")] = None,
    atoms: Annotated[str | None, typer.Option(help='Documents with these atoms: "3,17".')] = None,
    words: Annotated[str | None, typer.Option(help="Documents these words are likely in.")] = None,
    like: Annotated[int | None, typer.Option(help="Documents like that of this row.")] = None,
    n: Annotated[int, typer.Option(help="Documents to show.")] = 10,
    group_column: Annotated[str | None, typer.Option(help="The best of each group.")] = None,
    *,
    rows: NewRows,
    output: Output,
) -> None:
    """Find documents by a phrase, topic, atoms, words or similarity, and the atoms that match."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.analysis import find_documents

    check_out(output)
    if file is None and (rows.new or group_column or rows.id_column or rows.embeddings):
        raise ValueError("file is needed for --new, --group-column, --id-column and --embeddings")
    try:
        numbers = None if atoms is None else [int(atom) for atom in atoms.split(",")]
    except ValueError:
        raise ValueError(f"atoms must be numbers with commas between; found {atoms!r}") from None
    fitted = SAETopicModel.load(model, encoder=rows.encoder)
    read = None
    if file is not None:
        read = read_collection(model, fitted, file, rows, group_column=group_column)
    found = find_documents(
        fitted,
        query,
        topic=topic,
        atoms=numbers,
        words=words,
        like=like,
        n=n,
        groups=None if read is None or group_column is None else read.frame[group_column],
        embeddings=None if read is None else read.embeddings,
        doc_atoms=None if read is None else read.doc_atoms,
        ids=None if read is None else read.ids,
        texts=None if read is None else read.texts,
    )
    shown = found
    if "text" in found:
        shown = found.assign(text=found["text"].str.split().str.join(" ").str[:120])
    give_out(found, "Documents found", output, shown=shown.drop(columns=["atoms"]))


@expand_options
def explain(
    model: Annotated[
        str, typer.Argument(help="A saved model; without one the text.", show_default=False)
    ],
    text: Annotated[str | None, typer.Argument(help="A text.")] = None,
    row: Annotated[int | None, typer.Option(help="Or the row of a fitted document.")] = None,
    n_words: Annotated[int, typer.Option(help="Words of each atom.")] = 8,
    encoder: Encoder = None,
    *,
    output: Output,
) -> None:
    """Show the atoms of a text: a model's, with their topics, or those that come along."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.analysis import explain_document, explain_text

    check_out(output)
    if text is None and row is None and encoder is None and not Path(model).is_dir():
        give_out(explain_text(model, n_words), "Atoms of the text", output)
        return
    if (text is None) == (row is None):
        raise ValueError("give a text or --row, one of the two, after the model")
    fitted = SAETopicModel.load(model, encoder=encoder)
    try:
        found = explain_document(fitted, row if text is None else text, n_words)
    except IndexError as error:
        raise ValueError(f"row {row}: {error}") from None
    give_out(found, "Atoms of the document", output)


@expand_options
def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="Table: .csv, .tsv, .xlsx, .parquet or .jsonl.")],
    file: File = None,
    n_topics: Annotated[int, typer.Option(help="Topics to name for each document.")] = 3,
    overwrite: Overwrite = False,
    *,
    rows: NewRows,
) -> None:
    """Write a row a document: id, text, main topic, share, next topics, all named."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.analysis import export_documents

    output = Output(out, overwrite)
    check_out(output)
    fitted = SAETopicModel.load(model, encoder=rows.encoder)
    read = None if file is None else read_collection(model, fitted, file, rows)
    atoms = None if read is None else read.doc_atoms
    table = export_documents(
        fitted,
        texts=None if read is None else read.texts,
        ids=None if read is None else read.ids,
        doc_topics=None if atoms is None else fitted.topics_of(atoms)[1],
        n_topics=n_topics,
    )
    shown = table.drop(columns=["text"]) if "text" in table else table
    give_out(table, f"{len(table):,} documents", output, shown=shown.head(5))


@expand_options
def transform(
    model: Model,
    file: Texts,
    encoder: Encoder = None,
    chunk: Chunk = "fitted",
    *,
    rows: Rows,
    output: Output,
) -> None:
    """Compute the share of every topic in new texts or pictures, a column a topic."""
    import pandas as pd

    from saetm_plugins import SAETopicModel

    check_out(output)
    split = read_chunk(chunk)
    fitted = SAETopicModel.load(model, encoder=encoder)
    images = open_picture_folder(file)
    if images is not None:
        shares = fitted.transform(None, picture_embeddings(rows.embeddings), images=images)
        ids = picture_names(images)
    else:
        documents, ids = read_documents(file, rows.text_column, rows.id_column, rows.reading())
        shares = fitted.transform(documents, load_embeddings(rows.embeddings), chunk=split)
    table = pd.DataFrame(shares, columns=[f"share_{topic}" for topic in range(shares.shape[1])])
    table.insert(0, "id", range(len(table)) if ids is None else ids.to_numpy())
    give_out(table, "Shares of topics", output, shown=table.iloc[:, :9])
