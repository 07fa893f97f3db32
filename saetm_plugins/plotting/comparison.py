"""Topics in which two groups of documents differ, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from plotly import graph_objects as go

from saetm_plugins.plotting.style import (
    NEUTRAL,
    PALETTE,
    label_topics,
    lay_out,
    need_columns,
)
from saetm_plugins.validation import check_count, check_fraction


def plot_comparison(
    table: pd.DataFrame,
    n_topics: int = 20,
    *,
    a: str = "a",
    b: str = "b",
    alpha: float = 0.05,
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> go.Figure:
    """Draw by how much the share of each topic differs, most in favour of `a` on top.

    Parameters
    ----------
    table : DataFrame
        As :func:`saetm_plugins.analysis.compare_groups` returns.
    n_topics : int, default=20
        The first rows of the table, which are the most different.
    a, b : str
        What to call the two sides.
    alpha : float, default=0.05
        Topics with a larger `q` are grey.
    names : list of str, optional
        Names of topics; their first words by default.
    title : str, optional
    """
    columns = ("topic", "words", "share_a", "share_b", "difference", "low", "high", "q")
    need_columns(table, columns, "compare_groups")
    check_fraction(alpha, "alpha")
    shown = table.head(check_count(n_topics, "n_topics")).sort_values("difference", kind="stable")
    labels = label_topics(shown, names, "atom" if "atom" in shown else "topic")
    shown = shown.assign(label=labels)
    figure = go.Figure()
    sides = (
        (f"more in {a}", (shown["q"] <= alpha) & (shown["difference"] > 0), PALETTE[0]),
        (f"more in {b}", (shown["q"] <= alpha) & (shown["difference"] < 0), PALETTE[5]),
        (f"q > {alpha:g}", shown["q"] > alpha, NEUTRAL),
    )
    for name, chosen, color in sides:
        rows = shown[chosen]
        figure.add_scatter(
            x=rows["difference"],
            y=rows["label"],
            name=name,
            mode="markers",
            marker={"color": color, "size": 9},
            error_x={
                "type": "data",
                "array": rows["high"] - rows["difference"],
                "arrayminus": rows["difference"] - rows["low"],
                "color": color,
                "thickness": 2,
                "width": 0,
            },
            customdata=rows[["share_a", "share_b", "q", "words"]],
            hovertemplate="%{y}<br>%{customdata[3]}<br>"
            f"{a} %{{customdata[0]:.2%}}, {b} %{{customdata[1]:.2%}}"
            ", q = %{customdata[2]:.2g}<extra></extra>",
        )
    figure.add_vline(x=0, line_color="#5F6368", line_width=1)
    lay_out(figure, title or f"Differences between {a} and {b}", height=150 + 26 * len(shown))
    figure.update_xaxes(title=f"difference in mean share, {a} − {b}", tickformat="+.1~%", nticks=10)
    figure.update_yaxes(categoryorder="array", categoryarray=labels)
    return figure
