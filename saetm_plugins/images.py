"""Pictures as documents, under the name they are imported by; see `corpus.images`."""

from saetm_plugins.corpus.images import *  # noqa: F403
from saetm_plugins.corpus.images import __all__ as __all__
