"""Agreement of two dictionaries: atoms matched one to one by cosine."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.validation import check_embeddings, check_fraction


def match_directions(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Match rows of two dictionaries one to one so that the summed cosine is largest (Hungarian).

    Parameters
    ----------
    first : ndarray of shape (n, d)
    second : ndarray of shape (m, d)

    Returns
    -------
    partners : ndarray of shape (n,), int64
        The row of `second` matched to each row of `first`; -1 where `second` has too few.
    cosines : ndarray of shape (n,), float64
        The cosine of each pair; -1 without a partner.
    """
    first, second = check_embeddings(first, name="first"), check_embeddings(second, name="second")
    if first.shape[1] != second.shape[1]:
        raise ValueError(f"second has {second.shape[1]} dimensions; first has {first.shape[1]}")
    first, second = (unit_rows(np.asarray(rows, dtype=np.float64)) for rows in (first, second))
    cosines = first @ second.T
    rows, columns = linear_sum_assignment(cosines, maximize=True)
    partners = np.full(len(first), -1, dtype=np.int64)
    matched = np.full(len(first), -1.0)
    partners[rows] = columns
    matched[rows] = cosines[rows, columns]
    return partners, matched


def atom_stability(
    sae_a: SparseAutoencoder, sae_b: SparseAutoencoder, threshold: float = 0.7
) -> float:
    """Return the share of atoms of one model that another has as well.

    Parameters
    ----------
    sae_a, sae_b : SparseAutoencoder
        Usually two runs of different seeds.
    threshold : float, default=0.7
        Atoms are matched one to one; matches of a larger cosine of decoder rows count.

    Returns
    -------
    float
        Between 0 and 1, of the atoms of `sae_a`.
    """
    check_fraction(threshold, "threshold", closed=True)
    _, cosines = match_directions(sae_a.decoder_, sae_b.decoder_)
    return float(np.mean(cosines > threshold))
