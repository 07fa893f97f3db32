"""Files of texts, one reader for every command: CSV, TSV, XLSX, Parquet, JSON, folders of .txt.

Rows are read one after the other, so a file may be larger than memory; the texts of XLSX and all of
JSON are held in memory. No row is lost and no text is changed without a warning or an error.
"""

from __future__ import annotations

import bz2
import codecs
import gzip
import lzma
import os
import shutil
import sys
import tempfile
import warnings
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from saetm_plugins.files.csv_files import QUOTINGS, read_csv
from saetm_plugins.files.encodings import find_encoding
from saetm_plugins.files.json_files import read_json_rows
from saetm_plugins.files.text_file import TextFile, import_extra
from saetm_plugins.files.xlsx import read_xlsx
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
_COMPRESSED: dict[bytes, Any] = {b"\x1f\x8b": gzip, b"BZh": bz2, b"\xfd7zXZ\0": lzma}
_DAMAGED = (OSError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


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
            encoding, encoding_errors = find_encoding(path, name, encoding, encoding_errors)
        sep = "\t" if kind == "tsv" and not sep else sep
        yield TextTable(
            path, name, kind, sep, encoding, encoding_errors, quoting, sheet, header_row
        )


class TextTable(TextFile):
    """A file of texts, by :func:`open_table`; every call of a method reads it from the start."""

    def texts(self, text_column: str = "text") -> Iterator[str]:
        """Yield the cells of one column as they stand in the file; empty and null ones are ""."""
        for number, (cell,) in enumerate(self.rows(text_column=text_column), start=1):
            yield self.as_text(cell, number, text_column)

    def rows(self, **columns: str) -> Iterator[list[Any]]:
        """Yield the cells of some columns, by the name that an error uses: ``text_column="body"``.

        Blank lines of a text file are skipped.
        """
        damaged = []
        for number, cells in enumerate(_READERS[self.kind](self, columns), start=1):
            if any(isinstance(cell, str) and "\ufffd" in cell for cell in cells):
                damaged.append(number)
            yield cells
        self.warn_of("U+FFFD stands for characters that cannot be read, in row", damaged)

    def names(self, **columns: str) -> list[str]:
        """Return the names that stand once in the header which reading `columns` finds."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # reading them for their cells gives the same ones
            rows = self.rows(**columns)
            next(rows, None)
            if self.kind in ("json", "jsonl"):  # any row may have further ones
                deque(rows, maxlen=0)
        return [name for name in self.header if name and self.header.count(name) == 1]

    def as_text(self, cell: Any, row: int, column: str) -> str:
        """Return a cell as text: null and NaN as "", numbers and dates as Python prints them."""
        if isinstance(cell, (list, dict, bytes)):
            found = f"{type(cell).__name__} in row {row}"
            raise ValueError(f"column {column!r} of {self.name} must hold texts; found {found}")
        return "" if cell is None or cell != cell else str(cell)


def _read_parquet(file: TextFile, columns: Mapping[str, str]) -> Iterator[list[Any]]:
    parquet = import_extra("pyarrow.parquet", ".parquet")
    try:
        table = parquet.ParquetFile(file.path)
    except ValueError as error:  # ArrowInvalid is one
        raise ValueError(f"{file.name} is not a readable .parquet file: {error}") from error
    with table:
        file.find(columns, table.schema_arrow.names)
        names = list(columns.values())
        for batch in table.iter_batches(256, columns=list(dict.fromkeys(names))):
            cells = {name: batch.column(name).to_pylist() for name in set(names)}
            yield from map(list, zip(*(cells[name] for name in names), strict=True))


def _read_folder(file: TextFile, columns: Mapping[str, str]) -> Iterator[list[str]]:
    file.find(columns, ["id", "text"])
    for path in sorted(file.path.rglob("*.txt")):
        found = find_encoding(path, repr(str(path)), file.encoding, file.encoding_errors)
        cells = {"id": path.relative_to(file.path).as_posix(), "text": path.read_text(*found)}
        yield [cells[column] for column in columns.values()]


_READERS: dict[str, Callable[[TextFile, Mapping[str, str]], Iterator[list[Any]]]] = {
    "csv": read_csv,
    "tsv": read_csv,
    "xlsx": read_xlsx,
    "parquet": _read_parquet,
    "json": read_json_rows,
    "jsonl": read_json_rows,
    "folder": _read_folder,
}


def _unpack(path: Path, name: str, folder: Path) -> Path:
    """Return a file itself, or what it holds compressed, written into `folder`."""
    if not path.is_file():
        return path
    with path.open("rb") as stream:
        head = stream.read(8)
    codec = next((codec for magic, codec in _COMPRESSED.items() if head.startswith(magic)), None)
    try:
        with ExitStack() as opened:
            if codec is not None:
                suffix = next((s for s in path.suffixes[::-1] if s.lower() in FORMATS), "")
                packed = opened.enter_context(codec.open(path))
            elif head.startswith(b"PK") and zipfile.is_zipfile(path):
                archive = opened.enter_context(zipfile.ZipFile(path))
                files = [each for each in archive.namelist() if not each.endswith("/")]
                if "[Content_Types].xml" in files:  # .xlsx
                    return path
                files = [each for each in files if not each.startswith("__MACOSX/")]
                if len(files) != 1:
                    raise ValueError(f"{name} must hold one file; it holds {', '.join(files)}")
                suffix, packed = Path(files[0]).suffix, opened.enter_context(archive.open(files[0]))
            else:
                return path
            target = folder / f"unpacked{suffix}"
            with target.open("wb") as copy:
                shutil.copyfileobj(packed, copy)
            return target
    except _DAMAGED as error:
        raise ValueError(f"{name} cannot be unpacked: {error}") from error


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
