"""Corpora that do not fit into memory: sums over shards, on one machine or on a cluster."""

from saetm_plugins.corpus.word_counts import WordCounts
from saetm_plugins.corpus_sums import CorpusSums

__all__ = ["CorpusSums", "WordCounts"]
