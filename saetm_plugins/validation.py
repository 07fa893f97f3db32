"""Checks of arguments, shared by every stage: each error names the argument and what was found."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_array

DENSE_LIMIT = 6 * 2**30
"""Bytes of the largest dense array that is made; more is refused before the work."""
HALF_LIMIT = 2**30
"""Bytes that float16 embeddings are copied to; larger ones are read a block at a time."""
_ROWS = 65_536  # of a block
_LARGEST_SQUARE = np.finfo(np.float32).max / 16  # of a row's norm; centring may double the norm


def check_embeddings(
    embeddings: Any,
    *,
    name: str = "embeddings",
    n_rows: int | None = None,
    width: int | None = None,
    keep_half: bool = False,
) -> np.ndarray:
    """Return vectors in any container as a finite, C-contiguous float32 array of shape (n, d).

    `keep_half` leaves float16 as it is, where :func:`is_large_half`; on disk, if memory-mapped.
    """
    array = _real_array(embeddings, name, keep_half=keep_half)
    check_shape(array, name, n_rows=n_rows, width=width)
    if array.dtype == np.float16:
        for first in range(0, len(array), _ROWS):
            check_rows(array[first : first + _ROWS].astype(np.float32), name, first)
        return array
    check_rows(array, name)
    return array


def is_large_half(array: np.ndarray) -> bool:
    """Tell whether an array is of float16, and would take more than 1 GiB as float32."""
    return array.dtype == np.float16 and 2 * array.nbytes > HALF_LIMIT


def check_shape(
    array: np.ndarray, name: str, *, n_rows: int | None = None, width: int | None = None
) -> None:
    """Raise a ValueError where `array` is not 2-D, is empty, or of another shape than asked for."""
    if array.ndim != 2 or 0 in array.shape:
        raise ValueError(f"{name} must be 2-D and not empty; found shape {array.shape}")
    if n_rows is not None and array.shape[0] != n_rows:
        raise ValueError(f"{name} has {array.shape[0]} rows for {n_rows} documents")
    if width is not None and array.shape[1] != width:
        raise ValueError(
            f"{name} has {array.shape[1]} dimensions; the sparse autoencoder was trained on {width}"
        )


def check_rows(array: np.ndarray, name: str, first_row: int = 0) -> None:
    """Raise a ValueError where a row of an (n, d) float32 array is not finite, or too large."""
    squares = np.einsum("nd,nd->n", array, array)
    if not (squares <= _LARGEST_SQUARE).all():
        check_finite(array, name, first_row)
        row = first_row + int(squares.argmax())
        raise ValueError(f"{name} is too large to square in float32 (row {row}); scale it down")


def check_finite(array: np.ndarray, name: str, first_row: int = 0) -> None:
    """Raise a ValueError naming the first row of a 2-D `array` that is NaN or infinite."""
    finite = np.isfinite(array).all(axis=1)
    if not finite.all():
        raise ValueError(f"{name} holds NaN or infinity in row {first_row + int(finite.argmin())}")


def check_arrays(
    value: Any, axes: Mapping[str, str], signed: Collection[str] = ()
) -> dict[str, int]:
    """Check that arrays among the fields of a value are finite floats of shapes that agree.

    `axes` has a letter for each axis of a field: axes of one letter have one length, which is
    returned. Fields that are None are left out; only those in `signed` may hold negative numbers.
    """
    lengths: dict[str, int] = {}
    for name, letters in axes.items():
        if (array := getattr(value, name)) is None:
            continue
        found = dict(zip(letters, array.shape, strict=False))
        numbers = array.data if sp.issparse(array) else array
        if array.ndim != len(letters) or lengths | found != found | lengths:
            raise ValueError(f"{name} has shape {array.shape}, which does not fit the others")
        if numbers.dtype.kind != "f" or not np.isfinite(numbers).all():
            raise ValueError(f"{name} holds what is not finite, of dtype {numbers.dtype}")
        if name not in signed and numbers.min(initial=0) < 0:
            raise ValueError(f"{name} holds a negative number")
        lengths |= found
    return lengths


def is_integer(value: Any) -> bool:
    """Tell whether `value` is an integer, NumPy's included; True and False are not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def is_missing(value: Any) -> bool:
    """Tell whether one value is None, NaN, NaT or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # NA, which is neither; an array
        return True


def check_count(value: Any, name: str, *, minimum: int = 1) -> int:
    """Return `value` as an int of at least `minimum` and at most 63 bits, or raise an error."""
    if not is_integer(value):
        raise TypeError(f"{name} must be an integer; found {value!r:.80}")
    if not minimum <= value < 2**63:
        bound = f"at least {minimum}" if value < minimum else "less than 2**63"
        raise ValueError(f"{name} must be {bound}; found {value}")
    return int(value)


def check_not_negative(value: Any, name: str, *, most: float = np.inf) -> None:
    """Raise a ValueError unless `value` is a finite number from 0 to `most`."""
    if not _is_real(value) or not 0 <= value <= most or value == np.inf:
        raise ValueError(f"{name} must be a finite number from 0 to {most:g}; found {value!r:.80}")


def check_fraction(value: Any, name: str, *, closed: bool = False) -> None:
    """Raise a ValueError unless `value` is a number in [0, 1), or in [0, 1] if `closed`."""
    if not _is_real(value) or not 0 <= value <= 1 or (value == 1 and not closed):
        end = "]" if closed else ")"
        raise ValueError(f"{name} must be a number in [0, 1{end}; found {value!r:.80}")


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`, or raise a ValueError listing them."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; found {value!r:.80}")
    return value


def as_list(values: Any, name: str, what: str) -> list[Any]:
    """Return `values` as a list, or raise an error: `name` must hold `what`, none of it masked."""
    values = without_tensors(values, name)
    if isinstance(values, str | bytes) or sp.issparse(values) or not hasattr(values, "__iter__"):
        raise TypeError(f"{name} must hold {what}; found {values!r:.80}")
    return list(values)


def check_text(text: Any, name: str) -> str:
    """Return `text` if it is a string that can be encoded: no half of a surrogate pair can."""
    if not isinstance(text, str):
        found = f"{text!r:.80}" if is_missing(text) else type(text).__name__
        raise TypeError(f"{name} must be a string; found {found}")
    if not text.isascii() and re.search("[\ud800-\udfff]", text):
        raise ValueError(f"{name} has half of a surrogate pair, which no file can hold")
    return text


def check_path(path: Any, name: str = "path") -> Path:
    """Return a local path, or raise an error that names the argument."""
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"{name} must be a string or a path; found {path!r:.80}")
    if not os.fspath(path):
        raise ValueError(f"{name} is empty; '.' is the present folder")
    if re.match(r"[A-Za-z][\w+.-]+:/", os.fspath(path)):  # a Path has one slash left
        raise ValueError(f"{name} {str(path)!r:.80} is a URL; it must be a local path")
    return Path(path)


def as_names(names: Any, name: str = "names") -> list[str]:
    """Return names of topics, an iterable of texts in an order, as a list."""
    listed = as_list(names, name, "names of topics")
    return [check_text(each, f"{name}[{number}]") for number, each in enumerate(listed)]


def check_dense_size(
    shape: tuple[int, ...], what: str, remedy: str, *, bytes_each: int = 4
) -> None:
    """Raise a ValueError, with a remedy, where `what` would be larger than :data:`DENSE_LIMIT`."""
    size = float(np.prod([float(n) for n in shape])) * bytes_each
    if size > DENSE_LIMIT:
        raise ValueError(
            f"{what} of shape {shape} would take {size / 2**30:.1f} GiB "
            f"(at most {DENSE_LIMIT / 2**30:.0f} GiB); use {remedy}"
        )


def check_indices(matrix: sp.spmatrix | sp.sparray, name: str) -> None:
    """Raise a ValueError where an index leads out of a sparse matrix: compiled loops trust them."""
    try:
        if hasattr(matrix, "indptr"):  # CSR, CSC and BSR
            matrix.check_format(full_check=True)
            # SciPy looks no further where the last pointer says that there are no entries.
            if matrix.indptr[-1] < 0 or (np.diff(matrix.indptr) < 0).any():
                raise ValueError("index pointer values must not decrease")
        elif hasattr(matrix, "coords") and matrix.nnz:
            for indices, n in zip(matrix.coords, matrix.shape, strict=True):
                if indices.min() < 0 or indices.max() >= n:
                    raise ValueError(f"an index leads out of shape {matrix.shape}")
    except ValueError as error:
        raise ValueError(f"{name} is a damaged sparse matrix: {error}") from None


def check_mixtures_of_atoms(doc_atoms: Any, n_atoms: int) -> sp.csr_matrix:
    """Return the atoms of documents as CSR, (n, K); its rows are mixtures, or empty."""
    if not sp.issparse(doc_atoms):
        raise TypeError(f"doc_atoms must be a sparse matrix; found {type(doc_atoms).__name__}")
    if doc_atoms.ndim != 2 or doc_atoms.shape[1] != n_atoms:
        raise ValueError(f"doc_atoms has shape {doc_atoms.shape}; the model has {n_atoms} atoms")
    check_indices(doc_atoms, "doc_atoms")
    mixtures = sp.csr_matrix(doc_atoms)
    sums = np.asarray(mixtures.sum(axis=1)).ravel()
    fits = (np.abs(sums - 1) < 1e-2) | (sums == 0)
    if not fits.all() or mixtures.data.min(initial=0) < 0:
        raise ValueError("doc_atoms must hold shares of at least 0, whose rows sum to 1")
    return mixtures


def check_doc_topics(doc_topics: Any, n_topics: int) -> np.ndarray:
    """Return mixtures of topics as a finite array (n, n_topics) of shares."""
    array = _real_array(doc_topics, "doc_topics")
    if array.shape[1:] != (n_topics,) or not array.size:
        raise ValueError(f"doc_topics must have {n_topics} columns; found shape {array.shape}")
    if not (array.min() >= 0 and array.max() <= 1 + 1e-3):  # nor NaN
        raise ValueError("doc_topics must hold shares from 0 to 1, not NaN")
    return array


def resolve_device(device: Any) -> str:
    """Return "cuda" or "cpu" for "auto", and any other name as it is, after asking torch for it."""
    import torch

    if isinstance(device, str) and device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device {device!r} is not a device of torch: {error}") from None
    if kind == "meta" or (kind == "cuda" and not torch.cuda.is_available()):
        raise ValueError(f"device {str(device)!r} is not available")
    return str(device)


@contextmanager
def all_or_nothing(*estimators: Any) -> Iterator[None]:
    """Put every attribute of `estimators` back as it was, should the block raise.

    For code that replaces attributes; it cannot see an array changed in place.
    """
    before = [dict(vars(estimator)) for estimator in estimators]
    try:
        yield
    except BaseException:
        for estimator, attributes in zip(estimators, before, strict=True):
            vars(estimator).clear()
            vars(estimator).update(attributes)
        raise


def without_tensors(values: Any, name: str) -> Any:
    """Return a torch tensor, or those in a list, as arrays; masked entries are a ValueError."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        return (values.float() if "bfloat16" in str(values.dtype) else values).numpy()
    if np.ma.is_masked(values):
        raise ValueError(f"{name} is a masked array with entries masked; fill or leave them out")
    special = (
        hasattr(row, "detach") or isinstance(row, np.ma.MaskedArray)
        for row in (values if isinstance(values, list | tuple) else ())
    )
    return [without_tensors(row, name) for row in values] if any(special) else values


def _real_array(values: Any, name: str, *, keep_half: bool = False) -> np.ndarray:
    """Return an array, tensor or sequence of vectors as a C-contiguous array of float32."""
    if type(values) is np.ndarray and values.dtype == np.float32:
        return np.ascontiguousarray(values)  # check_array takes 0.1 ms
    try:
        values = without_tensors(values, name)
        if str(getattr(values, "dtype", "")) == "object":  # vectors in a pandas Series
            values = without_tensors(list(values), name)
        if keep_half and isinstance(values, np.ndarray) and is_large_half(values):
            return np.ascontiguousarray(values)
        kind = np.asarray(values).dtype.kind
        if kind in "USMm":  # text and dates would be read as numbers
            raise TypeError(f"found dtype kind {kind!r}")
        with np.errstate(over="ignore"):
            return check_array(values, dtype=np.float32, order="C", ensure_all_finite=False)
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise ValueError(f"{name} does not hold vectors of real numbers: {error}") from None
