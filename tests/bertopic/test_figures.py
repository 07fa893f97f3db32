"""Trees by functions of the user; figures that leave tables as they are; files that are kept."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.cluster.hierarchy import linkage
from scipy.spatial.distance import pdist

from saetm_plugins.bertopic import SAEBERTopic


@pytest.fixture(scope="module")
def model(corpus):
    return SAEBERTopic(5).fit(corpus.documents, corpus.embeddings)


@pytest.mark.parametrize(
    ("name", "function"),
    [
        *[("linkage_function", function) for function in (len, lambda x: x)],
        ("distance_function", lambda x: x[:2]),
        ("distance_function", lambda x: np.full((5, 5), np.nan)),
    ],
)
def test_functions_that_give_no_tree_are_refused(model, corpus, name, function):
    with pytest.raises((ValueError, TypeError), match=name):
        model.hierarchical_topics(corpus.documents, **{name: function})


def test_functions_of_condensed_distances(model, corpus):
    options = {
        "distance_function": lambda topics: pdist(np.asarray(topics.todense())),
        "linkage_function": lambda distances: linkage(distances, "average"),
    }
    tree = model.hierarchical_topics(corpus.documents, **options)
    assert sorted(tree.Topics.iloc[0]) == list(range(5))
    assert model.visualize_hierarchy(hierarchical_topics=tree, **options).data


def test_figures_leave_tables_as_they_are(model, corpus):
    per_class = model.topics_per_class(corpus.documents, ["a"] * len(corpus.documents))
    tree = model.hierarchical_topics(corpus.documents)
    few = per_class[per_class.Topic != 1]  # a topic without documents, of which BERTopic has no bar
    columns = list(few.columns)
    assert len(model.visualize_topics_per_class(few).data) == 4
    assert list(few.columns) == columns
    # BERTopic breaks on a level that holds the root, as of ten levels of four merges one does.
    shown = model.visualize_hierarchical_documents(
        corpus.documents, tree, reduced_embeddings=corpus.embeddings[:, :2]
    )
    assert len(shown.layout.sliders[0].steps) == len(tree) - 1


def test_a_file_is_not_replaced_by_a_folder(model, tmp_path):
    path = tmp_path / "letter.txt"
    path.write_text("dear")
    with pytest.raises(FileExistsError, match="is a file; a folder is written"):
        model.save(path)
    assert path.read_text() == "dear"
    assert list(tmp_path.iterdir()) == [path]
