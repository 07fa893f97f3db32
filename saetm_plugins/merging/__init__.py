"""Stage 3: merge atoms into any number of topics, without retraining."""

from __future__ import annotations

from typing import Any

from saetm_plugins.merging.association import association_scores, atom_cooccurrence
from saetm_plugins.merging.base import AtomViews, Merge, TopicCut, beside_classes
from saetm_plugins.merging.density import HDBSCANMerge
from saetm_plugins.merging.guided import guided_cut
from saetm_plugins.merging.keywords import (
    EmbeddingSums,
    corpus_nearness,
    keyword_association,
    select_words_to_encode,
    spread_word_vectors,
)
from saetm_plugins.merging.kmeans import KMeansMerge
from saetm_plugins.merging.nmf import NMFMerge
from saetm_plugins.merging.vectors import atom_word_vectors
from saetm_plugins.merging.ward import WardMerge, WardTree
from saetm_plugins.validation import check_choice

MERGES: dict[str, type[Merge]] = {
    "nmf": NMFMerge,
    "kmeans": KMeansMerge,
    "ward": WardMerge,
    "hdbscan": HDBSCANMerge,
}


def make_merge(name: str = "nmf", *, random_state: int = 0, **options: Any) -> Merge:
    """Return a merge by name.

    Parameters
    ----------
    name : {"nmf", "kmeans", "ward", "hdbscan"}, default="nmf"
        "nmf" is soft and needs keywords or co-occurrence; "kmeans" is the paper's; cuts of "ward"
        are nested; "hdbscan" finds the count itself.
    random_state : int, default=0
    **options
        Parameters of the merge's class.
    """
    check_choice(name, "merge", tuple(MERGES))
    return MERGES[name](random_state=random_state, **options)


__all__ = [
    "MERGES",
    "AtomViews",
    "EmbeddingSums",
    "HDBSCANMerge",
    "KMeansMerge",
    "Merge",
    "NMFMerge",
    "TopicCut",
    "WardMerge",
    "WardTree",
    "association_scores",
    "atom_cooccurrence",
    "atom_word_vectors",
    "beside_classes",
    "corpus_nearness",
    "guided_cut",
    "keyword_association",
    "make_merge",
    "select_words_to_encode",
    "spread_word_vectors",
]
