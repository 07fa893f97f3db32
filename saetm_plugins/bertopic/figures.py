"""SAEBERTopic's figures: BERTopic's own, and what is put right or added to some of them."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
from bertopic import BERTopic
from bertopic._utils import check_is_fitted
from pandas.io.formats.style import Styler

from saetm_plugins.analysis import taxonomy, taxonomy_layers, topic_linkage
from saetm_plugins.bertopic.base import CutTopics

_INTERACTIVE = ("title", "sub_title", "width", "height", "enable_search")
_LABEL_WORDS = 3
_LABEL_LETTERS = 30


class DrawnTopics(CutTopics):
    """The figures of topics and documents; those that are not here are BERTopic's as they are."""

    def visualize_hierarchy(self, *args: Any, **options: Any) -> Any:
        """Draw the tree of :meth:`hierarchical_topics`; parameters are BERTopic's."""
        model, given = _name_by_aspect(BERTopic.visualize_hierarchy, self, args, options)
        by_functions = given["linkage_function"] or given["distance_function"]
        if not by_functions:
            shown = self._shown(given["topics"], given["top_n_topics"])
            tree = topic_linkage(self, shown)
            given["linkage_function"] = lambda _: tree
            # BERTopic wants distances even where the tree is given.
            n_pairs = len(shown) * (len(shown) - 1) // 2
            given["distance_function"] = lambda _: np.zeros(n_pairs)
            if "color_threshold" not in options:
                n_colors = max(2, round(len(shown) ** 0.5))  # a colour to each of so many branches
                given["color_threshold"] = tree[1 - min(n_colors, len(shown)), 2]
        return BERTopic.visualize_hierarchy(model, **given)

    def visualize_hierarchical_documents(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's documents by levels of the hierarchy; parameters are BERTopic's."""
        # BERTopic 0.17.4 breaks where a level holds the root, as with its 10 levels and 11 topics.
        draw = BERTopic.visualize_hierarchical_documents
        given = _bind(draw, self, args, options)
        tree = given["hierarchical_topics"].copy()
        parents = tree.Parent_ID.astype(int)
        tree.loc[parents == parents.max(), "Distance"] = np.inf
        levels = min(given["nr_levels"], len(tree) - 1)
        return draw(self, **{**given, "hierarchical_topics": tree, "nr_levels": levels})

    def visualize_topics_over_time(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's frequencies over time; parameters are BERTopic's."""
        draw = BERTopic.visualize_topics_over_time
        model, given = _name_by_aspect(draw, self, args, options)
        # BERTopic adds a column to the table.
        return draw(model, **{**given, "topics_over_time": given["topics_over_time"].copy()})

    def visualize_topics_per_class(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's frequencies per class; parameters are BERTopic's."""
        draw = BERTopic.visualize_topics_per_class
        model, given = _name_by_aspect(draw, self, args, options)
        table = given["topics_per_class"].copy()
        # BERTopic 0.17.4 breaks on a topic that the table has no row of.
        shown = self._shown(given["topics"], given["top_n_topics"])
        present = [topic for topic in shown if topic in set(table.Topic)]
        return draw(model, **{**given, "topics_per_class": table, "topics": present})

    def visualize_document_datamap(
        self,
        docs: list[str] | None = None,
        topics: list[int] | None = None,
        embeddings: Any = None,
        reduced_embeddings: Any = None,
        *args: Any,
        levels: Sequence[int] | None = None,
        **options: Any,
    ) -> Any:
        """Draw BERTopic's map of documents; with `levels`, one whose labels grow finer on zooming.

        `levels` are numbers of topics as of :func:`saetm_plugins.analysis.taxonomy`, the last one
        the model's own. The map is interactive then, and takes `options` of the interactive map
        only. The other parameters are BERTopic's.
        """
        if levels is None:
            return super().visualize_document_datamap(
                docs, topics, embeddings, reduced_embeddings, *args, **options
            )
        check_is_fitted(self)
        if topics is not None or args:
            raise ValueError("levels goes with keywords only, and shows all topics")
        import datamapplot

        from saetm_plugins.plotting import map_documents

        layers = taxonomy_layers(self, taxonomy(self, levels, documents=docs))
        positions = reduced_embeddings
        if positions is None:
            positions = map_documents(self._embed(docs, None) if embeddings is None else embeddings)
        shown = {name: options[name] for name in _INTERACTIVE if name in options}
        shown.update(options.get("int_datamap_kwds", {}))
        return datamapplot.create_interactive_plot(positions, *layers, hover_text=docs, **shown)

    def visualize_term_rank(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's decline of term scores, which are probabilities here."""
        figure = super().visualize_term_rank(*args, **options)
        if self.representation_model is None:
            is_log = _bind(BERTopic.visualize_term_rank, self, args, options)["log_scale"]
            figure.update_yaxes(title="P(word | topic)" + " (log scale)" * bool(is_log))
        return figure

    def visualize_approximate_distribution(self, *args: Any, **options: Any) -> Any:
        """Draw BERTopic's table of tokens and topics; parameters are BERTopic's."""
        # BERTopic 0.17.4 calls ``Styler.applymap``, which pandas 3 knows as ``map`` only.
        known = getattr(Styler, "applymap", None) or Styler.map
        with patch.object(Styler, "applymap", known, create=True):
            return super().visualize_approximate_distribution(*args, **options)

    def _shown(self, topics: Any, top_n_topics: int | None) -> list[int]:
        """Return the topics a plot of BERTopic shows, in its order."""
        if topics is not None:
            return list(topics)
        by_size = [topic for topic in self.get_topic_freq().Topic.to_list() if topic != -1]
        return sorted(by_size[:top_n_topics])


def _bind(draw: Callable[..., Any], topic_model: Any, args: Any, options: Any) -> dict[str, Any]:
    """Return the arguments of a figure of BERTopic by name, the topic model left out."""
    bound = inspect.signature(draw).bind(topic_model, *args, **options)
    bound.apply_defaults()
    return dict(list(bound.arguments.items())[1:])


def _name_by_aspect(
    draw: Callable[..., Any], topic_model: Any, args: Any, options: Any
) -> tuple[Any, dict[str, Any]]:
    """Return the topic model to draw, and the figure's arguments by name.

    Where ``custom_labels`` names an aspect, on which some figures of BERTopic 0.17.4 break, that is
    a copy whose custom labels are the aspect's, cut as BERTopic cuts them.
    """
    given = _bind(draw, topic_model, args, options)
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
