"""The languages of a corpus, and what a fit does with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.corpus.read import Corpus
from saetm_plugins.corpus.vectorizers import merge_vectorizers
from saetm_plugins.corpus.words import (
    WordVectorizer,
    check_languages,
    choose_languages,
    detect_languages,
    find_even_words,
    words_by_language,
)
from saetm_plugins.validation import as_list


@dataclass(frozen=True)
class CorpusLanguages:
    """Languages of a corpus.

    Attributes
    ----------
    codes : tuple of str
        ISO 639-1; empty for English alone, whose words the default vectorizer finds.
    of_rows : list of str or None, or None
        The language of each row of the corpus, where there are several languages.
    """

    codes: tuple[str, ...] = ()
    of_rows: Sequence[str | None] | None = None

    def drop_stop_words(self, corpus: Corpus, row_atoms: sp.csr_matrix) -> Corpus:
        """Leave out words that occur evenly in texts of all subjects, but for texts in English.

        Each language is looked at by itself; `row_atoms` (m, K) are mixtures.
        """
        counts, vectorizer = corpus.counts, corpus.vectorizer
        if not self.codes or counts is None or not isinstance(vectorizer, WordVectorizer):
            return corpus
        even = np.zeros(counts.shape[1], dtype=bool)
        of_rows = np.array([code or "" for code in self.of_rows or []])
        for code in self.codes:
            rows = np.flatnonzero(of_rows == code) if len(of_rows) else slice(None)
            even |= find_even_words(row_atoms[rows], counts[rows])
        if not even.any() or even.all():
            return corpus
        assert corpus.vocabulary is not None
        words = corpus.vocabulary[~even]
        vectorizer = merge_vectorizers([vectorizer], words)
        counts = sp.csr_matrix(counts[:, ~even])
        return replace(corpus, counts=counts, vocabulary=words, vectorizer=vectorizer)

    def words_of_languages(self, corpus: Corpus) -> dict[str, list[str]] | None:
        """Return the words of each language; None where there is one language, or no words."""
        if self.of_rows is None or corpus.counts is None or corpus.vocabulary is None:
            return None
        return words_by_language(corpus.counts, corpus.vocabulary, self.of_rows)


def read_languages(language: Any, languages: Any, corpus: Corpus) -> CorpusLanguages:
    """Find the languages of a corpus.

    `language` is as of :class:`~saetm_plugins.SAETopicModel`, `languages` the language of each
    document, names or codes, or None.
    """
    given = None
    if languages is not None:
        if corpus.texts is None:
            raise TypeError("languages need documents, one for each")
        names = as_list(languages, "languages", "the language of each document")
        if len(names) != len(corpus.texts):
            raise ValueError(f"languages names {len(names)} for {len(corpus.texts)} documents")
        wrong = [name for name in names if not isinstance(name, str)]
        if wrong:
            raise TypeError(f"languages must hold names or codes; found {wrong[0]!r:.80}")
        codes = {name: check_languages(name, "languages")[0] for name in set(names)}
        given = [codes[name] for name in names]
    if corpus.texts is None:
        return CorpusLanguages()
    found = choose_languages(language, corpus.texts, given)
    if len(found) < 2:
        return CorpusLanguages(found)
    known = {*found, None}
    each = detect_languages(corpus.texts) if given is None else given
    each = [code if code in known else None for code in each]
    if corpus.passages is not None:
        each = [each[row] for row in corpus.passages.documents]
    return CorpusLanguages(found, each)


def unite(several: Sequence[dict[str, list[str]] | None]) -> dict[str, list[str]] | None:
    """Return the words of each language of several models; None where one does not know them."""
    united: dict[str, set[str]] = {}
    for words in several:
        if words is None:
            return None
        for code, own in words.items():
            united.setdefault(code, set()).update(own)
    return {code: sorted(own) for code, own in united.items()}
