"""SAEBERTopic's views of its topics: their hierarchy, their course over time, single documents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
import pandas as pd
from bertopic._utils import check_is_fitted
from pandas.io.formats.style import Styler

from saetm_plugins.analysis import taxonomy, taxonomy_layers, topic_linkage, topic_names
from saetm_plugins.analysis.explanation import describe_atoms
from saetm_plugins.bertopic.base import CutTopics
from saetm_plugins.bertopic.representation import top_words
from saetm_plugins.topic_data import topic_data
from saetm_plugins.validation import check_embeddings

_LABEL_WORDS = 5
_INTERACTIVE = ("title", "sub_title", "width", "height", "enable_search")


class AnalysedTopics(CutTopics):
    """The hierarchy of topics, soft counts over time and class, the atoms of documents."""

    def hierarchical_topics(
        self,
        docs: list[str],
        use_ctfidf: bool = True,
        linkage_function: Callable[..., np.ndarray] | None = None,
        distance_function: Callable[..., Any] | None = None,
    ) -> pd.DataFrame:
        """Return which topics merge in which order: the joins of the taxonomy.

        See :func:`saetm_plugins.analysis.taxonomy`. The words of a merged topic are those of its
        atoms; BERTopic counts c-TF-IDF again at every step.

        Parameters
        ----------
        docs : list of str
            The fitted documents.
        use_ctfidf, linkage_function, distance_function : optional
            As in BERTopic; one of the functions brings BERTopic's own hierarchy back.

        Returns
        -------
        DataFrame
            BERTopic's columns; the root comes first.
        """
        if self.sae_model_ is None or linkage_function or distance_function:
            return super().hierarchical_topics(
                docs, use_ctfidf, linkage_function, distance_function
            )
        self._check_docs(docs)
        model = self.sae_model_
        n_topics = model.n_topics_
        members = [[topic] for topic in range(n_topics)]
        names = [_name(self.get_topic(topic)) for topic in range(n_topics)]
        rows = []
        linkage = topic_linkage(self)
        for left, right, distance in linkage[:, :3]:
            left, right = int(left), int(right)
            members.append(sorted(members[left] + members[right]))
            names.append(self._name_merged(members[-1]))
            rows.append(
                (str(len(names) - 1), names[-1], members[-1])
                + (str(left), names[left], str(right), names[right], distance)
            )
        columns = ["Parent_ID", "Parent_Name", "Topics", "Child_Left_ID", "Child_Left_Name"]
        columns += ["Child_Right_ID", "Child_Right_Name", "Distance"]
        return pd.DataFrame(rows[::-1], columns=columns)

    def visualize_hierarchy(
        self,
        orientation: str = "left",
        topics: Any = None,
        top_n_topics: Any = None,
        **options: Any,
    ) -> Any:
        """Draw the tree of :meth:`hierarchical_topics`; parameters are BERTopic's."""
        if not (
            self.sae_model_ is None
            or options.get("linkage_function")
            or options.get("distance_function")
        ):
            shown = self._shown(topics, top_n_topics)
            linkage = topic_linkage(self, shown)
            options["linkage_function"] = lambda _: linkage
            # BERTopic wants distances even where the tree is given.
            n_pairs = len(shown) * (len(shown) - 1) // 2
            options["distance_function"] = lambda _: np.zeros(n_pairs)
            n_colors = max(2, round(len(shown) ** 0.5))  # a colour to each of so many branches
            options.setdefault("color_threshold", linkage[1 - min(n_colors, len(shown)), 2])
        return super().visualize_hierarchy(
            orientation=orientation, topics=topics, top_n_topics=top_n_topics, **options
        )

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
        if levels is None:
            return super().visualize_document_datamap(
                docs, topics, embeddings, reduced_embeddings, *args, **options
            )
        self._check_atoms("visualize_document_datamap")
        if topics is not None or args:
            raise ValueError("levels goes with keywords only, and shows all topics")
        import datamapplot

        from saetm_plugins.plotting import map_documents

        layers = taxonomy_layers(self, taxonomy(self, levels, documents=docs))
        if reduced_embeddings is None:
            vectors = self._embed(docs, None) if embeddings is None else embeddings
            reduced_embeddings = map_documents(vectors)
        shown = {name: options[name] for name in _INTERACTIVE if name in options}
        shown.update(options.get("int_datamap_kwds", {}))
        return datamapplot.create_interactive_plot(
            np.asarray(reduced_embeddings), *layers, hover_text=docs, **shown
        )

    def visualize_term_rank(self, *args: Any, **kwargs: Any) -> Any:
        """Draw BERTopic's decline of term scores, which are probabilities here."""
        figure = super().visualize_term_rank(*args, **kwargs)
        if self.sae_model_ is not None and self.representation_model is None:
            log_scale = kwargs.get("log_scale", False) or args[1:2] == (True,)
            score = "P(word | topic)"
            figure.update_yaxes(title=f"{score} (log scale)" if log_scale else score)
        return figure

    def topics_over_time(
        self,
        docs: list[str],
        timestamps: Any,
        topics: list[int] | None = None,
        nr_bins: int | None = None,
        datetime_format: str | None = None,
        evolution_tuning: bool = True,
        global_tuning: bool = True,
        *,
        soft: bool = False,
    ) -> pd.DataFrame:
        """Return how frequent each topic is at each time, and its words then.

        Parameters
        ----------
        docs, timestamps, topics, nr_bins, datetime_format, evolution_tuning, global_tuning
            As in BERTopic.
        soft : bool, default=False
            Add up documents' shares of a topic instead of counting the documents that belong
            mostly to it: frequencies are then not whole numbers, and every topic has one.

        Returns
        -------
        DataFrame
            Columns Topic, Words, Frequency and Timestamp.

        Raises
        ------
        ValueError
            When `soft` goes with `topics`, which has no mixtures.
        """
        times = pd.Series(list(timestamps))
        if len(times) and isinstance(times.iloc[0], str):
            # BERTopic 0.17.4 asks pandas for an option that pandas 3 no longer has.
            times = pd.to_datetime(times, format=datetime_format)
        hard = super().topics_over_time(
            docs,
            list(times),
            topics=topics,
            nr_bins=nr_bins,
            evolution_tuning=evolution_tuning,
            global_tuning=global_tuning,
        )
        if not soft:
            return hard
        if topics:
            raise ValueError("soft=True counts mixtures, and topics= has none; give one of them")
        if nr_bins:
            times = pd.Series([interval.left for interval in pd.cut(times, bins=nr_bins)])
        return self._soften(hard, times, "Timestamp")

    def topics_per_class(
        self, docs: list[str], classes: Any, global_tuning: bool = True, *, soft: bool = False
    ) -> pd.DataFrame:
        """Return how frequent each topic is in each class, and its words there.

        Parameters
        ----------
        docs, classes, global_tuning
            As in BERTopic.
        soft : bool, default=False
            Add up shares instead of documents, see :meth:`topics_over_time`.

        Returns
        -------
        DataFrame
            Columns Topic, Words, Frequency and Class.
        """
        hard = super().topics_per_class(docs, classes, global_tuning)
        return self._soften(hard, pd.Series(list(classes)), "Class") if soft else hard

    def visualize_approximate_distribution(
        self, document: str, topic_token_distribution: np.ndarray, normalize: bool = False
    ) -> Any:
        """Draw BERTopic's table of tokens and topics, with pandas 3 too.

        BERTopic 0.17.4 calls ``Styler.applymap``, which pandas 3 knows as ``map`` only.
        Parameters are BERTopic's.
        """
        known = getattr(Styler, "applymap", None) or Styler.map
        with patch.object(Styler, "applymap", known, create=True):
            return super().visualize_approximate_distribution(
                document, topic_token_distribution, normalize
            )

    def prepare_topic_data(self, corpus: list[str], embeddings: Any = None) -> dict[str, Any]:
        """Return the topics of a corpus as ``topicwizard.visualize`` asks a model for them.

        topicwizard's own wrapper of BERTopic takes one topic for each document; here are mixtures.
        See :func:`saetm_plugins.topic_data.topic_data` for what it holds and what it raises.

        Parameters
        ----------
        corpus : list of str
        embeddings : ndarray of shape (n, d), optional
            None embeds the corpus.
        """
        self._check_atoms("prepare_topic_data")
        model = self.sae_model_

        def transform(documents: list[str]) -> np.ndarray:
            return model.transform(None, self._embed(documents, None))

        if embeddings is None:
            embeddings = self._embed(corpus, None)
        embeddings = check_embeddings(embeddings, n_rows=len(corpus), width=model.sae_.n_features)
        return topic_data(model, corpus, embeddings, transform, topic_names(self))

    def to_gensim(self, id2word: Any = None) -> Any:
        """Return the topics of now as a gensim topic model, for pyLDAvis and ``CoherenceModel``.

        Parameters
        ----------
        id2word : gensim Dictionary or dict of int to str, optional
            None makes one of the vectorizer's words.

        Returns
        -------
        saetm_plugins.gensim.SaeModel

        Raises
        ------
        ValueError
            When the model has no atoms, or no words.
        """
        self._check_atoms("to_gensim")
        return self.sae_model_.to_gensim(id2word)

    def explain_document(self, document: int | str, n_words: int = 10) -> pd.DataFrame:
        """Return the atoms of a document, the heaviest first.

        Parameters
        ----------
        document : int or str
            The position of a fitted document, or a text.
        n_words : int, default=10

        Returns
        -------
        DataFrame
            Columns Atom; Weight, its share of the document; Topic, the one it gives most to (-1
            if deleted); Words, its most probable ones.

        Raises
        ------
        IndexError
            When there is no fitted document of that position.
        """
        self._check_atoms("explain_document")
        model = self.sae_model_
        if isinstance(document, str):
            doc_atoms = model.transform_atoms(None, self._embed([document], None))
        elif not -model.doc_atoms_.shape[0] <= document < model.doc_atoms_.shape[0]:
            raise IndexError(f"document {document} of {model.doc_atoms_.shape[0]} documents")
        else:
            doc_atoms = model.doc_atoms_[document]
        return describe_atoms(model, doc_atoms, n_words).rename(columns=str.capitalize)

    def _name_merged(self, topics: list[int]) -> str:
        model = self.sae_model_
        if model.components_ is None:
            return "_".join(str(topic) for topic in topics)
        mixed = model.topic_prevalence_[topics] @ model.components_[topics]
        return _name(top_words(mixed[None], model.vocabulary_, _LABEL_WORDS)[0])

    def _shown(self, topics: Any, top_n_topics: int | None) -> list[int]:
        """Return the topics a plot of BERTopic shows, in its order."""
        check_is_fitted(self)
        if topics is not None:
            return list(topics)
        by_size = [topic for topic in self.get_topic_freq().Topic.to_list() if topic != -1]
        return sorted(by_size[:top_n_topics])

    def _soften(self, hard: pd.DataFrame, groups: pd.Series, column: str) -> pd.DataFrame:
        """Put sums of mixtures where `hard` counts documents, for all topics."""
        self._check_atoms("soft=True")
        sums = pd.DataFrame(self.sae_model_.doc_topics_.astype(float)).groupby(groups).sum()
        words = {(row.Topic, getattr(row, column)): row.Words for row in hard.itertuples()}
        rows = []
        for group, frequencies in sums.iterrows():
            for topic, frequency in frequencies.items():
                general = ", ".join(word for word, _ in self.get_topic(topic)[:_LABEL_WORDS])
                rows.append((topic, words.get((topic, group), general), frequency, group))
        return pd.DataFrame(rows, columns=["Topic", "Words", "Frequency", column])


def _name(words: list[tuple[str, float]]) -> str:
    return "_".join(word for word, _ in words[:_LABEL_WORDS])
