"""The models of the quality benchmark: one small file each, all with the same face.

A module has ``VERSION_OF`` (the distribution whose version is reported), ``IMPORTS`` (what is
imported before the clock starts), ``fit(corpus, n_topics, seed) -> Fitted``, and
``retopic(fitted, corpus, n_topics, seed) -> Fitted`` where the model can change its number of
topics without a new fit, and ``compile_loops()`` where it has loops that are compiled once and
kept on disk.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

MODULES = {
    "ours": "ours",
    "bertopic": "bertopic_hdbscan",
    "bertopic-kmeans": "bertopic_kmeans",
    "lda": "gensim_lda",
    "tomotopy-lda": "tomotopy_lda",
    "octis-nmf": "octis_nmf",
    "prodlda": "octis_prodlda",
    "ctm": "octis_ctm",
    "etm": "octis_etm",
    "keynmf": "turftopic_keynmf",
    "s3": "turftopic_s3",
    "fastopic": "fastopic_model",
    "tsctm": "topmost_tsctm",
}
ONE_FIT = ("ours",)
"""Models whose ``retopic`` gives what a new fit would: one fit serves every number of topics."""
N_WORDS = 20


class Fitted(NamedTuple):
    """What every model gives.

    ``topics``: per topic its words, best first (at most N_WORDS). ``labels`` (N,): each
    document's topic, -1 for none. ``doc_topics`` (N, T), or None when there are no mixtures.
    ``model``: the fitted object, for ``retopic``.
    """

    topics: list[list[str]]
    labels: np.ndarray
    doc_topics: np.ndarray | None
    model: Any = None


def load_peer(name: str) -> ModuleType:
    """Import one peer."""
    if name not in MODULES:
        raise SystemExit(f"unknown model {name!r}; known: {', '.join(MODULES)}")
    return import_module(f"peers.{MODULES[name]}")


def top_words(topic_words: np.ndarray, vocabulary: list[str]) -> list[list[str]]:
    """Return the N_WORDS largest entries of each row as words."""
    order = np.argsort(-np.asarray(topic_words), axis=1, kind="stable")[:, :N_WORDS]
    return [[vocabulary[column] for column in row] for row in order]


def from_matrices(
    topic_words: np.ndarray, doc_topics: np.ndarray, vocabulary: list[str], model: Any = None
) -> Fitted:
    """Make the result of a model that gives topic-word and document-topic matrices."""
    doc_topics = np.asarray(doc_topics)
    return Fitted(top_words(topic_words, vocabulary), doc_topics.argmax(axis=1), doc_topics, model)
