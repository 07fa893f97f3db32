"""Names of topics, colours and layout, the same in all figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from saetm_plugins.validation import as_names

# Okabe and Ito's colours, which the colour-blind can distinguish; then colours that are far from
# these and from each other (in OKLab), and are seen on white and on black.
PALETTE = (
    *("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F6BB3", "#A6A600"),
    *("#00E0A0", "#C04080", "#887058", "#E8A8F8", "#B02808", "#9888F8", "#007800", "#C0D020"),
    *("#5838B0", "#C0C8B0", "#901068", "#685000"),
)
_SCALE = ("#4A3A9C", "#2A9D8F", "#E9A23B")  # of periods, the first to the last
NEUTRAL = "#B8BDC4"
_LONGEST_NAME = 40


def label_topics(table: pd.DataFrame, names: Sequence[str] | None, key: str = "topic") -> list[str]:
    """Return a label for the topic of each row: its number, and its name or first words."""
    if names is not None:
        names = as_names(names)
    labels = []
    words = table["words"] if "words" in table else [""] * len(table)
    first = [str(text).split(", ")[:3] for text in words]
    # Terms of several words, such as a classifier's labels, would run into each other.
    between = ", " if any(" " in word for row in first for word in row) else " "
    for number, row in zip(table[key], first, strict=True):
        if names is not None and key == "topic" and 0 <= number < len(names):
            name = names[number]
        else:
            name = between.join(row)
        if len(name) > _LONGEST_NAME:
            name = name[: _LONGEST_NAME - 1].rstrip() + "…"
        labels.append(f"{number} · {name}" if name else f"{key} {number}")
    return labels


def blend(color: str, other: str, share: float) -> str:
    """Return a "#rrggbb" colour of which `other` makes up a share."""
    mixed = [round(a + share * (b - a)) for a, b in zip(_rgb(color), _rgb(other), strict=True)]
    return "#{:02X}{:02X}{:02X}".format(*mixed)


def color_scale(n: int) -> list[str]:
    """Return n colours in an order that the eye sees, for periods."""
    places = [2 * i / max(n - 1, 1) for i in range(n)]
    low = [min(int(place), 1) for place in places]
    return [
        blend(_SCALE[i], _SCALE[i + 1], place - i) for i, place in zip(low, places, strict=True)
    ]


def _rgb(color: str) -> list[int]:
    return [int(color[i : i + 2], 16) for i in (1, 3, 5)]


def fade(color: str, opacity: float) -> str:
    """Return a "#rrggbb" colour as an rgba() of some opacity."""
    red, green, blue = _rgb(color)
    return f"rgba({red},{green},{blue},{opacity:g})"


def lay_out(figure: Any, title: str, height: int, width: int | None = 900, **layout: Any) -> Any:
    """Give a figure the common layout; return it."""
    figure.update_layout(
        template="plotly_white",
        title={"text": title, "x": 0.02, "font": {"size": 17}},
        font={"family": "Helvetica, Arial, sans-serif", "size": 13, "color": "#2A2F36"},
        height=height,
        width=width,
        margin={"l": 20, "r": 30, "t": 70, "b": 50},
        hoverlabel={"align": "left"},
        **layout,
    )
    figure.update_xaxes(automargin=True, gridcolor="#E8EAED", zerolinecolor="#9AA0A6")
    figure.update_yaxes(automargin=True, gridcolor="#E8EAED", zerolinecolor="#9AA0A6")
    figure.update_yaxes(ticks="outside", tickcolor="rgba(0,0,0,0)", ticklen=6)  # room for labels
    return figure


def need_columns(table: Any, columns: Sequence[str], maker: str, name: str = "table") -> None:
    """Raise unless `table`, the argument `name`, is a DataFrame with rows and these columns."""
    if not hasattr(table, "columns"):
        raise TypeError(f"{name} must be what {maker} returns; found {type(table).__name__}")
    missing = [column for column in columns if column not in table]
    if missing:
        raise ValueError(f"{name} must be what {maker} returns; it lacks {', '.join(missing)}")
    if len(table) == 0:
        raise ValueError(f"{name} has no rows")
