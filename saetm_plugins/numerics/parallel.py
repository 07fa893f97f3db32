"""Plain threads over ranges of rows: the one kind of thread that every stage runs on.

A task releases the GIL in compiled loops or in torch, and torch stays single-threaded inside of
it. No team of OpenMP threads is ever waited for: such a team spins, and where another job has the
cores a fit would take ten times as long. Nothing here changes what other threads see.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
import torch
from threadpoolctl import ThreadpoolController

N_RANGES = 64
"""Ranges a loop is cut into, whatever the number of threads: sums over ranges then never change."""

_LEAST_ROWS = 128  # of a product: it repacks the other factor
_LEAST_WORK = 4096  # below it, handing work to threads costs more than it saves

Result = TypeVar("Result")


def n_threads() -> int:
    """Return the number of threads: ``NUMBA_NUM_THREADS``, by default the usable cores."""
    from numba.core import config

    return int(vars(config)["NUMBA_NUM_THREADS"])


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """One pool a process: threads do not survive a fork."""
    return ThreadPoolExecutor(
        n_threads(), thread_name_prefix="saetm", initializer=_keep_to_this_thread
    )


@lru_cache(maxsize=1)
def _openmp() -> list[ctypes.PyDLL]:
    """Return the OpenMP libraries that are loaded; torch brings its own.

    As PyDLL, which keeps the interpreter's lock: getting it back would take longer than the call.
    """
    found = ThreadpoolController().select(user_api="openmp").lib_controllers
    return [ctypes.PyDLL(library.filepath) for library in found]


def _keep_to_this_thread() -> None:
    torch.get_num_threads()  # torch's own start in a thread, which would undo what follows
    for library in _openmp():
        library.omp_set_num_threads(1)  # OpenMP keeps this number for each thread


@contextmanager
def single_threaded() -> Iterator[None]:
    """Keep torch and OpenMP to the calling thread, inside of the block and for this thread only."""
    torch.get_num_threads()
    before = [(library, library.omp_get_max_threads()) for library in _openmp()]
    for library, _ in before:
        library.omp_set_num_threads(1)
    try:
        yield
    finally:
        for library, number in before:
            library.omp_set_num_threads(number)


def balanced_ranges(costs: np.ndarray, n_ranges: int = N_RANGES) -> list[tuple[int, int]]:
    """Cut ``range(len(costs))`` into at most `n_ranges` runs of about equal summed cost."""
    cumulative = np.cumsum(costs, dtype=np.float64)
    if not len(cumulative):
        return []
    cuts = np.searchsorted(cumulative, np.linspace(0, cumulative[-1], n_ranges + 1)[1:-1])
    edges = np.unique(np.concatenate(([0], cuts + 1, [len(costs)])).clip(0, len(costs)))
    return [(int(a), int(b)) for a, b in pairwise(edges)]


def even_ranges(n_rows: int, size: int) -> list[tuple[int, int]]:
    """Cut ``range(n_rows)`` into runs of `size`, the last perhaps shorter."""
    return [(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]


def map_ranges(
    task: Callable[[int, int, int], Result], ranges: list[tuple[int, int]]
) -> list[Result]:
    """Return ``[task(i, first, last) for i, (first, last) in enumerate(ranges)]``, on all cores.

    The calling thread works as well. Any thread may call, a task too.
    """
    results: list[Any] = [None] * len(ranges)
    waiting = iter(enumerate(ranges))  # a built-in iterator: the threads can share it

    def work() -> None:
        for i, (first, last) in waiting:
            results[i] = task(i, first, last)

    n_helpers = min(n_threads(), len(ranges)) - 1
    helpers = [_pool(os.getpid()).submit(work) for _ in range(n_helpers)]
    try:
        with single_threaded():
            work()
    finally:
        # A helper that has not begun may wait behind threads that wait themselves.
        running = [helper for helper in helpers if not helper.cancel()]
        wait(running)
    for helper in running:
        helper.result()
    return results


def matmul(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return ``left @ right``, rows of `left` or columns of `right` shared out among threads."""
    n, m = len(left), right.shape[1]
    product = left.new_empty(n, m)
    size = max(_LEAST_ROWS, -(-max(n, m) // (4 * n_threads())))

    def of_rows(_: int, first: int, last: int) -> None:
        torch.mm(left[first:last], right, out=product[first:last])

    def of_columns(_: int, first: int, last: int) -> None:
        torch.mm(left, right[:, first:last], out=product[:, first:last])

    map_ranges(of_rows if n >= m else of_columns, even_ranges(max(n, m), size))
    return product


def map_rows(kernel: Callable[..., Any], indptr: np.ndarray, *arguments: Any) -> list[Any]:
    """Call ``kernel(first, last, *arguments)`` on ranges of CSR rows of even work, on all cores.

    The kernel writes to rows `first` to `last` alone: the number of threads then does not matter.
    """
    ranges = ranges_of_rows(indptr)
    return map_ranges(lambda _, first, last: kernel(first, last, *arguments), ranges)


def ranges_of_rows(indptr: np.ndarray) -> list[tuple[int, int]]:
    """Cut the rows of a CSR matrix into ranges of about the same number of entries."""
    n_ranges = 1 if indptr[-1] < _LEAST_WORK else 4 * n_threads()
    return balanced_ranges(np.diff(indptr), n_ranges)
