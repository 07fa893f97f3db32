"""Plain threads over ranges of rows, for compiled loops that release the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import ThreadpoolController

N_RANGES = 64
"""Ranges a loop is cut into, whatever the number of threads: sums over ranges then never change."""

_LEAST_WORK = 4096  # below it, handing work to threads costs more than it saves

Result = TypeVar("Result")


def n_threads() -> int:
    """Return the number of threads: numba's (``NUMBA_NUM_THREADS``, by default usable cores)."""
    from numba.core import config

    return int(vars(config)["NUMBA_NUM_THREADS"])


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """One pool a process: threads do not survive a fork."""
    return ThreadPoolExecutor(n_threads(), thread_name_prefix="saetm")


@lru_cache(maxsize=1)
def _blas() -> ThreadpoolController:
    return ThreadpoolController()


def single_threaded_blas() -> AbstractContextManager[Any]:
    """Keep BLAS to the calling thread, where small products alternate with loops on all cores.

    OpenBLAS' threads wait for the next product by spinning, on the cores that the loops need.
    """
    return _blas().limit(limits=1, user_api="blas")


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

    The calling thread works as well: short loops would spend their time on handing over.
    """
    results: list[Any] = [None] * len(ranges)
    waiting = iter(enumerate(ranges))  # a built-in iterator: the threads can share it

    def work() -> None:
        for i, (first, last) in waiting:
            results[i] = task(i, first, last)

    n_helpers = min(n_threads(), len(ranges)) - 1
    helpers = [_pool(os.getpid()).submit(work) for _ in range(n_helpers)]
    try:
        work()
    finally:
        wait(helpers)
    for helper in helpers:
        helper.result()
    return results


def map_rows(kernel: Callable[..., Any], indptr: np.ndarray, *arguments: Any) -> list[Any]:
    """Call ``kernel(first, last, *arguments)`` on ranges of rows of even work, on all cores.

    Parameters
    ----------
    kernel : callable
        Writes rows `first` to `last` of its outputs and no others, so that the result does not
        depend on the number of threads.
    indptr : ndarray of shape (n_rows + 1,)
        A CSR row pointer; ranges hold about the same number of entries.

    Returns
    -------
    list
        What the kernel returned for each range, in order.
    """
    n_ranges = 1 if indptr[-1] < _LEAST_WORK else 4 * n_threads()
    ranges = balanced_ranges(np.diff(indptr), n_ranges)
    return map_ranges(lambda _, first, last: kernel(first, last, *arguments), ranges)
