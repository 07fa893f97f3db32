"""Which topics (or atoms) occur in the same documents, more often or less than by chance.

Shares of a document sum to 1, so they always correlate negatively; presence does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.analysis.documents import LEVELS, read_documents
from saetm_plugins.analysis.fitted import atom_words, topic_words
from saetm_plugins.numerics.arrays import column_sums
from saetm_plugins.validation import check_choice, check_count, check_fraction


def topic_correlations(
    model: Any,
    level: str = "topics",
    *,
    threshold: float = 0,
    min_documents: int = 10,
    doc_topics: Any = None,
    doc_atoms: Any = None,
    n_words: int = 5,
) -> pd.DataFrame:
    """Return how often two topics, or two atoms, occur in the same document.

    A topic occurs in a document that has any active atom of it, as in :func:`coverage`.

    Parameters
    ----------
    model, doc_topics, doc_atoms
        As of :func:`topic_shares`.
    level : {"topics", "atoms"}, default="topics"
    threshold : float, default=0
        Above 0: a topic (atom) occurs where its share is larger than this.
    min_documents : int, default=10
        Topics that occur in fewer documents are left out; pairs of atoms that occur together in
        fewer as well.
    n_words : int, default=5

    Returns
    -------
    DataFrame
        A row a pair, the most associated first: ``topic_a, topic_b`` (``atom_a, atom_b``);
        ``words_a, words_b``; ``documents_a, documents_b, documents_both``, in how many documents
        each and both occur; ``npmi``, normalised pointwise mutual information, from -1 (never
        together) over 0 (as by chance) to 1 (only together); ``phi``, the correlation of the two
        presences, 0 for a topic that is in all documents.
    """
    check_choice(level, "level", LEVELS)
    check_fraction(threshold, "threshold")
    min_documents = check_count(min_documents, "min_documents")
    documents = read_documents(model, doc_topics, doc_atoms)
    present = documents.present(level, threshold)
    counts = column_sums(present)
    kept = np.flatnonzero(counts >= min_documents)
    present = sp.csr_matrix(present[:, kept], dtype=np.float64)
    first, second, both = _pairs(present, min_documents if level == "atoms" else 0)
    a, b = kept[first], kept[second]
    n = float(len(documents))
    unit = level.removesuffix("s")
    describe = topic_words if level == "topics" else atom_words
    words = np.array(describe(documents.model, n_words), dtype=object)
    table = pd.DataFrame(
        {
            f"{unit}_a": a,
            f"{unit}_b": b,
            "words_a": words[a],
            "words_b": words[b],
            "documents_a": counts[a].astype(np.int64),
            "documents_b": counts[b].astype(np.int64),
            "documents_both": both.astype(np.int64),
            "npmi": npmi(counts[a], counts[b], both, n),
            "phi": _phi(counts[a], counts[b], both, n),
        }
    )
    return table.sort_values(["npmi", "phi"], ascending=False, kind="stable", ignore_index=True)


def npmi(
    count_a: np.ndarray, count_b: np.ndarray, both: np.ndarray, n: float, *, always: float = 0.0
) -> np.ndarray:
    """Return normalised pointwise mutual information, ln(p_ab / (p_a p_b)) / -ln p_ab.

    ``count_a``, ``count_b``, ``both``: in how many of `n` documents each of two things occurs, and
    both. -1 for things that are never together; `always` for those that are in all documents.
    """
    met = both > 0
    joint, a, b = (np.where(met, counts, 1.0) / n for counts in (both, count_a, count_b))
    information = np.log(joint) - np.log(a) - np.log(b)
    surprise = -np.log(joint)
    values = np.divide(information, surprise, out=np.full(joint.shape, always), where=surprise > 0)
    return np.where(met, values, -1.0)


def _pairs(present: sp.csr_matrix, least: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return pairs of columns, and in how many rows both are."""
    together = sp.csr_matrix(present.T @ present)
    if least > 0:  # of thousands of atoms only those that occur together
        found = sp.triu(together, k=1).tocoo()
        kept = found.data >= least
        return found.row[kept], found.col[kept], found.data[kept]
    first, second = np.triu_indices(present.shape[1], k=1)
    return first, second, together.toarray()[first, second]


def _phi(count_a: np.ndarray, count_b: np.ndarray, both: np.ndarray, n: float) -> np.ndarray:
    spread = np.sqrt(count_a * (n - count_a)) * np.sqrt(count_b * (n - count_b))
    covariance = n * both - count_a * count_b
    return np.divide(covariance, spread, out=np.zeros_like(covariance), where=spread > 0)
