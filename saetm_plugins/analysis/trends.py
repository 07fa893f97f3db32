"""Topics through time: the share of each in each period, and whether it rises or falls.

The paper (arXiv 2511.16309, section 6) follows topics through the eras of Japanese prints.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import stats

from saetm_plugins.analysis.documents import read_documents
from saetm_plugins.analysis.fitted import topic_words
from saetm_plugins.analysis.groups import Groups, read_groups, two_sides, warn_of_few
from saetm_plugins.analysis.periods import Periods, cut_into_periods
from saetm_plugins.analysis.resampling import bootstrap_means, percentile_interval
from saetm_plugins.analysis.shares import group_coverage, group_shares
from saetm_plugins.validation import check_choice, check_count, check_fraction

_LEAST_PERIODS = 4  # with fewer, no order of them is surprising
_EXACT = 7  # periods up to which all their orders are tried


def topic_trends(
    model: Any,
    times: Any,
    bins: Any = "auto",
    *,
    groups: Any = None,
    threshold: float = 0,
    doc_topics: Any = None,
    doc_atoms: Any = None,
    n_words: int = 10,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Return the share of each topic in each period, for each group if there are `groups`.

    Parameters
    ----------
    model, groups, doc_topics, doc_atoms, n_words
        As of :func:`topic_shares`.
    times : array-like of length n
        Dates (also as ISO texts), years, or other numbers; documents without are left out.
    bins : "auto", int, str or sequence, default="auto"
        "auto": each year where there are few; else decades, months and so on, about 20 at most.
        An int: so many periods of equal length. A text: a length of dates as pandas writes it
        ("Y", "10Y", "M"). A sequence: edges, each period holding its lower one.
    threshold : float, default=0
        Of the coverage, see :func:`coverage`.
    n_resamples : int, default=1000
        Of the bootstrap of documents.
    confidence : float, default=0.95
    random_state : int, default=0

    Returns
    -------
    DataFrame
        A row a topic, group (if given) and period, in order of time: ``topic, group, period,
        share, coverage, low, high, n_documents, words``. `low` and `high` bound the share. A period
        without documents has ``n_documents`` 0, and no share. Coverage is missing where
        `doc_topics` are given alone, at threshold 0.
    """
    check_fraction(confidence, "confidence")
    check_fraction(threshold, "threshold")
    n_resamples = check_count(n_resamples, "n_resamples")
    documents = read_documents(model, doc_topics, doc_atoms)
    periods = cut_into_periods(times, bins, len(documents))
    found = None if groups is None else read_groups(groups, len(documents))
    filled, cells = _cells(periods, found)
    warn_of_few(cells.names, cells.sizes, "periods")
    n_cells = len(periods.names) * (1 if found is None else len(found.names))
    n_topics = documents.model.n_topics_
    columns = {
        n: np.full((n_cells, n_topics), np.nan) for n in ("share", "coverage", "low", "high")
    }
    columns["share"][filled] = group_shares(documents, cells)
    if documents.doc_atoms is not None or threshold > 0:
        columns["coverage"][filled] = group_coverage(documents, cells, threshold)
    rows = [cells.rows(cell) for cell in range(len(filled))]
    seed = np.random.SeedSequence(check_count(random_state, "random_state", minimum=0))
    for cell, means in zip(
        filled, bootstrap_means(documents.shares, rows, n_resamples, seed), strict=True
    ):
        columns["low"][cell], columns["high"][cell] = percentile_interval(means, confidence)
    sizes = np.zeros(n_cells, dtype=np.int64)
    sizes[filled] = cells.sizes
    words = np.array(topic_words(documents.model, n_words), dtype=object)
    table = pd.DataFrame(
        {
            "topic": np.repeat(np.arange(n_topics), n_cells),
            "period": periods.names * (n_topics * n_cells // len(periods.names)),
            **{name: values.T.ravel() for name, values in columns.items()},
            "n_documents": np.tile(sizes, n_topics),
            "words": np.repeat(words, n_cells),
        }
    )
    if found is not None:
        of_cells = [name for name in found.names for _ in periods.names]
        table.insert(1, "group", of_cells * n_topics)
    return table


def trend_tests(
    model: Any,
    times: Any,
    bins: Any = "auto",
    *,
    groups: Any = None,
    a: Any = None,
    b: Any = None,
    method: str = "spearman",
    doc_topics: Any = None,
    doc_atoms: Any = None,
) -> pd.DataFrame:
    """Test which topics rise or fall from period to period, or do so differently in two groups.

    Periods are ranked, not documents, so one large source in one year is no trend; with few
    periods only a steady course is significant. At least 4 must hold documents.

    Parameters
    ----------
    model, times, bins, doc_topics, doc_atoms
        As of :func:`topic_trends`.
    groups : optional
        As of :func:`topic_trends`. What is tested is then the interaction of group and time:
        whether the difference of a topic's shares in a and in b rises or falls.
    a, b : label, or list of labels
        As of :func:`compare_groups`; with two groups, a is the first by default.
    method : {"spearman", "mann-kendall"}, default="spearman"
        Rank correlation of share and time: Spearman's rho, or Kendall's tau, which is the test of
        Mann and Kendall. Up to 7 periods p is exact, by all their orders.

    Returns
    -------
    DataFrame
        A row a topic, the smallest `q` first: ``topic, rho, p, q, peak, change``; `rho`, the rank
        correlation, 0 for a share that never changes; `p`, two-sided; `q`, Benjamini and
        Hochberg's; `peak`, the period of the largest share; `change`, of the share from the first
        to the last period along the line of Theil and Sen. With `groups` all these are of the
        difference, share in a less share in b, in the periods that hold documents of both, and
        ``change_a, change_b`` follow.
    """
    check_choice(method, "method", ("spearman", "mann-kendall"))
    documents = read_documents(model, doc_topics, doc_atoms)
    periods = cut_into_periods(times, bins, len(documents))
    sides = None if groups is None else _two_sides(groups, a, b, len(documents))
    filled, cells = _cells(periods, sides)
    n_sides, n_periods = (1 if sides is None else 2), len(periods.names)
    courses = np.full((n_sides * n_periods, documents.model.n_topics_), np.nan)
    courses[filled] = group_shares(documents, cells)
    courses = courses.reshape(n_sides, n_periods, -1)
    filled = np.flatnonzero(~np.isnan(courses).any(axis=(0, 2)))
    if len(filled) < _LEAST_PERIODS:
        raise ValueError(
            f"times give {len(filled)} periods with documents{' of both groups' * (n_sides - 1)}; "
            f"a trend needs {_LEAST_PERIODS} (bins= cuts finer ones)"
        )
    warn_of_few(cells.names, cells.sizes, "periods")
    courses = courses[:, filled]
    shares = courses[0] if sides is None else courses[0] - courses[1]
    correlate = stats.spearmanr if method == "spearman" else stats.kendalltau
    rho, p = np.zeros(shares.shape[1]), np.ones(shares.shape[1])
    varied = np.ptp(shares, axis=0) > 0
    for topic in np.flatnonzero(varied):
        rho[topic], p[topic] = correlate(filled, shares[:, topic])
    if method == "spearman" and len(filled) <= _EXACT and varied.any():
        p[varied] = _exact_p(shares[:, varied])
    table = pd.DataFrame(
        {
            "topic": np.arange(len(rho)),
            "rho": rho,
            "p": p,
            "q": stats.false_discovery_control(p),
            "peak": [periods.names[filled[best]] for best in shares.argmax(axis=0)],
            "change": _changes(shares, filled),
        }
    )
    if sides is not None:
        table["change_a"], table["change_b"] = (_changes(each, filled) for each in courses)
    return table.sort_values(["q", "p"], kind="stable", ignore_index=True)


def _exact_p(courses: np.ndarray) -> np.ndarray:
    """Return the two-sided p of Spearman's rho of each column with time, from all orders of it."""
    centred = np.arange(len(courses)) - (len(courses) - 1) / 2

    def statistic(ranks: np.ndarray, axis: int) -> np.ndarray:  # rho but for a factor
        return np.moveaxis(ranks, axis, -1) @ centred

    return stats.permutation_test(
        (stats.rankdata(courses, axis=0),), statistic, permutation_type="pairings",
        vectorized=True, n_resamples=np.inf, batch=500,
    ).pvalue  # fmt: skip


def _changes(shares: np.ndarray, at: np.ndarray) -> list[float]:
    """Return the change of each column from the first to the last period, by Theil and Sen."""
    return [(at[-1] - at[0]) * stats.theilslopes(course, at).slope for course in shares.T]


def _two_sides(groups: Any, a: Any, b: Any, n_documents: int) -> Groups:
    """Return a and b as groups; a is the first of two where it is not given."""
    found = read_groups(groups, n_documents)
    if a is None:
        if len(found.names) != 2:
            shown = ", ".join(map(repr, found.names[:10]))
            raise ValueError(f"a must name one of the {len(found.names)} groups: {shown}")
        a = found.names[0]
    codes = np.full(n_documents, -1)
    for side, rows in enumerate(two_sides(found, a, b)):
        codes[rows] = side
    return Groups.of_codes([a, "the others" if b is None else b], codes)


def _cells(periods: Periods, groups: Groups | None) -> tuple[np.ndarray, Groups]:
    """Return the periods that hold documents, of each group in turn, and their documents."""
    every = Groups.of_codes(periods.names, periods.codes)
    names, members = every.names, every.members
    if groups is not None:
        names = [f"{period}, {group}" for group in groups.names for period in periods.names]
        members = sp.vstack(
            [members.multiply(groups.members[[g]]) for g in range(len(groups.names))], format="csr"
        )
        members.eliminate_zeros()
    filled = np.flatnonzero(np.diff(members.indptr))
    kept = sp.csr_matrix(members[filled])
    return filled, Groups([names[cell] for cell in filled], kept, every.known)
