"""The Ward tree where points nearly coincide, and where distances are damaged."""

import numpy as np
import pytest
from scipy.spatial.distance import pdist, squareform

from saetm_plugins.merging.kernels import join_chain, label_joins
from saetm_plugins.merging.ward import WardTree
from saetm_plugins.numerics.arrays import unit_rows


def draw_points(seed, most=900):
    """Draw points many of which coincide, up to a rounding or a little more."""
    rng = np.random.default_rng(seed)
    n, d = int(rng.integers(most // 4, most)), int(rng.choice([3, 32, 384]))
    n_distinct = max(2, int(n * rng.choice([0.02, 0.1, 0.5, 1])))
    distinct = rng.normal(size=(n_distinct, d)).astype(np.float32)
    noise = rng.normal(size=(n, d)) * rng.choice([0, 1e-7, 1e-6, 1e-5])
    return unit_rows(distinct[rng.integers(0, n_distinct, n)] + noise.astype(np.float32))


def assert_greedy(tree, points):
    """Every join is of two clusters that are nearest by Ward's distance when it happens."""
    squares = squareform(pdist(points.astype(np.float64), "sqeuclidean"))
    np.fill_diagonal(squares, np.inf)
    n = len(points)
    sizes, node = np.ones(n), np.arange(2 * n - 1)
    for row, (left, right, height, _) in enumerate(tree):
        a, b = node[int(left)], node[int(right)]
        least = squares.min()
        assert height**2 <= least * (1 + 1e-6) + 1e-20
        assert np.isclose(squares[a, b], height**2, rtol=1e-6, atol=1e-20)
        total = sizes + sizes[a] + sizes[b]
        joined = (sizes + sizes[a]) * squares[a] + (sizes + sizes[b]) * squares[b]
        joined = (joined - sizes * height**2) / total
        joined[[a, b]] = np.inf
        squares[a] = squares[:, a] = joined
        squares[b] = squares[:, b] = np.inf
        sizes[a] += sizes[b]
        node[n + row] = a


@pytest.mark.parametrize("seed", range(0, 24, 3))
def test_points_that_nearly_coincide_are_joined_in_order_of_distance(seed):
    points = draw_points(seed, most=120)
    assert_greedy(WardTree(points, np.ones(len(points))).linkage, points)


def circle(n):
    """Distances by which each of three points is nearest to the next, round and round."""
    distances = np.full((n, n), 9.0)
    distances[[0, 1, 2], [1, 2, 0]] = [3.0, 2.0, 1.0]
    return distances


DAMAGED = {
    "asymmetric": circle(3),
    "asymmetric in a crowd": circle(40),
    "NaN": np.full((5, 5), np.nan),
    "infinity": np.full((5, 5), np.inf),
    "half of it NaN": np.where(np.arange(6) < 3, np.nan, 1.0) * np.ones((6, 1)),
    "not square": np.ones((5, 4)),
    "empty": np.ones((0, 0)),
}


@pytest.mark.parametrize("damage", DAMAGED)
def test_chain_stays_in_its_array_whatever_the_distances(damage):
    distances = DAMAGED[damage].copy()
    with pytest.raises(ValueError, match="Ward's distances must be"):
        join_chain(distances, np.ones(len(distances)))


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        WardTree(np.array([[0.0], [np.nan], [1.0]]), np.ones(3))


@pytest.mark.parametrize("point", [-1.0, 3.0, np.nan, 1e300])
def test_joins_of_unknown_points_are_refused(point):
    with pytest.raises(ValueError, match="of two of the points"):
        label_joins(np.array([[0.0, 1.0, 0.1], [0.0, point, 0.2]]))
