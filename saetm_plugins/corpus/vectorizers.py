"""Bags of words, which are scikit-learn's: counting, checking and comparing them."""

from __future__ import annotations

import copy
import inspect
import re
from array import array
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from saetm_plugins.corpus.words import WordVectorizer
from saetm_plugins.emission.inputs import check_counts
from saetm_plugins.validation import as_list, check_text

# What the default's token_pattern finds in texts of ASCII alone.
_ASCII_WORD = re.compile(r"(?a)\b[a-z]{3,}+\b(?!'t\b)")


def default_vectorizer(n_documents: int) -> CountVectorizer:
    """Count words of three or more letters, without English stop words, at most 10,000 of them.

    What is left of "didn't" and its like is no word. A word must occur in at least 5 documents, in
    fewer where the corpus is small.
    """
    min_df = 5 if n_documents >= 1000 else 2 if n_documents >= 50 else 1
    return CountVectorizer(
        stop_words="english",
        token_pattern=r"(?u)\b[^\W\d_]{3,}\b(?!['’]t\b)",
        min_df=min_df,
        max_features=10_000,
        dtype=np.float32,
    )


def copy_vectorizer(vectorizer: Any) -> Any:
    """Return a copy to fit, with all settings: clone() loses those in a constructor's ``**kwargs``.

    BERTopic's ``OnlineCountVectorizer`` takes CountVectorizer's that way, stop words among them. As
    it counts a text as CountVectorizer does, it is copied as one, which can be saved.
    """
    kind = type(vectorizer)
    parameters = inspect.signature(kind).parameters.values()
    if all(parameter.kind is not parameter.VAR_KEYWORD for parameter in parameters):
        return clone(vectorizer)
    if not isinstance(vectorizer, CountVectorizer) or _counts_otherwise(kind):
        return copy.deepcopy(vectorizer)
    names = CountVectorizer().get_params()
    return clone(CountVectorizer(**{name: getattr(vectorizer, name) for name in names}))


def _counts_otherwise(kind: type) -> bool:
    """Return whether a class derived from CountVectorizer overrides something of it."""
    derived = kind.__mro__[: kind.__mro__.index(CountVectorizer)]
    own = {name for base in derived for name in vars(base) if not name.startswith("__")}
    return bool(own & set(dir(CountVectorizer)))


def fit_vectorizer(
    vectorizer: Any, texts: Sequence[str], *, languages: Sequence[str] = (), **settings: Any
) -> tuple[sp.csr_matrix, Any]:
    """Fit a copy of `vectorizer`; return counts (n, V), float32, and the copy.

    None means the default one with some `settings`, or a :class:`WordVectorizer` of `languages`
    (ISO 639-1 codes). It learns from distinct texts: for `min_df`, copies of a text count once.
    """
    if vectorizer is not None:
        fitted = copy_vectorizer(vectorizer)
        return sp.csr_matrix(fitted.fit_transform(texts), dtype=np.float32), fitted
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    fitted = default_vectorizer(len(row_of))
    if languages:
        fitted = WordVectorizer(
            tuple(languages),
            min_df=default_vectorizer(len(row_of) // len(languages)).min_df,
            max_features=fitted.max_features * len(languages),
        )
    fitted.set_params(**settings)
    counts = _fit_default(fitted, row_of)
    return counts if len(row_of) == len(texts) else counts[[row_of[t] for t in texts]], fitted


def _fit_default(vectorizer: CountVectorizer, texts: Iterable[str]) -> sp.csr_matrix:
    """Fit a default vectorizer as its ``fit_transform`` does, and return the same counts.

    Half the time for English words: it goes through the words of a text once, in C.
    """
    if isinstance(vectorizer, WordVectorizer) or vectorizer.ngram_range != (1, 1):
        return sp.csr_matrix(vectorizer.fit_transform(texts), dtype=np.float32)
    number_of: defaultdict[str, int] = defaultdict()
    number_of.default_factory = number_of.__len__  # the next number, where a word is new
    numbers, ends = array("i"), array("q", [0])
    any_word = re.compile(vectorizer.token_pattern)
    for text in texts:
        words = (_ASCII_WORD if text.isascii() else any_word).findall(text.lower())
        numbers.extend(map(number_of.__getitem__, words))
        ends.append(len(numbers))
    shape = (len(ends) - 1, len(number_of))
    counts = sp.csr_matrix((np.ones(len(numbers), np.float32), numbers, ends), shape=shape)
    counts.sum_duplicates()
    n_documents = np.bincount(counts.indices, minlength=shape[1])
    stop_words = vectorizer.get_stop_words()
    kept = [word for word in sorted(number_of) if word not in stop_words]
    kept = [word for word in kept if n_documents[number_of[word]] >= vectorizer.min_df]
    if not kept:
        return vectorizer.fit_transform(texts)  # it says what is wrong
    columns = np.array([number_of[word] for word in kept])
    totals = np.asarray(counts.sum(axis=0)).ravel()[columns]
    largest = np.sort((-totals).argsort()[: vectorizer.max_features])  # as scikit-learn breaks ties
    vectorizer.vocabulary_ = {kept[place]: column for column, place in enumerate(largest)}
    return counts[:, columns[largest]]


def check_bow(bow: Any, vocabulary: Any, n_rows: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return a bag of words that came ready-made as float32 CSR, and its vocabulary."""
    counts = sp.csr_matrix(check_counts(bow), copy=True)  # the caller's stays as it is
    if counts.shape[0] != n_rows:
        raise ValueError(f"bow has {counts.shape[0]} rows for {n_rows} documents")
    if vocabulary is None:
        raise ValueError("bow needs vocabulary=, the words of its columns")
    listed = enumerate(as_list(vocabulary, "vocabulary", "words"))
    words = np.array([check_text(word, f"vocabulary[{i}]") for i, word in listed], dtype=object)
    if len(set(words)) < len(words):
        raise ValueError("vocabulary names a word twice")
    if len(words) != counts.shape[1]:
        raise ValueError(f"vocabulary has {len(words)} words for {counts.shape[1]} columns of bow")
    return counts, words


def count_known_words(vectorizer: Any, vocabulary: np.ndarray | None) -> Any:
    """Return a vectorizer that counts the words of `vocabulary` (V,), in its order.

    The given one is fitted to this vocabulary, or a CountVectorizer of the wanted settings.
    """
    if not hasattr(vectorizer, "transform") or not hasattr(vectorizer, "get_feature_names_out"):
        raise TypeError(f"vectorizer must be scikit-learn's; found {type(vectorizer).__name__}")
    if vocabulary is None:
        raise ValueError("vectorizer is given for a model that was fitted without words")
    if hasattr(vectorizer, "vocabulary_"):
        if np.array_equal(vectorizer.get_feature_names_out(), vocabulary):
            return vectorizer
        raise ValueError("vectorizer was fitted to another vocabulary than the model's")
    if not isinstance(vectorizer, CountVectorizer) or isinstance(vectorizer, TfidfVectorizer):
        raise ValueError(f"vectorizer must be fitted; {type(vectorizer).__name__} is not")
    made = copy_vectorizer(vectorizer)
    made.vocabulary = {word: i for i, word in enumerate(vocabulary)}
    made.get_feature_names_out()  # it counts as fitted from here on
    return made


def check_vectorizer(vectorizer: Any) -> None:
    """Refuse what cannot count words and name them, such as a HashingVectorizer."""
    needed = ("fit_transform", "transform", "get_feature_names_out", "get_params")
    if isinstance(vectorizer, type) or not all(hasattr(vectorizer, name) for name in needed):
        raise TypeError(
            "vectorizer must be an instance of a scikit-learn vectorizer that names its words; "
            f"found {vectorizer!r:.80}"
        )


def merge_vectorizers(vectorizers: Sequence[Any], vocabulary: np.ndarray | None) -> Any:
    """Return one vectorizer that counts the united vocabulary (V,) of several fitted ones, or None.

    It is the first one if that counts these words already, else a CountVectorizer of its settings.
    """
    first = vectorizers[0]
    if vocabulary is None or first is None:
        return None
    if np.array_equal(first.get_feature_names_out(), vocabulary):
        return first
    if not isinstance(first, CountVectorizer):
        return None
    return clone(first).set_params(vocabulary={word: i for i, word in enumerate(vocabulary)})
