"""Zero-shot topics beside those that are cut: documents near a topic's name belong to it.

BERTopic takes those documents out before it clusters the others. Here the atoms are learned from
all of them, and then follow the documents: an atom is shared among topics as its documents are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics.pairwise import cosine_similarity


def assign(topic_model: Any, embeddings: np.ndarray) -> np.ndarray | None:
    """Return which name of ``zeroshot_topic_list`` each document is near to, -1 for none.

    Near is a cosine of ``zeroshot_min_similarity``, as in BERTopic. None where no name has any.
    """
    names = topic_model._extract_embeddings(topic_model.zeroshot_topic_list)
    similarity = cosine_similarity(embeddings, names)
    nearest = similarity.argmax(axis=1)
    nearest[similarity.max(axis=1) < topic_model.zeroshot_min_similarity] = -1
    return nearest if (nearest >= 0).any() else None


def cut(topic_model: Any, n_topics: int | str | None, merge: str | None) -> None:
    """Cut the atoms, then let them follow the documents that zero-shot topics have.

    Zero-shot topics come first, as in BERTopic, and count among `n_topics`.

    Raises
    ------
    ValueError
        When `n_topics` leaves none for the other documents.
    """
    model, nearest = topic_model.sae_model_, topic_model._zeroshot
    matched = np.unique(nearest[nearest >= 0])
    others = nearest < 0
    if isinstance(n_topics, int):
        if n_topics <= len(matched):
            raise ValueError(
                f"nr_topics={n_topics} must exceed the {len(matched)} zero-shot topics that match; "
                "raise it, or zeroshot_min_similarity"
            )
        n_topics -= len(matched)
    model.retopic(n_topics, merge)
    labels = np.searchsorted(matched, nearest)
    none = others & (model.labels_ < 0)  # blank texts, say
    others &= ~none
    labels[none] = -1
    _, labels[others] = np.unique(model.labels_[others], return_inverse=True)
    labels[others] += len(matched)
    model.follow(labels)
    names = topic_model.zeroshot_topic_list
    carried = model.topic_labels_
    new: dict[int, Any] = {topic: None for topic, label in enumerate(carried) if label in names}
    for topic, name in enumerate(matched):
        if carried[topic] is None or carried[topic] in names:  # unless it was renamed by hand
            new[topic] = names[name]
    model.set_topic_labels(new)


def named_topics(topic_model: Any) -> dict[int, int]:
    """Return the index in ``zeroshot_topic_list`` of each topic that carries a name of it."""
    names = [] if topic_model.zeroshot_topic_list is None else topic_model.zeroshot_topic_list
    return {
        topic: names.index(label)
        for topic, label in enumerate(topic_model.sae_model_.topic_labels_)
        if label in names
    }
