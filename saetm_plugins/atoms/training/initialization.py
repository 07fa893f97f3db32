"""Stage 1, starting weights: atoms are documents far from one another."""

from __future__ import annotations

import numpy as np
import torch

from saetm_plugins.atoms.training.config import ResolvedConfig
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.numerics.parallel import matmul

_ROUNDS = 32  # of picking atoms; within a round picks do not see each other
_SAMPLE = 8_192  # documents from which a threshold is taken
_SCORE_BYTES = 2**27  # of their scores in memory at a time


def initial_weights(
    documents: np.ndarray, config: ResolvedConfig, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return starting weights, by name, from a sample of normalised embeddings (n, d).

    Atoms are documents, and the encoder is the decoder.
    """
    n_atoms, d = config.n_atoms, documents.shape[1]
    decoder = float(0.1 / np.sqrt(d)) * rng.standard_normal((n_atoms, d), dtype=np.float32)
    chosen = _spread_rows(documents, n_atoms, rng)
    decoder[: len(chosen)] += unit_rows(documents[chosen])
    weights = {
        "encoder": unit_rows(decoder),
        "encoder_bias": np.zeros(n_atoms, dtype=np.float32),
        "decoder": unit_rows(decoder),
        "decoder_bias": np.zeros(d, dtype=np.float32),
    }
    cut = average_cut(weights, documents, config)
    if config.activation == "l1":  # else half of all atoms would be active at first
        weights["encoder_bias"] -= cut
    return {**weights, "thresholds": np.full(n_atoms, cut, dtype=np.float32)}


def average_cut(
    weights: dict[str, np.ndarray], documents: np.ndarray, config: ResolvedConfig
) -> float:
    """Return the score, at least 0, above which `k` atoms are active on average.

    It is found on the first few thousand of the normalised embeddings (n, d).
    """
    documents = documents[:_SAMPLE]
    bias, encoder = (torch.from_numpy(weights[name]) for name in ("encoder_bias", "encoder"))

    def score(rows: np.ndarray) -> np.ndarray:
        return matmul(torch.from_numpy(rows), encoder.T).add_(bias).numpy()

    n_kept, n_scores = config.k * len(documents), len(documents) * len(encoder)
    if n_kept >= n_scores:
        return 0.0
    size = max(1, _SCORE_BYTES // (4 * len(encoder)))
    sampled, share = score(documents[::64]), 2 * n_kept / n_scores
    while True:  # a floor from a sample leaves few candidates
        floor = np.quantile(sampled, 1 - share) if share < 1 else -np.inf
        blocks = (score(documents[i : i + size]) for i in range(0, len(documents), size))
        candidates = np.concatenate([scores[scores > floor] for scores in blocks])
        if len(candidates) > n_kept:
            # Halfway between two scores, so that rounding changes no document.
            below, above = np.partition(candidates, [-n_kept - 1, -n_kept])[-n_kept - 1 :][:2]
            return max(0.0, (float(below) + float(above)) / 2)
        share *= 2


def _spread_rows(documents: np.ndarray, n_rows: int, rng: np.random.Generator) -> np.ndarray:
    """Choose rows in unlike directions: k-means++ on the sphere, many picks a round."""
    sample = rng.permutation(len(documents))[: max(4096, 16 * n_rows)]
    if len(sample) <= n_rows:
        return sample
    rows = documents[sample]
    energy = np.einsum("nd,nd->n", rows, rows)
    directions = torch.from_numpy(unit_rows(rows))
    nearest = torch.zeros(len(rows))
    chosen = np.empty(0, dtype=np.int64)
    for size in np.diff(np.linspace(0, n_rows, min(n_rows, _ROUNDS) + 1).astype(int)).tolist():
        weights = (energy * (1 - np.minimum(nearest.numpy(), 1) ** 2) ** 3).astype(np.float64)
        weights[chosen] = 0
        size = min(size, np.count_nonzero(weights))
        if size == 0:  # fewer directions than atoms
            break
        picks = rng.choice(len(weights), size, replace=False, p=weights / weights.sum())
        chosen = np.concatenate([chosen, picks])
        nearest = torch.maximum(nearest, matmul(directions, directions[picks].T).amax(dim=1))
    return sample[chosen]
