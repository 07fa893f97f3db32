"""Edits of topics: merge, split, drop atoms, delete; functions from one cut to the next.

Topics are given by number or name. An edit changes the numbers that it must: a merged group has its
smallest number, a split topic keeps its own and the new parts come last, and numbers left free are
closed up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.mixtures import mix_words
from saetm_plugins.topics import Topics, check_integers, check_labels, check_topics, edited
from saetm_plugins.validation import as_list, check_count


class Edit(NamedTuple):
    """Topics after an edit, and where those of before are.

    ``comes_of`` (T, T'), bool: whether a topic of after is, or holds, or is a part of one of
    before.
    """

    topics: Topics
    comes_of: np.ndarray


def merge_topics(atoms: AtomModel, topics: Topics, groups: Any) -> Edit:
    """Merge each group of topics into one; a document's shares of them add up.

    Parameters
    ----------
    groups : list of lists of int or str, or one list
        Groups of topics, or one group. The name of the smallest number that has one stays.
    """
    found = as_list(groups, "topics_to_merge", "topics, or lists of topics")
    if all(np.isscalar(group) for group in found):
        found = [found]
    checked = [check_topics(group, topics, "topics_to_merge") for group in found]
    check_topics([topic for group in checked for topic in group], topics, "topics_to_merge")
    target = np.arange(len(topics))
    for group in checked:
        target[group] = min(group, default=0)
    _, target = np.unique(target, return_inverse=True)
    joined = join_topics(atoms, topics, target)
    return Edit(joined, target[:, None] == np.arange(len(joined)))


def join_topics(atoms: AtomModel, topics: Topics, target: np.ndarray) -> Topics:
    """Join topics by their new numbers `target` (T,), 0 to M - 1; the first name of each stays."""
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


def split_topic(atoms: AtomModel, topics: Topics, topic: int | str, n: int = 2) -> Edit:
    """Split one topic into `n`, by k-means over the vectors of its atoms.

    It must have `n` atoms or more. The largest part has the number of before; no part has a name.
    """
    (topic,) = check_topics([topic], topics, "topic")
    n = check_count(n, "n", minimum=2)
    weights = topics.atom_topics.toarray()
    members = np.flatnonzero(weights[:, topic] > 0)
    if len(members) < n:
        raise ValueError(f"n={n} is more than the {len(members)} atoms of topic {topic}")
    share = weights[members, topic] * atoms.weights[members]
    part = _split_atoms(unit_rows(atoms.vectors[members]), share, n)
    largest_first = np.argsort(-np.bincount(part, share, minlength=n), kind="stable")
    pieces = np.zeros((len(weights), n), dtype=np.float32)
    pieces[members, np.argsort(largest_first)[part]] = weights[members, topic]
    weights[:, topic] = pieces[:, 0]
    every = sp.csr_matrix(np.hstack([weights, pieces[:, 1:]]))
    comes_of = np.eye(len(topics), every.shape[1], dtype=bool)
    comes_of[topic, len(topics) :] = True
    words = None
    if topics.words is not None:
        parts = np.flatnonzero(comes_of[topic])
        words = np.vstack([topics.words, np.empty((n - 1, topics.words.shape[1]), np.float32)])
        words[parts] = atoms.topic_words(every, topics.words_from)[parts]
    labels = [None if comes_of[topic, t] else topics.labels[t] for t in range(every.shape[1])]
    return Edit(edited(atoms, topics, every, words, labels, comes_of), comes_of)


def drop_atoms(atoms: AtomModel, topics: Topics, dropped: Any) -> Edit:
    """Take atoms out of all topics; a topic left without atoms goes.

    Documents share what is left of them among the topics left, whose prevalence sums to 1 again.
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
    comes_of = np.eye(len(topics), dtype=bool)[:, kept]
    topics = topics.select(kept)
    return Edit(edited(atoms, topics, left, words, labels, comes_of[kept]), comes_of)


def delete_topics(atoms: AtomModel, topics: Topics, deleted: Sequence[int | str]) -> Edit:
    """Take topics, with their atoms' weight, out of this cut and of those made from it.

    What documents have of them is left out of their mixtures; documents that are mostly about them
    belong to topic -1.
    """
    gone = check_topics(deleted, topics, "topics_to_delete")
    kept = np.setdiff1d(np.arange(len(topics)), gone)
    if kept.size == 0:
        raise ValueError(f"topics_to_delete names all {len(topics)} topics")
    going = topics.atom_topics[:, np.asarray(gone, dtype=np.int64)]
    if topics.deleted is not None:
        going = sp.hstack([topics.deleted, going])
    comes_of = np.eye(len(topics), dtype=bool)[:, kept]
    left = edited(
        atoms,
        topics,
        sp.csr_matrix(topics.atom_topics[:, kept]),
        None if topics.words is None else topics.words[kept],
        [topics.labels[t] for t in kept],
        comes_of,
    )
    return Edit(replace(left, deleted=sp.csr_matrix(going, dtype=np.float32)), comes_of)


def edit_topics(
    atoms: AtomModel,
    topics: Topics,
    *,
    merge: Sequence[Sequence[int | str]] = (),
    split: Sequence[int | str] = (),
    delete: Sequence[int | str] = (),
    rename: Mapping[int | str, str | None] | None = None,
) -> Edit:
    """Do several edits as one; all numbers and names are those of before.

    Parameters
    ----------
    merge, delete
        As `groups` of :func:`merge_topics`, and as of :func:`delete_topics`.
    split : sequence of int or str
        Topics to split in two.
    rename : mapping of int or str to str or None
        The name of what is made of a topic; of the largest part where it is split.
    """
    groups = [check_topics(group, topics, "merge") for group in merge]
    whole, gone = check_topics(split, topics, "split"), check_topics(delete, topics, "delete")
    edited_once = [topic for group in (*groups, whole, gone) for topic in group]
    check_topics(edited_once, topics, "merge, split and delete together")
    rename = {} if rename is None else rename
    renamed = check_topics(list(rename), topics, "rename")
    if lost := sorted({*renamed} & {*gone}):
        raise ValueError(f"rename names topics {lost}, which delete takes out")
    comes_of = np.eye(len(topics), dtype=bool)
    for topic in whole:
        topics, now = split_topic(atoms, topics, topic)
        comes_of = comes_of @ now
    if groups:
        topics, now = merge_topics(atoms, topics, groups)
        comes_of = comes_of @ now
    numbers = comes_of.argmax(axis=1)
    topics = topics.with_labels(
        check_labels(dict(zip(numbers[renamed], rename.values(), strict=True)), topics)
    )
    if gone:
        topics, now = delete_topics(atoms, topics, numbers[gone])
        comes_of = comes_of @ now
    return Edit(topics, comes_of)


def changed_numbers(comes_of: np.ndarray) -> str:
    """Return which topics have other numbers after an edit, "4 → 1, 5-9 → 4-8"; "" if none has."""
    old = np.flatnonzero(comes_of.any(axis=1))
    new = comes_of[old].argmax(axis=1)
    old, new = old[old != new], new[old != new]
    if not len(old):
        return ""
    breaks = np.flatnonzero((np.diff(old) != 1) | (np.diff(new) != 1)) + 1
    runs = zip(np.split(old, breaks), np.split(new, breaks), strict=True)
    return ", ".join(f"{_span(before)} → {_span(after)}" for before, after in runs)


def _span(numbers: np.ndarray) -> str:
    return f"{numbers[0]}" if len(numbers) == 1 else f"{numbers[0]}-{numbers[-1]}"


def _split_atoms(points: np.ndarray, share: np.ndarray, n: int) -> np.ndarray:
    """Return the part (m,) of each atom, none of them empty."""
    kmeans = KMeans(n, n_init=10, random_state=0)
    # Atoms that no document has any more count alike.
    part = kmeans.fit_predict(points, sample_weight=share if share.any() else None)
    if len(np.unique(part)) < n:  # atoms that coincide: the heaviest ones make a part each
        part = np.minimum(np.argsort(np.argsort(-share, kind="stable")), n - 1)
    return part
