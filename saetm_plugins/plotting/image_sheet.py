"""A sheet of pictures: a row of typical ones for each topic or atom, with its words and size."""

from __future__ import annotations

import html
import io
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from saetm_plugins.analysis.fitted import as_topic_model, atom_words, topic_words
from saetm_plugins.corpus.images.reading import Images, UnreadableImage, open_images
from saetm_plugins.plotting.pages import check_page, data_uri, write_page
from saetm_plugins.validation import as_list, check_choice, check_count, check_text

if TYPE_CHECKING:
    from PIL.Image import Image

_GAP = 6  # pixels
_TEXT_WIDTH = 300
_INK, _QUIET = "#2A2F36", "#6B7280"
_MOST_PIXELS = 100_000_000  # of a PNG


class SheetRow(NamedTuple):
    """A topic or an atom on the sheet.

    ``name``: its label, or "". ``n_images``: the pictures whose largest topic it is, or in which
    the atom is active. ``share``: of all. ``pictures``: the numbers of typical ones.
    """

    number: int
    name: str
    words: str
    n_images: int
    share: float
    pictures: list[int]


def image_sheet(
    model: Any,
    images: Any,
    path: str | os.PathLike[str],
    *,
    level: str = "topics",
    topics: Sequence[int] | None = None,
    n_images: int = 10,
    n_words: int = 6,
    size: int = 96,
    title: str | None = None,
    overwrite: bool = False,
) -> Path:
    """Write a sheet of pictures: a row of the most typical ones for each topic.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    images : folder, or sequence of paths, PIL images or arrays
        The fitted pictures, as of :func:`saetm_plugins.images.open_images`; only those shown are
        decoded.
    path : path
        The file to write, ending in ``.png`` or ``.html``.
    level : {"topics", "atoms"}, default="topics"
    topics : sequence of int, optional
        The numbers of the topics or atoms to show, in this order; None shows all topics, or the
        50 atoms of the largest shares.
    n_images : int, default=10
        Pictures in a row.
    n_words : int, default=6
    size : int, default=96
        Pixels of a picture's side.
    title : str, optional
    overwrite : bool, default=False
    """
    path = check_page(path, (".png", ".html"), overwrite)
    check_choice(level, "level", ("topics", "atoms"))
    n_images, n_words = check_count(n_images, "n_images"), check_count(n_words, "n_words")
    size = check_count(size, "size")
    if title is not None:
        check_text(title, "title")
    model, pictures = as_topic_model(model), open_images(images)
    n_fitted = model.doc_atoms_.shape[0]
    if len(pictures) != n_fitted:
        raise ValueError(f"images holds {len(pictures)}; the model was fitted to {n_fitted}")
    make = _topic_rows if level == "topics" else _atom_rows
    rows = make(model, topics, n_images, n_words)
    if title is None:
        title = f"{len(rows)} {level} of {n_fitted:,} pictures"
    write = _write_png if path.suffix.lower() == ".png" else _write_html
    write_page(path, write(rows, pictures, title, level, n_images, size))
    return path


def _topic_rows(model: Any, topics: Any, n_images: int, n_words: int) -> list[SheetRow]:
    numbers = _chosen(topics, range(model.n_topics_), model.n_topics_)
    words = topic_words(model, n_words)
    rows = []
    for topic in numbers:
        # A picture stands in the row of its largest topic, if it has one.
        shares = np.where(model.labels_ == topic, model.doc_topics_[:, topic], -1.0)
        typical = np.argsort(-shares, kind="stable")[:n_images]
        rows.append(
            SheetRow(
                topic,
                model.topic_labels_[topic] or "",
                words[topic],
                int((model.labels_ == topic).sum()),
                float(model.topic_prevalence_[topic]),
                [int(row) for row in typical if shares[row] > 0],
            )
        )
    return rows


def _atom_rows(model: Any, atoms: Any, n_images: int, n_words: int) -> list[SheetRow]:
    prevalence = model.atom_prevalence_
    largest = np.argsort(-prevalence, kind="stable")[:50]
    largest = largest[prevalence[largest] > 0]
    numbers = _chosen(atoms, largest.tolist(), len(prevalence))
    words = atom_words(model, n_words, numbers)
    by_atom = model.doc_atoms_.tocsc()
    rows = []
    for index, atom in enumerate(numbers):
        entries = slice(by_atom.indptr[atom], by_atom.indptr[atom + 1])
        order = np.argsort(-by_atom.data[entries], kind="stable")[:n_images]
        typical = by_atom.indices[entries][order].tolist()
        n_active = int(entries.stop - entries.start)
        share = float(prevalence[atom])
        rows.append(SheetRow(atom, "", words[index], n_active, share, typical))
    return rows


def _chosen(numbers: Any, all_numbers: Any, n_known: int) -> list[int]:
    if numbers is None:
        return list(all_numbers)
    numbers = as_list(numbers, "topics", "numbers")
    chosen = [check_count(number, "topics", minimum=0) for number in numbers]
    if not chosen or max(chosen) >= n_known:
        raise ValueError(f"topics must name some of 0 to {n_known - 1}; found {numbers!r:.80}")
    return chosen


def _caption(row: SheetRow, level: str) -> tuple[str, str]:
    """Return the heading of a row and the line below it."""
    heading = row.name or row.words
    heading = f"{row.number} · {heading}" if heading else f"{level[:-1].capitalize()} {row.number}"
    return heading, f"{row.n_images:,} pictures · {row.share:.1%}"


def _squares(images: Images, row: SheetRow, size: int) -> Iterator[tuple[int, Image]]:
    """Yield the number and the middle of each picture of a row that can be decoded."""
    from PIL import Image, ImageOps

    for number in row.pictures:
        with suppress(UnreadableImage):
            picture = images.read(number, 4 * size)
            enlarged = min(picture.size) < size
            method = Image.Resampling.BICUBIC if enlarged else Image.Resampling.LANCZOS
            yield number, ImageOps.fit(picture, (size, size), method)


def _write_png(
    rows: list[SheetRow], images: Images, title: str, level: str, n_images: int, size: int
) -> bytes:
    from PIL import Image, ImageDraw, ImageFont

    step, top = size + _GAP, 48
    shape = (_TEXT_WIDTH + n_images * step + 2 * _GAP, top + len(rows) * step + _GAP)
    if shape[0] * shape[1] > _MOST_PIXELS:
        raise ValueError(
            f"path: a PNG of {shape[0]} × {shape[1]} pixels is too large; show fewer topics, or "
            "write .html"
        )
    sheet = Image.new("RGB", shape, "white")
    draw = ImageDraw.Draw(sheet)
    large, middle, small = (ImageFont.load_default(points) for points in (20, 15, 12))
    draw.text((2 * _GAP, 14), title, _INK, large)
    for index, row in enumerate(rows):
        y = top + index * step
        heading, below = _caption(row, level)
        fitting = max(1, (size - 16) // 19)
        lines = wrap(heading, middle, _TEXT_WIDTH - 4 * _GAP)[:fitting]
        for number, line in enumerate(lines):
            shown = line.rstrip(",") if number == len(lines) - 1 else line
            draw.text((2 * _GAP, y + 19 * number), shown, _INK, middle)
        draw.text((2 * _GAP, y + 19 * len(lines) + 2), below, _QUIET, small)
        for column, (_, square) in enumerate(_squares(images, row, size)):
            sheet.paste(square, (_TEXT_WIDTH + column * step, y))
    buffer = io.BytesIO()
    sheet.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def wrap(text: str, font: Any, width: int) -> list[str]:
    """Break a text into lines of at most `width` pixels, between words joined by commas."""
    lines = [""]
    parts = text.replace(", ", ",\n").split("\n")
    if len(parts) == 1 or any(font.getlength(part) > width for part in parts):
        parts = text.split()
    for part in parts:
        longer = f"{lines[-1]} {part}".strip()
        if lines[-1] and font.getlength(longer) > width:
            lines.append(part)
        else:
            lines[-1] = longer
    return lines


_STYLE = """
:root { color-scheme: light }
body { font: 15px/1.4 system-ui, sans-serif; color: #2A2F36; margin: 24px }
h1 { font-size: 20px }
section { display: flex; gap: 16px; margin-bottom: 8px; align-items: flex-start }
header { width: 260px; flex: none }
h2 { font-size: 15px; margin: 0; overflow-wrap: anywhere }
p { font-size: 13px; color: #6B7280; margin: 2px 0 }
div { display: flex; gap: 6px; flex-wrap: wrap }
img { object-fit: cover; border-radius: 3px }
"""


def _write_html(
    rows: list[SheetRow], images: Images, title: str, level: str, n_images: int, size: int
) -> bytes:
    parts = []
    for row in rows:
        heading, below = _caption(row, level)
        shown = []
        for number, square in _squares(images, row, size):
            name = html.escape(images.names[number], quote=True)
            source = data_uri(square, size)
            shown.append(f'<img src="{source}" alt="{name}" title="{name}" width="{size}">')
        parts.append(
            f"<section><header><h2>{html.escape(heading)}</h2><p>{html.escape(below)}</p></header>"
            f"<div>{''.join(shown)}</div></section>"
        )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
        f"<h1>{html.escape(title)}</h1>{''.join(parts)}</html>"
    )
    return page.encode("utf-8", errors="replace")
