"""Guided topics: what the labels of ``seed_topics`` mean, before atoms are drawn to them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Mapping
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.validation import check_text


class LabelTargets(NamedTuple):
    """The labels that some topics are to have, and what draws atoms to each."""

    labels: list[str]
    vectors: np.ndarray
    """The meaning of each label in the space of the documents' embeddings, (L, d), float32."""
    words: list[list[str]]
    """Words of the vocabulary that were given for each label."""


def check_seed_topics(seed_topics: Any, n_topics: int | str) -> None:
    """Refuse anything but a mapping of at most `n_topics` labels to a phrase or to words."""
    if seed_topics is None:
        return
    if not isinstance(seed_topics, Mapping):
        raise TypeError(
            'seed_topics must be a dict {"label": ["word", …] or "a phrase"}; '
            f"found {type(seed_topics).__name__}"
        )
    if not seed_topics:
        raise ValueError("seed_topics is empty; None means no guidance")
    for label, meaning in seed_topics.items():
        check_text(label, "seed_topics: a label")
        words = [meaning] if isinstance(meaning, str) else meaning
        listed = isinstance(words, Collection) and not isinstance(words, Mapping)
        if not listed or not all(isinstance(word, str) for word in words):
            raise TypeError(f"seed_topics[{label!r}] must be a phrase or words; found {meaning!r}")
        if not any(word.strip() for word in words):
            raise ValueError(f"seed_topics[{label!r}] is empty")
    if isinstance(n_topics, int) and len(seed_topics) > n_topics:
        raise ValueError(f"seed_topics has {len(seed_topics)} labels for n_topics={n_topics}")
    if find_spec("ot") is None:
        raise ImportError("seed_topics needs the POT library: pip install 'saetm-plugins[merging]'")


def find_label_targets(
    seed_topics: Mapping[str, Any],
    vocabulary: np.ndarray | None,
    counts: sp.csr_matrix | None,
    embeddings: np.ndarray,
    encode: Callable[[list[str]], np.ndarray] | None,
) -> LabelTargets:
    """Look up the labels' words, in their case and then in any, and embed their phrases.

    Without `encode`, the documents' encoder, a label's vector is the mean of the `embeddings`
    (N, d) of documents whose `counts` (N, V) hold one of its words.
    """
    known = [] if vocabulary is None else [str(word) for word in vocabulary]
    column_of = {word.lower(): column for column, word in enumerate(known)}
    column_of |= {word: column for column, word in enumerate(known)}
    columns: list[list[int]] = []
    unknown = {}
    for label, meaning in seed_topics.items():
        given = [] if isinstance(meaning, str) else [word.strip() for word in meaning]
        found = [column_of.get(word, column_of.get(word.lower(), -1)) for word in given]
        columns.append([column for column in found if column >= 0])
        if missing := [word for word, column in zip(given, found, strict=True) if column < 0]:
            unknown[label] = missing
    if unknown and known:
        named = "; ".join(f"{label}: {', '.join(missing)}" for label, missing in unknown.items())
        warnings.warn(
            f"seed_topics has words outside the vocabulary ({named}); they count by their "
            "embedding alone",
            UserWarning,
            stacklevel=4,
        )
    labels = list(seed_topics)
    words = [[known[column] for column in of_label] for of_label in columns]
    if encode is not None:
        phrases = [m if isinstance(m, str) else ", ".join(m) for m in seed_topics.values()]
        vectors = encode(phrases)
        if vectors.shape[1] != embeddings.shape[1]:
            raise ValueError(
                f"seed_topics: encoder gives {vectors.shape[1]} dimensions, embeddings have "
                f"{embeddings.shape[1]}, so another encoder made them"
            )
        return LabelTargets(labels, np.asarray(vectors, dtype=np.float32), words)
    rows = []
    for label, of_label in zip(labels, columns, strict=True):
        if not of_label or counts is None:
            raise ValueError(
                f"seed_topics[{label!r}] has no word of the vocabulary, and the encoder of the "
                "embeddings is not known: pass encoder=, or words that occur"
            )
        holders = np.flatnonzero(np.asarray(counts[:, of_label].sum(axis=1)).ravel())
        if not len(holders):
            raise ValueError(f"seed_topics[{label!r}] has words that occur in no document")
        rows.append(embeddings[holders].mean(axis=0, dtype=np.float64))
    return LabelTargets(labels, np.asarray(rows, dtype=np.float32), words)
