"""Which atoms a fit uses: those of a given autoencoder, those that ship here, or its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from saetm_plugins.atoms import SparseAutoencoder, train_sae
from saetm_plugins.atoms.foundation import foundation_sizes, load_foundation, unexplained
from saetm_plugins.corpus import DEFAULT_WIDTH
from saetm_plugins.parameters import training_parameters

MOST_DOCUMENTS_TO_REUSE = 300
"""Up to so many documents "auto" takes the foundation's atoms (benchmarks/RESULTS.md)."""
SHARPENING, SHARPENING_OF_FOUNDATION = 2.0, 1.5
_FOREIGN = 0.75  # of the variance unexplained: of the encoder's own .3 to .55, of others .83 to 1
_TRIED = 1000  # embeddings on which that is measured


def given_sae(sae: Any) -> SparseAutoencoder | None:
    """Return the autoencoder that is known before embeddings are; None: it depends on them."""
    return sae if isinstance(sae, SparseAutoencoder) else None


def choose_sae(
    model: Any, embeddings: np.ndarray, seed: int, *, of_images: bool = False
) -> SparseAutoencoder:
    """Return the autoencoder that a model's parameter `sae` stands for; train it where need be.

    Parameters
    ----------
    model : SAETopicModel
        Its parameters are legal.
    embeddings : ndarray of shape (n, d), float32
        Of the documents with content, each once.
    seed : int
    of_images : bool, default=False
    """
    if isinstance(model.sae, SparseAutoencoder):
        return model.sae
    if model.sae == "default":
        foundation = load_foundation(**_size_asked_for(model))
        if of_images or (found := _tell_foreign(foundation, embeddings)):
            found = "images" if of_images else found
            raise ValueError(
                f"sae='default' is for texts embedded by {foundation.encoder_name}; found {found}. "
                "sae='auto' trains atoms of its own there"
            )
        return foundation
    if model.sae == "auto" and not of_images and _is_small(model, embeddings):
        foundation = load_foundation()
        if not _tell_foreign(foundation, embeddings):
            return foundation
    if len(embeddings) == 1:
        raise ValueError(
            "embeddings are identical in all rows; there is nothing to tell documents apart by"
        )
    parameters = training_parameters(model, len(embeddings), of_images)
    return train_sae(embeddings, random_state=seed, **parameters)


def choose_sharpening(model: Any, sae: SparseAutoencoder) -> float:
    """Return the exponent on activations: the model's, or what suits the atoms it uses."""
    if model.sharpening is not None:
        return float(model.sharpening)
    shipped = sae.n_atoms in foundation_sizes() and sae.has_weights_of(load_foundation(sae.n_atoms))
    return SHARPENING_OF_FOUNDATION if shipped else SHARPENING


def _is_small(model: Any, embeddings: np.ndarray) -> bool:
    """Tell whether nothing speaks against reuse: few documents, and no wish for other atoms."""
    if embeddings.shape[1] != DEFAULT_WIDTH or len(embeddings) > MOST_DOCUMENTS_TO_REUSE:
        return False
    return model.n_atoms is None and model.k is None and model.activation == "batch_topk"


def _size_asked_for(model: Any) -> dict[str, int]:
    return {} if model.n_atoms is None else {"n_atoms": model.n_atoms}


def _tell_foreign(foundation: SparseAutoencoder, embeddings: np.ndarray) -> str | None:
    """Say why the embeddings cannot be those the foundation was trained on; None: they can."""
    if embeddings.shape[1] != foundation.n_features:
        return f"embeddings of {embeddings.shape[1]} dimensions, not {foundation.n_features}"
    tried = embeddings[:: -(-len(embeddings) // _TRIED)]
    left = unexplained(foundation, tried, centre=foundation.mean_)
    if left > _FOREIGN:
        return f"embeddings of which the atoms leave {left:.0%} unexplained: another encoder's"
    return None
