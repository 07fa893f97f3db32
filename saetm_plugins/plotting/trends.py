"""Topics through time: lines with their intervals, or stacked shares that sum to 1."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
import pandas as pd
from plotly import graph_objects as go

from saetm_plugins.plotting.style import (
    NEUTRAL,
    PALETTE,
    fade,
    label_topics,
    lay_out,
    need_columns,
)
from saetm_plugins.validation import as_list, check_choice, check_count

_DASHES = ("solid", "dash", "dot", "dashdot")  # of groups


def plot_trends(
    table: pd.DataFrame,
    topics: Sequence[int] | None = None,
    n_topics: int = 8,
    *,
    kind: str = "lines",
    value: str = "share",
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> go.Figure:
    """Draw topics through time; periods without documents stay empty and are marked.

    Parameters
    ----------
    table : DataFrame
        As :func:`saetm_plugins.analysis.topic_trends` returns; with groups, each has a dash.
    topics : sequence of int, optional
        Which topics; None means the `n_topics` whose `value` varies most.
    n_topics : int, default=8
    kind : {"lines", "stacked"}, default="lines"
        "lines" draws the interval of the share as a band; "stacked" adds up all other topics, so
        that shares sum to 1.
    value : {"share", "coverage"}, default="share"
        "coverage" goes with lines only, and has no band.
    names : list of str, optional
        Names of topics; their first words by default.
    title : str, optional
    """
    columns = ("topic", "period", "share", "coverage", "low", "high", "n_documents", "words")
    need_columns(table, columns, "topic_trends")
    check_choice(kind, "kind", ("lines", "stacked"))
    check_choice(value, "value", ("share", "coverage"))
    if kind == "stacked" and value == "coverage":
        raise ValueError('kind="stacked" needs value="share": coverages do not sum to 1')
    if kind == "stacked" and "group" in table:
        raise ValueError('kind="stacked" needs a table of one group')
    if table[value].isna().all():
        raise ValueError(f"table holds no {value}")
    chosen = _choose(table, topics, check_count(n_topics, "n_topics"), value)
    periods = [str(period) for period in dict.fromkeys(table["period"])]
    figure = go.Figure()
    draw = _add_lines if kind == "lines" else _add_stack
    draw(figure, table, chosen, periods, value, names)
    _mark_empty(figure, table, periods)
    axis = "mean share" if value == "share" else "documents with the topic"
    lay_out(figure, title or "Topics through time", height=520, width=1000, hovermode="x unified")
    figure.update_yaxes(title=axis, tickformat=".0%", rangemode="tozero")
    figure.update_xaxes(
        type="category", categoryorder="array", categoryarray=periods, showgrid=False
    )
    figure.update_layout(legend={"traceorder": "normal" if kind == "lines" else "reversed"})
    return figure


def _choose(
    table: pd.DataFrame, topics: Sequence[int] | None, n_topics: int, value: str
) -> list[int]:
    if topics is None:
        spread = table.groupby("topic")[value].std(ddof=0)
        chosen = spread.sort_values(ascending=False, kind="stable").index[:n_topics].tolist()
        # In the order of their last values, as the lines end: the legend reads along.
        last = table.dropna(subset=[value]).groupby("topic")[value].last()
        return sorted(chosen, key=lambda topic: -last[topic])
    topics = as_list(topics, "topics", "numbers of topics")
    unknown = [topic for topic in topics if topic not in list(table["topic"])]
    if unknown or not len(topics):
        raise ValueError(f"topics names {unknown or 'none'}, which the table does not hold")
    return list(topics)


def _add_lines(
    figure: Any, table: pd.DataFrame, chosen: list[int], periods: list[str], value: str, names: Any
) -> None:
    groups = list(dict.fromkeys(table["group"])) if "group" in table else [None]
    for i, topic in enumerate(chosen):
        color = PALETTE[i % len(PALETTE)]
        for group, dash in zip(groups, cycle(_DASHES), strict=False):
            rows = table[table["topic"] == topic]
            label = label_topics(rows.head(1), names)[0]
            if group is not None:
                rows, label = rows[rows["group"] == group], f"{label}, {group}"
            _add_line(figure, rows, label, periods, value, {"color": color, "dash": dash})


def _add_line(
    figure: Any, rows: pd.DataFrame, label: str, periods: list[str], value: str, line: dict
) -> None:
    if value == "share":
        for stretch in _stretches(rows[value].notna().to_numpy()):
            band = rows.iloc[stretch]
            figure.add_scatter(
                x=[periods[j] for j in (*stretch, *stretch[::-1])],
                y=[*band["high"], *band["low"][::-1]],
                fill="toself",
                fillcolor=fade(line["color"], 0.15),
                line={"width": 0},
                mode="lines",
                hoverinfo="skip",
                showlegend=False,
                legendgroup=label,
            )
    figure.add_scatter(
        x=periods,
        y=rows[value],
        name=label,
        legendgroup=label,
        mode="lines+markers",
        marker={"size": 5},
        line={**line, "width": 2.2},
        customdata=rows[["n_documents"]],
        hovertemplate="%{y:.1%} of %{customdata[0]:,} documents",
    )


def _add_stack(
    figure: Any, table: pd.DataFrame, chosen: list[int], periods: list[str], value: str, names: Any
) -> None:
    wide = table.pivot(index="topic", columns="period", values=value)
    wide = wide[list(dict.fromkeys(table["period"]))]
    layers = [
        (label_topics(table[table["topic"] == topic].head(1), names)[0], wide.loc[topic], color)
        for topic, color in zip(chosen, PALETTE * (1 + len(chosen) // len(PALETTE)), strict=False)
    ]
    others = wide.drop(index=chosen)
    if len(others):
        layers.append((f"{len(others)} other topics", others.sum(min_count=1), NEUTRAL))
    for label, shares, color in layers:
        figure.add_bar(
            x=periods, y=shares, name=label, marker_color=color, hovertemplate="%{y:.1%}"
        )
    figure.update_layout(barmode="stack", bargap=0.04)


def _stretches(filled: np.ndarray) -> list[list[int]]:
    """Return runs of consecutive periods that hold documents."""
    where = np.flatnonzero(filled)
    runs = np.split(where, np.flatnonzero(np.diff(where) > 1) + 1)
    return [run.tolist() for run in runs if len(run)]


def _mark_empty(figure: Any, table: pd.DataFrame, periods: list[str]) -> None:
    first = table[table["topic"] == table["topic"].iloc[0]]
    counts = first.groupby("period", sort=False)["n_documents"].sum().to_numpy()
    for period in np.flatnonzero(counts == 0):
        figure.add_vrect(
            x0=period - 0.5, x1=period + 0.5, fillcolor="#EEF0F2", line_width=0, layer="below"
        )
    if (counts == 0).any():
        figure.add_annotation(
            text="grey: no documents",
            xref="paper",
            yref="paper",
            x=1,
            y=1.06,
            showarrow=False,
            font={"size": 11, "color": "#5F6368"},
        )
