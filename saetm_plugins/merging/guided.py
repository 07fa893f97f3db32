"""Stage 3, guided topics: some topics have given labels, the others merge freely.

Not in the paper (arXiv 2511.16309). Unbalanced optimal transport (Chizat et al. 2018; the POT
library) shares out atoms among the labels and a pool of free atoms: all the mass of an atom goes
somewhere, preferably to near labels, and a label pays for more or less than an average topic's
mass. Any merge then merges the pool.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.merging.base import AtomViews, Merge, TopicCut
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.validation import check_count, check_embeddings

_REACH = 0.5  # a label takes atoms nearer than this share of the nearness of its nearest atom
_ENTROPY = 0.02  # of the transport plan; more: atoms are shared among more labels
_ELASTICITY = 0.1  # the price of a label's distance from an average topic's mass


def guided_cut(
    merge: Merge,
    views: AtomViews,
    label_vectors: np.ndarray,
    n_topics: int,
    *,
    vectors: np.ndarray | None = None,
    label_words: Sequence[Sequence[int]] | None = None,
) -> TopicCut:
    """Cut into topics of which the first are about the given labels.

    Parameters
    ----------
    merge : Merge
        Refitted to the atoms that no label takes.
    views : AtomViews
    label_vectors : ndarray of shape (L, d)
        The embedding of each label's phrase or words.
    n_topics : int
        All topics, labelled and free; at least L.
    vectors : ndarray of shape (K, d), optional
        Atoms in the space of `label_vectors`, such as centroids of documents; None means
        ``views.vectors``.
    label_words : L sequences of int, optional
        Columns of `views.keywords` given as a label's words. They draw atoms, and come first among
        the topic's words.

    Returns
    -------
    TopicCut
        Topics 0 to L - 1 are those of the labels, in their order; then the free ones.
    """
    vectors = views.vectors if vectors is None else vectors
    label_vectors = check_embeddings(label_vectors, name="label_vectors", width=vectors.shape[1])
    n_labels = len(label_vectors)
    n_topics = check_count(n_topics, "n_topics")
    prevalence = np.asarray(views.prevalence, dtype=np.float64)
    live = np.flatnonzero(prevalence > 0)
    if n_topics < n_labels:
        raise ValueError(f"n_topics={n_topics} is less than the {n_labels} labels of seed_topics")
    if n_topics > len(live):
        raise ValueError(f"n_topics={n_topics} is more than the {len(live)} live atoms")
    nearness = _nearness(views, vectors[live], live, label_vectors, label_words)
    shares = _share_out(nearness, prevalence[live], n_topics)
    labelled = np.zeros((len(prevalence), n_labels), dtype=np.float32)
    labelled[live] = shares
    cut = _free_cut(merge, views, 1 - labelled.sum(axis=1), n_topics - n_labels)
    topics, words = [sp.csr_matrix(labelled)], []
    if views.keywords is not None:
        words.append(_label_words(views, labelled, label_words))
    if cut is not None:
        topics.append(cut.atom_topics)
        words = [] if cut.topic_words is None else [*words, cut.topic_words]
    atom_topics = sp.hstack(topics, format="csr").astype(np.float32)
    return TopicCut(atom_topics, np.vstack(words) if words else None)


def _nearness(
    views: AtomViews,
    vectors: np.ndarray,
    live: np.ndarray,
    label_vectors: np.ndarray,
    label_words: Sequence[Sequence[int]] | None,
) -> np.ndarray:
    """Return how near each live atom is to each label (n_live, L), with the nearest atom at 1."""
    vectors = unit_rows(vectors)
    # Centred: embeddings of one corpus share a direction that does not depend on the label.
    centre = np.average(vectors, axis=0, weights=np.asarray(views.prevalence)[live])
    near = _scaled(unit_rows(vectors - centre) @ unit_rows(unit_rows(label_vectors) - centre).T)
    if label_words is None or views.keywords is None:
        return near
    keywords = sp.csr_matrix(views.keywords)[live]
    for label, words in enumerate(label_words):
        if len(words):
            by_words = np.asarray(keywords[:, list(words)].sum(axis=1)).reshape(-1, 1)
            near[:, label] = (near[:, label] + _scaled(np.sqrt(by_words))[:, 0]) / 2
    return _scaled(near)


def _scaled(near: np.ndarray) -> np.ndarray:
    near = np.maximum(near, 0)
    largest = near.max(axis=0, keepdims=True)
    return near / np.where(largest > 0, largest, 1)


def _share_out(nearness: np.ndarray, prevalence: np.ndarray, n_topics: int) -> np.ndarray:
    """Return the share (n_live, L) of each atom that goes to each label; the rest is free."""
    from ot.unbalanced import sinkhorn_unbalanced  # late: POT is optional, and slow to import

    n_labels = nearness.shape[1]
    n_free = n_topics - n_labels
    cost = 1 - nearness.astype(np.float64)
    target = np.full(n_labels, 1 / n_topics)
    if n_free:
        cost = np.hstack([cost, np.full((len(cost), 1), 1 - _REACH)])
        target = np.append(target, n_free / n_topics)
    plan = sinkhorn_unbalanced(
        prevalence / prevalence.sum(),
        target,
        cost,
        reg=_ENTROPY,
        reg_m=(float("inf"), _ELASTICITY),
        numItermax=2000,
    )
    shares = plan / np.maximum(plan.sum(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    shares[shares < 0.05] = 0
    shares /= shares.sum(axis=1, keepdims=True)
    shares = np.ascontiguousarray(shares[:, :n_labels], dtype=np.float32)
    return _leave_enough(shares, nearness, n_free)


def _leave_enough(shares: np.ndarray, nearness: np.ndarray, n_free: int) -> np.ndarray:
    """Give every label an atom of its own, and leave an atom for every free topic."""
    taken: set[int] = set()
    for label in range(shares.shape[1]):
        order = np.argsort(-nearness[:, label], kind="stable")
        best = next(int(atom) for atom in order if int(atom) not in taken)
        taken.add(best)
        shares[best] = 0
        shares[best, label] = 1
    free = 1 - shares.sum(axis=1)
    missing = n_free - int((free > 1e-6).sum())
    if missing > 0:
        weakest = np.argsort(nearness.max(axis=1), kind="stable")
        back = [atom for atom in weakest if free[atom] <= 1e-6 and int(atom) not in taken]
        shares[back[:missing]] = 0
    return shares


def _free_cut(merge: Merge, views: AtomViews, free: np.ndarray, n_free: int) -> TopicCut | None:
    """Merge what the labels leave of the atoms; `free` (K,) is the share left of each."""
    if n_free == 0:
        return None
    free = np.where(free > 1e-6, free, 0)
    cut = merge.fit(views._replace(prevalence=np.asarray(views.prevalence) * free)).cut(n_free)
    return cut._replace(atom_topics=sp.csr_matrix(cut.atom_topics.multiply(free[:, None])))


def _label_words(
    views: AtomViews, labelled: np.ndarray, label_words: Sequence[Sequence[int]] | None
) -> np.ndarray:
    """Return the words (L, V) of the labelled topics from the keywords of their atoms."""
    keywords: Any = sp.csr_matrix(views.keywords)
    words = np.asarray((keywords.T @ labelled).T, dtype=np.float32)
    for label, given in enumerate(label_words or []):
        if len(given):
            largest = words[label].max() or 1
            words[label, list(given)] = np.maximum(words[label, list(given)], 1.1 * largest)
    empty = words.sum(axis=1) <= 0
    words[empty] = 1
    return words / words.sum(axis=1, keepdims=True)
