"""Write pages and sheets, check their paths, and make thumbnails as data URIs."""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import Any

from saetm_plugins.corpus.images.reading import read_image
from saetm_plugins.files.folders import check_parent
from saetm_plugins.files.write import write_whole

THUMBNAIL = 96  # pixels


def data_uri(image: Any, size: int = THUMBNAIL) -> str:
    """Return a picture as a JPEG of at most `size` pixels a side, in a data URI."""
    picture = read_image(image, largest_side=size)
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def check_page(path: str | os.PathLike[str], suffixes: tuple[str, ...], overwrite: bool) -> Path:
    """Return the path of a file to write, or raise where it is no such path or exists."""
    checked = check_parent(path)
    if checked.suffix.lower() not in suffixes:
        raise ValueError(f"path must end in {' or '.join(suffixes)}; found {str(checked)!r}")
    if checked.is_dir():
        raise ValueError(f"path {str(checked)!r} is a folder")
    if checked.exists() and not overwrite:
        raise FileExistsError(f"path {str(checked)!r} exists; pass overwrite=True to replace it")
    return checked


def write_page(path: Path, content: bytes) -> None:
    """Write a file completely or not at all."""
    write_whole(path, lambda target: target.write_bytes(content))
