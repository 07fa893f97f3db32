"""One cut of the atoms into topics: a value, and the functions that make it.

What can be done to topics takes the :class:`~saetm_plugins.atom_model.AtomModel` and a
:class:`Topics` and returns another; nothing is trained. Edits are in :mod:`saetm_plugins.edits`,
documents given to topics in :mod:`saetm_plugins.assignments`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.decisions import UNDECIDED, Decisions
from saetm_plugins.merging import AtomViews, TopicCut, guided_cut, make_merge
from saetm_plugins.numerics.arrays import index_of_words
from saetm_plugins.numerics.mixtures import mix_topics
from saetm_plugins.validation import (
    as_list,
    check_arrays,
    check_choice,
    check_count,
    check_dense_size,
    check_fraction,
    check_text,
    is_integer,
)

SURVIVING_SHARE = 0.5
"""Of a topic's weight: a topic of another cut that shares more, both ways, is the same topic."""
_NOTHING = 1e-6  # a smaller share of an atom is rounding
_ROUNDING = 0.01  # of sums that should be 1
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

    def __post_init__(self) -> None:
        axes = {"atom_topics": "KT", "prevalence": "T", "words": "TV", "deleted": "KD"}
        lengths = check_arrays(self, axes)
        if len(self.labels) != lengths["T"] or not self.labels:
            raise ValueError(f"there are {len(self.labels)} labels for {lengths['T']} topics")
        for label in self.labels:
            if label is not None:
                check_text(label, "labels")
        check_choice(self.words_from, "words_from", ("keywords", "emissions"))
        if self.outlier_share is not None:
            check_fraction(self.outlier_share, "outlier_share", closed=True)
        if self.decisions is not None and self.decisions.allowed.shape[1] != lengths["T"]:
            raise ValueError(f"decisions are not about {lengths['T']} topics")
        shares = np.asarray(self.atom_topics.sum(axis=1)).ravel()
        if (shares > 1 + _ROUNDING).any() or abs(self.prevalence.sum() - 1) > _ROUNDING:
            raise ValueError("topics are not shares that sum to 1")
        if self.words is not None and (abs(self.words.sum(axis=1) - 1) > _ROUNDING).any():
            raise ValueError("words of topics are not probabilities that sum to 1")

    def __len__(self) -> int:
        return self.atom_topics.shape[1]

    @property
    def groups(self) -> np.ndarray | None:
        """The group of each fitted document, see :class:`Decisions`; None where all are one."""
        return None if self.decisions is None else self.decisions.groups

    @property
    def where_blank(self) -> str:
        """Which topic blank documents count towards, for the warning that there are some."""
        if self.outlier_share is not None:
            return "and topic -1"
        return "and count towards its largest topic, unless outlier_threshold= is given"

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
        """
        check_dense_size((doc_atoms.shape[0], len(self)), "mixtures", "fewer documents at a time")
        weights, prevalence = self.atom_topics, self.prevalence
        if self.deleted is not None:
            prevalence = np.append(prevalence, np.zeros(self.deleted.shape[1], np.float32))
            weights = sp.hstack([weights, self.deleted], format="csr")
        every = mix_topics(doc_atoms, weights, prevalence)
        if groups is None:
            groups = np.full(doc_atoms.shape[0], UNDECIDED)
        if self.decisions is None:
            labels = every.argmax(axis=1)
        else:
            labels = self.decisions.largest_allowed(every, groups)
        if self.outlier_share is not None:
            share = np.take_along_axis(every, labels[:, None], axis=1)[:, 0]
            few = (share < self.outlier_share) | (np.diff(doc_atoms.indptr) == 0)
            labels[few & (groups == UNDECIDED)] = -1
        labels[labels >= len(self)] = -1
        return labels, np.ascontiguousarray(every[:, : len(self)])

    def select(self, topics: Sequence[int] | np.ndarray) -> Topics:
        """Return the topics numbered ``topics[0], topics[1], …`` as 0, 1, …; others are left out.

        The weight of topics left out goes to the others of each atom. An atom that has no other
        goes to those that its topics share atoms with.
        """
        chosen = np.asarray(topics, dtype=np.int64)
        weights = sp.csr_matrix(self.atom_topics[:, chosen])
        if len(chosen) < len(self):
            lost = (weights.getnnz(axis=1) == 0) & (self.atom_topics.getnnz(axis=1) > 0)
            shared = (self.atom_topics.T @ self.atom_topics).toarray()[:, chosen]
            shared += _NOTHING * self.prevalence[chosen]
            weights = weights + sp.diags(lost.astype(np.float32)) @ self.atom_topics @ shared
            weights = scale_rows(sp.csr_matrix(weights), self.left)
        prevalence = self.prevalence[chosen]
        if not prevalence.any():  # no document of any of these yet
            prevalence = np.ones_like(prevalence)
        return replace(
            self,
            atom_topics=weights,
            words=None if self.words is None else self.words[chosen],
            prevalence=prevalence / prevalence.sum(),
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

    @property
    def left(self) -> np.ndarray:
        """The share (K,) of each atom that deleted topics do not have."""
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
    weights = weights if deleted is None else scale_rows(weights, left)
    words_from = "emissions" if found.topic_words is None else "keywords"
    words = found.topic_words
    words = None if words is None else atoms.mix_emissions(weights, words)
    labels = (*named, *[None] * (weights.shape[1] - len(named)))
    made = made_of(atoms, weights, words, labels)
    return ordered(Topics(**made, words_from=words_from, deleted=deleted))


def recut(atoms: AtomModel, topics: Topics, n_topics: int | str, merge: str = "auto") -> Topics:
    """Cut atoms anew, with all that was decided about the topics of before.

    Deleted topics stay out. Topics of names alone stay, come first and count. Labels stay with
    topics that survive, and documents that were given a topic go with it.
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
        decisions = decisions.carry(overlap(atoms, topics.atom_topics, weights))
    labels = (*(topics.labels[topic] for topic in named), *found.labels)
    new = replace(
        topics,
        **made_of(atoms, weights, words, labels),
        words_from=found.words_from,
        decisions=decisions,
    )
    return carry_labels(atoms, topics, new)


def log_likelihood(
    atoms: AtomModel, topics: Topics, doc_topics: np.ndarray, counts: sp.csr_matrix
) -> tuple[float, float]:
    """Return the sum of log P(w | d) over the words of documents, in nats, and their number.

    P(w | d) = π P0_w + (1 - π) Σ_t θ_dt P(w | t). Words without any probability, which the fitted
    documents lack, are left out. Takes mixtures θ (n, T) and counts of words (n, V).
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


def renew(atoms: AtomModel, topics: Topics) -> Topics:
    """Return the topics with words and prevalence learned from other documents; numbers stay."""
    words = None
    if atoms.vocabulary is not None:
        words = atoms.topic_words(topics.atom_topics, topics.words_from)
    return replace(topics, **made_of(atoms, topics.atom_topics, words, topics.labels))


def carry_labels(atoms: AtomModel, old: Topics, new: Topics) -> Topics:
    """Return `new` with the names that topics of `old` had, where those topics survive.

    A topic survives where one of the new ones shares more than :data:`SURVIVING_SHARE` of the
    weight of either: Σ_k p_k min(W_kt, W'_kt'), with p the prevalence of the atoms. A name that
    `new` has already stays where it is. The atoms are those of `new`; `old` may be of fewer
    documents.
    """
    labels = list(new.labels)
    named = [t for t, label in enumerate(old.labels) if label and label not in new.labels]
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


def check_topics(chosen: Any, topics: Topics, name: str) -> list[int]:
    """Return numbers or names of topics as numbers; each must exist and be named once."""
    numbers = []
    for topic in as_list(chosen, name, "numbers or names of topics"):
        if isinstance(topic, str):
            found = [number for number, label in enumerate(topics.labels) if label == topic]
            if len(found) != 1:
                known = ", ".join(repr(label) for label in topics.labels if label) or "none"
                raise ValueError(
                    f"{name} names {topic!r}, which {len(found)} topics are called; names: {known}"
                )
            numbers += found
        else:
            numbers += check_integers([topic], name, "numbers or names of topics")
    unknown = [topic for topic in numbers if not 0 <= topic < len(topics)]
    if unknown:
        raise ValueError(f"{name} names topics {unknown}; there are 0 to {len(topics) - 1}")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"{name} names a topic twice: {sorted(numbers)}")
    return numbers


def check_labels(topic_labels: Any, topics: Topics) -> list[str | None]:
    """Return the names of all topics with those of `topic_labels` put in; None takes one away."""
    if not isinstance(topic_labels, Mapping):
        given = as_list(topic_labels, "topic_labels", "a name of each topic, or be a dict")
        if len(given) != len(topics):
            raise ValueError(f"topic_labels holds {len(given)} names for {len(topics)} topics")
        topic_labels = dict(enumerate(given))
    for topic, label in topic_labels.items():
        if label is not None:
            check_text(label, f"topic_labels[{topic!r}]")
    numbers = check_topics(list(topic_labels), topics, "topic_labels")
    named = dict(zip(numbers, topic_labels.values(), strict=True))
    return [named.get(t, label) for t, label in enumerate(topics.labels)]


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


def made_of(
    atoms: AtomModel, weights: sp.csr_matrix, words: np.ndarray | None, labels: Iterable[str | None]
) -> dict[str, Any]:
    """Return the fields of topics that follow from weights; `words` None: what the atoms emit."""
    if words is None and atoms.vocabulary is not None:
        words = atoms.topic_words(weights, "emissions")
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


def edited(
    atoms: AtomModel,
    topics: Topics,
    weights: sp.csr_matrix,
    words: np.ndarray | None,
    labels: Iterable[str | None],
    comes_of: np.ndarray,
) -> Topics:
    """Return `topics` as other ones, `comes_of` (T, T') telling which of them come of which."""
    decisions = None if topics.decisions is None else topics.decisions.map(comes_of)
    return replace(topics, **made_of(atoms, weights, words, labels), decisions=decisions)


def overlap(atoms: AtomModel, before: sp.csr_matrix, after: sp.csr_matrix) -> np.ndarray:
    """Return the weight of atoms that topics of two cuts share, (T, T')."""
    return np.asarray((before.T.multiply(atoms.prevalence) @ after).todense())


def ordered(topics: Topics) -> Topics:
    """Return the topics of names in their order, then the others, the most prevalent first."""
    rank = -topics.prevalence
    if topics.decisions is not None:
        rank[topics.decisions.closed] = -np.inf
    return topics.select(np.argsort(rank, kind="stable"))


def scale_rows(weights: sp.csr_matrix, sums: np.ndarray) -> sp.csr_matrix:
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


def check_integers(values: Any, name: str, what: str) -> list[int]:
    """Return `values` as a list of int; `what` they are is named in the error."""
    numbers = as_list(values, name, what)
    for number in numbers:
        if not is_integer(number):
            raise TypeError(f"{name} must hold {what}; found {number!r}")
    return [int(number) for number in numbers]
