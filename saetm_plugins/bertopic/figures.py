"""What SAEBERTopic's figures need before BERTopic draws them, and the map with levels."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from saetm_plugins.analysis import taxonomy, taxonomy_layers

_INTERACTIVE = ("title", "sub_title", "width", "height", "enable_search")
_LABEL_WORDS = 3
_LABEL_LETTERS = 30


def bind(draw: Callable[..., Any], topic_model: Any, args: Any, options: Any) -> dict[str, Any]:
    """Return the arguments of a figure of BERTopic by name, the topic model left out."""
    bound = inspect.signature(draw).bind(topic_model, *args, **options)
    bound.apply_defaults()
    return dict(list(bound.arguments.items())[1:])


def arguments(
    draw: Callable[..., Any], topic_model: Any, args: Any, options: Any
) -> tuple[Any, dict[str, Any]]:
    """Return the topic model to draw, and the figure's arguments by name.

    Where ``custom_labels`` names an aspect, on which some figures of BERTopic 0.17.4 break, that is
    a copy whose custom labels are the aspect's, cut as BERTopic cuts them.
    """
    given = bind(draw, topic_model, args, options)
    aspect = given["custom_labels"]
    if not isinstance(aspect, str):
        return topic_model, given
    if aspect not in topic_model.topic_aspects_:
        known = ", ".join(map(repr, topic_model.topic_aspects_)) or "none"
        raise ValueError(f"custom_labels is {aspect!r}; the model has the aspects: {known}")
    named = copy.copy(topic_model)
    named.custom_labels_ = []
    for topic in sorted(topic_model.topic_sizes_):
        words = list(topic_model.topic_aspects_[aspect].get(topic, []))[:_LABEL_WORDS]
        label = "_".join([str(topic), *(word for word, _ in words if word)])
        short = label if len(label) < _LABEL_LETTERS else label[: _LABEL_LETTERS - 3] + "..."
        named.custom_labels_.append(short)
    return named, {**given, "custom_labels": True}


def shown_topics(topic_model: Any, given: Mapping[str, Any]) -> list[int]:
    """Return the topics that a figure of BERTopic with these arguments shows, in its order."""
    if given["topics"] is not None:
        return list(given["topics"])
    by_size = [topic for topic in topic_model.get_topic_freq().Topic.to_list() if topic != -1]
    return sorted(by_size[: given["top_n_topics"]])


def zoomable_map(
    topic_model: Any,
    docs: Any,
    embeddings: Any,
    positions: Any,
    levels: Sequence[int],
    options: Mapping[str, Any],
) -> Any:
    """Draw documents at `positions` (n, 2), made of `embeddings` if None, with labels by level."""
    import datamapplot

    from saetm_plugins.plotting import map_documents

    layers = taxonomy_layers(topic_model, taxonomy(topic_model, levels, documents=docs))
    positions = map_documents(embeddings) if positions is None else positions
    shown = {name: options[name] for name in _INTERACTIVE if name in options}
    shown.update(options.get("int_datamap_kwds", {}))
    return datamapplot.create_interactive_plot(positions, *layers, hover_text=docs, **shown)
