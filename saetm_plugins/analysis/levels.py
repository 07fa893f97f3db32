"""Nested levels of topics: the topics of one cut, joined upwards until a few are left.

Stage 3 gives flat cuts; the paper (arXiv 2511.16309) names the missing hierarchy as a limit. Here
the finest level is a cut like any other, and each coarser one joins topics of the level below, so
every topic has one parent and shares add up exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins import edits
from saetm_plugins import topics as cuts
from saetm_plugins.analysis.fitted import as_topic_model
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.topics import Topics, check_topics
from saetm_plugins.validation import as_list, check_count

_SMALLEST_LEVEL = 4  # by default: fewer topics than these are no overview
_STEP = 4  # children of a topic by default, on average


@dataclass(frozen=True)
class TopicLevels:
    """Topics of several levels, the coarsest first.

    Attributes
    ----------
    topics : tuple of Topics, length L
        Each level's topics are numbered by their share, the largest first; the finest one's as
        their cut numbers them.
    parents : tuple of ndarray of int, length L - 1
        ``parents[i][t]`` is the topic of level i that topic t of level i + 1 is part of.
    """

    topics: tuple[Topics, ...]
    parents: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.topics)

    def ancestors(self, level: int) -> np.ndarray:
        """Return the topic of `level` that each topic of the finest level is part of, (T,) int."""
        found = np.arange(len(self.topics[-1]))
        for parent in reversed(self.parents[level:]):
            found = parent[found]
        return found


def topic_levels(model: Any, levels: Sequence[int] | None = None) -> TopicLevels:
    """Join topics upwards into nested levels.

    The finest level is the model's own cut where that has as many topics, with its edits and
    labels; else another cut of the same atoms. Nothing is trained, the model is not changed.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    levels : sequence of int, optional
        Numbers of topics, each at least double the one before, so that every topic can have two
        children. None: the model's cut, and above it a quarter as many topics at a time.
    """
    model = as_topic_model(model)
    counts = _check_levels(model, levels)
    finest = model.topics_
    if counts[-1] != len(finest):
        finest = cuts.cut(model.atoms_, counts[-1], model.merge, deleted=finest.deleted)
    joins = join_topics_upwards(topic_similarity(model, finest), counts)
    topics, parents = [finest], []
    groups = np.arange(len(finest))  # of the finest topics, at the level above
    for count in reversed(counts[:-1]):
        above = _number_by_share(_groups_of(joins, len(finest), count), finest.prevalence)
        parent = np.empty(int(groups.max()) + 1, dtype=np.int64)
        parent[groups] = above
        parents.append(parent)
        joined = finest.with_labels([None] * len(finest))
        topics.append(edits.join_topics(model.atoms_, joined, above))
        groups = above
    return TopicLevels(tuple(reversed(topics)), tuple(reversed(parents)))


def default_levels(n_topics: int) -> list[int]:
    """Return `n_topics` and the counts above it, a quarter at a time: 200 gives 12, 50, 200."""
    counts = [n_topics]
    while counts[0] // _STEP >= _SMALLEST_LEVEL:
        counts.insert(0, counts[0] // _STEP)
    return counts


def topic_linkage(model: Any, topics: Sequence[int] | None = None) -> np.ndarray:
    """Return the binary tree of the joins of :func:`topic_levels` with its default levels.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    topics : sequence of int, optional
        Only these, which are then 0, 1, … in the tree; None means all.

    Returns
    -------
    ndarray of shape (n_topics - 1, 4), float64
        SciPy's linkage: the two clusters joined, their dissimilarity (never less than that of a
        join before), the number of topics.
    """
    model = as_topic_model(model)
    chosen = np.arange(model.n_topics_)
    if topics is not None:
        chosen = np.array(check_topics(topics, model.topics_, "topics"), dtype=np.int64)
    similarity = topic_similarity(model, model.topics_)[np.ix_(chosen, chosen)]
    n_topics = len(chosen)
    joins = join_topics_upwards(similarity, default_levels(n_topics))
    node, size = np.arange(n_topics), np.ones(n_topics)
    linkage = np.empty((len(joins), 4))
    for step, (kept, gone) in enumerate(joins[:, :2].astype(np.int64)):
        size[kept] += size[gone]
        linkage[step] = *sorted((node[kept], node[gone])), 1 - joins[step, 2], size[kept]
        node[kept] = n_topics + step
    linkage[:, 2] = np.maximum.accumulate(np.maximum(linkage[:, 2], 0))
    return linkage


def topic_similarity(model: Any, topics: Topics) -> np.ndarray:
    """Return the cosines (T, T) of the mean embeddings of the topics of a cut, less the corpus'."""
    atoms = model.atoms_
    mass = sp.csr_matrix(topics.atom_topics.T.multiply(atoms.prevalence))
    total = np.maximum(np.asarray(mass.sum(axis=1)), np.finfo(np.float32).tiny)
    mean = atoms.sums.embedding / max(atoms.sums.n_embedded, 1)
    centroids = unit_rows(mass @ atoms.centroids / total - mean)
    return centroids @ centroids.T


def join_topics_upwards(similarity: np.ndarray, counts: Sequence[int] = ()) -> np.ndarray:
    """Join the most similar two clusters of T topics until one is left (average linkage).

    Between two of the levels, whose sizes are `counts`, every cluster of the finer one is joined,
    so that all parents have at least two children. A row (T - 1, 3) is a topic of either cluster
    (its smallest number), and their mean similarity.
    """
    similarity = np.array(similarity, dtype=np.float64)
    np.fill_diagonal(similarity, -np.inf)
    n_topics = len(similarity)
    size = np.ones(n_topics)
    alone = np.ones(n_topics, dtype=bool)
    joins = np.empty((max(n_topics - 1, 0), 3))
    for step, left in enumerate(range(n_topics, 1, -1)):
        if left in counts:
            alone = size > 0
        target = max((count for count in counts if count < left), default=1)
        allowed = _leave_none_alone(similarity, alone, left - target)
        kept, gone = sorted(np.unravel_index(np.argmax(allowed), allowed.shape))
        joins[step] = kept, gone, similarity[kept, gone]
        pair = [kept, gone]
        joined = size[pair] @ similarity[pair] / size[pair].sum()
        similarity[kept] = similarity[:, kept] = joined
        similarity[gone] = similarity[:, gone] = -np.inf
        size[kept], size[gone] = size[pair].sum(), 0
        alone[pair] = False
    return joins


def _groups_of(joins: np.ndarray, n_topics: int, n_groups: int) -> np.ndarray:
    """Return the cluster of each topic, named by its smallest one, after joining to `n_groups`."""
    groups = np.arange(n_topics)
    for kept, gone in joins[: n_topics - n_groups, :2].astype(np.int64):
        groups[groups == gone] = kept
    return groups


def _leave_none_alone(similarity: np.ndarray, alone: np.ndarray, n_joins: int) -> np.ndarray:
    """Allow the joins after which `n_joins` - 1 suffice to join all topics that are alone.

    Two topics that are alone need one join, and so does a last one.
    """
    helped = alone[:, None].astype(np.int64) + alone
    suffice = n_joins - 1 >= (alone.sum() - helped + 1) // 2
    return np.where(suffice, similarity, -np.inf)


def _number_by_share(groups: np.ndarray, prevalence: np.ndarray) -> np.ndarray:
    """Number groups of topics by their share, the largest 0."""
    groups = np.unique(groups, return_inverse=True)[1]
    order = np.argsort(-np.bincount(groups, weights=prevalence), kind="stable")
    return np.argsort(order)[groups]


def _check_levels(model: Any, levels: Any) -> list[int]:
    if levels is None:
        return default_levels(model.n_topics_)
    counts = [check_count(n, "levels") for n in as_list(levels, "levels", "numbers of topics")]
    if not counts:
        raise ValueError("levels is empty; give numbers of topics, such as [8, 40, 200]")
    for above, below in pairwise(counts):
        if below < 2 * above:
            raise ValueError(
                "levels must rise, each at least double the one before, so that every topic has "
                f"two children; found {above} before {below}"
            )
    n_live = int((model.atom_prevalence_ > 0).sum())
    if counts[-1] > n_live and counts[-1] != model.n_topics_:
        raise ValueError(f"levels ask for {counts[-1]} topics; there are {n_live} live atoms")
    return counts
