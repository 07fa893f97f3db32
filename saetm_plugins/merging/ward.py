"""Stage 3, "ward": a prevalence-weighted dendrogram of the atoms, computed once (not in the paper).

Cuts of one tree are nested. Murtagh & Legendre (2014) for Ward's criterion, Müllner (2011) for the
nearest-neighbour chain.
"""

from __future__ import annotations

import math

import numpy as np

from saetm_plugins.merging.base import Merge, TopicCut, hard_cut
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.parallel import even_ranges, map_ranges
from saetm_plugins.validation import check_dense_size

_ROWS = 16  # points at a time: they stay in the first cache level
_COUNTS = 4  # the knee is sought up to this times the square root of the points


class WardTree:
    """Weighted Ward dendrogram of `n` points, ready to be cut.

    Parameters
    ----------
    points : ndarray of shape (n, d)
    weights : ndarray of shape (n,)
        Positive; scaled to mean 1, so that equal weights give SciPy's Ward linkage.

    Attributes
    ----------
    linkage : ndarray of shape (n - 1, 4), float64
        SciPy's format (`scipy.cluster.hierarchy`): the two clusters joined, the Ward distance,
        the number of points; rows in order of rising distance.
    """

    def __init__(self, points: np.ndarray, weights: np.ndarray):
        from saetm_plugins.merging.kernels import join_chain, label_joins

        points = np.ascontiguousarray(points, dtype=np.float32)
        weights = np.asarray(weights, dtype=np.float64) / np.mean(weights)
        joins = join_chain(_ward_distances(points, weights), weights)
        joins = joins[np.argsort(joins[:, 2], kind="stable")]
        self.linkage = label_joins(joins)
        self.linkage[:, 2] = np.sqrt(self.linkage[:, 2])
        self._order, self._gap_joins = _leaf_gaps(self.linkage)

    @property
    def n_points(self) -> int:
        """Number of leaves."""
        return len(self._order)

    def labels(self, n_clusters: int) -> np.ndarray:
        """Return the cluster (n,) of every point in the cut with `n_clusters` clusters."""
        # Each join of the tree is one gap between neighbouring leaves; a cut is the gaps whose
        # joins come later.
        first_open = self.n_points - n_clusters
        labels = np.empty(self.n_points, dtype=np.int32)
        labels[self._order[0]] = 0
        labels[self._order[1:]] = np.cumsum(self._gap_joins >= first_open)
        return labels

    def knee(self) -> int:
        """Return the count at the knee of the inertia curve, farthest below its chord.

        The within-cluster inertia of every count follows from the heights of the tree. The curve
        runs from one cluster to four times the square root of the points; the knee is where it
        lies farthest below the straight line between its ends (Satopää et al. 2011, "Kneedle",
        without smoothing), mostly at 10 to 60.
        """
        n_counts = min(self.n_points, math.ceil(_COUNTS * math.sqrt(self.n_points)))
        if n_counts < 3:
            return n_counts
        inertia = np.concatenate(([0.0], np.cumsum(self.linkage[:, 2] ** 2)))[::-1][:n_counts]
        if inertia[0] <= 0:
            return 1
        chord = np.linspace(inertia[0], inertia[-1], n_counts)
        return int(np.argmax(chord - inertia)) + 1


class WardMerge(Merge):
    """Cut a weighted Ward dendrogram of the unit-scaled atom vectors.

    ``n_topics="auto"`` takes the knee of the tree's inertia curve (:meth:`WardTree.knee`).

    Attributes
    ----------
    tree_ : WardTree
        Over the live atoms, in the order of ``live_``.
    """

    def _prepare(self) -> None:
        prevalence = np.asarray(self.views_.prevalence)
        self.tree_ = WardTree(unit_rows(self.views_.vectors[self.live_]), prevalence[self.live_])

    @property
    def linkage_(self) -> np.ndarray:
        """The dendrogram of the live atoms in SciPy's linkage format."""
        return self.tree_.linkage

    def _auto_count(self) -> int:
        return self.tree_.knee()

    def _cut(self, n_topics: int) -> TopicCut:
        return hard_cut(self.tree_.labels(n_topics), self.live_, self.views_.prevalence)


def _ward_distances(points: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the (n, n) squared Ward distances, exactly symmetric; see `kernels.fill_distances`."""
    from saetm_plugins.merging.kernels import fill_distances

    n_points = len(points)
    check_dense_size((n_points, n_points), "Ward's distances", 'merge="kmeans"', bytes_each=8)
    distances = np.empty((n_points, n_points), dtype=np.float64)
    map_ranges(
        lambda _, first, last: fill_distances(first, last, points, weights, distances),
        even_ranges(n_points, _ROWS),
    )
    return distances


def _leaf_gaps(linkage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the leaves in tree order, and the row of the join at each gap between neighbours."""
    n_points = len(linkage) + 1
    order: list[int] = []
    gaps: list[int] = []
    stack = [(2 * n_points - 2, -1)]  # a node, and the join between it and the leaves before it
    while stack:
        node, gap = stack.pop()
        if node < n_points:
            if order:
                gaps.append(gap)
            order.append(node)
            continue
        row = node - n_points
        left, right = int(linkage[row, 0]), int(linkage[row, 1])
        stack.append((right, row))
        stack.append((left, gap))
    return np.asarray(order), np.asarray(gaps, dtype=np.int64)
