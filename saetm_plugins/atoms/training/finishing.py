"""Stage 1, after the last step: learn the threshold, measure, build the model."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.atoms.encoding import encode_normalized, stack_blocks
from saetm_plugins.atoms.normalization import Normalizer
from saetm_plugins.atoms.training.config import ResolvedConfig
from saetm_plugins.atoms.training.initialization import average_cut
from saetm_plugins.atoms.training.learner import Learner
from saetm_plugins.numerics.parallel import even_ranges, map_ranges

_MEASURED = 32_768  # documents that the statistics are taken on


def finish(
    learner: Learner,
    sample: np.ndarray,
    normalizer: Normalizer,
    config: ResolvedConfig,
    encoder_name: str | None,
    settings: dict[str, Any],
) -> SparseAutoencoder:
    """Learn the threshold on a normalised sample, measure, and build the model."""
    weights = learner.weights
    refuse_divergence(weights.values(), config)
    thresholds = weights.get("thresholds", np.zeros(len(weights["decoder"]), dtype=np.float32))
    if config.activation == "batch_topk":
        thresholds = np.full_like(thresholds, average_cut(weights, sample, config))
    elif config.activation != "jumprelu":
        thresholds = np.zeros_like(thresholds)
    sae = SparseAutoencoder(
        {**weights, "thresholds": thresholds, "mean": normalizer.mean},
        activation=config.activation,
        k=config.k,
        normalization=normalizer.mode,
        scale=normalizer.scale,
        encoder_name=encoder_name,
        settings=settings,
    )
    sae.statistics_ = measure(sae, sample[:_MEASURED])
    refuse_divergence([sae.statistics_["fvu"]], config)
    return sae


def refuse_divergence(values: Iterable[Any], config: ResolvedConfig) -> None:
    """Raise a ValueError where an array or number is NaN, infinite or too large to square."""
    if not all(np.isfinite(np.vdot(value, value)) for value in values):
        found = {name: getattr(config, name) for name in ("learning_rate", "sparsity")}
        raise ValueError(
            f"training diverged with {found} and normalization={config.normalization!r}: "
            "lower learning_rate or sparsity, or use normalization='unit'"
        )


def measure(sae: SparseAutoencoder, documents: np.ndarray) -> dict[str, float]:
    """Return ``fvu``, ``l0`` and ``n_dead`` of a model on (n, d) normalised embeddings."""
    codes = stack_blocks([encode_normalized(sae, documents)], sae.n_atoms)
    decoder, bias = sae.decoder_, sae.decoder_bias_

    def squared_error(_: int, first: int, last: int) -> float:
        missing = codes[first:last] @ decoder + (bias - documents[first:last])
        return float(np.einsum("nd,nd->", missing, missing, dtype=np.float64))

    error = sum(map_ranges(squared_error, even_ranges(len(documents), 2048)))
    mean = documents.mean(axis=0, dtype=np.float64).astype(np.float32)
    variance = np.square(documents - mean).sum(dtype=np.float64)
    return {
        "fvu": float(error / variance) if variance > 0 else 0.0,
        "l0": codes.nnz / len(documents),
        "n_dead": int((np.bincount(codes.indices, minlength=sae.n_atoms) == 0).sum()),
        "n_documents": len(documents),
    }
