import json
import re
from itertools import pairwise

import numpy as np
import pytest
from scipy.cluster.hierarchy import fcluster, is_valid_linkage

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.analysis import (
    drill_down,
    taxonomy,
    taxonomy_json,
    taxonomy_layers,
    taxonomy_newick,
    topic_levels,
    topic_linkage,
)
from saetm_plugins.analysis.levels import default_levels, join_topics_upwards
from saetm_plugins.numerics.arrays import unit_rows

LEVELS = [3, 8, 20]


@pytest.fixture(scope="module")
def fitted(corpus):
    sae = train_sae(corpus.embeddings, 32, k=2, n_steps=500)
    return SAETopicModel(20, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="module")
def table(fitted):
    return taxonomy(fitted, LEVELS)


def test_every_topic_has_one_parent_of_two_children_or_more_and_shares_add_up(table):
    assert list(table) == ["level", "topic", "parent", "name", "share", "words"]
    assert table.groupby("level").size().tolist() == LEVELS
    assert table.loc[table["level"] == 0, "parent"].isna().all()
    for level in (1, 2):
        above, below = table[table["level"] == level - 1], table[table["level"] == level]
        by_parent = below.groupby("parent")
        assert sorted(by_parent.groups) == above["topic"].tolist()
        assert by_parent.size().min() >= 2
        np.testing.assert_allclose(by_parent["share"].sum(), above["share"], rtol=1e-5)
    assert table["name"].is_unique


def test_the_finest_level_is_the_models_cut_and_shares_of_documents_add_up(fitted, table):
    finest = table[table["level"] == 2]
    np.testing.assert_allclose(finest["share"], fitted.topic_prevalence_, rtol=1e-6)
    tree = topic_levels(fitted, LEVELS)
    _, coarse = tree.topics[0].mixtures(fitted.doc_atoms_)
    summed = np.zeros_like(coarse)
    for topic, parent in enumerate(tree.ancestors(0)):
        summed[:, parent] += fitted.doc_topics_[:, topic]
    np.testing.assert_allclose(coarse, summed, atol=1e-5)


def test_parts_of_a_theme_come_together(fitted, corpus):
    """With 20 topics for five themes, the five parents are the themes."""
    tree = topic_levels(fitted, [5, 20])
    parents = tree.ancestors(0)[fitted.labels_]
    for parent in range(5):
        counts = np.bincount(corpus.themes[parents == parent])
        assert counts.max() / counts.sum() > 0.9


def test_no_topic_stays_alone_however_the_similarities_are():
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n_topics = int(rng.integers(4, 40))
        points = unit_rows(rng.normal(size=(n_topics, 3)))
        for count in range(1, n_topics // 2 + 1):
            joins = join_topics_upwards(points @ points.T, [count, n_topics])
            groups = np.arange(n_topics)
            for kept, gone in joins[: n_topics - count, :2].astype(int):
                groups[groups == gone] = kept
            sizes = np.unique(groups, return_counts=True)[1]
            assert len(sizes) == count
            assert sizes.min() >= 2


def test_default_levels_end_in_the_models_count():
    assert default_levels(200) == [12, 50, 200]
    assert default_levels(50) == [12, 50]
    assert default_levels(7) == [7]


@pytest.mark.parametrize(
    ("levels", "error", "message"),
    [
        ([8, 4], ValueError, "levels must rise.* found 8 before 4"),
        ([4, 5], ValueError, "each at least double"),
        ([4, 400], ValueError, "levels ask for 400 topics; there are 32 live atoms"),
        ([], ValueError, "levels is empty"),
        ([2, 8.5], TypeError, "levels"),
    ],
)
def test_illegal_levels_are_named(fitted, levels, error, message):
    with pytest.raises(error, match=message):
        taxonomy(fitted, levels)


def test_labels_stay_at_their_level_and_no_other_name_is_like_them(fitted):
    fitted.set_topic_labels({0: "Space", 1: "theme"})
    try:
        names = taxonomy(fitted, LEVELS)["name"]
    finally:
        fitted.undo()
    assert names[len(names) - 20 : len(names) - 18].tolist() == ["Space", "theme"]
    assert names.str.lower().is_unique


def test_splitting_on_demand(fitted):
    parts = drill_down(fitted, 0, 2)
    assert parts["parent"].tolist() == [0, 0]
    assert parts["share"].sum() == pytest.approx(fitted.topic_prevalence_[0], rel=1e-5)
    assert parts["words"].is_unique
    with pytest.raises(ValueError, match="topic"):
        drill_down(fitted, 20)


def test_newick_holds_every_topic_and_quotes_names(fitted, table):
    hostile = table.copy()
    hostile.loc[5, "name"] = "it's (a); b:\n<script>"
    tree = taxonomy_newick(hostile)
    assert "'it''s (a); b: <script>':1" in tree
    labels = re.findall(r"'((?:[^']|'')*)':1", tree)
    assert len(labels) == len(table)
    bare = re.sub(r"'(?:[^']|'')*'", "", tree)
    assert bare.count("(") == bare.count(")") == 1 + 3 + 8
    assert tree.endswith(");")


def test_json_nests(table):
    tree = json.loads(taxonomy_json(table))
    assert len(tree) == 3
    leaves = [leaf for top in tree for middle in top["children"] for leaf in middle["children"]]
    assert len(leaves) == 20
    assert sum(leaf["share"] for leaf in leaves) == pytest.approx(1, abs=1e-4)


def test_layers_are_nested_names_of_documents(fitted, table):
    layers = taxonomy_layers(fitted, table)
    sizes = [len(set(layer)) for layer in layers]
    assert sizes == sorted(sizes, reverse=True)
    for finer, coarser in pairwise(layers):
        for name in set(finer):
            assert len(set(coarser[finer == name])) == 1
    before = fitted.topics_
    another_cut = taxonomy(fitted, [4, 10])
    assert fitted.topics_ is before
    with pytest.raises(ValueError, match="finest level has 10 topics"):
        taxonomy_layers(fitted, another_cut)


def test_a_linkage_that_scipy_takes(fitted):
    linkage = topic_linkage(fitted)
    assert is_valid_linkage(linkage)
    assert (np.diff(linkage[:, 2]) >= 0).all()
    assert len(set(fcluster(linkage, 5, "maxclust"))) <= 5


def test_a_model_without_words_has_levels(wordless):
    found = taxonomy(wordless, [2, 5])
    assert found["name"].is_unique
    assert (found["words"] == "").all()
