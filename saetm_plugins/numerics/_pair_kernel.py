"""The compiled loop of :mod:`saetm_plugins.numerics.pairs`; a file of its own, imported late."""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from saetm_plugins.numerics.compiling import FLOAT_ROWS, INTS, LONGS, compiled


@compiled(
    void(int64, int64, LONGS, INTS, FLOAT_ROWS, FLOAT_ROWS, float32[::1]), fastmath=True
)  # fmt: skip
def products_of_pairs(start, stop, indptr, indices, left, right, products):
    """Write ``left[row] @ right[column]`` for the entries of rows `start` to `stop`."""
    for row in range(start, stop):
        vector = left[row]
        for entry in range(indptr[row], indptr[row + 1]):
            other = right[indices[entry]]
            total = np.float32(0)
            for axis in range(len(vector)):
                total += vector[axis] * other[axis]
            products[entry] = total
