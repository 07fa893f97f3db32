"""Stability: topics that return in another model, with another seed, or in another sample.

Greene, O'Callaghan & Cunningham, "How many topics? Stability analysis for topic models", ECML PKDD
2014, match topics of two models one to one by their top words; here their documents count too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from saetm_plugins.analysis.fitted import (
    as_topic_model,
    count_in_vocabulary,
    document_atoms,
    topic_names,
    topic_words,
)
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.model import SAETopicModel
from saetm_plugins.model_tables import words_of_topics
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import (
    as_list,
    check_count,
    check_embeddings,
    check_fraction,
    is_integer,
)

_ALL = slice(None)


class TopicStability(NamedTuple):
    """How stable topics are.

    Attributes
    ----------
    runs : DataFrame
        A row a comparison: ``run``; ``n_topics`` of the other model; ``stable``, the share of
        topics with a counterpart by words and by documents, and ``stable_words`` and
        ``stable_documents`` by either; ``ari`` and ``nmi`` of the documents' main topics.
    topics : DataFrame
        A row a topic: ``topic, name, words``; ``stability``, the share of comparisons in which it
        has a counterpart; ``word_overlap`` and ``document_overlap`` with it, on average; for one
        comparison also ``counterpart`` (-1: the other model has too few topics).
    """

    runs: pd.DataFrame
    topics: pd.DataFrame


def topic_stability(
    model: Any,
    other: Any = None,
    *,
    documents: Any = None,
    embeddings: Any = None,
    bow: Any = None,
    seeds: int | Sequence[int] = 3,
    bootstraps: int = 0,
    n_words: int = 10,
    least_overlap: float = 0.5,
    verbose: bool = False,
) -> TopicStability:
    """Return the share of topics with a counterpart in other models of the same documents.

    Topics are matched one to one so that the sum of overlaps is largest (Hungarian method). The
    overlap of words is the share of top words in common; the overlap of documents is the Dice
    coefficient, 2 |A ∩ B| / (|A| + |B|), of those whose main topic it is.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    other : like `model`, optional
        The model to compare with. None fits others, as `model` was, on the documents.
    documents : iterable of str, optional
        Needed to fit others with words. With `other`: documents to compare the two on, by default
        those that both were fitted to.
    embeddings : array-like of shape (n, d), optional
        Of the documents; None encodes them, once.
    bow : sparse matrix of shape (n, V), optional
        Counts of the model's words, in place of `documents`.
    seeds : int or sequence of int, default=3
        How many seeds to fit with, or which; a seed changes everything random, the autoencoder
        included (unless one was given to the model).
    bootstraps : int, default=0
        How many samples of the documents, drawn with replacement, to fit to.
    n_words : int, default=10
        Top words that are compared.
    least_overlap : float, default=0.5
        Overlap from which on a topic has a counterpart.
    verbose : bool, default=False
        Show a progress bar.
    """
    model = as_topic_model(model)
    n_words = check_count(n_words, "n_words")
    check_fraction(least_overlap, "least_overlap", closed=True)
    if other is None:
        drawn = _read_seeds(seeds, model.random_state)
        bootstraps = check_count(bootstraps, "bootstraps", minimum=0)
        if not drawn and not bootstraps:
            raise ValueError("seeds and bootstraps are both 0: there is nothing to compare with")
        corpus = _Corpus.of(model, documents, embeddings, bow)
        labels = model.topics_of(document_atoms(model, embeddings=corpus.embeddings))[0]
        compared = progress_bar(
            _refits(model, corpus, drawn, bootstraps),
            total=len(drawn) + bootstraps,
            disable=not verbose,
            desc="Fitting",
        )
    else:
        other = as_topic_model(other)
        labels = _main_topics(model, documents, embeddings)
        others = _main_topics(other, documents, embeddings)
        if len(labels) != len(others):
            raise ValueError(
                f"other was fitted to {len(others)} documents, model to {len(labels)}; pass "
                "documents= or embeddings= to compare them on the same ones"
            )
        compared = [("other", other, others)]
    words = words_of_topics(model, n_words)
    runs, matches = [], []
    for run, another, its_labels in compared:
        match = match_topics(words, words_of_topics(another, n_words), labels, its_labels)
        runs.append(
            {
                "run": run,
                "n_topics": another.n_topics_,
                **share_matched(match, least_overlap),
                "ari": adjusted_rand_score(labels, its_labels),
                "nmi": normalized_mutual_info_score(labels, its_labels),
            }
        )
        matches.append(match)
    topics = pd.DataFrame({"topic": np.arange(model.n_topics_), "name": topic_names(model)})
    topics["words"] = topic_words(model, n_words)
    topics["stability"] = np.mean([_is_stable(match, least_overlap) for match in matches], axis=0)
    for column in ("word_overlap", "document_overlap"):
        topics[column] = np.mean([match[column] for match in matches], axis=0)
    if len(matches) == 1:
        topics["counterpart"] = matches[0]["counterpart"]
    return TopicStability(pd.DataFrame(runs), topics)


def match_topics(
    words: Sequence[Sequence[str]],
    other_words: Sequence[Sequence[str]],
    labels: np.ndarray,
    other_labels: np.ndarray,
) -> pd.DataFrame:
    """Match the topics of two models one to one, by words and documents alike.

    Parameters
    ----------
    words, other_words : list of T and of U lists of str
        Top words of each topic; empty lists leave words out.
    labels, other_labels : ndarray of shape (n,), int
        Main topic of each document; -1: none.

    Returns
    -------
    DataFrame
        A row a topic of the first: ``counterpart`` (-1 where the other has too few topics),
        ``word_overlap`` (missing without words), ``document_overlap``; both 0 without counterpart.
    """
    labels = _check_labels(labels, "labels", len(words))
    other_labels = _check_labels(other_labels, "other_labels", len(other_words))
    if len(labels) != len(other_labels):
        raise ValueError(f"labels has {len(labels)} entries, other_labels {len(other_labels)}")
    by_documents = _document_overlap(labels, other_labels, len(words), len(other_words))
    by_words = _word_overlap(words, other_words)
    together = by_documents if by_words is None else (by_words + by_documents) / 2
    rows, columns = linear_sum_assignment(together, maximize=True)
    start = {"counterpart": -1, "word_overlap": 0.0, "document_overlap": 0.0}
    found = pd.DataFrame(start, index=range(len(words)))
    found.loc[rows, "counterpart"] = columns
    found.loc[rows, "document_overlap"] = by_documents[rows, columns]
    if by_words is None:
        return found.assign(word_overlap=np.nan)
    found.loc[rows, "word_overlap"] = by_words[rows, columns]
    return found


def _check_labels(labels: Any, name: str, n_topics: int) -> np.ndarray:
    found = as_list(labels, name, "numbers of topics")
    if not all(is_integer(label) and -1 <= label < n_topics for label in found):
        raise ValueError(f"{name} must be numbers of topics, -1 to {n_topics - 1}")
    return np.array(found, dtype=np.int64)


def share_matched(match: pd.DataFrame, least_overlap: float) -> dict[str, float]:
    """Return the shares of topics with a counterpart: by both, by words, by documents."""
    by_words = match["word_overlap"] >= least_overlap
    return {
        "stable": float(_is_stable(match, least_overlap).mean()),
        "stable_words": np.nan if match["word_overlap"].isna().all() else float(by_words.mean()),
        "stable_documents": float((match["document_overlap"] >= least_overlap).mean()),
    }


def _is_stable(match: pd.DataFrame, least_overlap: float) -> pd.Series:
    """Tell which topics have a counterpart, by words (if there are any) and by documents."""
    by_words = match["word_overlap"].isna() | (match["word_overlap"] >= least_overlap)
    return by_words & (match["document_overlap"] >= least_overlap)


def _read_seeds(seeds: Any, base: Any) -> list[int]:
    """Return seeds as a list; a number of them follow on the model's own, `base`."""
    if is_integer(seeds):
        first = int(base) + 1 if is_integer(base) else 1
        return list(range(first, first + check_count(seeds, "seeds", minimum=0)))
    listed = as_list(seeds, "seeds", "a count or a list of seeds")
    if not all(is_integer(seed) and 0 <= seed < 2**32 for seed in listed):
        raise TypeError(f"seeds must be a count or a list of seeds; found {seeds!r:.80}")
    return [int(seed) for seed in listed]


class _Corpus(NamedTuple):
    """The documents to which models are fitted again."""

    embeddings: np.ndarray
    counts: sp.csr_matrix | None

    @classmethod
    def of(cls, model: SAETopicModel, documents: Any, embeddings: Any, bow: Any) -> _Corpus:
        texts = None if documents is None else check_documents(documents)
        if embeddings is None and texts is None:
            raise ValueError(
                "documents or embeddings are needed to fit others; or pass another model"
            )
        if embeddings is None:
            embeddings = model.encode(texts)
        n_rows = None if texts is None else len(texts)
        embeddings = check_embeddings(embeddings, n_rows=n_rows, width=model.sae_.n_features)
        return cls(embeddings, count_in_vocabulary(model, len(embeddings), texts, bow))

    def fit(
        self, model: SAETopicModel, seed: int, rows: np.ndarray | slice = _ALL
    ) -> SAETopicModel:
        """Fit a model with the settings of another to the documents, or to some."""
        settings = {name: getattr(model, name) for name in SAETopicModel().get_params()}
        settings |= {"random_state": seed, "n_topics": model.n_topics_, "verbose": False}
        if model.atoms_.word_vectors is None:  # it was fitted without, whatever its encoder
            settings["word_vectors"] = "corpus"
        words = {}
        if self.counts is not None:
            words = {"bow": self.counts[rows], "vocabulary": model.vocabulary_}
        return SAETopicModel(**settings).fit(None, embeddings=self.embeddings[rows], **words)


def _refits(
    model: SAETopicModel, corpus: _Corpus, seeds: list[int], bootstraps: int
) -> Iterator[tuple[str, SAETopicModel, np.ndarray]]:
    """Yield a name, a model fitted anew and its main topics of the documents."""
    for seed in seeds:
        again = corpus.fit(model, seed)
        yield f"seed {seed}", again, again.labels_
    base = model.random_state if is_integer(model.random_state) else 0
    n_documents = len(corpus.embeddings)
    for number in range(1, bootstraps + 1):
        rows = np.random.default_rng([base, number]).integers(n_documents, size=n_documents)
        again = corpus.fit(model, base, np.sort(rows))
        labels = again.topics_of(again.atoms_.mixtures(corpus.embeddings))[0]
        yield f"bootstrap {number}", again, labels


def _main_topics(model: SAETopicModel, documents: Any, embeddings: Any) -> np.ndarray:
    if documents is None and embeddings is None:
        return np.asarray(model.labels_)
    return model.topics_of(document_atoms(model, documents, embeddings))[0]


def _document_overlap(
    labels: np.ndarray, other_labels: np.ndarray, n_topics: int, n_others: int
) -> np.ndarray:
    """Return the Dice coefficient (T, U) of the documents of each two topics."""
    both = (labels >= 0) & (other_labels >= 0)
    pairs = (np.ones(both.sum()), (labels[both], other_labels[both]))
    shared = sp.coo_matrix(pairs, shape=(n_topics, n_others)).toarray()
    sizes = np.bincount(labels[labels >= 0], minlength=n_topics)[:, None]
    sizes = sizes + np.bincount(other_labels[other_labels >= 0], minlength=n_others)
    return 2 * shared / np.maximum(sizes, 1)


def _word_overlap(
    words: Sequence[Sequence[str]], other_words: Sequence[Sequence[str]]
) -> np.ndarray | None:
    """Return the share (T, U) of top words that each two topics have in common."""
    if not all(map(len, words)) or not all(map(len, other_words)):
        return None
    sets, others = [set(row) for row in words], [set(row) for row in other_words]
    return np.array([[len(a & b) / max(len(a), len(b)) for b in others] for a in sets])
