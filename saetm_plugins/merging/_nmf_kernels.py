"""Numba kernels of the sparse NMF; apart, so that importing the package does not import numba."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def gram_rows(start, stop, factor):
    """Return ``factor.T @ factor`` (T, T) of rows `start` to `stop`, skipping the many zeros."""
    n_topics = factor.shape[1]
    gram = np.zeros((n_topics, n_topics), dtype=np.float32)
    places = np.empty(n_topics, dtype=np.int32)
    for row in range(start, stop):
        weights = factor[row]
        n_places = 0
        for topic in range(n_topics):
            if weights[topic] > 0:
                places[n_places] = topic
                n_places += 1
        for first in range(n_places):
            weight = weights[places[first]]
            target = gram[places[first]]
            for second in range(n_places):
                target[places[second]] += weight * weights[places[second]]
    return gram


@njit(cache=True, nogil=True, fastmath=True)
def update_rows(start, stop, indptr, indices, data, other, gram, factor):
    """One pass of coordinate descent over rows `start` to `stop` of ``factor`` (n, T).

    Minimises ``|X - factor @ other.T|²`` over non-negative rows, each on its own, with X (n, m) in
    CSR and ``gram = other.T @ other``. A coordinate whose correlation with the data is not positive
    stays zero at the optimum (the Gram matrix is non-negative), so only the few others are visited:
    what makes this fast on sparse data. The gradient is kept for all, in runs that vectorise.

    Returns
    -------
    ndarray of shape (T, T), float32
        ``factor.T @ factor`` of the new rows: the next pass needs it.
    """
    n_topics = gram.shape[0]
    gradient = np.empty(n_topics, dtype=np.float32)
    candidates = np.empty(n_topics, dtype=np.int32)
    own_gram = np.zeros((n_topics, n_topics), dtype=np.float32)
    for row in range(start, stop):
        gradient[:] = 0
        for entry in range(indptr[row], indptr[row + 1]):
            value = data[entry]
            column = np.uint64(indices[entry])
            for topic in range(n_topics):
                gradient[topic] += value * other[column, topic]
        weights = factor[row]
        n_candidates = 0
        for topic in range(n_topics):
            if gradient[topic] > 0 and gram[topic, topic] > 0:
                candidates[n_candidates] = topic
                n_candidates += 1
            else:
                weights[topic] = 0
        for place in range(n_candidates):
            weight = weights[candidates[place]]
            if weight > 0:
                source = gram[candidates[place]]
                for topic in range(n_topics):
                    gradient[topic] -= weight * source[topic]
        n_kept = 0
        for place in range(n_candidates):
            topic = candidates[place]
            old = weights[topic]
            if old > 0 or gradient[topic] > 0:
                new = max(old + gradient[topic] / gram[topic, topic], np.float32(0))
                weights[topic] = new
                source = gram[topic]
                step = new - old
                for second in range(n_topics):
                    gradient[second] -= step * source[second]
                if new > 0:
                    candidates[n_kept] = topic
                    n_kept += 1
        _add_outer(own_gram, weights, candidates[:n_kept])
    return own_gram


@njit(cache=True, nogil=True)
def _add_outer(gram, weights, places):
    """Add the outer product of a row with itself, of its few `places` that are not zero."""
    for first in places:
        target = gram[first]
        for second in places:
            target[second] += weights[first] * weights[second]


@njit(cache=True, nogil=True, fastmath=True)
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
