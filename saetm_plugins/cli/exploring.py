"""Commands that name topics, nest them, and write the page to explore them in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from saetm_plugins.cli.console import print_line
from saetm_plugins.cli.images import open_picture_folder, read_picture_embeddings
from saetm_plugins.cli.options import (
    Encoder,
    Model,
    Overwrite,
    Rows,
    Seed,
    Texts,
    TimeFormat,
    TimeUnit,
    expand_options,
)
from saetm_plugins.cli.reading import read_collection, read_time_column
from saetm_plugins.cli.shared import console, refuse_existing, save_with_tables, saved_ids

Levels = Annotated[
    str | None,
    typer.Option(help='Numbers of topics, rising: "8,40,200"; by default the model\'s and above.'),
]
Chat = Annotated[
    str | None,
    typer.Option(help="A language model to name topics; none by default: phrases of the texts."),
]
BaseUrl = Annotated[
    str | None, typer.Option(help="Its OpenAI-compatible endpoint; by default OpenAI's.")
]


@expand_options
def explore(
    model: Model,
    file: Texts,
    out: Annotated[Path, typer.Option(help="The page, .html.")] = Path("topics.html"),
    group_column: Annotated[
        str | None, typer.Option(help="A topic's panel shows its share by this column.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="Dates, years or numbers: its share over time.")
    ] = None,
    time_unit: TimeUnit = None,
    time_format: TimeFormat = None,
    levels: Levels = None,
    title: Annotated[str | None, typer.Option(help="By default the file's name.")] = None,
    encoder: Encoder = None,
    max_documents: Annotated[int, typer.Option(help="Of more, so many are drawn.")] = 20_000,
    random_state: Seed = 0,
    overwrite: Overwrite = False,
    *,
    rows: Rows,
) -> None:
    """Write a page to explore topics in: one HTML file with a map, search, levels, documents."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.plotting import explore as write_page

    refuse_existing(out, overwrite)
    fitted = SAETopicModel.load(model, encoder=encoder)
    images = open_picture_folder(file)
    options: dict[str, Any] = {
        "levels": _counts(levels),
        "title": (file.stem if images is None else file.name) if title is None else title,
        "max_documents": max_documents,
        "random_state": random_state,
        "overwrite": overwrite,
    }
    if images is not None:
        vectors = read_picture_embeddings(images, rows.embeddings)
        write_page(
            fitted, None, out, images=images, ids=images.names, embeddings=vectors, **options
        )
        print_line(console, "Saved to", out)
        return
    read = read_collection(
        model, fitted, file, rows, group_column=group_column, time_column=time_column
    )
    times = None
    if time_column is not None:
        times = read_time_column(read.frame, time_column, time_unit, time_format)
    write_page(
        fitted,
        read.need_texts(),
        out,
        embeddings=read.embeddings,
        ids=read.ids,
        groups=None if group_column is None else read.frame[group_column],
        times=times,
        group_label=group_column or "group",
        time_label=time_column or "time",
        **options,
    )
    print_line(console, "Saved to", out)


def taxonomy(
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option(help="Table (.csv, .tsv, .xlsx, .parquet, .jsonl), .json or .nwk (Newick)."),
    ] = None,
    levels: Levels = None,
    n_words: Annotated[int, typer.Option(help="Words a topic.")] = 10,
    overwrite: Overwrite = False,
) -> None:
    """Print nested levels of topics, or write them: as a table, as JSON, as a Newick tree."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.analysis import taxonomy as nest
    from saetm_plugins.analysis import taxonomy_json, taxonomy_newick
    from saetm_plugins.files.folders import check_parent
    from saetm_plugins.files.tables import check_table_path, write_table

    trees = {".json": taxonomy_json, ".nwk": taxonomy_newick}
    if out is not None:
        refuse_existing(out, overwrite)
        if out.suffix.lower() in trees:
            check_parent(out)
        else:
            check_table_path(out, name="out")
    table = nest(SAETopicModel.load(model), _counts(levels), n_words=n_words)
    if out is None:
        _print_tree(table)
        return
    if out.suffix.lower() in trees:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(trees[out.suffix.lower()](table) + "\n", encoding="utf-8")
    else:
        write_table(table, out)
    print_line(console, "Saved to", out)


@expand_options
def name(
    model: Model,
    file: Texts,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the named model; by default the model's own.")
    ] = None,
    chat: Chat = None,
    base_url: BaseUrl = None,
    share_documents: Annotated[
        bool, typer.Option(help="Whether the language model is shown texts, or words only.")
    ] = True,
    cache: Annotated[
        Path | None, typer.Option(help="File of answers: nothing is asked twice.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask the language model at once.")] = False,
    encoder: Encoder = None,
    overwrite: Overwrite = False,
    *,
    rows: Rows,
) -> None:
    """Name a saved model's topics, by phrases of the texts or by a language model; save them."""
    from saetm_plugins import SAETopicModel
    from saetm_plugins.analysis import name_topics, print_estimate
    from saetm_plugins.evaluation.chat import JudgeError, OpenAIChat

    if out is not None:
        refuse_existing(out, overwrite)
    namer = None if chat is None else OpenAIChat(chat, base_url)

    def confirm(prompts: Any, estimate: Any) -> bool:
        print_estimate(prompts, estimate)
        if not (yes or typer.confirm("Ask?")):
            raise typer.Abort
        return True

    fitted = SAETopicModel.load(model, encoder=encoder)
    read = read_collection(model, fitted, file, rows)
    try:
        name_topics(
            fitted,
            read.need_texts(),
            embeddings=read.embeddings,
            namer=namer,
            share_documents=share_documents,
            cache=cache,
            confirm=confirm,
        )
    except JudgeError as error:  # one line, as all errors of the command
        raise ValueError(str(error)) from error
    ids = saved_ids(model, len(fitted.labels_))
    save_with_tables(fitted, model if out is None else out, True, ids)


def _counts(levels: str | None) -> list[int] | None:
    if levels is None:
        return None
    try:
        return [int(count) for count in levels.replace(",", " ").split()]
    except ValueError:
        raise typer.BadParameter(f"--levels must be numbers; found {levels!r}") from None


def _print_tree(table: Any) -> None:
    from rich.text import Text
    from rich.tree import Tree

    root = Tree(f"{int((table['level'] == table['level'].max()).sum())} topics")
    branches: dict[tuple[int, int], Tree] = {}
    for row in table.itertuples():
        above = branches[row.level - 1, int(row.parent)] if row.level else root
        line = Text.assemble((str(row.name), "bold"), f"  {row.share:.1%}  ", (row.words, "dim"))
        branches[row.level, row.topic] = above.add(line)
    console.print(root)
