"""Files of texts, one reader for every command: CSV, TSV, XLSX, Parquet, JSON, folders of .txt.

A leaf: pyarrow, openpyxl and chardet (the extra ``cli``) are imported where a file needs them. Rows
are read one after the other, so a file may be larger than memory; of XLSX the texts, and JSON as a
whole, are held in memory. No row is lost and no text changed without a warning or an error.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import json
import lzma
import os
import re
import shutil
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any

from saetm_plugins.files.csv_files import QUOTINGS, read_csv
from saetm_plugins.validation import check_choice, check_count

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".xlsx": "xlsx",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
}
_COMPRESSED: dict[bytes, Any] = {  # by the first bytes
    b"\x1f\x8b": gzip,
    b"BZh": bz2,
    b"\xfd7zXZ\0": lzma,
}
_BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it starts with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_COMMON = ("utf", "cp1", "cp9", "gb1", "gbk", "gb2", "big", "euc", "koi")
_SAMPLE = 1 << 17  # bytes that an encoding is guessed from


@contextmanager
def open_table(
    file: str | os.PathLike[str],
    *,
    sep: str | None = None,
    encoding: str | None = None,
    encoding_errors: str = "strict",
    quoting: str | None = None,
    sheet: str | int | None = None,
    header_row: int = 1,
) -> Iterator[TextTable]:
    """Find out what a file of texts is, for as many passes over its rows as needed.

    Parameters
    ----------
    file : path
        ``.csv``, ``.tsv``, ``.xlsx``, ``.parquet``, ``.json``, ``.jsonl``, also compressed
        (``.gz``, ``.bz2``, ``.xz``, or ``.zip`` with one file); a folder with ``.txt`` files
        (columns ``id``, the path within the folder, and ``text``); or ``-``: standard input, a
        file of any of these kinds.
    sep : str, optional
        Separator of a CSV file; found out by default.
    encoding : str, optional
        Of a file of text, by Python's name; by default UTF-8, or what chardet finds, which a
        warning then names.
    encoding_errors : {"strict", "replace"}
        Whether bytes that are not in `encoding` are an error, or read as U+FFFD with a warning that
        names the rows. Without `encoding`, a file that is UTF-8 but for a few bytes is read so too.
    quoting : {"csv", "none"}, optional
        Whether quotes enclose the cells of a CSV file, or are characters like others. By default
        "csv", or "none" with a warning where only that reads all rows.
    sheet : str or int, optional
        Of an Excel file, its name or number from 1; by default the first.
    header_row : int, default=1
        The line of a CSV file, or row of a sheet, with the names of the columns; those above it are
        skipped. 0: there is none, and columns are called "1", "2" and so on.

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
    check_choice(encoding_errors, "encoding_errors", ("strict", "replace"))
    if quoting is not None:
        check_choice(quoting, "quoting", QUOTINGS)
    check_count(header_row, "header_row", minimum=0)
    with tempfile.TemporaryDirectory() as folder:
        name, path = repr(str(file)), Path(file)
        if str(file) == "-":
            name, path = "standard input", Path(folder, "stdin")
            with path.open("wb") as copy:
                shutil.copyfileobj(sys.stdin.buffer, copy)
        path = _unpack(path, name, Path(folder))
        kind = _find_kind(path, name)
        if kind in ("csv", "tsv", "json", "jsonl"):
            encoding, encoding_errors = _find_encoding(path, name, encoding, encoding_errors)
        sep = "\t" if kind == "tsv" and not sep else sep
        yield TextTable(
            path, name, kind, sep, encoding, encoding_errors, quoting, sheet, header_row
        )


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
    encoding_errors: str
    quoting: str | None
    sheet: str | int | None
    header_row: int

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
        readers: dict[str, Any] = {
            "csv": read_csv,
            "tsv": read_csv,
            "xlsx": TextTable._xlsx_rows,
            "parquet": TextTable._parquet_rows,
            "json": TextTable._json_rows,
            "jsonl": TextTable._json_rows,
            "folder": TextTable._folder_rows,
        }
        damaged = []
        for number, cells in enumerate(readers[self.kind](self, columns), start=1):
            if any(isinstance(cell, str) and "\ufffd" in cell for cell in cells):
                damaged.append(number)
            yield cells
        self.warn_of("U+FFFD stands for characters that cannot be read, in row", damaged)

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

    def open(self) -> IO[str]:
        """Open a file of text; line ends stay as they are."""
        return self.path.open(newline="", encoding=self.encoding, errors=self.encoding_errors)

    def find(self, columns: Mapping[str, str], header: list[str]) -> list[int]:
        """Return where the columns stand.

        Raises
        ------
        ValueError
            When one is missing, or stands there twice.
        """
        for argument, column in columns.items():
            if header.count(column) != 1:
                problem = "stands twice in" if column in header else "is not in"
                if self.kind in ("csv", "tsv", "xlsx"):
                    problem += f" row {self.header_row} (header_row) of"
                known = ", ".join(header[:30]) + ", …" * (len(header) > 30)
                raise ValueError(f"{argument} {column!r} {problem} {self.name}; it has {known}")
        return [header.index(column) for column in columns.values()]

    def warn_of(self, problem: str, numbers: list[int]) -> None:
        """Warn of rows or lines, where there are any."""
        if numbers:
            first = ", ".join(map(str, numbers[:5]))
            more = f" and {len(numbers) - 5:,} more" * (len(numbers) > 5)
            warnings.warn(f"{self.name}: {problem} {first}{more}", UserWarning, stacklevel=3)

    def _xlsx_rows(self, columns: Mapping[str, str]) -> Iterator[list[Any]]:
        from openpyxl.utils.escape import unescape

        places: list[int] = []
        without_result: list[int] = []
        n_blank = 0
        results = enumerate(self._sheet_rows(results=True))
        for at, row in islice(enumerate(self._sheet_rows()), max(self.header_row - 1, 0), None):
            if not places:
                names = row if self.header_row else range(1, len(row) + 1)
                header = ["" if cell is None else str(cell).strip() for cell in names]
                places = self.find(columns, header)
                if self.header_row:
                    continue
            if all(cell is None for cell in row):
                n_blank += 1  # below the last row there are often some with a format alone
                continue
            yield from ([None] * len(places) for _ in range(n_blank))
            n_blank = 0
            cells = [row[place] if place < len(row) else None for place in places]
            formulas = [getattr(cell, "text", cell) for cell in cells]  # ArrayFormula.text
            if any(isinstance(text, str) and text.startswith("=") for text in formulas):
                found = next(found for number, found in results if number == at)
                for number, place in enumerate(places):
                    cell = found[place] if place < len(found) else None
                    cells[number] = cell and cell.value
                    # The result "" is None to openpyxl as well, but has a type.
                    if cell and cell.value is None and cell.data_type != "str" and formulas[number]:
                        cells[number] = formulas[number]
                        without_result.append(at + 1 - self.header_row)
            yield [unescape(cell) if isinstance(cell, str) else cell for cell in cells]
        self.warn_of("a formula without a result is read as a text in row", without_result)

    def _sheet_rows(self, *, results: bool = False) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of the sheet: values and formulas, or cells with results of formulas."""
        openpyxl = _import("openpyxl", ".xlsx")
        with self.path.open("rb") as stream:
            try:
                book = openpyxl.load_workbook(stream, read_only=True, data_only=results)
            except Exception as error:  # of zipfile, of the XML parser, KeyError and others
                raise ValueError(f"{self.name} is not a readable .xlsx file: {error}") from error
            sheets = {sheet.title: sheet for sheet in book.worksheets}
            names = ", ".join(sheets)
            numbered = dict(zip(map(str, range(1, len(sheets) + 1)), sheets.values(), strict=True))
            sheet = (numbered | sheets).get("1" if self.sheet is None else str(self.sheet))
            if sheet is None:
                raise ValueError(f"sheet {self.sheet!r} is not in {self.name}; it has {names}")
            if self.sheet is None and len(sheets) > 1 and not results:
                message = f"{self.name} has the sheets {names}; only {sheet.title} is read"
                warnings.warn(message, UserWarning, stacklevel=4)
            sheet.reset_dimensions()  # some programs write wrong ones, which cut rows off
            yield from sheet.iter_rows(values_only=not results)

    def _parquet_rows(self, columns: Mapping[str, str]) -> Iterator[list[Any]]:
        parquet = _import("pyarrow.parquet", ".parquet")
        try:
            table = parquet.ParquetFile(self.path)
        except ValueError as error:  # ArrowInvalid is one
            raise ValueError(f"{self.name} is not a readable .parquet file: {error}") from error
        with table:
            self.find(columns, table.schema_arrow.names)
            names = list(columns.values())
            for batch in table.iter_batches(256, columns=list(dict.fromkeys(names))):
                cells = {name: batch.column(name).to_pylist() for name in set(names)}
                yield from map(list, zip(*(cells[name] for name in names), strict=True))

    def _json_rows(self, columns: Mapping[str, str]) -> Iterator[list[Any]]:
        missing, found = set(columns.values()), dict[str, None]()
        for record in self._json_records(missing.copy()):
            missing.difference_update(record)
            if missing:
                found.update(dict.fromkeys(record))
            yield [_replace_surrogates(record.get(column)) for column in columns.values()]
        if missing and found:  # a key may be left out where it is null, but not everywhere
            self.find(columns, list(found))

    def _json_records(self, wanted: set[str]) -> Iterator[dict[str, Any]]:
        with self.open() as stream:
            if self.kind == "jsonl":
                yield from self._records_of_lines(stream)
                return
            text = stream.read()
        try:
            content = _records_of(json.loads(text), wanted)
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Extra data"):
                raise ValueError(f"{self.name} is not JSON: {error}") from error
            yield from self._records_of_lines(text.split("\n"))  # an object a line
            return
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
        self.find(columns, ["id", "text"])
        for path in sorted(self.path.rglob("*.txt")):
            name = path.relative_to(self.path).as_posix()
            found = _find_encoding(path, repr(str(path)), self.encoding, self.encoding_errors)
            cells = {"id": name, "text": path.read_text(*found)}
            yield [cells[column] for column in columns.values()]


def _records_of(content: Any, wanted: set[str]) -> Any:
    """Return the rows of JSON as objects, where they can be told from each other.

    Beside a list of objects: what ``DataFrame.to_json`` writes by ``orient="columns"``, "index",
    "split" or "table"; lists of cells by column; and an object that holds one list of objects.
    pandas' own reader must be told the orient, and makes numbers and dates of ids and texts.
    """
    if not isinstance(content, dict) or not content:
        return content
    if content.keys() >= {"columns", "data"} and isinstance(content["columns"], list):
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]
    values = list(content.values())
    if all(isinstance(value, dict) for value in values):
        if any(wanted & value.keys() for value in values) and not wanted <= content.keys():
            return values  # orient="index"
        rows = dict.fromkeys(row for cells in values for row in cells)
        return [{column: cells.get(row) for column, cells in content.items()} for row in rows]
    tables = [cells for cells in values if isinstance(cells, list) and cells]
    if len(tables) == 1 and isinstance(tables[0][0], dict) and not wanted <= content.keys():
        return tables[0]  # {"data": [{…}, …]}, or orient="table"
    if all(isinstance(cells, list) and len(cells) == len(values[0]) for cells in values):
        return [dict(zip(content, row, strict=True)) for row in zip(*values, strict=True)]
    return [content]


def _replace_surrogates(cell: Any) -> Any:
    """Put U+FFFD for half of a surrogate pair, which no encoding has."""
    if not isinstance(cell, str) or cell.isascii():
        return cell
    return cell.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _unpack(path: Path, name: str, folder: Path) -> Path:
    """Return a file itself, or what it holds compressed, written into `folder`."""
    if not path.is_file():
        return path
    with path.open("rb") as stream:
        head = stream.read(8)
    codec = next((codec for magic, codec in _COMPRESSED.items() if head.startswith(magic)), None)
    suffixes = [suffix for suffix in path.suffixes if suffix.lower() in FORMATS]
    try:
        if codec is not None:
            target = folder / f"unpacked{''.join(suffixes[-1:])}"
            with codec.open(path) as packed, target.open("wb") as copy:
                shutil.copyfileobj(packed, copy)
            return target
        if head.startswith(b"PK") and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                files = [each for each in archive.namelist() if not each.endswith("/")]
                if "[Content_Types].xml" in files:  # .xlsx
                    return path
                files = [each for each in files if not each.startswith("__MACOSX/")]
                if len(files) != 1:
                    raise ValueError(f"{name} must hold one file; it holds {', '.join(files)}")
                target = folder / f"unpacked{Path(files[0]).suffix}"
                with archive.open(files[0]) as packed, target.open("wb") as copy:
                    shutil.copyfileobj(packed, copy)
            return target
    except (
        OSError,
        EOFError,
        RuntimeError,
        zlib.error,
        lzma.LZMAError,
        zipfile.BadZipFile,
    ) as error:
        raise ValueError(f"{name} cannot be unpacked: {error}") from error
    return path


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
    if path.name in ("stdin", "unpacked"):  # no suffix to go by
        if head.startswith(b"PAR1"):
            return "parquet"
        if head.startswith(b"PK\x03\x04"):
            return "xlsx"
        opening = head.lstrip(b"\xef\xbb\xbf\xff\xfe\0 \r\n\t")[:1]
        return "json" if opening in (b"[", b"{") else "csv"
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise ValueError(
            f"file {name} must be one of {', '.join(FORMATS)} (also in .gz, .bz2, .xz or .zip), a "
            "folder of .txt files, or - for standard input"
        )
    return kind


def _find_encoding(path: Path, name: str, encoding: str | None, errors: str) -> tuple[str, str]:
    """Return an encoding that decodes the whole file, and what to do with bytes it does not have.

    One that was guessed is named in a warning.
    """
    with path.open("rb") as stream:
        head = stream.read(1024)
    marked = next((codec for mark, codec in _BYTE_ORDER_MARKS.items() if head.startswith(mark)), "")
    if encoding and marked and codecs.lookup(encoding).name.startswith(marked.removesuffix("-sig")):
        encoding = marked  # else the mark would be read as a letter of the first column's name
    tried = [encoding or marked or "utf-8"]
    place = _first_undecodable(path, tried[0])
    # UTF-16 without its mark is legal UTF-8, with a null beside each letter of ASCII.
    holds_null = head.count(0) * 10 > len(head) and not (encoding or marked)
    if place is None and not holds_null:
        return tried[0], "strict"
    if errors == "replace" and (encoding or marked):
        return tried[0], errors
    if place is not None and not encoding and _is_damaged_utf8(path):
        return marked or "utf-8", "replace"
    for guess, word in [] if encoding else _guess_encodings(path, place or 0):
        if holds_null and place is None and not guess.startswith("utf"):
            return "utf-8", "strict"
        tried.append(guess)
        if _first_undecodable(path, guess) is None:
            warnings.warn(
                f"{name} is not UTF-8 and was read as {guess}, {word!r} for example; if letters "
                "come out wrong, give its encoding",
                UserWarning,
                stacklevel=2,
            )
            return guess, "strict"
    if place is None:
        return "utf-8", "strict"
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


def _is_damaged_utf8(path: Path) -> bool:
    """Tell whether most of what is not ASCII is UTF-8, which no other encoding looks like."""
    n_wrong = n_other = 0
    with path.open(encoding="utf-8", errors="replace") as stream:
        while chunk := stream.read(1 << 20):
            n_wrong += chunk.count("\ufffd")
            n_other += len(chunk) - len(chunk.encode("ascii", "ignore"))
    return n_other > 2 * n_wrong


def _guess_encodings(path: Path, place: int) -> Iterator[tuple[str, str]]:
    """Yield what the bytes around `place` may be, likeliest first, with a word in it."""
    chardet = _import("chardet", "a file that is not UTF-8")
    with path.open("rb") as stream:
        start = max(0, place - _SAMPLE // 2)
        stream.seek(start)
        if start:
            stream.readline()
        sample = stream.read(_SAMPLE)
    if len(sample) == _SAMPLE:  # a line is not cut within a character
        sample = sample[: sample.rfind(b"\n") + 1] or sample
    telling = b"\n".join(re.findall(rb"[^\r\n]*[\x80-\xff][^\r\n]*", sample))
    if b"\0" not in sample and len(telling) > 200:  # lines of ASCII would hide the difference
        sample = telling
    likely = []
    for found in chardet.detect_all(sample, prefer_superset=True, compat_names=False):
        text = sample.decode(found["encoding"], "replace") if found["encoding"] else ""
        # Italian "più" is "piщ" in an encoding of Russian: a word has letters of one script.
        mixed = re.findall(r"[a-z][\u0370-\u1dff]|[\u0370-\u1dff][a-z]", text, re.IGNORECASE)
        word = re.search(r"\S*[^\x00-\x7f]\S*", text)
        if text and len(mixed) <= len(re.findall(r"[\u0370-\u1dff]+", text)) / 2:
            common = found["encoding"][:3] in _COMMON
            weight = 1.18 if found["encoding"] == "cp1252" else 1 if common else 0.5
            likely.append(
                (found["confidence"] * weight, found["encoding"], word[0] if word else "")
            )
    # chardet's confidences differ little for few texts; encodings are not as common as each other.
    for _, encoding, example in sorted(likely, reverse=True, key=lambda each: each[0]):
        yield encoding, example


def _import(module: str, needed_by: str) -> Any:
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(f"{needed_by} needs pip install 'saetm-plugins[cli]': {error}") from error
