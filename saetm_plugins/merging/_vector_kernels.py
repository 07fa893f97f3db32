"""Numba kernel of atom vectors; apart, so that importing does not import numba."""

from __future__ import annotations

import numpy as np
from numba import float32, int64, void

from saetm_plugins.numerics.compiling import FLOAT_ROWS, compiled


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
