"""Which passages of a text speak for which topic: segments of it, and evidence for one topic."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.analysis.fitted import as_topic_model, open_model, topic_names
from saetm_plugins.text import Chunker, Passages
from saetm_plugins.topics import check_topics
from saetm_plugins.validation import check_text


def spans(
    model: Any, text: str, topic: int | None = None, *, chunker: Chunker | None = None
) -> pd.DataFrame:
    """Return which passages of a text are about which topic, or speak most for one.

    A text is split into short passages, each of which is embedded by itself.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic or path
        Fitted, with an encoder; see :func:`saetm_plugins.analysis.as_topic_model`.
    text : str
    topic : int, optional
        None: what each part of the text is about, in order; neighbours of the same main topic are
        one part.
    chunker : Chunker, optional
        How to split; None: into sentences of together 64 tokens at most.

    Returns
    -------
    DataFrame
        ``start`` and ``end``, characters of the text; ``topic`` and its ``name``; ``share`` of the
        topic in the passage; ``weight``, the part of the topic's share of the whole text that the
        passage brings: of all passages they sum to that share; ``text``. With `topic` a row a
        passage, the largest weight first; without a row a part of the text, in order.

    Raises
    ------
    TypeError, ValueError
        When `text` is no text or blank, `topic` does not exist, or the model has no encoder.
    """
    model = open_model(model)
    fitted = as_topic_model(model)
    if not check_text(text, "text").strip():
        raise ValueError("text is blank")
    if topic is not None:
        topic = int(check_topics([topic], fitted.n_topics_, "topic")[0])
    passages, passage_atoms = split_into_atoms(model, text, chunker)
    shares = fitted.topics_of(passage_atoms)[1]
    weights = shares * (passages.tokens / passages.tokens.sum())[:, None]
    if topic is not None:
        order = np.argsort(-weights[:, topic], kind="stable")
        firsts, lasts, topics = order, order, np.full(len(order), topic)
    else:
        main = _smooth(shares)
        changes = np.flatnonzero(np.diff(main))
        firsts, lasts = np.concatenate(([0], changes + 1)), np.append(changes, len(main) - 1)
        topics = main[firsts]
    names = topic_names(model)
    rows = []
    for first, last, about in zip(firsts, lasts, topics, strict=True):
        tokens = passages.tokens[first : last + 1]
        start, end = int(passages.starts[first]), int(passages.ends[last])
        rows.append(
            {
                "start": start,
                "end": end,
                "topic": int(about),
                "name": names[about],
                "share": float(np.average(shares[first : last + 1, about], weights=tokens)),
                "weight": float(weights[first : last + 1, about].sum()),
                "text": text[start:end],
            }
        )
    return pd.DataFrame(rows)


def split_into_atoms(
    model: Any, text: str, chunker: Chunker | None = None
) -> tuple[Passages, sp.csr_matrix]:
    """Return short passages of a text and their mixtures of atoms, (m, n_atoms).

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    text : str
    chunker : Chunker, optional
    """
    fitted = as_topic_model(model)
    reader = model if callable(getattr(model, "embed_passages", None)) else fitted
    passages = reader.embed_passages([text], chunker)
    assert passages.embeddings is not None
    return passages, fitted.atoms_.mixtures(passages.embeddings)


def _smooth(shares: np.ndarray) -> np.ndarray:
    """Return the main topic of each passage (m,), as its neighbours see it as well.

    Parameters
    ----------
    shares : ndarray of shape (m, n_topics)
    """
    around = shares.copy()
    around[1:] += 0.5 * shares[:-1]
    around[:-1] += 0.5 * shares[1:]
    return around.argmax(axis=1)
