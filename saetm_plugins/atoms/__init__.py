"""Stage 1: sparse autoencoders over embeddings, whose decoder rows are topic atoms."""

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.atoms.config import TrainingConfig
from saetm_plugins.atoms.training import train_sae

__all__ = ["SparseAutoencoder", "TrainingConfig", "train_sae"]
