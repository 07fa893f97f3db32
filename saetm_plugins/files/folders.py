"""Folders of safetensors + JSON: how every model is saved.

There is no pickle, so loading a stranger's folder cannot run code. A folder is written beside its
destination and moved into place. Checksums tell a damaged file from a whole one; what is read is
checked all the same, as a stranger can write checksums as well.
"""

from __future__ import annotations

import hashlib
import json
import math
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

from saetm_plugins.files.write import replace_folder
from saetm_plugins.validation import check_indices, check_path

CONFIG_NAME = "config.json"
TENSORS_NAME = "model.safetensors"
CHECKSUMS_NAME = "checksums.json"
_LARGEST_JSON = 2**28  # bytes: parsed, they take several times as many
_EDITABLE = ("README.md", CHECKSUMS_NAME)  # a card may be changed by hand


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
    kind : str
        What the folder holds (``"topic-model"``); checked at load. An existing folder is replaced
        if it is of this kind and `overwrite` is true, else it is a FileExistsError.
    config : mapping
        Settings that JSON can hold.
    tensors : mapping of str to ndarray
    overwrite : bool, default=False
    write_more : callable, optional
        Called with the temporary folder, to add further files before the move.
    """
    path = check_destination(path, kind, overwrite=overwrite)
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        staging.chmod(0o755)  # mkdtemp's 0700 would lock out everyone the folder is shared with
        write_json(staging / CONFIG_NAME, {"kind": kind, **config}, indent=2)
        arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
        reserve_space(staging, sum(array.nbytes for array in arrays.values()))
        save_file(arrays, staging / TENSORS_NAME)
        # safetensors writes for the owner's eyes alone, whatever the umask says.
        shutil.copymode(staging / CONFIG_NAME, staging / TENSORS_NAME)
        if write_more is not None:
            write_more(staging)
        write_checksums(staging)
        replace_folder(staging, path)
    except BaseException as error:
        shutil.rmtree(staging, ignore_errors=True)
        if isinstance(error, OSError | SafetensorError):
            raise OSError(f"path {str(path)!r} could not be written: {error}") from error
        raise
    return path


def check_destination(path: str | os.PathLike[str], kind: str, *, overwrite: bool) -> Path:
    """Refuse a folder that :func:`save_folder` would not write, before the work."""
    path = check_path(path)
    if path.exists():
        if not overwrite:
            raise FileExistsError(f"path {str(path)!r} exists; pass overwrite=True to replace it")
        try:
            found = read_json(path / CONFIG_NAME)["kind"]
        except (OSError, ValueError, KeyError, TypeError):
            found = None
        if found != kind:
            raise FileExistsError(f"path {str(path)!r} is not a saved {kind}; not replaced")
    return check_parent(path)


def check_parent(path: str | os.PathLike[str]) -> Path:
    """Refuse a path in a folder that cannot be made, or cannot be written to."""
    path = check_path(path)
    above = next(folder for folder in path.absolute().parents if folder.exists())
    if not above.is_dir():
        raise NotADirectoryError(f"path {str(path)!r} cannot be made: {str(above)!r} is a file")
    if not os.access(above, os.W_OK):
        raise PermissionError(f"path {str(path)!r} cannot be made: {str(above)!r} is read-only")
    return path


def load_folder(
    path: str | os.PathLike[str], kind: str
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Read the settings and arrays of a folder written by :func:`save_folder`."""
    path = check_path(path)
    if not path.is_dir():
        raise FileNotFoundError(f"path {str(path)!r} is not a folder holding a {kind}")
    config_file, tensors_file = path / CONFIG_NAME, path / TENSORS_NAME
    for file in (config_file, tensors_file):
        if not file.is_file():
            raise FileNotFoundError(f"{str(path)!r} holds no {kind}: {file.name} is missing")
    config = read_json(config_file)
    found = config.pop("kind", None) if isinstance(config, dict) else None
    if found != kind:
        raise ValueError(f"{str(path)!r} does not hold a {kind} of saetm-plugins (kind: {found!r})")
    try:
        tensors = load_file(tensors_file)
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{str(tensors_file)!r} is truncated or not safetensors: {error}"
        ) from error
    check_checksums(path)
    return config, tensors


def read_json(file: Path) -> Any:
    """Read a file of JSON that a stranger may have written: at most 256 MiB, of finite numbers."""
    try:
        if not file.is_file():  # nor a device or a pipe, which could be read for ever
            raise ValueError("the file is missing")
        if file.stat().st_size > _LARGEST_JSON:
            raise ValueError(f"the file has {file.stat().st_size:,} bytes")
        text = file.read_text(encoding="utf-8")
        return json.loads(text, parse_constant=_finite_float, parse_float=_finite_float)
    except (ValueError, RecursionError, OSError) as error:
        raise ValueError(f"{str(file)!r} is truncated or not JSON: {error}") from error


def write_json(file: Path, content: Any, indent: int | None = None) -> None:
    """Write what :func:`read_json` reads; a ValueError where a number is not finite."""
    text = json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False)
    file.write_text(text, encoding="utf-8")


def write_checksums(folder: Path) -> None:
    """List the SHA-256 of every file directly in `folder`, but for those one may edit."""
    files = sorted(file for file in folder.iterdir() if file.is_file())
    sums = {file.name: _checksum(file) for file in files if file.name not in _EDITABLE}
    write_json(folder / CHECKSUMS_NAME, sums, indent=2)


def check_checksums(folder: Path) -> None:
    """Compare the files of `folder` with its list of checksums, where it has one."""
    listed = folder / CHECKSUMS_NAME
    if not listed.exists():  # saved before there were any
        return
    sums = read_json(listed)
    if not isinstance(sums, dict):
        raise ValueError(f"{str(listed)!r} is no list of checksums")
    for name, total in sums.items():
        file = folder / name
        if Path(name).name != name:
            raise ValueError(f"{str(listed)!r} lists {name!r}, which is no file of the folder")
        if not file.is_file():
            raise FileNotFoundError(f"{str(folder)!r} lacks the file {name!r}")
        if _checksum(file) != total:
            raise ValueError(
                f"{str(file)!r} is truncated or damaged: it is not the file that was saved"
            )


def reserve_space(folder: Path, n_bytes: int) -> None:
    """Raise an OSError where the disk of `folder` has no room for `n_bytes` more.

    safetensors maps a new file into memory: a disk that is full would kill the process.
    """
    free = shutil.disk_usage(folder).free
    if n_bytes > free:
        raise OSError(f"No space left on device: {n_bytes:,} bytes are needed, {free:,} are free")


def _checksum(file: Path) -> str:
    total = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            total.update(block)
    return total.hexdigest()


def _finite_float(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text} is no finite number")
    return number


def pack_csr(name: str, matrix: sp.csr_matrix | sp.csr_array) -> dict[str, np.ndarray]:
    """Spread a CSR matrix over four named arrays, for :func:`save_folder`."""
    return {
        f"{name}.data": matrix.data,
        f"{name}.indices": matrix.indices,
        f"{name}.indptr": matrix.indptr,
        f"{name}.shape": np.asarray(matrix.shape, dtype=np.int64),
    }


def unpack_csr(name: str, tensors: Mapping[str, np.ndarray]) -> sp.csr_matrix:
    """Put the CSR matrix back together that :func:`pack_csr` took apart, if the parts fit."""
    parts = [f"{name}.{part}" for part in ("data", "indices", "indptr", "shape")]
    if missing := [part for part in parts if part not in tensors]:
        raise ValueError(f"the saved model lacks the array {missing[0]!r}")
    data, indices, indptr, shape = (tensors[part] for part in parts)
    if shape.shape != (2,) or shape.dtype.kind != "i" or shape.min() < 0:
        raise ValueError(f"the saved model's {name} has no shape")
    if any(part.ndim != 1 for part in (data, indices, indptr)) or len(indptr) != shape[0] + 1:
        raise ValueError(f"the saved model's {name} does not fit its shape {shape.tolist()}")
    if data.dtype.kind not in "fiu" or {indices.dtype.kind, indptr.dtype.kind} != {"i"}:
        raise ValueError(f"the saved model's {name} has dtype {data.dtype}, {indices.dtype}")
    try:
        matrix = sp.csr_matrix((data, indices, indptr), shape=tuple(int(n) for n in shape))
        check_indices(matrix, name)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the saved model's {name} is damaged: {error}") from error
    return matrix
