"""Names of topics: by the corpus' own phrases, by words, or by a language model."""

from saetm_plugins.analysis.names.naming import (
    name_levels,
    name_scores,
    name_topics,
    print_estimate,
)

__all__ = ["name_levels", "name_scores", "name_topics", "print_estimate"]
