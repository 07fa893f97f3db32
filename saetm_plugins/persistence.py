"""Folders of safetensors + JSON: the only way anything of ours reaches the disk.

No pickle anywhere, so loading a stranger's folder cannot run code; every folder is written beside
its destination and moved into place, so a reader never sees half of one.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

CONFIG_NAME = "config.json"
TENSORS_NAME = "model.safetensors"


def save_folder(
    path: str | os.PathLike[str],
    kind: str,
    config: Mapping[str, Any],
    tensors: Mapping[str, np.ndarray],
    *,
    overwrite: bool = False,
    write_more: Callable[[Path], None] | None = None,
) -> Path:
    """Write one folder of ``config.json`` and ``model.safetensors``, all or nothing.

    Parameters
    ----------
    path : path
        The folder to create.
    kind : str
        What the folder holds (``"sparse-autoencoder"``, ``"topic-model"``); checked at load.
    config : mapping
        JSON-able settings.
    tensors : mapping of str to ndarray
        Arrays of any shape; made contiguous.
    overwrite : bool, default=False
        Replace an existing folder of the same `kind`.
    write_more : callable, optional
        Called with the temporary folder, to add further files before the move.

    Returns
    -------
    Path
        The folder written.

    Raises
    ------
    FileExistsError
        When `path` exists and `overwrite` is false, or is not a folder of this `kind`.
    """
    path = check_destination(path, kind, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        staging.chmod(0o755)  # mkdtemp's 0700 would lock out everyone the folder is shared with
        (staging / CONFIG_NAME).write_text(
            json.dumps({"kind": kind, **config}, indent=2, ensure_ascii=False), encoding="utf-8"
        )
        save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, staging / TENSORS_NAME)
        # safetensors writes for the owner's eyes alone, whatever the umask says.
        shutil.copymode(staging / CONFIG_NAME, staging / TENSORS_NAME)
        if write_more is not None:
            write_more(staging)
        _replace_folder(staging, path)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    return path


def check_destination(path: str | os.PathLike[str], kind: str, *, overwrite: bool) -> Path:
    """Refuse a folder that :func:`save_folder` would not write; for asking before the work.

    Raises
    ------
    FileExistsError
        When `path` exists and `overwrite` is false, or is not a folder of this `kind`.
    NotADirectoryError, PermissionError
        As :func:`check_parent`.
    """
    path = Path(path)
    if path.exists():
        if not overwrite:
            raise FileExistsError(f"path {str(path)!r} exists; pass overwrite=True to replace it")
        try:
            found = json.loads((path / CONFIG_NAME).read_text(encoding="utf-8"))["kind"]
        except (OSError, ValueError, KeyError, TypeError):
            found = None
        if found != kind:
            raise FileExistsError(
                f"path {str(path)!r} exists and is not a saved {kind}; not replaced"
            )
    return check_parent(path)


def check_parent(path: str | os.PathLike[str]) -> Path:
    """Refuse a path in a folder that does not exist and cannot be made, or cannot be written to.

    Raises
    ------
    NotADirectoryError, PermissionError
    """
    path = Path(path)
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"path {str(path)!r} cannot be made: {str(above)!r} is a file")
    if not os.access(above, os.W_OK):
        raise PermissionError(f"path {str(path)!r} cannot be made: {str(above)!r} is read-only")
    return path


def load_folder(
    path: str | os.PathLike[str], kind: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read a folder written by :func:`save_folder`.

    Returns
    -------
    config : dict
    tensors : dict of str to ndarray

    Raises
    ------
    FileNotFoundError
        When the folder or one of its two files is missing.
    ValueError
        When a file is truncated or not ours, or the folder holds another `kind`.
    """
    path = Path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"path {str(path)!r} is not a folder holding a {kind}")
    config_file, tensors_file = path / CONFIG_NAME, path / TENSORS_NAME
    for file in (config_file, tensors_file):
        if not file.is_file():
            raise FileNotFoundError(f"{str(path)!r} holds no {kind}: {file.name} is missing")
    try:
        config = json.loads(config_file.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ValueError(f"{str(config_file)!r} is truncated or not JSON: {error}") from error
    found = config.pop("kind", None) if isinstance(config, dict) else None
    if found != kind:
        raise ValueError(f"{str(path)!r} does not hold a {kind} of saetm-plugins (kind: {found!r})")
    try:
        tensors = load_file(tensors_file)
    except (SafetensorError, OSError, KeyError) as error:
        raise ValueError(
            f"{str(tensors_file)!r} is truncated or not safetensors: {error}"
        ) from error
    return config, tensors


def pack_csr(name: str, matrix: sp.csr_matrix | sp.csr_array) -> dict[str, np.ndarray]:
    """Spread a CSR matrix over four named arrays, for :func:`save_folder`."""
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices,
        f"{name}.indptr": matrix.indptr,
        f"{name}.shape": np.asarray(matrix.shape, dtype=np.int64),
    }


def unpack_csr(name: str, tensors: Mapping[str, np.ndarray]) -> sp.csr_matrix:
    """Put the CSR matrix back together that :func:`pack_csr` took apart.

    Raises
    ------
    ValueError
        When an array is missing or the four do not fit each other.
    """
    try:
        parts = [tensors[f"{name}.{part}"] for part in ("data", "indices", "indptr", "shape")]
    except KeyError as error:
        raise ValueError(f"the saved model lacks the array {error}") from error
    data, indices, indptr, shape = parts
    matrix = sp.csr_matrix((data, indices, indptr), shape=tuple(int(n) for n in shape))
    matrix.check_format(full_check=True)
    return matrix


def _replace_folder(staging: Path, path: Path) -> None:
    """Move `staging` to `path`; a folder that stood there is put back should the move fail."""
    if not path.exists():
        os.replace(staging, path)
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
