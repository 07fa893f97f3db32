"""Which atoms a fit uses: those of a given autoencoder, those of the package, or new ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from saetm_plugins.atoms import SparseAutoencoder, train_sae
from saetm_plugins.atoms.foundation import foundation_sizes, load_foundation, unexplained
from saetm_plugins.corpus.encoders import DEFAULT_WIDTH
from saetm_plugins.corpus.images.documents import choose_n_atoms

SAE_CHOICES = ("auto", "default")
"""Names that stand for an autoencoder."""
MOST_DOCUMENTS_TO_REUSE = 300
"""Up to so many documents "auto" takes the package's atoms."""
SHARPENING, SHARPENING_OF_FOUNDATION = 2.0, 1.5
_SETTINGS = ("n_atoms", "k", "activation", "device", "verbose")
_FOREIGN = 0.75  # of the variance unexplained: 0.3 to 0.55 for their encoder, else 0.83 to 1
_TRIED = 1000  # embeddings on which that is measured


def given_sae(sae: Any) -> SparseAutoencoder | None:
    """Return `sae` if it is an autoencoder; None where the choice depends on embeddings."""
    return sae if isinstance(sae, SparseAutoencoder) else None


def choose_sae(
    model: Any, embeddings: np.ndarray, seed: int, *, of_images: bool = False
) -> SparseAutoencoder:
    """Return the autoencoder for a model's parameter `sae`, trained on `embeddings` if necessary.

    These are (n, d), without those of blank documents and duplicates.
    """
    if isinstance(model.sae, SparseAutoencoder):
        return model.sae
    if model.sae == "default":
        foundation = load_foundation(*([] if model.n_atoms is None else [model.n_atoms]))
        if found := "images" if of_images else _why_foreign(foundation, embeddings):
            raise ValueError(
                f"sae='default' is for texts embedded by {foundation.encoder_name}; found {found}. "
                "sae='auto' trains atoms of its own there"
            )
        return foundation
    if model.sae == "auto" and not of_images and _is_small(model, embeddings):
        foundation = load_foundation()
        if not _why_foreign(foundation, embeddings):
            return foundation
    if len(embeddings) == 1:
        raise ValueError("embeddings are identical in all rows: all documents are alike")
    settings = {name: getattr(model, name) for name in _SETTINGS}
    if of_images and model.n_atoms is None:
        settings["n_atoms"] = choose_n_atoms(len(embeddings))
    return train_sae(embeddings, random_state=seed, **settings)


def choose_sharpening(model: Any, sae: SparseAutoencoder) -> float:
    """Return the exponent on activations: the model's, or the default for its atoms."""
    if model.sharpening is not None:
        return float(model.sharpening)
    shipped = sae.n_atoms in foundation_sizes() and sae.has_weights_of(load_foundation(sae.n_atoms))
    return SHARPENING_OF_FOUNDATION if shipped else SHARPENING


def _is_small(model: Any, embeddings: np.ndarray) -> bool:
    """Tell whether "auto" may reuse atoms: few documents, and no setting of the training."""
    if embeddings.shape[1] != DEFAULT_WIDTH or len(embeddings) > MOST_DOCUMENTS_TO_REUSE:
        return False
    return model.n_atoms is None and model.k is None and model.activation == "batch_topk"


def _why_foreign(foundation: SparseAutoencoder, embeddings: np.ndarray) -> str | None:
    """Return why the embeddings are not of the foundation's encoder; None: they may be."""
    if embeddings.shape[1] != foundation.n_features:
        return f"embeddings of {embeddings.shape[1]} dimensions, not {foundation.n_features}"
    tried = embeddings[:: -(-len(embeddings) // _TRIED)]
    left = unexplained(foundation, tried, centre=foundation.mean_)
    if left > _FOREIGN:
        return f"embeddings of which the atoms leave {left:.0%} unexplained: another encoder's"
    return None
