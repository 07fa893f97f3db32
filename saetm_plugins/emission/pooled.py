"""Stage 2 from sums over documents.

The documents of an atom, weighted by its share of them, are pooled into one: its words are
``M_k = Σ_d θ_dk n_d`` and its mixture of atoms is ``G_k ∝ Σ_d |n_d| θ_dk θ_d``. The emission model
of the documents (paper, section 4) holds for the pools as it does for each document, in the mean:
``M_k ∝ π P0 + (1 − π) Σ_j G_kj B_j``. M and G are sums, so batches of documents add up.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.emission.inputs import Totals, weigh_words
from saetm_plugins.emission.solver import fit_emissions
from saetm_plugins.numerics.arrays import largest_in_rows

N_ITER = 4
_N_NEIGHBOURS = 16  # atoms of a pool's mixture
_LEAST_WEIGHT = 1e-3  # of a word in every document, so that its probability is above 0


def fit_pooled_emissions(
    atom_words: sp.csr_matrix,
    atom_pairs: sp.csr_matrix,
    document_frequency: np.ndarray,
    n_documents: float,
    *,
    solver: str = "em",
    n_iter: int | None = None,
    **options: Any,
) -> Emissions:
    """Estimate P(word | atom) from the pooled documents of every atom.

    Parameters
    ----------
    atom_words : csr_matrix of shape (K, V)
        Word counts of the documents, weighted by their atoms: Σ θ_k n_w.
    atom_pairs : csr_matrix of shape (K, K)
        Σ |n| θ_k θ_j, with |n| the words of a document.
    document_frequency : ndarray of shape (V,)
        Documents that hold each word.
    n_documents : float
    solver : {"em", "adam"}, default="em"
    n_iter : int, optional
        Passes over the pools; None means 4 (EM).
    **options
        Further arguments of :func:`~saetm_plugins.emission.fit_emissions`.

    Returns
    -------
    Emissions
        Words are weighted by log(N / df), as the paper does.
    """
    counts = np.asarray(atom_words.sum(axis=0, dtype=np.float64)).ravel()
    totals = Totals(n_documents, document_frequency, counts, np.zeros(0))
    return fit_emissions(
        largest_in_rows(atom_pairs, _N_NEIGHBOURS),
        atom_words,
        solver=solver,
        n_iter=N_ITER if n_iter is None and solver == "em" else n_iter,
        word_weights=np.maximum(weigh_words("idf", totals), np.float32(_LEAST_WEIGHT)),
        **options,
    )
