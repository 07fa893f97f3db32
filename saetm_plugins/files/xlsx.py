"""Excel files: the rows of one sheet, with the results of its formulas."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from saetm_plugins.files.text_file import TextFile, import_extra


def read_xlsx(file: TextFile, columns: Mapping[str, str]) -> Iterator[list[Any]]:
    """Yield the cells of some columns; a formula is its result, or itself without one."""
    unescape = import_extra("openpyxl.utils.escape", ".xlsx").unescape
    positions: list[int] | None = None
    without_result: list[int] = []
    n_blank = 0
    results = enumerate(_sheet_rows(file, results=True))
    for at, row in islice(enumerate(_sheet_rows(file)), max(file.header_row - 1, 0), None):
        if positions is None:
            names = row if file.header_row else range(1, len(row) + 1)
            header = ["" if cell is None else str(cell).strip() for cell in names]
            positions = file.find(columns, header)
            if file.header_row:
                continue
        if all(cell is None for cell in row):
            n_blank += 1  # below the last row there are often some with a format alone
            continue
        yield from ([None] * len(positions) for _ in range(n_blank))
        n_blank = 0
        cells = [row[position] if position < len(row) else None for position in positions]
        formulas = [getattr(cell, "text", cell) for cell in cells]  # ArrayFormula.text
        if any(isinstance(text, str) and text.startswith("=") for text in formulas):
            found = next(found for number, found in results if number == at)
            for number, position in enumerate(positions):
                cell = found[position] if position < len(found) else None
                cells[number] = cell and cell.value
                # The result "" is None to openpyxl as well, but has a type.
                if cell and cell.value is None and cell.data_type != "str" and formulas[number]:
                    cells[number] = formulas[number]
                    without_result.append(at + 1 - file.header_row)
        yield [unescape(cell) if isinstance(cell, str) else cell for cell in cells]
    file.warn_of("a formula without a result is read as a text in row", without_result)


def _sheet_rows(file: TextFile, *, results: bool = False) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of the sheet: values and formulas, or cells with results of formulas."""
    openpyxl = import_extra("openpyxl", ".xlsx")
    with file.path.open("rb") as stream:
        try:
            book = openpyxl.load_workbook(stream, read_only=True, data_only=results)
        except Exception as error:  # of zipfile, of the XML parser, KeyError and others
            raise ValueError(f"{file.name} is not a readable .xlsx file: {error}") from error
        sheets = {sheet.title: sheet for sheet in book.worksheets}
        names = ", ".join(sheets)
        numbered = dict(zip(map(str, range(1, len(sheets) + 1)), sheets.values(), strict=True))
        sheet = (numbered | sheets).get("1" if file.sheet is None else str(file.sheet))
        if sheet is None:
            raise ValueError(f"sheet {file.sheet!r} is not in {file.name}; it has {names}")
        if file.sheet is None and len(sheets) > 1 and not results:
            message = f"{file.name} has the sheets {names}; only {sheet.title} is read"
            warnings.warn(message, UserWarning, stacklevel=4)
        sheet.reset_dimensions()  # some programs write wrong ones, which cut rows off
        yield from sheet.iter_rows(values_only=not results)
