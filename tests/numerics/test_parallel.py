"""Ranges are worked on by all cores, and come back in order."""

import pytest

from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges


def test_results_come_in_the_order_of_the_ranges():
    ranges = [(first, first + 3) for first in range(0, 300, 3)]
    found = map_ranges(lambda i, first, last: (i, first, last), ranges)
    assert found == [(i, *bounds) for i, bounds in enumerate(ranges)]
    assert map_ranges(lambda i, first, last: i, []) == []


def test_what_a_range_raises_reaches_the_caller():
    def task(i, first, last):
        if i == 7:
            raise ValueError(f"range {i}")

    with pytest.raises(ValueError, match="range 7"):
        map_ranges(task, [(i, i + 1) for i in range(20)])


def test_ranges_are_of_about_equal_cost():
    ranges = balanced_ranges([100, 1, 1, 1, 1, 96], 2)
    assert ranges == [(0, 1), (1, 6)]
