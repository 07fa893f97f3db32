"""What topicwizard and Turftopic's tools draw a model from: their ``TopicData`` dictionary.

Contract: ``topicwizard.data.TopicData`` (topic-wizard 1.1). Nothing of topicwizard is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from saetm_plugins.model_tables import name_topics_by_words


def topic_data(
    model: Any,
    corpus: list[str],
    embeddings: np.ndarray,
    transform: Callable[[list[str]], np.ndarray],
    topic_names: list[str] | None = None,
) -> dict[str, Any]:
    """Return the topics of a corpus as topicwizard takes them.

    Parameters
    ----------
    model : SAETopicModel
        Fitted with documents.
    corpus : list of str, length n
    embeddings : ndarray of shape (n, d)
    transform : callable
        From texts to mixtures.
    topic_names : list of str, optional
        None means labels, else first words.

    Returns
    -------
    dict
        ``corpus``; ``vocab`` (V,); ``document_term_matrix`` (n, V) csr_matrix;
        ``document_topic_matrix`` (n, T); ``topic_term_matrix`` (T, V); ``document_representation``
        (n, d); ``transform``; ``topic_names``; and the positions, None: topicwizard makes them.
    """
    if model.components_ is None:
        raise ValueError("the model was fitted without documents, so its topics have no words")
    if model.vectorizer_ is None:
        raise ValueError("the model was fitted to bow, without a vectorizer that counts in texts")
    return {
        "corpus": corpus,
        "vocab": np.asarray(model.vocabulary_, dtype=str),
        "document_term_matrix": model.vectorizer_.transform(corpus),
        "document_topic_matrix": model.topics_of(model.atoms_.mixtures(embeddings))[1],
        "topic_term_matrix": model.components_,
        "document_representation": embeddings,
        "transform": transform,
        "topic_names": name_topics_by_words(model) if topic_names is None else topic_names,
        "topic_positions": None,
        "word_positions": None,
        "document_positions": None,
    }
