"""One cut of the atoms into topics: a value, and the functions from one cut to the next.

Everything that can be done to topics (cutting, merging, splitting, dropping atoms, naming,
deleting, following new documents) takes a :class:`Topics` and returns another; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.cluster import KMeans

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.decisions import IN_A_TOPIC, UNDECIDED, Decisions
from saetm_plugins.merging import AtomViews, NMFMerge, TopicCut, guided_cut, make_merge
from saetm_plugins.numerics.arrays import index_of_words, unit_rows
from saetm_plugins.numerics.mixtures import mix_topics, mix_words
from saetm_plugins.validation import (
    as_list,
    check_choice,
    check_count,
    check_dense_size,
    check_text,
    is_integer,
)

EMITTED_SHARE = np.float32(0.3)
"""Of a topic's words: more raises the likelihood of documents, less the words' coherence."""
SURVIVING_SHARE = 0.5
"""Of a topic's weight: a topic of another cut that shares more, both ways, is the same topic."""
_NOTHING = 1e-6  # a smaller share of an atom is rounding
_ROWS = 256  # documents at a time: their words' probabilities are dense


@dataclass(frozen=True)
class Topics:
    """One cut of the atoms into topics.

    Attributes
    ----------
    atom_topics : csr_matrix of shape (K, T), float32
        Weights of atoms in topics. A live atom's sum to 1, less what deleted topics have of it; to
        0 where it was dropped.
    words : ndarray of shape (T, V), float32, or None
        P(word | topic), rows sum to 1; None without words.
    prevalence : ndarray of shape (T,), float32
        Share of each topic in the corpus; sums to 1.
    labels : tuple of (str or None), length T
    words_from : {"keywords", "emissions"}
        What the words are made of: the association of atoms with keywords (the soft merge), or
        what atoms emit (the others, as in the paper).
    deleted : csr_matrix of shape (K, D), float32, or None
        Weights of atoms in deleted topics; later cuts leave them there.
    outlier_share : float or None
        Documents whose mixture decides, and which have a smaller share of their main topic than
        this, belong to topic -1, as do blank ones; None: no document does, but for deleted topics.
    decisions : Decisions or None
        What was decided about documents, by hand or by a name they are near to.
    """

    atom_topics: sp.csr_matrix
    words: np.ndarray | None
    prevalence: np.ndarray
    labels: tuple[str | None, ...]
    words_from: str = "emissions"
    deleted: sp.csr_matrix | None = None
    outlier_share: float | None = 0.0
    decisions: Decisions | None = None

    def __len__(self) -> int:
        return self.atom_topics.shape[1]

    @property
    def groups(self) -> np.ndarray | None:
        """The group of each fitted document, see :class:`Decisions`; None where all are one."""
        return None if self.decisions is None else self.decisions.groups

    def mixtures(
        self, doc_atoms: sp.csr_matrix, groups: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the topics of documents.

        Parameters
        ----------
        doc_atoms : csr_matrix of shape (n, K)
        groups : ndarray of shape (n,), int, optional
            What was decided about them, see :class:`Decisions`: :attr:`groups` for the fitted
            documents; None where nothing was.

        Returns
        -------
        labels : ndarray of shape (n,), int64
            The largest topic, or what was decided; -1 where the largest is a deleted one, and for
            outliers (:attr:`outlier_share`). Of a document without atoms nothing is known: its
            mixture is that of the corpus.
        doc_topics : ndarray of shape (n, T), float32
            Rows sum to 1, less what deleted topics have.

        Raises
        ------
        ValueError
            When `doc_topics` would be too large for memory.
        """
        check_dense_size((doc_atoms.shape[0], len(self)), "mixtures", "fewer documents at a time")
        weights, prevalence = self.atom_topics, self.prevalence
        if self.deleted is not None:
            prevalence = np.append(prevalence, np.zeros(self.deleted.shape[1], np.float32))
            weights = sp.hstack([weights, self.deleted], format="csr")
        every = mix_topics(doc_atoms, weights, prevalence)
        if groups is None:
            groups = np.full(doc_atoms.shape[0], UNDECIDED)
        labels = self._largest_allowed(every, groups)
        if self.outlier_share is not None:
            share = np.take_along_axis(every, labels[:, None], axis=1)[:, 0]
            few = (share < self.outlier_share) | (np.diff(doc_atoms.indptr) == 0)
            labels[few & (groups == UNDECIDED)] = -1
        labels[labels >= len(self)] = -1
        return labels, np.ascontiguousarray(every[:, : len(self)])

    def _largest_allowed(self, doc_topics: np.ndarray, groups: np.ndarray) -> np.ndarray:
        """Return the largest topic (n,) that each document may have, deleted ones among them."""
        if self.decisions is None:
            return doc_topics.argmax(axis=1)
        labels = np.full(len(groups), -1)
        for group in np.unique(groups):
            allowed = np.flatnonzero(self.decisions.allowed[group])
            if group in (UNDECIDED, IN_A_TOPIC):
                allowed = np.append(allowed, np.arange(len(self), doc_topics.shape[1]))
            if allowed.size:
                rows = np.flatnonzero(groups == group)
                labels[rows] = allowed[doc_topics[np.ix_(rows, allowed)].argmax(axis=1)]
        return labels

    def select(self, topics: Sequence[int] | np.ndarray) -> Topics:
        """Return the topics numbered ``topics[0], topics[1], …`` as 0, 1, …; others are left out.

        The weight of topics left out goes to the others of each atom.
        """
        chosen = np.asarray(topics, dtype=np.int64)
        weights = sp.csr_matrix(self.atom_topics[:, chosen])
        if len(chosen) < len(self):
            weights = _scale_rows(weights, self._left())
        prevalence = self.prevalence[chosen]
        return replace(
            self,
            atom_topics=weights,
            words=None if self.words is None else self.words[chosen],
            prevalence=prevalence / max(prevalence.sum(), np.finfo(np.float32).tiny),
            labels=tuple(self.labels[topic] for topic in chosen),
            decisions=None if self.decisions is None else self.decisions.select(chosen),
        )

    def of_documents(self, groups: np.ndarray) -> Topics:
        """Return the topics with other fitted documents, given by their groups."""
        if self.decisions is None:
            return self
        return replace(self, decisions=self.decisions.of_documents(groups))

    def with_labels(self, labels: Iterable[str | None]) -> Topics:
        """Return the topics with other names, one for each."""
        return replace(self, labels=tuple(labels))

    def _left(self) -> np.ndarray:
        """Return the share (K,) of each atom that deleted topics do not have."""
        return _share_left(self.deleted, self.atom_topics.shape[0])


def cut(
    atoms: AtomModel,
    n_topics: int | str,
    merge: str = "auto",
    *,
    deleted: sp.csr_matrix | None = None,
) -> Topics:
    """Merge atoms into topics, the most prevalent first.

    Parameters
    ----------
    atoms : AtomModel
        Its labels, where it has any, name the first of the topics found for them.
    n_topics : int or "auto"
        "auto" is the merge's own count.
    merge : {"auto", "nmf", "kmeans", "ward", "hdbscan"}, default="auto"
    deleted : csr_matrix of shape (K, D), optional
        Weights of atoms in deleted topics, which stay out.

    Raises
    ------
    TypeError, ValueError
        When an argument is not legal, or `n_topics` above the number of live atoms.
    """
    check_n_topics(n_topics)
    n_topics = n_topics if isinstance(n_topics, str) else int(n_topics)
    method = atoms.choose_merge(merge)
    if not isinstance(n_topics, str) and atoms.vocabulary is not None:
        check_dense_size((n_topics, len(atoms.vocabulary)), "P(word | topic)", "a smaller n_topics")
    left = _share_left(deleted, atoms.n_atoms)
    views = atoms.views(method)
    if deleted is None:
        fitted = atoms.fitted_merge(method)
    else:
        views = views._replace(prevalence=views.prevalence * left)
        fitted = make_merge(method, random_state=atoms.random_state).fit(views)
    named: tuple[str | None, ...] = ()
    if atoms.label_targets is None:
        found = fitted.cut(n_topics)
    else:
        named = tuple(atoms.label_targets.labels)
        if isinstance(n_topics, str):
            n_topics = max(fitted.cut(n_topics).atom_topics.shape[1], len(named))
        found = _cut_around_labels(atoms, views, method, int(n_topics))
    weights = sp.csr_matrix(found.atom_topics, dtype=np.float32)
    weights = weights if deleted is None else _scale_rows(weights, left)
    words_from = "emissions" if found.topic_words is None else "keywords"
    words = found.topic_words
    words = None if words is None else _mix_emissions(atoms, weights, words)
    labels = (*named, *[None] * (weights.shape[1] - len(named)))
    made = _made(atoms, weights, words, labels)
    return _ordered(Topics(**made, words_from=words_from, deleted=deleted))


def recut(atoms: AtomModel, topics: Topics, n_topics: int | str, merge: str = "auto") -> Topics:
    """Cut atoms anew, with all that was decided about the topics of before.

    Deleted topics stay out. Topics of names alone stay, come first and count. Labels stay with
    topics that survive, and documents that were given a topic go with it.

    Parameters
    ----------
    atoms : AtomModel
    topics : Topics
        Those of before.
    n_topics, merge
        As of :func:`cut`.

    Raises
    ------
    TypeError, ValueError
        As of :func:`cut`, and when `n_topics` leaves none beside topics of names.
    """
    decisions = topics.decisions
    named = np.zeros(0, dtype=np.int64) if decisions is None else decisions.closed
    if len(named) and not isinstance(n_topics, str):
        if int(n_topics) <= len(named):
            raise ValueError(
                f"nr_topics={n_topics} must exceed the {len(named)} zero-shot topics that match; "
                "raise it, or zeroshot_min_similarity"
            )
        n_topics = int(n_topics) - len(named)
    kept = topics.atom_topics[:, named]
    out = sp.csr_matrix(kept if topics.deleted is None else sp.hstack([kept, topics.deleted]))
    found = cut(atoms, n_topics, merge, deleted=out if out.shape[1] else None)
    weights = sp.csr_matrix(sp.hstack([kept, found.atom_topics]))
    words = None
    if found.words is not None:
        assert topics.words is not None
        words = np.vstack([topics.words[named], found.words])
    if decisions is not None:
        decisions = decisions.carry(_overlap(atoms, topics.atom_topics, weights))
    labels = (*(topics.labels[topic] for topic in named), *found.labels)
    new = replace(
        topics,
        **_made(atoms, weights, words, labels),
        words_from=found.words_from,
        decisions=decisions,
    )
    return carry_labels(atoms, topics, new)


def log_likelihood(
    atoms: AtomModel, topics: Topics, doc_topics: np.ndarray, counts: sp.csr_matrix
) -> tuple[float, float]:
    """Return the sum of log P(w | d) over the words of documents, in nats, and their number.

    P(w | d) = π P0_w + (1 - π) Σ_t θ_dt P(w | t). Words without any probability, which the fitted
    documents lack, are left out.

    Parameters
    ----------
    atoms : AtomModel
        With words.
    topics : Topics
    doc_topics : ndarray of shape (n, T)
        Mixtures θ.
    counts : csr_matrix of shape (n, V)
    """
    emissions = atoms.emissions
    assert emissions is not None
    assert topics.words is not None
    background = emissions.background_weight * emissions.background
    total = n_words = 0.0
    for first in range(0, len(doc_topics), _ROWS):
        block = sp.coo_matrix(counts[first : first + _ROWS])
        probabilities = doc_topics[first : first + _ROWS] @ topics.words
        probabilities = probabilities[block.row, block.col] * (1 - emissions.background_weight)
        probabilities += background[block.col]
        known = probabilities > 0
        total += float(block.data[known] @ np.log(probabilities[known], dtype=np.float64))
        n_words += float(block.data[known].sum(dtype=np.float64))
    return total, n_words


def merge_topics(atoms: AtomModel, topics: Topics, groups: Any) -> Topics:
    """Merge each group of topics into one; a document's shares of them add up.

    Parameters
    ----------
    atoms : AtomModel
    topics : Topics
    groups : list of lists of int, or list of int
        Groups of topics, or one group. The first name in a group stays.

    Raises
    ------
    TypeError, ValueError
        When a group is no list, or a topic does not exist or stands in two groups.
    """
    target = np.arange(len(topics))
    for group in _check_groups(groups, len(topics)):
        target[group] = min(group, default=0)
    _, target = np.unique(target, return_inverse=True)
    return _ordered(join_topics(atoms, topics, target))


def join_topics(atoms: AtomModel, topics: Topics, target: np.ndarray) -> Topics:
    """Join topics as `target` numbers them; a document's shares of them add up.

    Parameters
    ----------
    atoms : AtomModel
    topics : Topics
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
    return _edited(atoms, topics, weights, words, labels, joined.toarray())


def split_topic(atoms: AtomModel, topics: Topics, topic: int, n: int = 2) -> Topics:
    """Split one topic into `n`, by k-means over the vectors of its atoms.

    Parameters
    ----------
    atoms : AtomModel
    topics : Topics
    topic : int
    n : int, default=2

    Raises
    ------
    TypeError, ValueError
        When the topic does not exist or has fewer than `n` atoms.
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
        of_pieces = words_of(atoms, every, topics.words_from)[len(kept) :]
        words = np.vstack([topics.words[kept], of_pieces])
    parts = np.eye(len(topics), dtype=bool)[:, [*kept, *[topic] * n]]
    return _ordered(_edited(atoms, topics, every, words, labels, parts))


def drop_atoms(atoms: AtomModel, topics: Topics, dropped: Any) -> Topics:
    """Take atoms out of all topics; a topic left without atoms goes.

    Documents share what is left of them among the topics left, whose prevalence sums to 1 again.

    Parameters
    ----------
    atoms : AtomModel
    topics : Topics
    dropped : sequence of int
        Atoms.

    Raises
    ------
    TypeError, ValueError
        When an atom does not exist, or no topic would be left.
    """
    numbers = _check_atoms(dropped, atoms.n_atoms)
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
            words[changed] = words_of(atoms, left, topics.words_from)[changed]
    labels = [topics.labels[t] for t in kept]
    topics = topics.select(kept)
    return _ordered(_edited(atoms, topics, left, words, labels, np.eye(len(kept), dtype=bool)))


def delete_topics(atoms: AtomModel, topics: Topics, deleted: Sequence[int]) -> Topics:
    """Take topics, with their atoms' weight, out of this cut and of those made from it.

    Raises
    ------
    TypeError, ValueError
        When a topic does not exist, or none would be left.
    """
    gone = check_topics(deleted, len(topics), "topics_to_delete")
    kept = np.setdiff1d(np.arange(len(topics)), gone)
    if kept.size == 0:
        raise ValueError(f"topics_to_delete names all {len(topics)} topics")
    going = topics.atom_topics[:, np.asarray(gone)]
    if topics.deleted is not None:
        going = sp.hstack([topics.deleted, going])
    left = _edited(
        atoms,
        topics,
        sp.csr_matrix(topics.atom_topics[:, kept]),
        None if topics.words is None else topics.words[kept],
        [topics.labels[t] for t in kept],
        np.eye(len(topics), dtype=bool)[:, kept],
    )
    return replace(left, deleted=sp.csr_matrix(going, dtype=np.float32))


def assign_documents(
    atoms: AtomModel, topics: Topics, doc_atoms: sp.csr_matrix, labels: np.ndarray
) -> Topics:
    """Give documents to topics by hand.

    Where every topic keeps most of its documents the topics stay as they are. Else the numbers mean
    other topics, and atoms follow their documents: W_kt = Σ_{d in t} θ_dk / Σ_d θ_dk.

    Parameters
    ----------
    atoms : AtomModel
    topics : Topics
    doc_atoms : csr_matrix of shape (n, K)
        The fitted documents.
    labels : ndarray of shape (n,), int
        Their topics, -1 for none; numbers left out are closed up where the topics are others.
    """
    now, _ = topics.mixtures(doc_atoms, topics.groups)
    sizes = np.bincount(now[now >= 0], minlength=len(topics))
    left = np.bincount(now[(now >= 0) & (now != labels)], minlength=len(topics))
    if labels.max() < len(topics) and (2 * left < sizes)[sizes > 0].all():
        return move_documents(topics, doc_atoms, labels)
    n_documents = len(labels)
    before = topics.decisions or Decisions.none(n_documents, len(topics))
    owned = np.flatnonzero(labels >= 0)
    numbers, topic = np.unique(labels[owned], return_inverse=True)
    one_hot = sp.csr_matrix(
        (np.ones(len(owned)), (owned, topic)), shape=(n_documents, len(numbers))
    )
    weights = _scale_rows(sp.csr_matrix(doc_atoms.T @ one_hot), np.ones(atoms.n_atoms))
    soft = atoms.keywords is not None and atoms.keywords.nnz > 0
    words_from = "keywords" if soft else "emissions"
    words = None if atoms.vocabulary is None else words_of(atoms, weights, words_from)
    made = _made(atoms, weights, words, [None] * len(numbers))
    # A name goes with most of its documents.
    allowed = np.ones((len(before.allowed), len(numbers)), dtype=bool)
    for group in np.unique(before.groups[before.groups > IN_A_TOPIC]):
        counts = np.asarray(one_hot[before.groups == group].sum(axis=0)).ravel()
        if 2 * counts.max() > (before.groups == group).sum():
            allowed[group] = np.arange(len(numbers)) == counts.argmax()
    decisions = replace(before, allowed=allowed)
    given = np.full(n_documents, -1)
    given[owned] = topic
    new = Topics(
        **made,
        words_from=words_from,
        outlier_share=topics.outlier_share,
        decisions=decisions.assign(np.arange(n_documents), given),
    )
    return carry_labels(atoms, topics, new)


def move_documents(topics: Topics, doc_atoms: sp.csr_matrix, labels: np.ndarray) -> Topics:
    """Return the topics as they are, but with fitted documents in those that `labels` (n,) say."""
    now, _ = topics.mixtures(doc_atoms, topics.groups)
    moved = now != labels
    before = topics.decisions or Decisions.none(len(labels), len(topics))
    groups = np.where((before.groups == UNDECIDED) & (labels >= 0), IN_A_TOPIC, before.groups)
    decisions = replace(before, groups=groups)
    return replace(topics, decisions=decisions.assign(np.flatnonzero(moved), labels[moved]))


def name_topics(
    atoms: AtomModel,
    topics: Topics,
    doc_atoms: sp.csr_matrix,
    decisions: Decisions,
    labels: Sequence[str],
) -> Topics:
    """Put topics of names before the others (zero-shot): documents near to a name belong to it.

    An atom gives them the share of it that their documents have. Names that no document is near to
    have no topic.

    Parameters
    ----------
    atoms : AtomModel
    topics : Topics
        About whose documents nothing was decided.
    doc_atoms : csr_matrix of shape (n, K)
        The fitted documents.
    decisions : Decisions
        The names, and the groups of these documents.
    labels : sequence of str
        The names.
    """
    found = np.unique(decisions.groups[decisions.groups > IN_A_TOPIC])
    members = sp.csr_matrix(decisions.groups[:, None] == found, dtype=np.float32)
    mass = np.maximum(np.asarray(doc_atoms.sum(axis=0)).ravel(), np.finfo(np.float32).tiny)
    share = np.asarray((doc_atoms.T @ members).todense()) / mass[:, None]
    left = topics._left() * (1 - share.sum(axis=1)).clip(0)
    named = share * topics._left()[:, None]
    weights = sp.hstack([sp.csr_matrix(named), _scale_rows(topics.atom_topics, left)], format="csr")
    words = None
    if topics.words is not None:
        words = np.vstack([words_of(atoms, weights, topics.words_from)[: len(found)], topics.words])
    allowed = np.zeros((len(decisions.allowed), weights.shape[1]), dtype=bool)
    allowed[:, len(found) :] = True
    allowed[found] = np.arange(weights.shape[1]) == np.arange(len(found))[:, None]
    names = [labels[group - IN_A_TOPIC - 1] for group in found]
    made = _made(atoms, weights, words, [*names, *topics.labels])
    return replace(topics, **made, decisions=replace(decisions, allowed=allowed))


def gather_names(
    atoms: AtomModel,
    topics: Topics,
    doc_atoms: sp.csr_matrix,
    sources: Sequence[tuple[Topics, int]],
) -> Topics:
    """Put the topics of names that merged models have before those of their first cut.

    Parameters
    ----------
    atoms : AtomModel
        Of all documents.
    topics : Topics
        A cut of them.
    doc_atoms : csr_matrix of shape (n, K)
        All documents.
    sources : sequence of (Topics, int)
        Of each model, with the number of its documents.
    """
    names: dict[bytes, int] = {}  # a name that several models have is one
    vectors, labels, groups = [], [], []
    for source, n_documents in sources:
        groups.append(np.zeros(n_documents, dtype=np.int64))
        for group, topic in _named_groups(source):
            assert source.decisions is not None
            vector = source.decisions.names[group - IN_A_TOPIC - 1]
            if vector.tobytes() not in names:
                names[vector.tobytes()] = len(names)
                vectors.append(vector)
                labels.append(str(source.labels[topic]))
            number = IN_A_TOPIC + 1 + names[vector.tobytes()]
            groups[-1][source.decisions.groups == group] = number
    every = np.concatenate(groups)
    if not every.any():
        return replace(topics, decisions=Decisions.none(len(every), len(topics)))
    least = next(source.decisions.min_similarity for source, _ in sources if source.decisions)
    allowed = np.ones((IN_A_TOPIC + 1 + len(vectors), 0), dtype=bool)
    decisions = Decisions(every, allowed, np.array(vectors), least)
    return name_topics(atoms, topics, doc_atoms, decisions, labels)


def gather_moves(atoms: AtomModel, topics: Topics, sources: Sequence[tuple[Topics, int]]) -> Topics:
    """Give documents of merged models to the topics that have most of those they were given.

    Parameters are those of :func:`gather_names`, whose topics are cut anew.
    """
    decisions = topics.decisions
    assert decisions is not None
    first = 0
    for source, n_documents in sources:
        if source.decisions is not None:
            overlap = _overlap(atoms, source.atom_topics, topics.atom_topics)
            named = {group for group, _ in _named_groups(source)}
            for group, allowed in enumerate(source.decisions.allowed):
                rows = first + np.flatnonzero(source.decisions.groups == group)
                if group == IN_A_TOPIC:
                    groups = decisions.groups.copy()
                    groups[rows] = np.maximum(groups[rows], IN_A_TOPIC)
                    decisions = replace(decisions, groups=groups)
                elif group > IN_A_TOPIC and group not in named and rows.size:
                    topic = overlap[allowed].sum(axis=0).argmax() if allowed.any() else -1
                    decisions = decisions.assign(rows, np.full(len(rows), topic))
        first += n_documents
    return replace(topics, decisions=decisions)


def _named_groups(topics: Topics) -> list[tuple[int, int]]:
    """Return the groups of names that have a topic of their own, and the topic."""
    decisions = topics.decisions
    if decisions is None:
        return []
    first, last = IN_A_TOPIC + 1, IN_A_TOPIC + 1 + len(decisions.names)
    return [
        (group, int(decisions.allowed[group].argmax()))
        for group in range(first, last)
        if (decisions.allowed[group] > decisions.allowed[UNDECIDED]).any()
    ]


def renew(atoms: AtomModel, topics: Topics) -> Topics:
    """Return the topics with words and prevalence learned from other documents; numbers stay."""
    words = None
    if atoms.vocabulary is not None:
        words = words_of(atoms, topics.atom_topics, topics.words_from)
    return replace(topics, **_made(atoms, topics.atom_topics, words, topics.labels))


def carry_labels(atoms: AtomModel, old: Topics, new: Topics) -> Topics:
    """Return `new` with the names that topics of `old` had, where those topics survive.

    A topic survives where one of the new ones shares more than :data:`SURVIVING_SHARE` of the
    weight of either: Σ_k p_k min(W_kt, W'_kt'), with p the prevalence of the atoms. A name that
    `new` has already stays where it is.

    Parameters
    ----------
    atoms : AtomModel
        Of `new`; those of `old` are the same atoms, perhaps of fewer documents.
    old, new : Topics
    """
    labels = list(new.labels)
    named = [
        topic
        for topic, label in enumerate(old.labels)
        if label is not None and label not in new.labels
    ]
    if not named:
        return new
    prevalence = atoms.prevalence[:, None]
    before = old.atom_topics[:, named].toarray() * prevalence
    after = new.atom_topics.toarray() * prevalence
    shared = np.stack([np.minimum(mass[:, None], after).sum(axis=0) for mass in before.T])
    largest = np.maximum(before.sum(axis=0)[:, None], after.sum(axis=0)[None])
    share = shared / np.maximum(largest, np.finfo(np.float32).tiny)
    for row in np.argsort(-share.max(axis=1), kind="stable"):  # soft weights may overlap twice
        topic = int(share[row].argmax())
        if share[row, topic] > SURVIVING_SHARE and labels[topic] is None:
            labels[topic] = old.labels[named[row]]
    return new.with_labels(labels)


def words_of(atoms: AtomModel, atom_topics: sp.csr_matrix, words_from: str) -> np.ndarray:
    """Return P(word | topic), (T, V) float32, of topics given by their atoms."""
    if words_from == "emissions" or atoms.keywords is None or not atoms.keywords.nnz:
        return _emitted_words(atoms, atom_topics)
    merge = atoms.fitted_merge("nmf")
    assert isinstance(merge, NMFMerge)
    return _mix_emissions(atoms, atom_topics, merge.words_of(atom_topics))


def check_topics(topics: Any, n_topics: int, name: str) -> list[int]:
    """Return `topics` as a list of int; each must exist and be named once.

    Raises
    ------
    TypeError, ValueError
    """
    numbers = as_list(topics, name, "numbers of topics")
    for number in numbers:
        if not is_integer(number):
            raise TypeError(f"{name} must hold numbers of topics; found {number!r}")
    unknown = [int(t) for t in numbers if not 0 <= t < n_topics]
    if unknown:
        raise ValueError(f"{name} names topics {unknown}; there are 0 to {n_topics - 1}")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{name} names a topic twice: {sorted(int(t) for t in numbers)}")
    return [int(number) for number in numbers]


def check_labels(topic_labels: Any, topics: Topics) -> list[str | None]:
    """Return the names of all topics with those of `topic_labels` put in.

    Parameters
    ----------
    topic_labels : mapping of int to str, or sequence of one str per topic
        None takes a name away.

    Raises
    ------
    TypeError, ValueError
        When a topic does not exist, a name is no text, or the sequence is of another length.
    """
    if not isinstance(topic_labels, Mapping):
        given = as_list(topic_labels, "topic_labels", "a name of each topic, or be a dict")
        if len(given) != len(topics):
            raise ValueError(f"topic_labels holds {len(given)} names for {len(topics)} topics")
        topic_labels = dict(enumerate(given))
    check_topics(list(topic_labels), len(topics), "topic_labels")
    for topic, label in topic_labels.items():
        if label is not None and not isinstance(label, str):
            raise TypeError(f"topic_labels[{topic!r}] must be a str; found {label!r}")
        if label is not None:
            check_text(label, f"topic_labels[{topic!r}]")
    return [topic_labels.get(t, label) for t, label in enumerate(topics.labels)]


def check_n_topics(n_topics: Any) -> None:
    """Refuse a number of topics that is neither a count nor "auto"."""
    if isinstance(n_topics, str):
        check_choice(n_topics, "n_topics", ("auto",))
    else:
        check_count(n_topics, "n_topics")


def _cut_around_labels(atoms: AtomModel, views: AtomViews, method: str, n_topics: int) -> TopicCut:
    """Cut into topics of which the first are about the labels that the atoms are drawn to."""
    targets = atoms.label_targets
    assert targets is not None
    columns: list[Any] = [[] for _ in targets.labels]
    if atoms.vocabulary is not None:
        columns = [index_of_words(words, atoms.vocabulary) for words in targets.words]
    return guided_cut(
        make_merge(method, random_state=atoms.random_state),  # fitted to the atoms left free
        views,
        targets.vectors,
        n_topics,
        vectors=atoms.centroids,
        label_words=columns,
    )


def _made(
    atoms: AtomModel, weights: sp.csr_matrix, words: np.ndarray | None, labels: Iterable[str | None]
) -> dict[str, Any]:
    """Return the fields of topics that follow from weights; `words` None: what the atoms emit."""
    if words is None and atoms.vocabulary is not None:
        words = _emitted_words(atoms, weights)
    prevalence = np.asarray(atoms.prevalence @ weights, dtype=np.float64)
    total = prevalence.sum()
    even = np.full(len(prevalence), 1 / len(prevalence))
    prevalence = prevalence / total if total > 0 else even  # no document of any of these atoms yet
    return {
        "atom_topics": weights,
        "words": words,
        "prevalence": prevalence.astype(np.float32),
        "labels": tuple(labels),
    }


def _edited(
    atoms: AtomModel,
    topics: Topics,
    weights: sp.csr_matrix,
    words: np.ndarray | None,
    labels: Iterable[str | None],
    comes_of: np.ndarray,
) -> Topics:
    """Return `topics` as other ones, `comes_of` (T, T') telling which of them come of which."""
    decisions = None if topics.decisions is None else topics.decisions.map(comes_of)
    return replace(topics, **_made(atoms, weights, words, labels), decisions=decisions)


def _overlap(atoms: AtomModel, before: sp.csr_matrix, after: sp.csr_matrix) -> np.ndarray:
    """Return the weight of atoms that topics of two cuts share, (T, T')."""
    return np.asarray((before.T.multiply(atoms.prevalence) @ after).todense())


def _ordered(topics: Topics) -> Topics:
    """Return the topics of names in their order, then the others, the most prevalent first."""
    rank = -topics.prevalence
    if topics.decisions is not None:
        rank[topics.decisions.closed] = -np.inf
    return topics.select(np.argsort(rank, kind="stable"))


def _emitted_words(atoms: AtomModel, atom_topics: sp.csr_matrix) -> np.ndarray:
    """Return the paper's P(w|t) = Σ_k W_kt θ̄_k B_kw / Σ_k W_kt θ̄_k."""
    assert atoms.emissions is not None
    return mix_words(atom_topics, atoms.weights, atoms.emissions.atom_words)


def _mix_emissions(
    atoms: AtomModel, atom_topics: sp.csr_matrix, topic_words: np.ndarray
) -> np.ndarray:
    """Mix emitted words into the words that a merge found, so that none has probability 0."""
    words = topic_words * (1 - EMITTED_SHARE)
    words += EMITTED_SHARE * _emitted_words(atoms, atom_topics)
    return words / words.sum(axis=1, keepdims=True)


def _split_atoms(points: np.ndarray, share: np.ndarray, n: int) -> np.ndarray:
    """Return the part (m,) of each atom, none of them empty."""
    kmeans = KMeans(n, n_init=10, random_state=0)
    # Atoms that no document has any more count alike.
    part = kmeans.fit_predict(points, sample_weight=share if share.any() else None)
    if len(np.unique(part)) < n:  # atoms that coincide: the heaviest ones make a part each
        part = np.minimum(np.argsort(np.argsort(-share, kind="stable")), n - 1)
    return part


def _scale_rows(weights: sp.csr_matrix, sums: np.ndarray) -> sp.csr_matrix:
    """Return `weights` with rows that sum to `sums`; empty rows stay empty."""
    weights = sp.csr_matrix(weights, dtype=np.float32, copy=True)
    mass = np.asarray(weights.sum(axis=1)).ravel()
    factor = np.divide(sums, mass, where=mass > 0, out=np.zeros_like(mass))
    weights.data *= np.repeat(factor.astype(np.float32), np.diff(weights.indptr))
    weights.eliminate_zeros()
    return weights


def _share_left(deleted: sp.csr_matrix | None, n_atoms: int) -> np.ndarray:
    if deleted is None:
        return np.ones(n_atoms, dtype=np.float32)
    left = 1 - np.asarray(deleted.sum(axis=1), dtype=np.float32).ravel()
    left[left < _NOTHING] = 0
    return left


def _check_groups(groups: Any, n_topics: int) -> list[list[int]]:
    """Return groups of topics to merge; one flat list is one group."""
    name = "topics_to_merge"
    found = as_list(groups, name, "topics, or lists of topics")
    if all(np.isscalar(group) for group in found):
        found = [found]
    checked = [check_topics(group, n_topics, name) for group in found]
    check_topics([topic for group in checked for topic in group], n_topics, name)
    return checked


def _check_atoms(atoms: Any, n_atoms: int) -> np.ndarray:
    numbers = as_list(atoms, "atoms", "numbers of atoms")
    for number in numbers:
        if not is_integer(number):
            raise TypeError(f"atoms must hold numbers of atoms; found {number!r}")
    if not numbers or min(numbers) < 0 or max(numbers) >= n_atoms:
        raise ValueError(f"atoms must be numbers of atoms below {n_atoms}; found {numbers}")
    return np.unique(np.asarray(numbers, dtype=np.int64))
