"""Topics through time: a planted rise is found, periods are cut where a reader expects."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from saetm_plugins.analysis import topic_trends, trend_tests
from saetm_plugins.analysis.periods import cut_into_periods
from saetm_plugins.plotting import plot_trends


@pytest.fixture(scope="module")
def years(corpus):
    """Documents of theme 2 come late, those of theme 0 early, the others at any time."""
    rng = np.random.default_rng(3)
    early, late = rng.beta(1, 3, size=400), rng.beta(3, 1, size=400)
    at = np.where(corpus.themes == 2, late, np.where(corpus.themes == 0, early, rng.random(400)))
    return 1900 + np.floor(at * 10).astype(int)


def test_a_row_a_topic_and_period_with_means_and_counts(fitted, years):
    table = topic_trends(fitted, years)
    assert " ".join(table) == "topic period share coverage low high n_documents words"
    assert len(table) == 5 * 10
    for (topic, year), row in table.set_index(["topic", "period"]).iterrows():
        rows = years == year
        assert row["n_documents"] == rows.sum()
        assert row["share"] == pytest.approx(fitted.doc_topics_[rows, topic].mean(), abs=1e-6)
        assert row["low"] <= row["share"] <= row["high"]
    pd.testing.assert_frame_equal(table, topic_trends(fitted, years))


def test_what_rises_and_what_falls_is_found(corpus, fitted, years):
    of_theme = [fitted.doc_topics_[corpus.themes == t].mean(axis=0).argmax() for t in range(5)]
    for method in ("spearman", "mann-kendall"):
        table = trend_tests(fitted, years, method=method)
        assert list(table) == ["topic", "rho", "p", "q", "peak", "change"]
        table = table.set_index("topic")
        rising, falling = table.loc[of_theme[2]], table.loc[of_theme[0]]
        assert rising["rho"] > 0.7
        assert rising["change"] > 0.1
        assert rising["q"] < 0.05
        assert rising["peak"] >= 1907
        assert falling["rho"] < -0.7
        assert falling["peak"] <= 1902
    course = topic_trends(fitted, years).query(f"topic == {of_theme[2]}")["share"]
    known = stats.kendalltau(np.arange(10), course)
    assert rising["rho"] == pytest.approx(known.statistic)
    assert rising["p"] == pytest.approx(known.pvalue)


def test_an_empty_period_says_so(fitted, years):
    gap = np.where(years == 1904, 1905, years)
    table = topic_trends(fitted, gap)
    empty = table[table["period"] == 1904]
    assert (empty["n_documents"] == 0).all()
    assert empty[["share", "coverage", "low", "high"]].isna().all(axis=None)
    assert table[table["period"] != 1904].notna().all(axis=None)
    assert len(trend_tests(fitted, gap)) == 5


def test_missing_times_are_left_out_and_counted(fitted, years):
    dates = pd.Series(pd.to_datetime([f"{year}-03-01" for year in years]))
    dates[:7] = pd.NaT
    with pytest.warns(UserWarning, match="times is missing for 7 of 400 documents"):
        table = topic_trends(fitted, dates, n_resamples=9)
    assert table.query("topic == 0")["n_documents"].sum() == 393
    with pytest.raises(ValueError, match="times is missing for all 400"):
        topic_trends(fitted, [pd.NaT] * 400)


def names(times, bins="auto"):
    return cut_into_periods(times, bins, len(times)).names


def test_auto_cuts_where_a_reader_expects():
    assert names([2012, 2013, 2015]) == [2012, 2013, 2014, 2015]
    assert names(["1999", "2001", "2001"]) == [1999, 2000, 2001]
    decades = names(list(range(1786, 1960)))
    assert decades[:2] == ["1780–1789", "1790–1799"]
    assert decades[-1] == "1950–1959"
    assert names(np.linspace(0, 1, 300))[:2] == ["0–0.05", "0.05–0.1"]
    days = pd.date_range("2020-01-05", "2021-02-03", freq="D")
    assert names(days)[:2] == ["2020-01", "2020-02"]
    assert names(days.strftime("%Y-%m-%d"))[-1] == "2021-02"
    years = names(pd.date_range("1850-01-01", "1990-01-01", freq="YS"))
    assert years[:2] == ["1850–1859", "1860–1869"]


def test_asked_for_periods():
    times = pd.to_datetime(["1856-05-01", "1861-01-01", "1879-12-31"])
    periods = cut_into_periods(times, "10Y", 3)
    assert periods.names == ["1850–1859", "1860–1869", "1870–1879"]
    assert periods.codes.tolist() == [0, 1, 2]
    early = cut_into_periods(pd.to_datetime(["1956-01-01", "1975-01-01"]), "10Y", 2)
    assert early.names == ["1950–1959", "1960–1969", "1970–1979"]
    edges = cut_into_periods([1603, 1867, 1868, 1912, 2000], [1603, 1868, 1912], 5)
    assert edges.names == ["1603–1867", "1868–1911"]
    assert edges.codes.tolist() == [0, 0, 1, 1, -1]
    assert cut_into_periods([0.0, 0.5, 1.0], 2, 3).codes.tolist() == [0, 1, 1]
    assert cut_into_periods([7, 7], "auto", 2).names == [7]
    assert cut_into_periods([7, 7], 3, 2).codes.tolist() == [0, 0]
    zoned = pd.to_datetime(["2020-01-01T01:00+02:00", "2020-03-01T00:00+02:00"])
    assert names(zoned, "M")[0] == "2019-12"
    quarters = names(pd.PeriodIndex(["2020Q1", "2020Q4"], freq="Q"), "Q")
    assert quarters == ["2020Q1", "2020Q2", "2020Q3", "2020Q4"]


@pytest.mark.parametrize(
    ("times", "bins", "message"),
    [
        (["2020-01-01", "soon"], "auto", r"times\[1\] is 'soon', neither a number nor an ISO date"),
        ([np.inf, 1.0], "auto", r"times\[0\] is infinite"),
        ([True, False], "auto", "found True and False"),
        ([1, 2], "Q", "bins='Q' is for dates"),
        (pd.to_datetime(["2020-01-01"]), "fortnight", "is not a period of pandas"),
        ([1, 2], [3, 1], "rising order"),
        ([1, 2], [10, 20], "hold no document"),
        ([1, 2], 2.5, "bins must be"),
    ],
)
def test_bad_times_are_named(times, bins, message):
    with pytest.raises((TypeError, ValueError), match=message):
        cut_into_periods(times, bins, len(times))


def test_few_periods_are_no_trend(fitted, years):
    with pytest.raises(ValueError, match="2 periods with documents; a trend needs 4"):
        trend_tests(fitted, np.where(years > 1904, 1904, 1903))


def test_topics_alone_have_shares_but_no_coverage(fitted, years):
    table = topic_trends(fitted, years, doc_topics=fitted.doc_topics_, n_resamples=9)
    assert table["share"].notna().all()
    assert table["coverage"].isna().all()


def test_groups_that_part_over_time_are_found(corpus, fitted, years):
    """In "b" theme 2 comes early and theme 0 late; the other themes know neither group nor time."""
    rng = np.random.default_rng(5)
    groups = np.where(rng.random(400) < 0.5, "a", "b")
    times = np.where((groups == "b") & np.isin(corpus.themes, [0, 2]), 3809 - years, years)
    table = topic_trends(fitted, times, 5, groups=groups, n_resamples=99)
    assert list(table)[:4] == ["topic", "group", "period", "share"]
    assert len(table) == 5 * 2 * 5
    early = (times < 1902) & (groups == "b")
    row = table.query("topic == 3 and group == 'b'").iloc[0]
    assert row["n_documents"] == early.sum()
    assert row["share"] == pytest.approx(fitted.doc_topics_[early, 3].mean(), abs=1e-6)
    assert row["low"] <= row["share"] <= row["high"]
    tests = trend_tests(fitted, times, groups=groups).set_index("topic")
    of_theme = [fitted.doc_topics_[corpus.themes == t].mean(axis=0).argmax() for t in range(5)]
    parting = tests.loc[[of_theme[2], of_theme[0]]]
    assert (parting["q"] < 0.05).all()
    assert parting["rho"].iloc[0] > 0.6
    assert parting["rho"].iloc[1] < -0.6
    assert parting["change_a"].iloc[0] > 0.1 > -0.1 > parting["change_b"].iloc[0]
    assert (tests["q"].drop(parting.index) > 0.05).all()
    assert plot_trends(table, n_topics=2).data[-1].line.dash == "dash"
    other_way = trend_tests(fitted, times, groups=groups, a="b", b="a").set_index("topic")
    np.testing.assert_allclose(other_way["rho"], -tests["rho"].loc[other_way.index], atol=1e-9)
    with pytest.raises(ValueError, match="a must name one of the 5 groups: 0, 1"):
        trend_tests(fitted, times, groups=corpus.themes)


def test_p_of_few_periods_is_exact(fitted, years):
    tests = trend_tests(fitted, years, 4).set_index("topic")
    assert tests["rho"].abs().max() == pytest.approx(1)
    assert tests["p"].min() == pytest.approx(2 / 24)  # no four periods are a trend
