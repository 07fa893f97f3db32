"""gensim's corpora: streams of bags of words, each bag a list of (id, count).

A corpus may be a list, a file on disk or a generator that can be read once and has no length; it is
only ever read forward, a block at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Set
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from gensim import interfaces

from saetm_plugins.corpus.texts import one_column
from saetm_plugins.validation import check_embeddings


class FlatBags(NamedTuple):
    """Bags laid end to end: how many entries each has, and the entries' ids and counts."""

    lengths: np.ndarray
    ids: np.ndarray
    counts: np.ndarray


def flatten_bags(bags: list[Any]) -> FlatBags:
    """Lay bags end to end; ids must be integers of at least 0, counts finite and at least 0."""
    try:
        bags = [bag if hasattr(bag, "__len__") else list(bag) for bag in bags]
        lengths = np.fromiter(map(len, bags), np.int64, len(bags))
        n_entries = int(lengths.sum())
        ids = np.fromiter(map(itemgetter(0), chain.from_iterable(bags)), np.float64, n_entries)
        counts = np.fromiter(map(itemgetter(1), chain.from_iterable(bags)), np.float64, n_entries)
    except (TypeError, ValueError, IndexError, KeyError, OverflowError) as error:
        raise ValueError(
            f"corpus must hold bags of words, lists of (id, count) such as doc2bow returns: {error}"
        ) from error
    is_id = (ids >= 0) & (ids < 2**53) & (ids == np.floor(ids))
    if not is_id.all():
        raise ValueError(
            f"corpus holds the word id {ids[~is_id][0]:g}; ids are integers of at least 0"
        )
    is_count = np.isfinite(counts) & (counts >= 0)
    if not is_count.all():
        raise ValueError(
            f"corpus holds the count {counts[~is_count][0]:g} of word id "
            f"{ids[~is_count][0]:g}; counts are finite and at least 0"
        )
    return FlatBags(lengths, ids.astype(np.int64), counts.astype(np.float32))


def flatten_corpus(corpus: Iterable[Any], size: int = 10_000) -> FlatBags:
    """Read a corpus into :class:`FlatBags`, twelve bytes an entry."""
    parts = [flatten_bags(block) for block in blocks(corpus, size)] or [flatten_bags([])]
    return FlatBags(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def blocks(corpus: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield lists of up to `size` bags, in order, without reading ahead."""
    items = iter(_check_corpus(corpus))
    while block := list(islice(items, size)):
        yield block


def blocks_beside(
    corpus: Any, documents: Any, embeddings: Any, size: int
) -> Iterator[tuple[list[Any], list[str] | None, np.ndarray | None]]:
    """Yield blocks of bags with their texts and embeddings, or None.

    A ValueError says that the three are not of the same length: at once where all have a length,
    else when the shortest one ends.
    """
    check_lengths(corpus, documents, embeddings)
    beside = {"documents": documents, "embeddings": embeddings}
    streams = {
        name: iter(_check_stream(stream, name))
        for name, stream in beside.items()
        if stream is not None
    }
    n_read = 0
    for bags in blocks(corpus, size):
        parts = {name: list(islice(stream, len(bags))) for name, stream in streams.items()}
        for name, part in parts.items():
            if len(part) < len(bags):
                _check_length(name, n_read + len(part), f"at least {n_read + len(bags)}")
        n_read += len(bags)
        texts = [as_text(text) for text in parts["documents"]] if "documents" in parts else None
        vectors = check_embeddings(parts["embeddings"]) if "embeddings" in parts else None
        yield bags, texts, vectors
    for name, stream in streams.items():
        if next(stream, None) is not None:
            _check_length(name, f"more than {n_read}", n_read)


def check_lengths(corpus: Any, documents: Any, embeddings: Any) -> None:
    """Raise unless texts and embeddings, where they have a length, are as many as bags."""
    _check_corpus(corpus)
    for name, stream in (("documents", documents), ("embeddings", embeddings)):
        if sp.issparse(stream):
            raise TypeError(f"{name} must be dense; found {type(stream).__name__}")
        if isinstance(stream, str):
            raise TypeError(f"{name} must hold one text per bag; found one string")
        if hasattr(corpus, "__len__") and hasattr(stream, "__len__"):
            _check_length(name, len(stream), len(corpus))


def gather_beside(documents: Any, embeddings: Any) -> tuple[list[str] | None, Any]:
    """Read texts and embeddings to train on into memory; None stays None."""
    texts = None
    if documents is not None:
        texts = [as_text(document) for document in _check_stream(documents, "documents")]
    if embeddings is not None and not hasattr(embeddings, "__len__"):
        embeddings = list(_check_stream(embeddings, "embeddings"))
    return texts, embeddings


def as_text(document: Any) -> str:
    """Return a document, a string or gensim's list of tokens, as one string."""
    if isinstance(document, str):
        return document
    try:
        return " ".join(document)
    except TypeError:
        raise TypeError(
            f"documents must hold strings or lists of tokens; found {type(document).__name__}"
        ) from None


def _check_corpus(corpus: Any) -> Iterable[Any]:
    if not isinstance(corpus, Iterable) or isinstance(corpus, type) or sp.issparse(corpus):
        raise TypeError(f"corpus must hold bags of words; found {corpus!r:.80}")
    return corpus


def _check_stream(stream: Any, name: str) -> Iterable[Any]:
    """Return what can be read beside a corpus, in its order."""
    no_order = isinstance(stream, (Set, Mapping, bytes))
    if no_order or not isinstance(stream, Iterable) or isinstance(stream, type):
        raise TypeError(f"{name} must hold one entry per bag, in an order; found {stream!r:.80}")
    if name == "documents":
        return one_column(stream, name)
    return np.asarray(stream) if hasattr(stream, "columns") else stream  # a table: its rows


def _check_length(name: str, found: int | str, expected: int | str) -> None:
    if found != expected:
        raise ValueError(f"{name} has {found} entries and corpus {expected}; they go in pairs")


class TopicCorpus(interfaces.TransformedCorpus):
    """The topics of a corpus' documents, inferred a block at a time while it is read.

    `read` returns an iterator over the topics of all documents, `lookup` the topics of one
    document by its index. Unlike gensim's own class it leaves the model's settings as they were.
    """

    def __init__(
        self,
        model: Any,
        corpus: Iterable[Any],
        read: Callable[[], Iterator[Any]],
        lookup: Callable[[Any], Any],
    ):
        super().__init__(model, corpus, model.chunksize)
        self._read, self._lookup = read, lookup

    def __iter__(self) -> Iterator[Any]:
        return self._read()

    def __getitem__(self, docno: Any) -> Any:
        if not hasattr(self.corpus, "__getitem__"):
            raise RuntimeError(f"{type(self.corpus).__name__} has no documents by index")
        return self._lookup(docno)
