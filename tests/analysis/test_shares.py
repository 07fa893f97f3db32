"""Shares, coverage and their ranking equal what a loop over documents counts."""

import copy

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from scipy.stats import bootstrap

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import (
    atoms_of_topics,
    coverage,
    rank_topics_by_variance,
    topic_shares,
)
from saetm_plugins.bertopic import SAEBERTopic


@pytest.fixture(scope="module")
def labels(corpus):
    return np.array(["north", "south", "east"])[np.arange(len(corpus.themes)) % 3]


def brute_coverage(model, active, rows):
    """coverage(t, D): documents of D with an active atom whose largest weight is in t."""
    weights = model.atom_topics_.toarray()
    covered = np.zeros(model.n_topics_)
    for row in rows:
        covered[np.unique(weights[active[row]].argmax(axis=1))] += 1
    return covered / len(rows)


@pytest.mark.parametrize("merge", ["nmf", "kmeans"])
def test_shares_and_coverage_equal_a_loop_over_documents(
    corpus, fitted, labels, merge, active_atoms
):
    model = SAETopicModel(5, sae=fitted.sae_, merge=merge)
    model.fit(corpus.documents, embeddings=corpus.embeddings)
    assert (atoms_of_topics(model).sum(axis=0) > 0).all()
    shares = topic_shares(model, labels)
    covered = coverage(model, labels)
    above = coverage(model, labels, threshold=0.2)
    assert list(shares) == ["topic", "words", "group", "share", "n_documents", "few_documents"]
    assert list(dict.fromkeys(shares["group"])) == ["east", "north", "south"]
    for table, column, brute in (
        (shares, "share", lambda rows: model.doc_topics_[rows].mean(axis=0)),
        (covered, "coverage", lambda rows: brute_coverage(model, active_atoms(model), rows)),
        (above, "coverage", lambda rows: (model.doc_topics_[rows] > 0.2).mean(axis=0)),
    ):
        wide = table.pivot(index="group", columns="topic", values=column)
        for group in wide.index:
            expected = brute(np.flatnonzero(labels == group))
            np.testing.assert_allclose(wide.loc[group], expected, atol=1e-6)


def test_shares_from_atoms_alone_follow_deleted_topics_and_dropped_atoms(corpus, fitted, labels):
    topic_model = SAEBERTopic(5, sae=fitted.sae_).fit(corpus.documents, corpus.embeddings)
    topic_model.delete_topics([1])
    model = copy.copy(topic_model.sae_model_)
    rare = np.argsort(model.atom_prevalence_)[-2:].tolist()
    model.drop_atoms(rare)
    doc_atoms = sp.vstack([model.doc_atoms_, sp.csr_matrix((1, model.sae_.n_atoms))], format="csr")
    groups = [*labels, "east"]  # and a document without any atom
    from_atoms = topic_shares(model, groups, doc_atoms=doc_atoms)
    _, doc_topics = model.topics_of(doc_atoms)
    from_topics = topic_shares(model, groups, doc_topics=doc_topics)
    np.testing.assert_allclose(from_atoms["share"], from_topics["share"], atol=1e-6)
    pd.testing.assert_frame_equal(
        coverage(model, groups, 0.1, doc_atoms=doc_atoms),
        coverage(model, groups, 0.1, doc_topics=doc_topics),
    )


def test_every_way_to_give_groups_says_the_same(fitted, labels):
    frame = pd.DataFrame({"region": labels})
    one_hot = pd.get_dummies(frame["region"])
    expected = topic_shares(fitted, labels)
    for groups in (
        labels.tolist(),
        frame["region"],
        frame,
        frame["region"].astype("category"),
        one_hot,
        sp.csr_matrix(one_hot.to_numpy(dtype=float)),
        [[label] for label in labels],
        [{label} for label in labels],
    ):
        found = topic_shares(fitted, groups)
        np.testing.assert_array_equal(found["share"], expected["share"])
        np.testing.assert_array_equal(found["n_documents"], expected["n_documents"])
    mask = topic_shares(fitted, labels == "north")
    assert list(mask["group"][:2]) == [False, True]
    north = expected[expected["group"] == "north"]["share"]
    np.testing.assert_allclose(mask[mask["group"]]["share"], north, atol=1e-12)


def test_a_document_counts_in_each_of_its_groups(fitted):
    n = len(fitted.labels_)
    several = [["all", "even"] if row % 2 == 0 else ["all"] for row in range(n)]
    table = topic_shares(fitted, several).set_index(["group", "topic"])["share"]
    np.testing.assert_allclose(table["all"], fitted.doc_topics_.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(table["even"], fitted.doc_topics_[::2].mean(axis=0), atol=1e-6)


def test_the_ranking_drops_what_is_everywhere_then_sorts_by_variance(corpus, fitted):
    groups = corpus.themes
    ranked = rank_topics_by_variance(fitted, groups, max_mean=0.4)
    assert list(ranked) == ["topic", "words", "mean", "variance", "highest", "lowest"]
    wide = coverage(fitted, groups).pivot(index="topic", columns="group", values="coverage")
    expected = wide[wide.mean(axis=1) <= 0.4].var(axis=1, ddof=0).sort_values(ascending=False)
    np.testing.assert_allclose(ranked["variance"], expected)
    assert set(ranked["topic"]) == set(expected.index)
    best = ranked.iloc[0]
    assert best["highest"] == wide.loc[best["topic"]].idxmax()
    everywhere = rank_topics_by_variance(fitted, groups, max_mean=1.0)
    assert len(everywhere) == 5


def test_each_theme_has_a_topic_that_covers_it_and_little_else(corpus, fitted):
    wide = topic_shares(fitted, corpus.themes).pivot(index="topic", columns="group", values="share")
    assert sorted(wide.idxmax()) == [0, 1, 2, 3, 4]
    assert (wide.max() > 0.5).all()


def test_intervals_are_those_of_the_bootstrap(fitted, labels):
    table = topic_shares(fitted, labels, n_resamples=2000).set_index(["group", "topic"])
    share = fitted.doc_topics_[labels == "east", 2].astype(float)
    known = bootstrap((share,), np.mean, n_resamples=5000, method="percentile", rng=1)
    width = known.confidence_interval.high - known.confidence_interval.low
    ours = table.loc[("east", 2)]
    assert ours["low"] == pytest.approx(known.confidence_interval.low, abs=0.1 * width)
    assert ours["high"] == pytest.approx(known.confidence_interval.high, abs=0.1 * width)


def test_other_documents_and_merged_models_are_compared_likewise(corpus, fitted):
    parts = [
        SAETopicModel(5, sae=fitted.sae_).fit(
            corpus.documents[rows], embeddings=corpus.embeddings[rows]
        )
        for rows in (slice(250), slice(250, 400))
    ]
    merged = SAETopicModel.merge_models(parts)
    corpora = ["first"] * 250 + ["second"] * 150
    by_merge = topic_shares(merged, corpora)
    doc_atoms = merged.transform_atoms(None, corpus.embeddings)
    pd.testing.assert_frame_equal(
        by_merge, topic_shares(merged, corpora, doc_atoms=doc_atoms), atol=0.005
    )


def test_small_groups_are_kept_and_flagged(fitted):
    labels = ["few"] * 3 + ["many"] * (len(fitted.labels_) - 3)
    table = topic_shares(fitted, labels)
    assert table[table["group"] == "few"]["few_documents"].all()
    assert not table[table["group"] == "many"]["few_documents"].any()
    with pytest.warns(UserWarning, match=r"'few' \(3\)"):
        rank_topics_by_variance(fitted, labels)


def test_missing_labels_and_empty_groups_are_left_out_with_a_warning(fitted):
    with pytest.warns(UserWarning, match="missing for 1 of 400 documents"):
        table = topic_shares(fitted, [None] + ["x"] * 399)
    assert (table["n_documents"] == 399).all()
    with pytest.warns(UserWarning, match=r"without documents are left out: \[1\]"):
        topic_shares(fitted, np.array([[1, 0]] * 400))
    with pytest.raises(ValueError, match="one group only, 'x'"):
        rank_topics_by_variance(fitted, ["x"] * 400)
    with pytest.raises(ValueError, match="zeros and ones"):
        topic_shares(fitted, np.full((400, 2), 0.5))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"doc_topics": np.ones((400, 3))}, "doc_topics must have 5 columns"),
        ({"doc_topics": np.full((400, 5), np.nan)}, "NaN"),
        ({"doc_topics": np.full((400, 5), 0.2)}, "by active atoms, needs the documents' atoms"),
        ({"doc_atoms": np.ones((400, 32))}, "sparse"),
        ({"threshold": 2}, "threshold"),
    ],
)
def test_bad_mixtures_are_named(fitted, corpus, given, message):
    with pytest.raises((TypeError, ValueError), match=message):
        coverage(fitted, corpus.themes, **given)


def test_a_model_without_its_documents_needs_others(corpus, fitted):
    loaded = fitted.without_documents()
    expected = topic_shares(fitted, corpus.themes[:50], doc_atoms=fitted.doc_atoms_[:50])
    with pytest.raises(ValueError, match="holds no documents of its own"):
        topic_shares(loaded, corpus.themes)
    doc_atoms = loaded.transform_atoms(None, corpus.embeddings[:50])
    found = topic_shares(loaded, corpus.themes[:50], doc_atoms=doc_atoms)
    pd.testing.assert_frame_equal(found, expected, atol=1e-6)
