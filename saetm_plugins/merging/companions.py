"""Stage 3, atoms by their company: what the soft merge looks at where there are no words.

Not in the paper (arXiv 2511.16309), which merges by decoder rows then. Atoms that are active in
the same documents are about the same thing, whatever the directions of their decoder rows.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from saetm_plugins.validation import check_count


def atom_companions(doc_atoms: sp.csr_matrix, n_companions: int = 64) -> sp.csr_matrix:
    """Associate atoms with the atoms they share documents with.

    The score is the positive pointwise mutual information of two atoms in one document times the
    root of their common mass, as for words in
    :func:`~saetm_plugins.merging.keyword_association`.

    Parameters
    ----------
    doc_atoms : csr_matrix of shape (N, K)
        Mixtures of atoms, non-negative; best not sharpened.
    n_companions : int, default=64
        Companions kept for an atom; none is its own.

    Returns
    -------
    csr_matrix of shape (K, K), float32
        Non-negative scores, sorted indices.
    """
    check_count(n_companions, "n_companions")
    doc_atoms = sp.csr_matrix(doc_atoms, dtype=np.float32)
    mass = sp.coo_matrix(doc_atoms.T @ doc_atoms)
    by_atom = np.asarray(mass.sum(axis=1), dtype=np.float64).ravel()
    expected = by_atom[mass.row] * by_atom[mass.col] / max(by_atom.sum(), np.finfo(float).tiny)
    scores = np.log((mass.data + 1e-3) / (expected + 1e-3)) * np.sqrt(mass.data)
    kept = (scores > 0) & (mass.row != mass.col)
    row, column, scores = mass.row[kept], mass.col[kept], scores[kept]
    order = np.lexsort((column, -scores, row))
    row, column, scores = row[order], column[order], scores[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    largest = place < n_companions
    result = sp.csr_matrix(
        (scores[largest].astype(np.float32), (row[largest], column[largest])), shape=mass.shape
    )
    result.sort_indices()
    return result
