"""Progress bars, made only where one is shown.

Making a bar of tqdm takes a lock, a disabled bar too, as sentence-transformers makes for each call.
Forked processes share it with their parent: one that is killed while it holds the lock would leave
the others waiting for ever, so each forked process gets a lock of its own.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import Any


def _use_own_lock() -> None:
    if std := sys.modules.get("tqdm.std"):
        lock, classes = threading.RLock(), [std.tqdm]
        for bar in classes:  # each class may keep one, and all of them share one between processes
            bar.set_lock(lock)
            classes += bar.__subclasses__()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_use_own_lock)


def progress_bar(iterable: Iterable[Any] | None = None, *, disable: bool, **options: Any) -> Any:
    """Return tqdm's bar over `iterable`, or what has the same methods and shows nothing."""
    if disable:
        return _NoBar(iterable)
    from tqdm.auto import tqdm

    return tqdm(iterable, **options)


class _NoBar:
    def __init__(self, iterable: Any):
        self._iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: Any) -> None:
        """Do nothing, as the methods of a bar that is not shown."""

    update = set_postfix = lambda self, *_, **__: None
