"""docs/cli.md, its blocks run in order on the messy table that the page tells of."""

import re
import runpy
import shlex
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from saetm_plugins import SAETopicModel

ROOT = Path(__file__).parents[2]


@pytest.fixture
def quick_training():
    """Train as a user does: the page numbers the topics that come out."""


def test_the_day_of_the_documentation(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(ROOT / "tests/data/reviews.py"))["write_reviews"](tmp_path)
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    lines = "".join(re.findall(r"^```bash\n(.*?)^```", page, re.MULTILINE | re.DOTALL)).splitlines()
    assert len(lines) > 8
    for line in lines:
        program, *arguments = shlex.split(line)
        assert program == "saetm"
        result = run(*arguments)
        assert result.exit_code == 0, (line, result.output, result.exception)

    model = SAETopicModel.load("model")
    names = ["delivery", "books", "shoes", "coffee", "app", "support"]
    assert model.topic_labels_ == names
    book = openpyxl.load_workbook("findings.xlsx")
    assert book.sheetnames == ["documents", "topics"]
    found = pd.read_excel("findings.xlsx", dtype={"id": str})
    assert len(found) == 325
    assert found["id"][0] == "00000"
    stray = found.loc[found["id"] == "00324", "text"].item()
    assert stray == 'The 5" screen of this "smart" mug is lovely'
    assert 4 <= (found["topic"] == -1).sum() <= 8
    late = found["text"].astype(str).str.contains("courier|parcel")
    assert (found.loc[late, "name"] == "delivery").mean() > 0.8
    months = pd.read_csv("months.csv").drop_duplicates("topic").set_index("name")
    assert months.loc["delivery", "change_a"] > 0 > months.loc["delivery", "change_b"]
    assert len(pd.read_excel("new.xlsx")) == 40
