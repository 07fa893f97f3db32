"""Trees of topics by functions of the caller, which BERTopic's hierarchy takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.cluster.hierarchy import is_valid_linkage, linkage
from scipy.spatial.distance import squareform
from sklearn.metrics.pairwise import cosine_similarity

from saetm_plugins.bertopic.checks import call_function


def link(topics: Any, linkage_function: Any, distance_function: Any) -> np.ndarray:
    """Return the tree that BERTopic makes of topics.

    Parameters
    ----------
    topics : array or csr_matrix of shape (T, d)
        Embeddings of topics, or their c-TF-IDF.
    linkage_function, distance_function : callable, optional
        As in BERTopic.

    Returns
    -------
    ndarray of shape (T - 1, 4)
        As of SciPy's ``linkage``.

    Raises
    ------
    ValueError
        When a function raises, or what it returns is none.
    """
    return measured_linkage(linkage_function)(measured_distances(distance_function)(topics))


def measured_distances(distance_function: Any) -> Callable[[Any], np.ndarray]:
    """Return a function of condensed distances: equal both ways and not negative.

    A product of float32 tables is symmetric up to rounding, and SciPy refuses it for that.
    """
    name = "distance_function"

    def measure(topics: Any) -> np.ndarray:
        n = topics.shape[0]
        n_pairs = n * (n - 1) // 2
        found = call_function(distance_function or _cosine_distances, topics, name)
        if found.shape == (n, n) and np.allclose(found, found.T, atol=1e-5):
            found = squareform((found + found.T) / 2, checks=False)
        elif found.shape != (n_pairs,):
            raise ValueError(
                f"{name} must return {n} × {n} distances, equal both ways, or the {n_pairs} above "
                f"the diagonal; found shape {found.shape}"
            )
        if (found < -1e-5).any():
            raise ValueError(f"{name} must return distances of at least 0; found {found.min():.3g}")
        return np.maximum(found, 0)

    return measure


def measured_linkage(linkage_function: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return a function of condensed distances that gives a tree as SciPy's ``linkage`` does."""
    name = "linkage_function"

    def merge(distances: np.ndarray) -> np.ndarray:
        if linkage_function is None:
            return linkage(distances, "ward", optimal_ordering=True)
        tree = call_function(linkage_function, distances, name)
        n = round((1 + (1 + 8 * len(distances)) ** 0.5) / 2)
        if not is_valid_linkage(tree) or len(tree) != n - 1:
            raise ValueError(
                f"{name} must return what scipy.cluster.hierarchy.linkage does, {n - 1} merges of "
                f"{n} topics; found shape {tree.shape}"
            )
        return tree

    return merge


def _cosine_distances(topics: Any) -> np.ndarray:
    return 1 - cosine_similarity(topics)
