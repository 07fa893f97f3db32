"""The input of every emission solver: checked, normalised and weighted counts and mixtures."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from saetm_plugins.validation import check_indices, without_tensors

LARGEST = 1e12
"""Largest count, word weight or prior: products of these must not overflow in float32."""
SMALLEST = 1e-30
"""Smaller counts are taken as 0: products of these must not vanish in float32."""


class Corpus(NamedTuple):
    """Documents as the solvers read them."""

    doc_atoms: sp.csr_matrix
    """Mixtures θ, (N, K), float32; rows sum to 1 (0 for a document without atoms)."""
    bow: sp.csc_matrix
    """Word counts times word weights, (N, V), float32; no stored zeros."""


class Totals(NamedTuple):
    """Sums over documents that are needed before the first pass; arrays are float64."""

    n_docs: float
    doc_freq: np.ndarray
    """Documents that hold each word, (V,)."""
    counts: np.ndarray
    """Unweighted counts of each word, (V,)."""
    atom_docs: np.ndarray
    """Documents that hold each atom, (K,)."""

    @classmethod
    def of(cls, theta: sp.csr_matrix, counts: sp.csr_matrix) -> Totals:
        """Sum over the documents."""
        n_words = counts.shape[1]
        return cls(
            counts.shape[0],
            np.bincount(counts.indices, minlength=n_words).astype(np.float64),
            np.bincount(counts.indices, weights=counts.data, minlength=n_words),
            np.bincount(theta.indices, minlength=theta.shape[1]).astype(np.float64),
        )


def check_counts(bow: Any, *, name: str = "bow", n_words: int | None = None) -> sp.csr_matrix:
    """Return `bow` as float32 CSR (N, V) of non-negative counts; tiny ones become 0."""
    counts = _as_csr(bow, name)
    if n_words is not None and counts.shape[1] != n_words:
        raise ValueError(f"{name} has {counts.shape[1]} words; the emissions have {n_words}")
    _check_non_negative(counts, name, "counts")
    if (too_small := counts.data < SMALLEST).any():
        counts = counts.copy()
        counts.data[too_small] = 0
        counts.eliminate_zeros()
    return counts


def check_mixtures(
    doc_atoms: Any, *, n_docs: int | None = None, n_atoms: int | None = None
) -> sp.csr_matrix:
    """Return `doc_atoms` as a float32 CSR matrix (N, K) whose rows sum to 1, or to 0 if empty."""
    theta = _as_csr(doc_atoms, "doc_atoms")
    if n_docs is not None and theta.shape[0] != n_docs:
        raise ValueError(f"doc_atoms has {theta.shape[0]} documents and bow has {n_docs}")
    if n_atoms is not None and theta.shape[1] != n_atoms:
        raise ValueError(f"doc_atoms has {theta.shape[1]} atoms; the emissions have {n_atoms}")
    _check_non_negative(theta, "doc_atoms", "weights")
    theta = normalize(theta, norm="l1", axis=1, copy=True)
    theta.eliminate_zeros()
    return theta


def weigh_words(word_weights: Any, totals: Totals) -> np.ndarray:
    """Return the weight of each word, (V,) float32.

    `word_weights` may be "idf", the paper's log(N / df) scaled to a maximum of 1 (sec. 4), None for
    all ones, or an array.
    """
    n_words = len(totals.counts)
    if word_weights is None:
        weights = np.ones(n_words, np.float32)
    elif isinstance(word_weights, str):
        if word_weights != "idf":
            raise ValueError(
                f"word_weights must be 'idf', None or an array; found {word_weights!r}"
            )
        weights = _inverse_document_frequency(totals)
    else:
        weights = check_weights(word_weights, n_words)
    if not (weights * totals.counts).sum() > 0:
        raise ValueError(
            f"bow has no words to learn from: its {int(totals.n_docs)} documents hold "
            f"{int((totals.counts > 0).sum())} words of the vocabulary, all of weight 0"
        )
    return weights


def check_weights(word_weights: Any, n_words: int) -> np.ndarray:
    """Return `word_weights` as (V,) float32, or raise a ValueError saying what is wrong."""
    word_weights = without_tensors(word_weights, "word_weights")
    try:
        weights = np.asarray(word_weights, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ValueError(f"word_weights must hold real numbers: {error}") from None
    if weights.shape != (n_words,):
        raise ValueError(f"word_weights has shape {weights.shape}; bow has {n_words} words")
    bad = ~((weights >= 0) & (weights <= LARGEST))
    if bad.any():
        worst = int(np.flatnonzero(bad)[0])
        raise ValueError(
            f"word_weights must be finite and not negative; found {weights[worst]} at {worst} "
            f"(at most {LARGEST:g})"
        )
    return weights


def lay_out(theta: sp.csr_matrix, counts: sp.csr_matrix, weights: np.ndarray) -> Corpus:
    """Weigh the counts and sort them by word."""
    by_word = counts.tocsc()
    by_word.data = by_word.data * np.repeat(weights, np.diff(by_word.indptr))
    if (weights == 0).any():
        by_word.eliminate_zeros()
    return Corpus(theta, by_word)


def _inverse_document_frequency(totals: Totals) -> np.ndarray:
    """Return log(N / df) scaled to a maximum of 1; 1 for a word that does not occur."""
    seen = totals.doc_freq > 0
    idf = np.log(totals.n_docs / np.maximum(totals.doc_freq, 1))
    highest = idf[seen].max(initial=0.0)
    if highest <= 0:  # every word is in every document
        return np.ones(len(idf), np.float32)
    return np.where(seen, idf / highest, 1.0).astype(np.float32)


def _as_csr(matrix: Any, name: str) -> sp.csr_matrix:
    """Return a 2-D sparse or dense `matrix` as canonical float32 CSR, uncopied if it is so."""
    matrix = without_tensors(matrix, name)
    if not sp.issparse(matrix):
        matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.dtype.kind not in "fiub":
        raise ValueError(
            f"{name} must be a 2-D matrix of real numbers; found shape {matrix.shape}, "
            f"dtype {matrix.dtype}"
        )
    if sp.issparse(matrix):
        check_indices(matrix, name)
    with np.errstate(over="ignore"):  # infinity is refused next
        csr = sp.csr_matrix(matrix, dtype=np.float32)
    if csr.shape[0] == 0 or csr.shape[1] == 0:
        raise ValueError(f"{name} is empty: shape {csr.shape}")
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def _check_non_negative(matrix: sp.csr_matrix, name: str, what: str) -> None:
    """Raise a ValueError naming the first row of `matrix` with an entry out of range."""
    if matrix.nnz == 0 or (matrix.data.min() >= 0 and matrix.data.max() <= LARGEST):
        return
    bad = int(np.flatnonzero(~((matrix.data >= 0) & (matrix.data <= LARGEST)))[0])
    row = int(np.searchsorted(matrix.indptr, bad, side="right")) - 1
    raise ValueError(
        f"{name} must hold finite {what} of at least 0; found {matrix.data[bad]} in row {row} "
        f"(at most {LARGEST:g})"
    )
