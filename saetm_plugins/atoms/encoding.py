"""Stage 1, inference: one block of embeddings to sparse activations, on CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

import numpy as np
import scipy.sparse as sp
import torch

from saetm_plugins.atoms.normalization import Normalizer
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.pairs import (
    entries_of,
    keep_entries,
    largest_entries,
    products_of_pairs,
)
from saetm_plugins.numerics.parallel import even_ranges, map_ranges, n_threads

ACTIVATIONS = ("topk", "batch_topk", "l1", "jumprelu")
_SCORE_BYTES = 2**26  # of dense scores in memory at a time
_SCORE_BYTES_ON_GPU = 2**28
_LEAST_ROWS = 64  # of a product: it repacks the encoder
_LEAST_COSINE = np.float32(1e-3)
_FLOOR = np.float32(1e-6)  # activation of the strongest atom of a document if none is positive


Block = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Activations of some rows: indptr, indices and values of a CSR matrix."""


class Scorer(Protocol):
    """What encoding needs of a :class:`SparseAutoencoder`, for embeddings that are normalised."""

    activation: str
    k: int
    keep_strongest: bool
    encoder_: np.ndarray
    encoder_bias_: np.ndarray
    thresholds_: np.ndarray


class Encoder(Scorer, Protocol):
    """The same, for any embeddings."""

    normalizer_: Normalizer


def rows_at_a_time(n_atoms: int, device: str = "cpu") -> int:
    """Return how many rows to encode at once, so that dense scores fit in 64 or 256 MiB."""
    on_cpu = torch.device(device).type == "cpu"
    return max(1, (_SCORE_BYTES if on_cpu else _SCORE_BYTES_ON_GPU) // (4 * n_atoms))


def encode_block(sae: Encoder, embeddings: np.ndarray, device: str) -> Block:
    """Return the activations of embeddings (n, d)."""
    return encode_normalized(sae, sae.normalizer_.apply(embeddings), device)


def cosines_at_entries(
    indptr: np.ndarray, indices: np.ndarray, rows: np.ndarray, directions: np.ndarray
) -> np.ndarray:
    """Return the cosines of `rows` (n, d) and unit `directions` (K, d) at entries of (n, K).

    They are at least 0.001, so that every active atom has a share of the mixture.
    """
    cosines = products_of_pairs(indptr, indices, unit_rows(rows), directions, on_all_cores=True)
    return np.maximum(cosines, _LEAST_COSINE)


def encode_normalized(sae: Scorer, batch: np.ndarray, device: str = "cpu") -> Block:
    """Do the same for embeddings that are centred and scaled already."""
    if torch.device(device).type != "cpu":
        ranges = even_ranges(len(batch), rows_at_a_time(len(sae.encoder_), device))
        return join_blocks([_encode_on_device(sae, batch[a:b], device) for a, b in ranges])
    bias, encoder = torch.from_numpy(sae.encoder_bias_), torch.from_numpy(sae.encoder_).T

    def encode(_: int, first: int, last: int) -> Block:
        rows = batch[first:last]
        return _select(sae, rows, torch.addmm(bias, torch.from_numpy(rows), encoder).numpy())

    at_most = max(1, rows_at_a_time(len(sae.encoder_)) // n_threads())
    size = min(at_most, max(_LEAST_ROWS, -(-len(batch) // (4 * n_threads()))))
    return join_blocks(map_ranges(encode, even_ranges(len(batch), size)))


def _select(sae: Scorer, rows: np.ndarray, scores: np.ndarray) -> Block:
    """Turn dense scores (n, K) of embeddings into sparse activations, each row by itself.

    The dense product, whose rounding depends on the number of rows, only proposes atoms, those
    within a margin of the cut included. Their scores are computed again, row by row, and decide.
    """
    limit = min(sae.k, len(sae.encoder_)) if sae.activation == "topk" else len(sae.encoder_)
    best = scores.max(axis=1)
    margin = np.float32(1e-5) * max(best.max(), -scores.min()) + np.float32(1e-7)
    proposed = scores > sae.thresholds_ - margin
    if limit < len(sae.encoder_):
        proposed &= scores >= (floors_of_largest(scores, limit) - margin)[:, None]
    if sae.keep_strongest:
        in_doubt = np.flatnonzero(best <= sae.thresholds_.max() + margin)
        proposed[in_doubt] |= scores[in_doubt] >= (best[in_doubt] - margin)[:, None]
    indptr, indices = entries_of(proposed)
    values = products_of_pairs(indptr, indices, rows, sae.encoder_) + sae.encoder_bias_[indices]
    kept = values > sae.thresholds_[indices]
    if limit < len(sae.encoder_):
        kept &= largest_entries(indptr, values, -np.inf, limit)
    if sae.keep_strongest:
        lonely = np.diff(np.concatenate(([0], np.cumsum(kept)))[indptr]) == 0
        strongest = np.repeat(lonely & rows.any(axis=1), np.diff(indptr))
        strongest &= largest_entries(indptr, values, np.inf, 1)
        kept |= strongest
        values[strongest] = np.maximum(values[strongest], _FLOOR)
    return keep_entries(indptr, kept, indices, values)


def floors_of_largest(scores: np.ndarray, n_largest: int) -> np.ndarray:
    """Return for every row (n, K) a score that its `n_largest` best reach, and not many more.

    It is taken from maxima of groups of columns.
    """
    n_groups = max(64, 4 * n_largest)
    if scores.shape[1] >= 2 * n_groups:
        groups = scores[:, : scores.shape[1] // n_groups * n_groups]
        scores = torch.from_numpy(groups).unflatten(1, (-1, n_groups)).amax(dim=1).numpy()
    return np.partition(scores, -n_largest, axis=1)[:, -n_largest]


def _encode_on_device(sae: Scorer, batch: np.ndarray, device: str) -> Block:
    """Encode embeddings that are centred and scaled, in torch operations, float32."""

    def on_device(array: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array).to(device)

    inputs = on_device(batch)
    scores = torch.addmm(on_device(sae.encoder_bias_), inputs, on_device(sae.encoder_).T)
    active = scores > on_device(sae.thresholds_)
    if sae.activation == "topk" and sae.k < len(sae.encoder_):
        strongest = scores.topk(sae.k, dim=1).indices
        active &= torch.zeros_like(active).scatter_(1, strongest, True)
    if sae.keep_strongest:
        best = scores.argmax(dim=1, keepdim=True)
        lonely = ~active.any(dim=1, keepdim=True) & (inputs != 0).any(dim=1, keepdim=True)
        active.scatter_(1, best, active.gather(1, best) | lonely)
        scores = scores.clamp(min=float(_FLOOR))
    indptr = torch.cat([active.new_zeros(1, dtype=torch.int64), active.sum(1).cumsum(0)])
    indices = active.nonzero()[:, 1].to(torch.int32)
    return indptr.cpu().numpy(), indices.cpu().numpy(), scores[active].cpu().numpy()


def join_blocks(blocks: Iterable[Block]) -> Block:
    """Join the blocks of consecutive rows."""
    indptrs, indices, values = zip(*blocks, strict=True)
    lengths = np.concatenate([np.diff(indptr) for indptr in indptrs])
    indptr = np.concatenate(([0], np.cumsum(lengths)))
    return indptr, np.concatenate(indices), np.concatenate(values)


def stack_blocks(blocks: Iterable[Block], n_atoms: int) -> sp.csr_matrix:
    """As :func:`join_blocks`, into one matrix."""
    indptr, indices, values = join_blocks(blocks)
    matrix = sp.csr_matrix((values, indices, indptr), shape=(len(indptr) - 1, n_atoms))
    matrix.has_sorted_indices = True
    return matrix
