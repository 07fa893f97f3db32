"""The corpora of the quality benchmark, read from the folder in ``SAETM_DATA`` (or ``--data``).

Every model gets the same documents, embeddings, vocabulary and bag of words. Embeddings of M10
and vectors of words come from the default encoder and are kept in a cache folder.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.text import default_vectorizer, encode_texts, load_encoder


@dataclass
class Corpus:
    """Documents and all that models and metrics need to know about them.

    ``texts`` (N), ``embeddings`` (N, d) float32, ``labels`` (N,) int, ``bow`` (N, V) CSR float32
    in the order of ``vocabulary`` (V), ``word_vectors`` (V, d) float32 from the same encoder,
    ``tokens``: the documents' words of the vocabulary, in order (the reference for coherence).
    """

    name: str
    texts: list[str]
    embeddings: np.ndarray
    labels: np.ndarray
    bow: sp.csr_matrix
    vocabulary: list[str]
    word_vectors: np.ndarray
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


class LookupEncoder:
    """Hands out the corpus' word vectors, so that no model's seconds include encoding them."""

    def __init__(self, corpus: Corpus):
        self._vectors = corpus.vectors_by_word()

    def encode(self, texts: list[str], **_: object) -> np.ndarray:
        """Return a vector per word; a KeyError for anything but the vocabulary's words."""
        return np.stack([self._vectors[str(text)] for text in texts])


def load_corpus(name: str, data: str | os.PathLike[str], cache: str | os.PathLike[str]) -> Corpus:
    """Load one corpus.

    Parameters
    ----------
    name : {"20newsgroups", "agnews", "bbc", "m10"}
    data : path
        The folder with the corpora.
    cache : path
        Where embeddings made here are kept.

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
    if words is None:
        vectorizer = default_vectorizer(len(texts))
        bow = vectorizer.fit_transform(texts)
        words = list(vectorizer.get_feature_names_out())
    else:
        vectorizer = CountVectorizer(analyzer=str.split, vocabulary=words, dtype=np.float32)
        bow = vectorizer.transform(texts)
    analyzer, known = vectorizer.build_analyzer(), set(words)
    encode = _Encode(Path(cache))
    embeddings = np.load(vectors_file) if vectors_file else encode(texts)
    return Corpus(
        name=name,
        texts=texts,
        embeddings=np.asarray(embeddings, dtype=np.float32),
        labels=np.unique(classes, return_inverse=True)[1],
        bow=sp.csr_matrix(bow, dtype=np.float32),
        vocabulary=words,
        word_vectors=encode(words),
        tokens=[[word for word in analyzer(text) if word in known] for text in texts],
        analyzer=analyzer,
    )


class _Encode:
    """The default encoder with its output kept on disk, by content."""

    def __init__(self, cache: Path):
        self.cache = cache

    def __call__(self, texts: list[str]) -> np.ndarray:
        key = hashlib.sha256("\0".join(texts).encode("utf-8")).hexdigest()[:24]
        file = self.cache / f"embeddings-{key}.npy"
        if not file.exists():
            self.cache.mkdir(parents=True, exist_ok=True)
            encoded = encode_texts(load_encoder(), texts)
            part = file.with_suffix(f".{os.getpid()}.part.npy")
            np.save(part, encoded)
            os.replace(part, file)
        return np.load(file)


Raw = tuple[list[str], list[str], "Path | None", "list[str] | None"]


def _read_20newsgroups(data: Path) -> Raw:
    with gzip.open(data / "20newsgroups.jsonl.gz", "rt", encoding="utf-8") as lines:
        rows = [json.loads(line) for line in lines]
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


READERS = {
    "20newsgroups": _read_20newsgroups,
    "agnews": _read_agnews,
    "bbc": lambda data: _read_octis(data / "octis/BBC_News", data / "bbc_minilm_f16.npy"),
    "m10": lambda data: _read_octis(data / "octis/M10", None),
}
