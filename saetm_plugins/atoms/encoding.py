"""Stage 1, inference: one block of embeddings to sparse activations, on CPU or on a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from saetm_plugins.parallel import even_ranges, map_ranges, n_threads

if TYPE_CHECKING:
    from saetm_plugins.atoms.autoencoder import SparseAutoencoder

SCORE_BYTES = 2**27
"""Bytes of dense scores, rows × atoms, that are in memory at a time."""

_LEAST_ROWS = 64  # of a product: it repacks the encoder


def encode_block(
    sae: SparseAutoencoder, embeddings: np.ndarray, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the activations of a block as the three arrays of a CSR matrix.

    Parameters
    ----------
    sae : SparseAutoencoder
    embeddings : ndarray of shape (n, d), float32
    device : str

    Returns
    -------
    indptr : ndarray of shape (n + 1,), int64
    indices : ndarray of shape (nnz,), int32
    values : ndarray of shape (nnz,), float32
    """
    return encode_normalized(sae, sae.normalizer_.apply(embeddings), device)


def encode_normalized(
    sae: SparseAutoencoder, batch: np.ndarray, device: str = "cpu"
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same for embeddings that are centred and scaled already."""
    if torch.device(device).type != "cpu":
        size = max(1, SCORE_BYTES // (16 * sae.n_atoms))  # several arrays of scores at once
        ranges = even_ranges(len(batch), size)
        return _join([_encode_on_device(sae, batch[a:b], device) for a, b in ranges])
    from saetm_plugins.atoms.encode_kernel import encode_rows  # imports numba: only when used

    bias, encoder = torch.from_numpy(sae.encoder_bias_), torch.from_numpy(sae.encoder_).T
    limit = sae.k if sae.activation == "topk" else 0

    def encode(_: int, first: int, last: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        rows = batch[first:last]
        scores = torch.addmm(bias, torch.from_numpy(rows), encoder).numpy()
        return encode_rows(
            rows,
            scores,
            sae.encoder_,
            sae.encoder_bias_,
            sae.thresholds_,
            limit,
            sae.keep_strongest,
        )

    size = max(1, SCORE_BYTES // (4 * sae.n_atoms * n_threads()))
    size = min(size, max(_LEAST_ROWS, -(-len(batch) // (4 * n_threads()))))
    return _join(map_ranges(encode, even_ranges(len(batch), size)))


def _join(
    parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Join the CSR arrays of consecutive rows."""
    lengths = np.concatenate([np.diff(indptr) for indptr, _, _ in parts])
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    indices, values = (np.concatenate([part[i] for part in parts]) for i in (1, 2))
    return indptr, indices, values


def _encode_on_device(
    sae: SparseAutoencoder, batch: np.ndarray, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same in torch operations, float32."""

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    inputs = on_device(batch)
    scores = torch.addmm(on_device(sae.encoder_bias_), inputs, on_device(sae.encoder_).T)
    active = scores > on_device(sae.thresholds_)
    if sae.activation == "topk" and sae.k < sae.n_atoms:
        strongest = scores.topk(sae.k, dim=1).indices
        active &= torch.zeros_like(active).scatter_(1, strongest, True)
    if sae.keep_strongest:
        best = scores.argmax(dim=1, keepdim=True)
        lonely = ~active.any(dim=1, keepdim=True) & (inputs != 0).any(dim=1, keepdim=True)
        active.scatter_(1, best, active.gather(1, best) | lonely)
        scores = scores.clamp(min=1e-6)
    indptr = torch.cat([active.new_zeros(1, dtype=torch.int64), active.sum(1).cumsum(0)])
    indices = active.nonzero()[:, 1].to(torch.int32)
    return indptr.cpu().numpy(), indices.cpu().numpy(), scores[active].cpu().numpy()
