"""The languages of a corpus, and what a fit does with them."""

from __future__ import annotations

import re
import warnings
from collections import Counter
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
    is_english,
    words_by_language,
)
from saetm_plugins.validation import as_list

_MEANING = re.compile(r"[^\W\d_]{2}|[\u0e00-\u0eff\u3040-\u9fff\uac00-\ud7af]")
_NO_ANSWER = re.compile(r"\W*(n/?a|nan|none|null|nil)\W*", re.IGNORECASE)
_SAMPLE = 400  # texts whose language is looked at
_FEW = 0.2  # of the texts: more are no exceptions


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


def warn_of_texts(corpus: Corpus, languages: CorpusLanguages) -> None:
    """Warn, once, of texts that say hardly anything and of texts in another language than most.

    Languages are those of up to 400 texts; where they have several words lists
    (:attr:`CorpusLanguages.of_rows`), or the user said them, there is nothing to say.
    """
    if corpus.texts is None:
        return
    blank, remarks = corpus.blank_documents, []
    texts = [text for text, skip in zip(corpus.texts, blank, strict=True) if not skip]
    empty: list[str] = []
    full: list[str] = []
    for text in texts:
        says = _MEANING.search(text) and not _NO_ANSWER.fullmatch(text)
        (full if says else empty).append(text)
    if empty and full:
        examples = ", ".join(repr(text.strip()[:20]) for text, _ in Counter(empty).most_common(3))
        remarks.append(f"{len(empty)} of {len(texts)} documents say hardly anything ({examples})")
    step = max(1, len(full) // _SAMPLE)
    if languages.of_rows is None and len(languages.codes) < 2:
        (most,) = languages.codes or ("en",)
        sample = [text for text in full[::step] if most != "en" or not is_english(text)]
        others = Counter(code for code in detect_languages(sample) if code not in (None, most))
        if 0 < (n := others.total() * step) < _FEW * len(texts):
            codes = ", ".join(str(code) for code, _ in others.most_common(5))
            remarks.append(f"{'some ' if step > 1 else ''}{n} are not in {most!r} ({codes})")
    if remarks:
        message = f"{' and '.join(remarks)}: the topics of such documents mean little"
        warnings.warn(message, UserWarning, stacklevel=3)


def unite(several: Sequence[dict[str, list[str]] | None]) -> dict[str, list[str]] | None:
    """Return the words of each language of several models; None where one does not know them."""
    united: dict[str, set[str]] = {}
    for words in several:
        if words is None:
            return None
        for code, own in words.items():
            united.setdefault(code, set()).update(own)
    return {code: sorted(own) for code, own in united.items()}
