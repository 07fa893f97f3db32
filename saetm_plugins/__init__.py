"""Sparse-autoencoder topic models inside the tools people already use.

Train once, cut into any number of topics (Girrbach & Akata, ICML 2026, arXiv 2511.16309). The
adapters are imported on their own: ``saetm_plugins.bertopic``, ``.gensim``, ``.octis``.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

__all__ = ["SAETopicModel", "SparseAutoencoder", "__version__", "train_sae"]

if TYPE_CHECKING:
    __version__: str
    from saetm_plugins.atoms import SparseAutoencoder, train_sae
    from saetm_plugins.model import SAETopicModel
else:
    # PyTorch and scikit-learn take seconds to import, so classes and modules of the package are
    # imported when they are first used (PEP 562).
    _MODULE_OF = {
        "SAETopicModel": "saetm_plugins.model",
        "SparseAutoencoder": "saetm_plugins.atoms",
        "train_sae": "saetm_plugins.atoms",
    }

    def __getattr__(name: str) -> Any:
        if name == "__version__":  # pyproject.toml holds it
            from importlib.metadata import version

            return version("saetm-plugins")
        if name in _MODULE_OF:
            return getattr(import_module(_MODULE_OF[name]), name)
        if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
