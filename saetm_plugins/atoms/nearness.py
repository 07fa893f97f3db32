"""Which atoms a document is near to, whether it activates them or not, and how near.

A document's activations explain part of its embedding. Where the rest lies, the atoms say whose
documents are near: a new document then belongs to what it resembles, even where the atoms that it
activates are hardly known from the corpus.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
import torch

from saetm_plugins.atoms.encoding import encode_normalized, rows_at_a_time, stack_blocks
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.parallel import even_ranges, matmul

N_NEAR = 16
"""Atoms that a document is near to; of 4 to 32 the fewest after which agreement hardly rises."""
_WIDTH = 0.15  # of the kernel over cosines; .12 to .2 are as good on 20 Newsgroups, AG News, BBC

_ALONE = 1e-3  # of an atom's mass without a document: then it has no other
_TINY = np.finfo(np.float32).tiny


@dataclass
class _NearestAtoms:
    """What :func:`encode_normalized` takes the largest of: log of the kernel, plus log √mass."""

    k: int
    encoder_: np.ndarray
    encoder_bias_: np.ndarray
    thresholds_: np.ndarray
    activation: str = "topk"
    keep_strongest: bool = False


def near_atoms(
    embeddings: np.ndarray,
    centroids: np.ndarray,
    mass: np.ndarray,
    mean: np.ndarray,
    device: str = "cpu",
) -> sp.csr_matrix:
    """Return how near documents are to atoms, n_dk ∝ √m_k exp(cos(x_d - x̄, c_k - x̄) / 0.15).

    Parameters
    ----------
    embeddings : ndarray of shape (n, d)
    centroids : ndarray of shape (K, d)
        c_k, the mean unit embedding of the documents of each atom.
    mass : ndarray of shape (K,)
        m_k, how many documents each atom has; those without any are near to nothing.
    mean : ndarray of shape (d,)
        x̄, the mean unit embedding of the corpus.

    Returns
    -------
    csr_matrix of shape (n, K), float32
        The :data:`N_NEAR` largest entries of each row, which sum to 1; each row depends on its own
        embedding alone.
    """
    live = np.flatnonzero(mass > 0)
    n_near = min(N_NEAR, len(live))
    atoms = _NearestAtoms(
        n_near,
        unit_rows((centroids[live] - mean).astype(np.float32)) / np.float32(_WIDTH),
        (np.log(mass[live]) / 2).astype(np.float32),
        np.full(len(live), -np.inf, dtype=np.float32),
    )
    centre, blocks = mean.astype(np.float32), []
    for first, last in even_ranges(len(embeddings), rows_at_a_time(len(live), device)):
        rows = unit_rows(np.asarray(embeddings[first:last], dtype=np.float32)) - centre
        blocks.append(encode_normalized(atoms, unit_rows(rows), device))
    near = stack_blocks(blocks, len(live))
    logs = near.data.reshape(-1, n_near)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return sp.csr_matrix(
        (shares.ravel(), live[near.indices].astype(np.int32), near.indptr),
        shape=(len(embeddings), len(mass)),
    )


def nearest_cosines(
    embeddings: np.ndarray,
    atom_embeddings: np.ndarray,
    mass: np.ndarray,
    mean: np.ndarray,
    own: sp.csr_matrix | None = None,
) -> np.ndarray:
    """Return how near documents are to the nearest atom, max_k cos(x_d - x̄, c_k - x̄).

    Parameters
    ----------
    embeddings : ndarray of shape (n, d)
    atom_embeddings : ndarray of shape (K, d)
        m_k c_k, the sum of the unit embeddings of the documents of each atom.
    mass, mean
        As of :func:`near_atoms`.
    own : csr_matrix of shape (n, K), optional
        What documents that were fitted add to `mass`: each is then compared with the others alone,
        as one that was not fitted would be.

    Returns
    -------
    ndarray of shape (n,), float32
    """
    live = np.flatnonzero(mass > 0)
    moments = (atom_embeddings[live] - mass[live, None] * mean).astype(np.float32)
    lengths = np.linalg.norm(moments, axis=1)
    found = np.empty(len(embeddings), dtype=np.float32)
    for first, last in even_ranges(len(embeddings), rows_at_a_time(len(live))):
        rows = unit_rows(np.asarray(embeddings[first:last], dtype=np.float32)) - np.float32(mean)
        radius = np.linalg.norm(rows, axis=1)
        products = matmul(torch.from_numpy(unit_rows(rows)), torch.from_numpy(moments).T).numpy()
        cosines = products / np.maximum(lengths, _TINY)
        if own is not None:
            part = own[first:last][:, live].tocoo()
            weight = part.data * radius[part.row]
            product = products[part.row, part.col]
            rest = lengths[part.col] ** 2 - 2 * weight * product + weight**2
            alone = mass[live][part.col] - part.data < _ALONE
            cosines[part.row, part.col] = np.where(
                alone, -1, (product - weight) / np.sqrt(np.maximum(rest, _TINY))
            )
        found[first:last] = cosines.max(axis=1)
    return found
