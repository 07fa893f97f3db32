"""Stage 3, threading: run a numba kernel that releases the GIL over blocks of rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np


def available_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """One pool a process: threads do not survive a fork."""
    return ThreadPoolExecutor(available_cores(), thread_name_prefix="saetm-merge")


def run_blocks(kernel: Callable[..., Any], indptr: np.ndarray, *arguments: Any) -> list[Any]:
    """Call ``kernel(start, stop, *arguments)`` on blocks of rows of even work, on all cores.

    Parameters
    ----------
    kernel : callable
        Writes rows `start` to `stop` of its outputs and no others, so that the result does not
        depend on the number of threads; releases the GIL.
    indptr : ndarray of shape (n_rows + 1,)
        A CSR row pointer; blocks hold about the same number of entries.

    Returns
    -------
    list
        What the kernel returned for each block, in order.
    """
    n_blocks = 1 if indptr[-1] < 4096 else 4 * available_cores()
    marks = np.linspace(0, indptr[-1], n_blocks + 1)[1:-1]
    bounds = np.unique(np.concatenate(([0], np.searchsorted(indptr, marks), [len(indptr) - 1])))
    if len(bounds) <= 2:
        return [kernel(0, len(indptr) - 1, *arguments)]
    jobs = [
        _pool(os.getpid()).submit(kernel, int(start), int(stop), *arguments)
        for start, stop in pairwise(bounds)
    ]
    return [job.result() for job in jobs]
