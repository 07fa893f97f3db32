"""Words of other languages than English: which languages a corpus is in, and what its words are.

Segmentation, lists of stop words and the guess of a language are well-kept libraries': rjieba for
Chinese, SudachiPy for Japanese, pythainlp for Thai, stopwordsiso, py3langid (extra "languages").
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, CountVectorizer

from saetm_plugins.numerics.arrays import column_sums

KEEP = ("digits", "numbers", "hashtags")
NAMES = {
    "arabic": "ar", "bengali": "bn", "bulgarian": "bg", "catalan": "ca", "chinese": "zh",
    "czech": "cs", "danish": "da", "dutch": "nl", "english": "en", "finnish": "fi", "french": "fr",
    "german": "de", "greek": "el", "hebrew": "he", "hindi": "hi", "hungarian": "hu",
    "indonesian": "id", "italian": "it", "japanese": "ja", "korean": "ko", "norwegian": "no",
    "persian": "fa", "polish": "pl", "portuguese": "pt", "romanian": "ro", "russian": "ru",
    "spanish": "es", "swedish": "sv", "thai": "th", "turkish": "tr", "ukrainian": "uk",
    "urdu": "ur", "vietnamese": "vi",
}  # fmt: skip
_EXTRA = "pip install 'saetm-plugins[languages]'"
_SAMPLE = 400  # texts looked at, and characters of each
_CHARACTERS = 600
_VARIANTS = {"ary": "ar", "arz": "ar", "nb": "no", "nn": "no"}  # py3langid's, by stopwordsiso's
_LEAST_DOCUMENTS, _LEAST_SHARE = 30, 0.1  # of a word; the atoms of fewer vary by chance
_LEAST_EVENNESS = 0.9
_PROSE = 0.15  # of words are stop words, at least, in running text of a language
_LEAST = 0.05  # of the texts: a language in fewer is not one of the corpus
_HAN = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_KANA = r"\u3041-\u3096\u30a1-\u30fa\u30fc"
_THAI = r"\u0e01-\u0e3a\u0e40-\u0e4e"
_UNSPACED = re.compile(rf"(?P<east>[{_HAN}{_KANA}々]+)|(?P<thai>[{_THAI}]+)")
_SEGMENTED = 3.5  # characters: runs shorter than this on average are words already
_ELISION = re.compile(
    r"^(?:[cdjlmnst]|qu|jusqu|lorsqu|puisqu|quoiqu|dell|all|nell|sull|dall|quest|quell)'(?=..)"
)
# Scripts whose words of two letters mean something; elsewhere those in capitals do (EU).
_SHORT = re.compile(
    r"[\u0590-\u0dff\u0e00-\u10ff\u1100-\u11ff\u1780-\u17ff\u3040-\u9fff\uac00-\ud7af]"
)
_CONTENT = ("名詞", "動詞", "形容詞", "形状詞", "副詞")  # nouns, verbs, adjectives, adverbs


class WordVectorizer(CountVectorizer):
    """Count the words of texts in any language.

    Words are letters with their marks (ü, हि), hyphens apart and apostrophes within (aujourd'hui;
    an elided article goes: l'été counts as été). They have three letters or more; two where the
    script has short words, or in capitals (AI, EU). Chinese, Japanese and Thai are segmented;
    texts whose words are separated by spaces already are taken as they are.

    Parameters
    ----------
    language : str, sequence of str or None, default=None
        Names or ISO 639-1 codes, for stop words: "german", "de". None: no list of them.
    keep : sequence of {"digits", "numbers", "hashtags"}, default=()
        What counts as well: words with digits (covid19, 5G), numbers, hashtags with their mark.
    stop_words : "auto", list of str or None, default="auto"
        "auto" takes stopwordsiso's lists of the languages, where that is installed.
    min_df, max_df, max_features, ngram_range, vocabulary, dtype
        As of scikit-learn's CountVectorizer.

    Raises
    ------
    ImportError
        When a text needs a library that is not installed; it names the extra.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **CountVectorizer._parameter_constraints,
        "language": [str, "array-like", None],
        "keep": ["array-like"],
        "stop_words": [str, list, None],
    }

    def __init__(
        self,
        language: Any = None,
        *,
        keep: Sequence[str] = (),
        stop_words: Any = "auto",
        min_df: Any = 1,
        max_df: Any = 1.0,
        max_features: int | None = None,
        ngram_range: tuple[int, int] = (1, 1),
        vocabulary: Any = None,
        dtype: Any = np.float32,
    ):
        super().__init__(
            lowercase=False,
            stop_words=stop_words,
            min_df=min_df,
            max_df=max_df,
            max_features=max_features,
            ngram_range=ngram_range,
            vocabulary=vocabulary,
            dtype=dtype,
        )
        self.language = language
        self.keep = keep

    def build_analyzer(self) -> Callable[[str], list[str]]:
        """Return the function from a text to its words, or its n-grams of `ngram_range`."""
        find = word_finder(check_languages(self.language), tuple(self.keep))
        stop_words = self.get_stop_words()
        low, high = self.ngram_range

        def analyze(text: str) -> list[str]:
            words = [word for word in find(text) if word not in stop_words]
            if high == 1:
                return words
            return [
                " ".join(words[i : i + n])
                for n in range(low, high + 1)
                for i in range(len(words) - n + 1)
            ]

        return analyze

    def get_stop_words(self) -> frozenset[str]:
        """Return the stop words."""
        if isinstance(self.stop_words, str) and self.stop_words == "auto":
            return stop_words_of(check_languages(self.language))
        if isinstance(self.stop_words, str):
            return frozenset(ENGLISH_STOP_WORDS)
        return frozenset(self.stop_words or ())


def check_languages(language: Any, argument: str = "language") -> tuple[str, ...]:
    """Return languages, by name ("german") or code ("de"), as ISO 639-1 codes."""
    given = [] if language is None else [language] if isinstance(language, str) else language
    if not isinstance(given, Sequence | np.ndarray):
        raise TypeError(f"{argument} must be a name, a code or a list of them; found {given!r:.80}")
    codes = []
    for name in given:
        if not isinstance(name, str):
            raise TypeError(f"{argument} must be a name or a code; found {name!r:.80}")
        code = NAMES.get(name.lower(), name.lower())
        if not re.fullmatch(r"[a-z]{2}", code):
            raise ValueError(
                f"{argument} must be a name in English or an ISO 639-1 code; found {name!r:.80}"
            )
        codes.append(code)
    return tuple(dict.fromkeys(codes))


def check_language(language: Any) -> None:
    """Refuse a `language` argument that is neither "auto", None, nor known."""
    if not (isinstance(language, str) and language == "auto"):
        check_languages(language)


def choose_languages(language: Any, texts: Sequence[str], languages: Any = None) -> tuple[str, ...]:
    """Return the languages whose words are to be counted, as codes; empty for English, or None.

    With "auto", `languages` says the language of each text, or a sample of the texts is looked at:
    one in Latin letters is of another language than English where py3langid says so and it holds
    stop words of that language. The most frequent comes first.
    """
    if not (isinstance(language, str) and language == "auto"):
        codes = check_languages(language)
        return () if codes == ("en",) else codes
    if languages is not None:
        found = Counter(languages)
        return () if set(found) == {"en"} else tuple(code for code, _ in found.most_common())
    step = max(1, len(texts) // _SAMPLE)
    sample = [text[:_CHARACTERS] for text in texts[::step] if text.strip()]
    if not sample or sum(map(is_english, sample)) >= 0.8 * len(sample):
        return ()
    found = Counter(code for code in detect_languages(sample) if code is not None)
    frequent = [code for code, n in found.most_common() if n >= _LEAST * len(sample)]
    return () if frequent in ([], ["en"]) else tuple(frequent)


def detect_languages(texts: Sequence[str]) -> list[str | None]:
    """Return the language of each text, as ISO 639-1 codes; None where it is uncertain."""
    try:
        classify = import_module("py3langid").classify
    except ImportError:
        classify = None
    return [_detect(text[:_CHARACTERS], classify) for text in texts]


def _detect(text: str, classify: Any) -> str | None:
    script = _script(text)
    if script != "latin" and (classify is None or script in ("zh", "ja", "th", "ko", "hi", "el")):
        return None if script is None else {"cyrillic": "ru", "arabic": "ar"}.get(script, script)
    if classify is None:
        return "en" if is_english(text) else None
    code = str(classify(text)[0])
    code = _VARIANTS.get(code, code)
    if len(code) != 2:
        return None
    if script != "latin":
        return code
    words = re.findall(r"[^\W\d_]+", text.lower())
    listed = stop_words_of((code,))
    if listed and sum(word in listed for word in words) < _PROSE * len(words):
        return None  # not running text: names, or preprocessed
    return code if listed else None


def is_english(text: str) -> bool:
    """Tell whether a fifth of the words are English stop words."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return sum(word in ENGLISH_STOP_WORDS for word in words) >= 0.2 * max(len(words), 1)


def _script(text: str) -> str | None:
    """Return the script of most letters, as a code where only one language is written in it."""
    counts: Counter[str] = Counter()
    for character in text:
        if character.isalpha():
            counts[_script_of(character)] += 1
    if not counts:
        return None
    total = sum(counts.values())
    if counts["ja"] >= 0.05 * total:
        return "ja"
    return counts.most_common(1)[0][0]


@lru_cache(maxsize=4096)
def _script_of(character: str) -> str:
    name = unicodedata.name(character, "")
    for start, script in (("CJK", "zh"), ("HIRAGANA", "ja"), ("KATAKANA", "ja"), ("THAI", "th"),
                          ("HANGUL", "ko"), ("DEVANAGARI", "hi"), ("GREEK", "el"),
                          ("CYRILLIC", "cyrillic"), ("ARABIC", "arabic"), ("LATIN", "latin"),
                          ("HEBREW", "he")):  # fmt: skip
        if name.startswith(start):
            return script
    return "other"


@lru_cache(maxsize=64)
def stop_words_of(languages: tuple[str, ...]) -> frozenset[str]:
    """Return stopwordsiso's lists of languages (codes), and scikit-learn's of English."""
    words = set(ENGLISH_STOP_WORDS) if "en" in languages else set()
    try:
        lists = import_module("stopwordsiso")
    except ImportError:
        return frozenset(words)
    for code in languages:
        if lists.has_lang(code):
            words |= {word.replace("’", "'") for word in lists.stopwords(code)}
    return frozenset(words)


@lru_cache(maxsize=1)
def _marks() -> str:
    """Return the combining marks of all scripts as ranges of a regular expression."""
    points = [
        point for point in range(0x300, 0x11000) if unicodedata.category(chr(point)) in ("Mn", "Mc")
    ]
    ranges, first = [], points[0]
    for point, after in zip(points, [*points[1:], sys.maxunicode], strict=True):
        if after != point + 1:
            ranges.append(f"\\U{first:08x}-\\U{point:08x}")
            first = after
    return "".join(ranges)


@lru_cache(maxsize=64)
def word_finder(languages: tuple[str, ...], keep: tuple[str, ...] = ()) -> Any:
    """Return a function from a text to its words in lower case, stop words among them.

    A language "ja" or "zh" decides how Chinese characters are read; without either the text does.
    """
    unknown = [name for name in keep if name not in KEEP]
    if unknown:
        raise ValueError(f"keep must hold some of {', '.join(KEEP)}; found {unknown[0]!r:.80}")
    letter = rf"(?:[^\W\d_][{_marks()}\u200c\u200d]*)"
    inner = rf"(?:{letter}|\d)"
    mark = r"\#?" if "hashtags" in keep else ""
    pattern = re.compile(rf"{mark}{inner}+(?:['’]{inner}+)*")

    def find(text: str) -> list[str]:
        text = unicodedata.normalize("NFC", text)
        spaced = _UNSPACED.sub(" ", text)
        found = [_tidy(token, keep) for token in pattern.findall(spaced)]
        if len(spaced) != len(text) or spaced != text:
            found += _find_unspaced(text, languages)
        return [word for word in found if word]

    return find


def _tidy(token: str, keep: tuple[str, ...]) -> str:
    """Return a token in lower case, without an elided article; "" if it is too short to count."""
    if token.isdigit():
        return token if "numbers" in keep else ""
    if "digits" not in keep and any(character.isdigit() for character in token):
        return ""
    bare = token.lstrip("#")
    word = _ELISION.sub("", bare.lower().replace("’", "'"))
    letters = len(word) - word.count("'")
    least = 2 if bare.isupper() or _SHORT.search(word) or not word.isalpha() else 3
    if letters < least:
        return ""
    return f"#{word}" if token.startswith("#") else word


def _find_unspaced(text: str, languages: tuple[str, ...]) -> list[str]:
    """Return the words of the parts of a text whose script has no spaces."""
    runs = list(_UNSPACED.finditer(text))
    japanese = "ja" in languages and "zh" not in languages
    if ("ja" not in languages and "zh" not in languages) or {"ja", "zh"} <= set(languages):
        japanese = re.search(f"[{_KANA}]", text) is not None
    words: list[str] = []
    for kind in ("east", "thai"):
        pieces = [run[kind] for run in runs if run[kind]]
        if not pieces:
            continue
        if len(pieces) > 2 and sum(map(len, pieces)) <= _SEGMENTED * len(pieces):
            words += pieces
        else:
            segment = _thai() if kind == "thai" else _japanese() if japanese else _chinese()
            for piece in pieces:
                words += segment(piece)
    return [word for word in words if len(word) > 1]


@lru_cache(maxsize=1)
def _chinese() -> Callable[[str], Iterable[str]]:
    return _import("rjieba", "Chinese").cut


@lru_cache(maxsize=1)
def _japanese() -> Callable[[str], Iterable[str]]:
    sudachi = _import("sudachipy", "Japanese")
    size = next((s for s in ("core", "small", "full") if find_spec(f"sudachidict_{s}")), None)
    if size is None:
        raise ImportError(f"Japanese texts need a dictionary of SudachiPy's: {_EXTRA}")
    tokenizer = sudachi.Dictionary(dict=size).tokenizer()

    def segment(text: str) -> list[str]:
        words = []
        for start in range(0, len(text), 10_000):  # Sudachi takes 49 kB at a time
            for morpheme in tokenizer.tokenize(text[start : start + 10_000]):
                kind = morpheme.part_of_speech()
                if kind[0] in _CONTENT and kind[1] not in ("非自立可能", "代名詞", "数詞"):
                    words.append(morpheme.dictionary_form())
        return words

    return segment


@lru_cache(maxsize=1)
def _thai() -> Callable[[str], Iterable[str]]:
    return _import("pythainlp.tokenize", "Thai").word_tokenize


def _import(module: str, language: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise ImportError(
            f"{language} texts have no spaces between words and need {_EXTRA}, or a vectorizer= "
            f"that finds their words ({error})"
        ) from None


def find_even_words(doc_atoms: sp.csr_matrix, counts: sp.csr_matrix) -> np.ndarray:
    """Return which words are in many documents of all subjects, (V,): a corpus' own stop words.

    Such a word is in at least a tenth of the documents, and in 30. Evenness is the entropy of the
    atoms of a word's documents, divided by that of all documents: 1 where the word is independent
    of the subject.
    """
    presence = (counts > 0).astype(np.float64)
    frequency = np.asarray(presence.sum(axis=0)).ravel()
    frequent = np.flatnonzero(frequency >= max(_LEAST_SHARE * counts.shape[0], _LEAST_DOCUMENTS))
    even = np.zeros(counts.shape[1], dtype=bool)
    if len(frequent) == 0:
        return even
    prevalence = column_sums(doc_atoms)
    live = prevalence > 0
    prior = prevalence[live] / prevalence.sum()
    mass = np.asarray((presence[:, frequent].T @ doc_atoms).todense())[:, live] + prior
    shares = mass / mass.sum(axis=1, keepdims=True)
    divergence = (shares * np.log(np.maximum(shares, 1e-12) / prior)).sum(axis=1)
    entropy = -(prior * np.log(prior)).sum()
    even[frequent] = 1 - divergence / max(entropy, 1e-12) >= _LEAST_EVENNESS
    return even


def words_by_language(
    counts: sp.csr_matrix, vocabulary: np.ndarray, languages: Sequence[str | None]
) -> dict[str, list[str]]:
    """Return the words of each language, from counts (n, V) and the language of each row.

    A word belongs to all languages in which it is in at least a quarter of the share of texts of
    the language where it is most frequent.
    """
    codes = sorted({code for code in languages if code is not None})
    if not codes:
        return {}
    presence = (counts > 0).astype(np.float64)
    codes_of_rows = np.array([code or "" for code in languages])
    rows = [np.flatnonzero(codes_of_rows == code) for code in codes]
    shares = np.array([np.asarray(presence[own].mean(axis=0)).ravel() for own in rows])
    belongs = (shares >= 0.25 * shares.max(axis=0)) & (shares > 0)
    return {
        code: [str(word) for word in vocabulary[row]]
        for code, row in zip(codes, belongs, strict=True)
    }
