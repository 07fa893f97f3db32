"""Plain threads over ranges, for the compiled loops that release the GIL."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import numpy as np

N_RANGES = 64
"""Ranges a loop is cut into, whatever the number of threads: sums over ranges then never change."""

Result = TypeVar("Result")


def balanced_ranges(costs: np.ndarray, n_ranges: int = N_RANGES) -> list[tuple[int, int]]:
    """Cut ``range(len(costs))`` into at most `n_ranges` runs of about equal summed cost."""
    cumulative = np.cumsum(costs, dtype=np.float64)
    if not len(cumulative):
        return []
    cuts = np.searchsorted(cumulative, np.linspace(0, cumulative[-1], n_ranges + 1)[1:-1])
    edges = np.unique(np.concatenate(([0], cuts + 1, [len(costs)])).clip(0, len(costs)))
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def map_ranges(
    task: Callable[[int, int, int], Result], ranges: list[tuple[int, int]]
) -> list[Result]:
    """Return ``[task(i, first, last) for i, (first, last) in enumerate(ranges)]``, on all cores.

    The number of threads is numba's (``NUMBA_NUM_THREADS``, by default the usable cores).
    """
    from numba.core import config

    n_threads = min(int(vars(config)["NUMBA_NUM_THREADS"]), len(ranges))
    if n_threads <= 1:
        return [task(i, first, last) for i, (first, last) in enumerate(ranges)]
    with ThreadPoolExecutor(n_threads) as pool:
        return list(pool.map(lambda job: task(job[0], *job[1]), enumerate(ranges)))
