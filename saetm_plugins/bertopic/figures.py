"""SAEBERTopic's figures: BERTopic's own, of what was checked before."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
from bertopic import BERTopic
from bertopic._utils import check_is_fitted
from pandas.io.formats.style import Styler

from saetm_plugins.analysis import taxonomy, taxonomy_layers, topic_linkage
from saetm_plugins.bertopic.arguments import bind, check_tokens, checked
from saetm_plugins.bertopic.base import CutTopics
from saetm_plugins.bertopic.linkage import measured_distances, measured_linkage
from saetm_plugins.validation import check_flag

_INTERACTIVE = ("title", "sub_title", "width", "height", "enable_search")


def _laid_out(draw: Callable[..., Any], name: str) -> Any:
    """Return a figure that says so where `name` is found no place: topics share no words, say."""

    @functools.wraps(draw)
    def laid_out(*args: Any, **kwargs: Any) -> Any:
        try:
            return draw(*args, **kwargs)
        except (ValueError, TypeError, UnboundLocalError) as error:  # of UMAP, datamapplot
            raise ValueError(f"{name} cannot be laid out: {error}") from error

    return laid_out


class DrawnTopics(CutTopics):
    """The figures of topics and documents.

    Each is BERTopic's, with its parameters; it raises a TypeError or ValueError that names an
    argument which cannot be drawn, and leaves tables that it is given as they are.
    """

    visualize_topics = checked(_laid_out(BERTopic.visualize_topics, "topics"), least=3)
    visualize_barchart = checked(BERTopic.visualize_barchart, least=1)
    visualize_heatmap = checked(BERTopic.visualize_heatmap, least=1)
    visualize_documents = checked(BERTopic.visualize_documents)
    visualize_hierarchical_documents = checked(BERTopic.visualize_hierarchical_documents)
    visualize_topics_over_time = checked(BERTopic.visualize_topics_over_time)
    visualize_topics_per_class = checked(BERTopic.visualize_topics_per_class)
    visualize_distribution = checked(BERTopic.visualize_distribution)

    def visualize_hierarchy(
        self,
        orientation: str = "left",
        topics: Any = None,
        top_n_topics: Any = None,
        **options: Any,
    ) -> Any:
        """Draw the tree of :meth:`hierarchical_topics`; parameters are BERTopic's."""
        given = bind(
            BERTopic.visualize_hierarchy, 2, self, orientation, topics, top_n_topics, **options
        )
        functions = given["linkage_function"], given["distance_function"]
        if self.sae_model_ is not None and any(functions):
            given["linkage_function"] = measured_linkage(functions[0])
            given["distance_function"] = measured_distances(functions[1])
        elif self.sae_model_ is not None:
            shown = self._shown(given["topics"], given["top_n_topics"])
            tree = topic_linkage(self, shown)
            given["linkage_function"] = lambda _: tree
            # BERTopic wants distances even where the tree is given.
            n_pairs = len(shown) * (len(shown) - 1) // 2
            given["distance_function"] = lambda _: np.zeros(n_pairs)
            if "color_threshold" not in options:
                n_colors = max(2, round(len(shown) ** 0.5))  # a colour to each of so many branches
                given["color_threshold"] = tree[1 - min(n_colors, len(shown)), 2]
        return super().visualize_hierarchy(**given)

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

        Parameters
        ----------
        docs, topics, embeddings, reduced_embeddings, *args, **options
            As in BERTopic; with `levels` the map is interactive, and of `options` those of the
            interactive map count.
        levels : sequence of int, optional
            As of :func:`saetm_plugins.analysis.taxonomy`; the last one is the model's own count.

        Raises
        ------
        ValueError
            When `levels` goes with `topics`, or ends in another number of topics.
        """
        stock = BERTopic.visualize_document_datamap
        given = bind(stock, 1, self, docs, topics, embeddings, reduced_embeddings, *args, **options)
        if levels is None:
            return _laid_out(super().visualize_document_datamap, "docs")(**given)
        self._check_atoms("visualize_document_datamap")
        if topics is not None or args:
            raise ValueError("levels goes with keywords only, and shows all topics")
        import datamapplot

        from saetm_plugins.plotting import map_documents

        docs, embeddings = given["docs"], given["embeddings"]
        layers = taxonomy_layers(self, taxonomy(self, levels, documents=docs))
        positions = given["reduced_embeddings"]
        if positions is None:
            positions = map_documents(self._embed(docs, None) if embeddings is None else embeddings)
        shown = {name: options[name] for name in _INTERACTIVE if name in options}
        shown.update(options.get("int_datamap_kwds", {}))
        return datamapplot.create_interactive_plot(positions, *layers, hover_text=docs, **shown)

    def visualize_term_rank(self, *args: Any, **kwargs: Any) -> Any:
        """Draw BERTopic's decline of term scores, which are probabilities here."""
        given = bind(BERTopic.visualize_term_rank, 0, self, *args, **kwargs)
        figure = super().visualize_term_rank(**given)
        if self.sae_model_ is not None and self.representation_model is None:
            score = "P(word | topic)"
            figure.update_yaxes(title=f"{score} (log scale)" if given["log_scale"] else score)
        return figure

    def visualize_approximate_distribution(
        self, document: str, topic_token_distribution: np.ndarray, normalize: bool = False
    ) -> Any:
        """Draw BERTopic's table of tokens and topics, with pandas 3 too.

        BERTopic 0.17.4 calls ``Styler.applymap``, which pandas 3 knows as ``map`` only.
        Parameters are BERTopic's.
        """
        check_is_fitted(self)
        given = check_tokens(self, document, topic_token_distribution)
        normalize = check_flag(normalize, "normalize")
        known = getattr(Styler, "applymap", None) or Styler.map
        with patch.object(Styler, "applymap", known, create=True):
            return super().visualize_approximate_distribution(document, given, normalize)

    def _shown(self, topics: Any, top_n_topics: int | None) -> list[int]:
        """Return the topics a plot of BERTopic shows, in its order."""
        if topics is not None:
            return list(topics)
        by_size = [topic for topic in self.get_topic_freq().Topic.to_list() if topic != -1]
        return sorted(by_size[:top_n_topics])
