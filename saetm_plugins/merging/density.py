"""Stage 3, "hdbscan": topics are dense regions of atoms, as in BERTopic (not in the paper)."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA

from saetm_plugins.merging.base import Merge, TopicCut, hard_cut
from saetm_plugins.merging.ward import WardTree
from saetm_plugins.numerics.arrays import unit_rows

_N_COMPONENTS = 10  # of the PCA


class HDBSCANMerge(Merge):
    """HDBSCAN on the atom vectors, reduced by PCA.

    ``n_topics="auto"`` takes the clusters that HDBSCAN finds. A smaller count joins them further
    by a Ward tree weighted by prevalence; a larger one is an error that names the count found.

    A topic has at least 5 atoms, or one in 256 if that is more; outliers join the nearest topic.
    """

    def _prepare(self) -> None:
        self._points = unit_rows(self.views_.vectors[self.live_])
        self._weights = np.asarray(self.views_.prevalence, dtype=np.float64)[self.live_]
        self.labels_ = self._find()
        self.n_found_ = int(self.labels_.max()) + 1
        member = self.labels_ >= 0
        labels, weights = self.labels_[member], self._weights[member]
        centres = np.zeros((self.n_found_, self._points.shape[1]))
        np.add.at(centres, labels, self._points[member] * weights[:, None])
        self._centres = unit_rows(centres)
        self._tree = WardTree(self._centres, np.bincount(labels, weights=weights))

    def _find(self) -> np.ndarray:
        """Return the region (n_live,) of every live atom, -1 for outliers."""
        smallest = max(5, len(self.live_) // 256)
        if len(self.live_) < max(smallest, 2):
            return np.zeros(len(self.live_), dtype=np.int64)
        try:
            from hdbscan import HDBSCAN
        except ImportError as error:
            raise ImportError('the merge "hdbscan" needs: pip install hdbscan') from error
        n_components = min(_N_COMPONENTS, *self._points.shape)
        reduced = PCA(n_components, random_state=self.random_state).fit_transform(self._points)
        solver = HDBSCAN(
            min_cluster_size=smallest,
            # Without it, many corpora give two topics, one of them with nearly all atoms.
            max_cluster_size=max(len(self.live_) // 4, 2 * smallest),
            min_samples=1,
            core_dist_n_jobs=1,
            approx_min_span_tree=False,
        )
        labels = solver.fit_predict(reduced.astype(np.float64))
        return labels if labels.max() >= 0 else np.zeros_like(labels)

    def _auto_count(self) -> int:
        return self.n_found_

    def _cut(self, n_topics: int) -> TopicCut:
        if n_topics > self.n_found_:
            raise ValueError(
                f"n_topics={n_topics} is more than the {self.n_found_} topics that HDBSCAN found; "
                "use another merge"
            )
        labels = self.labels_.copy()
        lost = labels < 0
        labels[lost] = np.argmax(self._points[lost] @ self._centres.T, axis=1)
        return hard_cut(self._tree.labels(n_topics)[labels], self.live_, self.views_.prevalence)
