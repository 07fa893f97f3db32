"""What stands between texts and embeddings, under the name it is imported by; see `corpus`."""

from saetm_plugins.corpus import *  # noqa: F403
from saetm_plugins.corpus import __all__ as __all__
