"""Stage 3, "kmeans": the paper's merge (arXiv 2511.16309, section 4), of the live atoms."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from sklearn.cluster import KMeans

from saetm_plugins.merging.base import TopicCut, hard_cut
from saetm_plugins.merging.ward import WardMerge
from saetm_plugins.numerics.arrays import unit_rows


class KMeansMerge(WardMerge):
    """K-means on the unit-scaled atom vectors, weighted by prevalence, started from a Ward cut.

    ``n_topics="auto"`` takes the knee of the tree's inertia curve (:meth:`WardTree.knee`). Above
    `MAX_TREE` atoms there is no tree: k-means++ starts, and "auto" is refused.
    """

    MAX_TREE: ClassVar[int] = 16_384
    MAX_ITER: ClassVar[int] = 6
    """Passes of Lloyd's algorithm from a Ward cut; more change next to nothing."""

    def _prepare(self) -> None:
        if len(self.live_) <= self.MAX_TREE:
            super()._prepare()
        self._points = unit_rows(self.views_.vectors[self.live_])
        self._weights = np.asarray(self.views_.prevalence, dtype=np.float64)[self.live_]

    def _auto_count(self) -> int:
        if len(self.live_) > self.MAX_TREE:
            raise ValueError(
                f'n_topics="auto" needs at most {self.MAX_TREE} live atoms; there are '
                f"{len(self.live_)}: give a number"
            )
        return super()._auto_count()

    def _cut(self, n_topics: int) -> TopicCut:
        options: dict[str, Any] = {}
        if start_from_tree := len(self.live_) <= self.MAX_TREE:
            start = self.tree_.labels(n_topics)
            mass = np.bincount(start, weights=self._weights)
            centres = np.zeros((n_topics, self._points.shape[1]), dtype=np.float64)
            np.add.at(centres, start, self._points * self._weights[:, None])
            options["init"] = (centres / mass[:, None]).astype(np.float32)
            options["max_iter"] = self.MAX_ITER
        solver = KMeans(n_topics, n_init=1, random_state=self.random_state, **options)
        labels = solver.fit(self._points, sample_weight=self._weights).labels_
        found, renumbered = np.unique(labels, return_inverse=True)
        if start_from_tree and len(found) < n_topics:  # atoms coincide: some topic is empty
            renumbered = start
        return hard_cut(renumbered, self.live_, self.views_.prevalence)
