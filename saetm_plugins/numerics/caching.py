"""Values that are computed once, without a lock that a forked process could inherit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")


class cached_property(Generic[Value]):
    """As in Python 3.12; before, a lock is held while the value is computed.

    A process that is forked meanwhile would wait for it for ever.
    """

    def __init__(self, compute: Callable[[Any], Value]):
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __get__(self, instance: Any, owner: type) -> Value:
        if instance is None:
            return self  # type: ignore[return-value]
        found = self._compute(instance)
        instance.__dict__[self._compute.__name__] = found  # where Python looks before it comes here
        return found
