"""Figures and tables of SAEBERTopic beside stock BERTopic's, where these break or need help."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from bertopic import BERTopic
from bertopic.representation import MaximalMarginalRelevance
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist
from sklearn.metrics.pairwise import cosine_similarity

from saetm_plugins.bertopic import SAEBERTopic


@pytest.fixture(scope="module")
def model(corpus, sae):
    aspects = {"MMR": MaximalMarginalRelevance()}
    return SAEBERTopic(5, sae=sae, representation_model=aspects, word_vectors="corpus").fit(
        corpus.documents, corpus.embeddings
    )


@pytest.fixture(scope="module")
def over_time(model, corpus):
    return model.topics_over_time(corpus.documents, [row % 3 for row in range(400)])


@pytest.fixture(scope="module")
def per_class(model, corpus):
    return model.topics_per_class(corpus.documents, corpus.themes.tolist())


def test_labels_of_an_aspect_stand_in_every_figure(model, over_time, per_class):
    names = [
        "_".join([str(topic), *(word for word, _ in words[:3])])[:27] + "..."
        for topic, words in sorted(model.topic_aspects_["MMR"].items())
    ]
    tree = model.visualize_hierarchy(custom_labels="MMR").layout.yaxis.ticktext
    assert sorted(tree) == names
    chosen = model.visualize_hierarchy(topics=[3, 1, 4], custom_labels="MMR").layout.yaxis.ticktext
    assert sorted(chosen) == [names[1], names[3], names[4]]
    times = model.visualize_topics_over_time(over_time, custom_labels="MMR")
    assert [trace.name for trace in times.data] == names
    times = model.visualize_topics_over_time(over_time, topics=[2, 4], custom_labels="MMR")
    assert [trace.name for trace in times.data] == [names[2], names[4]]
    classes = model.visualize_topics_per_class(per_class, custom_labels="MMR")
    assert [trace.name for trace in classes.data] == names
    assert model.visualize_barchart(custom_labels="MMR").layout.annotations[0].text == names[0]
    assert model.custom_labels_ is None


def test_an_aspect_that_the_model_lacks(model, over_time):
    with pytest.raises(ValueError, match="custom_labels is 'none'; the model has the aspects: 'MM"):
        model.visualize_topics_over_time(over_time, custom_labels="none")


def test_figures_leave_tables_as_they_are(model, corpus, over_time, per_class):
    few = per_class[per_class.Topic != 1]  # BERTopic breaks on a topic without a row
    before = few.copy()
    assert len(model.visualize_topics_per_class(few).data) == 4
    pd.testing.assert_frame_equal(few, before)
    model.visualize_topics_over_time(over_time)
    assert "Name" not in over_time
    tree = model.hierarchical_topics(corpus.documents)
    # BERTopic breaks on a level that holds the root, as of ten levels of four merges one does.
    places = corpus.embeddings[:, :2]
    shown = model.visualize_hierarchical_documents(corpus.documents, tree,
                                                   reduced_embeddings=places)  # fmt: skip
    assert len(shown.layout.sliders[0].steps) == len(tree) - 1


def test_trees_by_functions_of_ones_own(model, corpus):
    options = {
        "distance_function": lambda topics: pdist(np.asarray(topics.todense())),
        "linkage_function": lambda distances: linkage(distances, "average"),
    }
    tree = model.hierarchical_topics(corpus.documents, **options)
    stock = BERTopic.hierarchical_topics(model, corpus.documents, **options)
    assert [sorted(topics) for topics in tree.Topics] == [sorted(each) for each in stock.Topics]
    np.testing.assert_allclose(tree.Distance, stock.Distance)
    assert model.visualize_hierarchy(hierarchical_topics=tree, **options).data
    options = {"distance_function": lambda topics: 1 - cosine_similarity(topics)}
    tree = model.hierarchical_topics(corpus.documents, use_ctfidf=False, **options)
    assert sorted(tree.Topics.iloc[0]) == list(range(5))
    with pytest.raises(ValueError, match="distance matrix must be of shape"):
        model.hierarchical_topics(corpus.documents, distance_function=lambda _: np.ones((5, 3)))


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("kind", ["date", "datetime", "period", "zone", "text", "number"])
def test_times_of_any_kind_go_into_bins(model, corpus, kind, soft):
    days = pd.date_range("2020-01-01", periods=20, freq="D")
    times = {
        "date": [day.date() for day in days],
        "datetime": [datetime(2020, 1, day + 1) for day in range(20)],
        "period": pd.period_range("2020-01", periods=20, freq="M"),
        "zone": [datetime(2020, 1, day + 1, tzinfo=UTC) for day in range(20)],
        "text": [str(day.date()) for day in days],
        "number": list(range(20)),
    }[kind]
    stamps = [times[row % 20] for row in range(400)]
    stamps = pd.PeriodIndex(stamps) if kind == "period" else stamps
    table = model.topics_over_time(corpus.documents, stamps, nr_bins=4, soft=soft)
    assert table.Timestamp.nunique() == 4
    np.testing.assert_allclose(table.groupby("Timestamp").Frequency.sum(), 100, rtol=1e-3)
    unbinned = model.topics_over_time(corpus.documents, stamps, soft=soft)
    assert unbinned.Timestamp.nunique() == 20


def test_a_file_is_not_replaced_by_a_folder(model, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("dear")
    with pytest.raises(FileExistsError, match="is a file; a folder is written"):
        model.save(path)
    assert path.read_text() == "dear"
    assert list(tmp_path.iterdir()) == [path]
