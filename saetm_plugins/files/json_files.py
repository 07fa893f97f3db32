"""JSON and JSON lines: the rows, in any of the layouts that pandas and others write."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from saetm_plugins.files.text_file import TextFile


def read_json_rows(file: TextFile, columns: Mapping[str, str]) -> Iterator[list[Any]]:
    """Yield the cells of some columns; JSON is held in memory, but for JSON lines."""
    found: dict[str, None] = {}
    for record in _records(file, set(columns.values())):
        found.update(dict.fromkeys(record))
        yield [_replace_surrogates(record.get(column)) for column in columns.values()]
    if found:  # a key may be left out where it is null, but not everywhere
        file.find(columns, list(found))


def _records(file: TextFile, wanted: set[str]) -> Iterator[dict[str, Any]]:
    with file.open() as stream:
        if file.kind == "jsonl":
            yield from _records_of_lines(file, stream)
            return
        text = stream.read()
    try:
        content = _rows_of(json.loads(text), wanted)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise ValueError(f"{file.name} is not JSON: {error}") from error
        yield from _records_of_lines(file, text.split("\n"))  # an object a line
        return
    if not isinstance(content, list) or not all(isinstance(row, dict) for row in content):
        raise ValueError(f"{file.name} must hold a list of objects, one a text")
    yield from content


def _records_of_lines(file: TextFile, lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except json.JSONDecodeError as error:
            raise ValueError(f"{file.name}, line {number}: not JSON: {error}") from error
        if not isinstance(record, dict):
            found = type(record).__name__
            raise ValueError(f"{file.name}, line {number}: must be an object; found {found}")
        yield record


def _rows_of(content: Any, wanted: set[str]) -> Any:
    """Return the rows as objects: of a list, of what ``DataFrame.to_json`` writes, and the like.

    pandas' own reader needs the orient, and turns ids and texts into numbers and dates.
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
