"""Files of texts as DataFrames, and DataFrames as files."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from saetm_plugins.files.folders import check_parent
from saetm_plugins.files.texts import TextTable, open_table
from saetm_plugins.files.write import write_whole

if TYPE_CHECKING:
    import pandas as pd

TABLE_SUFFIXES = (".csv", ".tsv", ".parquet", ".xlsx", ".jsonl")
_XLSX_ROWS = 1_048_575  # below the header
_ISO_DATE = r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?"


def read_table(
    file: str | os.PathLike[str],
    text_column: str | None = "text",
    *,
    sep: str | None = None,
    encoding: str | None = None,
    encoding_errors: str = "strict",
    quoting: str | None = None,
    sheet: str | int | None = None,
    header_row: int = 1,
    keep_columns: bool = False,
    **columns: str | None,
) -> pd.DataFrame:
    """Read the texts of a file, and further columns such as ids, groups and times.

    Parameters
    ----------
    file : path
        See :func:`saetm_plugins.files.texts.open_table`.
    text_column : str or None, default="text"
        Read as text: ``007``, ``NA`` and ``None`` stay as they are; empty and null cells are "".
        None reads no texts.
    sep, encoding, encoding_errors, quoting, sheet, header_row
        As of :func:`saetm_plugins.files.texts.open_table`.
    keep_columns : bool, default=False
        Read all other columns as well, behind those asked for.
    **columns : str, optional
        Further columns, by the name that an error is to use: ``id_column="id"``; None is left
        out. A column of a CSV holds numbers or ISO dates if all of its cells are some, and would be
        written the same (``007`` stays a text); empty and null cells are missing.

    Returns
    -------
    DataFrame
        A row a text, in the file's order; columns as they are named in the file.
    """
    import pandas as pd

    asked = {"text_column": text_column, **columns}
    wanted = {argument: column for argument, column in asked.items() if column is not None}
    if not wanted and not keep_columns:
        raise ValueError("text_column is None, and no other column is asked for")
    reading: Any = {"sep": sep, "encoding": encoding, "encoding_errors": encoding_errors}
    reading |= {"quoting": quoting, "sheet": sheet, "header_row": header_row}
    with open_table(file, **reading) as table:
        if keep_columns:
            others = [name for name in table.names(**wanted) if name not in wanted.values()]
            wanted |= {f"column {name}": name for name in others}
        rows = list(table.rows(**wanted))
        if not rows:
            raise ValueError(f"file {table.name} holds no rows")
        frame = pd.DataFrame(index=range(len(rows)))
        for column, cells in zip(wanted.values(), zip(*rows, strict=True), strict=True):
            if column in frame:
                continue
            if column == text_column:
                frame[column] = [table.as_text(c, row, column) for row, c in enumerate(cells, 1)]
            else:
                frame[column] = _typed(table, cells)
    return frame


def check_table_path(path: str | os.PathLike[str], n_rows: int = 0, name: str = "path") -> Path:
    """Refuse a file that :func:`write_table` could not write, before the work."""
    path = check_parent(path)
    if path.is_dir():
        raise ValueError(f"{name} {str(path)!r} is a folder")
    if path.suffix.lower() not in TABLE_SUFFIXES:
        known = ", ".join(TABLE_SUFFIXES)
        raise ValueError(f"{name} must end in one of {known}; found {str(path)!r}")
    if path.suffix.lower() == ".xlsx" and n_rows > _XLSX_ROWS:
        raise ValueError(f"{name} cannot hold {n_rows:,} rows, an .xlsx ends at {_XLSX_ROWS:,}")
    return path


def write_table(
    frame: pd.DataFrame,
    path: str | os.PathLike[str],
    *,
    sheet: str = "table",
    more_sheets: Mapping[str, pd.DataFrame] | None = None,
) -> Path:
    """Write a table as .csv, .tsv, .parquet, .xlsx or .jsonl, by the suffix; all or nothing.

    Texts are UTF-8; shares (float32) are rounded to six decimals, except in Parquet. In an .xlsx
    file, rows can be filtered by their columns, whose names stay in sight.

    Parameters
    ----------
    frame : DataFrame
    path : path
    sheet : str, default="table"
        Its name in an .xlsx file.
    more_sheets : mapping of str to DataFrame, optional
        Further sheets of an .xlsx file; files of other kinds hold the one table.
    """
    path = check_table_path(path, len(frame))
    suffix = path.suffix.lower()

    def write(target: Path) -> None:
        if suffix == ".parquet":
            _plain_objects(frame).to_parquet(target, index=False)
        elif suffix == ".xlsx":
            _write_xlsx({sheet: frame, **(more_sheets or {})}, target)
        elif suffix == ".jsonl":
            layout: Any = {"orient": "records", "lines": True, "date_format": "iso"}
            _rounded(frame).to_json(target, force_ascii=False, **layout)
        else:
            _rounded(frame).to_csv(target, index=False, sep="\t" if suffix == ".tsv" else ",")

    write_whole(path, write)
    return path


def _typed(table: TextTable, cells: Sequence[Any]) -> pd.Series:
    """Return a column of ids, groups or times with the narrowest type that loses nothing."""
    import pandas as pd

    values = pd.Series(cells, dtype=object)
    if table.kind not in ("csv", "tsv"):
        return narrow(values)
    values = values.where(values != "", None)
    filled = [cell for cell in cells if cell != ""]
    if filled and all(re.fullmatch(r"0|-?[1-9]\d{0,17}", cell) for cell in filled):
        return values.map(int, na_action="ignore").astype("Int64")
    if filled and all(_is_written_float(cell) for cell in filled):
        return values.map(float, na_action="ignore").astype("Float64")
    if filled and all(re.fullmatch(_ISO_DATE, cell) for cell in filled):
        try:
            return pd.to_datetime(values, format="ISO8601")
        except ValueError:  # a 30th of February, or several time zones
            pass
    return values.astype("string")


def narrow(values: pd.Series) -> pd.Series:
    """Return objects in a type of pandas, unless this changes one, as floats do large integers."""
    narrow = values.convert_dtypes()
    known = values.notna()
    return narrow if narrow[known].tolist() == values[known].tolist() else values


def _is_written_float(cell: str) -> bool:
    """Return whether a cell is a number as Python writes it."""
    try:
        return repr(float(cell)) == cell and "n" not in cell
    except ValueError:
        return False


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Write a share of .1 as 0.1, not as the float64 next to its float32."""
    shares = frame.select_dtypes(np.float32).astype(np.float64).round(6)
    return frame.assign(**{str(column): shares[column] for column in shares})


def _plain_objects(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of several types, which Parquet has not, into text."""
    objects = frame.select_dtypes(object)
    mixed = [column for column in objects if objects[column].dropna().map(type).nunique() > 1]
    return frame.assign(**{str(c): frame[c].map(str, na_action="ignore") for c in mixed})


def _write_xlsx(frames: Mapping[str, pd.DataFrame], path: Path) -> None:
    """Write texts as texts: pandas makes a formula of what starts with "="."""
    import pandas as pd
    from openpyxl import Workbook
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
    from openpyxl.utils import get_column_letter

    book = Workbook(write_only=True)

    def as_cell(sheet: Any, value: Any) -> Any:
        if pd.api.types.is_scalar(value) and pd.isna(value):
            return None
        if isinstance(value, numbers.Real) or (isinstance(value, datetime) and not value.tzinfo):
            return value  # Excel has no time zones
        cell = WriteOnlyCell(sheet, value=ILLEGAL_CHARACTERS_RE.sub("\ufffd", str(value)))
        cell.data_type = "s"
        return cell

    for title, frame in frames.items():
        sheet = book.create_sheet(title)
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = f"A1:{get_column_letter(frame.shape[1])}{len(frame) + 1}"
        sheet.append([as_cell(sheet, str(name)) for name in frame])
        for row in _rounded(frame).astype(object).itertuples(index=False, name=None):
            sheet.append([as_cell(sheet, value) for value in row])
    book.save(path)
