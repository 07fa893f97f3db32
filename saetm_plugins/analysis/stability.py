"""Do topics come back? Another model, another seed, another sample of the documents.

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
from sklearn.metrics.cluster import contingency_matrix

from saetm_plugins.analysis.fitted import (
    as_topic_model,
    count_in_vocabulary,
    document_atoms,
    embed_texts,
    open_model,
    topic_names,
    topic_words,
)
from saetm_plugins.model import SAETopicModel
from saetm_plugins.progress import progress_bar
from saetm_plugins.tables import words_of_topics
from saetm_plugins.text import check_documents
from saetm_plugins.validation import (
    as_list,
    check_count,
    check_embeddings,
    check_fraction,
    check_text,
    is_integer,
)


class TopicStability(NamedTuple):
    """How far topics come back.

    Attributes
    ----------
    runs : DataFrame
        A row a comparison: ``run``; ``n_topics`` of the other model; ``stable``, the share of
        topics with a counterpart by words and by documents, and ``stable_words`` and
        ``stable_documents`` by either; ``ari`` and ``nmi`` of the documents' main topics.
    topics : DataFrame
        A row a topic: ``topic, name, words``; ``stability``, the share of comparisons in which it
        has a counterpart; ``word_overlap`` and ``document_overlap`` with it, on average; of one
        comparison also ``counterpart`` (-1: none left to match).
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

    Topics are matched one to one so that their overlap is largest in all (Hungarian method). The
    overlap of words is the share of top words in common; that of documents the Dice coefficient,
    2 |A ∩ B| / (|A| + |B|), of those whose main topic it is.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic, SaeModel, SAEClusterer, or path
        Fitted.
    other : like `model`, optional
        The model to compare with. None fits others, as `model` was, on the documents.
    documents : iterable of str, optional
        Needed to fit others with words. Beside `other`: documents to compare the two on, by
        default those that both were fitted to.
    embeddings : array-like of shape (n, d), optional
        Those of the documents; without them they are encoded, once.
    bow : sparse matrix of shape (n, V), optional
        Counts of the model's words, in place of `documents`.
    seeds : int or sequence of int, default=3
        How many seeds to fit with, or which; everything random changes, the autoencoder included
        (unless one was given to the model).
    bootstraps : int, default=0
        How many samples of the documents, drawn with replacement, to fit to.
    n_words : int, default=10
        Top words that are compared.
    least_overlap : float, default=0.5
        From which overlap on a topic counts as found again.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    TopicStability

    Raises
    ------
    TypeError, ValueError
        When an argument is not legal, the documents are not those of both models, or there is
        nothing to fit others to.
    """
    model = open_model(model)
    fitted = as_topic_model(model)
    n_words = check_count(n_words, "n_words")
    check_fraction(least_overlap, "least_overlap", closed=True)
    if other is None:
        drawn = check_seeds(seeds, fitted.random_state)
        bootstraps = check_count(bootstraps, "bootstraps", minimum=0)
        if not drawn and not bootstraps:
            raise ValueError("seeds and bootstraps are both 0: there is nothing to compare with")
        corpus = _Corpus.of(model, documents, embeddings, bow)
        labels = fitted.topics_of(document_atoms(fitted, embeddings=corpus.embeddings))[0]
        found = _refits(fitted, corpus, drawn, bootstraps)
        compared = progress_bar(
            found, total=len(drawn) + bootstraps, disable=not verbose, desc="Fitting"
        )
    else:
        other = open_model(other)
        labels = _main_topics(model, documents, embeddings)
        others = _main_topics(other, documents, embeddings)
        if len(labels) != len(others):
            raise ValueError(
                f"other was fitted to {len(others)} documents, model to {len(labels)}; pass "
                "documents= or embeddings= to compare them on the same ones"
            )
        compared = [("other", as_topic_model(other), others)]
    words = words_of_topics(fitted, n_words)
    runs, matches = [], []
    for run, another, its_labels in compared:
        match = match_topics(words, words_of_topics(another, n_words), labels, its_labels)
        runs.append(_summarize(run, another.n_topics_, match, labels, its_labels, least_overlap))
        matches.append(match)
    return TopicStability(pd.DataFrame(runs), _by_topic(model, matches, n_words, least_overlap))


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

    Raises
    ------
    TypeError, ValueError
        When words are no lists of words, or labels are no topics of theirs.
    """
    words, other_words = _check_words(words, "words"), _check_words(other_words, "other_words")
    labels = _check_labels(labels, "labels", len(words))
    other_labels = _check_labels(other_labels, "other_labels", len(other_words))
    if len(labels) != len(other_labels):
        raise ValueError(f"labels has {len(labels)} entries, other_labels {len(other_labels)}")
    by_documents = _document_overlap(labels, other_labels, len(words), len(other_words))
    by_words = _word_overlap(words, other_words)
    together = by_documents if by_words is None else (by_words + by_documents) / 2
    rows, columns = linear_sum_assignment(together, maximize=True)
    found = pd.DataFrame({"counterpart": np.full(len(words), -1), "word_overlap": 0.0})
    found["document_overlap"] = 0.0
    found.loc[rows, "counterpart"] = columns
    found.loc[rows, "document_overlap"] = by_documents[rows, columns]
    if by_words is None:
        found["word_overlap"] = np.nan
    else:
        found.loc[rows, "word_overlap"] = by_words[rows, columns]
    return found


def _check_words(words: Any, name: str) -> list[list[str]]:
    topics = [
        as_list(row, f"{name}[{i}]", "words")
        for i, row in enumerate(as_list(words, name, "lists of words"))
    ]
    for row, own in enumerate(topics):
        for word in own:
            check_text(word, f"{name}[{row}]: each")
    if not topics:
        raise ValueError(f"{name} holds no topics")
    return topics


def _check_labels(labels: Any, name: str, n_topics: int) -> np.ndarray:
    found = as_list(labels, name, "numbers of topics")
    if not all(is_integer(label) and -1 <= label < n_topics for label in found):
        raise ValueError(f"{name} must be numbers of topics, -1 to {n_topics - 1}")
    return np.array(found, dtype=np.int64)


def share_matched(match: pd.DataFrame, least_overlap: float) -> dict[str, float]:
    """Return the shares of topics with a counterpart: by both, by words, by documents."""
    kept = {
        "stable": is_stable(match, least_overlap),
        "stable_words": match["word_overlap"] >= least_overlap,
        "stable_documents": match["document_overlap"] >= least_overlap,
    }
    shares = {name: float(found.mean()) for name, found in kept.items()}
    if match["word_overlap"].isna().all():
        shares["stable_words"] = np.nan
    return shares


def is_stable(match: pd.DataFrame, least_overlap: float) -> pd.Series:
    """Tell which topics have a counterpart, by words (where there are any) and by documents."""
    by_words = match["word_overlap"].isna() | (match["word_overlap"] >= least_overlap)
    return by_words & (match["document_overlap"] >= least_overlap)


def check_seeds(seeds: Any, base: Any) -> list[int]:
    """Return seeds as a list; a number of them follow on the model's own, `base`.

    Raises
    ------
    TypeError, ValueError
    """
    if is_integer(seeds):
        seeds = check_count(seeds, "seeds", minimum=0)
        first = int(base) + 1 if is_integer(base) else 1
        return list(range(first, first + int(seeds)))
    listed = as_list(seeds, "seeds", "a count or a list of seeds")
    if not all(is_integer(seed) and 0 <= seed < 2**32 for seed in listed):
        raise TypeError(f"seeds must be a count or a list of seeds; found {seeds!r:.80}")
    return [int(seed) for seed in listed]


class _Corpus(NamedTuple):
    """What models are fitted to again."""

    embeddings: np.ndarray
    counts: sp.csr_matrix | None

    @classmethod
    def of(cls, model: Any, documents: Any, embeddings: Any, bow: Any) -> _Corpus:
        fitted = as_topic_model(model)
        texts = None if documents is None else check_documents(documents)
        if embeddings is None and texts is None:
            raise ValueError(
                "documents or embeddings are needed to fit others; or pass another model"
            )
        if embeddings is None:
            embeddings = embed_texts(model, texts)
        embeddings = check_embeddings(
            embeddings,
            n_rows=None if texts is None else len(texts),
            width=fitted.sae_.n_features,
        )
        return cls(embeddings, count_in_vocabulary(model, len(embeddings), texts, bow))

    def fit(self, fitted: SAETopicModel, seed: int, rows: np.ndarray | None = None) -> Any:
        """Fit a model with the settings of another to the documents, or to some."""
        settings = {name: getattr(fitted, name) for name in SAETopicModel().get_params()}
        settings |= {"random_state": seed, "n_topics": fitted.n_topics_, "verbose": False}
        counts, embeddings = self.counts, self.embeddings
        if rows is not None:
            embeddings = embeddings[rows]
            counts = None if counts is None else counts[rows]
        words = {} if counts is None else {"bow": counts, "vocabulary": fitted.vocabulary_}
        return SAETopicModel(**settings).fit(None, embeddings=embeddings, **words)


def _refits(
    fitted: SAETopicModel, corpus: _Corpus, seeds: list[int], bootstraps: int
) -> Iterator[tuple[str, SAETopicModel, np.ndarray]]:
    """Yield a name, a model fitted anew and its main topics of the documents."""
    for seed in seeds:
        model = corpus.fit(fitted, seed)
        yield f"seed {seed}", model, model.labels_
    base = fitted.random_state if is_integer(fitted.random_state) else 0
    n_documents = len(corpus.embeddings)
    for number in range(1, bootstraps + 1):
        rows = np.random.default_rng([base, number]).integers(n_documents, size=n_documents)
        model = corpus.fit(fitted, base, np.sort(rows))
        yield (
            f"bootstrap {number}",
            model,
            model.topics_of(model.atoms_.mixtures(corpus.embeddings))[0],
        )


def _main_topics(model: Any, documents: Any, embeddings: Any) -> np.ndarray:
    fitted = as_topic_model(model)
    if documents is None and embeddings is None:
        return np.asarray(fitted.labels_)
    source = fitted if embeddings is not None else model
    return fitted.topics_of(document_atoms(source, documents, embeddings))[0]


def _document_overlap(
    labels: np.ndarray, other_labels: np.ndarray, n_topics: int, n_others: int
) -> np.ndarray:
    """Return the Dice coefficient (T, U) of the documents of each two topics."""
    both = (labels >= 0) & (other_labels >= 0)
    shared = np.zeros((n_topics, n_others))
    if both.any():
        first, second = np.unique(labels[both]), np.unique(other_labels[both])
        shared[np.ix_(first, second)] = contingency_matrix(labels[both], other_labels[both])
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


def _summarize(
    run: str,
    n_topics: int,
    match: pd.DataFrame,
    labels: np.ndarray,
    other_labels: np.ndarray,
    least_overlap: float,
) -> dict[str, Any]:
    return {
        "run": run,
        "n_topics": n_topics,
        **share_matched(match, least_overlap),
        "ari": adjusted_rand_score(labels, other_labels),
        "nmi": normalized_mutual_info_score(labels, other_labels),
    }


def _by_topic(
    model: Any, matches: list[pd.DataFrame], n_words: int, least_overlap: float
) -> pd.DataFrame:
    names = topic_names(model)
    found = pd.DataFrame({"topic": np.arange(len(names)), "name": names})
    found["words"] = topic_words(model, n_words)
    found["stability"] = np.mean([is_stable(match, least_overlap) for match in matches], axis=0)
    for column in ("word_overlap", "document_overlap"):
        found[column] = np.mean([match[column] for match in matches], axis=0)
    if len(matches) == 1:
        found["counterpart"] = matches[0]["counterpart"]
    return found
