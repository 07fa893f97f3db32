"""The page to explore topics: one HTML file that needs neither a server nor the network.

The parts of the page are in ``page/``; its content is made here, as compressed JSON. Text of the
data never becomes markup: it is base64 within the file and plain text in the page, whose content
security policy lets no script run but its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import os
import sys
import warnings
from bisect import bisect_left
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saetm_plugins.analysis.explanation import spans
from saetm_plugins.analysis.fitted import as_topic_model, atom_words
from saetm_plugins.analysis.groups import Groups, read_groups
from saetm_plugins.analysis.levels import TopicLevels, topic_levels, topic_similarity
from saetm_plugins.analysis.names import name_levels
from saetm_plugins.analysis.periods import cut_into_periods
from saetm_plugins.analysis.taxonomy import words_of
from saetm_plugins.corpus.images.reading import UnreadableImage, open_images
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.plotting.pages import check_page, data_uri, write_page
from saetm_plugins.plotting.positions import map_documents
from saetm_plugins.plotting.style import PALETTE, blend, color_scale
from saetm_plugins.validation import as_list, check_count, check_embeddings, check_text

LARGEST_PAGE = 15_000_000
"""Bytes; texts are shortened until the page is smaller."""
_MOST_CHARACTERS = 4000  # of a text
_TOPICS_OF_DOCUMENT = 5
_ATOMS_OF_DOCUMENT = 6
_TYPICAL = 12
_NEAR = 6
_WORDS = 12
_MOST_GROUPS = len(PALETTE)
_OUTSIDE = 0.5  # per cent of documents that may lie beyond each edge of the first view
_NAME_SHOWN = 80


def explore(
    model: Any,
    documents: Any,
    path: str | os.PathLike[str],
    *,
    levels: Sequence[int] | None = None,
    embeddings: Any = None,
    positions: Any = None,
    ids: Any = None,
    groups: Any = None,
    times: Any = None,
    images: Any = None,
    namer: Any = None,
    encoder: Any = None,
    title: str = "Topics",
    group_label: str = "group",
    time_label: str = "time",
    evidence: bool = False,
    max_documents: int = 20_000,
    random_state: int = 0,
    overwrite: bool = False,
    verbose: bool = False,
    **naming: Any,
) -> Path:
    """Write a page to explore a model's topics and documents in: one self-contained HTML file.

    A map of documents whose labels grow finer on zooming; a search box over words, names and
    documents; a slider over the levels; panels of topics and of documents. It opens offline.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    documents : list of str, length n
        The fitted documents; captions, or None, where there are `images`.
    path : path
        The file to write, ending in ``.html``.
    levels : sequence of int, optional
        As of :func:`saetm_plugins.analysis.taxonomy`.
    embeddings : array-like of shape (n, d), optional
        What the map is made from; None uses the documents' reconstruction from atoms.
    positions : array-like of shape (n, 2), optional
        A ready-made map; None makes one with :func:`map_documents`.
    ids : iterable of length n, optional
        What documents are called; by default their row numbers.
    groups, times : array-like of length n, optional
        A topic's panel shows its share by group and over time, and documents can be coloured by
        them.
    images : folder, or sequence of n paths, PIL images or arrays, optional
        As of :func:`saetm_plugins.images.open_images`; a topic's panel shows its typical ones.
    namer : chat or callable, optional
        Names topics without a label, see :func:`saetm_plugins.analysis.name_topics`; None names
        them by phrases. Further arguments of that function go to it.
    encoder : str or object with ``encode(list[str])``, optional
        For names, when the model has none.
    title, group_label, time_label : str
        Shown in the page.
    evidence : bool, default=False
        Mark in topics' typical documents the sentences in which their main topic weighs most; the
        model's encoder reads these documents again.
    max_documents : int, default=20_000
        Of more, this number is drawn at random (a warning says so); shares are of all.
    random_state : int, default=0
    overwrite : bool, default=False
    verbose : bool, default=False
        Say on standard error what is being done.
    """

    def say(what: str) -> None:
        if verbose:
            print(what, file=sys.stderr)

    path = check_page(path, (".html", ".htm"), overwrite)
    labels = {"title": title, "group_label": group_label, "time_label": time_label}
    for name, label in labels.items():
        check_text(label, name)
    model = as_topic_model(model)
    n_documents = model.doc_atoms_.shape[0]
    texts = _read_texts(documents, images, n_documents)
    max_documents = check_count(max_documents, "max_documents")
    random_state = check_count(random_state, "random_state", minimum=0)
    if ids is not None:
        ids = _of_length(as_list(ids, "ids", "one value per document"), n_documents, "ids")
    if images is not None:
        images = _of_length(open_images(images), n_documents, "images")
    by_group = None if groups is None else _Shares.of_groups(groups, n_documents, group_label)
    by_time = None if times is None else _Shares.of_times(times, n_documents, time_label)
    vectors = None
    if embeddings is not None:
        vectors = check_embeddings(embeddings, n_rows=n_documents)
    if positions is not None:
        positions = check_embeddings(positions, name="positions", n_rows=n_documents, width=2)
    tree = topic_levels(model, levels)
    named = None if documents is None else texts
    say(f"Naming {sum(map(len, tree.topics))} topics")
    names = name_levels(
        model, tree, named, namer=namer, embeddings=vectors, encoder=encoder, **naming
    )
    rows = _sample(n_documents, max_documents, random_state)
    if positions is None:
        say(f"Laying out {len(rows):,} documents")
        if vectors is None:
            near = np.asarray(model.doc_atoms_[rows] @ model.atoms_.centroids)
        else:
            near = vectors[rows]
        positions = map_documents(near, random_state=random_state)
    else:
        positions = positions[rows]
    say("Writing the page")
    place, first_view = _frame(positions)
    content = _content(model, tree, names, rows, place, by_group, by_time)
    content["first_view"] = first_view
    content["ids"] = [str(row) if ids is None else str(ids[row]) for row in rows]
    if evidence and documents is not None:
        content["evidence"] = _evidence(model, texts, rows, content["levels"][-1])
    content["pictures"] = _pictures(images, rows, content["levels"])
    write_page(path, _page_below(content, [texts[row] for row in rows], title).encode("utf-8"))
    return path


def _frame(positions: np.ndarray) -> tuple[np.ndarray, list[list[float]]]:
    """Scale a map to 0 … 1; return it and the corners of the view that 98 % of documents are in.

    Those far away are moved to where the page still reaches, so that the others stay apart.
    """
    low, high = np.percentile(positions, [_OUTSIDE, 100 - _OUTSIDE], axis=0)
    span = np.maximum(high - low, 1e-9)
    place = (np.clip((positions - low) / span, -1, 2) + 1) / 3
    least, most = place.min(axis=0), place.max(axis=0)
    return place, [np.maximum(least, 1 / 3).tolist(), np.minimum(most, 2 / 3).tolist()]


class _Shares(NamedTuple):
    """Groups or periods of documents, as the page shows them."""

    label: str
    groups: Groups
    codes: np.ndarray  # the number of each document's group, -1 for none
    colors: Sequence[str]

    @classmethod
    def of_groups(cls, groups: Any, n_documents: int, label: str) -> _Shares:
        """Read groups, see :func:`saetm_plugins.analysis.groups.read_groups`; show the largest."""
        found = read_groups(groups, n_documents)
        largest = np.sort(np.argsort(-found.sizes, kind="stable")[:_MOST_GROUPS])
        codes = np.full(n_documents, -1)
        for number, group in enumerate(largest):
            codes[found.rows(group)] = number
        names = [found.names[group] for group in largest]
        return cls(label, Groups(names, found.members[largest], found.known), codes, PALETTE)

    @classmethod
    def of_times(cls, times: Any, n_documents: int, label: str) -> _Shares:
        """Read times, see :func:`saetm_plugins.analysis.periods.cut_into_periods`."""
        found = cut_into_periods(times, "auto", n_documents)
        colors = color_scale(len(found.names))
        return cls(label, Groups.of_codes(found.names, found.codes), found.codes, colors)

    def of_topics(self, doc_topics: np.ndarray) -> np.ndarray:
        """Return the mean share of each topic in each group, (G, T)."""
        sizes = np.asarray(self.groups.members.sum(axis=1))
        return np.asarray(self.groups.members @ doc_topics) / np.maximum(sizes, 1)


def _content(
    model: Any,
    tree: TopicLevels,
    names: list[list[str]],
    rows: np.ndarray,
    place: np.ndarray,
    by_group: _Shares | None,
    by_time: _Shares | None,
) -> dict[str, Any]:
    """Return what the page shows, except texts, ids and pictures."""
    labels, doc_topics = tree.topics[-1].mixtures(model.doc_atoms_, tree.topics[-1].groups)
    levels: list[list[dict[str, Any]]] = []
    for level in range(len(tree)):
        above = tree.ancestors(level)
        mixed = np.zeros((len(doc_topics), len(tree.topics[level])), dtype=np.float32)
        for child, parent in enumerate(above):
            mixed[:, parent] += doc_topics[:, child]
        levels.append(_level(model, tree, level, names[level], mixed[rows], labels[rows], place))
        for key, shares in (("groups", by_group), ("times", by_time)):
            if shares is not None:
                for topic, line in zip(levels[-1], shares.of_topics(mixed).T, strict=True):
                    topic[key] = line.round(5).tolist()
    _color(levels)
    topics, topic_shares = _largest(doc_topics[rows], _TOPICS_OF_DOCUMENT)
    atoms, atom_shares = _largest_atoms(model.doc_atoms_[rows], _ATOMS_OF_DOCUMENT)
    shown = np.unique(atoms[atom_shares > 0])
    content: dict[str, Any] = {
        "levels": levels,
        "atoms": dict(zip(map(str, shown), atom_words(model, 5, shown), strict=True)),
        "arrays": {
            "positions": _packed(np.round(place * 65535), np.uint16),
            "topics": _packed(labels[rows], np.int16),
            "mixture_topics": _packed(topics, np.uint16),
            "mixture_shares": _packed(np.round(topic_shares * 255), np.uint8),
            "atoms": _packed(atoms, np.uint32),
            "atom_shares": _packed(np.round(atom_shares * 255), np.uint8),
        },
    }
    for key, shares in (("groups", by_group), ("times", by_time)):
        content[key] = None
        if shares is not None:
            of = shares.codes[rows].tolist()
            shown_names = [str(name) for name in shares.groups.names]
            content[key] = {
                "label": shares.label,
                "names": shown_names,
                "colors": list(shares.colors[: len(shown_names)]),
                "of": of,
            }
    return content


def _level(
    model: Any,
    tree: TopicLevels,
    level: int,
    names: list[str],
    mixed: np.ndarray,
    labels: np.ndarray,
    place: np.ndarray,
) -> list[dict[str, Any]]:
    """Return the page's data of each topic of a level."""
    topics = tree.topics[level]
    main = np.where(labels >= 0, tree.ancestors(level)[labels], -1)
    words = words_of(model, topics, _WORDS)
    alike = topic_similarity(model, topics)
    np.fill_diagonal(alike, -np.inf)
    found = []
    for topic in range(len(topics)):
        own = np.flatnonzero(main == topic)
        typical = np.argsort(-mixed[:, topic], kind="stable")[:_TYPICAL]
        near = np.argsort(-alike[topic], kind="stable")[: min(_NEAR, len(topics) - 1)]
        found.append(
            {
                "name": " ".join(names[topic].split())[:_NAME_SHOWN],
                "words": words[topic],
                "share": round(float(topics.prevalence[topic]), 6),
                "parent": int(tree.parents[level - 1][topic]) if level else -1,
                "place": None if not len(own) else _center(place[own]),
                "typical": typical.tolist(),
                "near": [[int(other), round(float(alike[topic, other]), 2)] for other in near],
            }
        )
    return found


def _center(points: np.ndarray) -> list[int]:
    """Return the point nearest to the median: a label stands on its documents."""
    median = np.median(points, axis=0)
    nearest = points[np.argmin(((points - median) ** 2).sum(axis=1))]
    return np.round(nearest * 65535).astype(int).tolist()


def _color(levels: list[list[dict[str, Any]]]) -> None:
    """Give topics different colours: up to 20 of a level their own, more shades of those above.

    A topic's largest part keeps its colour.
    """
    for level, topics in enumerate(levels):
        by_share = sorted(topics, key=lambda topic: -topic["share"])
        above: list[Any] = [
            levels[level - 1][topic["parent"]] if level else None for topic in by_share
        ]
        if len(topics) <= len(PALETTE):
            kept = list(dict.fromkeys(parent["color"] for parent in above if parent is not None))
            free = [color for color in PALETTE if color not in kept]
            for topic, parent in zip(by_share, above, strict=True):
                own = parent is not None and parent["color"] in kept
                topic["color"] = kept.pop(kept.index(parent["color"])) if own else free.pop(0)
            continue
        families: dict[str, list[dict[str, Any]]] = {}
        for place, (topic, parent) in enumerate(zip(by_share, above, strict=True)):
            color = PALETTE[place % len(PALETTE)] if parent is None else parent["color"]
            families.setdefault(color, []).append(topic)
        for color, family in families.items():
            shades = sorted(np.linspace(-0.45, 0.6, len(family)), key=abs)
            shades[0] = 0.0
            for topic, shade in zip(family, shades, strict=True):
                topic["color"] = blend(
                    color, "#FFFFFF" if shade > 0 else "#000000", float(abs(shade))
                )


def _largest(doc_topics: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-doc_topics, axis=1, kind="stable")[:, : min(n, doc_topics.shape[1])]
    return order, np.take_along_axis(doc_topics, order, axis=1)


def _largest_atoms(doc_atoms: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest atoms of each document and their shares, (n, m); 0: none."""
    atoms = np.zeros((doc_atoms.shape[0], n), dtype=np.int64)
    shares = np.zeros(atoms.shape)
    for row in range(doc_atoms.shape[0]):
        of_row = slice(doc_atoms.indptr[row], doc_atoms.indptr[row + 1])
        order = np.argsort(-doc_atoms.data[of_row], kind="stable")[:n]
        atoms[row, : len(order)] = doc_atoms.indices[of_row][order]
        shares[row, : len(order)] = doc_atoms.data[of_row][order]
    return atoms, shares


def _pictures(images: Any, rows: np.ndarray, levels: Any) -> dict[str, str]:
    """Return thumbnails of the typical documents of all topics, by their index in the page."""
    if images is None:
        return {}
    shown = sorted({index for level in levels for topic in level for index in topic["typical"]})
    found = {}
    for index in shown:
        with suppress(UnreadableImage):  # among the typical ones of a tiny topic
            found[str(index)] = data_uri(images[int(rows[index])])
    return found


def _evidence(model: Any, texts: list[str], rows: np.ndarray, topics: Any) -> dict[str, list[int]]:
    """Return where in typical documents the topic weighs most, by their index in the page.

    The page counts characters as JavaScript does, in UTF-16.
    """
    found = {}
    for index in sorted({index for topic in topics for index in topic["typical"]}):
        text, topic = texts[rows[index]], int(model.labels_[rows[index]])
        if topic < 0 or not text.strip():
            continue
        best = spans(model, text, topic).iloc[0]
        ends = (text[: best["start"]], text[: best["end"]].rstrip())
        if len(ends[1]) < len(text.rstrip()) or ends[0]:
            found[str(index)] = [len(end.encode("utf-16-le")) // 2 for end in ends]
    return found


def _page_below(content: dict[str, Any], texts: list[str], title: str) -> str:
    """Return the page, its texts shortened as far as it must be to stay small."""
    longest = _MOST_CHARACTERS
    while True:
        cut = [text if len(text) <= longest else text[:longest] + " …" for text in texts]
        page = _page({**content, "texts": cut}, title)
        if len(page) < LARGEST_PAGE or longest < 50:
            return page
        # Texts are nearly all of it: aim at what fits, a little below.
        used = sum(map(len, cut))
        excess = (len(page) - 0.95 * LARGEST_PAGE) / len(page) * used
        longest = _longest_that_saves(np.array([len(text) for text in texts]), longest, excess)


def _longest_that_saves(lengths: np.ndarray, longest: int, excess: float) -> int:
    """Return the greatest length that shortens texts by `excess` characters in all."""
    used = np.minimum(lengths, longest).sum()

    def saves_too_little(length: int) -> bool:
        return bool(used - np.minimum(lengths, length).sum() < excess)

    return max(bisect_left(range(longest), True, key=saves_too_little) - 1, 0)


def _page(content: dict[str, Any], title: str) -> str:
    parts = Path(__file__).parent / "page"
    kinds = ("html", "css", "js")
    page, style, script = ((parts / f"page.{kind}").read_text(encoding="utf-8") for kind in kinds)
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    packed = gzip.compress(text.encode("utf-8", errors="replace"), 9, mtime=0)
    values = {
        "TITLE": html.escape(title),
        "STYLE_HASH": _hash(style),
        "SCRIPT_HASH": _hash(script),
        "STYLE": style,
        "SCRIPT": script,
        "DATA": base64.b64encode(packed).decode("ascii"),
    }
    pieces = page.split("{{")
    filled = [pieces[0]]
    for piece in pieces[1:]:  # each slot once, so that no value is read as a slot
        name, _, rest = piece.partition("}}")
        filled.append(values[name] + rest)
    return "".join(filled)


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode()


def _packed(values: Any, dtype: Any) -> str:
    little = np.ascontiguousarray(values).astype(np.dtype(dtype).newbyteorder("<"))
    return base64.b64encode(little.tobytes()).decode("ascii")


def _read_texts(documents: Any, images: Any, n_documents: int) -> list[str]:
    if documents is None:
        if images is None:
            raise ValueError("documents and images are both None; give at least one")
        return [""] * n_documents
    texts = check_documents(documents)
    if len(texts) != n_documents:
        raise ValueError(
            f"documents holds {len(texts)} texts; the model was fitted to {n_documents}"
        )
    return texts


def _of_length(values: Any, n_documents: int, name: str) -> Any:
    if len(values) != n_documents:
        raise ValueError(f"{name} has {len(values)} entries for {n_documents} documents")
    return values


def _sample(n_documents: int, most: int, random_state: int) -> np.ndarray:
    if n_documents <= most:
        return np.arange(n_documents)
    warnings.warn(
        f"the page shows {most:,} of {n_documents:,} documents, drawn at random "
        "(max_documents); shares are of all",
        UserWarning,
        stacklevel=3,
    )
    chosen = np.random.default_rng(random_state).choice(n_documents, most, replace=False)
    return np.sort(chosen)
