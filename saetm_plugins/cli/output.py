"""The output of commands: a table on the terminal or in a file, or a page with a figure."""

from __future__ import annotations

import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from saetm_plugins.cli import library
from saetm_plugins.cli.console import print_line, print_table
from saetm_plugins.cli.options import Output
from saetm_plugins.cli.shared import console, refuse_existing
from saetm_plugins.files.write import write_whole

if TYPE_CHECKING:
    import pandas as pd

PAGE_SUFFIXES = (".html", ".htm")
_ROWS_SHOWN = 20
_ROWS_ON_A_PAGE = 2000
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem;
       color: #1b1f24; }
h1 { font-size: 1.4rem; } p { color: #57606a; }
table { border-collapse: collapse; font-size: .88rem; width: 100%; }
th { position: sticky; top: 0; background: #f6f8fa; text-align: left; }
th, td { padding: .3rem .6rem; border-bottom: 1px solid #d8dee4; vertical-align: top; }
td { max-width: 32rem; overflow-wrap: break-word; font-variant-numeric: tabular-nums; }
tr:hover td { background: #f6f8fa; }
"""


def check_out(output: Output) -> None:
    """Raise, before the work, where the file could not be written."""
    out = output.out
    if out is None:
        return
    if out.suffix.lower() in PAGE_SUFFIXES:
        if library.folders.check_parent(out).is_dir():
            raise ValueError(f"out {str(out)!r} is a folder")
    elif out.suffix.lower() in library.tables.TABLE_SUFFIXES:
        library.tables.check_table_path(out, name="out")
    else:
        known = ", ".join((*library.tables.TABLE_SUFFIXES, PAGE_SUFFIXES[0]))
        raise ValueError(f"out must end in one of {known}; found {str(out)!r}")
    refuse_existing(out, output.overwrite)


def give_out(
    frame: pd.DataFrame,
    title: str,
    output: Output,
    *,
    figure: Any = None,
    note: str = "",
    shown: pd.DataFrame | None = None,
    **sheets: Any,
) -> None:
    """Print the first rows of a table (of `shown`, if given) and write all rows to `output`.

    `figure` makes the plotly figure of a page; `note` is a sentence below the title; `sheets` are
    arguments of :func:`saetm_plugins.files.tables.write_table`.
    """
    print_table(frame if shown is None else shown, console, title, n_rows=_ROWS_SHOWN)
    if note:
        print_line(console, note, "")
    out = output.out
    if out is None:
        return
    if out.suffix.lower() in PAGE_SUFFIXES:
        _write_page(frame, out, title, note, None if figure is None else figure())
    else:
        library.tables.write_table(_flat(frame), out, **sheets)
    print_line(console, "Saved to", out)


def add_names(frame: pd.DataFrame, fitted: Any) -> pd.DataFrame:
    """Return a table with the names of its topics behind their numbers."""
    names = dict(enumerate(library.analysis.topic_names(fitted)))
    frame = frame.copy()
    frame.insert(list(frame).index("topic") + 1, "name", frame["topic"].map(names))
    return frame


def _flat(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the table with lists joined by blanks, as files of text hold no lists."""
    lists = [
        column
        for column in frame
        if frame[column].dtype == object and any(isinstance(c, list) for c in frame[column])
    ]
    return frame.assign(
        **{str(c): frame[c].map(lambda cell: " ".join(map(str, cell))) for c in lists}
    )


def _write_page(frame: pd.DataFrame, out: Path, title: str, note: str, figure: Any) -> None:
    """Write one file that opens offline: the figure, then the table."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    if note:
        parts.append(f"<p>{html.escape(note)}</p>")
    if figure is not None:
        parts.append(figure.to_html(full_html=False, include_plotlyjs=True))
    if len(frame) > _ROWS_ON_A_PAGE:
        parts.append(
            f"<p>The first {_ROWS_ON_A_PAGE:,} of {len(frame):,} rows; --out table.csv has all.</p>"
        )
    parts.append(
        _flat(frame.head(_ROWS_ON_A_PAGE)).to_html(
            index=False, border=0, na_rep="", float_format=lambda value: f"{value:.4g}"
        )
    )
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>{''.join(parts)}</body></html>\n"
    )
    write_whole(out, lambda target: target.write_text(page, encoding="utf-8"))
