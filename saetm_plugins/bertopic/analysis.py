"""SAEBERTopic's views of its topics: their hierarchy, their course over time, single documents."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from bertopic._utils import check_is_fitted, validate_distance_matrix
from scipy.cluster.hierarchy import linkage
from sklearn.metrics.pairwise import cosine_similarity

from saetm_plugins.analysis import topic_linkage, topic_names
from saetm_plugins.analysis.explanation import describe_atoms
from saetm_plugins.bertopic.base import CutTopics
from saetm_plugins.bertopic.checks import check_groups, check_times, check_topics
from saetm_plugins.bertopic.images import count_groups
from saetm_plugins.bertopic.representation import top_words
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.plotting.topicwizard import topic_data
from saetm_plugins.validation import check_count, check_embeddings, is_integer

_LABEL_WORDS = 5


class AnalysedTopics(CutTopics):
    """The hierarchy of topics, soft counts over time and class, the atoms of documents."""

    def hierarchical_topics(
        self,
        docs: list[str],
        use_ctfidf: bool = True,
        linkage_function: Callable[..., np.ndarray] | None = None,
        distance_function: Callable[..., Any] | None = None,
    ) -> pd.DataFrame:
        """Return which topics merge in which order, as of :func:`saetm_plugins.analysis.taxonomy`.

        The words of a merged topic are those of its atoms; BERTopic counts c-TF-IDF again at every
        step. With one of the functions the tree is one of c-TF-IDF, or of the topics' centroids
        with ``use_ctfidf=False``, as in BERTopic. Parameters and columns are BERTopic's.
        """
        self._check_docs(docs)
        n_topics = self._model.n_topics_
        members = [[topic] for topic in range(n_topics)]
        names = [_name(self.get_topic(topic)) or str(topic) for topic in range(n_topics)]
        rows = []
        if linkage_function or distance_function:
            with_words = use_ctfidf and self.c_tf_idf_ is not None
            topics = (self.c_tf_idf_ if with_words else self.topic_embeddings_)[self._outliers :]
            distances = np.asarray((distance_function or _cosine_distances)(topics))
            if distances.shape == (n_topics, n_topics) and np.allclose(distances, distances.T):
                # The same up to rounding, which SciPy takes for asymmetric.
                distances = (distances + distances.T) / 2
            distances = validate_distance_matrix(distances, n_topics)
            tree = (linkage_function or _ward)(distances)
        else:
            tree = topic_linkage(self)
        for left, right, distance in tree[:, :3]:
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

    def find_topics(
        self, search_term: str | None = None, image: Any = None, top_n: int = 5
    ) -> tuple[list[int], list[float]]:
        """Return the topics most like a text, or an image; parameters are BERTopic's."""
        check_is_fitted(self)
        if not self.can_embed():
            raise ValueError("search_term and image need embedding_model= at construction or load")
        return super().find_topics(search_term, image, top_n)

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

        With `soft`, documents' shares of a topic are added up instead of counting the documents
        that belong mostly to it: frequencies are then no integers, and every topic has one. The
        other parameters are BERTopic's.
        """
        check_is_fitted(self)
        if soft and topics is not None:
            raise ValueError("soft=True counts mixtures, and topics= has none; give one of them")
        texts = self._check_docs(docs) if topics is None else check_documents(docs, "docs", least=0)
        n_documents = len(self.topics_) if texts is None else len(texts)
        times = check_times(timestamps, n_documents, datetime_format)
        times = _as_datetimes(times) if nr_bins else times
        if topics is not None:
            topics = check_topics(topics, n_documents)
            if unknown := sorted(set(topics) - set(self.topic_sizes_)):
                raise ValueError(f"topics holds {unknown[0]}, which the model does not know")
        if texts is None:
            hard = count_groups(self, _binned(times, nr_bins), "Timestamp")
        else:
            hard = super().topics_over_time(
                texts,
                times,
                topics=topics,
                nr_bins=nr_bins,
                evolution_tuning=evolution_tuning,
                global_tuning=global_tuning,
            )
        return self._soften(hard, _binned(times, nr_bins), "Timestamp") if soft else hard

    def topics_per_class(
        self, docs: list[str], classes: Any, global_tuning: bool = True, *, soft: bool = False
    ) -> pd.DataFrame:
        """Return how frequent each topic is in each class, as :meth:`topics_over_time` does."""
        texts = self._check_docs(docs)
        classes = check_groups(classes, len(self.topics_), "classes")
        if texts is None:
            hard = count_groups(self, classes, "Class")
        else:
            hard = super().topics_per_class(texts, classes, global_tuning)
        return self._soften(hard, classes, "Class") if soft else hard

    def get_document_info(self, docs: Any, df: Any = None, metadata: Any = None) -> pd.DataFrame:
        """Return BERTopic's table of documents; images without texts are None in it.

        Where ``topics_`` was set to those of several batches there is no column Probability, as
        the last batch's alone are known. Parameters are BERTopic's.
        """
        texts = self._check_docs(docs)
        if metadata is not None:  # without an index, which pandas would go by
            metadata = {column: list(values) for column, values in metadata.items()}
        known = self.probabilities_
        if known is not None and len(known) != len(self.topics_):
            self.probabilities_ = None
        try:
            info = super().get_document_info(texts or [""] * len(self.topics_), df, metadata)
        finally:
            self.probabilities_ = known
        return info if texts is not None else info.assign(Document=None)

    def prepare_topic_data(self, corpus: list[str], embeddings: Any = None) -> dict[str, Any]:
        """Return the mixtures of a corpus for ``topicwizard.visualize``.

        See :func:`~saetm_plugins.plotting.topicwizard.topic_data`.
        """
        check_is_fitted(self)
        embeddings = self._embed(corpus, None) if embeddings is None else embeddings
        width = self._model.sae_.n_features
        embeddings = check_embeddings(embeddings, n_rows=len(corpus), width=width)

        def transform(documents: list[str]) -> np.ndarray:
            return self._model.topics_of(self.transform_atoms(documents))[1]

        return topic_data(self._model, corpus, embeddings, transform, topic_names(self))

    def to_gensim(self, id2word: Any = None) -> Any:
        """Return the current topics as a gensim model, see :meth:`SAETopicModel.to_gensim`."""
        check_is_fitted(self)
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
        """
        check_is_fitted(self)
        n_words = check_count(n_words, "n_words")
        model, n_documents = self._model, self._model.doc_atoms_.shape[0]
        if isinstance(document, str):
            doc_atoms = self.transform_atoms([document])
        elif is_integer(document) and -n_documents <= document < n_documents:
            doc_atoms = model.doc_atoms_[document]
        else:
            raise IndexError(
                f"document must be a text, or one of {n_documents} positions; found {document!r}"
            )
        return describe_atoms(model, doc_atoms, n_words).rename(columns=str.capitalize)

    def _name_merged(self, topics: list[int]) -> str:
        model = self._model
        if model.components_ is None:
            return "_".join(str(topic) for topic in topics)
        mixed = model.topic_prevalence_[topics] @ model.components_[topics]
        return _name(top_words(mixed[None], model.vocabulary_, _LABEL_WORDS)[0])

    def _soften(self, hard: pd.DataFrame, values: list[Any], column: str) -> pd.DataFrame:
        """Put sums of mixtures where `hard` counts documents, for all topics."""
        groups = pd.Series(values)
        if len(groups) != len(self._model.doc_topics_):
            raise ValueError(
                f"soft=True needs the mixtures of {len(groups)} documents; after batches those of "
                f"the last {len(self._model.doc_topics_)} are known"
            )
        sums = pd.DataFrame(self._model.doc_topics_.astype(float)).groupby(groups).sum()
        words = {(row.Topic, getattr(row, column)): row.Words for row in hard.itertuples()}
        rows = []
        for group, frequencies in sums.iterrows():
            for topic, frequency in frequencies.items():
                general = ", ".join(word for word, _ in self.get_topic(topic)[:_LABEL_WORDS])
                rows.append((topic, words.get((topic, group), general), frequency, group))
        return pd.DataFrame(rows, columns=["Topic", "Words", "Frequency", column])


def _name(words: list[tuple[str, float]]) -> str:
    return "_".join(word for word, _ in words[:_LABEL_WORDS] if word)


def _cosine_distances(topics: Any) -> np.ndarray:
    return 1 - cosine_similarity(topics)


def _ward(distances: np.ndarray) -> np.ndarray:
    return linkage(distances, "ward", optimal_ordering=True)


def _as_datetimes(times: list[Any]) -> list[Any]:
    """Return dates and periods as the timestamps they begin with, which pandas can put in bins."""
    if isinstance(times[0], pd.Period):
        return list(pd.PeriodIndex(times).to_timestamp())
    if isinstance(times[0], date):
        return list(pd.to_datetime(pd.Series(times)))
    return times


def _binned(times: list[Any], nr_bins: int | None) -> list[Any]:
    """Return the left end of the bin that each time lies in, as BERTopic names bins."""
    if not nr_bins:
        return times
    return [interval.left for interval in pd.cut(pd.Series(times), bins=nr_bins)]
