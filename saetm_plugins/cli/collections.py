"""Commands that compare groups of documents and follow topics through time."""

from __future__ import annotations

import warnings
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

import saetm_plugins
from saetm_plugins.cli import library
from saetm_plugins.cli.options import (
    DayFirst,
    Model,
    NewRows,
    Output,
    Seed,
    Texts,
    TimeFormat,
    TimeUnit,
    expand_options,
)
from saetm_plugins.cli.output import add_names, check_out, give_out
from saetm_plugins.cli.reading import read_collection, read_time_column
from saetm_plugins.cli.shared import console

if TYPE_CHECKING:
    import pandas as pd

GroupColumn = Annotated[str, typer.Option(help="The column with each document's group.")]
Threshold = Annotated[
    float, typer.Option(help="A topic counts from this share on; 0: by any active atom.")
]
Level = Annotated[str, typer.Option(help="topics or atoms.")]


@expand_options
def coverage(
    model: Model,
    file: Texts,
    group_column: GroupColumn,
    threshold: Threshold = 0.0,
    *,
    rows: NewRows,
    output: Output,
) -> None:
    """Show in what share of each group's documents a topic is active, most varying first."""
    check_out(output)
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=rows.encoder)
    read = read_collection(model, fitted, file, rows, group_column=group_column)
    groups = read.frame[group_column]
    with console.status("Counting"):
        table = library.analysis.coverage(fitted, groups, threshold, doc_atoms=read.doc_atoms)
    table = add_names(table, fitted)
    wide = table.pivot(index=["topic", "name"], columns="group", values="coverage")
    wide.columns = [f"coverage_{name}" for name in wide.columns]
    wide = wide.iloc[(-wide.var(axis=1).fillna(0)).argsort(kind="stable")].reset_index()
    names = library.analysis.topic_names(fitted)
    figure = partial(library.plotting.plot_coverage, table, max_mean=1.0, names=names)
    give_out(table, f"Coverage by {group_column}", output, figure=figure, shown=wide.iloc[:, :8])


@expand_options
def compare(
    model: Model,
    file: Texts,
    group_column: GroupColumn,
    a: Annotated[str, typer.Option(help="A group.")],
    b: Annotated[str | None, typer.Option(help="Another; by default all others.")] = None,
    level: Level = "topics",
    strata_column: Annotated[
        str | None, typer.Option(help="A confounder to keep fixed: source, length.")
    ] = None,
    threshold: Threshold = 0.0,
    random_state: Seed = 0,
    *,
    rows: NewRows,
    output: Output,
) -> None:
    """Compare two groups of documents: what is in A and not in B, the most different first."""
    check_out(output)
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=rows.encoder)
    read = read_collection(
        model, fitted, file, rows, group_column=group_column, strata_column=strata_column
    )
    groups, _, b = _read_groups(read.frame, group_column, a, b)
    with console.status("Resampling"):
        table = library.analysis.compare_groups(
            fitted, groups, a, b, level=level, threshold=threshold, doc_atoms=read.doc_atoms,
            strata=None if strata_column is None else read.frame[strata_column], ids=read.ids,
            random_state=random_state,
        )  # fmt: skip
    table = add_names(table, fitted)
    other = "the others" if b is None else b
    first = ["topic", "name"] if level == "topics" else ["atom", "words"]
    shown = table[[*first, "q", "share_a", "share_b"]]
    shown = shown.assign(**{first[1]: shown[first[1]].str.split(", ").str[:5].str.join(", ")})
    bounds = zip(*(100 * table[name] for name in ("difference", "low", "high")), strict=True)
    estimates = [f"{estimate:+.1f}% ({low:.1f} to {high:.1f})" for estimate, low, high in bounds]
    shown.insert(2, "difference", estimates)
    names = library.analysis.topic_names(fitted) if level == "topics" else None
    figure = partial(library.plotting.plot_comparison, table, a=a, b=other, names=names)
    give_out(table, f"{a} (a) against {other} (b)", output, figure=figure, shown=shown)


@expand_options
def trends(
    model: Model,
    file: Texts,
    time_column: Annotated[str, typer.Option(help="The column with dates, years or numbers.")],
    bins: Annotated[
        str, typer.Option(help='A number of periods, a length ("10Y", "M"), or "auto".')
    ] = "auto",
    time_unit: TimeUnit = None,
    time_format: TimeFormat = None,
    day_first: DayFirst = False,
    group_column: Annotated[
        str | None, typer.Option(help="Groups to follow apart, and to compare over time.")
    ] = None,
    a: Annotated[
        str | None, typer.Option(help="The group to compare; by default the first of two.")
    ] = None,
    b: Annotated[str | None, typer.Option(help="With which; by default all others.")] = None,
    threshold: Threshold = 0.0,
    random_state: Seed = 0,
    *,
    rows: NewRows,
    output: Output,
) -> None:
    """Follow topics through time: their share in each period, and which rise or fall.

    With groups: in which the course of a topic differs between A and B.
    """
    check_out(output)
    if group_column is None and (a or b):
        raise ValueError("group_column is needed for --a and --b")
    fitted = saetm_plugins.SAETopicModel.load(model, encoder=rows.encoder)
    read = read_collection(
        model, fitted, file, rows, time_column=time_column, group_column=group_column
    )
    groups = None
    if group_column is not None:
        groups, a, b = _read_groups(read.frame, group_column, a, b)
        if a is None:
            known = ", ".join(sorted(groups.dropna().unique())[:10])
            raise ValueError(f"a must be one of the groups of {group_column!r}: {known}")
    times = read_time_column(read.frame, time_column, time_unit, time_format, day_first)
    cut = int(bins) if bins.isdigit() else bins
    with console.status("Resampling"), warnings.catch_warnings():
        table = library.analysis.topic_trends(
            fitted, times, cut, groups=groups, threshold=threshold, doc_atoms=read.doc_atoms,
            random_state=random_state,
        )  # fmt: skip
        table, shown = add_names(table, fitted), None
        names = library.analysis.topic_names(fitted)
        figure = partial(library.plotting.plot_trends, table, names=names)
        try:
            warnings.simplefilter("ignore")  # they are those of the table
            tests = library.analysis.trend_tests(
                fitted, times, cut, groups=groups, a=a, b=b, doc_atoms=read.doc_atoms
            )
        except ValueError as error:  # too few periods to test
            note = str(error)
        else:
            tests = add_names(tests, fitted)
            table = tests.merge(table.drop(columns="name"), on="topic")
            shown = table.drop_duplicates("topic")[list(tests)]
            what = "a topic's share"
            if groups is not None:
                first = ["topic", "name", "rho", "q", "change_a", "change_b", "change"]
                shown = shown[[*first, "peak", "p"]]
                what = f"the share in {a} less that in {b or 'the others'}"
            note = f"rho: rank correlation of {what} with time; change: of the trend (Theil, Sen)"
    give_out(table, f"Topics by {time_column}", output, figure=figure, shown=shown, note=note)


@expand_options
def correlations(
    model: Model,
    level: Level = "topics",
    threshold: Threshold = 0.0,
    *,
    output: Output,
) -> None:
    """Show which topics, or atoms, occur in the same documents more often than by chance."""
    check_out(output)
    fitted = saetm_plugins.SAETopicModel.load(model)
    table = library.analysis.topic_correlations(fitted, level, threshold=threshold)
    figure = partial(library.plotting.plot_correlations, table)
    few = {c: table[c].str.split(", ").str[:3].str.join(", ") for c in ("words_a", "words_b")}
    shown = table.drop(columns=["documents_a", "documents_b"]).assign(**few)
    title = f"{level.capitalize()} in the same documents"
    give_out(table, title, output, figure=figure, shown=shown)


def _read_groups(
    frame: pd.DataFrame, column: str, a: str | None, b: str | None
) -> tuple[pd.Series, str | None, str | None]:
    """Return the groups of documents as texts, a and b; of two groups, those not given as well."""
    groups = frame[column].astype("string")
    known = sorted(groups.dropna().unique())
    for option, name in (("a", a), ("b", b)):
        if name is not None and name not in known:
            raise ValueError(
                f"{option} {name!r} is no group of {column!r}: {', '.join(known[:10])}"
            )
    if len(known) == 2:
        a = a or known[known[0] == b]
        b = b or known[known[0] == a]
    return groups, a, b
