"""Write a file so that no reader ever finds half of it."""

from __future__ import annotations

import glob
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Write a file completely or not at all, also where several processes write it at once.

    Each writer fills a file of its own beside `path` and renames it. The first one that is done
    deletes the unfinished files of the others, such as those of processes that were killed. `write`
    gets the path of the file to fill.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.partial")
    try:
        write(partial)
        try:
            os.replace(partial, path)
        except FileNotFoundError:  # another process finished the same file first
            if not path.exists():
                raise
    finally:
        partial.unlink(missing_ok=True)
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.partial"):
        left.unlink(missing_ok=True)
