"""The figures behind a suggested number of topics."""

from __future__ import annotations

from typing import Any

from plotly import graph_objects as go
from plotly.subplots import make_subplots

from saetm_plugins.plotting.style import need_columns

_PANELS = {
    "coherence": "Coherence (NPMI)",
    "diversity": "Diversity",
    "stability": "Stability",
    "log_likelihood": "Held-out log-likelihood",
    "score": "Score",
}


def plot_topic_counts(suggestion: Any, *, title: str | None = None) -> go.Figure:
    """Draw each criterion against the number of topics; the suggested one is marked.

    Parameters
    ----------
    suggestion : SuggestedCount
        As :func:`saetm_plugins.analysis.suggest_n_topics` returns.
    title : str, optional
    """
    table = getattr(suggestion, "table", None)
    if table is None:
        raise TypeError(
            f"suggestion must be what suggest_n_topics returns; found {type(suggestion).__name__}"
        )
    need_columns(table, ("n_topics", "score"), "suggest_n_topics", "suggestion.table")
    title = title or f"{suggestion.n_topics} topics suggested"
    panels = {name: text for name, text in _PANELS.items() if name in table}
    figure = make_subplots(
        rows=len(panels),
        shared_xaxes=True,
        subplot_titles=[*panels.values()],
        vertical_spacing=0.06,
    )
    counts = table["n_topics"]
    for row, name in enumerate(panels, start=1):
        figure.add_scatter(
            x=counts,
            y=table[name],
            mode="lines+markers",
            line={"color": "#0a7f5a" if name == "score" else "#37598c", "width": 2},
            hovertemplate="%{x} topics: %{y:.3f}<extra></extra>",
            showlegend=False,
            row=row,
            col=1,
        )
        figure.add_vline(
            x=suggestion.n_topics, line={"color": "#c8553d", "dash": "dot"}, row=row, col=1
        )
    spread = counts.max() > 10 * counts.min()
    figure.update_xaxes(type="log" if spread else "linear", tickvals=counts, tickformat="d")
    figure.update_xaxes(title="topics", row=len(panels))
    height = 170 * len(panels) + 120
    return figure.update_layout(template="plotly_white", title=title, height=height, width=820)
