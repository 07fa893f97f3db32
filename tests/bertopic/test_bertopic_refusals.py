"""Wrong input to SAEBERTopic, found by generated calls: the argument is named, nothing changes."""

from __future__ import annotations

from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from saetm_plugins.bertopic import SAEBERTopic

HALF = "a\ud800"  # half of a surrogate pair, which no file can hold


@pytest.fixture(scope="module")
def model(corpus):
    return SAEBERTopic(5).fit(corpus.documents, corpus.embeddings)


@pytest.fixture(scope="module")
def places(corpus):
    return corpus.embeddings[:, :2]


def refused(model, name, act, error=(ValueError, TypeError)):
    before = dict(vars(model))
    with pytest.raises(error, match=name):
        act()
    assert all(before[key] is kept for key, kept in vars(model).items())
    plt.close("all")


def test_a_picture_that_is_not_there(model, corpus):
    for name in ("fit", "transform"):
        act = partial(getattr(model, name), corpus.documents, corpus.embeddings)
        refused(model, r"images\[0\]: no picture", lambda act=act: act(images=["none.png"]),
                FileNotFoundError)  # fmt: skip


@pytest.mark.parametrize("nr_bins", [10_001, 2**31, 0, "4"])
def test_more_bins_of_time_than_can_be_laid_out(model, corpus, nr_bins):
    times = list(range(len(corpus.documents)))
    refused(model, "nr_bins", lambda: model.topics_over_time(corpus.documents, times,
                                                             nr_bins=nr_bins))  # fmt: skip


def test_classes_and_times_that_no_file_can_hold(model, corpus):
    texts = corpus.documents
    classes = [HALF, *["a"] * (len(texts) - 1)]
    refused(model, r"classes\[0\]", lambda: model.topics_per_class(texts, classes))
    refused(model, r"timestamps\[0\]", lambda: model.topics_over_time(texts, classes))


def test_n_grams_longer_than_any_text(model, corpus):
    refused(model, "n_gram_range: empty", lambda: model.update_topics(
        corpus.documents, n_gram_range=(900, 900)))  # fmt: skip


@pytest.mark.parametrize(
    ("name", "function"),
    [
        *[("linkage_function", function) for function in (len, dict, lambda x: x, lambda x: None)],
        *[("distance_function", function) for function in (len, lambda x: x, lambda x: x[:2])],
        ("distance_function", lambda x: -np.ones((5, 5))),
        ("distance_function", lambda x: np.full((5, 5), np.nan)),
        ("distance_function", lambda x: np.triu(np.ones((5, 5)))),
    ],
)
def test_functions_that_give_no_tree(model, corpus, name, function):
    refused(model, name, lambda: model.hierarchical_topics(corpus.documents, **{name: function}))
    refused(model, name, lambda: model.visualize_hierarchy(**{name: function}))


def test_functions_of_condensed_distances(model, corpus):
    options = {
        "distance_function": lambda topics: pdist(np.asarray(topics.todense())),
        "linkage_function": lambda distances: linkage(distances, "average"),
    }
    tree = model.hierarchical_topics(corpus.documents, **options)
    assert sorted(tree.Topics.iloc[0]) == list(range(5))
    assert model.visualize_hierarchy(hierarchical_topics=tree, **options).data


FIGURES = [
    ("topics", {"topics": [0, 9, 1]}, "topics holds 9"),
    ("topics", {"topics": [0]}, "topics must be 3 or more"),
    ("barchart", {"topics": []}, "topics must be 1 or more"),
    ("barchart", {"topics": 3}, "topics"),
    ("barchart", {"n_words": 0}, "n_words"),
    ("barchart", {"custom_labels": "no aspect"}, "custom_labels"),
    ("barchart", {"width": 1}, "width must be at least"),
    ("barchart", {"height": 10**9}, "height must be at most"),
    ("barchart", {"title": 5}, "title"),
    ("heatmap", {"topics": [-1, 0]}, "topics holds -1"),
    ("heatmap", {"n_clusters": 2.5}, "n_clusters"),
    ("term_rank", {"log_scale": [1]}, "log_scale"),
    ("hierarchy", {"orientation": "up"}, "orientation"),
    ("hierarchy", {"top_n_topics": 1}, "topics must be 2 or more"),
    ("documents", {"docs": ["one"]}, "docs holds 1"),
    ("documents", {"reduced_embeddings": np.zeros((3, 2))}, "reduced_embeddings"),
    ("documents", {"reduced_embeddings": None}, "docs need embeddings"),
    ("documents", {"sample": -1}, "sample"),
    ("document_datamap", {"datamap_kwds": 3}, "datamap_kwds"),
    ("document_datamap", {"topics": []}, "topics must be 1 or more"),
    ("document_datamap", {"reduced_embeddings": np.arange(800).reshape(400, 2) * [1, 1000]},
     "reduced_embeddings must be spread alike"),
    ("hierarchical_documents", {"hierarchical_topics": None}, "hierarchical_topics"),
    ("topics_over_time", {"topics_over_time": [1]}, "topics_over_time must be a DataFrame"),
    ("topics_per_class", {"topics_per_class": None}, "topics_per_class must be a DataFrame"),
    ("distribution", {"probabilities": np.zeros(3)}, "probabilities must be those of one"),
    ("distribution", {"min_probability": None}, "min_probability"),
    ("approximate_distribution", {"document": 3}, "document"),
    ("approximate_distribution", {"topic_token_distribution": np.zeros((2, 2))},
     "topic_token_distribution must be of shape"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "wrong", "message"), FIGURES)
def test_figures_of_what_cannot_be_drawn(model, corpus, places, name, wrong, message):
    always = {
        "documents": {"docs": corpus.documents, "reduced_embeddings": places},
        "document_datamap": {"docs": corpus.documents, "reduced_embeddings": places},
        "hierarchical_documents": {"docs": corpus.documents, "reduced_embeddings": places},
        "distribution": {"probabilities": model.probabilities_[0]},
        "approximate_distribution": {
            "document": corpus.documents[0], "topic_token_distribution": np.zeros((1, 5))
        },
    }.get(name, {})  # fmt: skip
    draw = getattr(model, f"visualize_{name}")
    refused(model, message, lambda: draw(**{**always, **wrong}))


def test_figures_leave_tables_as_they_are(model, corpus, places):
    per_class = model.topics_per_class(corpus.documents, ["a"] * len(corpus.documents))
    tree = model.hierarchical_topics(corpus.documents)
    few = per_class[per_class.Topic != 1]  # a topic without documents, of which BERTopic has no bar
    columns = list(few.columns)
    assert len(model.visualize_topics_per_class(few).data) == 4
    assert list(few.columns) == columns
    # BERTopic breaks on a level that holds the root, as of ten levels of four merges one does.
    shown = model.visualize_hierarchical_documents(corpus.documents, tree,
                                                   reduced_embeddings=places)  # fmt: skip
    assert len(shown.layout.sliders[0].steps) == len(tree) - 1


def test_a_file_is_not_replaced_by_a_folder(model, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("dear")
    refused(model, "is a file; a folder is written", lambda: model.save(path), FileExistsError)
    assert path.read_text() == "dear"
    assert list(tmp_path.iterdir()) == [path]
    for name, wrong in {"path": 3, "save_ctfidf": [1, 2], "serialization": None}.items():
        refused(model, name, partial(model.save, **{"path": tmp_path / "new", name: wrong}))
    assert list(tmp_path.iterdir()) == [path]
    for name, wrong in {"path": None, "allow_pickle": [1, 2]}.items():
        refused(model, name, partial(SAEBERTopic.load, **{"path": path, name: wrong}))


def test_models_to_merge_that_are_none(model):
    refused(model, "models must hold", lambda: SAEBERTopic.merge_models(None))
    refused(model, "models is empty", lambda: SAEBERTopic.merge_models([]))
    refused(model, r"models\[1\] must be a BERTopic", lambda: SAEBERTopic.merge_models([model, 3]))
    unfitted = SAEBERTopic(3)
    refused(model, r"models\[1\] is not fitted", lambda: SAEBERTopic.merge_models(
        [model, unfitted]))  # fmt: skip
    refused(model, "min_similarity", lambda: SAEBERTopic.merge_models([model, model], "much"))


@pytest.mark.parametrize("wrong", [3, b"name", ["a"], np.zeros(2), len, dict])
def test_an_embedding_model_that_is_none(model, tmp_path, wrong):
    message = "embedding_model must be a name"
    refused(model, message, lambda: SAEBERTopic(5, embedding_model=wrong))
    model.save(tmp_path / "saved")
    refused(model, message, lambda: SAEBERTopic.load(tmp_path / "saved", embedding_model=wrong))


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("approximate_distribution", {"documents": None}, "documents must be a list"),
        ("approximate_distribution", {"documents": []}, "documents is empty"),
        ("approximate_distribution", {"documents": ["a"], "stride": 0}, "stride must be at least"),
        ("approximate_distribution", {"documents": ["a"], "window": 2.5}, "window must be an int"),
        ("approximate_distribution", {"documents": ["a"], "batch_size": 0}, "batch_size must be"),
        ("approximate_distribution", {"documents": ["a"], "min_similarity": np.nan}, "min_simil"),
        ("generate_topic_labels", {"nr_words": "x"}, "nr_words must be an integer"),
        ("generate_topic_labels", {"separator": 3}, "separator must be a string"),
        ("generate_topic_labels", {"aspect": "none"}, "aspect is 'none'"),
        ("find_topics", {}, "give either search_term or image"),
        ("find_topics", {"search_term": 3}, "search_term must be a string"),
        ("find_topics", {"search_term": "a", "top_n": -1}, "top_n must be at least 1"),
        ("find_topics", {"search_term": "a"}, "need embedding_model="),
    ],
)
def test_what_is_read_off_a_model_by_wrong_arguments(model, name, arguments, message):
    refused(model, message, lambda: getattr(model, name)(**arguments))
