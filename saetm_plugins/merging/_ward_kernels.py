"""Numba kernels of the Ward tree; apart, so that importing the package does not import numba."""

from __future__ import annotations

import numpy as np
from numba import float64, int64, void

from saetm_plugins.numerics.compiling import DOUBLE_ROWS, DOUBLES, FLOAT_ROWS, compiled


@compiled(void(int64, int64, FLOAT_ROWS, DOUBLES, float64[:, ::1]), fastmath=True)
def fill_distances(start, stop, points, weights, distances):
    """Fill `distances` (n, n) for the points [start, stop) and those before them, symmetrically.

    Squared Ward distances ``2 w_a w_b / (w_a + w_b) |x_a - x_b|²``. Differences are squared, not
    products subtracted: equal points are at distance 0, near ones as far apart as they are.
    """
    for b in range(stop):
        right = points[b]
        for a in range(max(start, b), stop):
            left = points[a]
            total = 0.0
            for axis in range(len(right)):
                gap = np.float64(left[axis] - right[axis])
                total += gap * gap
            total *= 2 * weights[a] * weights[b] / (weights[a] + weights[b])
            distances[a, b] = total
            distances[b, a] = total


@compiled(float64[:, ::1](float64[:, ::1], DOUBLES))
def join_chain(distances, weights):
    """Join all points by the nearest-neighbour chain; `distances` is overwritten.

    Parameters
    ----------
    distances : ndarray of shape (n, n), float64
        Squared Ward distances, symmetric.
    weights : ndarray of shape (n,), float64

    Returns
    -------
    ndarray of shape (n - 1, 3), float64
        A point of either cluster and the squared distance of each join, in chain order.
    """
    n = len(weights)
    if n == 0 or distances.shape[0] != n or distances.shape[1] != n:
        raise ValueError("Ward's distances must be square, with a weight for each point")
    weights = weights.copy()
    alive = np.ones(n, dtype=np.bool_)
    in_chain = np.zeros(n, dtype=np.bool_)
    chain = np.empty(n, dtype=np.int64)
    length = 0
    joins = np.empty((n - 1, 3), dtype=np.float64)
    first = 0
    for step in range(n - 1):
        if length == 0:
            while not alive[first]:
                first += 1
            chain[0] = first
            in_chain[first] = True
            length = 1
        while True:
            tip = chain[length - 1]
            # Ties go to the previous element, or the chain would never close.
            nearest = chain[length - 2] if length > 1 else -1
            least = distances[tip, nearest] if length > 1 else np.inf
            for other in range(n):
                if alive[other] and other != tip and distances[tip, other] < least:
                    least = distances[tip, other]
                    nearest = other
            if length > 1 and nearest == chain[length - 2]:
                break
            if nearest < 0 or in_chain[nearest]:
                raise ValueError("Ward's distances must be finite and symmetric")
            chain[length] = nearest
            in_chain[nearest] = True
            length += 1
        kept, gone = min(tip, nearest), max(tip, nearest)
        length -= 2
        in_chain[kept] = in_chain[gone] = False
        joins[step, 0], joins[step, 1], joins[step, 2] = kept, gone, least
        w_kept, w_gone = weights[kept], weights[gone]
        alive[gone] = False
        weights[kept] = w_kept + w_gone
        for other in range(n):
            if alive[other] and other != kept:
                w = weights[other]
                to_kept, to_gone = distances[kept, other], distances[gone, other]
                joined = ((w_kept + w) * to_kept + (w_gone + w) * to_gone - w * least) / (
                    w_kept + w_gone + w
                )
                # Rounding must not bring it nearer than both were: the chain would not close.
                joined = max(joined, min(to_kept, to_gone))
                distances[kept, other] = joined
                distances[other, kept] = joined
    return joins


@compiled(float64[:, ::1](DOUBLE_ROWS))
def label_joins(joins):
    """Turn joins between points, sorted by distance, into SciPy's linkage rows (n - 1, 4)."""
    n = len(joins) + 1
    size = np.ones(n, dtype=np.int64)
    # Not np.arange: numba's calls math.ceil, which nnsight replaces by what cannot be compiled.
    parent = np.cumsum(size) - 1
    node = parent.copy()
    linkage = np.empty((n - 1, 4), dtype=np.float64)
    for row in range(n - 1):
        if not (0 <= joins[row, 0] < n and 0 <= joins[row, 1] < n):
            raise ValueError("a join must be of two of the points")
        a, b = np.int64(joins[row, 0]), np.int64(joins[row, 1])
        while parent[a] != a:
            parent[a] = parent[parent[a]]
            a = parent[a]
        while parent[b] != b:
            parent[b] = parent[parent[b]]
            b = parent[b]
        linkage[row, 0] = min(node[a], node[b])
        linkage[row, 1] = max(node[a], node[b])
        linkage[row, 2] = joins[row, 2]
        linkage[row, 3] = size[a] + size[b]
        parent[b] = a
        size[a] += size[b]
        node[a] = n + row
    return linkage
