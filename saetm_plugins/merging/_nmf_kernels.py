"""Numba kernels of the sparse NMF; apart, so that importing the package does not import numba."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
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


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def focus_rows(start, stop, topic_words, vectors, known, power):
    """Weight the words of topics `start` to `stop` by their nearness to the topic's mean vector.

    ``topic_words`` (T, V) is overwritten, rows sum to 1 again; ``vectors`` (V, d) of unit length.
    A word that is not ``known`` is taken to be as near as the topic's words are on average.
    """
    n_words, width = vectors.shape
    centre = np.empty(width, dtype=np.float32)
    for topic in range(start, stop):
        words = topic_words[topic]
        centre[:] = 0
        for word in range(n_words):
            if words[word] > 0 and known[word]:
                for axis in range(width):
                    centre[axis] += words[word] * vectors[word, axis]
        centre /= max(np.sqrt(np.sum(centre * centre)), np.float32(1e-12))
        mass, focused = np.float32(0), np.float32(0)
        for word in range(n_words):
            if words[word] > 0 and known[word]:
                near = np.float32(0)
                for axis in range(width):
                    near += centre[axis] * vectors[word, axis]
                mass += words[word]
                words[word] *= max(near, np.float32(1e-3)) ** power
                focused += words[word]
        average = focused / mass if mass > 0 else np.float32(1)
        total = np.float32(0)
        for word in range(n_words):
            if not known[word]:
                words[word] *= average
            total += words[word]
        words /= total
