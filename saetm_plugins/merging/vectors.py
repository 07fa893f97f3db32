"""Stage 3, atom vectors: the paper's word-vector means T_k (arXiv 2511.16309, section 4)."""

from __future__ import annotations

import numpy as np

from saetm_plugins.numerics.parallel import map_rows

_TOP_P = np.float32(0.9)  # of each atom's mass, most probable words first, counts
_ROWS = 512  # atoms at a time, whose words are copied


def atom_word_vectors(atom_words: np.ndarray, word_vectors: np.ndarray) -> np.ndarray:
    """Return the paper's T_k, (K, d) float32: the mean vector of each atom's most probable words.

    Takes P(word | atom), (K, V), whose rows sum to 1, and vectors of words (V, d).
    """
    from saetm_plugins.merging.kernels import mass_thresholds  # late: numba takes its time

    word_vectors = np.asarray(word_vectors, dtype=np.float32)
    vectors = np.empty((len(atom_words), word_vectors.shape[1]), dtype=np.float32)
    for first in range(0, len(atom_words), _ROWS):
        rows = np.array(atom_words[first : first + _ROWS], dtype=np.float32, order="C")
        thresholds = np.empty(len(rows), dtype=np.float32)
        even = np.arange(len(rows) + 1) * rows.shape[1]
        map_rows(mass_thresholds, even, rows, _TOP_P, thresholds)
        rows[rows < thresholds[:, None]] = 0
        rows /= np.maximum(rows.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        vectors[first : first + _ROWS] = rows @ word_vectors
    return vectors
