"""Generated options and files for the ``saetm`` command: done, or one line that says what is wrong.

Commands run within this process; what ``saetm`` prints as one line is a ValueError, TypeError or
OSError there, anything else would be a traceback.
"""

import json
import shutil

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from fuzzing import EMBEDDINGS, FITTED, TEXTS, examples, fuzz
from hypothesis import given
from PIL import Image
from strategies import numbers, texts
from typer.main import get_command
from typer.testing import CliRunner

from saetm_plugins import cli

ROWS = len(TEXTS)
COMMAND = get_command(cli.app)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("commands")
    FITTED.save(folder / "model")
    np.save(folder / "embeddings.npy", EMBEDDINGS)
    (folder / "pictures").mkdir()
    for row in range(ROWS):
        Image.new("RGB", (8, 8), (row, 0, 0)).save(folder / "pictures" / f"{row:02d}.png")
    frame = pd.DataFrame({"text": TEXTS, "group": ["a", "b"] * (ROWS // 2), "year": range(ROWS)})
    frame.to_csv(folder / "docs.csv", index=False)
    return folder


# Each command with what it needs, and its options that are generated, one at a time.
NEW = ["--embeddings", "embeddings.npy"]
COMMANDS = {
    "topics": ([], ["--n-words"]),
    "retopic": (["--n-topics", "3", "--out", "recut", "--overwrite"], ["--n-topics", "--merge"]),
    "assign": (
        ["docs.csv", *NEW, "--out", "out.csv", "--overwrite"],
        ["--text-column", "--id-column", "--sep", "--encoding", "--embeddings"],
    ),
    "transform": (["docs.csv", *NEW], ["--text-column", "--id-column", "--sep", "--encoding"]),
    "coverage": (
        ["docs.csv", "--group-column", "group"],
        ["--group-column", "--threshold", "--id-column", "--sep", "--embeddings"],
    ),
    "compare": (
        ["docs.csv", "--group-column", "group", "--a", "a", "--threshold", "0.1"],
        ["--a", "--b", "--level", "--strata-column", "--threshold", "--random-state"],
    ),
    "trends": (
        ["docs.csv", "--time-column", "year", "--bins", "4"],
        ["--time-column", "--bins", "--threshold", "--random-state"],
    ),
    "correlations": ([], ["--level", "--threshold"]),
    "search": (["--topic", "0"], ["--topic", "--n", "--file", "--group-column"]),
    "explain": (["--row", "0"], ["--row", "--n-words"]),
    "export": (["--out", "export.csv", "--overwrite"], ["--n-topics", "--file"]),
    "taxonomy": ([], ["--levels", "--n-words"]),
    "suggest": (["docs.csv", *NEW, "--counts", "2,3"], ["--counts", "--text-column", "--sep"]),
    "explore": (
        ["docs.csv", *NEW, "--out", "page.html", "--overwrite"],
        ["--group-column", "--time-column", "--levels", "--title", "--max-documents"],
    ),
    "name": (
        ["docs.csv", *NEW, "--out", "named", "--overwrite"],
        ["--text-column", "--id-column", "--sep"],
    ),
    "fit": (
        ["docs.csv", *NEW, "--out", "fitted", "--n-topics", "3", "--overwrite"],
        ["--text-column", "--id-column", "--n-topics", "--merge", "--random-state", "--chunk"]
        + ["--language", "--sep", "--encoding"],
    ),
    "train-sae": (
        ["embeddings.npy", "--out", "atoms", "--n-atoms", "8", "--n-steps", "5", "--overwrite"],
        ["--n-atoms", "--k", "--activation", "--batch-size", "--preset", "--config", "--device"]
        + ["--random-state"],
    ),
    "image-sheet": (
        ["pictures", "--out", "sheet.png", "--overwrite"],
        ["--level", "--n-images", "--n-words", "--size"],
    ),
}
# Those that take seconds each: an encoder is loaded, or models are fitted.
SLOW = {
    "embed": (
        ["docs.csv", "--out", "shards", "--batch-size", "16"],
        ["--text-column", "--shard-size", "--batch-size", "--sep", "--encoding"],
    ),
    "stability": (
        ["--file", "docs.csv", *NEW, "--seeds", "1"],
        ["--seeds", "--bootstraps", "--other", "--file", "--text-column", "--sep"],
    ),
}
WITHOUT_A_MODEL = ("fit", "train-sae", "embed")
REFUSED = (ValueError, TypeError, OSError)
# What an error may name beside the option.
ALSO = {
    "--id-column": ("column", "ids"),
    "--text-column": ("column",),
    "--sep": ("column", "cells"),
    "--time-column": ("times", "period", "column"),
    "--group-column": ("groups", "column", "file"),
    "--strata-column": ("strata", "column"),
    "--file": ("exist", "Is a directory", "docs", "folder"),
    "--embeddings": ("embeddings", "exist", "No such", "directory"),
    "--encoding": ("decod", "unknown"),
    "--config": ("No such", "Is a directory"),
    "--bins": ("period", "times"),
    "--levels": ("topics",),
    "--n-topics": ("topics", "live atoms"),
}


def run(folder, monkeypatch, *arguments):
    """Run a command in `folder`; return what it printed, or raise what it should not have."""
    with monkeypatch.context() as patched:
        patched.chdir(folder)
        patched.setattr("typer.testing._get_command", lambda _: COMMAND)  # made once: it is slow
        done = CliRunner().invoke(cli.app, [str(argument) for argument in arguments])
    if done.exception is not None and not isinstance(done.exception, (SystemExit, *REFUSED)):
        raise done.exception
    return done


def written(folder):
    return {path: path.read_bytes() for path in (folder / "model").rglob("*") if path.is_file()}


def cases(commands):
    return st.sampled_from(
        [(name, option) for name, (_, options) in commands.items() for option in options]
    )


@examples(0.7)
@given(case=cases(COMMANDS), value=st.one_of(texts, numbers.map(str)))
def test_options(folder, case, value):
    check_option(folder, COMMANDS, case, value)


@examples(0.02)
@given(
    case=cases(SLOW),
    value=st.one_of(
        texts, numbers.filter(lambda value: not 20 < value < 2**60).map(str),
        st.sampled_from(["1", "2", "7", "text", "model", "docs.csv", ",", "utf-8"]),
    ),
)  # fmt: skip
def test_slow_options(folder, case, value):
    shutil.rmtree(folder / "shards", ignore_errors=True)
    check_option(folder, SLOW, case, value)


def test_the_demo_looks_at_its_folder_first(folder):
    (folder / "other" / "model").mkdir(parents=True)
    for out in ("docs.csv", "docs.csv/inner", "n" * 300, "other"):
        with pytest.MonkeyPatch.context() as patch:
            done = run(folder, patch, "demo", "--out", out)
        assert isinstance(done.exception, REFUSED), out
        assert "path" in str(done.exception) or "out" in str(done.exception)


def check_option(folder, commands, case, value):
    command, option = case
    fixed = list(commands[command][0])
    if option in fixed:
        place = fixed.index(option)
        del fixed[place : place + 2]
    if len(value) > 1000 or "\0" in value or "\ud800" in value:
        value = value[:9].replace("\0", "").replace("\ud800", "")  # no shell hands these on
    before = written(folder)
    with pytest.MonkeyPatch.context() as patch:
        model = [] if command in WITHOUT_A_MODEL else ["model"]
        done = run(folder, patch, command, *model, *fixed, f"{option}={value}")
    assert written(folder) == before
    if isinstance(done.exception, REFUSED):
        name = option[2:].replace("-", "_")
        assert any(each in str(done.exception) for each in (name, *ALSO.get(option, ()))), repr(
            done.exception
        )


@st.composite
def files(draw):
    """A file of texts, damaged or not, and what it is called."""
    suffix = draw(st.sampled_from([".csv", ".tsv", ".json", ".jsonl", ".xlsx", ".parquet", ".txt"]))
    kind = draw(st.sampled_from(["bytes", "cells", "cells", "cut", "encoded"]))
    if kind == "bytes":
        return suffix, draw(st.binary(max_size=60))
    cells = draw(st.lists(texts.filter(lambda text: len(text) < 1000), max_size=5))
    cells = [cell.encode("utf-8", "replace").decode() for cell in cells]
    if suffix.startswith(".json"):
        rows = [json.dumps({"text": cell}) for cell in cells]
        content = "\n".join(rows) if suffix == ".jsonl" else f"[{','.join(rows)}]"
    else:
        sep = "\t" if suffix == ".tsv" else draw(st.sampled_from(",;|"))
        content = f"text{sep}x\n" + "\n".join(f"{cell}{sep}1" for cell in cells)
    encoding = draw(st.sampled_from(["utf-16", "latin-1", "cp1252"])) if kind == "encoded" else None
    raw = content.encode(encoding or "utf-8", "replace")
    return suffix, raw[: draw(st.integers(0, len(raw)))] if kind == "cut" else raw


@fuzz
@given(file=files(), rows=st.sampled_from([None, 1, 3]))
def test_files(folder, file, rows):
    suffix, content = file
    path = folder / f"input{suffix}"
    path.write_bytes(content)
    out = folder / "assigned.csv"
    out.unlink(missing_ok=True)
    np.save(folder / "some.npy", EMBEDDINGS[: rows or 2])
    with pytest.MonkeyPatch.context() as patch:
        done = run(
            folder, patch, "assign", "model", path.name, "--embeddings", "some.npy", "--out", out
        )
    if done.exit_code == 0:
        assert len(pd.read_csv(out)) == (rows or 2)
    else:
        assert not out.exists()
        named = ("input", "text_column", "document", "embedding")
        assert any(each in str(done.exception) for each in named), repr(done.exception)
