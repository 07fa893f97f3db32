"""Files and folders that are replaced whole: no reader ever finds half of one."""

from __future__ import annotations

import ctypes
import glob
import os
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def write_whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Have `write` fill a file beside `path`, and rename it; several processes may do so at once.

    The first one that is done deletes the unfinished files of the others, such as those of
    processes that were killed.
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


def replace_folder(staging: Path, path: Path) -> None:
    """Move the folder `staging` to `path`, and delete what stood there.

    On Linux the two change places in one step, so that a process killed at any moment leaves one or
    the other at `path`. Elsewhere there is a moment between two steps; the old folder is put back
    should the second one fail.
    """
    if not path.exists():
        os.replace(staging, path)
    elif _exchange(staging, path):
        shutil.rmtree(staging, ignore_errors=True)
    else:
        retired = Path(tempfile.mkdtemp(prefix=f".{path.name}-old-", dir=path.parent))
        os.replace(path, retired / path.name)
        try:
            os.replace(staging, path)
        except BaseException:
            os.replace(retired / path.name, path)
            raise
        finally:
            shutil.rmtree(retired, ignore_errors=True)


def _exchange(one: Path, other: Path) -> bool:
    """Let two folders change places; return whether the system could."""
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, TypeError, AttributeError):  # not Linux, or an old C library
        return False
    names = (os.fsencode(one), os.fsencode(other))
    return rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0
