"""Choosing entries of rows, against NumPy on dense rows."""

import numpy as np
import pytest

from saetm_plugins.numerics.pairs import (
    entries_of,
    keep_entries,
    largest_entries,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def mask(rng):
    mask = rng.random((40, 25)) < 0.3
    mask[[0, 17, 39]] = False  # rows without an entry
    return mask


def test_entries_are_those_of_the_mask(mask):
    indptr, indices = entries_of(mask)
    again = np.zeros_like(mask)
    again[np.repeat(np.arange(len(mask)), np.diff(indptr)), indices] = True
    np.testing.assert_array_equal(again, mask)


@pytest.mark.parametrize("limit", [1, 3, 25])
@pytest.mark.parametrize("cut", [-np.inf, 2, np.inf])
def test_the_largest_of_a_row_are_kept_and_of_equal_ones_the_first(mask, rng, cut, limit):
    indptr, indices = entries_of(mask)
    values = rng.integers(0, 5, len(indices)).astype(np.float32)  # many ties
    kept = largest_entries(indptr, values, cut, limit)
    for row in range(len(mask)):
        found = values[indptr[row] : indptr[row + 1]]
        best = np.argsort(-found, kind="stable")[:limit]
        expected = [place for place in best if found[place] >= min(cut, found.max())]
        assert sorted(expected) == np.flatnonzero(kept[indptr[row] : indptr[row + 1]]).tolist()
    kept_ptr, kept_indices = keep_entries(indptr, kept, indices)
    assert len(kept_indices) == kept_ptr[-1] == kept.sum()
