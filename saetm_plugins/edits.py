"""Edits of topics: merge, split, drop atoms, delete; functions from one cut to the next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.mixtures import mix_words
from saetm_plugins.topics import Topics, check_integers, check_topics, edited, ordered
from saetm_plugins.validation import as_list, check_count


def merge_topics(atoms: AtomModel, topics: Topics, groups: Any) -> Topics:
    """Merge each group of topics into one; a document's shares of them add up.

    Parameters
    ----------
    groups : list of lists of int, or list of int
        Groups of topics, or one group. The first name in a group stays.
    """
    found = as_list(groups, "topics_to_merge", "topics, or lists of topics")
    if all(np.isscalar(group) for group in found):
        found = [found]
    checked = [check_topics(group, len(topics), "topics_to_merge") for group in found]
    check_topics([topic for group in checked for topic in group], len(topics), "topics_to_merge")
    target = np.arange(len(topics))
    for group in checked:
        target[group] = min(group, default=0)
    _, target = np.unique(target, return_inverse=True)
    return ordered(join_topics(atoms, topics, target))


def join_topics(atoms: AtomModel, topics: Topics, target: np.ndarray) -> Topics:
    """Join topics as `target` numbers them; a document's shares of them add up.

    Parameters
    ----------
    target : ndarray of shape (T,), int
        The new number of each topic, 0 to M - 1; the first name of each stays.
    """
    n_joined = int(target.max()) + 1
    joined = sp.csr_matrix(
        (np.ones(len(topics), dtype=np.float32), (np.arange(len(topics)), target)),
        shape=(len(topics), n_joined),
    )
    words = None
    if topics.words is not None:
        words = mix_words(joined, topics.prevalence, topics.words)
    labels: list[str | None] = [None] * n_joined
    for topic, label in zip(target, topics.labels, strict=True):
        labels[topic] = labels[topic] or label
    weights = sp.csr_matrix(topics.atom_topics @ joined)
    return edited(atoms, topics, weights, words, labels, joined.toarray())


def split_topic(atoms: AtomModel, topics: Topics, topic: int, n: int = 2) -> Topics:
    """Split one topic into `n`, by k-means over the vectors of its atoms.

    Parameters
    ----------
    topic : int
        With `n` atoms or more.
    n : int, default=2
    """
    check_topics([topic], len(topics), "topic")
    n = check_count(n, "n", minimum=2)
    weights = topics.atom_topics.toarray()
    members = np.flatnonzero(weights[:, topic] > 0)
    if len(members) < n:
        raise ValueError(f"n={n} is more than the {len(members)} atoms of topic {topic}")
    share = weights[members, topic] * atoms.weights[members]
    part = _split_atoms(unit_rows(atoms.vectors[members]), share, n)
    pieces = np.zeros((len(weights), n), dtype=np.float32)
    pieces[members, part] = weights[members, topic]
    every = sp.csr_matrix(np.hstack([np.delete(weights, topic, axis=1), pieces]))
    kept = np.delete(np.arange(len(topics)), topic)
    labels = [topics.labels[t] for t in kept] + [None] * n
    words = None
    if topics.words is not None:
        of_pieces = atoms.topic_words(every, topics.words_from)[len(kept) :]
        words = np.vstack([topics.words[kept], of_pieces])
    parts = np.eye(len(topics), dtype=bool)[:, [*kept, *[topic] * n]]
    return ordered(edited(atoms, topics, every, words, labels, parts))


def drop_atoms(atoms: AtomModel, topics: Topics, dropped: Any) -> Topics:
    """Take atoms out of all topics; a topic left without atoms goes.

    Documents share what is left of them among the topics left, whose prevalence sums to 1 again.

    Parameters
    ----------
    dropped : sequence of int
        Atoms.
    """
    numbers = np.unique(check_integers(dropped, "atoms", "numbers of atoms"))
    if not numbers.size or numbers[0] < 0 or numbers[-1] >= atoms.n_atoms:
        raise ValueError(
            f"atoms must be numbers of atoms below {atoms.n_atoms}; found {numbers.tolist()}"
        )
    weights = topics.atom_topics.toarray()
    touched = weights[numbers].max(axis=0) > 0
    weights[numbers] = 0
    kept = np.flatnonzero(atoms.prevalence @ weights > 0)
    if kept.size == 0:
        raise ValueError(f"atoms holds all live atoms ({len(numbers)}): no topic would be left")
    left = sp.csr_matrix(weights[:, kept])
    words = None
    if topics.words is not None:
        words = topics.words[kept].copy()
        changed = touched[kept]
        if changed.any():
            words[changed] = atoms.topic_words(left, topics.words_from)[changed]
    labels = [topics.labels[t] for t in kept]
    topics = topics.select(kept)
    return ordered(edited(atoms, topics, left, words, labels, np.eye(len(kept), dtype=bool)))


def delete_topics(atoms: AtomModel, topics: Topics, deleted: Sequence[int]) -> Topics:
    """Take topics, with their atoms' weight, out of this cut and of those made from it."""
    gone = check_topics(deleted, len(topics), "topics_to_delete")
    kept = np.setdiff1d(np.arange(len(topics)), gone)
    if kept.size == 0:
        raise ValueError(f"topics_to_delete names all {len(topics)} topics")
    going = topics.atom_topics[:, np.asarray(gone)]
    if topics.deleted is not None:
        going = sp.hstack([topics.deleted, going])
    left = edited(
        atoms,
        topics,
        sp.csr_matrix(topics.atom_topics[:, kept]),
        None if topics.words is None else topics.words[kept],
        [topics.labels[t] for t in kept],
        np.eye(len(topics), dtype=bool)[:, kept],
    )
    return replace(left, deleted=sp.csr_matrix(going, dtype=np.float32))


def _split_atoms(points: np.ndarray, share: np.ndarray, n: int) -> np.ndarray:
    """Return the part (m,) of each atom, none of them empty."""
    kmeans = KMeans(n, n_init=10, random_state=0)
    # Atoms that no document has any more count alike.
    part = kmeans.fit_predict(points, sample_weight=share if share.any() else None)
    if len(np.unique(part)) < n:  # atoms that coincide: the heaviest ones make a part each
        part = np.minimum(np.argsort(np.argsort(-share, kind="stable")), n - 1)
    return part
