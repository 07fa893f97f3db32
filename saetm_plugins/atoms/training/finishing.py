"""Stage 1, after the last step: learn the threshold, measure, put the model together."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.atoms.encoding import encode_normalized
from saetm_plugins.atoms.normalization import Normalizer
from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.atoms.training.initialization import average_cut
from saetm_plugins.atoms.training.learner import Learner

_MEASURED = 32_768  # documents that the statistics are taken on


def finish(
    learner: Learner,
    sample: np.ndarray,
    normalizer: Normalizer,
    config: TrainingConfig,
    encoder_name: str | None,
    settings: dict[str, Any],
) -> SparseAutoencoder:
    """Learn the threshold, measure, and put the model together."""
    assert config.k is not None
    weights = learner.weights
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
    return sae


def measure(sae: SparseAutoencoder, documents: np.ndarray) -> dict[str, float]:
    """Return ``fvu``, ``l0`` and ``n_dead`` of a model on (n, d) normalised embeddings."""
    indptr, indices, values = encode_normalized(sae, documents)
    codes = sp.csr_matrix((values, indices, indptr), shape=(len(documents), sae.n_atoms))
    error = np.square(codes @ sae.decoder_ + (sae.decoder_bias_ - documents)).sum(dtype=np.float64)
    variance = np.square(documents - documents.mean(axis=0)).sum(dtype=np.float64)
    return {
        "fvu": float(error / variance) if variance > 0 else 0.0,
        "l0": len(indices) / len(documents),
        "n_dead": int((np.bincount(indices, minlength=sae.n_atoms) == 0).sum()),
        "n_documents": len(documents),
    }
