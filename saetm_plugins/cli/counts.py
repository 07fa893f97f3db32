"""Commands for the stability of topics and for their number."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

import saetm_plugins
from saetm_plugins.cli import library
from saetm_plugins.cli.options import Model, Output, Rows, Texts, expand_options
from saetm_plugins.cli.output import check_out, give_out
from saetm_plugins.cli.reading import read_collection
from saetm_plugins.cli.shared import read_numbers


@expand_options
def stability(
    model: Model,
    other: Annotated[Path | None, typer.Option(help="A saved model to compare with.")] = None,
    file: Annotated[Path | None, typer.Option(help="The documents, to fit others to.")] = None,
    seeds: Annotated[int, typer.Option(help="Models with other seeds.")] = 3,
    bootstraps: Annotated[int, typer.Option(help="Models of resampled documents.")] = 0,
    *,
    rows: Rows,
    output: Output,
) -> None:
    """Show which topics come back in another model, under other seeds or samples."""
    check_out(output)
    if (other is None) == (file is None):
        raise ValueError("give --other, a model to compare with, or --file, to fit others to")
    fitted = saetm_plugins.SAETopicModel.load(model)
    if file is None:
        found = library.analysis.topic_stability(
            fitted, saetm_plugins.SAETopicModel.load(str(other))
        )
    else:
        read = read_collection(model, fitted, file, rows)
        found = library.analysis.topic_stability(
            fitted, documents=read.texts, embeddings=read.embeddings, seeds=seeds,
            bootstraps=bootstraps, verbose=True,
        )  # fmt: skip
    means = found.runs[["stable", "ari"]].mean()
    note = f"On average {means['stable']:.0%} of topics have a counterpart; ARI {means['ari']:.2f}."
    give_out(found.topics, "Stability of topics", output, note=note, shown=found.runs)


@expand_options
def suggest(
    model: Model,
    file: Texts,
    counts: Annotated[
        str | None, typer.Option(help='Numbers of topics: "10,20,50", or "10:100:10".')
    ] = None,
    *,
    rows: Rows,
    output: Output,
) -> None:
    """Suggest a number of topics: coherence, diversity, stability, likelihood of each count."""
    check_out(output)
    tried = read_numbers(counts, "counts")
    fitted = saetm_plugins.SAETopicModel.load(model)
    read = read_collection(model, fitted, file, rows)
    found = library.analysis.suggest_n_topics(
        fitted, tried, documents=read.texts, embeddings=read.embeddings, verbose=True
    )
    figure = partial(library.plotting.plot_topic_counts, found)
    title = f"{found.n_topics} topics suggested"
    give_out(found.table, title, output, figure=figure, note=found.reason)
