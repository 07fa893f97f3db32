"""Names of topics from the corpus' own phrases: distinctive, and no two alike at any level.

A good name finds the topic's documents: candidates are scored by the area under the ROC curve of
their cosine with documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linear_sum_assignment

from saetm_plugins.analysis.encoders import Encode, find_encoder
from saetm_plugins.analysis.levels import TopicLevels
from saetm_plugins.analysis.names.phrases import LONGEST, Phrases, find_phrases, name_key
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.topics import Topics
from saetm_plugins.validation import check_embeddings

_DOCUMENTS_OF_TOPIC = 80  # read for phrases and scored
_CANDIDATES = 30  # phrases of a topic that are scored, and as many of several words
_OF_CHILD = 15  # candidates that a topic hands up to its parent
_AMONG_SIBLINGS = 0.3  # weight of the AUC among siblings; the rest: among all documents
_PRESENCE = 0.3  # weight of occurring in the topic's documents, and in no others
_LEAST_PRESENCE = 0.15  # of each part of a name of several, or half of the topic's best
_TYPICAL = 0.1  # what a name gains whose words are among the topic's most telling
_RARE_NAME = 0.15  # what a proper name loses that fewer documents hold than a common noun
_WORDS_BONUS = {1: 0.0, 2: 0.04, 3: 0.02}  # two words say more than one
_PAIRED = 10  # best phrases of a topic that are also tried together
_JOINING_COST = 0.002  # what each further phrase in a name must add to the score
_ENCODED = 12  # names of several phrases of a topic that are encoded themselves
_NOT_A_NAME = -1e3


class Candidate(NamedTuple):
    """A name, its key (equal for names that read alike), and its score."""

    text: str
    key: str
    value: float


class NamingInputs(NamedTuple):
    """The documents in which names are found and tested.

    ``rows`` (n): which of the fitted documents. ``topics`` (n): their topic at the finest level.
    ``embeddings`` (n, d): unit vectors. ``phrases``: of these documents.
    """

    rows: np.ndarray
    topics: np.ndarray
    embeddings: np.ndarray
    phrases: Phrases


def name_by_phrases(
    model: SAETopicModel,
    tree: TopicLevels,
    documents: Sequence[str],
    *,
    embeddings: Any = None,
    encoder: Any = None,
) -> list[list[str]]:
    """Name the topics of all levels by phrases of the corpus; labels of the finest level stay.

    A phrase is scored by how well it separates the documents of a topic from all others and from
    those of its siblings: by its cosine with documents, if there is an encoder, and by occurring
    in them; by the topic's telling words in it; and less where it is a proper name that fewer
    documents hold than a common noun. Names are assigned so that the sum of their scores is
    largest and no two are alike.

    Parameters are those of :func:`saetm_plugins.analysis.name_levels`.
    """
    inputs = _read(model, tree, documents, embeddings)
    return _assign(model, tree, _score(model, tree, inputs, find_encoder(model, encoder)))


def name_by_words(model: SAETopicModel, tree: TopicLevels) -> list[list[str]]:
    """Name the topics of all levels by their words; labels of the finest level stay.

    For models whose documents are not at hand: the most distinctive words of each topic, as many
    of them as make the name unlike all others.
    """
    taken: set[str] = set()
    names: list[list[str]] = [[] for _ in tree.topics]
    for level in range(len(tree) - 1, -1, -1):
        topics = tree.topics[level]
        labels = topics.labels if level == len(tree) - 1 else (None,) * len(topics)
        taken |= {name_key(label) for label in labels if label}
        for topic, label in enumerate(labels):
            words = [] if label else telling_words(model, topics, topic)
            name = label or unlike(" ".join(words[:3]) or f"topic {topic}", words[3:], taken)
            taken.add(name_key(name))
            names[level].append(name)
    return names


def telling_words(model: SAETopicModel, topics: Topics, topic: int, n_words: int = 10) -> list[str]:
    """Return the words that distinguish a topic most from the corpus; none without words."""
    if topics.words is None:
        return []
    words = topics.words[topic]
    general = topics.prevalence @ topics.words
    telling = words * np.log(np.maximum(words, 1e-12) / np.maximum(general, 1e-12))
    return [str(model.vocabulary_[word]) for word in np.argsort(-telling, kind="stable")[:n_words]]


def unlike(name: str, more: Sequence[str], taken: set[str]) -> str:
    """Return `name` with as many of the words `more`, then a number, as make it unlike `taken`."""
    unique, number = name, 1
    rest = list(more)
    while name_key(unique) in taken:
        if rest:
            unique = f"{unique} {rest.pop(0)}"
        else:
            number += 1
            unique = f"{name} ({number})"
    return unique


def _read(
    model: SAETopicModel, tree: TopicLevels, documents: Sequence[str], embeddings: Any
) -> NamingInputs:
    """Choose documents of each topic, the most typical ones among them, and find their phrases."""
    texts = check_documents(documents)
    n_documents = model.doc_atoms_.shape[0]
    if len(texts) != n_documents:
        raise ValueError(
            f"documents holds {len(texts)} texts; the model was fitted to {n_documents}"
        )
    labels, doc_topics = tree.topics[-1].mixtures(model.doc_atoms_, tree.topics[-1].groups)
    chosen = []
    for topic in range(doc_topics.shape[1]):
        own = np.flatnonzero(labels == topic)
        own = own[np.argsort(-doc_topics[own, topic], kind="stable")]
        spread = np.linspace(0, max(len(own) - 1, 0), _DOCUMENTS_OF_TOPIC // 2).astype(np.int64)
        chosen.append(np.union1d(own[: _DOCUMENTS_OF_TOPIC // 2], own[spread] if len(own) else own))
    rows = np.sort(np.concatenate(chosen)).astype(np.int64)
    if embeddings is None:
        vectors = np.asarray(model.doc_atoms_[rows] @ model.atoms_.centroids)
    else:
        given = check_embeddings(embeddings, n_rows=n_documents, width=model.sae_.n_features)
        vectors = given[rows]
    phrases = find_phrases([texts[row] for row in rows], min_documents=3 if len(rows) > 300 else 2)
    return NamingInputs(rows, labels[rows], unit_rows(vectors), phrases)


def _score(
    model: SAETopicModel, tree: TopicLevels, inputs: NamingInputs, encode: Encode | None
) -> list[list[list[Candidate]]]:
    """Return the candidates of each level and topic with their scores."""
    members = [tree.ancestors(level)[inputs.topics] for level in range(len(tree))]
    presence = [
        _presence(inputs.phrases.doc_phrases, of, len(topics))
        for of, topics in zip(members, tree.topics, strict=True)
    ]
    n_words = np.array([len(text.split()) for text in inputs.phrases.texts], dtype=np.int64)
    allowed = _candidates(tree, presence, n_words)
    tried = np.flatnonzero(np.any(np.vstack(allowed), axis=0))
    ranking = None if encode is None else _Ranking(inputs, encode, tried)
    found: list[list[list[Candidate]]] = []
    for level, of in enumerate(members):
        found.append([])
        for topic in range(len(tree.topics[level])):
            near = np.ones(len(of), dtype=bool)
            if level:
                near = members[level - 1] == tree.parents[level - 1][topic]
            chosen = np.flatnonzero(allowed[level][topic])
            written = presence[level][topic][chosen]
            own = of == topic
            scored = []
            if own.any() and len(chosen):
                typical = set(telling_words(model, tree.topics[level], topic))
                scored = _score_topic(inputs.phrases, chosen, written, own, near, ranking, typical)
            found[-1].append(scored)
    return found


def _score_topic(
    phrases: Phrases,
    chosen: np.ndarray,
    written: np.ndarray,
    own: np.ndarray,
    near: np.ndarray,
    ranking: _Ranking | None,
    typical: set[str],
) -> list[Candidate]:
    """Score the phrases `chosen` (C,), and some of the best together, as names of one topic.

    ``written`` (C,): how much more of the topic's documents than of others hold each. ``own``,
    ``near`` (n,): the documents of the topic, and those of its siblings and itself. ``typical``:
    its most telling words.
    """
    texts = [phrases.texts[phrase] for phrase in chosen]
    words = [text.lower().split() for text in texts]
    bonus = np.array([_WORDS_BONUS[min(len(each), LONGEST)] for each in words])
    bonus += _TYPICAL * np.array([np.mean([word in typical for word in each]) for each in words])
    joined: list[Candidate] = []
    if ranking is None:
        values = 0.5 + written / 2 + bonus
    else:
        proper = np.array([_is_proper(text) for text in texts])
        common = written[~proper].max(initial=0)
        bonus -= _RARE_NAME * (proper & (written < common))
        areas = _area(ranking.cosines(chosen), own, near)
        values = areas + _PRESENCE * written + bonus
        best = np.argsort(-values, kind="stable")[:_PAIRED]
        best = best[written[best] >= min(_LEAST_PRESENCE, written.max() / 2)]
        weights = values[best] - areas[best]
        joined = _joined(ranking, [texts[i] for i in best], chosen[best], weights, own, near)
    singles = [
        Candidate(text, phrases.keys[phrase], float(value))
        for text, phrase, value in zip(texts, chosen, values, strict=True)
    ]
    return singles + joined


def _is_proper(text: str) -> bool:
    """Tell whether all words of a phrase begin with a capital and are no acronyms."""
    return all(word[0].isupper() and not word.isupper() for word in text.split())


def _joined(
    ranking: _Ranking,
    texts: list[str],
    chosen: np.ndarray,
    written: np.ndarray,
    own: np.ndarray,
    near: np.ndarray,
) -> list[Candidate]:
    """Score two or three of a topic's best phrases as one name of at most three words.

    All are scored by the sum of the phrases' vectors, and the best then by their own vector.
    ``written``: what occurring in the topic's documents adds to the score of each phrase.
    """
    words = [set(name_key(text).split()) for text in texts]
    groups = [
        group
        for size in (2, 3)
        for group in combinations(range(len(texts)), size)
        if sum(len(texts[phrase].split()) for phrase in group) <= LONGEST
        and len(set().union(*(words[p] for p in group))) == sum(len(words[p]) for p in group)
    ]
    if not groups:
        return []
    member = np.zeros((len(groups), len(texts)), dtype=np.float32)
    for row, group in enumerate(groups):
        member[row, list(group)] = 1
    sizes = member.sum(axis=1)
    areas = _area(ranking.cosines(chosen, member), own, near)
    values = areas + member @ written / sizes - _JOINING_COST * (sizes - 1)
    best = np.argsort(-values, kind="stable")[:_ENCODED].tolist()
    names = [", ".join(texts[phrase] for phrase in groups[row]) for row in best]
    keys = [set().union(*(words[phrase] for phrase in groups[row])) for row in best]
    exact = _area(ranking.cosines_of(names), own, near)
    values = values[best] + exact - areas[best]
    return [
        Candidate(name, " ".join(sorted(key)), float(value))
        for name, key, value in zip(names, keys, values, strict=True)
    ]


def _area(cosines: np.ndarray, own: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return how well cosines (C, n) separate documents from all others, and from those `near`."""
    among = roc_areas(cosines[:, near], own[near])
    return (1 - _AMONG_SIBLINGS) * roc_areas(cosines, own) + _AMONG_SIBLINGS * among


def roc_areas(values: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Return the area under the ROC curve of each row of values (C, n); 0.5 without a contrast."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not n_positive or not n_negative:
        return np.full(len(values), 0.5)
    negative = np.sort(values[:, ~positive], axis=1)
    areas = np.empty(len(values))
    for row, line in enumerate(values[:, positive]):  # halves for ties
        below = np.searchsorted(negative[row], line, side="left")
        not_above = np.searchsorted(negative[row], line, side="right")
        areas[row] = (below + not_above).mean() / (2 * n_negative)
    return areas


class _Ranking:
    """Cosines of phrases with documents."""

    def __init__(self, inputs: NamingInputs, encode: Encode, phrases: np.ndarray):
        self._vectors = encode([inputs.phrases.texts[phrase] for phrase in phrases])
        self._row = np.full(len(inputs.phrases.texts), -1)
        self._row[phrases] = np.arange(len(phrases))
        self._documents = inputs.embeddings
        self._encode = encode

    def cosines(self, phrases: np.ndarray, sums: np.ndarray | None = None) -> np.ndarray:
        """Return cosines with the documents, of phrases or of their `sums` (C, phrases), (C, n)."""
        vectors = self._vectors[self._row[phrases]]
        if sums is not None:
            vectors = unit_rows(sums @ vectors)
        return vectors @ self._documents.T

    def cosines_of(self, texts: list[str]) -> np.ndarray:
        """Return cosines (C, n) of further texts with the documents."""
        return self._encode(texts) @ self._documents.T


def _presence(doc_phrases: sp.csr_matrix, of: np.ndarray, n_topics: int) -> np.ndarray:
    """Return how much more of a topic's documents hold each phrase than of all others, (T, P)."""
    owner = sp.csr_matrix((np.ones(len(of)), (of, np.arange(len(of)))), shape=(n_topics, len(of)))
    inside = np.asarray((owner @ doc_phrases).todense(), dtype=np.float64)
    size = np.bincount(of, minlength=n_topics)[:, None].astype(np.float64)
    every = inside.sum(axis=0, keepdims=True)
    return inside / np.maximum(size, 1) - (every - inside) / np.maximum(len(of) - size, 1)


def _candidates(
    tree: TopicLevels, presence: list[np.ndarray], n_words: np.ndarray
) -> list[np.ndarray]:
    """Return which phrases each topic may be named after, (T, P) bool for each level."""
    found = []
    for of_level in presence:
        best = _best(of_level, _CANDIDATES)
        best |= _best(np.where(n_words > 1, of_level, 0), _CANDIDATES)
        found.append(best)
    for level in range(len(tree) - 1, 0, -1):
        handed = _best(np.where(found[level], presence[level], 0), _OF_CHILD)
        np.logical_or.at(found[level - 1], tree.parents[level - 1], handed)
    return found


def _best(values: np.ndarray, n: int) -> np.ndarray:
    """Return where the `n` largest of each row are, those that are positive."""
    best = np.zeros(values.shape, dtype=bool)
    n = min(n, values.shape[1])
    if n:
        columns = np.argsort(-values, axis=1, kind="stable")[:, :n]
        np.put_along_axis(best, columns, True, axis=1)
    return best & (values > 0)


def _assign(
    model: SAETopicModel, tree: TopicLevels, candidates: list[list[list[Candidate]]]
) -> list[list[str]]:
    """Give each topic a candidate: the largest sum of scores without two names alike."""
    names = name_by_words(model, tree)
    finest = len(tree) - 1
    labels = tree.topics[finest].labels
    taken = {name_key(label) for label in labels if label}
    free = [
        (level, topic)
        for level, topics in enumerate(tree.topics)
        for topic in range(len(topics))
        if level < finest or labels[topic] is None
    ]
    keys = sorted({c.key for level, topic in free for c in candidates[level][topic]} - taken)
    column = {key: index for index, key in enumerate(keys)}
    value = np.full((len(free), len(keys)), _NOT_A_NAME)
    texts: list[dict[int, str]] = []
    for row, (level, topic) in enumerate(free):
        texts.append({})
        for text, key, score in candidates[level][topic]:
            # A name of a coarser level is read more often.
            score *= len(tree) - level
            if key in column and score > value[row, column[key]]:
                value[row, column[key]] = score
                texts[row][column[key]] = text
    given = {}
    if free and keys:
        for row, chosen in zip(*linear_sum_assignment(value, maximize=True), strict=True):
            if value[row, chosen] > _NOT_A_NAME:
                given[row] = texts[row][chosen]
                taken.add(keys[chosen])
    for row, (level, topic) in enumerate(free):
        if row not in given:  # no candidate is left: its words
            given[row] = unlike(names[level][topic], (), taken)
            taken.add(name_key(given[row]))
        names[level][topic] = given[row]
    return names
