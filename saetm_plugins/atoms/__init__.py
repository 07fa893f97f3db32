"""Stage 1: sparse autoencoders over embeddings, whose decoder rows are topic atoms."""

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.atoms.data.synthetic import CTMSample, sample_ctm
from saetm_plugins.atoms.matching import atom_stability, match_directions
from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.atoms.training.train import train_sae

__all__ = [
    "CTMSample",
    "SparseAutoencoder",
    "TrainingConfig",
    "atom_stability",
    "match_directions",
    "sample_ctm",
    "train_sae",
]
