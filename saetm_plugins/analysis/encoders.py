"""The encoder that made a model's embeddings, where it can be had: names are compared with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from saetm_plugins.analysis.fitted import as_topic_model
from saetm_plugins.arrays import unit_rows
from saetm_plugins.text import (
    DEFAULT_WIDTH,
    WORD_BATCH,
    encode_texts,
    has_default_encoder,
    load_encoder,
)
from saetm_plugins.validation import check_embeddings

Encode = Callable[[Sequence[str]], np.ndarray]
"""From texts to unit vectors, (n, d) float32."""


def find_encoder(model: Any, encoder: Any = None) -> Encode | None:
    """Return what encodes texts into the space of a model's documents; None where nothing can.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    encoder : str or object with ``encode(list[str])``, optional
        None: a SAEBERTopic's ``embedding_model``; the model's encoder or the one its autoencoder
        was trained with; the default encoder where the model found that its embeddings are of it.

    Raises
    ------
    ValueError
        When `encoder` gives another number of dimensions than the model's embeddings have.
    """
    fitted = as_topic_model(model)
    embed = getattr(getattr(model, "embedding_model", None), "embed_documents", None)
    if encoder is None and callable(embed):
        encode = _of_backend(embed)
    else:
        found = _encoder_of(fitted) if encoder is None else encoder
        if found is None:
            return None
        encode = _of_encoder(load_encoder(found if found != "default" else None))
    try:
        width = encode(["topic"]).shape[1]
    except (AttributeError, NotImplementedError):  # BERTopic's backend that embeds nothing
        return None
    if width == fitted.sae_.n_features:
        return encode
    if encoder is None:
        return None
    raise ValueError(
        f"encoder gives {width} dimensions; the model's embeddings have {fitted.sae_.n_features}"
    )


def _encoder_of(model: Any) -> Any:
    if model.encoder is not None:
        return model.encoder
    if model.encoder_not_saved_:
        return None
    if model.sae_.encoder_name is not None:
        return model.sae_.encoder_name
    vectors = model.atoms_.word_vectors
    by_encoder = isinstance(model.word_vectors, str) and vectors is not None
    if by_encoder and vectors.shape[1] == DEFAULT_WIDTH and has_default_encoder():
        return "default"
    return None


def _of_encoder(encoder: Any) -> Encode:
    def encode(texts: Sequence[str]) -> np.ndarray:
        return unit_rows(encode_texts(encoder, texts, batch_size=WORD_BATCH))

    return encode


def _of_backend(embed: Callable[[Any], Any]) -> Encode:
    def encode(texts: Sequence[str]) -> np.ndarray:
        return unit_rows(check_embeddings(embed(list(texts)), name="the encoder's output"))

    return encode
