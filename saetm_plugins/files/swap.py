"""Put one folder in the place of another: whoever looks sees the old one or the new one."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import tempfile
from pathlib import Path

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


def replace_folder(staging: Path, path: Path) -> None:
    """Move the folder `staging` to `path`, and delete what stood there.

    On Linux the two change places in one step of the file system, so that a process killed at any
    moment leaves one or the other at `path`. Elsewhere, and on file systems that cannot, there is
    a moment between two steps; the old folder is put back should the second one fail.
    """
    if not path.exists():
        os.replace(staging, path)
        return
    if _exchange(staging, path):
        shutil.rmtree(staging, ignore_errors=True)
        return
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
    """Let two folders change places; tell whether the system could."""
    if sys.platform != "linux":
        return False
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):  # a C library without it
        return False
    names = (os.fsencode(one), os.fsencode(other))
    return rename(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE) == 0
