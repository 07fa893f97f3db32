"""Commands that fit, show, apply and re-cut topic models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import saetm_plugins
from saetm_plugins.cli import library
from saetm_plugins.cli.console import print_line, print_topics
from saetm_plugins.cli.images import (
    Captioner,
    Captions,
    Vocabulary,
    words_of_pictures,
)
from saetm_plugins.cli.options import (
    Chunk,
    Encoder,
    Model,
    Overwrite,
    Rows,
    Seed,
    Texts,
    expand_options,
)
from saetm_plugins.cli.reading import read_documents
from saetm_plugins.cli.shared import (
    check_model_folder,
    console,
    read_chunk,
    refuse_existing,
    save_with_tables,
    saved_ids,
)


def demo(
    out: Annotated[Path, typer.Option(help="Folder for pages and model.")] = Path("saetm-demo"),
) -> None:
    """Run the main job on 300 news texts: topics, re-cuts, new documents, pages, a saved model."""
    from saetm_plugins.cli.demo import run_demo

    run_demo(out, console)


@expand_options
def fit(
    file: Texts,
    out: Annotated[Path, typer.Option(help="Folder for the model and its tables.")],
    n_topics: Annotated[
        str | None,
        typer.Option(help='A number, or "auto"; by default 50, or one for ten texts if fewer.'),
    ] = None,
    captions: Captions = None,
    captioner: Captioner = None,
    vocabulary: Vocabulary = None,
    encoder: Annotated[str | None, typer.Option(help="A sentence-transformers name.")] = None,
    sae: Annotated[
        str,
        typer.Option(
            help='A trained autoencoder to reuse, a folder or hub name; "default", the one that '
            'comes along; "none" trains one; "auto" chooses by the number of texts.'
        ),
    ] = "auto",
    merge: Annotated[str, typer.Option(help="auto, nmf, kmeans, ward or hdbscan.")] = "auto",
    random_state: Seed = 0,
    chunk: Chunk = "auto",
    language: Annotated[
        str, typer.Option(help='Of the texts, "german" or "de", or "auto".')
    ] = "auto",
    overwrite: Overwrite = False,
    *,
    rows: Rows,
) -> None:
    """Fit a topic model to texts or pictures; save it, topics.csv and documents.csv."""
    check_model_folder(out, "topic-model", overwrite)
    count = _topic_count(n_topics)
    split = read_chunk(chunk)
    model = saetm_plugins.SAETopicModel(
        n_topics=count,
        sae=_read_sae(sae),
        encoder=encoder,
        merge=merge,
        random_state=random_state,
        verbose=True,
        language=language,
    )
    documents, ids = read_documents(file, rows, split)
    if "images" in documents:
        documents |= words_of_pictures(documents["images"], captions, captioner, vocabulary)
    model.fit(**documents)
    save_with_tables(model, out, overwrite, ids)


@expand_options
def assign(
    model: Model,
    file: Texts,
    out: Annotated[Path, typer.Option(help="Table: .csv, .tsv, .xlsx, .parquet or .jsonl.")],
    encoder: Encoder = None,
    chunk: Chunk = "fitted",
    overwrite: Overwrite = False,
    *,
    rows: Rows,
) -> None:
    """Write which topics each text of a file, or picture of a folder, is about."""
    library.tables.check_table_path(out, name="out")
    refuse_existing(out, overwrite)
    split = read_chunk(chunk)
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=encoder)
    documents, ids = read_documents(file, rows, split)
    n_documents = len(documents["images" if "images" in documents else "documents"])
    library.tables.check_table_path(out, n_documents, name="out")
    labels, mixtures = fitted.topics_of(fitted.transform_atoms(**documents))
    table = library.model_tables.document_table(fitted, mixtures, labels=labels, ids=ids)
    library.tables.write_table(table, out)
    print_line(console, "Saved to", out)


def topics(
    model: Model,
    n_words: Annotated[int, typer.Option(help="Words a topic.")] = 10,
) -> None:
    """Print the topics of a saved model."""
    print_topics(saetm_plugins.SAETopicModel.load(model), console, n_words=n_words)


def retopic(
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for the re-cut model.")],
    n_topics: Annotated[str, typer.Option(help='A number, or "auto".')],
    merge: Annotated[str | None, typer.Option(help="nmf, kmeans, ward or hdbscan.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Cut a saved model into another number of topics and save that; nothing is retrained."""
    check_model_folder(out, "topic-model", overwrite)
    recut = saetm_plugins.SAETopicModel.load(model).retopic(_topic_count(n_topics), merge)
    save_with_tables(recut, out, overwrite, saved_ids(model, len(recut.labels_)))


def _read_sae(text: str) -> Any:
    if text == "none":
        return None
    return (
        text
        if text in ("auto", "default")
        else saetm_plugins.SparseAutoencoder.from_pretrained(text)
    )


def _topic_count(text: str | None) -> int | str | None:
    if text in (None, "auto"):
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f'--n-topics must be a number or "auto"; found {text!r}') from None
