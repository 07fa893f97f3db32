"""The taxonomy of a model's topics: a table of nested levels, and its export to other tools."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from saetm_plugins import edits
from saetm_plugins.analysis.fitted import as_topic_model, join_words
from saetm_plugins.analysis.levels import topic_levels
from saetm_plugins.analysis.names import name_levels
from saetm_plugins.topics import Topics, check_topics
from saetm_plugins.validation import check_count

_COLUMNS = ("level", "topic", "parent", "name", "share", "words")


def taxonomy(
    model: Any,
    levels: Sequence[int] | None = None,
    *,
    documents: Any = None,
    namer: Any = None,
    n_words: int = 10,
) -> pd.DataFrame:
    """Return nested levels of topics: a row a topic and level.

    The topics of the finest level are joined upwards: every topic has one parent, every parent has
    at least two children, and shares add up. Nothing is trained; the model is not changed.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    levels : sequence of int, optional
        Numbers of topics, such as ``[8, 40, 200]``; see
        :func:`saetm_plugins.analysis.topic_levels`.
    documents : list of str, optional
        The fitted documents: topics without a label are then named by their phrases, see
        :func:`saetm_plugins.analysis.name_levels`; without, by their words.
    namer : chat or callable, optional
        A language model that names topics, see :func:`saetm_plugins.analysis.name_topics`.
    n_words : int, default=10

    Returns
    -------
    DataFrame
        Columns ``level`` (0 is the coarsest), ``topic``, ``parent`` (its number in the level above,
        missing in the first), ``name`` (no two alike), ``share``, ``words``.
    """
    model = as_topic_model(model)
    n_words = check_count(n_words, "n_words")
    tree = topic_levels(model, levels)
    names = name_levels(model, tree, documents, namer=namer)
    parts = []
    for level, topics in enumerate(tree.topics):
        parent = tree.parents[level - 1] if level else [None] * len(topics)
        words = words_of(model, topics, n_words)
        parts.append(_table(level, parent, names[level], topics.prevalence, words))
    return pd.concat(parts, ignore_index=True)


def drill_down(model: Any, topic: int | str, n: int = 2, *, n_words: int = 10) -> pd.DataFrame:
    """Return the parts of one topic, a level below the model's cut; the model is not changed.

    ``model.split_topic(topic, n)`` makes the same parts topics of the model.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    topic : int or str
        Its number or name.
    n : int, default=2
    n_words : int, default=10

    Returns
    -------
    DataFrame
        The columns of :func:`taxonomy`; ``level`` is 1 and ``parent`` the topic; shares add up to
        the topic's.
    """
    model = as_topic_model(model)
    n_words = check_count(n_words, "n_words")
    (topic,) = check_topics([topic], model.topics_, "topic")
    split, comes_of = edits.split_topic(model.atoms_, model.topics_, topic, n)
    parts = split.select(np.flatnonzero(comes_of[topic]))
    words = words_of(model, parts, n_words)
    names = [" ".join(line.split(", ")[:3]) for line in words]
    share = (parts.prevalence * model.topic_prevalence_[topic]).astype(np.float32)
    return _table(1, [topic] * len(parts), names, share, words)


def taxonomy_layers(
    model: Any, table: pd.DataFrame, doc_topics: np.ndarray | None = None
) -> list[np.ndarray]:
    """Return the name of each document's topic at each level, the finest first, for datamapplot.

    ``datamapplot.create_interactive_plot(positions, *layers)`` takes them as they are.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    table : DataFrame
        Of :func:`taxonomy`; its finest level must be the model's own cut unless `doc_topics` are
        given.
    doc_topics : ndarray of shape (n, T), optional
        Mixtures of the finest level's topics; None means those of the fitted documents.
    """
    model = as_topic_model(model)
    finest = int(table["level"].max())
    mixtures = model.doc_topics_ if doc_topics is None else np.asarray(doc_topics)
    n_topics = int((table["level"] == finest).sum())
    if mixtures.shape[1] != n_topics:
        raise ValueError(
            f"table's finest level has {n_topics} topics; the mixtures have {mixtures.shape[1]}"
        )
    topic = mixtures.argmax(axis=1) if doc_topics is not None else np.asarray(model.labels_)
    layers = []
    for level in range(finest, -1, -1):
        rows = table[table["level"] == level].set_index("topic")
        names = rows["name"].to_numpy(dtype=object)
        layers.append(np.where(topic >= 0, names[topic], "Unlabelled").astype(object))
        if level:
            parent = rows["parent"].to_numpy(dtype=np.int64)
            topic = np.where(topic >= 0, parent[topic], -1)
    return layers


def taxonomy_newick(table: pd.DataFrame) -> str:
    """Return a taxonomy as a tree in Newick format, names quoted, each edge of length 1.

    Parameters
    ----------
    table : DataFrame
        Of :func:`taxonomy`.

    References
    ----------
    Olsen, "The Newick tree format", 1990: a quote within a quoted label is doubled.
    """
    children = _children(table)

    def write(row: Any) -> str:
        label = "'" + " ".join(str(row.name_).split()).replace("'", "''") + "':1"
        below = children.get((row.level + 1, row.topic), [])
        return f"({','.join(map(write, below))}){label}" if below else label

    return f"({','.join(write(row) for row in children[0, None])});"


def taxonomy_json(table: pd.DataFrame) -> str:
    """Return a taxonomy as nested JSON: objects of topic, name, share, words and children.

    Parameters
    ----------
    table : DataFrame
        Of :func:`taxonomy`.
    """
    children = _children(table)

    def nest(row: Any) -> dict[str, Any]:
        below = children.get((row.level + 1, row.topic), [])
        return {
            "topic": int(row.topic),
            "name": str(row.name_),
            "share": round(float(row.share), 6),
            "words": row.words.split(", ") if row.words else [],
            "children": [nest(child) for child in below],
        }

    return json.dumps([nest(row) for row in children[0, None]], ensure_ascii=False, indent=1)


def words_of(model: Any, topics: Topics, n_words: int) -> list[str]:
    """Return the most probable words of topics, joined by commas; "" without words."""
    if topics.words is None:
        return [""] * len(topics)
    return join_words(model.vocabulary_, topics.words, n_words)


def _table(
    level: int, parent: Any, names: Sequence[str], share: np.ndarray, words: list[str]
) -> pd.DataFrame:
    columns = (level, np.arange(len(words)), pd.array(parent, dtype="Int64"), names, share, words)
    return pd.DataFrame(dict(zip(_COLUMNS, columns, strict=True)))


def _children(table: pd.DataFrame) -> dict[tuple[int, int | None], list[Any]]:
    """Return the rows of a taxonomy by their level and parent; those of the first by (0, None)."""
    if not hasattr(table, "columns") or not set(_COLUMNS).issubset(table.columns):
        raise TypeError(f"table must be what taxonomy returns; found {table!r:.80}")
    found: dict[tuple[int, int | None], list[Any]] = {}
    for row in table.rename(columns={"name": "name_"}).itertuples(index=False):
        parent = int(row.parent) if row.level else None
        found.setdefault((int(row.level), parent), []).append(row)
    if (0, None) not in found:
        raise ValueError("table must be what taxonomy returns; it holds no topic of level 0")
    return found
