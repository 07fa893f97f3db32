"""Which topics occur together, as a heatmap with associated topics side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from plotly import graph_objects as go
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from saetm_plugins.plotting.style import label_topics, lay_out, need_columns
from saetm_plugins.validation import check_choice, check_count


def plot_correlations(
    table: pd.DataFrame,
    n_topics: int = 40,
    *,
    value: str = "npmi",
    names: Sequence[str] | None = None,
    title: str | None = None,
) -> go.Figure:
    """Draw which topics (or atoms) occur in the same documents, more or less than by chance.

    Rows are ordered by a hierarchical clustering, so that what occurs together stands together.

    Parameters
    ----------
    table : DataFrame
        As :func:`saetm_plugins.analysis.topic_correlations` returns.
    n_topics : int, default=40
        Those that occur in most documents.
    value : {"npmi", "phi"}, default="npmi"
    names : list of str, optional
        Names of topics; their first words by default.
    title : str, optional
    """
    key = "atom" if "atom_a" in getattr(table, "columns", ()) else "topic"
    columns = (
        *(f"{name}_{side}" for name in (key, "words", "documents") for side in "ab"),
        *("documents_both", value),
    )
    check_choice(value, "value", ("npmi", "phi"))
    need_columns(table, columns, "topic_correlations")
    units = _most_frequent(table, key, check_count(n_topics, "n_topics"))
    matrix, counts = _as_matrices(table, key, units["number"].to_numpy(), value)
    order = _seriate(matrix)
    matrix, counts, units = matrix[order][:, order], counts[order][:, order], units.iloc[order]
    labels = label_topics(units.rename(columns={"number": key}), names, key)
    limit = max(0.05, float(np.nanquantile(np.abs(matrix), 0.98)))
    figure = go.Figure(
        go.Heatmap(
            z=matrix,
            x=labels,
            y=labels,
            customdata=counts,
            colorscale="RdBu_r",
            zmid=0,
            zmin=-limit,
            zmax=limit,
            colorbar={"title": value.upper() if value == "npmi" else value},
            hovertemplate="%{y}<br>%{x}<br>%{z:.2f}, in %{customdata:,} documents<extra></extra>",
        )
    )
    side = 260 + 17 * len(labels)
    lay_out(figure, title or f"{key.capitalize()}s in the same documents", side, side + 180)
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain", showgrid=False)
    figure.update_xaxes(tickangle=-60, constrain="domain", showgrid=False)
    for axis in (figure.update_xaxes, figure.update_yaxes):
        axis(tickfont={"size": 10}, dtick=1)
    return figure


def _most_frequent(table: pd.DataFrame, key: str, n_units: int) -> pd.DataFrame:
    both = [
        table[[f"{key}_{side}", f"words_{side}", f"documents_{side}"]].set_axis(
            ["number", "words", "documents"], axis=1
        )
        for side in "ab"
    ]
    units = pd.concat(both).drop_duplicates("number")
    units = units.sort_values(["documents", "number"], ascending=[False, True])
    return units.head(n_units).sort_values("number", ignore_index=True)


def _as_matrices(
    table: pd.DataFrame, key: str, numbers: np.ndarray, value: str
) -> tuple[np.ndarray, np.ndarray]:
    """Return the values and the counts of pairs as symmetric matrices; the diagonal is missing."""
    position = {number: i for i, number in enumerate(numbers)}
    chosen = table[table[f"{key}_a"].isin(position) & table[f"{key}_b"].isin(position)]
    first, second = (chosen[f"{key}_{side}"].map(position).to_numpy() for side in "ab")
    matrices = []
    for column in (value, "documents_both"):
        matrix = np.full((len(numbers), len(numbers)), np.nan)
        matrix[first, second] = matrix[second, first] = chosen[column]
        matrices.append(matrix)
    return matrices[0], matrices[1]


def _seriate(matrix: np.ndarray) -> np.ndarray:
    """Order rows by average linkage, optimal leaf ordering."""
    if len(matrix) < 3:
        return np.arange(len(matrix))
    distances = 1.0 - np.nan_to_num(matrix, nan=-1.0)
    np.fill_diagonal(distances, 0.0)
    condensed = squareform(distances, checks=False)
    return leaves_list(linkage(condensed, method="average", optimal_ordering=True))
