"""CSV and TSV files: what separates the cells, how quotes are meant, and the rows.

Python's ``csv`` is the parser, in its strict mode, which names the line of a fault. pandas and
pyarrow do not keep the promise that no row is lost: both take a stray quote for the beginning of a
cell that swallows rows, and pandas cuts the first cell off where rows are longer than the header.
"""

from __future__ import annotations

import csv
import io
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from saetm_plugins.files.text_file import TextFile

QUOTINGS = ("csv", "none")
_SEPARATORS = ",;\t|"
_SAMPLE = 1 << 17  # characters that a separator is guessed from
_ESCAPED = re.compile(r'\\(["\\\r\n])')
_FAULTS = {
    "unexpected end of data": "a quote is opened and never closed",
    "expected after": "text follows the quote that closes a cell",
}


def read_csv(file: TextFile, columns: Mapping[str, str]) -> Iterator[list[str]]:
    """Yield the cells of some columns.

    Quotes are interpreted in the first way that reads the whole file. If no way does, or a quoted
    cell looks like several rows, quotes are characters of the texts, provided that all lines then
    have as many cells as the header.
    """
    # The default of 131,072 characters a cell is less than a book has.
    csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
    sep, skip = _find_separator(file, set(columns.values()))
    unquoted = _Reading(file, columns, sep, skip, quotes=False)
    reading, fault, doubt = unquoted, None, ""
    for blanks, escapes in [(False, False), (True, False), (False, True), (True, True)]:
        if file.quoting == "none":
            break
        reading = _Reading(file, columns, sep, skip, blanks=blanks, escapes=escapes)
        try:
            doubt, fault = reading.check(), None
            break
        except ValueError as error:
            fault = fault or error
    if file.quoting is None and (fault or doubt):
        try:
            unquoted.check()
        except ValueError:
            pass
        else:
            doubt = f"{fault or doubt}; all quotes are read as characters of the texts"
            reading, fault = unquoted, None
    if fault:
        raise fault
    if doubt and file.quoting is None:
        message = f"{doubt}; if that is wrong, give quoting, csv or none"
        warnings.warn(message, UserWarning, stacklevel=3)
    yield from reading.cells()


@dataclass(frozen=True)
class _Reading:
    """One way to read a file: with `blanks` before quotes, with backslashes as `escapes`."""

    file: TextFile
    columns: Mapping[str, str]
    sep: str
    skip: int
    quotes: bool = True
    blanks: bool = False
    escapes: bool = False

    def cells(self) -> Iterator[list[str]]:
        """Yield the wanted cells of each row, and warn of rows that have too few."""
        positions, width, short, long = [], 0, [], []
        for line, n_lines, row in self._rows():
            if not width:
                width, positions = len(row), self.file.find(self.columns, row)
                continue
            if len(row) < width:
                short.append(line)
            if n_lines > 1 and width == 1:
                long.append(line)
            yield [row[i] if i < len(row) else "" for i in positions]
        self.file.warn_of(f"fewer than {width} cells, the rest read as empty, in line", short)
        self.file.warn_of("quotes (see quoting) join several lines to one text from line", long)

    def check(self) -> str:
        """Read the whole file; return where a quoted cell looks like several rows, or "".

        A ValueError where the file does not fit this way of reading.
        """
        doubt, width = "", 0
        between = "\t" if self.sep == "\t" else re.escape(self.sep) + r"(?=\S)"  # not of a sentence
        for line, n_lines, row in self._rows():
            if not width:
                width = len(row)
                self.file.find(self.columns, row)
            if not self.quotes and len(row) < width:
                raise ValueError(f"{self._at(line)}: {len(row)} cells for {width} columns")
            if not self.quotes and any(c[:1] == c[-1:] == '"' and '""' in c for c in row):
                raise ValueError(f"{self._at(line)}: doubled quotes, as CSV has them")
            if self.quotes and not self.blanks and any(re.match(' +"', cell) for cell in row):
                raise ValueError(f"{self._at(line)}: a blank stands before a quote")
            for cell in row if n_lines > 1 and width > 1 and not doubt else ():
                n_breaks = len(re.findall(r"\r\n?|\n", cell))
                if n_breaks and len(re.findall(between, cell)) == n_breaks * (width - 1):
                    doubt = f"{self._at(line)}: a quoted cell looks like {n_breaks + 1} rows"
        return doubt

    def _rows(self) -> Iterator[tuple[int, int, list[str]]]:
        """Yield the header and the rows, with the line each begins in and how many it has."""
        with self.file.open() as stream:
            lines: Iterator[str] = islice(stream, self.skip, None)
            if self.escapes:
                lines = (_ESCAPED.sub(lambda at: at[1].replace('"', '""'), line) for line in lines)
            options: Any = {"quoting": csv.QUOTE_MINIMAL if self.quotes else csv.QUOTE_NONE}
            options |= {"delimiter": self.sep, "skipinitialspace": self.blanks, "strict": True}
            reader = csv.reader(lines, **options)
            header: list[str] = []
            done = 0
            while True:
                try:
                    row = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    plain = [meaning for raw, meaning in _FAULTS.items() if raw in str(error)]
                    problem = plain[0] if plain else error
                    raise ValueError(f"{self._at(self.skip + done + 1)}: {problem}") from error
                line, n_lines, done = self.skip + done + 1, reader.line_num - done, reader.line_num
                if not row:
                    continue
                if not header and self.file.header_row == 0:
                    header = [str(number) for number in range(1, len(row) + 1)]
                    yield line, 1, header
                elif not header:
                    header = [cell.strip() for cell in row]
                    yield line, n_lines, header
                    continue
                if len(row) > len(header) and any(row[len(header) :]):
                    raise ValueError(
                        f"{self._at(line)}: {len(row)} cells for {len(header)} columns "
                        f"({', '.join(header)}), separated by {self.sep!r}; texts that hold the "
                        "separator must be quoted"
                    )
                yield line, n_lines, row

    def _at(self, line: int) -> str:
        return f"{self.file.name}, line {line}"


def _find_separator(file: TextFile, wanted: set[str]) -> tuple[str, int]:
    """Return what separates the cells, and the lines to skip before the header.

    Excel may write it in a first line, ``sep=;``. Else the separator is chosen for which the header
    has the wanted columns and most rows are as long as the header.
    """
    with file.open() as stream:
        sample = stream.read(_SAMPLE)
    named = re.match(r'"?sep=(.)"?\r?\n', sample)
    skip = max(file.header_row - 1, 1 if named else 0)
    if file.sep:
        return file.sep, skip
    if named:
        return named[1], skip

    def fit(sep: str) -> tuple[bool, bool, float]:
        lines = islice(io.StringIO(sample, newline=""), skip, None)
        rows = [row for row in csv.reader(lines, delimiter=sep, skipinitialspace=True) if row]
        header, rest = [cell.strip() for cell in rows[0]] if rows else [], rows[1:-1] or rows[1:]
        as_long = sum(len(row) == len(header) for row in rest) / max(len(rest), 1)
        if file.header_row == 0:  # a comma in the first text is no evidence
            return as_long > 0.8, len(header) > 1, as_long
        return wanted <= set(header), len(header) > 1, as_long

    return max(_SEPARATORS, key=fit), skip
