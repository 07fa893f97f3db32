"""A file of texts as the readers of the formats get it."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import IO, Any


@dataclass(frozen=True)
class TextFile:
    """A file of texts and how to read it; see :func:`saetm_plugins.files.texts.open_table`."""

    path: Path
    name: str
    """For messages."""
    kind: str
    """A value of :data:`saetm_plugins.files.texts.FORMATS`, or "folder"."""
    sep: str | None
    encoding: str | None
    encoding_errors: str
    quoting: str | None
    sheet: str | int | None
    header_row: int
    header: list[str] = field(default_factory=list)
    """The names of the columns, once rows were read."""

    def open(self) -> IO[str]:
        """Open a file of text; line ends stay as they are."""
        return self.path.open(newline="", encoding=self.encoding, errors=self.encoding_errors)

    def find(self, columns: Mapping[str, str], header: list[str]) -> list[int]:
        """Return the positions of columns in the header; each must be there once."""
        for argument, column in columns.items():
            if header.count(column) != 1:
                problem = "stands twice in" if column in header else "is not in"
                if self.kind in ("csv", "tsv", "xlsx"):
                    problem += f" row {self.header_row} (header_row) of"
                known = ", ".join(header[:30]) + ", …" * (len(header) > 30)
                raise ValueError(f"{argument} {column!r} {problem} {self.name}; it has {known}")
        self.header[:] = header
        return [header.index(column) for column in columns.values()]

    def warn_of(self, problem: str, numbers: list[int]) -> None:
        """Warn of rows or lines, where there are any."""
        if numbers:
            first = ", ".join(map(str, numbers[:5]))
            more = f" and {len(numbers) - 5:,} more" * (len(numbers) > 5)
            warnings.warn(f"{self.name}: {problem} {first}{more}", UserWarning, stacklevel=3)


def import_extra(module: str, needed_by: str) -> Any:
    """Import a module of the extra ``cli``, which the error names where it is not installed."""
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{needed_by} needs pip install 'saetm-plugins[cli]': {error}") from error
