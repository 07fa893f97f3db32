"""The one way in which loops are compiled; imported where loops are, as numba takes its time.

Every loop has one signature: numba's cache on disk can give two signatures of a loop the same file
when two processes store them at once, and what is loaded from it then writes anywhere in memory.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from numba import float32, float64, int32, int64, njit
from numba.core.compiler_lock import global_compiler_lock

if hasattr(os, "register_at_fork"):  # no thread compiles while the process forks
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=global_compiler_lock.release,
    )

# NaN and infinity keep their meaning.
_FASTMATH = {"reassoc", "contract", "arcp", "nsz", "afn"}


INTS = int32[::1].copy(readonly=True)
LONGS = int64[::1].copy(readonly=True)
FLOATS = float32[::1].copy(readonly=True)
DOUBLES = float64[::1].copy(readonly=True)
FLOAT_ROWS = float32[:, ::1].copy(readonly=True)
DOUBLE_ROWS = float64[:, ::1].copy(readonly=True)
"""Arrays that a loop reads, int32 to float64 and 1-D or 2-D; it writes to ``float32[::1]``."""


def compiled(signature: Any, *, fastmath: bool = False) -> Callable[[Callable[..., Any]], Any]:
    """Compile a loop when its module is imported, and keep it on disk where that is possible.

    It runs without the interpreter's lock, and divides as NumPy does. Arguments that are not of the
    `signature` are a TypeError. With `fastmath` sums may be reordered, so that they are vectorised.
    """
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": _FASTMATH if fastmath else False,
    }

    def decorate(loop: Callable[..., Any]) -> Any:
        try:
            return njit(signature, cache=True, **options)(loop)
        except RuntimeError:  # neither the package's folder nor a home can be written to
            return njit(signature, **options)(loop)

    return decorate
