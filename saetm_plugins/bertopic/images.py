"""Topics of images without texts: described by captions, collages and sizes.

The atoms have no words then. What a representation model says of the images, BERTopic's
``VisualRepresentation`` above all, is asked for as BERTopic does; else words are blank.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.bertopic.tables import BLANK
from saetm_plugins.corpus.images.encoding import encode_images
from saetm_plugins.corpus.images.reading import iterate_batches, open_images, warn_of_unreadable

_BATCH = 32


def embed_images(topic_model: Any, documents: list[str] | None, images: Any) -> np.ndarray:
    """Embed pictures (n, d) by a BERTopic embedding model, decoding a batch of them at a time.

    A multimodal embedding model takes the mean of the embeddings of a picture and of its caption,
    if `documents` are given, as in BERTopic. Rows of pictures that cannot be decoded are zero; a
    warning names them.
    """
    backend = topic_model.embedding_model
    if not hasattr(backend, "embed_images"):
        encoder = _image_encoder(backend)
        return encode_images(encoder, images, verbose=topic_model.verbose).embeddings
    pictures = open_images(images)
    embeddings, unreadable = np.zeros((len(pictures), 0), dtype=np.float32), []
    for batch in iterate_batches(pictures, _BATCH):
        unreadable += batch.unreadable
        if batch.rows:
            texts = [None if documents is None else documents[row] for row in batch.rows]
            vectors = np.asarray(
                topic_model._extract_embeddings(texts, images=batch.pictures, method="document")
            )
            if embeddings.shape[1] == 0:
                embeddings = np.zeros((len(pictures), vectors.shape[1]), dtype=np.float32)
            embeddings[batch.rows] = vectors
    if len(unreadable) == len(pictures):
        raise ValueError(f"images holds {len(pictures)}, and none can be read")
    warn_of_unreadable(pictures, unreadable)
    return embeddings


def list_images(images: Any, doc_atoms: sp.csr_matrix) -> list[Any] | None:
    """Return pictures as BERTopic's own parts open them: paths as str, or PIL images.

    A white one stands for a picture that could not be decoded, which has no atoms.
    """
    if images is None:
        return None
    from PIL import Image

    pictures = open_images(images)
    if len(pictures) != doc_atoms.shape[0]:
        raise ValueError(f"images holds {len(pictures)}; the model knows {doc_atoms.shape[0]}")
    listed = []
    for row, item in enumerate(pictures.items):
        if doc_atoms.indptr[row] == doc_atoms.indptr[row + 1]:
            item = Image.new("RGB", (32, 32), "white")
        elif isinstance(item, np.ndarray):
            item = pictures.read(row)
        listed.append(item if isinstance(item, Image.Image) else str(item))
    return listed


def _image_encoder(backend: Any) -> Any:
    """Return what an embedding model wraps, if that may embed images."""
    encoder = getattr(backend, "embedding_model", None)
    modalities = getattr(encoder, "modalities", None)  # of sentence-transformers
    if not callable(getattr(encoder, "encode", None)) or "image" not in (modalities or ["image"]):
        raise ValueError(
            "images need embeddings=, or an embedding_model that embeds images, such as "
            'SentenceTransformer("clip-ViT-B-32") or bertopic.backend.MultiModalBackend; found '
            f"{type(backend).__name__}"
        )
    return encoder


def describe_images(topic_model: Any, images: Any, embeddings: np.ndarray | None) -> None:
    """Write words, documents and aspects of topics of images; blank words without `images`.

    Without `embeddings` (n, d) they are made again from the atoms.
    """
    blank = [BLANK] * topic_model.top_n_words
    topic_model.topic_representations_ = {t: blank for t in sorted(topic_model.topic_sizes_)}
    if images is None:
        return
    frame = pd.DataFrame(
        {"Document": None, "ID": range(len(images)), "Topic": topic_model.topics_}, dtype=object
    )
    frame["Image"] = list(images)
    if embeddings is None:
        model = topic_model.sae_model_
        embeddings = np.asarray(model.doc_atoms_ @ model.atoms_.centroids)
    captions = topic_model._images_to_text(frame, embeddings)
    if captions.Document.notna().all():  # a representation model that captions
        centroids = topic_model.topic_embeddings_
        topic_model._extract_topics(captions)
        topic_model._save_representative_docs(captions)
        topic_model.topic_embeddings_ = centroids
        return
    topic_model.topic_aspects_ = {
        aspect: visual.extract_topics(topic_model, frame, None, topic_model.topic_representations_)
        for aspect, visual in visual_aspects(topic_model.representation_model).items()
    }


def count_groups(topic_model: Any, groups: list[Any], column: str) -> pd.DataFrame:
    """Return how frequent each topic is in each group of images, in BERTopic's columns.

    `groups` are the class or time of each image, and `column` is what the groups are called.
    """
    frame = pd.DataFrame({"Topic": topic_model.topics_, column: groups})
    counts = frame.groupby([column, "Topic"]).size().rename("Frequency").reset_index()
    counts["Words"] = [
        ", ".join(word for word, _ in topic_model.get_topic(topic)[:5] if word)
        for topic in counts.Topic
    ]
    return counts[["Topic", "Words", "Frequency", column]]


def visual_aspects(asked: Any) -> Mapping[str, Any]:
    """Return those of BERTopic's ``representation_model`` that show images, by their aspects."""
    from bertopic import representation

    visual: Any = getattr(representation, "VisualRepresentation", None)
    if not isinstance(visual, type):  # Pillow is not installed
        return {}
    if isinstance(asked, visual):
        return {"Visual_Aspect": asked}
    aspects = asked.items() if isinstance(asked, Mapping) else ()
    return {name: model for name, model in aspects if isinstance(model, visual)}
