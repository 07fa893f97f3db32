"""The encoder that made a model's embeddings, if it is available: it embeds names of topics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from saetm_plugins.corpus.encoders import (
    DEFAULT_WIDTH,
    WORD_BATCH,
    encode_texts,
    has_default_encoder,
    load_encoder,
)
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.arrays import unit_rows

Encode = Callable[[Sequence[str]], np.ndarray]
"""From texts to unit vectors, (n, d) float32."""


def find_encoder(model: SAETopicModel, encoder: Any = None) -> Encode | None:
    """Return an encoder into the embedding space of a model's documents; None without one.

    Parameters
    ----------
    model : SAETopicModel
    encoder : str or object with ``encode(list[str])``, optional
        None: the model's encoder, or the one its autoencoder was trained with, or the default
        encoder where the model found that it made the embeddings.

    """
    found = _encoder_of(model) if encoder is None else encoder
    if found is None:
        return None
    loaded = load_encoder(found if found != "default" else None)

    def encode(texts: Sequence[str]) -> np.ndarray:
        return unit_rows(encode_texts(loaded, texts, batch_size=WORD_BATCH))

    width = encode(["topic"]).shape[1]
    if width == model.sae_.n_features:
        return encode
    if encoder is None:
        return None
    raise ValueError(
        f"encoder gives {width} dimensions; the model's embeddings have {model.sae_.n_features}"
    )


def _encoder_of(model: SAETopicModel) -> Any:
    if model.encoder is not None:
        return model.encoder
    if model.encoder_not_saved_:
        return None
    if model.sae_.encoder_name is not None:
        return model.sae_.encoder_name
    vectors = model.atoms_.word_vectors
    by_encoder = isinstance(model.word_vectors, str)
    if by_encoder and vectors is not None and vectors.shape[1] == DEFAULT_WIDTH:
        return "default" if has_default_encoder() else None
    return None
