"""Numba kernels of the sparse NMF; apart, so that importing the package does not import numba."""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from saetm_plugins.numerics.compiling import FLOAT_ROWS, FLOATS, INTS, LONGS, compiled


@compiled(
    void(
        int64, int64, LONGS, INTS, FLOATS, FLOAT_ROWS, FLOAT_ROWS, FLOATS, float32[:, ::1]
    ),
    fastmath=True,
)  # fmt: skip
def update_rows(start, stop, indptr, indices, data, other, gram, inverse, factor):
    """One pass of coordinate descent over rows `start` to `stop` of ``factor`` (n, T), in place.

    Minimises ``|X - factor @ other.T|²`` over non-negative rows, each on its own, with X (n, m) in
    CSR, ``gram = other.T @ other`` and ``inverse`` (T,) one by its diagonal. Which coordinates move
    is settled before the first does: those above zero, and those that the gradient draws there. The
    lists are made without branches, which the processor could not predict.
    """
    n_topics = gram.shape[0]
    gradient = np.empty(n_topics, dtype=np.float32)
    moving = np.empty(n_topics + 1, dtype=np.int32)
    for row in range(start, stop):
        gradient[:] = 0
        for entry in range(indptr[row], indptr[row + 1]):
            value = data[entry]
            column = np.uint64(indices[entry])
            for topic in range(n_topics):
                gradient[topic] += value * other[column, topic]
        weights = factor[row]
        n_moving = np.int64(0)
        for topic in range(n_topics):
            moving[n_moving] = topic
            n_moving += weights[topic] > 0
        for place in range(n_moving):
            mover = np.uint64(moving[place])
            weight = weights[mover]
            for topic in range(n_topics):
                gradient[topic] -= weight * gram[mover, topic]
        n_moving = np.int64(0)
        for topic in range(n_topics):
            moving[n_moving] = topic
            n_moving += (weights[topic] > 0) | (gradient[topic] > 0)
        for place in range(n_moving):
            mover = np.uint64(moving[place])
            old = weights[mover]
            weights[mover] = max(old + gradient[mover] * inverse[mover], np.float32(0))
            step = weights[mover] - old
            for topic in range(n_topics):
                gradient[topic] -= step * gram[mover, topic]
