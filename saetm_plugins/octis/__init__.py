"""Leaf adapter: the topic model as an OCTIS model, to compare and to optimise, and its metrics.

Importing it applies :mod:`saetm_plugins.octis.compat`, which
lets OCTIS run on today's NumPy and scikit-learn.
"""

from saetm_plugins.octis.compat import enable_dashboard
from saetm_plugins.octis.metrics import (
    CoherenceRating,
    EmbeddingIntruder,
    IntruderDetection,
    TopicSignificance,
    WMDDiversity,
)
from saetm_plugins.octis.model import SAETM

__all__ = [
    "SAETM",
    "CoherenceRating",
    "EmbeddingIntruder",
    "IntruderDetection",
    "TopicSignificance",
    "WMDDiversity",
    "enable_dashboard",
]
