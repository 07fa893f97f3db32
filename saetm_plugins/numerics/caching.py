"""Values that are computed once, without a lock that a forked process could inherit."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from functools import cached_property as cached_property
else:
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

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        def __get__(self, instance: Any, owner: type | None = None) -> Value:
            if instance is None:
                return self  # type: ignore[return-value]
            if self._name not in instance.__dict__:
                instance.__dict__[self._name] = self._compute(instance)
            found: Value = instance.__dict__[self._name]
            return found
