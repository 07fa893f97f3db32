"""How much two dictionaries agree: atoms matched one to one by cosine."""

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
        raise ValueError(
            f"second has {second.shape[1]} dimensions, first has {first.shape[1]}: not comparable"
        )
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
    """Return the share of atoms of one model that have a counterpart in another.

    Parameters
    ----------
    sae_a, sae_b : SparseAutoencoder
        Usually two runs that differ in their seed alone.
    threshold : float, default=0.7
        Cosine of decoder rows above which two atoms count as one, matched one to one.

    Returns
    -------
    float
        Between 0 and 1, of the atoms of `sae_a`.
    """
    for name, sae in (("sae_a", sae_a), ("sae_b", sae_b)):
        if not isinstance(sae, SparseAutoencoder):
            raise TypeError(f"{name} must be a SparseAutoencoder; found {sae!r:.80}")
    check_fraction(threshold, "threshold", closed=True)
    _, cosines = match_directions(sae_a.decoder_, sae_b.decoder_)
    return float(np.mean(cosines > threshold))
