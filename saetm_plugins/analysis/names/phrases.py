"""Noun phrases of a corpus, found by the words around them; they serve as names of topics."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

LONGEST = 3  # words of a phrase
_TOKENS_READ = 600  # the first words of a document
_LEAST_LETTERS = 3
_LONGEST_ACRONYM = 6


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that precede nouns or noun phrases, and words that precede verbs. A corpus without them
# (lemmatised, or in another language) excludes no word as a verb.
_BEFORE_NOUNS = _words(
    "a an the this that these those my your his her its our their some any no each every another "
    "of in on for with from by about into between against without per other"
)
_BEFORE_VERBS = _words(
    "i you we they he she it who to will would can could should shall may might must do does did "
    "don't doesn't didn't not never let please i'd i'll you'll we'll they'll can't won't"
)
_JOINS_NOUNS = frozenset(["of"])
_NOT_NAMES = _words(
    "article wrote writes thing things lot lots way ways bit kind sort example fact etc edu com "
    "people time times year years day days today said says say just like really using used use "
    "good great new old little big best better right want need make made know think got getting "
    "going come came look looking mr mrs ms don doesn didn isn wasn couldn wouldn ll ve"
)
_SPLIT = re.compile(r"[^\w\s'’\-]+|_+|\n\s*\n")
_TOKEN = re.compile(r"[^\W_](?:[\w'’\-]*[^\W_])?")


class Phrases(NamedTuple):
    """Phrases of some documents.

    ``texts`` (P): in their most frequent spelling. ``keys`` (P): equal for phrases that read alike,
    such as a plural. ``doc_phrases`` (n, P) csr_matrix: 1 where a document holds a phrase.
    """

    texts: list[str]
    keys: list[str]
    doc_phrases: sp.csr_matrix


def find_phrases(documents: Sequence[str], *, min_documents: int = 3) -> Phrases:
    """Find the noun phrases of one to three words that at least `min_documents` hold.

    A phrase neither starts nor ends with a stop word and holds no punctuation. Its first and last
    words follow "the", "of", "my" and the like, as nouns do, more often than "to", "they" or
    "would", as verbs do.

    Parameters
    ----------
    documents : sequence of str, length n
    min_documents : int, default=3
    """
    stops = frozenset(ENGLISH_STOP_WORDS) | _NOT_NAMES | _BEFORE_NOUNS | _BEFORE_VERBS
    segments = [_segments(document) for document in documents]
    verbs = _verbs(segments)
    written: dict[str, Counter[str]] = {}
    found: list[set[str]] = []
    for of_document in segments:
        here = set()
        for tokens in of_document:
            lower = [token.lower() for token in tokens]
            for first, last in _spans(lower, stops, verbs):
                phrase = " ".join(lower[first:last])
                here.add(phrase)
                written.setdefault(phrase, Counter())[" ".join(tokens[first:last])] += 1
        found.append(here)
    counts = Counter(phrase for here in found for phrase in here)
    kept = sorted(phrase for phrase, count in counts.items() if count >= min_documents)
    column = {phrase: index for index, phrase in enumerate(kept)}
    rows = [[column[phrase] for phrase in sorted(here) if phrase in column] for here in found]
    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.fromiter((index for row in rows for index in row), np.int32, indptr[-1])
    matrix = sp.csr_matrix(
        (np.ones(len(indices), np.float32), indices, indptr), (len(rows), len(kept))
    )
    texts = [_usual(written[phrase]) for phrase in kept]
    return Phrases(texts, [name_key(phrase) for phrase in kept], matrix)


def name_key(name: str) -> str:
    """Return a key that is equal for names that read alike: lower case, no plurals or marks."""
    words = re.findall(r"\w+", name.lower())
    return " ".join(_singular(word) for word in words)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _segments(document: str) -> list[list[str]]:
    """Return the words of a document, split at punctuation."""
    found: list[list[str]] = []
    left = _TOKENS_READ
    for part in _SPLIT.split(document[: 20 * _TOKENS_READ]):
        tokens = _TOKEN.findall(part)[:left]
        if tokens:
            found.append(tokens)
        left -= len(tokens)
        if left <= 0:
            break
    return found


def _verbs(segments: Iterable[list[list[str]]]) -> frozenset[str]:
    """Return the words that follow "to" and the like more often than "the" and the like."""
    balance: Counter[str] = Counter()
    for of_document in segments:
        for tokens in of_document:
            lower = [token.lower() for token in tokens]
            for before, word in pairwise(lower):
                if before in _BEFORE_NOUNS:
                    balance[word] += 1
                elif before in _BEFORE_VERBS:
                    balance[word] -= 1
    return frozenset(word for word, evidence in balance.items() if evidence < 0)


def _spans(
    lower: list[str], stops: frozenset[str], verbs: frozenset[str]
) -> Iterable[tuple[int, int]]:
    """Yield where phrases begin and end among the words of a segment."""
    names = [
        len(word) >= _LEAST_LETTERS
        and not word[0].isdigit()
        and word not in stops
        and word not in verbs
        and not (word.endswith("ly") and len(word) > 5)
        and not word.endswith(("n't", "n’t"))
        for word in lower
    ]
    for first, usable in enumerate(names):
        if not usable:
            continue
        yield first, first + 1
        if first + 1 < len(lower) and names[first + 1]:
            yield first, first + 2
            if first + 2 < len(lower) and names[first + 2]:
                yield first, first + 3
        elif first + 2 < len(lower) and lower[first + 1] in _JOINS_NOUNS and names[first + 2]:
            yield first, first + 3


def _usual(written: Counter[str]) -> str:
    """Return the most frequent spelling of a phrase; of equally frequent ones, lower case."""
    shouted = {text for text in written if text.isupper() and len(text) > _LONGEST_ACRONYM}
    texts = {text: count for text, count in written.items() if text not in shouted}
    if not texts:
        return min(shouted).title()
    most = max(texts.values())
    return max((text for text in texts if texts[text] == most), key=lambda t: (t.islower(), t))
