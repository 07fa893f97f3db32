"""Analyses of a fitted model: groups, eras, correlations, search, names; DataFrames out.

Each function takes a fitted model of any kind first (see :func:`as_topic_model`) and, except
:func:`name_topics`, changes nothing in it. A wrong argument raises a TypeError or ValueError that
names it.
"""

from saetm_plugins.analysis.comparison import compare_groups
from saetm_plugins.analysis.correlations import topic_correlations
from saetm_plugins.analysis.documents import atoms_of_topics
from saetm_plugins.analysis.explanation import explain_document, explain_text, spans
from saetm_plugins.analysis.export import export_documents
from saetm_plugins.analysis.fitted import (
    as_topic_model,
    atom_words,
    document_atoms,
    mixtures,
    topic_names,
    topic_words,
)
from saetm_plugins.analysis.levels import TopicLevels, topic_levels, topic_linkage
from saetm_plugins.analysis.names import name_levels, name_scores, name_topics, print_estimate
from saetm_plugins.analysis.search import find_documents
from saetm_plugins.analysis.shares import coverage, rank_topics_by_variance, topic_shares
from saetm_plugins.analysis.stability import TopicStability, match_topics, topic_stability
from saetm_plugins.analysis.taxonomy import (
    drill_down,
    taxonomy,
    taxonomy_json,
    taxonomy_layers,
    taxonomy_newick,
)
from saetm_plugins.analysis.topic_counts import SuggestedCount, document_npmi, suggest_n_topics
from saetm_plugins.analysis.trends import topic_trends, trend_tests

__all__ = [
    "SuggestedCount",
    "TopicLevels",
    "TopicStability",
    "as_topic_model",
    "atom_words",
    "atoms_of_topics",
    "compare_groups",
    "coverage",
    "document_atoms",
    "document_npmi",
    "drill_down",
    "explain_document",
    "explain_text",
    "export_documents",
    "find_documents",
    "match_topics",
    "mixtures",
    "name_levels",
    "name_scores",
    "name_topics",
    "print_estimate",
    "rank_topics_by_variance",
    "spans",
    "suggest_n_topics",
    "taxonomy",
    "taxonomy_json",
    "taxonomy_layers",
    "taxonomy_newick",
    "topic_correlations",
    "topic_levels",
    "topic_linkage",
    "topic_names",
    "topic_shares",
    "topic_stability",
    "topic_trends",
    "topic_words",
    "trend_tests",
]
