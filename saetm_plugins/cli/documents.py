"""Commands about single documents: find, explain, export and transform them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

import saetm_plugins
from saetm_plugins.cli import library
from saetm_plugins.cli.options import (
    Chunk,
    Encoder,
    KeepColumns,
    MinShare,
    Model,
    NewRows,
    Output,
    Overwrite,
    Rows,
    Texts,
    expand_options,
)
from saetm_plugins.cli.output import check_out, give_out
from saetm_plugins.cli.reading import join_columns, read_collection, read_documents
from saetm_plugins.cli.shared import read_chunk, read_numbers, read_topics

File = Annotated[
    Path | None, typer.Option(help="The documents, to show their texts or ids, or new ones.")
]


@expand_options
def search(
    model: Model,
    query: Annotated[str | None, typer.Argument(help="A phrase.")] = None,
    file: File = None,
    topic: Annotated[
        str | None, typer.Option(help="Documents of this topic, a number or name.")
    ] = None,
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
    check_out(output)
    numbers = read_numbers(atoms, "atoms")
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=rows.encoder)
    read = read_collection(model, fitted, file, rows, group_column=group_column)
    found = library.analysis.find_documents(
        fitted,
        query,
        topic=None if topic is None else read_topics([topic])[0],
        atoms=numbers,
        words=words,
        like=like,
        n=n,
        groups=None if group_column is None else read.frame[group_column],
        embeddings=read.embeddings,
        doc_atoms=read.doc_atoms,
        ids=read.ids,
        texts=read.texts,
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
    check_out(output)
    if text is None and row is None and encoder is None and not Path(model).is_dir():
        give_out(library.analysis.explain_text(model, n_words), "Atoms of the text", output)
        return
    if (text is None) == (row is None):
        raise ValueError("give a text or --row, one of the two, after the model")
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=encoder)
    try:
        found = library.analysis.explain_document(fitted, row if text is None else text, n_words)
    except IndexError as error:
        raise ValueError(f"row {row}: {error}") from None
    give_out(found, "Atoms of the document", output)


@expand_options
def export(
    model: Model,
    out: Annotated[Path, typer.Option(help="Table: .csv, .tsv, .xlsx, .parquet or .jsonl.")],
    file: File = None,
    n_topics: Annotated[int, typer.Option(help="Topics to name for each document.")] = 3,
    min_share: MinShare = None,
    keep_columns: KeepColumns = True,
    overwrite: Overwrite = False,
    *,
    rows: NewRows,
) -> None:
    """Write a row a document: id, text, main topic, share, next topics, all named."""
    output = Output(out, overwrite)
    check_out(output)
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=rows.encoder)
    read = read_collection(model, fitted, file, rows, keep_columns=keep_columns)
    labels, mixtures = (None, None) if read.doc_atoms is None else fitted.topics_of(read.doc_atoms)
    table = library.analysis.export_documents(
        fitted,
        texts=read.texts,
        ids=read.ids,
        doc_topics=mixtures,
        labels=labels,
        n_topics=n_topics,
        min_share=min_share,
    )
    shown = table.drop(columns=["text"]) if "text" in table else table
    if read.frame is not None and read.images is None and keep_columns:
        id_column = "id" if read.ids is not None and rows.id_column is None else rows.id_column
        table = join_columns(table, read.frame, id_column, rows.text_column)
    give_out(
        table,
        f"{len(table):,} documents",
        output,
        shown=shown.head(5),
        sheet="documents",
        more_sheets={"topics": library.model_tables.topic_table(fitted)},
    )


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
    check_out(output)
    split = read_chunk(chunk)
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=encoder)
    documents, ids, _ = read_documents(file, rows, split)
    shares = fitted.transform(**documents)
    names = [f"share_{topic}" for topic in range(shares.shape[1])]
    table = library.pandas.DataFrame(shares, columns=names)
    table.insert(0, "id", range(len(table)) if ids is None else list(ids))
    give_out(table, "Shares of topics", output, shown=table.iloc[:, :9])
