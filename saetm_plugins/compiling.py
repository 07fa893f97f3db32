"""The one way in which loops are compiled; imported where loops are, as numba takes its time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


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
