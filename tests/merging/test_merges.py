"""What all merges promise, and each one's own promises."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.cluster.hierarchy import is_valid_linkage, linkage
from sklearn.metrics import adjusted_rand_score

from saetm_plugins.merging import MERGES, AtomViews, WardTree, make_merge

ANY_COUNT = [name for name in MERGES if name != "hdbscan"]


def labels_of(cut):
    return np.asarray(cut.atom_topics.argmax(axis=1)).ravel()


@pytest.mark.parametrize("name", list(MERGES))
def test_planted_themes_are_found_and_counted(planted, name):
    views, themes = planted
    merge, live = make_merge(name).fit(views), views.prevalence > 0
    for n_topics in (6, "auto"):
        atom_topics = merge.cut(n_topics).atom_topics
        assert atom_topics.dtype == np.float32
        assert atom_topics.shape == (48, 6)
        assert adjusted_rand_score(themes[live], labels_of(merge.cut(6))[live]) == 1.0
        row_sums = np.asarray(atom_topics.sum(axis=1)).ravel()
        np.testing.assert_allclose(row_sums, live, atol=1e-6)  # rows of dead atoms are empty


@pytest.mark.parametrize("name", ANY_COUNT)
@pytest.mark.parametrize("n_topics", [1, 17, 46])
def test_no_topic_is_empty_and_topics_are_in_order_of_prevalence(planted, name, n_topics):
    views, _ = planted
    cut = make_merge(name).fit(views).cut(n_topics)
    mass = views.prevalence @ cut.atom_topics
    assert cut.atom_topics.shape == (len(views.prevalence), n_topics)
    assert (np.diff(cut.atom_topics.tocsc().indptr) > 0).all()
    assert (np.diff(mass) <= 1e-7).all()
    if cut.topic_words is not None:
        assert np.isfinite(cut.topic_words).all()
        np.testing.assert_allclose(cut.topic_words.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", list(MERGES))
def test_cuts_do_not_depend_on_earlier_cuts(planted, name):
    views, _ = planted
    fresh = make_merge(name, random_state=3).fit(views).cut(4)
    used = make_merge(name, random_state=3).fit(views)
    for n_topics in (6, 2):
        used.cut(n_topics)
    again = used.cut(4)
    assert (fresh.atom_topics != again.atom_topics).nnz == 0
    if fresh.topic_words is not None:
        assert np.array_equal(fresh.topic_words, again.topic_words)


@pytest.mark.parametrize("name", list(MERGES))
def test_more_topics_than_live_atoms_is_an_error_with_the_count(planted, name):
    merge = make_merge(name).fit(planted[0])
    with pytest.raises(ValueError, match=r"n_topics=47 is more than the 46 live atoms"):
        merge.cut(47)
    for wrong in (0, "many"):
        with pytest.raises(ValueError, match="n_topics"):
            merge.cut(wrong)


@pytest.mark.parametrize("name", list(MERGES))
def test_atoms_that_coincide_do_not_break_a_merge(name):
    views = AtomViews(
        np.ones(6), np.ones((6, 3), np.float32), sp.csr_matrix(np.ones((6, 4), np.float32))
    )
    cut = make_merge(name).fit(views).cut("auto")
    assert np.isfinite(cut.atom_topics.data).all()
    if name in ANY_COUNT:
        assert (np.diff(make_merge(name).fit(views).cut(6).atom_topics.tocsc().indptr) > 0).all()


@pytest.mark.parametrize("name", list(MERGES))
def test_one_live_atom_makes_one_topic(name):
    views = AtomViews(
        np.array([0, 1.0]), np.eye(2, dtype=np.float32), sp.csr_matrix(np.eye(2, dtype=np.float32))
    )
    assert make_merge(name).fit(views).cut(1).atom_topics.toarray().tolist() == [[0], [1]]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("prevalence", np.zeros(48), "no atom is alive"),
        ("keywords", None, "needs views.keywords or views.cooccurrence"),
        ("keywords", sp.csr_matrix((48, 90), dtype=np.float32), "no live atom has a keyword"),
    ],
)
def test_views_that_do_not_fit_are_refused(planted, field, value, message):
    with pytest.raises(ValueError, match=message):
        make_merge("nmf").fit(planted[0]._replace(**{field: value}))


def test_unknown_merge_and_option_are_refused():
    with pytest.raises(ValueError, match="merge must be one of nmf, kmeans, ward, hdbscan"):
        make_merge("birch")
    with pytest.raises(TypeError, match="max_depth"):
        make_merge("ward", max_depth=3)


def test_ward_tree_of_equal_weights_is_scipys():
    points = np.random.default_rng(1).normal(size=(60, 5))
    tree = WardTree(points, np.ones(60))
    assert is_valid_linkage(tree.linkage)
    np.testing.assert_allclose(tree.linkage, linkage(points, "ward"), rtol=1e-4)


def test_ward_weights_count_as_repeated_points():
    rng = np.random.default_rng(2)
    points, weights = rng.normal(size=(12, 4)), rng.integers(1, 5, size=12)
    weighted = WardTree(points, weights)
    repeated = linkage(np.repeat(points, weights, axis=0), "ward")[-11:, 2]
    np.testing.assert_allclose(
        weighted.linkage[:, 2] * np.sqrt(weights.mean()), repeated, rtol=1e-4
    )


def test_ward_cuts_are_nested(planted):
    views, _ = planted
    merge = make_merge("ward").fit(views)
    live = merge.live_
    finer = labels_of(merge.cut(46))[live]
    for n_topics in range(45, 0, -1):
        coarser = labels_of(merge.cut(n_topics))[live]
        assert len({*zip(finer, coarser, strict=True)}) == n_topics + 1
        finer = coarser


def test_kmeans_never_loses_to_the_ward_cut_it_starts_from(planted):
    views, _ = planted
    unit = views.vectors / np.linalg.norm(views.vectors, axis=1, keepdims=True)

    def inertia(cut):
        labels, total = labels_of(cut), 0.0
        for topic in range(cut.atom_topics.shape[1]):
            member = (labels == topic) & (views.prevalence > 0)
            centre = np.average(unit[member], axis=0, weights=views.prevalence[member])
            total += views.prevalence[member] @ ((unit[member] - centre) ** 2).sum(axis=1)
        return total

    for n_topics in (3, 9, 20):
        kmeans, ward = (make_merge(name).fit(views).cut(n_topics) for name in ("kmeans", "ward"))
        assert inertia(kmeans) <= inertia(ward) + 1e-6


def test_hdbscan_finds_the_count_and_gives_outliers_to_the_nearest_topic(planted):
    views, themes = planted
    vectors = views.vectors.copy()
    vectors[0] = -np.mean([vectors[themes == theme].mean(axis=0) for theme in range(6)], axis=0)
    merge = make_merge("hdbscan").fit(views._replace(vectors=vectors))
    assert merge.n_found_ == 6
    assert merge.cut("auto").atom_topics[0].nnz == 1
    with pytest.raises(ValueError, match="more than the 6 topics that HDBSCAN found"):
        merge.cut(7)
