"""The one way in which loops are compiled; imported where loops are, as numba takes its time."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core.compiler_lock import global_compiler_lock

if hasattr(os, "register_at_fork"):  # no thread compiles while the process forks
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )


def compiled(*, fastmath: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a loop when it is first called, and keep the result on disk where that is possible.

    It runs without the interpreter's lock, and divides as NumPy does.

    Parameters
    ----------
    fastmath : bool, default=False
        Let sums be reordered, so that they are vectorised.
    """
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}

    def decorate(loop: Callable[..., Any]) -> Any:
        try:
            return njit(cache=True, **options)(loop)
        except RuntimeError:  # neither the package's folder nor a home can be written to
            return njit(**options)(loop)

    return decorate
