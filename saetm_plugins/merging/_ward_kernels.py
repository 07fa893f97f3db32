"""Numba kernels of the Ward tree; apart, so that importing the package does not import numba."""

from __future__ import annotations

import numpy as np

from saetm_plugins.compiling import compiled


@compiled()
def join_chain(distances, weights):
    """Join all points by the nearest-neighbour chain; `distances` is overwritten.

    Parameters
    ----------
    distances : ndarray of shape (n, n), float64
        Squared Ward distances.
    weights : ndarray of shape (n,), float64

    Returns
    -------
    ndarray of shape (n - 1, 3), float64
        A point of either cluster and the squared distance of each join, in chain order.
    """
    n = len(weights)
    weights = weights.copy()
    alive = np.ones(n, dtype=np.bool_)
    chain = np.empty(n, dtype=np.int64)
    length = 0
    joins = np.empty((n - 1, 3), dtype=np.float64)
    first = 0
    for step in range(n - 1):
        if length == 0:
            while not alive[first]:
                first += 1
            chain[0] = first
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
            chain[length] = nearest
            length += 1
        kept, gone = min(tip, nearest), max(tip, nearest)
        length -= 2
        joins[step, 0], joins[step, 1], joins[step, 2] = kept, gone, least
        w_kept, w_gone = weights[kept], weights[gone]
        alive[gone] = False
        weights[kept] = w_kept + w_gone
        for other in range(n):
            if alive[other] and other != kept:
                w = weights[other]
                joined = (
                    (w_kept + w) * distances[kept, other]
                    + (w_gone + w) * distances[gone, other]
                    - w * least
                ) / (w_kept + w_gone + w)
                distances[kept, other] = joined
                distances[other, kept] = joined
    return joins


@compiled()
def label_joins(joins):
    """Turn joins between points, sorted by distance, into SciPy's linkage rows (n - 1, 4)."""
    n = len(joins) + 1
    size = np.ones(n, dtype=np.int64)
    # Not np.arange: numba's calls math.ceil, which nnsight replaces by what cannot be compiled.
    parent = np.cumsum(size) - 1
    node = parent.copy()
    linkage = np.empty((n - 1, 4), dtype=np.float64)
    for row in range(n - 1):
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
