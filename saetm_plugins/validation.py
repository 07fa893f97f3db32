"""Checks at the door, shared by every stage: each error names the argument and what was found."""

from __future__ import annotations

import numbers
import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.utils import check_random_state

DENSE_LIMIT = 6 * 2**30
"""Bytes of the largest dense array that is made; more is refused before the work."""
_LARGEST_COUNT = 2**63 - 1
_LARGEST_SQUARE = np.finfo(np.float32).max / 16  # of a row's norm; centring may double the norm


def check_embeddings(
    embeddings: Any,
    *,
    name: str = "embeddings",
    n_rows: int | None = None,
    width: int | None = None,
) -> np.ndarray:
    """Return `embeddings` as a finite, C-contiguous float32 array of shape (n, d).

    Parameters
    ----------
    embeddings : array-like or torch.Tensor of shape (n, d)
        Any real dtype, or n vectors in a list or pandas Series; float32 arrays are not copied.
    name : str
        The argument's name in the caller's signature, for the error.
    n_rows, width : int, optional
        What the shape must be.

    Raises
    ------
    ValueError
        When it is sparse, complex, masked, not 2-D, empty, not finite, too large to square in
        float32, or of another shape than asked for.
    """
    if sp.issparse(embeddings) or "sparse" in str(getattr(embeddings, "layout", "")):
        raise ValueError(f"{name} is a sparse matrix; dense embeddings are needed")
    array = _real_array(embeddings, name)
    check_shape(array, name, n_rows=n_rows, width=width)
    with np.errstate(over="ignore"):  # what becomes infinite is refused next
        array = np.ascontiguousarray(array, dtype=np.float32)
    check_rows(array, name)
    return array


def check_shape(
    array: np.ndarray, name: str, *, n_rows: int | None = None, width: int | None = None
) -> None:
    """Raise a ValueError where `array` is not 2-D, is empty, or of another shape than asked for."""
    if array.ndim != 2:
        raise ValueError(f"{name} must be 2-D (documents × dimensions); found shape {array.shape}")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise ValueError(f"{name} is empty: shape {array.shape}")
    if n_rows is not None and array.shape[0] != n_rows:
        raise ValueError(f"{name} has {array.shape[0]} rows for {n_rows} documents")
    if width is not None and array.shape[1] != width:
        raise ValueError(
            f"{name} has {array.shape[1]} dimensions; the sparse autoencoder was trained on {width}"
        )


def check_rows(array: np.ndarray, name: str, first_row: int = 0) -> None:
    """Raise a ValueError where a row of an (n, d) float32 array cannot be an embedding.

    Parameters
    ----------
    array : ndarray of shape (n, d), float32
    name : str
        What the rows are of, for the error.
    first_row : int, default=0
        The number, in `name`, of the first of these rows.
    """
    squares = np.einsum("nd,nd->n", array, array)
    if (squares <= _LARGEST_SQUARE).all():
        return
    check_finite(array, name, first_row)
    row = int(squares.argmax())
    raise ValueError(
        f"{name} is too large to square in float32 (row {first_row + row} holds "
        f"{np.abs(array[row]).max():.2g}); scale it down"
    )


def check_finite(array: np.ndarray, name: str, first_row: int = 0) -> None:
    """Raise a ValueError naming the first row of a 2-D `array` that is NaN or infinite."""
    # One sum is NaN or infinite whenever an entry is, and costs a fraction of isfinite() on all;
    # it may also overflow on finite rows, hence the exact second look.
    with np.errstate(over="ignore", invalid="ignore"):
        suspects = np.flatnonzero(~np.isfinite(array.sum(axis=1)))
    bad = [row for row in suspects if not np.isfinite(array[row]).all()]
    if bad:
        found = "NaN" if np.isnan(array[bad[0]]).any() else "infinity"
        raise ValueError(
            f"{name} holds NaN or infinity in {len(bad)} rows "
            f"(first: row {first_row + bad[0]}, {found})"
        )


def check_arrays(
    value: Any, axes: Mapping[str, str], signed: Collection[str] = ()
) -> dict[str, int]:
    """Check the arrays among the fields of a value, and return the length of each axis.

    Parameters
    ----------
    value : dataclass
    axes : mapping of str to str
        A letter for each axis of a field: axes of one letter have one length. Fields that are None
        are left out.
    signed : collection of str
        Fields that may hold negative numbers.

    Raises
    ------
    ValueError
        When shapes do not fit each other, or a number is negative, NaN or infinite.
    """
    lengths: dict[str, int] = {}
    for name, letters in axes.items():
        if (array := getattr(value, name)) is None:
            continue
        fits = array.ndim == len(letters)
        if not fits or any(
            lengths.setdefault(a, n) != n for a, n in zip(letters, array.shape, strict=True)
        ):
            raise ValueError(f"{name} has shape {array.shape}, which does not fit the others")
        numbers = array.data if sp.issparse(array) else array
        if numbers.dtype.kind != "f":
            raise ValueError(f"{name} has dtype {numbers.dtype}")
        if numbers.size:
            least, most = numbers.min(), numbers.max()
            if not (np.isfinite(least) and np.isfinite(most)):
                raise ValueError(f"{name} holds NaN or infinity")
            if least < 0 and name not in signed:
                raise ValueError(f"{name} holds a negative number")
    return lengths


def is_integer(value: Any) -> bool:
    """Tell whether `value` is an integer, NumPy's included; True and False are not."""
    return isinstance(value, numbers.Integral) and not isinstance(value, (bool, np.bool_))


def is_missing(value: Any) -> bool:
    """Tell whether one value is None, NaN, NaT or pandas' NA."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):  # NA, which is neither; an array
        return True


def check_flag(value: Any, name: str) -> bool:
    """Return what is as good as True or False as one of them, or raise a TypeError."""
    if np.ndim(value) > 0 or (value is not None and is_missing(value)):
        raise TypeError(f"{name} must be True or False; found {value!r:.80}")
    return bool(value)


def check_count(value: Any, name: str, *, minimum: int = 1) -> int:
    """Return `value` as an int of at least `minimum`, or raise naming the argument.

    Raises
    ------
    TypeError
        When it is not an integer.
    ValueError
        When it is smaller than `minimum`, or of more than 63 bits.
    """
    if not is_integer(value):
        raise TypeError(f"{name} must be an integer; found {value!r:.80}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}; found {value}")
    if value > _LARGEST_COUNT:
        raise ValueError(f"{name} must be at most {_LARGEST_COUNT}; found {value}")
    return int(value)


def check_not_negative(value: Any, name: str, *, most: float = np.inf) -> None:
    """Raise a ValueError unless `value` is a finite number of at least 0, and at most `most`."""
    if not _is_real(value) or not 0 <= value < np.inf:
        raise ValueError(f"{name} must be a finite number of at least 0; found {value!r}")
    if value > most:
        raise ValueError(f"{name} must be at most {most:g}; found {value!r}")


def check_random(random_state: Any) -> np.random.RandomState:
    """Return the generator that `random_state` (an int, a RandomState or None) stands for.

    Raises
    ------
    ValueError
        When it is none of these, or an int that is negative or of more than 32 bits.
    """
    if isinstance(random_state, (bool, np.bool_)):
        raise ValueError(
            f"random_state must be an int, a RandomState or None; found {random_state}"
        )
    try:
        return check_random_state(random_state)
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"random_state must be an int from 0 to 2**32 - 1, a RandomState or None: {error}"
        ) from None


def as_list(values: Any, name: str, what: str) -> list[Any]:
    """Return `values` as a list, or raise a TypeError: `name` must hold `what`, none masked."""
    if hasattr(values, "detach"):
        without_tensors(values, name)
        values = values.detach().cpu().numpy()
    if np.ma.is_masked(values):
        raise ValueError(f"{name} is a masked array with entries masked; fill or leave them out")
    if not isinstance(values, (str, bytes)) and not sp.issparse(values):
        try:
            return list(values)
        except TypeError:
            pass
    raise TypeError(f"{name} must hold {what}; found {values!r:.80}")


def check_text(text: Any, name: str) -> str:
    """Return `text` if it is a string that can be written to a file, or raise naming the argument.

    Raises
    ------
    TypeError
        When it is no string.
    ValueError
        When it holds half of a surrogate pair, as texts decoded with ``surrogateescape`` do: no
        tokenizer, file or terminal takes it.
    """
    if not isinstance(text, str):
        found = f"{text!r:.80}" if is_missing(text) else type(text).__name__
        raise TypeError(f"{name} must be a string; found {found}")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ValueError(
                f"{name} holds half of a surrogate pair, {text[error.start]!r}, at position "
                f"{error.start}; text.encode('utf-8', 'replace').decode() takes it out"
            ) from None
    return text


def check_path(path: Any, name: str = "path") -> Path:
    """Return a path that a file or folder can have, or raise naming the argument.

    Raises
    ------
    TypeError
        When it is neither a string nor a path.
    ValueError
        When it is a URL, or no file can be called so.
    """
    if not isinstance(path, (str, os.PathLike)) or isinstance(os.fspath(path), bytes):
        raise TypeError(f"{name} must be a string or a path; found {path!r:.80}")
    if not os.fspath(path):
        raise ValueError(f"{name} is empty; '.' is the present folder")
    if re.match(r"[A-Za-z][\w+.-]+:/", os.fspath(path)):  # a Path has one slash left
        raise ValueError(f"{name} {str(path)!r:.80} is a URL; it must be a local path")
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        pass
    except (OSError, ValueError) as error:  # too long, a null byte, half of a surrogate pair
        raise ValueError(f"{name} {str(path)!r:.80} is none: {error!s:.80}") from None
    return Path(path)


def as_names(names: Any, name: str = "names") -> list[str]:
    """Return names of topics, an iterable of texts in an order, as a list."""
    listed = as_list(names, name, "names of topics")
    return [check_text(each, f"{name}[{place}]") for place, each in enumerate(listed)]


def check_names(names: list[Any], argument: str) -> None:
    """Raise a ValueError where one of `names` is a text that no file can hold."""
    for place, name in enumerate(names):
        if isinstance(name, str):
            check_text(name, f"{argument}[{place}]")


def check_fraction(value: Any, name: str, *, closed: bool = False) -> None:
    """Raise a ValueError unless `value` is a number in [0, 1), or in [0, 1] if `closed`."""
    inside = _is_real(value) and 0 <= float(value) <= 1 and (closed or float(value) < 1)
    if not inside:
        raise ValueError(
            f"{name} must be a number in [0, 1{']' if closed else ')'}; found {value!r}"
        )


def _is_real(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def check_dense_size(
    shape: tuple[int, ...], what: str, remedy: str, *, bytes_each: int = 4
) -> None:
    """Raise a ValueError when a dense array would be larger than :data:`DENSE_LIMIT`.

    Parameters
    ----------
    shape : tuple of int
    what : str
        The array's name, for the error.
    remedy : str
        What to do about it, for the error.
    bytes_each : int, default=4
    """
    size = float(np.prod([float(n) for n in shape])) * bytes_each
    if size > DENSE_LIMIT:
        raise ValueError(
            f"{what} of shape {shape} would take {size / 2**30:.1f} GiB "
            f"(at most {DENSE_LIMIT / 2**30:.0f} GiB); use {remedy}"
        )


def check_indices(matrix: sp.spmatrix | sp.sparray, name: str) -> None:
    """Refuse a sparse matrix whose indices lead out of its shape: compiled loops trust them.

    Raises
    ------
    ValueError
    """
    fault = None
    if hasattr(matrix, "indptr"):  # CSR, CSC and BSR
        pointers = np.asarray(matrix.indptr)
        try:
            matrix.check_format(full_check=True)
        except ValueError as error:
            fault = str(error)
        # SciPy looks no further where the last one says that there are no entries.
        if not fault and (pointers[-1] < 0 or (pointers[1:] < pointers[:-1]).any()):
            fault = "index pointer values must not decrease"
    elif hasattr(matrix, "coords") and matrix.nnz:
        for places, n in zip(matrix.coords, matrix.shape, strict=True):
            if places.min() < 0 or places.max() >= n:
                fault = f"an index leads out of shape {matrix.shape}"
    if fault:
        raise ValueError(f"{name} is a damaged sparse matrix: {fault}")


def check_mixtures_of_atoms(doc_atoms: Any, n_atoms: int) -> sp.csr_matrix:
    """Return the atoms of documents as CSR, (n, K); its rows are mixtures, or empty.

    Raises
    ------
    TypeError
        When it is no sparse matrix.
    ValueError
        When it has another width, an index out of range, a share that is negative or not finite,
        or a row that sums to anything but 1.
    """
    if not sp.issparse(doc_atoms):
        raise TypeError(f"doc_atoms must be a sparse matrix; found {type(doc_atoms).__name__}")
    if doc_atoms.ndim != 2 or doc_atoms.shape[1] != n_atoms:
        raise ValueError(f"doc_atoms has shape {doc_atoms.shape}; the model has {n_atoms} atoms")
    check_indices(doc_atoms, "doc_atoms")
    mixtures = sp.csr_matrix(doc_atoms)
    sums = np.asarray(mixtures.sum(axis=1)).ravel()
    wrong = ~((np.abs(sums - 1) < 1e-2) | (sums == 0))
    if wrong.any() or (mixtures.nnz and mixtures.data.min() < 0):
        row = int(np.flatnonzero(wrong)[0]) if wrong.any() else "one"
        raise ValueError(f"doc_atoms must hold shares of at least 0 that sum to 1; found {row}")
    return mixtures


def check_doc_topics(doc_topics: Any, n_topics: int) -> np.ndarray:
    """Return mixtures of topics as an array (n, n_topics) of shares.

    Raises
    ------
    TypeError, ValueError
        When they are no 2-D array of numbers, of another width, empty, not finite, negative or
        above 1.
    """
    array = _real_array(doc_topics, "doc_topics")
    if array.ndim != 2 or array.dtype.kind == "b":
        raise ValueError(
            "doc_topics must be a 2-D array of numbers, as model.transform returns; found shape "
            f"{array.shape}, dtype {array.dtype}"
        )
    if array.shape[0] == 0:
        raise ValueError(f"doc_topics holds no documents: shape {array.shape}")
    if array.shape[1] != n_topics:
        raise ValueError(f"doc_topics must have {n_topics} columns; found shape {array.shape}")
    check_finite(array, "doc_topics")
    if array.min() < 0 or array.max() > 1 + 1e-3:
        raise ValueError(
            f"doc_topics must hold shares, from 0 to 1; found {array.min():.3g} to "
            f"{array.max():.3g}"
        )
    return array


def check_choice(value: Any, name: str, choices: tuple[str, ...]) -> str:
    """Return `value` if it is one of `choices`, or raise a ValueError listing them."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}; found {value!r}")
    return value


class OneHotClasses(NamedTuple):
    """Known classes of documents.

    Attributes
    ----------
    names : ndarray of shape (C,), str
        Sorted.
    codes : csr_matrix of shape (n, C), float64
        One where a document is of a class; rows of unknown classes are empty.
    """

    names: np.ndarray
    codes: sp.csr_matrix


def one_hot_classes(classes: Any, n_documents: int, name: str = "classes") -> OneHotClasses:
    """Return the known classes of documents and their names.

    Parameters
    ----------
    classes : array-like of shape (n,)
        Of any type that can be sorted; -1 where unknown.
    n_documents : int
    name : str
        The argument's name in the caller's signature, for the error.

    Raises
    ------
    ValueError
        When it is of another length, or holds None or NaN.
    """
    if np.ma.is_masked(classes):
        raise ValueError(f"{name} is a masked array with entries masked; -1 stands for an unknown")
    try:
        given = np.asarray(classes)
    except (ValueError, TypeError, RuntimeError):  # lists of several lengths, a tensor with a graph
        raise ValueError(f"{name} must hold one class per document, not lists of them") from None
    if given.ndim == 0:
        raise ValueError(f"{name} must hold one class per document; found {classes!r}")
    given = given.ravel()
    if len(given) != n_documents:
        raise ValueError(f"{name} has {len(given)} entries for {n_documents} documents")
    for row, value in enumerate(given.tolist()):
        if _is_vector(value):
            raise ValueError(f"{name}[{row}] is no class but {value!r:.80}")
        if is_missing(value):
            raise ValueError(f"{name}[{row}] is {value!r}; -1 stands for an unknown class")
    texts = given.astype(str) if given.dtype.kind not in "SO" else _as_texts(given)
    known = np.flatnonzero(texts != "-1")
    names, codes = np.unique(texts[known], return_inverse=True)
    one_hot = sp.csr_matrix((np.ones(len(known)), (known, codes)), shape=(n_documents, len(names)))
    return OneHotClasses(names, one_hot)


def _as_texts(values: np.ndarray) -> np.ndarray:
    """Return values as texts; bytes may be of any encoding, as all that counts is what is equal."""
    told = (v.decode("latin-1") if isinstance(v, bytes) else str(v) for v in values.tolist())
    return np.array(list(told), dtype=str)


def resolve_device(device: Any) -> str:
    """Return "cuda" or "cpu" for "auto", and any other name as it is, after asking torch for it.

    Raises
    ------
    ValueError
        When torch does not know the device, it is CUDA and there is none, or it holds no values.
    TypeError
        When it is neither a name nor a device of torch.
    """
    import torch

    if not isinstance(device, (str, torch.device)):
        raise TypeError(f"device must be a name or a torch.device; found {device!r}")
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(f"device {device!r} is not a device of torch: {error}") from error
    if kind == "meta":
        raise ValueError("device is 'meta', which holds no values")
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {str(device)!r}, but torch finds no CUDA device")
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


def _real_array(values: Any, name: str) -> np.ndarray:
    """Return an array, tensor or sequence of vectors as an array of real numbers."""
    values = without_tensors(values, name)
    try:
        if isinstance(values, list | tuple) and any(map(_is_array_of_its_own, values)):
            values = np.stack([_real_array(row, name) for row in values])
        array = np.asarray(values)
        if array.ndim == 1 and array.dtype == object and any(map(_is_vector, array)):
            array = np.stack([_real_array(row, name) for row in array])
    except (ValueError, MemoryError) as error:  # a range() may stand for terabytes
        raise ValueError(f"{name} does not hold vectors of one length: {error}") from error
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} has dtype {array.dtype}")
    if array.dtype.kind == "O":
        try:
            array = array.astype(np.float32)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f"{name} must hold real numbers; found dtype {array.dtype}") from None
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers; found dtype {array.dtype}")
    return array


def without_tensors(values: Any, name: str) -> Any:
    """Return a torch tensor, or those in a list, as arrays; all else as it is.

    Raises
    ------
    ValueError
        When a tensor holds no values, or entries of an array are masked.
    """
    if hasattr(values, "detach"):
        if values.device.type == "meta":
            raise ValueError(f"{name} is a tensor on the device 'meta', which holds no values")
        if "strided" not in str(values.layout):
            raise ValueError(f"{name} is a sparse tensor; dense values are needed")
        values = values.detach().cpu()
        return (values if values.is_complex() else values.float()).numpy()
    if np.ma.is_masked(values):
        raise ValueError(f"{name} is a masked array with entries masked; fill or leave them out")
    if isinstance(values, list | tuple) and any(map(_is_array_of_its_own, values)):
        return [without_tensors(row, name) for row in values]
    return values


def _is_array_of_its_own(row: Any) -> bool:
    """Tell rows that NumPy would read wrongly: tensors, and arrays with a mask."""
    return hasattr(row, "detach") or isinstance(row, np.ma.MaskedArray)


def _is_vector(value: Any) -> bool:
    sized = hasattr(value, "__len__") and not isinstance(value, str | bytes)
    return sized and getattr(value, "ndim", 1) > 0
