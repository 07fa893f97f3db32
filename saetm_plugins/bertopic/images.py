"""Topics of images without texts: described by captions, collages and sizes.

The atoms have no words then. What a representation model says of the images, BERTopic's
``VisualRepresentation`` above all, is asked for as BERTopic does; else words are blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

BLANK = ("", 1e-05)
"""BERTopic's stand-in for a word that there is not."""


def describe_images(topic_model: Any, images: Any, embeddings: np.ndarray | None) -> None:
    """Write words, documents and aspects of topics of images.

    Parameters
    ----------
    topic_model : SAEBERTopic
    images : list of length n, or None
    embeddings : ndarray of shape (n, d), optional
        Of the images; None: what the atoms say of them.
    """
    blank = [BLANK] * topic_model.top_n_words
    topic_model.topic_representations_ = {t: blank for t in sorted(topic_model.topic_sizes_)}
    topic_model.representative_docs_, topic_model.c_tf_idf_ = {}, None
    if images is None:
        return
    frame = pd.DataFrame(
        {"Document": None, "ID": range(len(images)), "Topic": topic_model.topics_}, dtype=object
    )
    frame["Image"] = list(images)
    if embeddings is None:
        sae_model = topic_model.sae_model_
        embeddings = np.asarray(sae_model.doc_atoms_ @ sae_model.atoms_.centroids)
    captions = topic_model._images_to_text(frame, embeddings)
    if captions.Document.notna().all():  # a representation model that captions
        centroids = topic_model.topic_embeddings_
        topic_model._extract_topics(captions)
        topic_model._save_representative_docs(captions)
        topic_model.topic_embeddings_ = centroids
        return
    topic_model.topic_aspects_ = {
        aspect: visual.extract_topics(topic_model, frame, None, topic_model.topic_representations_)
        for aspect, visual in _visual_aspects(topic_model.representation_model).items()
    }


def count_groups(topic_model: Any, groups: list[Any], column: str) -> pd.DataFrame:
    """Return how frequent each topic is in each group of images, in BERTopic's columns.

    Parameters
    ----------
    topic_model : SAEBERTopic
    groups : list of length n
        The class or time of each image.
    column : str
        What the groups are called.
    """
    frame = pd.DataFrame({"Topic": topic_model.topics_, column: groups})
    counts = frame.groupby([column, "Topic"]).size().rename("Frequency").reset_index()
    counts["Words"] = [
        ", ".join(word for word, _ in topic_model.get_topic(topic)[:5] if word)
        for topic in counts.Topic
    ]
    return counts[["Topic", "Words", "Frequency", column]]


def _visual_aspects(asked: Any) -> Mapping[str, Any]:
    """Return the representation models that show images, by the name of their aspect."""
    from bertopic import representation

    visual: Any = getattr(representation, "VisualRepresentation", None)
    if not isinstance(visual, type):  # Pillow is not installed
        return {}
    if isinstance(asked, visual):
        return {"Visual_Aspect": asked}
    if not isinstance(asked, Mapping):
        return {}
    return {name: model for name, model in asked.items() if isinstance(model, visual)}
