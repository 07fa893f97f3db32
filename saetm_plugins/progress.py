"""Progress bars, made only where one is shown.

Making a bar of tqdm takes a lock, a disabled bar too; a process forked while another thread holds
it would wait for ever at its first one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any


def progress_bar(iterable: Iterable[Any] | None = None, *, disable: bool, **options: Any) -> Any:
    """Return tqdm's bar over `iterable`, or what has the same methods and shows nothing.

    Parameters
    ----------
    iterable : iterable, optional
        Where there is none, ``update`` moves the bar.
    disable : bool
    **options
        As in tqdm.
    """
    if disable:
        return _NoBar(() if iterable is None else iterable)
    from tqdm.auto import tqdm

    return tqdm(iterable, **options)


class _NoBar:
    def __init__(self, iterable: Iterable[Any]):
        self._iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)

    def __enter__(self) -> _NoBar:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def update(self, n: int = 1) -> None:
        """Do nothing, as the methods of a bar that is not shown."""

    def set_postfix(self, **_: Any) -> None:
        """Do nothing."""
