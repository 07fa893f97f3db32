"""Sparse-autoencoder topic models inside the tools people already use.

Train once, cut into any number of topics (Girrbach & Akata, ICML 2026, arXiv 2511.16309). The
adapters are imported on their own: ``saetm_plugins.bertopic``, ``.gensim``, ``.octis``.
"""

from saetm_plugins.atoms import SparseAutoencoder, train_sae
from saetm_plugins.model import SAETopicModel

__version__ = "0.1.0"

__all__ = ["SAETopicModel", "SparseAutoencoder", "__version__", "train_sae"]
