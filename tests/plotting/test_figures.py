"""The figures show the numbers of the tables, and refuse what is none of them."""

import numpy as np
import pandas as pd
import pytest

from saetm_plugins.analysis import SuggestedCount
from saetm_plugins.plotting import (
    plot_comparison,
    plot_correlations,
    plot_coverage,
    plot_topic_counts,
    plot_trends,
)

WORDS = ["sea, ship, boat", "portrait, man", "abstract, blue", "tree, wood"]


def coverage_table(n_groups: int) -> pd.DataFrame:
    values = np.random.default_rng(0).random((4, n_groups)) * 0.3
    values[3] += 0.6  # everywhere
    return pd.DataFrame(
        {
            "topic": np.repeat(range(4), n_groups),
            "words": np.repeat(WORDS, n_groups),
            "group": [f"g{i}" for i in range(n_groups)] * 4,
            "coverage": values.ravel(),
            "n_documents": 50,
            "few_documents": False,
        }
    )


def trend_table() -> pd.DataFrame:
    share = np.array([[0.5, 0.3, np.nan, 0.1], [0.2, 0.2, np.nan, 0.2], [0.3, 0.5, np.nan, 0.7]])
    return pd.DataFrame(
        {
            "topic": np.repeat(range(3), 4),
            "period": [1900, 1901, 1902, 1903] * 3,
            "share": share.ravel(),
            "coverage": np.nan,
            "low": share.ravel() - 0.05,
            "high": share.ravel() + 0.05,
            "n_documents": [30, 20, 0, 40] * 3,
            "words": np.repeat(WORDS[:3], 4),
        }
    )


def comparison_table() -> pd.DataFrame:
    difference = np.array([0.1, -0.05, 0.001])
    return pd.DataFrame(
        {
            "topic": [2, 0, 1],
            "words": [WORDS[2], WORDS[0], WORDS[1]],
            "share_a": 0.2 + difference,
            "share_b": 0.2,
            "difference": difference,
            "low": difference - 0.01,
            "high": difference + 0.01,
            "q": [0.001, 0.01, 0.9],
        }
    )


def correlation_table() -> pd.DataFrame:
    first, second = np.triu_indices(4, k=1)
    words = np.array(WORDS)
    return pd.DataFrame(
        {
            "topic_a": first,
            "topic_b": second,
            "words_a": words[first],
            "words_b": words[second],
            "documents_a": 100 - first,
            "documents_b": 100 - second,
            "documents_both": 10,
            "npmi": [-0.5, 0.6, -0.4, -0.2, 0.3, -0.1],
            "phi": 0.1,
        }
    )


def test_coverage_shows_the_most_varied_topics_and_leaves_out_what_is_everywhere():
    table = coverage_table(3)
    figure = plot_coverage(table, 2, names=["Ships", "Faces", "Blue", "Woods"])
    assert [trace.name for trace in figure.data] == ["g0 (50)", "g1 (50)", "g2 (50)"]
    spread = table.groupby("topic")["coverage"].var(ddof=0)[:3].sort_values(ascending=False)
    names = {0: "0 · Ships", 1: "1 · Faces", 2: "2 · Blue"}
    assert list(figure.data[0].y) == [names[topic] for topic in spread.index[:2]]
    first = table.query(f"topic == {spread.index[0]} and group == 'g0'")["coverage"].item()
    assert figure.data[0].x[0] == pytest.approx(first)
    heatmap = plot_coverage(coverage_table(15), 3)
    assert heatmap.data[0].type == "heatmap"
    assert np.shape(heatmap.data[0].z) == (3, 15)


def test_a_topic_that_a_group_lacks_has_no_bar_and_an_empty_cell():
    table = coverage_table(2)
    bars = plot_coverage(table.drop(index=0))
    assert {bar.name: len(bar.y) for bar in bars.data} == {"g0 (50)": 2, "g1 (50)": 3}
    heatmap = plot_coverage(coverage_table(15).drop(index=0))
    assert np.isnan(np.array(heatmap.data[0].z, dtype=float)).sum() == 1
    assert len(plot_coverage(table[(table["group"] == "g1") | (table["topic"] == 3)]).data) == 1


def test_shares_with_intervals_have_error_bars():
    table = coverage_table(2).rename(columns={"coverage": "share"})
    table["low"], table["high"] = table["share"] - 0.01, table["share"] + 0.02
    figure = plot_coverage(table)
    np.testing.assert_allclose(figure.data[0].error_x.array, 0.02)
    np.testing.assert_allclose(figure.data[0].error_x.arrayminus, 0.01)


def test_a_comparison_sorts_sides_and_greys_what_is_not_significant():
    figure = plot_comparison(comparison_table(), a="new", b="old")
    more_a, more_b, neither = figure.data
    assert (more_a.name, list(more_a.y)) == ("more in new", ["2 · abstract blue"])
    assert (more_b.name, list(more_b.x)) == ("more in old", [-0.05])
    assert list(neither.x) == [0.001]
    assert figure.layout.yaxis.categoryarray[-1] == "2 · abstract blue"  # on top
    table = comparison_table().assign(words="moving van, chain saw, tractor, reel")
    figure = plot_comparison(table)
    assert figure.layout.yaxis.categoryarray[-1] == "2 · moving van, chain saw, tractor"


def test_trends_break_at_empty_periods_and_mark_them():
    figure = plot_trends(trend_table())
    lines = [trace for trace in figure.data if trace.mode == "lines+markers"]
    assert [line.name[0] for line in lines] == ["2", "1", "0"]  # as they end
    assert np.isnan(lines[0].y[2])
    bands = [trace for trace in figure.data if trace.fill == "toself"]
    assert len(bands) == 6  # two stretches each
    assert len(figure.layout.shapes) == 1
    assert (figure.layout.shapes[0].x0, figure.layout.shapes[0].x1) == (1.5, 2.5)


def test_stacked_shares_fill_the_whole():
    figure = plot_trends(trend_table(), n_topics=2, kind="stacked")
    assert figure.data[-1].name == "1 other topics"
    total = np.sum([trace.y for trace in figure.data], axis=0)
    np.testing.assert_allclose(total[[0, 1, 3]], 1)
    assert np.isnan(total[2])
    with pytest.raises(ValueError, match="do not sum to 1"):
        plot_trends(trend_table(), kind="stacked", value="coverage")
    with pytest.raises(ValueError, match="holds no coverage"):
        plot_trends(trend_table(), value="coverage")
    with pytest.raises(ValueError, match=r"topics names \[7\]"):
        plot_trends(trend_table(), topics=[7])


def test_correlations_are_symmetric_and_neighbours_stand_together():
    figure = plot_correlations(correlation_table())
    (heatmap,) = figure.data
    matrix = np.array(heatmap.z, dtype=float)
    np.testing.assert_array_equal(np.isnan(matrix), np.eye(4, dtype=bool))
    np.testing.assert_array_equal(np.nan_to_num(matrix), np.nan_to_num(matrix.T))
    order = [int(label[0]) for label in heatmap.y]
    assert abs(order.index(0) - order.index(2)) == 1  # the pair with the highest npmi
    assert matrix[order.index(0), order.index(2)] == 0.6
    assert len(plot_correlations(correlation_table(), 2, value="phi").data[0].x) == 2


@pytest.mark.parametrize("plot", [plot_coverage, plot_comparison, plot_trends, plot_correlations])
def test_other_tables_are_refused(plot):
    with pytest.raises(TypeError, match="table must be what"):
        plot({"topic": [1]})
    with pytest.raises(ValueError, match="it lacks"):
        plot(pd.DataFrame({"topic": [1]}))


def test_a_suggestion_without_its_table():
    table = pd.DataFrame({"n_topics": [2, 3], "score": [0.1, 0.9]})
    good = SuggestedCount(3, "as it is", table)
    assert plot_topic_counts(good).data[0].x.tolist() == [2, 3]
    for wrong, message in (
        (None, "suggestion must be"),
        (good._replace(table=table[:0]), "suggestion.table has no rows"),
        (good._replace(table=table.drop(columns="n_topics")), "suggestion.table .* n_topics"),
        (good._replace(table=3), "suggestion.table must be"),
    ):
        with pytest.raises((TypeError, ValueError), match=message):
            plot_topic_counts(wrong)
