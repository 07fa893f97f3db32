"""Documents that belong to a topic by a person's decision, or as they are near to its name.

What is decided is kept in :class:`~saetm_plugins.decisions.Decisions`; here topics follow it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.decisions import Decisions
from saetm_plugins.topics import Topics, carry_labels, made_of, overlap, scale_rows


def assign_documents(
    atoms: AtomModel, topics: Topics, doc_atoms: sp.csr_matrix, labels: np.ndarray
) -> Topics:
    """Give documents to topics by hand.

    Where every topic keeps most of its documents the topics stay as they are. Else the numbers mean
    other topics, and atoms follow their documents: W_kt = Σ_{d in t} θ_dk / Σ_d θ_dk.

    Parameters
    ----------
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
    owned = np.flatnonzero(labels >= 0)
    numbers, topic = np.unique(labels[owned], return_inverse=True)
    one_hot = sp.csr_matrix(
        (np.ones(len(owned)), (owned, topic)), shape=(len(labels), len(numbers))
    )
    weights = scale_rows(sp.csr_matrix(doc_atoms.T @ one_hot), np.ones(atoms.n_atoms))
    soft = atoms.keywords is not None and atoms.keywords.nnz > 0
    words_from = "keywords" if soft else "emissions"
    words = None if atoms.vocabulary is None else atoms.topic_words(weights, words_from)
    given = np.full(len(labels), -1)
    given[owned] = topic
    before = topics.decisions or Decisions.none(len(labels), len(topics))
    new = Topics(
        **made_of(atoms, weights, words, [None] * len(numbers)),
        words_from=words_from,
        outlier_share=topics.outlier_share,
        decisions=before.assign_all(given, len(numbers)),
    )
    return carry_labels(atoms, topics, new)


def move_documents(topics: Topics, doc_atoms: sp.csr_matrix, labels: np.ndarray) -> Topics:
    """Return the topics as they are, but with fitted documents in those that `labels` (n,) say."""
    now, _ = topics.mixtures(doc_atoms, topics.groups)
    before = topics.decisions or Decisions.none(len(labels), len(topics))
    return replace(topics, decisions=before.move(now, labels))


def name_topics(
    atoms: AtomModel,
    topics: Topics,
    doc_atoms: sp.csr_matrix,
    decisions: Decisions,
    labels: Sequence[str],
) -> Topics:
    """Put topics of names before the others (zero-shot): documents near to a name belong to it.

    An atom gives them the share of it that their documents have. Names that no document is near to
    have no topic. `decisions` are the names `labels` and the groups of the fitted documents, about
    which nothing was decided before.
    """
    found, members = decisions.members()
    mass = np.maximum(np.asarray(doc_atoms.sum(axis=0)).ravel(), np.finfo(np.float32).tiny)
    share = np.asarray((doc_atoms.T @ members).todense()) / mass[:, None]
    left = topics.left * (1 - share.sum(axis=1)).clip(0)
    named = share * topics.left[:, None]
    weights = sp.hstack([sp.csr_matrix(named), scale_rows(topics.atom_topics, left)], format="csr")
    words = None
    if topics.words is not None:
        of_names = atoms.topic_words(weights, topics.words_from)[: len(found)]
        words = np.vstack([of_names, topics.words])
    made = made_of(atoms, weights, words, [*(labels[name] for name in found), *topics.labels])
    return replace(topics, **made, decisions=decisions.with_topics_of_names(len(topics)))


def gather_names(
    atoms: AtomModel,
    topics: Topics,
    doc_atoms: sp.csr_matrix,
    sources: Sequence[tuple[Topics, int]],
) -> Topics:
    """Put the topics of names that merged models have before those of their first cut.

    `atoms`, `topics` and `doc_atoms` are of all documents; `sources` the topics of each model and
    how many documents it has.
    """
    decisions, owners = Decisions.gather(
        [(source.decisions, n_documents) for source, n_documents in sources], len(topics)
    )
    if not owners:
        return replace(topics, decisions=decisions)
    labels = [str(sources[number][0].labels[topic]) for number, topic in owners]
    return name_topics(atoms, topics, doc_atoms, decisions, labels)


def gather_moves(atoms: AtomModel, topics: Topics, sources: Sequence[tuple[Topics, int]]) -> Topics:
    """Give documents of merged models to the topics that have most of those they were given.

    Parameters are those of :func:`gather_names`, whose topics are cut anew.
    """
    assert topics.decisions is not None
    moved = topics.decisions.gather_moves(
        [
            (source.decisions, n, overlap(atoms, source.atom_topics, topics.atom_topics))
            for source, n in sources
        ]
    )
    return replace(topics, decisions=moved)
