"""Guided topics: what the labels of ``seed_topics`` mean, before atoms are drawn to them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp


class Seeds(NamedTuple):
    """The labels that some topics are to have, and what draws atoms to each.

    Attributes
    ----------
    labels : list of str, length L
    vectors : ndarray of shape (L, d), float32
        What each label means, in the space of the documents' embeddings.
    words : list of list of int, length L
        Columns of the vocabulary that were given as a label's words.
    """

    labels: list[str]
    vectors: np.ndarray
    words: list[list[int]]


def check_seed_topics(seed_topics: Any, n_topics: int | str) -> None:
    """Refuse anything but a mapping of at most `n_topics` labels to a phrase or to words.

    Raises
    ------
    TypeError
        When it is no mapping, or a label or what it stands for is no text.
    ValueError
        When it is empty, a label stands for nothing, or there are more labels than topics.
    ImportError
        When POT, which draws atoms to labels, is not installed.
    """
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
        if not isinstance(label, str):
            raise TypeError(f"seed_topics must have labels of type str; found {label!r}")
        words = _texts(meaning)
        if not all(isinstance(word, str) for word in words):
            raise TypeError(f"seed_topics[{label!r}] must be a phrase or words; found {meaning!r}")
        if not any(word.strip() for word in words):
            raise ValueError(f"seed_topics[{label!r}] is empty")
    if isinstance(n_topics, int) and len(seed_topics) > n_topics:
        raise ValueError(f"seed_topics has {len(seed_topics)} labels for n_topics={n_topics}")
    if find_spec("ot") is None:
        raise ImportError("seed_topics needs the POT library: pip install 'saetm-plugins[merging]'")


def find_seeds(
    seed_topics: Mapping[str, Any],
    vocabulary: Sequence[str] | None,
    counts: sp.csr_matrix | None,
    embeddings: np.ndarray,
    encode: Callable[[list[str]], np.ndarray] | None,
) -> Seeds:
    """Look up the labels' words and embed their phrases.

    Parameters
    ----------
    seed_topics : mapping of str to str or sequence of str
    vocabulary : sequence of str, length V, optional
    counts : csr_matrix of shape (N, V), optional
    embeddings : ndarray of shape (N, d)
    encode : callable, optional
        The encoder that made `embeddings`; where it is not known a label stands at the mean of
        the documents that hold one of its words.

    Returns
    -------
    Seeds

    Raises
    ------
    ValueError
        When a label has no word of the vocabulary and there is no encoder for its phrase.
    """
    places = {} if vocabulary is None else {word: i for i, word in enumerate(vocabulary)}
    words, unknown = [], {}
    for label, meaning in seed_topics.items():
        given = [] if isinstance(meaning, str) else [word.strip().lower() for word in meaning]
        words.append([places[word] for word in given if word in places])
        if missing := [word for word in given if word not in places]:
            unknown[label] = missing
    if unknown and vocabulary is not None:
        named = "; ".join(f"{label}: {', '.join(missing)}" for label, missing in unknown.items())
        warnings.warn(
            f"seed_topics has words outside the vocabulary ({named}); they count by their "
            "embedding alone",
            UserWarning,
            stacklevel=4,
        )
    labels = list(seed_topics)
    if encode is not None:
        phrases = [", ".join(_texts(meaning)) for meaning in seed_topics.values()]
        vectors = encode(phrases)
        if vectors.shape[1] != embeddings.shape[1]:
            raise ValueError(
                f"seed_topics: encoder gives {vectors.shape[1]} dimensions, embeddings have "
                f"{embeddings.shape[1]}, so another encoder made them"
            )
        return Seeds(labels, vectors, words)
    rows = []
    for label, of_label in zip(labels, words, strict=True):
        if not of_label or counts is None:
            raise ValueError(
                f"seed_topics[{label!r}] has no word of the vocabulary, and which encoder made "
                "the embeddings is not known: pass encoder=, or words that occur"
            )
        holders = np.flatnonzero(np.asarray(counts[:, of_label].sum(axis=1)).ravel())
        rows.append(embeddings[holders].mean(axis=0))
    return Seeds(labels, np.asarray(rows, dtype=np.float32), words)


def _texts(meaning: Any) -> list[Any]:
    return [meaning] if isinstance(meaning, str) else list(meaning)
