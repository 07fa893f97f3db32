"""Comparisons find what was planted, and nothing where there is nothing."""

import numpy as np
import pytest
from scipy import stats

from saetm_plugins.analysis import compare_groups

COLUMNS = (
    "topic words share_a share_b coverage_a coverage_b difference log_ratio low high p q "
    "documents_a documents_b"
)
FEW = {"n_permutations": 99, "n_resamples": 9}


@pytest.fixture(scope="module")
def halves(corpus):
    """Two halves; the second has twice as many documents of theme 3."""
    rng = np.random.default_rng(5)
    others = np.flatnonzero(corpus.themes != 3)
    planted = np.flatnonzero(corpus.themes == 3)
    sides = np.full(len(corpus.themes), "a")
    sides[rng.choice(others, len(others) // 2, replace=False)] = "b"
    sides[planted[: 2 * len(planted) // 3]] = "b"
    return sides


def test_the_planted_theme_is_first_and_the_numbers_are_the_formulas(corpus, fitted, halves):
    table = compare_groups(fitted, halves, "b", "a")
    assert " ".join(table) == COLUMNS
    row = table.iloc[0]
    assert row["topic"] == fitted.doc_topics_[corpus.themes == 3].mean(axis=0).argmax()
    shares = fitted.doc_topics_[:, row["topic"]].astype(float)
    assert row["share_a"] == pytest.approx(shares[halves == "b"].mean(), abs=1e-6)
    assert row["difference"] == pytest.approx(row["share_a"] - row["share_b"])
    assert row["low"] < row["difference"] < row["high"]
    assert row["low"] > 0
    np.testing.assert_allclose(table["q"], stats.false_discovery_control(table["p"]))
    assert (np.diff(table["q"]) >= 0).all()
    best = np.flatnonzero(halves == "b")[np.argsort(-shares[halves == "b"], kind="stable")[:3]]
    assert row["documents_a"] == best.tolist()
    again, swapped = (compare_groups(fitted, halves, *sides) for sides in ("ba", "ab"))
    assert again.equals(table)
    swapped = swapped.set_index("topic")["difference"]
    np.testing.assert_allclose(swapped, -table.set_index("topic")["difference"][swapped.index])


def test_p_and_intervals_agree_with_scipy(corpus, fitted, halves):
    rows = np.flatnonzero(np.arange(400) % 5 == 0)  # few, so that p is neither 0 nor 1
    table = compare_groups(
        fitted, halves[rows], "b", doc_atoms=fitted.doc_atoms_[rows], n_permutations=4000,
        n_resamples=4000,
    ).set_index("topic")  # fmt: skip

    def difference(x, y, axis):
        return x.mean(axis=axis) - y.mean(axis=axis)

    for topic in range(5):
        shares = fitted.doc_topics_[rows, topic].astype(float)
        in_b, in_a = (shares[halves[rows] == side] for side in "ba")
        test = stats.permutation_test(
            (in_b, in_a), difference, n_resamples=4000, vectorized=True, rng=2
        )
        # SciPy's own p doubles the smaller tail; ours counts both.
        reached = np.abs(test.null_distribution) >= abs(test.statistic)
        assert table["p"][topic] == pytest.approx(reached.mean(), abs=0.03)
        known = stats.bootstrap(
            (in_b, in_a), difference, n_resamples=4000, method="percentile", rng=2
        ).confidence_interval
        slack = 0.08 * (known.high - known.low)
        assert table["low"][topic] == pytest.approx(known.low, abs=slack)
        assert table["high"][topic] == pytest.approx(known.high, abs=slack)


def test_random_splits_differ_in_nothing(fitted):
    few = {"n_permutations": 499, "n_resamples": 2}
    splits = [np.random.default_rng(seed).permutation(400) < 200 for seed in range(30)]
    tables = [compare_groups(fitted, split, True, random_state=n, **few)
              for n, split in enumerate(splits)]  # fmt: skip
    assert sum((table["q"] < 0.05).sum() for table in tables) <= 0.05 * 30 * 5
    p = np.concatenate([table["p"] for table in tables])
    assert stats.kstest(p, "uniform").pvalue > 1e-3


def test_atoms_are_compared_without_the_cut(corpus, fitted, halves, active_atoms):
    table = compare_groups(fitted, halves, "b", level="atoms", n_permutations=2000)
    assert " ".join(table) == f"atom {COLUMNS}"
    active = np.flatnonzero(np.asarray(fitted.doc_atoms_.sum(axis=0)).ravel())
    assert sorted(table["atom"]) == active.tolist()
    first = table.iloc[0]
    share = fitted.doc_atoms_[:, first["atom"]].toarray().ravel()
    assert first["share_a"] == pytest.approx(share[halves == "b"].mean(), abs=1e-6)
    active = active_atoms(fitted)[:, first["atom"]]
    assert first["coverage_b"] == pytest.approx(active[halves == "a"].mean())
    assert first["topic"] == fitted.atom_topics_[first["atom"]].toarray().argmax()
    assert share[corpus.themes == 3].mean() > share[corpus.themes != 3].mean()


def test_strata_take_away_what_they_explain(corpus, fitted):
    """Side b has more of theme 3, but only because it has more of the source with theme 3."""
    rng = np.random.default_rng(0)
    source = np.where(corpus.themes == 3, "news", "mail")
    source[rng.choice(400, 40, replace=False)] = "news"
    side = np.where(rng.random(400) < np.where(source == "news", 0.8, 0.3), "b", "a")
    plain = compare_groups(fitted, side, "b", "a")
    fixed = compare_groups(fitted, side, "b", "a", strata=source)
    assert plain["q"][0] < 0.01
    assert (fixed["q"] > 0.05).all()
    row = fixed.iloc[0]
    shares = fitted.doc_topics_[:, row["topic"]]
    parts = [[(source == each) & (side == s) for s in "ba"] for each in ("news", "mail")]
    weights = [a.sum() * b.sum() / (a.sum() + b.sum()) for a, b in parts]
    for position, column in enumerate(("share_a", "share_b")):
        means = [shares[part[position]].mean() for part in parts]
        assert row[column] == pytest.approx(np.average(means, weights=weights), abs=1e-6)
    assert row["low"] < row["difference"] < row["high"]


def test_a_stratum_of_one_side_is_left_out(fitted, halves):
    strata = np.where(np.arange(400) < 20, halves, "both")
    with pytest.warns(UserWarning, match="20 documents are left out"):
        compare_groups(fitted, halves, "b", strata=strata, **FEW)
    with pytest.raises(ValueError, match="none of the 2 strata holds documents of both"):
        compare_groups(fitted, halves, "b", strata=halves)


def test_several_labels_ids_and_overlapping_groups(corpus, fitted):
    ids = [f"doc-{row}" for row in range(400)]
    table = compare_groups(fitted, corpus.themes, [0, 1], [3], ids=ids, **FEW)
    assert all(name.startswith("doc-") for names in table["documents_a"] for name in names)
    groups = [["x", "y"] if row < 100 else ["x"] if row < 250 else ["y"] for row in range(400)]
    table = compare_groups(fitted, groups, "x", "y", **FEW)
    expected = fitted.doc_topics_[100:250].mean(axis=0)
    np.testing.assert_allclose(table["share_a"], expected[table["topic"]], atol=1e-6)


def test_ratios_are_finite_where_a_side_has_none(fitted):
    doc_topics = np.zeros((40, 5), dtype=np.float32)
    doc_topics[:20, 0] = doc_topics[20:, 1] = 1
    sides = np.arange(40) < 20
    table = compare_groups(fitted, sides, True, doc_topics=doc_topics).set_index("topic")
    assert np.isfinite(table["log_ratio"]).all()
    assert table["log_ratio"][0] > 5
    assert table["log_ratio"][4] == 0
    assert table["p"][4] == 1
    assert table["documents_b"][0] == []
    assert table["coverage_a"].isna().all()  # of topics alone nothing is known of atoms


@pytest.mark.parametrize(
    ("a", "arguments", "message"),
    [
        ("c", {}, "a='c' is not one of the groups: 'a', 'b'"),
        (["a", "b"], {}, "all documents are in a="),
        ("a", {"b": "a"}, "hold the same documents"),
        ("a", {"level": "words"}, "level must be one of"),
        ("a", {"level": "atoms", "doc_topics": np.full((400, 5), 0.2)}, 'level="atoms" needs the'),
        ("a", {"ids": [1, 2]}, "ids has 2 values"),
    ],
)
def test_bad_input_is_named(fitted, halves, a, arguments, message):
    with pytest.raises(ValueError, match=message):
        compare_groups(fitted, halves, a, **arguments)


def test_small_groups_are_compared_with_a_warning(wordless):
    sides = ["few"] * 4 + ["rest"] * 396
    with pytest.warns(UserWarning, match=r"'few' \(4\)"):
        table = compare_groups(wordless, sides, "few", **FEW)
    assert table["words"].tolist() == [""] * 5
