"""What is read off a fitted model: groups, eras, correlations; pandas DataFrames out.

Everything takes any fitted model of ours first (see :func:`as_topic_model`) and changes nothing
in it.
"""

from saetm_plugins.analysis.comparison import compare_groups
from saetm_plugins.analysis.correlations import topic_correlations
from saetm_plugins.analysis.documents import atoms_of_topics
from saetm_plugins.analysis.fitted import (
    as_topic_model,
    atom_words,
    document_atoms,
    mixtures,
    topic_names,
    topic_words,
)
from saetm_plugins.analysis.shares import coverage, rank_topics_by_variance, topic_shares
from saetm_plugins.analysis.trends import topic_trends, trend_tests

__all__ = [
    "as_topic_model",
    "atom_words",
    "atoms_of_topics",
    "compare_groups",
    "coverage",
    "document_atoms",
    "mixtures",
    "rank_topics_by_variance",
    "topic_correlations",
    "topic_names",
    "topic_shares",
    "topic_trends",
    "topic_words",
    "trend_tests",
]
