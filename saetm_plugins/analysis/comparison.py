"""Compare two groups of documents by their topics or atoms, with intervals and tests.

At the level of atoms this is the comparison of data sets of *Interpretable Embeddings with Sparse
Autoencoders* (arXiv 2512.10092).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from saetm_plugins.analysis.documents import LEVELS, Documents, read_documents, row_blocks
from saetm_plugins.analysis.explanation import main_topics
from saetm_plugins.analysis.fitted import atom_words, topic_words
from saetm_plugins.analysis.groups import read_groups, two_sides
from saetm_plugins.analysis.resampling import (
    Values,
    bootstrap_means,
    percentile_interval,
    permuted_sums,
)
from saetm_plugins.numerics.arrays import column_sums
from saetm_plugins.validation import as_list, check_choice, check_count, check_fraction

_LEAST_PERMUTATIONS = 9_999
_PER_TOPIC = 40  # permutations for each, so that one alone can have q < .05
_ROUNDING = 1e-5  # of a sum of shares in single precision


@dataclass(frozen=True)
class Strata:
    """The documents of a and b in each stratum that has both, and the stratum's weight."""

    a: list[np.ndarray]
    b: list[np.ndarray]
    weights: np.ndarray


def compare_groups(
    model: Any,
    groups: Any,
    a: Any,
    b: Any = None,
    *,
    level: str = "topics",
    strata: Any = None,
    threshold: float = 0,
    doc_topics: Any = None,
    doc_atoms: Any = None,
    ids: Any = None,
    n_documents: int = 3,
    n_words: int = 10,
    n_resamples: int = 1000,
    n_permutations: int | None = None,
    confidence: float = 0.95,
    random_state: int = 0,
) -> pd.DataFrame:
    """Compare two groups of documents by their topics: what is in a and not in b.

    Documents are drawn and permuted as if they were independent: if several are from one source,
    give the sources as `strata`, or compare the sources' means.

    Parameters
    ----------
    model, groups, doc_topics, doc_atoms, n_words
        As of :func:`topic_shares`.
    a, b : label, or list of labels
        Groups; several count as one. `b` None means all other documents whose group is known.
        Documents in both are left out.
    level : {"topics", "atoms"}, default="topics"
        "atoms" compares the atoms that are active in any of the documents: finer, and independent
        of the cut.
    strata : array-like of length n, optional
        Labels of a confounder to keep fixed, such as source or length (cut numbers into quantiles
        first, ``pandas.qcut``). Shares are then means over strata that hold both a and b, with
        the weights of Cochran, Mantel and Haenszel (n_a n_b / (n_a + n_b)), and permutations stay
        within a stratum.
    threshold : float, default=0
        Of the coverage, see :func:`coverage`.
    ids : sequence of length n, optional
        What documents are called in the last two columns; their row numbers by default.
    n_documents : int, default=3
        How many typical documents to name of each side.
    n_resamples : int, default=1000
        Of the bootstrap.
    n_permutations : int, optional
        None means 9,999, or 40 for each topic (atom) where that is more; the smallest p is
        ``1 / (n_permutations + 1)``.
    confidence : float, default=0.95
        Of the interval of the difference.
    random_state : int, default=0

    Returns
    -------
    DataFrame
        A row a topic, most different first (by `q`, then `p`, then the difference in standard
        errors): ``topic``, ``words``; ``share_a``, ``share_b``, mean shares; ``coverage_a``,
        ``coverage_b``; ``difference``, share_a - share_b; ``log_ratio``, the binary logarithm of
        share_a / share_b with one average document added to each side; ``low``, ``high``, the
        bootstrap's percentile interval of the difference; ``p``, two-sided, of a permutation test
        of the difference; ``q``, Benjamini and Hochberg's; ``documents_a``, ``documents_b``,
        the documents with the largest share of the topic (largest activation of the atom). With
        ``level="atoms"`` a column ``atom`` comes first; ``topic`` is the one the atom has the
        largest weight in (-1: none). Coverage is missing if `doc_topics` are given alone and
        `threshold` is 0.
    """
    check_choice(level, "level", LEVELS)
    check_fraction(confidence, "confidence")
    check_fraction(threshold, "threshold")
    n_resamples = check_count(n_resamples, "n_resamples")
    n_documents = check_count(n_documents, "n_documents", minimum=0)
    documents = read_documents(model, doc_topics, doc_atoms)
    names = None if ids is None else as_list(ids, "ids", "one name per document")
    if names is not None and len(names) != len(documents):
        raise ValueError(f"ids has {len(names)} values for {len(documents)} documents")
    rows_a, rows_b = two_sides(read_groups(groups, len(documents)), a, b)
    pairs = _stratify(rows_a, rows_b, strata, len(documents))
    units = _units(documents, level, rows_a, rows_b)
    if n_permutations is None:
        n_permutations = max(_LEAST_PERMUTATIONS, _PER_TOPIC * len(units) - 1)
    n_permutations = check_count(n_permutations, "n_permutations")

    def values(rows: np.ndarray) -> np.ndarray:
        return documents.shares(rows, level)[:, units]

    seeds = np.random.SeedSequence(check_count(random_state, "random_state", minimum=0)).spawn(2)
    share_a, share_b = _mean_shares(values, pairs)
    low, high = _interval(values, pairs, n_resamples, confidence, seeds[0])
    p, z = _permutation_test(values, pairs, share_a - share_b, n_permutations, seeds[1])
    table = _describe(documents, level, units, n_words)
    table["share_a"], table["share_b"] = share_a, share_b
    table["coverage_a"], table["coverage_b"] = _coverages(documents, level, threshold, pairs, units)
    table["difference"] = share_a - share_b
    table["log_ratio"] = _log_ratio(share_a, share_b, pairs)
    table["low"], table["high"] = low, high
    table["p"], table["q"] = p, stats.false_discovery_control(p)
    for side, rows in (("documents_a", rows_a), ("documents_b", rows_b)):
        table[side] = _typical(values, rows, len(units), n_documents, names)
    order = np.lexsort((-np.abs(z), p, table["q"].to_numpy()))
    return table.iloc[order].reset_index(drop=True)


def _stratify(rows_a: np.ndarray, rows_b: np.ndarray, strata: Any, n_documents: int) -> Strata:
    if strata is None:
        return Strata([rows_a], [rows_b], np.ones(1))
    found = read_groups(strata, n_documents, "strata")
    if np.asarray(found.members.sum(axis=0)).max() > 1:
        raise ValueError("strata puts a document in several strata; give one label each")
    every = [found.rows(stratum) for stratum in range(len(found.names))]
    pairs = [(np.intersect1d(rows_a, rows), np.intersect1d(rows_b, rows)) for rows in every]
    kept = [(in_a, in_b) for in_a, in_b in pairs if len(in_a) and len(in_b)]
    if not kept:
        raise ValueError(
            f"none of the {len(pairs)} strata holds documents of both a and b, so a and b cannot "
            "be compared within strata"
        )
    n_left_out = len(rows_a) + len(rows_b) - sum(len(in_a) + len(in_b) for in_a, in_b in kept)
    if n_left_out:
        warnings.warn(
            f"{n_left_out:,} documents are left out, in strata without any of the other side",
            UserWarning,
            stacklevel=3,
        )
    weights = np.array([len(in_a) * len(in_b) / (len(in_a) + len(in_b)) for in_a, in_b in kept])
    return Strata([in_a for in_a, _ in kept], [in_b for _, in_b in kept], weights / weights.sum())


def _units(documents: Documents, level: str, rows_a: np.ndarray, rows_b: np.ndarray) -> np.ndarray:
    """Return the columns to compare: all topics, or the atoms active in any of the documents."""
    if level == "topics":
        return np.arange(documents.model.n_topics_)
    doc_atoms = documents.need_atoms('level="atoms"')
    rows = np.concatenate([rows_a, rows_b])
    return np.flatnonzero(np.asarray(doc_atoms[rows].sum(axis=0)).ravel() > 0)


def _mean_shares(values: Values, pairs: Strata) -> list[np.ndarray]:
    """Return the weighted means over strata of the mean shares of a and of b."""

    def mean(rows: np.ndarray) -> np.ndarray:
        sums = [values(block).sum(axis=0, dtype=np.float64) for block in row_blocks(rows)]
        return sum(sums) / len(rows)

    return [pairs.weights @ np.stack(list(map(mean, side))) for side in (pairs.a, pairs.b)]


def _interval(
    values: Values, pairs: Strata, n_resamples: int, confidence: float, seed: np.random.SeedSequence
) -> tuple[np.ndarray, np.ndarray]:
    """Return the percentile interval of share_a - share_b; both sides are drawn in each stratum."""
    signed = np.concatenate([pairs.weights, -pairs.weights])
    means = bootstrap_means(values, pairs.a + pairs.b, n_resamples, seed)
    differences = sum(weight * mean for weight, mean in zip(signed, means, strict=True))
    return percentile_interval(np.asarray(differences), confidence)


def _permutation_test(
    values: Values,
    pairs: Strata,
    observed: np.ndarray,
    n_permutations: int,
    seed: np.random.SeedSequence,
) -> tuple[np.ndarray, np.ndarray]:
    """Return two-sided p of the difference, and the difference in its standard errors.

    With the weights of Cochran, Mantel and Haenszel the difference is, but for constants, the sum
    over the documents of a.
    """
    sides = list(zip(pairs.a, pairs.b, strict=True))
    harmonic = sum(len(in_a) * len(in_b) / (len(in_a) + len(in_b)) for in_a, in_b in sides)
    strata = [(np.concatenate([in_a, in_b]), len(in_a)) for in_a, in_b in sides]
    expected, variance, largest = _moments(values, strata)
    slack = _ROUNDING * np.maximum(largest, expected)
    reached = np.zeros(len(observed), dtype=np.int64)
    target = np.abs(observed) * harmonic - slack
    for sums in permuted_sums(values, strata, n_permutations, seed):
        reached += (np.abs(sums - expected) >= target).sum(axis=0)
    z = np.divide(
        observed * harmonic, np.sqrt(variance), out=np.zeros_like(observed), where=variance > 0
    )
    return (1 + reached) / (n_permutations + 1), z


def _moments(
    values: Values, strata: list[tuple[np.ndarray, int]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and variance of the permuted sums, and the largest value of any document."""
    expected: Any = 0.0
    variance: Any = 0.0
    largest: Any = 0.0
    for rows, n_taken in strata:
        total: Any = 0.0
        squares: Any = 0.0
        for block in row_blocks(rows):
            each = values(block).astype(np.float64)
            total, squares = total + each.sum(axis=0), squares + (each**2).sum(axis=0)
            largest = np.maximum(largest, each.max(axis=0))
        n = len(rows)
        expected = expected + n_taken * total / n
        spread = np.maximum(squares - total**2 / n, 0) / max(n - 1, 1)
        variance = variance + n_taken * (n - n_taken) / n * spread
    return expected, variance, largest


def _coverages(
    documents: Documents, level: str, threshold: float, pairs: Strata, units: np.ndarray
) -> list[np.ndarray]:
    if documents.doc_atoms is None and level == "topics" and threshold == 0:
        return [np.full(len(units), np.nan)] * 2
    present = documents.present(level, threshold)
    means = [
        [column_sums(present[rows])[units] / len(rows) for rows in side]
        for side in (pairs.a, pairs.b)
    ]
    return [pairs.weights @ np.stack(side) for side in means]


def _log_ratio(share_a: np.ndarray, share_b: np.ndarray, pairs: Strata) -> np.ndarray:
    n_a, n_b = sum(map(len, pairs.a)), sum(map(len, pairs.b))
    pooled = (n_a * share_a + n_b * share_b) / (n_a + n_b)
    pooled = np.where(pooled > 0, pooled, 1.0)  # in neither: a ratio of 1
    return np.log2((n_a * share_a + pooled) / (n_a + 1)) - np.log2(
        (n_b * share_b + pooled) / (n_b + 1)
    )


def _describe(documents: Documents, level: str, units: np.ndarray, n_words: int) -> pd.DataFrame:
    model = documents.model
    if level == "topics":
        return pd.DataFrame({"topic": units, "words": topic_words(model, n_words)})
    columns = {"atom": units, "topic": main_topics(model, units)}
    return pd.DataFrame({**columns, "words": atom_words(model, n_words, units)})


def _typical(
    values: Values, rows: np.ndarray, n_units: int, n_documents: int, names: list[Any] | None
) -> list[list[Any]]:
    """Return the documents among `rows` with the largest shares of each topic, largest first."""
    best_shares = np.zeros((0, n_units), dtype=np.float32)
    best_rows = np.zeros((0, n_units), dtype=np.int64)
    for block in row_blocks(rows):
        shares = np.vstack([best_shares, values(block)])
        candidates = np.vstack([best_rows, np.repeat(block[:, None], n_units, axis=1)])
        order = np.argsort(-shares, axis=0, kind="stable")[:n_documents]
        best_shares = np.take_along_axis(shares, order, axis=0)
        best_rows = np.take_along_axis(candidates, order, axis=0)
    found = []
    for unit in range(n_units):
        chosen = best_rows[best_shares[:, unit] > 0, unit].tolist()
        found.append(chosen if names is None else [names[row] for row in chosen])
    return found
