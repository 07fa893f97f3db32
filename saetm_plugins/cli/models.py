"""Commands that fit, show, apply and re-cut topic models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saetm_plugins.cli.console import print_line, print_topics
from saetm_plugins.cli.images import (
    Captioner,
    Captions,
    Vocabulary,
    open_picture_folder,
    picture_embeddings,
    picture_names,
    words_of_pictures,
)
from saetm_plugins.cli.options import (
    Chunk,
    Embeddings,
    Encoder,
    Format,
    IdColumn,
    Model,
    Overwrite,
    Seed,
    TextColumn,
    Texts,
    expand_options,
)
from saetm_plugins.cli.shared import (
    check_model_folder,
    console,
    load_embeddings,
    read_chunk,
    read_documents,
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
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    n_topics: Annotated[
        str | None,
        typer.Option(help='A number, or "auto"; by default 50, or one for ten texts if fewer.'),
    ] = None,
    embeddings: Embeddings = None,
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
    form: Format,
) -> None:
    """Fit a topic model to texts or pictures; save it, topics.csv and documents.csv."""
    from saetm_plugins import SAETopicModel

    check_model_folder(out, "topic-model", overwrite)
    count = _topic_count(n_topics)
    split = read_chunk(chunk)
    model = SAETopicModel(
        n_topics=count,
        sae=_read_sae(sae),
        encoder=encoder,
        merge=merge,
        random_state=random_state,
        verbose=True,
        language=language,
    )
    images = open_picture_folder(file)
    if images is not None:
        words = words_of_pictures(images, captions, captioner, vocabulary)
        model.fit(images=images, embeddings=picture_embeddings(embeddings), **words)
        ids = picture_names(images)
    else:
        documents, ids = read_documents(file, text_column, id_column, form.reading())
        model.fit(documents, embeddings=load_embeddings(embeddings), chunk=split)
    save_with_tables(model, out, overwrite, ids)


@expand_options
def assign(
    model: Model,
    file: Texts,
    out: Annotated[Path, typer.Option(help="Table: .csv, .tsv, .xlsx, .parquet or .jsonl.")],
    text_column: TextColumn = "text",
    id_column: IdColumn = None,
    embeddings: Embeddings = None,
    encoder: Encoder = None,
    chunk: Chunk = "fitted",
    overwrite: Overwrite = False,
    *,
    form: Format,
) -> None:
    """Write which topics each text of a file, or picture of a folder, is about."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.files.tables import check_table_path, write_table
    from saetm_plugins.model_tables import document_table

    check_table_path(out, name="out")
    refuse_existing(out, overwrite)
    split = read_chunk(chunk)
    fitted = SAETopicModel.load(model, encoder=encoder)
    images = open_picture_folder(file)
    if images is not None:
        check_table_path(out, len(images), name="out")
        doc_atoms = fitted.transform_atoms(None, picture_embeddings(embeddings), images=images)
        ids = picture_names(images)
    else:
        documents, ids = read_documents(file, text_column, id_column, form.reading())
        check_table_path(out, len(documents), name="out")
        doc_atoms = fitted.transform_atoms(documents, load_embeddings(embeddings), chunk=split)
    labels, mixtures = fitted.topics_of(doc_atoms)
    write_table(document_table(fitted, mixtures, labels=labels, ids=ids), out)
    print_line(console, "Saved to", out)


def topics(
    model: Model,
    n_words: Annotated[int, typer.Option(help="Words a topic.")] = 10,
) -> None:
    """Print the topics of a saved model."""
    from saetm_plugins import SAETopicModel

    print_topics(SAETopicModel.load(model), console, n_words=n_words)


def retopic(
    model: Model,
    out: Annotated[Path, typer.Option(help="Folder for the re-cut model.")],
    n_topics: Annotated[str, typer.Option(help='A number, or "auto".')],
    merge: Annotated[str | None, typer.Option(help="nmf, kmeans, ward or hdbscan.")] = None,
    overwrite: Overwrite = False,
) -> None:
    """Cut a saved model into another number of topics and save that; nothing is retrained."""
    from saetm_plugins import SAETopicModel

    check_model_folder(out, "topic-model", overwrite)
    recut = SAETopicModel.load(model).retopic(_topic_count(n_topics), merge)
    save_with_tables(recut, out, overwrite, saved_ids(model, len(recut.labels_)))


def _read_sae(text: str) -> Any:
    from saetm_plugins import SparseAutoencoder

    if text == "none":
        return None
    return text if text in ("auto", "default") else SparseAutoencoder.from_pretrained(text)


def _topic_count(text: str | None) -> int | str | None:
    if text in (None, "auto"):
        return text
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f'--n-topics must be a number or "auto"; found {text!r}') from None
