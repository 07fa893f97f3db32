"""Topics through time: the share of each in each period, and whether it rises or falls.

The paper (arXiv 2511.16309, section 6) follows topics through the eras of Japanese prints.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from saetm_plugins.analysis.documents import read_documents
from saetm_plugins.analysis.fitted import topic_words
from saetm_plugins.analysis.groups import Groups, warn_of_few
from saetm_plugins.analysis.periods import Periods, cut_into_periods
from saetm_plugins.analysis.resampling import bootstrap_means, percentile_interval
from saetm_plugins.analysis.shares import group_coverage, group_shares
from saetm_plugins.validation import check_choice, check_count, check_fraction

_LEAST_PERIODS = 4  # with fewer, no order of them is surprising


def topic_trends(
    model: Any,
    times: Any,
    bins: Any = "auto",
    *,
    threshold: float = 0,
    doc_topics: Any = None,
    doc_atoms: Any = None,
    n_words: int = 10,
    n_resamples: int = 1000,
    confidence: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Return the share of each topic in each period.

    Parameters
    ----------
    model, doc_topics, doc_atoms, n_words
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
        A row a topic and period, in order of time: ``topic, period, share, coverage, low, high,
        n_documents, words``. `low` and `high` bound the share. A period without documents has
        ``n_documents`` 0, and no share. Coverage is missing where `doc_topics` are given alone,
        at threshold 0.
    """
    check_fraction(confidence, "confidence")
    check_fraction(threshold, "threshold")
    n_resamples = check_count(n_resamples, "n_resamples")
    documents = read_documents(model, doc_topics, doc_atoms)
    periods = cut_into_periods(times, bins, len(documents))
    warn_of_few(periods.names, periods.sizes, "periods")
    filled, groups = _as_groups(periods)
    n_periods, n_topics = len(periods.names), documents.model.n_topics_
    columns = {name: np.full((n_periods, n_topics), np.nan) for name in ("share", "coverage")}
    columns["share"][filled] = group_shares(documents, groups)
    if documents.doc_atoms is not None or threshold > 0:
        columns["coverage"][filled] = group_coverage(documents, groups, threshold)
    bounds = np.full((2, n_periods, n_topics), np.nan)
    rows = [groups.rows(group) for group in range(len(filled))]
    seed = np.random.SeedSequence(check_count(random_state, "random_state", minimum=0))
    for period, means in zip(
        filled, bootstrap_means(documents.shares, rows, n_resamples, seed), strict=True
    ):
        bounds[:, period] = percentile_interval(means, confidence)
    columns |= {"low": bounds[0], "high": bounds[1]}
    words = np.array(topic_words(documents.model, n_words), dtype=object)
    return pd.DataFrame(
        {
            "topic": np.repeat(np.arange(n_topics), n_periods),
            "period": periods.names * n_topics,
            **{name: values.T.ravel() for name, values in columns.items()},
            "n_documents": np.tile(periods.sizes, n_topics),
            "words": np.repeat(words, n_periods),
        }
    )


def trend_tests(
    model: Any,
    times: Any,
    bins: Any = "auto",
    *,
    method: str = "spearman",
    doc_topics: Any = None,
    doc_atoms: Any = None,
) -> pd.DataFrame:
    """Test which topics rise or fall from period to period.

    Periods are ranked, not documents, so one large source in one year is no trend; with few
    periods only a steady course is significant. At least 4 must hold documents.

    Parameters
    ----------
    model, times, bins, doc_topics, doc_atoms
        As of :func:`topic_trends`.
    method : {"spearman", "mann-kendall"}, default="spearman"
        Rank correlation of share and time: Spearman's rho, or Kendall's tau, which is the test of
        Mann and Kendall.

    Returns
    -------
    DataFrame
        A row a topic, the smallest `q` first: ``topic, rho, p, q, peak, change``; `rho`, the rank
        correlation, 0 for a share that never changes; `p`, two-sided; `q`, Benjamini and
        Hochberg's; `peak`, the period of the largest share; `change`, of the share from the first
        to the last period along the line of Theil and Sen.
    """
    check_choice(method, "method", ("spearman", "mann-kendall"))
    documents = read_documents(model, doc_topics, doc_atoms)
    periods = cut_into_periods(times, bins, len(documents))
    filled, groups = _as_groups(periods)
    if len(filled) < _LEAST_PERIODS:
        raise ValueError(
            f"times give {len(filled)} periods with documents; a trend needs {_LEAST_PERIODS} "
            "(bins= cuts finer ones)"
        )
    warn_of_few(periods.names, periods.sizes, "periods")
    shares = group_shares(documents, groups)
    correlate = stats.spearmanr if method == "spearman" else stats.kendalltau
    rho, p = np.zeros(shares.shape[1]), np.ones(shares.shape[1])
    for topic, course in enumerate(shares.T):
        if np.ptp(course) > 0:
            rho[topic], p[topic] = correlate(filled, course)
    span = filled[-1] - filled[0]
    table = pd.DataFrame(
        {
            "topic": np.arange(len(rho)),
            "rho": rho,
            "p": p,
            "q": stats.false_discovery_control(p),
            "peak": [periods.names[filled[best]] for best in shares.argmax(axis=0)],
            "change": [span * stats.theilslopes(course, filled).slope for course in shares.T],
        }
    )
    return table.sort_values(["q", "p"], kind="stable", ignore_index=True)


def _as_groups(periods: Periods) -> tuple[np.ndarray, Groups]:
    """Return the periods that hold documents, and their documents as groups."""
    filled = np.flatnonzero(periods.sizes)
    position = np.full(len(periods.names) + 1, -1)
    position[filled] = np.arange(len(filled))
    names = [periods.names[period] for period in filled]
    return filled, Groups.of_codes(names, position[periods.codes])
