"""The corpus that a model learns from: texts, embeddings and counts of words, checked once."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.corpus.chunker import Chunker, split_long
from saetm_plugins.corpus.duplicates import choose_distinct, find_blank, take
from saetm_plugins.corpus.encoders import encode_texts
from saetm_plugins.corpus.passages import Passages, check_passages, encode_passages
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import check_bow, fit_vectorizer
from saetm_plugins.files.shards import to_rows, vector_column
from saetm_plugins.validation import check_embeddings

_PAGE, _TIMES_MEDIAN = 5.0, 4.0  # passages of a text that count; of the median text's, if more


class FittedPassages(NamedTuple):
    """Passages that a model learned from."""

    passages: Passages
    """Without embeddings."""
    atoms: sp.csr_matrix
    """Their mixtures, (m, K), float32."""


@dataclass(frozen=True, eq=False)
class Corpus:
    """What a model learns from; a row is a document or, where documents are long, a passage.

    Attributes
    ----------
    texts : list of str, length n; None without texts
    embeddings : ndarray of shape (m, d), float32, or float16 where large
        Of the rows; None where only mixtures are known.
    blank : ndarray of shape (m,), bool
        Rows without content; until :meth:`with_blank`, the pictures that cannot be read.
    passages : Passages, or None where no document is split: m is then n
    counts : csr_matrix of shape (m, V), float32, or None
    vocabulary : ndarray of shape (V,), or None
    vectorizer : fitted scikit-learn vectorizer, or None
        What counted the words.
    distinct : ndarray of int, or None before :meth:`with_distinct`
        Rows to learn from, ascending: neither blank nor, with embeddings, duplicates.
    by_encoder : bool, or None where it is not known
        Whether the encoder made the embeddings, and embeds words near them.
    """

    texts: list[str] | None
    embeddings: Any
    blank: np.ndarray
    passages: Passages | None = None
    counts: sp.csr_matrix | None = None
    vocabulary: np.ndarray | None = None
    vectorizer: Any = None
    distinct: Any = None
    by_encoder: bool | None = None

    @property
    def n_documents(self) -> int:
        """Number of documents n."""
        return len(self.blank) if self.passages is None else self.passages.n_documents

    @property
    def row_texts(self) -> Sequence[str] | None:
        """The text of each row."""
        if self.passages is None or self.texts is None:
            return self.texts
        return self.passages.texts(self.texts)

    @property
    def blank_documents(self) -> np.ndarray:
        """Which documents have blank rows only, (n,) bool."""
        return self.blank if self.passages is None else self.passages.all_of(self.blank)

    def with_bow(self, bow: Any, vocabulary: Any) -> Corpus:
        """Return the corpus with counts given by the user, those of texts shared among passages."""
        if bow is None:
            if vocabulary is not None:
                raise ValueError("vocabulary names the columns of bow, which is None")
            return self
        n_rows = len(self.blank)
        if self.passages is None or np.shape(bow)[:1] == (n_rows,):
            counts, words = check_bow(bow, vocabulary, n_rows)
        else:
            assert self.texts is not None
            counts, words = check_bow(bow, vocabulary, self.n_documents)
            counts = self.passages.texts(self.texts).share_out(counts, words)
        return replace(self, counts=counts, vocabulary=words)

    def learn_words(self, vectorizer: Any, languages: Sequence[str] = ()) -> Corpus:
        """Return the corpus with its words counted, unless they are or there are no texts.

        The vocabulary is learned from documents, also where passages are counted. `vectorizer` and
        `languages` are as of :func:`~saetm_plugins.corpus.vectorizers.fit_vectorizer`.
        """
        if self.counts is not None or self.texts is None:
            return self
        try:
            counts, fitted = fit_vectorizer(vectorizer, self.texts, languages=languages)
        except ValueError as error:
            raise ValueError(f"documents give no vocabulary: {error}") from error
        if self.passages is not None:
            counts = sp.csr_matrix(fitted.transform(self.row_texts), dtype=np.float32)
        counts.sort_indices()  # sums over a row then do not depend on who counted
        words = np.asarray(fitted.get_feature_names_out(), dtype=object)
        return replace(self, counts=counts, vocabulary=words, vectorizer=fitted)

    def count_words(self, vectorizer: Any, vocabulary: np.ndarray | None) -> Corpus:
        """Return the corpus with the words of a fitted model counted; without, if it has none."""
        if vocabulary is None:
            if self.counts is not None:
                raise ValueError("the model was fitted without words, so it cannot count bow")
            return self
        if self.counts is not None and self.vocabulary is not None:
            if not np.array_equal(self.vocabulary, vocabulary):
                raise ValueError("vocabulary differs from that of the fitted model")
            return self
        if self.texts is None:
            raise ValueError("the model was fitted with words; give documents or bow")
        if vectorizer is None:
            raise ValueError("the model was fitted to bow, without a vectorizer; give bow")
        counts = sp.csr_matrix(vectorizer.transform(self.row_texts), dtype=np.float32)
        return replace(self, counts=counts, vocabulary=vocabulary)

    def with_blank(self, vectorizer: Any = None) -> Corpus:
        """Return the corpus with blank rows found; `vectorizer` counts the words of suspects."""
        texts = self.row_texts
        blank = find_blank(texts, len(self.blank), self.counts, self.embeddings)
        if blank.any() and vectorizer is not None:  # which may count punctuation
            assert texts is not None
            counts = vectorizer.transform([texts[row] for row in np.flatnonzero(blank).tolist()])
            blank[blank] = np.diff(sp.csr_matrix(counts).indptr) == 0
        return replace(self, blank=self.blank | blank)

    def with_distinct(self) -> Corpus:
        """Return the corpus with the rows found that repeat no other one."""
        return replace(self, distinct=choose_distinct(self.embeddings, self.blank))

    def first(self, n: int) -> Corpus:
        """Return the first `n` documents, read but not counted."""
        texts = None if self.texts is None else self.texts[:n]
        return Corpus(texts, self.embeddings[:n].copy(), self.blank[:n]).with_distinct()

    def take_distinct(self, row_atoms: sp.csr_matrix) -> tuple[Any, Any, Any]:
        """Return mixtures of atoms, counts and embeddings of the rows to learn from."""
        arrays = (row_atoms, self.counts, self.embeddings)
        weights, counts, embeddings = (take(array, self.distinct) for array in arrays)
        return weights, counts, embeddings

    def bound_passages(self, row_atoms: sp.csr_matrix) -> sp.csr_matrix:
        """Weigh down the passages of texts that have far more of them than most: to a page's.

        One huge text among short ones must not decide the words of a topic; a corpus of books is
        left as it is.
        """
        if self.passages is None:
            return row_atoms
        n_passages = np.bincount(self.passages.documents, minlength=self.n_documents)
        most = max(_PAGE, _TIMES_MEDIAN * float(np.median(n_passages)))
        weights = np.minimum(1, most / n_passages[self.passages.documents])
        return row_atoms if weights.min() == 1 else sp.csr_matrix(sp.diags(weights) @ row_atoms)

    def per_document(self, row_atoms: Any) -> Any:
        """Return the mixtures of documents (n, K), from those of rows (m, K), sparse or dense."""
        return row_atoms if self.passages is None else self.passages.mean(row_atoms)

    def of_passages(self, row_atoms: sp.csr_matrix) -> FittedPassages | None:
        """Return the passages with the mixtures of rows; None where no document is split."""
        if self.passages is None:
            return None
        return FittedPassages(replace(self.passages, embeddings=None), row_atoms)

    def warn_of_blank(self, where_blank: str, *, stacklevel: int = 3) -> None:
        """Warn of blank documents, which count towards the topic that `where_blank` names."""
        if n_blank := int(self.blank_documents.sum()):
            remark = f"are blank: they get the mean mixture of the corpus {where_blank}"
            self._warn(n_blank, remark, stacklevel)

    def warn_of_documents(self, where_blank: str) -> None:
        """Warn of blank and duplicate documents, and of those without a word of the vocabulary."""
        self.warn_of_blank(where_blank, stacklevel=4)
        blank, counts, distinct = self.blank_documents, self.counts, self.distinct
        if self.passages is not None:
            counts = None if counts is None else self.passages.sum(counts)
            distinct = np.unique(self.passages.documents[distinct])
        if n_repeated := len(blank) - int(blank.sum()) - len(distinct):
            remark = "repeat another one: shares count them, words and atoms do not"
            self._warn(n_repeated, remark, stacklevel=3)
        if counts is not None and (n := int(((np.diff(counts.indptr) == 0) & ~blank).sum())):
            remark = "hold no word of the vocabulary; their mixtures come from their embeddings"
            self._warn(n, f"{remark} alone", stacklevel=3)

    def _warn(self, n: int, remark: str, stacklevel: int) -> None:
        message = f"{n} of {self.n_documents} documents {remark}"
        warnings.warn(message, UserWarning, stacklevel=stacklevel + 1)


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

    Arguments are those of ``fit``. `load` returns the encoder, where it is needed; there must be
    at least `least` rows, of `width` dimensions.
    """
    texts = None if documents is None else check_documents(documents)
    passages, by_encoder = None, None
    if isinstance(embeddings, Passages):
        check_passages(embeddings, texts)
        passages, found = embeddings, embeddings.embeddings
    elif embeddings is not None:
        if isinstance(chunk, Chunker):
            raise ValueError(
                "chunk splits texts and has their passages embedded, which embeddings of whole "
                "documents rule out; leave one out, or give embeddings=chunk.embed(documents)"
            )
        n_rows = None if texts is None else len(texts)
        found = check_embeddings(embeddings, n_rows=n_rows, keep_half=True)
    elif texts is None:
        raise ValueError("documents and embeddings= are both None; give at least one")
    else:
        encoder, by_encoder = load(), True
        passages = split_long(texts, encoder, chunk, stacklevel=5)
        if passages is None:
            found = encode_texts(encoder, texts, verbose=verbose)
        else:
            passages = encode_passages(encoder, texts, passages, verbose=verbose)
            found = passages.embeddings
    found = check_embeddings(found, width=width, keep_half=True)
    if len(found) < least:
        raise ValueError(f"documents must hold at least {least}; found {len(found)}")
    blank = np.zeros(len(found), dtype=bool)
    return Corpus(texts, found, blank, passages, by_encoder=by_encoder)


def read_batch(batch: Any, with_texts: bool = True) -> Corpus:
    """Read a batch of columns: a pyarrow Table or RecordBatch, a DataFrame, a mapping of arrays.

    Embeddings are in "embedding" or "embeddings", else in the first column of lists; texts in
    "text", read where they are wanted.
    """
    if hasattr(batch, "schema"):
        rows = to_rows(batch.column(vector_column(batch.schema)))
        texts = batch.column("text").to_pylist() if with_texts else None
    else:
        names = [name for name in ("embeddings", "embedding") if name in batch]
        if not names or (with_texts and "text" not in batch):
            raise ValueError(
                f"batch must have the columns 'embedding' and 'text'; found {', '.join(batch)}"
            )
        rows, texts = batch[names[0]], list(batch["text"]) if with_texts else None
    return read_corpus(texts, rows, load=lambda: None)


def read_without_embeddings(documents: Any, n_documents: int) -> Corpus:
    """Check documents whose mixtures are known."""
    texts = None if documents is None else check_documents(documents)
    if texts is not None and len(texts) != n_documents:
        raise ValueError(f"doc_atoms has {n_documents} rows for {len(texts)} documents")
    return Corpus(texts, None, np.zeros(n_documents, dtype=bool))


def warn_of_target(y: Any) -> None:
    """Warn where embeddings were given as `y`, which is ignored; refuse passages and paths.

    Labels and numbers to predict, of one column or several, are ignored in silence; several columns
    of fractions may be either.
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
