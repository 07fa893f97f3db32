"""Files of texts, one reader for every command: CSV, TSV, XLSX, Parquet, JSON, folders of .txt.

A leaf: pyarrow, openpyxl and charset-normalizer (the extra ``cli``) are imported where a file
needs them. Rows are read one after the other, so a file may be larger than memory; of XLSX the
texts, and JSON as a whole, are held in memory.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_SEPARATORS = ",;\t|"
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_SAMPLE = 1 << 17  # bytes that an encoding or a separator is guessed from
_END = "\x1e end of the table \x1e"


@contextmanager
def open_table(
    file: str | os.PathLike[str], *, sep: str | None = None, encoding: str | None = None
) -> Iterator[TextTable]:
    """Find out what a file of texts is, for as many passes over its rows as needed.

    Parameters
    ----------
    file : path
        ``.csv``, ``.tsv``, ``.xlsx`` (its first sheet), ``.parquet``, ``.json``, ``.jsonl``, a
        folder with ``.txt`` files (columns ``id``, the path within the folder, and ``text``), or
        ``-``: standard input, a file of any of these kinds.
    sep : str, optional
        Separator of a CSV file; found out by default.
    encoding : str, optional
        Of a file of text, by Python's name; by default UTF-8, or what charset-normalizer finds,
        which a warning then names.

    Yields
    ------
    TextTable

    Raises
    ------
    FileNotFoundError
        When `file` does not exist.
    ValueError
        When it is empty or of another kind, or cannot be decoded (says what was tried).
    """
    if sep is not None:
        sep = sep.replace("\\t", "\t")
        if len(sep) != 1 or sep in '"\r\n':
            raise ValueError(f"sep must be one character, no quote or line end; found {sep!r}")
    if encoding is not None:
        try:
            codecs.lookup(encoding)
        except LookupError:
            raise ValueError(f"encoding {encoding!r} is not known to Python") from None
    with tempfile.TemporaryDirectory() if str(file) == "-" else nullcontext() as folder:
        if folder is not None:
            name, path = "standard input", Path(folder, "stdin")
            with path.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
        else:
            name, path = repr(str(file)), Path(file)
        kind = _find_kind(path, name)
        if kind in ("csv", "tsv", "json", "jsonl"):
            encoding = _find_encoding(path, name, encoding)
        yield TextTable(path, name, kind, "\t" if kind == "tsv" and not sep else sep, encoding)


@dataclass(frozen=True)
class TextTable:
    """A file of texts, by :func:`open_table`; every call of a method reads it from the start."""

    path: Path
    name: str
    """For messages."""
    kind: str
    """A value of :data:`FORMATS`, or "folder"."""
    sep: str | None
    encoding: str | None

    def texts(self, text_column: str = "text") -> Iterator[str]:
        """Yield the cells of one column as they stand in the file; empty and null ones are "".

        Raises
        ------
        ValueError
            As :meth:`rows`; also when a cell holds a list, an object or bytes.
        """
        for number, (cell,) in enumerate(self.rows(text_column=text_column), start=1):
            yield self.as_text(cell, number, text_column)

    def rows(self, **columns: str) -> Iterator[list[Any]]:
        """Yield the cells of some columns, row by row; blank lines of a text file are skipped.

        Parameters
        ----------
        **columns : str
            The columns, by the name that an error is to use: ``text_column="body"``.

        Raises
        ------
        ValueError
            When a column is missing (says which there are) or stands there twice, or the file is
            damaged (says where).
        """
        readers = {
            "csv": self._csv_rows,
            "tsv": self._csv_rows,
            "xlsx": self._xlsx_rows,
            "parquet": self._parquet_rows,
            "json": self._json_rows,
            "jsonl": self._json_rows,
            "folder": self._folder_rows,
        }
        return readers[self.kind](columns)

    def as_text(self, cell: Any, row: int, column: str) -> str:
        """Return a cell as text: null and NaN as "", numbers and dates as Python prints them.

        Raises
        ------
        ValueError
            When it is a list, an object or bytes; says in which `row`, counted from 1.
        """
        if isinstance(cell, str):
            return cell
        if cell is None or cell != cell:
            return ""
        if isinstance(cell, (list, dict, bytes)):
            raise ValueError(
                f"column {column!r} of {self.name} must hold texts; found {type(cell).__name__} "
                f"in row {row}"
            )
        return str(cell)

    def _csv_rows(self, columns: Mapping[str, str]) -> Iterator[list[str]]:
        # The default of 131,072 characters a cell is less than a book has.
        csv.field_size_limit(max(csv.field_size_limit(), 2**31 - 1))
        with self.path.open(newline="", encoding=self.encoding) as lines:
            sep = self.sep or _sniff_separator(lines.read(_SAMPLE), set(columns.values()))
            lines.seek(0)
            reader = csv.reader(chain(lines, [_END]), delimiter=sep)
            rows = self._numbered(reader)
            header = [cell.strip() for cell in next((row for _, row in rows if row), [])]
            places = self._find(columns, header)
            for line, row in rows:
                if len(row) > len(header) and any(row[len(header) :]):
                    raise ValueError(
                        f"{self.name}, line {line}: {len(row)} cells for {len(header)} columns "
                        f"({', '.join(header)}), separated by {sep!r}; texts that hold the "
                        "separator must be quoted"
                    )
                if row:
                    yield [row[place] if place < len(row) else "" for place in places]

    def _numbered(self, reader: Any) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows up to the end mark, and the line that each starts in."""
        while True:
            line = reader.line_num + 1
            try:
                row = next(reader)
            except csv.Error as error:
                raise ValueError(f"{self.name}, line {line}: {error}") from error
            if row == [_END]:
                return
            if row and row[-1].endswith(_END):
                raise ValueError(f"{self.name}, line {line}: a quote is opened and never closed")
            yield line, row

    def _xlsx_rows(self, columns: Mapping[str, str]) -> Iterator[list[Any]]:
        openpyxl = _import("openpyxl", ".xlsx")
        with self.path.open("rb") as stream:
            try:
                book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            except Exception as error:  # of zipfile, of the XML parser, KeyError and others
                raise ValueError(f"{self.name} is not a readable .xlsx file: {error}") from error
            sheet = book.worksheets[0]
            sheet.reset_dimensions()  # some programs write wrong ones, which cut rows off
            rows = sheet.iter_rows(values_only=True)
            header = ["" if cell is None else str(cell).strip() for cell in next(rows, ())]
            places = self._find(columns, header)
            n_blank = 0
            for row in rows:
                if all(cell is None for cell in row):
                    n_blank += 1  # below the last row there are often some with a format alone
                    continue
                yield from ([None] * len(places) for _ in range(n_blank))
                n_blank = 0
                yield [row[place] if place < len(row) else None for place in places]

    def _parquet_rows(self, columns: Mapping[str, str]) -> Iterator[list[Any]]:
        parquet = _import("pyarrow.parquet", ".parquet")
        try:
            table = parquet.ParquetFile(self.path)
        except ValueError as error:  # ArrowInvalid is one
            raise ValueError(f"{self.name} is not a readable .parquet file: {error}") from error
        with table:
            self._find(columns, table.schema_arrow.names)
            names = list(columns.values())
            for batch in table.iter_batches(256, columns=list(dict.fromkeys(names))):
                cells = {name: batch.column(name).to_pylist() for name in set(names)}
                yield from map(list, zip(*(cells[name] for name in names), strict=True))

    def _json_rows(self, columns: Mapping[str, str]) -> Iterator[list[Any]]:
        missing, found = set(columns.values()), dict[str, None]()
        for record in self._json_records():
            missing.difference_update(record)
            if missing:
                found.update(dict.fromkeys(record))
            yield [record.get(column) for column in columns.values()]
        if missing and found:  # a key may be left out where it is null, but not everywhere
            self._find(columns, list(found))

    def _json_records(self) -> Iterator[dict[str, Any]]:
        if self.kind == "jsonl":
            with self.path.open(encoding=self.encoding) as lines:
                yield from self._records_of_lines(lines)
            return
        text = self.path.read_text(encoding=self.encoding)
        try:
            content = json.loads(text)
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Extra data"):
                raise ValueError(f"{self.name} is not JSON: {error}") from error
            yield from self._records_of_lines(io.StringIO(text))  # an object a line
            return
        if isinstance(content, dict):
            content = _records_of_columns(content) or [content]
        if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
            raise ValueError(f"{self.name} must hold a list of objects, one a text")
        yield from content

    def _records_of_lines(self, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                record = json.loads(line)
            except json.JSONDecodeError as error:
                raise ValueError(f"{self.name}, line {number}: not JSON: {error}") from error
            if not isinstance(record, dict):
                raise ValueError(
                    f"{self.name}, line {number}: must be an object with a key a column; "
                    f"found {type(record).__name__}"
                )
            yield record

    def _folder_rows(self, columns: Mapping[str, str]) -> Iterator[list[str]]:
        self._find(columns, ["id", "text"])
        for path in sorted(self.path.rglob("*.txt")):
            name = path.relative_to(self.path).as_posix()
            found = _find_encoding(path, repr(str(path)), self.encoding)
            cells = {"id": name, "text": path.read_text(encoding=found)}
            yield [cells[column] for column in columns.values()]

    def _find(self, columns: Mapping[str, str], header: list[str]) -> list[int]:
        """Return where the columns stand."""
        for argument, column in columns.items():
            if header.count(column) != 1:
                problem = "stands twice in" if column in header else "is not in"
                raise ValueError(
                    f"{argument} {column!r} {problem} {self.name}; it has {', '.join(header)}"
                )
        return [header.index(column) for column in columns.values()]


def _records_of_columns(content: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Turn ``{column: {row: cell}}`` or ``{column: [cell, …]}``, as pandas writes, into rows."""
    cells = [list(c.values()) if isinstance(c, dict) else c for c in content.values()]
    if not all(isinstance(c, list) and len(c) == len(cells[0]) for c in cells):
        return None
    return [dict(zip(content, row, strict=True)) for row in zip(*cells, strict=True)]


def _find_kind(path: Path, name: str) -> str:
    if path.is_dir():
        if next(path.rglob("*.txt"), None) is None:
            raise ValueError(f"folder {name} holds no .txt file")
        return "folder"
    if not path.is_file():
        raise FileNotFoundError(f"file {name} does not exist")
    with path.open("rb") as stream:
        head = stream.read(1024)
    if not head.strip():
        raise ValueError(f"file {name} is empty")
    if name == "standard input":  # no suffix to go by
        if head.startswith(b"PAR1"):
            return "parquet"
        if head.startswith(b"PK\x03\x04"):
            return "xlsx"
        opening = head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \r\n\t")[:1]
        return "json" if opening in (b"[", b"{") else "csv"
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(
            f"file {name} must be one of {', '.join(FORMATS)}, a folder of .txt files, or - for "
            "standard input"
        )
    return kind


def _find_encoding(path: Path, name: str, encoding: str | None) -> str:
    """Return an encoding that decodes the whole file; one that was guessed is named aloud."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    marked = next((codec for mark, codec in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), "")
    tried = [encoding or marked or "utf-8"]
    if encoding and marked and codecs.lookup(encoding).name.startswith(marked.removesuffix("-sig")):
        tried = [marked]  # else the mark would be read as a letter of the first column's name
    place = _first_undecodable(path, tried[0])
    if not (encoding or marked) and b"\0" in head:  # UTF-16 without its mark is legal UTF-8
        place = 0
    if place is None:
        return tried[0]
    for guess in [] if encoding else _guess_encodings(path, place):
        tried.append(guess)
        if _first_undecodable(path, guess) is None:
            warnings.warn(
                f"{name} is not UTF-8 and was read as {guess}; if letters come out wrong, give "
                "its encoding",
                UserWarning,
                stacklevel=2,
            )
            return guess
    raise ValueError(
        f"encoding of {name} not found: byte {place} cannot be decoded; tried "
        f"{', '.join(dict.fromkeys(tried))}"
    )


def _first_undecodable(path: Path, encoding: str) -> int | None:
    """Return about where (within a chunk, in bytes) decoding fails; None when it does not."""
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            try:
                decoder.decode(chunk)
            except UnicodeError as error:
                return done + getattr(error, "start", 0)
            done += len(chunk)
    try:
        decoder.decode(b"", final=True)
    except UnicodeError:
        return done - 1
    return None


def _guess_encodings(path: Path, place: int) -> list[str]:
    """Return what the bytes around `place` may be, likeliest first."""
    charset_normalizer = _import("charset_normalizer", "a file that is not UTF-8")
    with path.open("rb") as stream:
        start = max(0, place - _SAMPLE // 2)
        stream.seek(start)
        if start:
            stream.readline()
        sample = stream.read(_SAMPLE)
    if len(sample) == _SAMPLE:  # a line is not cut within a character
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    matches = list(charset_normalizer.from_bytes(sample))
    plausible = [codec for match in matches for codec in match.could_be_from_charset]
    # Texts of western Europe look as plausible in five encodings; nearly all are in this one.
    return ["cp1252"] * ("cp1252" in plausible) + [match.encoding for match in matches]


def _sniff_separator(sample: str, wanted: set[str]) -> str:
    """Return what separates the cells of a CSV: header with the wanted columns, rows as long."""

    def fit(sep: str) -> tuple[bool, bool, float]:
        lines = io.StringIO(sample, newline="")
        rows = [row for row in csv.reader(lines, delimiter=sep) if row] or [[]]
        header, rest = [cell.strip() for cell in rows[0]], rows[1:-1] or rows[1:]
        as_long = sum(len(row) == len(header) for row in rest) / max(len(rest), 1)
        return wanted <= set(header), len(header) > 1, as_long

    return max(_SEPARATORS, key=fit)


def _import(module: str, needed_by: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{needed_by} needs pip install 'saetm-plugins[cli]': {error}") from error
