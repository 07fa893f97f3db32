"""Commands that fit, show, apply and re-cut topic models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

import saetm_plugins
from saetm_plugins.cli import library
from saetm_plugins.cli.console import print_line, print_table, print_topics
from saetm_plugins.cli.images import (
    Captioner,
    Captions,
    Vocabulary,
    words_of_pictures,
)
from saetm_plugins.cli.options import (
    Chunk,
    Encoder,
    KeepColumns,
    MinShare,
    Model,
    Overwrite,
    Rows,
    Seed,
    Texts,
    expand_options,
)
from saetm_plugins.cli.reading import join_columns, read_documents
from saetm_plugins.cli.shared import (
    check_model_folder,
    console,
    read_chunk,
    read_topics,
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


def warm_up() -> None:
    """Compile the loops and keep them, so that no process has to: for building an image."""
    from importlib import import_module

    parts = ["atoms.training.kernels", "emission.kernels", "emission.inference_kernels"]
    parts += ["merging.kernels", "numerics._pair_kernel", "gensim.bound"]
    for part in parts:
        try:
            import_module(f"saetm_plugins.{part}")
        except ImportError as error:  # without gensim
            console.print(f"{part} left out: {error}")


@expand_options
def fit(
    file: Texts,
    out: Annotated[Path, typer.Option(help="Folder for the model and its tables.")],
    n_topics: Annotated[
        str | None,
        typer.Option(help='A number, or "auto"; by default 20, fewer for fewer than 400 texts.'),
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
    outlier_threshold: Annotated[
        float, typer.Option(help="Texts whose largest share is smaller have topic -1.")
    ] = 0.0,
    overwrite: Overwrite = False,
    *,
    rows: Rows,
) -> None:
    """Fit a topic model to texts or pictures; save it, topics.csv and documents.csv.

    A folder that `saetm embed` wrote, or of .parquet or .arrow files with embeddings, need not fit
    into memory: --out then has the model in model/, the topics of all texts in documents/, in
    Parquet, and what an interrupted run goes on from.
    """
    shards = library.shards.holds_shards(file)
    if not shards:
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
        outlier_threshold=outlier_threshold,
    )
    if shards:
        model.fit_shards(file, run_dir=out, text_column=rows.text_column)
        print_topics(model, console)
        print_line(console, "Saved to", out / "model")
        return
    documents, ids, _ = read_documents(file, rows, split)
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
    min_share: MinShare = None,
    keep_columns: KeepColumns = True,
    overwrite: Overwrite = False,
    *,
    rows: Rows,
) -> None:
    """Write which topics each text of a file, or picture of a folder, is about."""
    library.tables.check_table_path(out, name="out")
    refuse_existing(out, overwrite)
    split = read_chunk(chunk)
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=encoder)
    documents, ids, frame = read_documents(file, rows, split, keep_columns=keep_columns)
    n_documents = len(documents["images" if "images" in documents else "documents"])
    library.tables.check_table_path(out, n_documents, name="out")
    labels, mixtures = fitted.topics_of(fitted.transform_atoms(**documents))
    tables = library.model_tables
    table = tables.document_table(fitted, mixtures, labels=labels, ids=ids, min_share=min_share)
    if frame is not None and keep_columns:
        table = join_columns(table, frame)
    sheets = {"topics": tables.topic_table(fitted)}
    library.tables.write_table(table, out, sheet="documents", more_sheets=sheets)
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
    """Cut a saved model into another number of topics and save that; nothing is retrained.

    Where all topics have names, new ones get some of their words; `saetm name` finds phrases.
    """
    check_model_folder(out, "topic-model", overwrite)
    recut = saetm_plugins.SAETopicModel.load(model)
    has_names = all(recut.topic_labels_)
    recut.retopic(_topic_count(n_topics), merge)
    if has_names and not all(recut.topic_labels_):
        levels = library.analysis.topic_levels(recut)
        recut.set_topic_labels(library.analysis.name_levels(recut, levels)[-1])
    save_with_tables(recut, out, overwrite, saved_ids(model, len(recut.labels_)))


def edit(
    model: Model,
    merge: Annotated[
        list[str] | None, typer.Option(help='Topics to make one: "3,7"; again for other groups.')
    ] = None,
    split: Annotated[list[str] | None, typer.Option(help='A topic, or "2,5", into two.')] = None,
    drop: Annotated[list[str] | None, typer.Option(help='Topics to delete: "5,8".')] = None,
    rename: Annotated[
        list[str] | None, typer.Option(help='"3=art prints"; "3=" takes the name away.')
    ] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take back the last edit, before any other.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the edited model; by default the model's own.")
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Merge, split, drop and rename topics, by number or name, or undo the last edit; save them.

    All numbers and names are those that `saetm topics` shows before the edit.
    """
    if out is not None:
        check_model_folder(out, "topic-model", overwrite)
    if not (merge or split or drop or rename or undo):
        raise ValueError("give at least one of --merge, --split, --drop, --rename and --undo")
    fitted = saetm_plugins.SAETopicModel.load(model)
    if undo:
        fitted.undo()
    if merge or split or drop or rename:
        before = fitted.topic_labels_
        edited, comes_of = library.edits.edit_topics(
            fitted.atoms_,
            fitted.topics_,
            merge=[read_topics([group]) for group in merge or ()],
            split=read_topics(split),
            delete=read_topics(drop),
            rename=dict(map(_read_name, rename or ())),
        )
        fitted.take_edit(edited)
        now = [", ".join(map(str, row.nonzero()[0])) or "deleted" for row in comes_of]
        table = {"topic": range(len(now)), "name": before, "now": now}
        table["name_now"] = [edited.labels[row.argmax()] if row.any() else None for row in comes_of]
        print_table(library.pandas.DataFrame(table), console, "Numbers", n_rows=len(now))
    ids = saved_ids(model, len(fitted.labels_))
    save_with_tables(fitted, model if out is None else out, True, ids)


def _read_name(text: str) -> tuple[int | str, str | None]:
    topic, equals, name = text.partition("=")
    if not equals:
        raise ValueError(f'rename must be a topic and its name, "3=art prints"; found {text!r}')
    return read_topics([topic])[0], name.strip() or None


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
