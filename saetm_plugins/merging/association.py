"""Stage 3, association: how much more often two things occur together than by chance.

Positive pointwise mutual information times the square root of the joint mass. Without the root,
rare pairs would come first; without the logarithm, common ones.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from saetm_plugins.numerics.arrays import largest_in_rows
from saetm_plugins.numerics.parallel import balanced_ranges

_ENTRIES = 2**21  # scored at a time
_SMALLEST = 1e-3  # added to observed and expected mass, so that tiny masses score low


def association_scores(
    mass: sp.csr_matrix, n_largest: int = 64, *, chance_power: float = 1.0
) -> sp.csr_matrix:
    """Score the entries of a joint mass by ``max(0, log((M + ε) / (E + ε))) √M``.

    Parameters
    ----------
    mass : csr_matrix of shape (n, m)
        Joint mass M, non-negative.
    n_largest : int, default=64
        Entries kept in a row.
    chance_power : float, default=1.0
        The expected mass E is the row's sum times the column's share, which follows its mass to
        this power; above 1, columns of large mass score lower.

    Returns
    -------
    csr_matrix of shape (n, m), float32
        Non-negative, sorted indices.
    """
    mass = sp.csr_matrix(mass, dtype=np.float32)
    by_column = np.asarray(mass.sum(axis=0, dtype=np.float64)).ravel() ** chance_power
    chance = by_column / max(by_column.sum(), np.finfo(np.float64).tiny)
    by_row = np.asarray(mass.sum(axis=1, dtype=np.float64)).ravel()

    def score(first: int, last: int) -> sp.csr_matrix:
        part = mass[first:last]
        expected = np.repeat(by_row[first:last], np.diff(part.indptr)) * chance[part.indices]
        scores = np.log((part.data + _SMALLEST) / (expected + _SMALLEST)) * np.sqrt(part.data)
        part.data = scores.astype(np.float32)
        return largest_in_rows(part, n_largest)

    # In blocks: intermediate results take far more memory than the entries kept.
    blocks = balanced_ranges(np.diff(mass.indptr), 1 + mass.nnz // _ENTRIES)
    return sp.vstack([score(*block) for block in blocks], format="csr", dtype=np.float32)


def atom_cooccurrence(atom_pairs: sp.csr_matrix, n_largest: int = 64) -> sp.csr_matrix:
    """Associate each atom with `n_largest` others that share its documents, for a soft merge.

    Takes Σ θ_k θ_j over documents, (K, K); returns a CSR matrix (K, K), non-negative float32.
    """
    scored = association_scores(atom_pairs, atom_pairs.shape[1])
    scored.setdiag(0)
    return largest_in_rows(scored, n_largest)
