"""Damaged and hostile files of every kind that is loaded; ``make fuzz`` tries a thousand."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("bertopic")
pytest.importorskip("gensim")

MUTATIONS = os.environ.get("SAETM_MUTATIONS", "30")


@pytest.mark.skipif(sys.platform != "linux", reason="counts the address space by /proc")
def test_damaged_files_are_refused_or_as_good_as_whole():
    script = Path(__file__).with_name("damage.py")
    root = str(Path(__file__).parents[2])
    run = subprocess.run(
        [sys.executable, str(script), MUTATIONS, "0"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": root},
        timeout=270 + 10 * int(MUTATIONS) * (int(MUTATIONS) > 150),
    )
    assert run.returncode == 0, run.stdout + run.stderr[-2000:]
    assert "refused" in run.stdout
