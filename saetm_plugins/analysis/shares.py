"""Mean shares of topics in groups of documents, and the paper's document coverage.

Girrbach & Akata (arXiv 2511.16309, section 6) compare collections of images by the share of their
documents in which a topic is active, and rank topics by how much it varies between collections.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.analysis.documents import BLOCK_ROWS, Documents, read_documents
from saetm_plugins.analysis.fitted import topic_words
from saetm_plugins.analysis.groups import FEW, Groups, read_groups, warn_of_few
from saetm_plugins.analysis.resampling import bootstrap_means, percentile_interval
from saetm_plugins.numerics.parallel import even_ranges
from saetm_plugins.validation import check_count, check_fraction


def topic_shares(
    model: Any,
    groups: Any,
    *,
    doc_topics: Any = None,
    doc_atoms: Any = None,
    n_resamples: int = 0,
    confidence: float = 0.95,
    random_state: int = 0,
    n_words: int = 10,
) -> pd.DataFrame:
    """Return the mean share of each topic in each group of documents.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    groups : array-like of length n, or matrix of shape (n, G)
        A label for each document (a column of a DataFrame), True or False, a list of labels each,
        or a matrix of zeros and ones (documents × groups): a document may be in several groups.
    doc_topics : ndarray of shape (n, n_topics), optional
        Mixtures of other documents than the fitted ones, as ``model.transform`` returns.
    doc_atoms : csr_matrix of shape (n, n_atoms), optional
        The same as atoms, as ``model.transform_atoms`` returns.
    n_resamples : int, default=0
        Draws of the bootstrap; above 0 there are columns ``low`` and ``high``.
    confidence : float, default=0.95
        Of the interval between them.
    random_state : int, default=0
    n_words : int, default=10

    Returns
    -------
    DataFrame
        A row a topic and group: ``topic, words, group, share, n_documents, few_documents``; the
        last is True for groups of fewer than 10 documents.
    """
    documents = read_documents(model, doc_topics, doc_atoms)
    found = read_groups(groups, len(documents))
    check_fraction(confidence, "confidence")
    table = _table(topic_words(documents.model, n_words), found, group_shares(documents, found))
    if n_resamples := check_count(n_resamples, "n_resamples", minimum=0):
        rows = [found.rows(group) for group in range(len(found.names))]
        seed = np.random.SeedSequence(check_count(random_state, "random_state", minimum=0))
        means = bootstrap_means(documents.shares, rows, n_resamples, seed)
        bounds = np.array([percentile_interval(each, confidence) for each in means])
        table.insert(4, "low", bounds[:, 0].T.ravel())
        table.insert(5, "high", bounds[:, 1].T.ravel())
    return table


def coverage(
    model: Any,
    groups: Any,
    threshold: float = 0,
    *,
    doc_topics: Any = None,
    doc_atoms: Any = None,
    n_words: int = 10,
) -> pd.DataFrame:
    """Return the share of each group's documents in which a topic is active (paper, section 6).

    coverage(t, D) is the share of documents in D that have any active atom of topic t: one of the
    strongest of the document's mixture, as many as the autoencoder activates. An atom that a soft
    merge splits counts for the topic with its largest weight (see :func:`atoms_of_topics`).

    Parameters
    ----------
    model, groups, doc_topics, doc_atoms, n_words
        As of :func:`topic_shares`.
    threshold : float, default=0
        Above 0: the share of documents that have more than this of the topic.

    Returns
    -------
    DataFrame
        As of :func:`topic_shares`, with ``coverage`` in place of ``share``.
    """
    check_fraction(threshold, "threshold")
    documents = read_documents(model, doc_topics, doc_atoms)
    found = read_groups(groups, len(documents))
    covered = group_coverage(documents, found, threshold)
    return _table(topic_words(documents.model, n_words), found, covered, "coverage")


def rank_topics_by_variance(
    model: Any,
    groups: Any,
    max_mean: float = 0.4,
    *,
    threshold: float = 0,
    doc_topics: Any = None,
    doc_atoms: Any = None,
    n_words: int = 10,
) -> pd.DataFrame:
    """Rank topics by how much their coverage varies between groups (paper, section 6).

    Topics that are everywhere, whose mean coverage is above `max_mean`, are left out.

    Parameters
    ----------
    model, groups, threshold, doc_topics, doc_atoms, n_words
        As of :func:`coverage`.
    max_mean : float, default=0.4

    Returns
    -------
    DataFrame
        A row a topic: ``topic, words, mean, variance, highest, lowest``; mean and (population)
        variance over the groups, and the groups of most and least coverage. Most varied first.
    """
    given = {"doc_topics": doc_topics, "doc_atoms": doc_atoms, "n_words": n_words}
    table = coverage(model, groups, threshold, **given)
    sizes = table.drop_duplicates("group").set_index("group")["n_documents"]
    if len(sizes) < 2:
        raise ValueError(f"groups has one group only, {sizes.index[0]!r}: nothing varies")
    warn_of_few(sizes.index, sizes)
    return rank_by_variance(table, "coverage", max_mean)


def rank_by_variance(table: pd.DataFrame, column: str, max_mean: float) -> pd.DataFrame:
    """Rank the topics of a table of :func:`coverage` or :func:`topic_shares`."""
    check_fraction(max_mean, "max_mean", closed=True)
    wide = table.pivot(index="topic", columns="group", values=column)
    wide = wide[list(dict.fromkeys(table["group"]))]
    ranked = pd.DataFrame(
        {
            "topic": wide.index,
            "words": table.drop_duplicates("topic").set_index("topic")["words"][wide.index].values,
            "mean": wide.mean(axis=1).to_numpy(),
            "variance": wide.var(axis=1, ddof=0).to_numpy(),
            "highest": wide.idxmax(axis=1).to_numpy(),
            "lowest": wide.idxmin(axis=1).to_numpy(),
        }
    )
    ranked = ranked[ranked["mean"] <= max_mean]
    return ranked.sort_values("variance", ascending=False, kind="stable", ignore_index=True)


def group_shares(documents: Documents, groups: Groups) -> np.ndarray:
    """Return the mean share of each topic in each group, (G, T), without a dense N × T array."""
    if documents.doc_topics is not None:  # summed in double precision, a block at a time
        memberships = sp.csr_matrix(groups.members.T)
        sums = np.zeros((len(groups.names), documents.doc_topics.shape[1]))
        for first, last in even_ranges(len(documents), BLOCK_ROWS):
            sums += memberships[first:last].T @ documents.doc_topics[first:last]
        return sums / groups.sizes[:, None]
    averaging = sp.csr_matrix(groups.members / groups.sizes[:, None])
    # A document's topics are its atoms' weights over their sum, which scales its row of atoms.
    doc_atoms = documents.need_atoms("topics")
    topics = documents.model.topics_
    weights = topics.atom_topics.astype(np.float64)
    mass = np.asarray(weights.sum(axis=1)).ravel()
    if topics.deleted is not None:
        mass += np.asarray(topics.deleted.sum(axis=1)).ravel()
    mass = np.asarray(doc_atoms @ mass)
    scale = np.divide(1.0, mass, out=np.zeros_like(mass), where=mass > 0)
    atoms = (averaging @ sp.diags_array(scale)) @ doc_atoms
    shares = np.asarray((sp.csr_matrix(atoms) @ weights).todense())
    without = np.asarray(averaging @ (mass <= 0).astype(np.float64))
    return shares + without[:, None] * (topics.prevalence / topics.prevalence.sum())


def group_coverage(
    documents: Documents, groups: Groups, threshold: float = 0, level: str = "topics"
) -> np.ndarray:
    """Return the share of documents of each group that hold a topic or atom, (G, T or K)."""
    held = sp.csr_matrix(groups.members @ documents.present(level, threshold))
    return np.asarray(held.todense(), dtype=np.float64) / groups.sizes[:, None]


def _table(words: list[str], groups: Groups, values: np.ndarray, name: str = "share") -> Any:
    n_groups, n_topics = values.shape
    sizes = np.tile(groups.sizes, n_topics)
    names = pd.Series(groups.names * n_topics)
    return pd.DataFrame(
        {
            "topic": np.repeat(np.arange(n_topics), n_groups),
            "words": np.repeat(np.array(words, dtype=object), n_groups),
            "group": names,
            name: values.T.ravel(),
            "n_documents": sizes,
            "few_documents": sizes < FEW,
        }
    )
