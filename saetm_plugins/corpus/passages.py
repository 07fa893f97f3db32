"""The passages that texts were split into: where they are, their embeddings, and their means."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.corpus.encoders import encode_texts

_BLOCK = 1024  # passages embedded at a time: a tokenizer needs 100 bytes and more a token
_IN_MEMORY = 2**28  # bytes of embeddings; more are kept in a temporary file


@dataclass(frozen=True, eq=False, repr=False)
class Passages:
    """Passages of texts, in order and without gaps: each character of a text is in one passage.

    Attributes
    ----------
    documents : ndarray of shape (m,), int64
        The text that each passage is of.
    contexts, starts, ends : ndarray of shape (m,), int64
        Characters: a passage is ``text[start:end]``, and is embedded as ``text[context:end]``.
    tokens : ndarray of shape (m,), int64
        The weights of passages within their text.
    n_documents : int
    embeddings : ndarray of shape (m, d), float32, or None
    """

    documents: np.ndarray
    contexts: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    tokens: np.ndarray
    n_documents: int
    embeddings: np.ndarray | None = None

    def __len__(self) -> int:
        """Return the number of passages."""
        return len(self.documents)

    def __repr__(self) -> str:
        """Return their number."""
        return f"<{len(self)} passages of {self.n_documents} documents>"

    @classmethod
    def at(
        cls, places: np.ndarray, n_documents: int, embeddings: np.ndarray | None = None
    ) -> Passages:
        """Return the passages of these :attr:`places`."""
        documents, contexts, starts, ends, tokens = np.asarray(places, dtype=np.int64)
        return cls(documents, contexts, starts, ends, tokens, n_documents, embeddings)

    @property
    def places(self) -> np.ndarray:
        """Text, context, start, end and tokens of each passage, (5, m) int64."""
        return np.stack([self.documents, self.contexts, self.starts, self.ends, self.tokens])

    @property
    def is_split(self) -> np.ndarray:
        """Whether each text is in more than one passage, (n,) bool."""
        return np.bincount(self.documents, minlength=self.n_documents) > 1

    def texts(self, documents: Sequence[str], *, context: bool = False) -> PassageTexts:
        """Return the passages as texts, with what is read along before them if `context`."""
        return PassageTexts(self, documents, context)

    def of(self, documents: slice) -> Passages:
        """Return the passages of a contiguous part of the texts, start and stop given."""
        first, last = np.searchsorted(self.documents, [documents.start, documents.stop])
        places = self.places[:, first:last]
        places[0] -= documents.start
        embeddings = None if self.embeddings is None else self.embeddings[first:last]
        return Passages.at(places, documents.stop - documents.start, embeddings)

    def followed_by(self, other: Passages) -> Passages:
        """Return these passages and then those of `other` texts."""
        shift = np.array([[self.n_documents], [0], [0], [0], [0]])
        places = np.hstack([self.places, other.places + shift])
        embeddings = None
        if self.embeddings is not None and other.embeddings is not None:
            embeddings = np.concatenate([self.embeddings, other.embeddings])
        return Passages.at(places, self.n_documents + other.n_documents, embeddings)

    def find_other(self, documents: Sequence[str]) -> int | None:
        """Return the first of n texts whose length does not fit its passages."""
        last = np.flatnonzero(np.diff(self.documents, append=self.n_documents))
        lengths = np.array([len(text) for text in documents])
        other = np.flatnonzero(self.ends[last] != lengths)
        return int(other[0]) if len(other) else None

    def mean(self, rows: sp.csr_matrix | np.ndarray) -> Any:
        """Return the mean of the passages' rows (m, K) for each text, (n, K), weighted by tokens.

        Rows are mixtures, of which an empty one (a blank passage) does not count; or embeddings.
        """
        weights = self.tokens.astype(np.float64)
        if isinstance(rows, sp.csr_matrix):
            weights = np.where(np.diff(rows.indptr) > 0, weights, 0)
        found = self.shares(weights) @ rows
        if not sp.issparse(found):
            return np.asarray(found, dtype=np.float32)
        found = sp.csr_matrix(found, dtype=np.float32)
        found.eliminate_zeros()
        found.sort_indices()
        return found

    def sum(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        """Return the sum of the passages' rows for each text, (n, V), of counts of words."""
        return sp.csr_matrix(self._matrix(np.ones(len(self), dtype=np.float32)) @ counts)

    def shares(self, weights: np.ndarray) -> sp.csr_matrix:
        """Return the share of each passage in the weights (m,) of its text, (n, m)."""
        total = np.bincount(self.documents, weights, minlength=self.n_documents)
        shares = weights / np.where(total > 0, total, 1)[self.documents]
        return self._matrix(shares)

    def _matrix(self, weights: np.ndarray) -> sp.csr_matrix:
        """Return weights of the passages in the row of their text, (n, m)."""
        entries = (weights, (self.documents, np.arange(len(self))))
        return sp.csr_matrix(entries, (self.n_documents, len(self)))

    def all_of(self, flags: np.ndarray) -> np.ndarray:
        """Return which texts have flags on all of their passages, (n,) bool."""
        return np.bincount(self.documents, ~flags, minlength=self.n_documents) == 0


class PassageTexts(Sequence[str]):
    """The texts of passages; each is cut out when it is read."""

    def __init__(self, passages: Passages, documents: Sequence[str], context: bool):
        self._passages, self._documents = passages, documents
        self._starts = passages.contexts if context else passages.starts

    def __len__(self) -> int:
        return len(self._passages)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[row] for row in range(*index.indices(len(self)))]
        passages = self._passages
        text = self._documents[passages.documents[index]]
        return text[self._starts[index] : passages.ends[index]]

    def __iter__(self) -> Iterator[str]:
        return (self[row] for row in range(len(self)))

    @property
    def n_documents(self) -> int:
        """Number of texts that the passages are of."""
        return self._passages.n_documents

    def share_out(self, counts: sp.csr_matrix, vocabulary: Iterable[str]) -> sp.csr_matrix:
        """Share out the counts of words in texts (n, V) among their passages (m, V).

        A word goes to the passages that hold it, in upper or lower case; one that no passage holds
        as it was counted, such as a stem or a phrase, goes to all passages by their tokens.
        """
        documents = self._passages.documents
        words = [word.lower() for word in vocabulary]
        column = {word: index for index, word in enumerate(dict.fromkeys(words))}
        counter = CountVectorizer(vocabulary=column, token_pattern=r"(?u)\w+", dtype=np.float32)
        found = sp.csr_matrix(counter.transform(self))[:, [column[word] for word in words]].tocoo()
        in_text = self._passages.sum(found.tocsr())
        at = documents[found.row], found.col
        found.data /= np.asarray(in_text[at]).ravel()
        found.data *= np.asarray(counts[at]).ravel()
        elsewhere = counts - counts.multiply(in_text > 0)
        shares = self._passages.shares(self._passages.tokens.astype(np.float64))
        shared = found.tocsr() + shares.T @ elsewhere
        shared.eliminate_zeros()
        shared.sort_indices()
        return sp.csr_matrix(shared, dtype=np.float32)


def encode_passages(
    encoder: Any, documents: Sequence[str], passages: Passages, *, verbose: bool = False
) -> Passages:
    """Return the passages of `documents` with embeddings; a thousand texts are held at a time."""
    texts = passages.texts(documents, context=True)
    n_passages = len(passages)
    embeddings: np.ndarray | None = None
    for first in range(0, n_passages, _BLOCK):
        encoded = encode_texts(encoder, texts[first : first + _BLOCK], verbose=verbose)
        if embeddings is None:
            embeddings = _room((n_passages, encoded.shape[1]))
        embeddings[first : first + _BLOCK] = encoded
    return dataclasses.replace(passages, embeddings=embeddings)


def document_means(embeddings: Any) -> Any:
    """Return embeddings (n, d) of documents: those given, or the means of their passages'."""
    if not isinstance(embeddings, Passages):
        return embeddings
    assert embeddings.embeddings is not None
    return embeddings.mean(embeddings.embeddings)


def check_passages(passages: Passages, documents: Sequence[str] | None) -> None:
    """Refuse passages without embeddings, or of other texts."""
    if passages.embeddings is None:
        raise ValueError("embeddings holds passages that are not embedded; use Chunker.embed")
    if documents is None:
        raise ValueError("documents is None; embeddings of passages need the texts they are of")
    if passages.n_documents != len(documents):
        raise ValueError(
            f"embeddings holds passages of {passages.n_documents} documents for {len(documents)}"
        )
    other = passages.find_other(documents)
    if other is not None:
        raise ValueError(f"embeddings holds passages of another text than documents[{other}]")


def _room(shape: tuple[int, int]) -> np.ndarray:
    """Return an empty float32 array, in a temporary file if it is large."""
    if 4 * shape[0] * shape[1] <= _IN_MEMORY:
        return np.empty(shape, dtype=np.float32)
    with tempfile.TemporaryFile() as file:  # the mapping keeps it until it is forgotten
        return np.memmap(file, dtype=np.float32, mode="w+", shape=shape)
