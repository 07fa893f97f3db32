"""Stage 3, the soft merge's engine: non-negative factorization of a sparse matrix, on all cores.

Hierarchical alternating least squares (Cichocki & Phan 2009), the coordinate descent of
scikit-learn's ``NMF``, reordered so that every row is solved on its own and only the coordinates
that may move are visited. Started by NNDSVD (Boutsidis & Gallopoulos 2008).
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.utils.extmath import randomized_svd

from saetm_plugins.numerics.caching import cached_property
from saetm_plugins.numerics.parallel import (
    even_ranges,
    map_ranges,
    matmul,
    ranges_of_rows,
    single_threaded,
)

_BLOCK = 64  # columns of a factor whose products are found at a time


class SparseSVD:
    """Leading singular vectors of a sparse matrix (n, m), solved once for a range of ranks.

    A few vectors are found by subspace iteration (Halko et al. 2011), once for each power of two
    of the rank; more than n / 8 by an eigendecomposition. Above `EXACT` rows, where the square of
    the matrix would be large, scikit-learn's randomized solver runs.

    Parameters
    ----------
    matrix : csr_matrix of shape (n, m), float32
    random_state : int
    """

    EXACT: ClassVar[int] = 2048
    _ITERATIONS: ClassVar[int] = 6
    _EXTRA: ClassVar[int] = 16  # vectors iterated and then left out

    def __init__(self, matrix: sp.csr_matrix, random_state: int = 0):
        self._matrix = matrix
        self._random_state = random_state
        self._solved: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def leading(self, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return ``U`` (n, rank), the singular values (rank,) and ``V`` (m, rank)."""
        n_rows = self._matrix.shape[0]
        width = max(64, 1 << (rank - 1).bit_length())
        if width > n_rows or (n_rows <= self.EXACT and width > n_rows // 8):
            width = n_rows
        # The width follows from the rank alone, so that no cut depends on earlier cuts.
        if width not in self._solved:
            self._solved[width] = self._solve(width)
        left, values = (part[..., :rank] for part in self._solved[width])
        right = self._matrix.T @ left
        right /= np.where(values > 0, values, 1)
        return left, values, right

    def _solve(self, width: int) -> tuple[np.ndarray, np.ndarray]:
        n_rows = self._matrix.shape[0]
        if n_rows > self.EXACT:
            return randomized_svd(
                self._matrix, width, n_iter=2, random_state=self._random_state, flip_sign=False
            )[:2]
        square = self._square
        if width == n_rows:
            values, vectors = _eigh(square)
        else:
            values, vectors = self._iterate(square, width)
        roots = np.sqrt(np.maximum(values.numpy()[::-1], 0))
        return np.ascontiguousarray(vectors.numpy()[:, ::-1]), roots

    @cached_property
    def _square(self) -> torch.Tensor:
        return torch.from_numpy((self._matrix @ self._matrix.T).toarray())

    def _iterate(self, square: torch.Tensor, width: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the `width` largest eigenvalues, ascending, and their vectors."""
        rng = np.random.default_rng(self._random_state)
        shape = (len(square), width + self._EXTRA)
        basis = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
        for _ in range(self._ITERATIONS):
            basis = _orthonormal(matmul(square, basis))
        values, vectors = _eigh(basis.T @ matmul(square, basis))
        return values[-width:], basis @ vectors[:, -width:]


def _eigh(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return eigenvalues, ascending, and vectors, float32, of a matrix of any rank.

    MKL's solver fails on some matrices of repeated rows, with an error or NaN, often in float32 and
    rarely in float64; OpenBLAS', in NumPy, does not, but its threads spin.
    """
    with single_threaded():  # LAPACK's threads wait for one another at every column
        square = matrix.double()
        try:
            values, vectors = torch.linalg.eigh(square)
        except torch.linalg.LinAlgError:
            vectors = torch.tensor(torch.nan)
        if not vectors.isfinite().all():
            values, vectors = (torch.from_numpy(part) for part in np.linalg.eigh(square.numpy()))
        return values.float(), vectors.float()


def _orthonormal(matrix: torch.Tensor) -> torch.Tensor:
    with single_threaded():
        return torch.linalg.qr(matrix).Q


def nndsvd(svd: SparseSVD, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the non-negative start ``W`` (n, rank) and ``H.T`` (m, rank), both float32.

    Of the leading pair the absolute values; of each other pair its positive or its negative part,
    whichever is larger.
    """
    left, values, right = svd.leading(rank)
    rows, columns = np.maximum(left, 0), np.maximum(right, 0)
    rows_minus, columns_minus = np.maximum(-left, 0), np.maximum(-right, 0)
    plus = np.linalg.norm(rows, axis=0) * np.linalg.norm(columns, axis=0)
    minus = np.linalg.norm(rows_minus, axis=0) * np.linalg.norm(columns_minus, axis=0)
    flip = minus > plus
    rows[:, flip], columns[:, flip] = rows_minus[:, flip], columns_minus[:, flip]
    if rank:
        rows[:, 0], columns[:, 0] = np.abs(left[:, 0]), np.abs(right[:, 0])
    for part in (rows, columns):
        part /= np.maximum(np.linalg.norm(part, axis=0), np.finfo(np.float32).tiny)
    scale = np.sqrt(values * np.where(np.arange(rank) == 0, 1, np.maximum(plus, minus)))
    return (
        np.ascontiguousarray(rows * scale, dtype=np.float32),
        np.ascontiguousarray(columns * scale, dtype=np.float32),
    )


def factorize(
    matrix: sp.csr_matrix,
    transposed: sp.csr_matrix,
    rows: np.ndarray,
    columns: np.ndarray,
    *,
    n_iter: int,
) -> None:
    """Improve ``matrix ≈ rows @ columns.T`` in place, all three non-negative, by `n_iter` passes.

    Parameters
    ----------
    matrix, transposed : csr_matrix of shapes (n, m) and (m, n), float32
    rows, columns : ndarray of shapes (n, T) and (m, T), float32, C-contiguous
        A start; overwritten.
    n_iter : int
    """
    of_rows, of_columns = ranges_of_rows(matrix.indptr), ranges_of_rows(transposed.indptr)
    for _ in range(n_iter):
        _update_factor(matrix, of_rows, columns, rows)
        _update_factor(transposed, of_columns, rows, columns)


def solve_columns(
    transposed: sp.csr_matrix, rows: np.ndarray, columns: np.ndarray, *, n_iter: int
) -> None:
    """Improve `columns` alone; see :func:`factorize`. A topic without rows gets columns of 0."""
    ranges = ranges_of_rows(transposed.indptr)
    for _ in range(n_iter):
        _update_factor(transposed, ranges, rows, columns)


def _update_factor(
    csr: sp.csr_matrix, ranges: list[tuple[int, int]], other: np.ndarray, factor: np.ndarray
) -> None:
    """Do one pass of coordinate descent over `factor`, with ``csr ≈ factor @ other.T``."""
    from saetm_plugins.merging.kernels import update_rows

    gram = _gram(other)
    norms = np.diagonal(gram)
    live = norms >= np.finfo(np.float32).tiny  # the inverse of a smaller number overflows
    inverse = np.divide(1, norms, where=live, out=np.zeros_like(norms))
    factor[:, ~live] = 0  # a topic that lost one factor loses both
    indptr, indices = csr.indptr.astype(np.int64), csr.indices.astype(np.int32, copy=False)

    def update(_: int, first: int, last: int) -> None:
        update_rows(first, last, indptr, indices, csr.data, other, gram, inverse, factor)

    map_ranges(update, ranges)


def _gram(factor: np.ndarray) -> np.ndarray:
    """Return ``factor.T @ factor``, computing one of its two equal halves, by blocks."""
    columns = torch.from_numpy(factor)  # NumPy's threads would spin after the product
    n_columns = columns.shape[1]
    gram = columns.new_empty(n_columns, n_columns)

    def of_block(_: int, first: int, last: int) -> None:
        gram[first:last, first:] = columns[:, first:last].T @ columns[:, first:]
        gram[last:, first:last] = gram[first:last, last:].T

    map_ranges(of_block, even_ranges(n_columns, _BLOCK))
    return gram.numpy()
