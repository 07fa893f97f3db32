"""From documents to the rows that a model learns from: documents, or passages of long ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.corpus.chunker import Chunker, split_long
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


class ReadTexts(NamedTuple):
    """Documents as a model reads them: whole, or the long ones in passages.

    Attributes
    ----------
    texts : list of str, length n; None without texts
    embeddings : ndarray of shape (m, d), float32
        Of the documents, or of their passages.
    passages : Passages, or None where documents are read whole
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
        """The text of each passage; None where documents are read whole."""
        if self.passages is None or self.texts is None:
            return None
        return self.passages.texts(self.texts)

    @property
    def rows(self) -> Sequence[str] | None:
        """The text of each row of the embeddings."""
        return self.texts if self.passage_texts is None else self.passage_texts

    def whole(self, row_atoms: sp.csr_matrix) -> sp.csr_matrix:
        """Return the mixtures of documents (n, K), from those of the rows."""
        return row_atoms if self.passages is None else self.passages.mean(row_atoms)

    def place(self, row_atoms: sp.csr_matrix) -> FittedPassages | None:
        """Return where passages are and the mixtures of each; None where none was split."""
        if self.passages is None:
            return None
        return FittedPassages(replace(self.passages, embeddings=None), row_atoms)

    def told(self, blank: np.ndarray, row_atoms: sp.csr_matrix) -> sp.csr_matrix:
        """Return the mixtures of documents that are not blank."""
        return self.whole(row_atoms)[~self.all_blank(blank)]

    def all_blank(self, blank: np.ndarray) -> np.ndarray:
        """Tell of which documents all rows are blank, (n,) bool."""
        return blank if self.passages is None else self.passages.all_of(blank)

    def per_document(
        self, blank: np.ndarray, counts: sp.csr_matrix | None, rows: np.ndarray
    ) -> tuple[np.ndarray, sp.csr_matrix | None, int]:
        """Return of documents what is known of rows, for a warning.

        Returns
        -------
        blank : ndarray of shape (n,), bool
        counts : csr_matrix of shape (n, V), or None
        n_distinct : int
            Documents of which something is in `rows`, those that repeat no other one.
        """
        if self.passages is None:
            return blank, counts, len(rows)
        sums = None if counts is None else self.passages.sum(counts)
        n_distinct = len(np.unique(self.passages.documents[rows]))
        return self.all_blank(blank), sums, n_distinct


def read_texts(
    documents: Any,
    embeddings: Any,
    load: Callable[[], Any],
    chunk: Any = None,
    *,
    least: int = 1,
    width: int | None = None,
    verbose: bool = False,
) -> ReadTexts:
    """Check documents and embeddings; embed texts that come without, long ones in passages.

    Parameters
    ----------
    documents : iterable of str, or None where there are embeddings
        As of :func:`~saetm_plugins.corpus.check_documents`.
    embeddings : array-like of shape (n, d), Passages, or None
    load : function
        Returns the encoder; called where it is needed.
    chunk : None, "auto" or Chunker
    least : int, default=1
        Documents there must be, or passages.
    width : int, optional
        d.
    verbose : bool, default=False

    Raises
    ------
    TypeError, ValueError
        When one is not legal, they are of different length or too few, the encoder gives something
        else, or `chunk` is a Chunker where embeddings are given.
    """
    texts = None if documents is None else check_documents(documents)
    passages = embeddings if isinstance(embeddings, Passages) else None
    if passages is not None:
        check_passages(passages, texts)
        found = passages.embeddings
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
        passages = split_long(texts, encoder, chunk, stacklevel=6)
        if passages is None:
            found = encode_texts(encoder, texts, verbose=verbose)
        else:
            passages = encode_passages(encoder, texts, passages, verbose=verbose)
            found = passages.embeddings
    found = check_embeddings(found, width=width)
    if len(found) < least:
        raise ValueError(f"documents must hold at least {least}; found {len(found)}")
    return ReadTexts(texts, found, passages)
