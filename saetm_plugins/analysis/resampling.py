"""Bootstrap and permutations of mean mixtures, as products of matrices a block at a time.

SciPy's ``bootstrap`` and ``permutation_test`` would hold every resample of every document; here a
block of documents is weighted by how often each resample draws it, and the sums are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from saetm_plugins.analysis.documents import BLOCK_ROWS, row_blocks
from saetm_plugins.numerics.parallel import map_ranges

Rows = np.ndarray
Values = Callable[[Rows], np.ndarray]
"""From row numbers to their values (len(rows), T), float32."""
_AT_ONCE = 8  # blocks in memory, whatever the number of threads
_WEIGHTS_AT_ONCE = 4_194_304  # resamples × documents of a block
_PERMUTATIONS = 1000  # at once


def bootstrap_means(
    values: Values, groups: list[Rows], n_resamples: int, seed: np.random.SeedSequence
) -> Iterator[np.ndarray]:
    """Yield, for each group of rows, the means (n_resamples, T) of draws with replacement."""
    size = max(1, min(BLOCK_ROWS, _WEIGHTS_AT_ONCE // n_resamples))
    totals_seed, draws_seed = seed.spawn(2)
    rng = np.random.default_rng(totals_seed)
    blocks: list[tuple[int, Rows, np.ndarray]] = []
    for group, rows in enumerate(groups):
        parts = row_blocks(rows, size)
        fractions = np.array([len(part) for part in parts]) / max(len(rows), 1)
        # How many of a resample's draws fall into each block; then which rows in it, below.
        totals = rng.multinomial(len(rows), fractions, size=n_resamples)
        blocks += [(group, part, totals[:, i]) for i, part in enumerate(parts)]
    seeds = draws_seed.spawn(len(blocks))

    def sums(block: int) -> np.ndarray:
        _, rows, totals = blocks[block]
        return _product(_draw_with_replacement(seeds[block], len(rows), totals), values(rows))

    total: np.ndarray | None = None
    for block, part in enumerate(_in_order(sums, len(blocks))):
        group = blocks[block][0]
        total = part.astype(np.float64) if total is None else total + part
        if block + 1 == len(blocks) or blocks[block + 1][0] != group:
            yield total / len(groups[group])
            total = None


def permuted_sums(
    values: Values,
    strata: list[tuple[Rows, int]],
    n_permutations: int,
    seed: np.random.SeedSequence,
) -> Iterator[np.ndarray]:
    """Yield sums over random subsets of rows, up to 1,000 permutations (rows) × T at a time.

    A permutation takes, of the rows of each stratum, the number that goes with the stratum.
    """
    parts = [(row_blocks(rows), n_taken) for rows, n_taken in strata]
    blocks = [part for stratum, _ in parts for part in stratum]
    for first in range(0, n_permutations, _PERMUTATIONS):
        n = min(_PERMUTATIONS, n_permutations - first)
        totals_seed, draws_seed = seed.spawn(2)
        rng = np.random.default_rng(totals_seed)
        totals = np.hstack(
            [
                rng.multivariate_hypergeometric([len(part) for part in stratum], n_taken, size=n)
                for stratum, n_taken in parts
            ]
        )
        seeds = draws_seed.spawn(len(blocks))

        def sums(block: int, totals: np.ndarray = totals, seeds: Any = seeds) -> np.ndarray:
            rows = blocks[block]
            taken = _draw_without_replacement(seeds[block], len(rows), totals[:, block])
            return _product(taken, values(rows))

        total = np.zeros(1)
        for part in _in_order(sums, len(blocks)):
            total = total + part
        yield total


def percentile_interval(means: np.ndarray, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds (T,) between which `confidence` of the resampled means (R, T) lie."""
    tail = (1 - confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail], axis=0)
    return low, high


def _in_order(task: Callable[[int], np.ndarray], n_tasks: int) -> Iterator[np.ndarray]:
    """Run tasks on all cores and yield their results in order: sums are then always the same."""
    for first in range(0, n_tasks, _AT_ONCE):
        ranges = [(i, i + 1) for i in range(first, min(first + _AT_ONCE, n_tasks))]
        yield from map_ranges(lambda _, i, __: task(i), ranges)


def _product(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    values = np.ascontiguousarray(values, dtype=np.float32)
    return torch.mm(torch.from_numpy(weights), torch.from_numpy(values)).numpy()


def _draw_with_replacement(
    seed: np.random.SeedSequence, n_rows: int, totals: np.ndarray
) -> np.ndarray:
    """Return how often each of `totals` (R,) draws takes each row, (R, n_rows) float32."""
    indptr = np.concatenate([[0], np.cumsum(totals)]).astype(np.int32)
    drawn = np.random.default_rng(seed).integers(n_rows, size=indptr[-1], dtype=np.int32)
    ones = np.ones(len(drawn), dtype=np.float32)
    return sp.csr_matrix((ones, drawn, indptr), shape=(len(totals), n_rows)).toarray()


def _draw_without_replacement(
    seed: np.random.SeedSequence, n_rows: int, totals: np.ndarray
) -> np.ndarray:
    """Return random subsets of `totals` (P,) rows, (P, n_rows) float32 of zeros and ones."""
    taken = np.arange(n_rows) < totals[:, None]
    np.random.default_rng(seed).permuted(taken, axis=1, out=taken)
    return taken.astype(np.float32)
