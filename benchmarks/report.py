"""Write RESULTS.md from results/tables.jsonl: `python benchmarks/report.py`.

A row is one line of one table: its cells, the columns that miss their bar, and where it comes from
(command, commit, date, machine). To renew a figure, replace its row and run this again. The history
of figures is git's.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ROWS = HERE / "results" / "tables.jsonl"
OUT = HERE / "RESULTS.md"

INTRODUCTION = """\
# Results

Made by `python benchmarks/report.py` from `results/tables.jsonl`. **Bold**: a bar is missed, or a
peer is ahead. Seconds are of the machine named below each table; compare within a table.
"""
# Title of each table, and what a reader needs to know of it.
TABLES = {
    "quality": (
        "Quality: eight corpora beside five peers",
        "MiniLM embeddings; top 10 words. Place of ours among the models and, in brackets, who is "
        "ahead or next. Intruders are judged by multilingual-e5-small, which no model has seen. "
        "NMI: main topics against classes, fitted documents, among models that give every document "
        "a topic. ±: half the range of three seeds; one seed elsewhere and of the peers. Bars: "
        "first in NPMI, C_V and NMI, first or second in intruders, diversity .85 and .8.",
    ),
    "new documents": (
        "Documents that were not fitted",
        "NMI of the main topic with the classes on up to 4,000 other documents, ours / k-means' "
        "`predict`, and on the fitted ones in brackets; mean of two draws, default settings. Bar: "
        "k-means.",
    ),
    "one corpus": (
        "20 Newsgroups, 50 topics",
        "`make bench`; vectors of words given to ours, KeyNMF and S³ alike.",
    ),
    "speed": (
        "Speed",
        "Side by side in one run; 20 Newsgroups (18,846 posts) unless said otherwise.",
    ),
    "command": (
        "The command",
        "CPU / wall seconds of a process; 300 texts of 40 words. Bars: help .5, topics, assign and "
        "export 2 beside encoding, fit 8 the second time; 18,846 posts with their embeddings 4.",
    ),
    "memory": ("Memory and scale", "Two cores; documents drawn from 20 Newsgroups."),
    "reuse": (
        "Small corpora: atoms that ship, atoms trained on the corpus, k-means",
        "NMI with the classes / NPMI of the words, mean of five draws, fitted documents. Bold: "
        "k-means is ahead of what `auto` takes.",
    ),
    "stability": ("Stability between seeds", "Bar: 1.5 times as stable as before for fresh atoms."),
}
NOT_MEASURED = """\
## Not measured

Anything on a GPU (`sae_gpu.py`, `emission_gpu.py`): none was at hand. Topics judged by a language
model, for want of one. Peers at 500 topics.
"""


def read_rows(file: Path = ROWS) -> list[dict[str, Any]]:
    """Return the rows in the order of the file."""
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line]


def render(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Return the parts of the page."""
    yield INTRODUCTION
    for table, (title, about) in TABLES.items():
        of_table = [row for row in rows if row["table"] == table]
        if of_table:
            yield f"## {title}\n\n{about}\n\n{_table(of_table)}\n{_sources(of_table)}\n"
    yield NOT_MEASURED


def _table(rows: list[dict[str, Any]]) -> str:
    columns = list(rows[0]["cells"])
    lines = ["|" + "|".join(columns) + "|", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [
            f"**{row['cells'][name]}**" if name in row["missed"] else str(row["cells"][name])
            for name in columns
        ]
        lines.append("|" + "|".join(cells) + "|")
    return "\n".join(lines) + "\n"


def _sources(rows: list[dict[str, Any]]) -> str:
    sources: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        commands = sources.setdefault((row["machine"], row["date"]), [])
        command = f"`{row['command']}` at {row['commit']}"
        if command not in commands:
            commands.append(command)
    return "\n".join(
        f"{machine}, {date}: {', '.join(commands)}."
        for (machine, date), commands in sources.items()
    )


if __name__ == "__main__":
    OUT.write_text("\n".join(render(read_rows())), encoding="utf-8")
