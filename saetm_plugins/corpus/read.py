"""From what users hand over to the rows that a model learns from: documents, or their passages."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.corpus.chunker import Chunker, split_long
from saetm_plugins.corpus.duplicates import warn_of_documents
from saetm_plugins.corpus.encoders import encode_texts
from saetm_plugins.corpus.passages import Passages, PassageTexts, check_passages, encode_passages
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.validation import check_embeddings


class FittedPassages(NamedTuple):
    """Passages that a model learned from.

    Attributes
    ----------
    passages : Passages
        Without embeddings.
    atoms : csr_matrix of shape (m, K), float32
        Their mixtures.
    """

    passages: Passages
    atoms: sp.csr_matrix


@dataclass(frozen=True, eq=False)
class Corpus:
    """Texts and embeddings; a row of the embeddings is a document or, where long, a passage.

    Attributes
    ----------
    texts : list of str, length n; None without texts
    embeddings : ndarray of shape (m, d), float32
        Of the rows; None where only mixtures are known.
    passages : Passages, or None where no document is split: m is then n
    """

    texts: list[str] | None
    embeddings: Any
    passages: Passages | None = None

    @property
    def n_documents(self) -> int:
        """Number of documents n."""
        return len(self.embeddings) if self.passages is None else self.passages.n_documents

    @property
    def passage_texts(self) -> PassageTexts | None:
        """The text of each passage; None where no document is split."""
        if self.passages is None or self.texts is None:
            return None
        return self.passages.texts(self.texts)

    @property
    def row_texts(self) -> Sequence[str] | None:
        """The text of each row."""
        return self.texts if self.passage_texts is None else self.passage_texts

    def per_document(self, row_atoms: sp.csr_matrix) -> sp.csr_matrix:
        """Return the mixtures of documents (n, K), from those of rows (m, K)."""
        return row_atoms if self.passages is None else self.passages.mean(row_atoms)

    def of_passages(self, row_atoms: sp.csr_matrix) -> FittedPassages | None:
        """Return the passages with the mixtures of rows; None where no document is split."""
        if self.passages is None:
            return None
        return FittedPassages(replace(self.passages, embeddings=None), row_atoms)

    def blank_documents(self, blank_rows: np.ndarray) -> np.ndarray:
        """Return which documents have blank rows only, (n,) bool."""
        return blank_rows if self.passages is None else self.passages.all_of(blank_rows)

    def warn_of_documents(
        self,
        blank_rows: np.ndarray,
        counts: sp.csr_matrix | None = None,
        distinct_rows: np.ndarray | None = None,
        *,
        where_blank: str,
    ) -> None:
        """Warn of blank and duplicate documents, and of those without a word of the vocabulary.

        Parameters
        ----------
        blank_rows : ndarray of shape (m,), bool
        counts : csr_matrix of shape (m, V), optional
        distinct_rows : ndarray of int, optional
            Rows that are not blank and repeat no other one.
        where_blank : str
            See :func:`~saetm_plugins.corpus.duplicates.warn_of_documents`.
        """
        n_distinct = None if distinct_rows is None else len(distinct_rows)
        if self.passages is not None:
            counts = None if counts is None else self.passages.sum(counts)
            if distinct_rows is not None:
                n_distinct = len(np.unique(self.passages.documents[distinct_rows]))
        blank = self.blank_documents(blank_rows)
        warn_of_documents(blank, counts, n_distinct, where_blank=where_blank, stacklevel=4)


def read_corpus(
    documents: Any,
    embeddings: Any,
    load: Callable[[], Any],
    chunk: Any = None,
    *,
    least: int = 1,
    width: int | None = None,
    verbose: bool = False,
) -> Corpus:
    """Check documents and embeddings; embed texts that come without, long ones in passages.

    Parameters
    ----------
    documents : iterable of str, or None where there are embeddings
        As of :func:`~saetm_plugins.corpus.texts.check_documents`.
    embeddings : array-like of shape (n, d), Passages, or None
    load : function
        Returns the encoder; called where it is needed.
    chunk : None, "auto" or Chunker
    least : int, default=1
        Rows there must be.
    width : int, optional
        d.
    verbose : bool, default=False
    """
    texts = None if documents is None else check_documents(documents)
    passages = None
    if isinstance(embeddings, Passages):
        check_passages(embeddings, texts)
        passages, found = embeddings, embeddings.embeddings
    elif embeddings is not None:
        if isinstance(chunk, Chunker):
            raise ValueError(
                "chunk splits texts and has their passages embedded, which embeddings of whole "
                "documents rule out; leave one out, or give embeddings=chunk.embed(documents)"
            )
        found = check_embeddings(embeddings, n_rows=None if texts is None else len(texts))
    elif texts is None:
        raise ValueError("documents and embeddings= are both None; give at least one")
    else:
        encoder = load()
        passages = split_long(texts, encoder, chunk, stacklevel=5)
        if passages is None:
            found = encode_texts(encoder, texts, verbose=verbose)
        else:
            passages = encode_passages(encoder, texts, passages, verbose=verbose)
            found = passages.embeddings
    found = check_embeddings(found, width=width)
    if len(found) < least:
        raise ValueError(f"documents must hold at least {least}; found {len(found)}")
    return Corpus(texts, found, passages)


def warn_of_target(y: Any) -> None:
    """Warn where embeddings were given as `y`, which is ignored.

    Labels and numbers to predict, of one column or several, are ignored in silence; several columns
    of fractions may be either.

    Parameters
    ----------
    y : object

    Raises
    ------
    TypeError
        When it can only be meant as embeddings: passages, or the name of a folder.
    """
    by_name = "embeddings are given by name: fit(documents, embeddings=…)"
    if isinstance(y, Passages | str | os.PathLike):
        raise TypeError(f"y holds labels, and is ignored; found {type(y).__name__}; {by_name}")
    if _holds_vectors(y):
        message = f"y is ignored, and holds vectors; {by_name}"
        warnings.warn(message, UserWarning, stacklevel=3)


def _holds_vectors(y: Any) -> bool:
    """Return whether there are columns of numbers, or a column of vectors, with fractions."""
    try:
        values = np.asarray(y)
        if values.ndim == 1 and values.dtype == object and len(values):
            values = np.asarray(values[0])[None]
    except (TypeError, ValueError, RuntimeError):  # lists of several lengths; a tensor with a graph
        return False
    if values.ndim != 2 or values.shape[1] < 2 or values.dtype.kind != "f":
        return False
    return bool((values[:100] % 1 != 0).any())
