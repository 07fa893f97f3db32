"""Topics that tell collections apart, as the paper's bar chart (arXiv 2511.16309, section 6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from plotly import graph_objects as go

from saetm_plugins.analysis.shares import rank_by_variance
from saetm_plugins.plotting.style import PALETTE, label_topics, lay_out, need_columns
from saetm_plugins.validation import check_count

_MOST_BARS = 12


def plot_coverage(
    table: pd.DataFrame,
    n_topics: int = 10,
    *,
    max_mean: float = 0.4,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> go.Figure:
    """Draw the coverage of the topics that vary most between groups.

    Bars of each group beside each other; with more than 12 groups a heatmap.

    Parameters
    ----------
    table : DataFrame
        As :func:`saetm_plugins.analysis.coverage` or :func:`~saetm_plugins.analysis.topic_shares`
        return; an interval there is drawn too.
    n_topics : int, default=10
        The first of :func:`~saetm_plugins.analysis.rank_topics_by_variance`.
    max_mean : float, default=0.4
        Topics of a larger mean over the groups are left out.
    names : list of str, optional
        Names of topics, as :func:`~saetm_plugins.analysis.topic_names` returns; their first words
        by default.
    title : str, optional
    """
    value = "coverage" if "coverage" in getattr(table, "columns", ()) else "share"
    columns = ("topic", "words", "group", value, "n_documents", "few_documents")
    need_columns(table, columns, "coverage or topic_shares")
    if table.duplicated(["topic", "group"]).any():
        raise ValueError("table holds a topic of a group twice")
    ranked = rank_by_variance(table, value, max_mean).head(check_count(n_topics, "n_topics"))
    if len(ranked) == 0:
        raise ValueError(f"no topic has a mean {value} of at most max_mean={max_mean}")
    labels = dict(zip(ranked["topic"], label_topics(ranked, names), strict=True))
    shown = table[table["topic"].isin(labels)]
    groups = list(dict.fromkeys(shown["group"]))
    draw = _bars if len(groups) <= _MOST_BARS else _heatmap
    figure = draw(shown, value, labels, groups)
    axis = "documents with the topic" if value == "coverage" else "mean share of the topic"
    bars = len(labels) * (18 + 13 * len(groups)) if draw is _bars else 26 * len(labels)
    lay_out(
        figure,
        title or f"Topics that vary most between {len(groups)} groups",
        height=140 + bars,
        bargap=0.25,
        legend={"traceorder": "normal"},
    )
    if draw is _bars:
        figure.update_xaxes(title=axis, tickformat=".0%", rangemode="tozero")
    figure.update_yaxes(autorange="reversed", showgrid=False)
    return figure


def _bars(shown: pd.DataFrame, value: str, labels: dict[int, str], groups: list[Any]) -> Any:
    figure = go.Figure()
    for group, color in zip(groups, PALETTE, strict=False):
        rows = shown[shown["group"] == group].set_index("topic")
        rows = rows.loc[[topic for topic in labels if topic in rows.index]]
        bounds = None
        if "low" in rows:
            bounds = {
                "type": "data",
                "array": rows["high"] - rows[value],
                "arrayminus": rows[value] - rows["low"],
                "thickness": 1,
                "width": 2,
            }
        figure.add_bar(
            y=[labels[topic] for topic in rows.index],
            x=rows[value],
            name=f"{group} ({rows['n_documents'].iloc[0]:,})"
            + (", few" if rows["few_documents"].iloc[0] else ""),
            marker_color=color,
            orientation="h",
            error_x=bounds,
            customdata=rows[["words", "n_documents"]],
            hovertemplate="%{y}<br>%{x:.1%} of %{customdata[1]} documents"
            f"<br>%{{customdata[0]}}<extra>{group}</extra>",
        )
    return figure


def _heatmap(shown: pd.DataFrame, value: str, labels: dict[int, str], groups: list[Any]) -> Any:
    wide = shown.pivot(index="topic", columns="group", values=value)
    wide = wide.reindex(index=list(labels), columns=groups)
    return go.Figure(
        go.Heatmap(
            z=wide,
            x=[str(group) for group in groups],
            y=list(labels.values()),
            colorscale="Blues",
            zmin=0,
            colorbar={"title": value, "tickformat": ".0%"},
            hovertemplate="%{y}<br>%{x}: %{z:.1%}<extra></extra>",
        )
    )
