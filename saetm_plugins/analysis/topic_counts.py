"""How many topics? What each count gains and loses, and the best compromise."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from sklearn.metrics import adjusted_rand_score

from saetm_plugins import topics as cuts
from saetm_plugins.analysis.correlations import npmi
from saetm_plugins.analysis.fitted import as_topic_model, count_in_vocabulary, document_atoms
from saetm_plugins.analysis.stability import match_topics, share_matched
from saetm_plugins.atom_model import AtomModel
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus_sums import sum_documents
from saetm_plugins.emission.inputs import check_counts
from saetm_plugins.fitted_topics import DOCUMENTS_PER_TOPIC
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.mixtures import weights_of_mixtures
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.topics import Topics
from saetm_plugins.validation import as_list, check_count, check_embeddings, check_fraction

QUALITY = ("coherence", "diversity", "stability")
_COUNTS = (5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300)
_HELD_OUT = 2000  # documents at most that a likelihood is the mean of


class SuggestedCount(NamedTuple):
    """A number of topics, the reason, and the figures behind it.

    Attributes
    ----------
    n_topics : int
        For ``model.retopic(n_topics)``.
    reason : str
    table : DataFrame
        A row a count: ``n_topics``; ``coherence``, mean NPMI of the topics' top words within
        documents; ``diversity``, the share of unique words among them; ``stability``, the share of
        topics found again in the other half of the documents, and ``ari`` between the two;
        ``log_likelihood`` of a word in documents not learned from; ``score``, the mean of how
        good the topics are (the mean of the first three) and how well they fit (the likelihood),
        each scaled to 0 at its worst and 1 at its best count. Without words there is stability
        alone.
    """

    n_topics: int
    reason: str
    table: pd.DataFrame


def suggest_n_topics(
    model: Any,
    counts: Iterable[int] | None = None,
    *,
    documents: Any = None,
    embeddings: Any = None,
    bow: Any = None,
    merge: str | None = None,
    n_splits: int = 2,
    n_words: int = 10,
    least_overlap: float = 0.5,
    random_state: int = 0,
    verbose: bool = False,
) -> SuggestedCount:
    """Cut a fitted model into several numbers of topics and recommend one.

    Nothing is trained: the atoms are those of the model. For stability and likelihood the
    documents are split in halves; words, keywords and cuts are learned on each, the topics of the
    halves are matched (:func:`topic_stability`), and each half's words are predicted by the topics
    of the other. Few topics are coherent, distinct and stable, many predict words better; the
    count with the best compromise is recommended. It depends on the counts tried.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
        It is not changed.
    counts : iterable of int, optional
        Numbers of topics, such as ``range(10, 101, 10)``; by default 5 to 300, as far as there are
        atoms for them and ten documents for each topic.
    documents : iterable of str, optional
        The texts of the fitted documents; with `embeddings`, of others. Without texts and `bow`
        stability alone decides.
    embeddings : array-like of shape (n, d), optional
        Of the documents; those of other documents replace the fitted ones.
    bow : sparse matrix of shape (n, V), optional
        Counts of the model's words, in place of `documents`.
    merge : str, optional
        Another way of merging than the model's.
    n_splits : int, default=2
        Times that the documents are split.
    n_words : int, default=10
        Top words of a topic.
    least_overlap : float, default=0.5
        As of :func:`topic_stability`.
    random_state : int, default=0
    verbose : bool, default=False
        Show a progress bar.
    """
    model = as_topic_model(model)
    n_splits = check_count(n_splits, "n_splits")
    n_words = check_count(n_words, "n_words", minimum=2)
    check_fraction(least_overlap, "least_overlap", closed=True)
    merge = model.merge if merge is None else merge
    model.atoms_.choose_merge(merge)
    texts = None if documents is None else check_documents(documents)
    doc_atoms = _read_atoms(model, texts, embeddings)
    words = count_in_vocabulary(model, doc_atoms.shape[0], texts, bow)
    if embeddings is not None:
        embeddings = check_embeddings(embeddings, n_rows=doc_atoms.shape[0])
    rng = np.random.default_rng(check_count(random_state, "random_state", minimum=0))
    splits = [_split(model, doc_atoms, words, embeddings, rng) for _ in range(n_splits)]
    chosen = _check_counts(counts, splits)

    rows = []
    for n_topics in progress_bar(chosen, disable=not verbose, desc="Cutting"):
        row: dict[str, Any] = {"n_topics": n_topics}
        if words is not None:
            undecided = replace(model.topics_, decisions=None)  # of documents; atoms alone count
            topics = model.cut_atoms(model.atoms_, doc_atoms, n_topics, merge, undecided)
            top = _top_words(topics, n_words)
            row["coherence"] = float(document_npmi(top, words).mean())
            row["diversity"] = len(np.unique(top)) / top.size
        compared = [
            _compare(split, doc_atoms, words, n_topics, merge, n_words, least_overlap)
            for split in splits
        ]
        row |= pd.DataFrame(compared).mean().to_dict()
        rows.append(row)
    table = pd.DataFrame(rows)
    table["score"] = _scores(table)
    best = int(table["score"].to_numpy().argmax())
    return SuggestedCount(int(table["n_topics"][best]), _reason(table, best), table)


def document_npmi(topic_words: np.ndarray, bow: sp.csr_matrix) -> np.ndarray:
    """Return the mean normalised pointwise mutual information of each topic's words, (T,).

    Words are together when they stand in one document (Bouma 2009; Röder et al. 2015 count in
    windows instead, see :func:`saetm_plugins.evaluation.topic_coherence`, which needs the texts).
    -1 for words that are never together, 1 for words that always are.

    Parameters
    ----------
    topic_words : ndarray of shape (T, n_words), int
        Columns of `bow`.
    bow : csr_matrix of shape (n, V)
    """
    bow, topic_words = check_counts(bow), np.asarray(topic_words)
    inside = topic_words.ndim == 2 and topic_words.dtype.kind in "iu" and topic_words.size > 0
    if not inside or topic_words.min() < 0 or topic_words.max() >= bow.shape[1]:
        raise ValueError(f"topic_words must be columns of bow, which has {bow.shape[1]}")
    used, positions = np.unique(topic_words, return_inverse=True)
    positions = positions.reshape(topic_words.shape)
    presence = sp.csc_matrix(bow)[:, used]
    presence.data = np.ones_like(presence.data, dtype=np.float64)
    together = np.asarray((presence.T @ presence).todense())
    counts = np.diag(together)
    first, second = np.triu_indices(topic_words.shape[1], k=1)
    left, right = positions[:, first], positions[:, second]
    each = npmi(counts[left], counts[right], together[left, right], bow.shape[0], always=1.0)
    return each.mean(axis=1)


class _Half(NamedTuple):
    """Half of the documents, and the atoms with what is learned from them."""

    rows: np.ndarray
    atoms: AtomModel


def _read_atoms(model: SAETopicModel, texts: list[str] | None, embeddings: Any) -> sp.csr_matrix:
    doc_atoms = document_atoms(model, embeddings=embeddings)
    if texts is not None and len(texts) != doc_atoms.shape[0]:
        source = "embeddings hold" if embeddings is not None else "the model was fitted to"
        raise ValueError(
            f"documents has {len(texts)} texts; {source} {doc_atoms.shape[0]} (other documents "
            "need embeddings=)"
        )
    if doc_atoms.shape[0] < 20:
        raise ValueError(f"documents must be at least 20 to be split; found {doc_atoms.shape[0]}")
    return doc_atoms


def _split(
    model: SAETopicModel,
    doc_atoms: sp.csr_matrix,
    words: sp.csr_matrix | None,
    embeddings: np.ndarray | None,
    rng: np.random.Generator,
) -> tuple[_Half, _Half]:
    """Learn words, keywords and centroids on each half of the documents."""
    if embeddings is None:  # they are not kept; their reconstruction is near enough
        embeddings = np.asarray(doc_atoms @ model.atoms_.centroids)
    known: dict[str, Any] = {"classes": None}
    if words is None:
        known |= {"vocabulary": None, "word_vectors": None}

    def learn(rows: np.ndarray) -> _Half:
        weights = weights_of_mixtures(doc_atoms[rows])
        counts = None if words is None else words[rows]
        sums = sum_documents(weights, counts, embeddings[rows], model.sae_.n_features)
        return _Half(rows, replace(model.atoms_, sums=sums, **known))

    order = rng.permutation(doc_atoms.shape[0])
    middle = len(order) // 2
    return learn(np.sort(order[:middle])), learn(np.sort(order[middle:]))


def _check_counts(counts: Any, splits: list[tuple[_Half, _Half]]) -> list[int]:
    live = min(int((half.atoms.prevalence > 0).sum()) for split in splits for half in split)
    if counts is None:
        n_documents = sum(len(half.rows) for half in splits[0])
        most = max(min(live, n_documents // DOCUMENTS_PER_TOPIC), 2)
        return [count for count in _COUNTS if count <= most] or [most]
    listed = as_list(counts, "counts", "numbers of topics")
    chosen = sorted({check_count(count, "counts", minimum=2) for count in listed})
    if not chosen:
        raise ValueError("counts is empty")
    if chosen[-1] > live:
        raise ValueError(f"counts holds {chosen[-1]}; half of the documents have {live} live atoms")
    return chosen


def _compare(
    split: tuple[_Half, _Half],
    doc_atoms: sp.csr_matrix,
    words: sp.csr_matrix | None,
    n_topics: int,
    merge: str,
    n_words: int,
    least_overlap: float,
) -> dict[str, float]:
    """Cut both halves; return how far their topics agree and how well each predicts the other."""
    top: list[Any] = []
    labels: list[np.ndarray] = []
    predicted: list[float] = []
    for half, other in (split, split[::-1]):
        topics = cuts.cut(half.atoms, n_topics, half.atoms.choose_merge(merge))
        main, mixtures = topics.mixtures(doc_atoms)
        labels.append(main)
        if words is None:
            top.append([[]] * len(topics))
            continue
        top.append([list(map(str, row)) for row in _top_words(topics, n_words)])
        rows = other.rows[:: max(1, len(other.rows) // _HELD_OUT)]
        total, n_seen = cuts.log_likelihood(half.atoms, topics, mixtures[rows], words[rows])
        predicted.append(total / max(n_seen, 1.0))
    figures = {
        "stability": share_matched(match_topics(*top, *labels), least_overlap)["stable"],
        "ari": float(adjusted_rand_score(*labels)),
    }
    return figures | ({"log_likelihood": float(np.mean(predicted))} if predicted else {})


def _top_words(topics: Topics, n_words: int) -> np.ndarray:
    """Return the columns (T, n_words) of each topic's most probable words, or all there are."""
    assert topics.words is not None
    n_words = min(n_words, topics.words.shape[1])
    found = np.argpartition(-topics.words, n_words - 1, axis=1)[:, :n_words]
    order = np.argsort(-np.take_along_axis(topics.words, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)


def _scores(table: pd.DataFrame) -> np.ndarray:
    low, high = table.min(), table.max()
    scaled = ((table - low) / (high - low).where(high > low)).fillna(1.0)
    quality = np.mean([scaled[name] for name in QUALITY if name in scaled], axis=0)
    if "log_likelihood" not in scaled:
        return quality
    return (quality + scaled["log_likelihood"].to_numpy()) / 2


def _reason(table: pd.DataFrame, row: int) -> str:
    """Describe the recommended count beside the best values of others."""
    parts = []
    n_topics = table["n_topics"].to_numpy()
    for name in table.columns.intersection([*QUALITY, "log_likelihood"], sort=False):
        best = int(table[name].to_numpy().argmax())
        others = "the best" if best == row else f"best {table[name][best]:.3f} at {n_topics[best]}"
        parts.append(f"{name.replace('_', '-')} {table[name][row]:.3f} ({others})")
    reason = f"{n_topics[row]} topics are the best compromise of {len(table)} counts: "
    reason += "; ".join(parts)
    if len(table) > 1 and row in (0, len(table) - 1):
        side = "fewer" if row == 0 else "more"
        reason += f". It is the end of the range: try {side} topics, too"
    return reason + "."
