"""Map documents to two dimensions, so that similar embeddings are near each other."""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.validation import check_choice, check_embeddings

_NEIGHBOURS = 15
_DIMENSIONS = 50  # kept to find neighbours; the others are noise
_MOST_FOR_TSNE = 4000  # up to here faster than UMAP, which first compiles for ten seconds
_TSNE = {"init": "pca", "max_iter": 500, "angle": 0.8}  # half the time of the library's own


def map_documents(vectors: Any, *, method: str = "auto", random_state: int = 0) -> np.ndarray:
    """Lay documents out in two dimensions.

    Parameters
    ----------
    vectors : ndarray of shape (n, d)
        Embeddings of documents; scaled to unit length.
    method : {"auto", "umap", "tsne", "pca"}, default="auto"
        "auto" is t-SNE up to 4,000 documents; above, UMAP where it is installed (it comes with
        BERTopic), else PCA.
    random_state : int, default=0

    Returns
    -------
    ndarray of shape (n, 2), float32
        Scaled to 0 … 1.
    """
    check_choice(method, "method", ("auto", "umap", "tsne", "pca"))
    points = unit_rows(check_embeddings(vectors, name="vectors"))
    n_documents, width = points.shape
    kept = min(_DIMENSIONS, width, n_documents)
    if (points == points[0]).all():
        return np.full((n_documents, 2), 0.5, dtype=np.float32)
    points = PCA(kept, random_state=random_state).fit_transform(points) if kept > 1 else points
    if method == "auto":
        many = "umap" if find_spec("umap") is not None else "pca"
        method = "tsne" if n_documents <= _MOST_FOR_TSNE else many
    if n_documents < 2 * _NEIGHBOURS or kept < 3:
        method = "pca"
    if method == "umap":
        laid = _umap(points, random_state)
    elif method == "tsne":
        laid = TSNE(2, random_state=random_state, **_TSNE).fit_transform(points)
    else:
        laid = np.zeros((n_documents, 2), dtype=np.float32)
        laid[:, : min(2, points.shape[1])] = points[:, :2]
    low, high = np.percentile(laid, [0.2, 99.8], axis=0)  # a few far away must not shrink the rest
    return np.clip((laid - low) / np.maximum(high - low, 1e-9), 0, 1).astype(np.float32)


def _umap(points: np.ndarray, random_state: int) -> np.ndarray:
    import umap

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_jobs value")
        warnings.filterwarnings("ignore", message="Spectral initialisation")
        reducer = umap.UMAP(
            n_neighbors=_NEIGHBOURS,
            min_dist=0.05,
            metric="euclidean",
            init="pca",
            random_state=random_state,
        )
        return reducer.fit_transform(points)
