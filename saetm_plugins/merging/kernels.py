"""Compiled loops of the merges; imported where they run, as numba takes its time."""

from __future__ import annotations

import numpy as np
from numba import float32, float64, int64, void

from saetm_plugins.numerics.compiling import (
    DOUBLE_ROWS,
    DOUBLES,
    FLOAT_ROWS,
    FLOATS,
    INTS,
    LONGS,
    compiled,
)


@compiled(
    void(
        int64, int64, LONGS, INTS, FLOATS, FLOAT_ROWS, FLOAT_ROWS, FLOATS, float32[:, ::1]
    ),
    fastmath=True,
)  # fmt: skip
def update_rows(start, stop, indptr, indices, data, other, gram, inverse, factor):
    """One pass of coordinate descent over rows `start` to `stop` of ``factor`` (n, T), in place.

    Minimises ``|X - factor @ other.T|²`` over non-negative rows, each on its own, with X (n, m) in
    CSR, ``gram = other.T @ other`` and ``inverse`` (T,) one over its diagonal. Coordinates above
    zero move, and those with a positive gradient; lists of them are made without branches.
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
        for i in range(n_moving):
            mover = np.uint64(moving[i])
            weight = weights[mover]
            for topic in range(n_topics):
                gradient[topic] -= weight * gram[mover, topic]
        n_moving = np.int64(0)
        for topic in range(n_topics):
            moving[n_moving] = topic
            n_moving += (weights[topic] > 0) | (gradient[topic] > 0)
        for i in range(n_moving):
            mover = np.uint64(moving[i])
            old = weights[mover]
            weights[mover] = max(old + gradient[mover] * inverse[mover], np.float32(0))
            step = weights[mover] - old
            for topic in range(n_topics):
                gradient[topic] -= step * gram[mover, topic]


@compiled(void(int64, int64, FLOAT_ROWS, float32, float32[::1]))
def mass_thresholds(start, stop, atom_words, top_p, thresholds):
    """Find for each atom the probability above which lies `top_p` of the mass."""
    n_words = atom_words.shape[1]
    for atom in range(start, stop):
        row = atom_words[atom]
        largest = np.float32(0)
        total = 0.0
        for word in range(n_words):
            largest = max(largest, row[word])
            total += row[word]
        low, high = 0.0, float(largest)
        for _ in range(24):  # float32 has 24 bits of mantissa
            middle = (low + high) / 2
            above = 0.0
            for word in range(n_words):
                if row[word] >= middle:
                    above += row[word]
            if above >= top_p * total:
                low = middle
            else:
                high = middle
        thresholds[atom] = low


@compiled(void(int64, int64, FLOAT_ROWS, DOUBLES, float64[:, ::1]), fastmath=True)
def fill_distances(start, stop, points, weights, distances):
    """Fill `distances` (n, n) for the points [start, stop) and those before them, symmetrically.

    Squared Ward distances ``2 w_a w_b / (w_a + w_b) |x_a - x_b|²``, from differences: a difference
    of products would round equal points to distances other than 0.
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
    """Join all points by the nearest-neighbour chain; `distances` (n, n) is overwritten.

    Takes squared Ward distances, symmetric, and the points' weights. Returns (n - 1, 3): a point
    of either cluster and the squared distance of each join, in the order of the chain.
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
    # Not np.arange: numba's calls math.ceil, which nnsight replaces by a function of its own.
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
