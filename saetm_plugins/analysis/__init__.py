"""What is read off a fitted model: groups, eras, correlations; pandas DataFrames out.

Everything takes any fitted model of ours first (see :func:`as_topic_model`) and changes nothing
in it.
"""

from saetm_plugins.analysis.fitted import (
    as_topic_model,
    atom_words,
    document_atoms,
    mixtures,
    topic_names,
    topic_words,
)

__all__ = [
    "as_topic_model",
    "atom_words",
    "document_atoms",
    "mixtures",
    "topic_names",
    "topic_words",
]
