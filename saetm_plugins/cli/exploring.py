"""Commands that name topics, nest them, and write the page to explore them in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text
from rich.tree import Tree

import saetm_plugins
from saetm_plugins.cli import library
from saetm_plugins.cli.console import print_line
from saetm_plugins.cli.options import (
    DayFirst,
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
from saetm_plugins.cli.shared import (
    console,
    read_numbers,
    refuse_existing,
    save_with_tables,
    saved_ids,
)

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
        str | None, typer.Option(help="Shares of topics by this column; it can colour the map.")
    ] = None,
    time_column: Annotated[
        str | None, typer.Option(help="Dates, years or numbers: its share over time.")
    ] = None,
    time_unit: TimeUnit = None,
    time_format: TimeFormat = None,
    day_first: DayFirst = False,
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
    refuse_existing(out, overwrite)
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=encoder)
    read = read_collection(
        model, fitted, file, rows, group_column=group_column, time_column=time_column
    )
    times = None
    if time_column is not None:
        times = read_time_column(read.frame, time_column, time_unit, time_format, day_first)
    library.plotting.explore(
        fitted,
        read.need_texts() if read.images is None else None,
        out,
        images=read.images,
        embeddings=read.embeddings,
        ids=read.ids,
        groups=None if group_column is None else read.frame[group_column],
        times=times,
        group_label=group_column or "group",
        time_label=time_column or "time",
        levels=read_numbers(levels, "levels"),
        title=title or (file.name if file.is_dir() else file.stem),
        max_documents=max_documents,
        random_state=random_state,
        overwrite=overwrite,
        verbose=True,
    )
    print_line(console, "Saved to", out)


@expand_options
def taxonomy(
    model: Model,
    file: Annotated[
        Path | None, typer.Option(help="The documents: their phrases name the upper levels.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Table (.csv, .tsv, .xlsx, .parquet, .jsonl), .json or .nwk (Newick)."),
    ] = None,
    levels: Levels = None,
    n_words: Annotated[int, typer.Option(help="Words a topic.")] = 10,
    overwrite: Overwrite = False,
    *,
    rows: Rows,
) -> None:
    """Print nested levels of topics, or write them: as a table, as JSON, as a Newick tree."""
    trees = {
        ".json": library.analysis.taxonomy_json,
        ".nwk": library.analysis.taxonomy_newick,
    }
    if out is not None:
        refuse_existing(out, overwrite)
        if out.suffix.lower() in trees:
            library.folders.check_parent(out)
        else:
            library.tables.check_table_path(out, name="out")
    counts = read_numbers(levels, "levels")
    fitted = saetm_plugins.SAETopicModel.load(model)
    read = read_collection(model, fitted, file, rows)
    texts = None if file is None else read.need_texts()
    table = library.analysis.taxonomy(fitted, counts, documents=texts, n_words=n_words)
    if out is None:
        _print_tree(table)
        return
    if out.suffix.lower() in trees:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(trees[out.suffix.lower()](table) + "\n", encoding="utf-8")
    else:
        library.tables.write_table(table, out)
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
    if out is not None:
        refuse_existing(out, overwrite)
    namer = None if chat is None else library.chat.OpenAIChat(chat, base_url)

    def confirm(prompts: Any, estimate: Any) -> bool:
        library.analysis.print_estimate(prompts, estimate)
        if not (yes or typer.confirm("Ask?")):
            raise typer.Abort
        return True

    fitted = saetm_plugins.SAETopicModel.load(model, encoder=encoder)
    read = read_collection(model, fitted, file, rows)
    try:
        library.analysis.name_topics(
            fitted,
            read.need_texts(),
            embeddings=read.embeddings,
            namer=namer,
            share_documents=share_documents,
            cache=cache,
            confirm=confirm,
        )
    except library.chat.JudgeError as error:  # one line, as all errors of the command
        raise ValueError(str(error)) from error
    ids = saved_ids(model, len(fitted.labels_))
    save_with_tables(fitted, model if out is None else out, True, ids)


def _print_tree(table: Any) -> None:
    root = Tree(f"{int((table['level'] == table['level'].max()).sum())} topics")
    branches: dict[tuple[int, int], Tree] = {}
    for row in table.itertuples():
        above = branches[row.level - 1, int(row.parent)] if row.level else root
        line = Text.assemble((str(row.name), "bold"), f"  {row.share:.1%}  ", (row.words, "dim"))
        branches[row.level, row.topic] = above.add(line)
    console.print(root)
