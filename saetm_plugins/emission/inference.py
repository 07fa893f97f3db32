"""Mixtures of documents from their words alone: θ with B fixed (the paper's model, sec. 4).

The same concave objective as stage 2, maximised over θ instead of B, one document at a time:
``θ_k ∝ θ_k Σ_w n_w (1 − π) B_kw / q_w + α p_k`` with a Dirichlet prior toward the prevalence p.
A first step over all atoms picks the candidates of a document; the others can hardly gain mass.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.emission.inputs import LARGEST, check_counts
from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges
from saetm_plugins.validation import check_count, check_not_negative, without_tensors


def infer_doc_atoms(
    bow: Any,
    emissions: Emissions,
    prevalence: np.ndarray | None = None,
    n_iter: int = 3,
    n_candidates: int = 128,
    n_active: int | None = None,
    prior: float = 1.0,
) -> sp.csr_matrix:
    """Infer documents' atoms from their words alone.

    Parameters
    ----------
    bow : sparse or dense matrix of shape (N, V)
        Counts or weights, not negative; words of probability 0 are ignored.
    emissions : Emissions
    prevalence : ndarray of shape (K,), optional
        p, the mean mixture of documents; an atom of prevalence 0 is never used. None: the atoms'
        shares of the words seen by `emissions`.
    n_iter : int, default=3
        Passes of EM, the first over all atoms and the others over the candidates. Few agree best
        with the encoder's mixtures; 20 and more explain the words best.
    n_candidates : int, default=128
        Atoms considered for a document.
    n_active : int, optional
        Atoms kept of a document, the strongest; None keeps all candidates of at least 1e-4.
    prior : float, default=1
        α: the weight of the prevalence, in weighted words.

    Returns
    -------
    csr_matrix of shape (N, K), float32
        Rows sum to 1. A document without known words has the strongest atoms of `prevalence`.
    """
    if not isinstance(emissions, Emissions):
        raise TypeError(f"emissions must be Emissions; found {type(emissions).__name__}")
    n_atoms, n_words = emissions.atom_words.shape
    counts = check_counts(bow, n_words=n_words)
    for value, name in ((n_iter, "n_iter"), (n_candidates, "n_candidates")):
        check_count(value, name)
    check_not_negative(prior, "prior", most=LARGEST)
    p = _check_prevalence(emissions.atom_mass if prevalence is None else prevalence, n_atoms)
    width = min(n_candidates, int((p > 0).sum()))
    kept = width if n_active is None else min(check_count(n_active, "n_active"), width)
    return _infer(counts, emissions, p, n_iter, width, kept, prior)


def _infer(
    counts: sp.csr_matrix,
    emissions: Emissions,
    prevalence: np.ndarray,
    n_iter: int,
    width: int,
    kept: int,
    prior: float,
) -> sp.csr_matrix:
    from saetm_plugins.emission import inference_kernels as kernels  # late: numba takes its time

    n_docs, n_atoms = counts.shape[0], len(prevalence)
    used = np.unique(counts.indices)
    row_of = np.zeros(counts.shape[1], np.int32)
    row_of[used] = np.arange(len(used), dtype=np.int32)
    # Only the rows of words that occur, so that one document costs little.
    word_atoms = np.ascontiguousarray(emissions.atom_words.T[used], dtype=np.float32)
    background = emissions.background[used].astype(np.float32, copy=False)
    pi = np.float32(emissions.background_weight)
    # Not by BLAS, where the rounding of a row depends on the number of rows.
    mixed = np.einsum("uk,k->u", word_atoms, prevalence) * (1 - pi) + pi * background
    bag = (counts.indptr.astype(np.int64), row_of[counts.indices], counts.data)
    model = (word_atoms, background, mixed.astype(np.float32), prevalence)
    atoms = np.empty((n_docs, kept), np.int32)
    weights = np.empty((n_docs, kept), np.float32)
    settings = (pi, np.float32(prior), n_iter, width)

    def infer(_: int, first: int, last: int) -> None:
        kernels.infer_documents(first, last, bag, model, settings, atoms, weights)

    map_ranges(infer, balanced_ranges(np.diff(counts.indptr) + 10.0))
    theta = sp.csr_matrix(
        (weights.ravel(), atoms.ravel(), np.arange(n_docs + 1, dtype=np.int64) * kept),
        shape=(n_docs, n_atoms),
    )
    theta.eliminate_zeros()
    theta.sort_indices()
    return theta


def _check_prevalence(prevalence: Any, n_atoms: int) -> np.ndarray:
    try:
        p = np.asarray(without_tensors(prevalence, "prevalence"), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"prevalence must hold real numbers: {error}") from None
    if p.shape != (n_atoms,):
        raise ValueError(f"prevalence has shape {p.shape}; the emissions have {n_atoms} atoms")
    if not np.isfinite(p).all() or (p < 0).any() or not p.any():
        raise ValueError("prevalence must be finite and at least 0, and not 0 everywhere")
    p = p / p.max()  # so that the sum is finite
    return (p / p.sum()).astype(np.float32)
