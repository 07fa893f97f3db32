"""Read an OCTIS dataset for :class:`saetm_plugins.octis.SAETM`: texts, counts, embeddings.

Imports nothing of OCTIS; uses the four getters of its ``Dataset``.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from saetm_plugins.corpus.chunker import pack_chunk, split_long
from saetm_plugins.corpus.encoders import encode_texts, load_encoder
from saetm_plugins.corpus.passages import Passages, encode_passages
from saetm_plugins.files.folders import load_folder, save_folder
from saetm_plugins.validation import as_list, check_embeddings

CACHE_KIND = "embeddings"
CACHE_FORMAT = 1


class Documents(NamedTuple):
    """Documents of one or more partitions, in the dataset's order.

    ``texts`` (n,), ``embeddings`` (n, d) float32 or the embedded passages of long texts, ``bow``
    (n, V) CSR float32 in the order of ``vocabulary`` (V,). ``digest`` names the content.
    """

    texts: list[str]
    embeddings: np.ndarray | Passages
    bow: sp.csr_matrix
    vocabulary: list[str]
    digest: str

    def rows(self, chosen: slice) -> Documents:
        """Return a contiguous part."""
        embeddings = self.embeddings
        return Documents(
            self.texts[chosen],
            embeddings.of(chosen) if isinstance(embeddings, Passages) else embeddings[chosen],
            self.bow[chosen],
            self.vocabulary,
            f"{self.digest}[{chosen.start}:{chosen.stop}]",
        )

    def followed_by(self, other: Documents) -> Documents:
        """Return these documents and then the `other` ones."""
        first, second = self.embeddings, other.embeddings
        if isinstance(first, Passages) and isinstance(second, Passages):
            embeddings: np.ndarray | Passages = first.followed_by(second)
        else:
            embeddings = np.concatenate([first, second])
        return Documents(
            self.texts + other.texts,
            embeddings,
            sp.vstack([self.bow, other.bow], format="csr"),
            self.vocabulary,
            f"{self.digest}+{other.digest}",
        )


def read_tokens(dataset: Any) -> list[list[str]]:
    """Return the dataset's documents as lists of words."""
    tokens = dataset.get_corpus()
    if not tokens:
        raise ValueError("dataset holds no documents; load it first")
    for row, words in enumerate(tokens):
        if not isinstance(words, list | tuple):
            raise ValueError(
                f"dataset: document {row} must be a list of words; found {words!r:.80}"
            )
    return tokens


def read_vocabulary(dataset: Any, tokens: Sequence[Sequence[str]]) -> list[str]:
    """Return the dataset's vocabulary in its own order; without one, the sorted words."""
    vocabulary = dataset.get_vocabulary()
    if vocabulary is None:
        return sorted({word for words in tokens for word in words})
    return as_list(vocabulary, "dataset: the vocabulary", "words")


def read_partitions(dataset: Any) -> tuple[slice, slice]:
    """Return the rows of the training and of the test partition; validation is left out of both.

    As OCTIS' own models: ``get_partitioned_corpus(use_validation=False)``.
    """
    n_documents = len(dataset.get_corpus())
    parts = dataset.get_partitioned_corpus(use_validation=False) if dataset.get_metadata() else None
    if parts is None or len(parts) != 2:
        raise ValueError(
            "dataset has no partitions; call partitioning(use_partitions=False) to use all of it"
        )
    train, test = parts
    if not train:
        raise ValueError("dataset: the training partition is empty")
    return slice(0, len(train)), slice(n_documents - len(test), n_documents)


def count_tokens(tokens: Sequence[Sequence[str]], vocabulary: Sequence[str]) -> sp.csr_matrix:
    """Count the words of the vocabulary, as float32 of shape (n, V); other words are ignored."""
    counter = CountVectorizer(analyzer=list, vocabulary=vocabulary, dtype=np.float32)
    bow = counter.transform(tokens)
    if not bow.nnz:
        raise ValueError("dataset: no document holds a word of the vocabulary")
    return bow


def read_embeddings(given: Any, n_documents: int, bow: sp.csr_matrix) -> np.ndarray:
    """Return ready-made embeddings: an array, or the path of a ``.npy`` file.

    Warns when documents that share words are no closer than others: then the rows are most likely
    in another order than the dataset's (OCTIS' loader sorts by partition).
    """
    name = "embeddings"
    if isinstance(given, (str, os.PathLike)):
        name = f"embeddings_path {str(given)!r}"
        given = np.load(given, allow_pickle=False)
    embeddings = check_embeddings(given, name=name, n_rows=n_documents)
    if not _in_order(embeddings, bow):
        warnings.warn(
            f"{name}: documents that share words are no closer than others; "
            "are the rows in the dataset's order?",
            UserWarning,
            stacklevel=4,
        )
    return embeddings


def encode_cached(
    texts: list[str],
    encoder: Any,
    device: str,
    folder: str | None,
    chunk: Any = "auto",
) -> np.ndarray | Passages:
    """Return embeddings (n, d) of `texts`, or passages where `chunk` splits one.

    Those by a named encoder are cached in `folder`; those by an object are not, as it may change.
    """
    named = encoder is None or isinstance(encoder, str)
    path = cache_path(folder, digest("encoder", str(encoder), str(pack_chunk(chunk)), *texts))
    found = read_cached(path, len(texts)) if named else None
    if found is not None:
        return found
    loaded = load_encoder(encoder, None if device == "auto" else device)
    passages = split_long(texts, loaded, chunk, stacklevel=6)
    if passages is None:
        embeddings = encode_texts(loaded, texts)
    else:
        passages = encode_passages(loaded, texts, passages)
        assert passages.embeddings is not None
        embeddings = passages.embeddings
    if named:
        write_cached(path, embeddings, None if passages is None else passages.places)
    return embeddings if passages is None else passages


def cache_path(folder: str | None, name: str) -> Path:
    """Return the folder of cached vectors; the default is under ``XDG_CACHE_HOME`` or ~/.cache."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    root = Path(folder) if folder is not None else home / "saetm-plugins"
    return root / f"embeddings-{name}"


def read_cached(path: Path, n_rows: int) -> Any:
    """Return cached vectors of `n_rows` texts or words, or passages; None if missing or damaged."""
    if not path.exists():
        return None
    try:
        config, tensors = load_folder(path, CACHE_KIND)
        if config.get("format") != CACHE_FORMAT:
            raise ValueError(f"format {config.get('format')!r}, not {CACHE_FORMAT}")
        vectors = tensors["embeddings"]
        if "passages" not in tensors:
            return check_embeddings(vectors, name="cache", n_rows=n_rows)
        places = tensors["passages"]
        vectors = check_embeddings(vectors, name="cache", n_rows=places.shape[1])
        return Passages.at(places, n_rows, vectors)
    except (OSError, ValueError, KeyError, TypeError) as error:
        warnings.warn(
            f"cached embeddings in {str(path)!r} are not usable ({error}); made anew",
            UserWarning,
            stacklevel=5,
        )
        return None


def write_cached(path: Path, embeddings: np.ndarray, places: np.ndarray | None = None) -> None:
    """Write vectors (m, d), and ``Passages.places``, to the cache; warn where that fails."""
    tensors = {"embeddings": embeddings} | ({} if places is None else {"passages": places})
    try:
        save_folder(path, CACHE_KIND, {"format": CACHE_FORMAT}, tensors, overwrite=True)
    except OSError as error:
        warnings.warn(f"embeddings not cached: {error}", UserWarning, stacklevel=5)


def digest(*parts: str | bytes) -> str:
    """Return a hash of some content."""
    total = hashlib.sha256()
    for part in parts:
        raw = part.encode("utf-8") if isinstance(part, str) else part
        total.update(len(raw).to_bytes(8, "little"))
        total.update(raw)
    return total.hexdigest()[:32]


def _in_order(embeddings: np.ndarray, bow: sp.csr_matrix, n_sampled: int = 500) -> bool:
    """Tell whether documents that share words have closer embeddings than random ones."""
    worded = np.flatnonzero(np.diff(bow.indptr))
    if len(worded) < 20:
        return True  # too few to tell
    rng = np.random.default_rng(0)
    rows = rng.choice(worded, size=min(n_sampled, len(worded)), replace=False)
    weights = TfidfTransformer().fit_transform(bow[rows])
    overlap = (weights @ weights.T).toarray()
    np.fill_diagonal(overlap, -1)
    vectors = embeddings[rows] - embeddings[rows].mean(axis=0)
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    nearest = (vectors * vectors[overlap.argmax(axis=1)]).sum(axis=1)
    shuffled = (vectors * vectors[rng.permutation(len(rows))]).sum(axis=1)
    gap = nearest.mean() - shuffled.mean()
    return bool(gap > 2 * np.sqrt((nearest.var() + shuffled.var()) / len(rows)))
