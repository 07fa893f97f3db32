"""Embedding models: what SAEBERTopic takes beside all that BERTopic's ``select_backend`` knows."""

from __future__ import annotations

from typing import Any

import numpy as np
from bertopic.backend import BaseEmbedder
from bertopic.backend._utils import select_backend

from saetm_plugins.corpus.encoders import (
    DEFAULT_ENCODER,
    encode_texts,
    is_default_encoder,
    load_encoder,
    refuse_folder,
)
from saetm_plugins.corpus.images.encoding import encode_images
from saetm_plugins.corpus.images.reading import iterate_batches, open_images, warn_of_unreadable

_LOCAL_BACKENDS = ("SentenceTransformerBackend", "Model2VecBackend", "MultiModalBackend")
_PLAIN = ("builtins", "numpy", "pandas", "scipy", "collections", "abc", "datetime", "decimal")
_BATCH = 32  # images that are decoded at a time


class EncoderBackend(BaseEmbedder):
    """Let anything with ``encode(list[str])`` be a BERTopic embedding model."""

    def __init__(self, encoder: Any):
        super().__init__()
        self.embedding_model = encoder

    def embed(self, documents: list[str], verbose: bool = False) -> np.ndarray:
        """Return the embeddings (n, d), float32, of texts or words."""
        return encode_texts(self.embedding_model, documents, verbose=verbose)


class WordEncoder:
    """A BERTopic embedding model as an encoder of texts and words."""

    def __init__(self, backend: BaseEmbedder):
        self._backend = backend

    def encode(self, texts: list[str]) -> np.ndarray:
        """Return the embeddings (n, d) of `texts`."""
        return self._backend.embed_documents(texts)


def load_backend(embedding_model: Any, language: str | None, verbose: bool = False) -> Any:
    """Return a BERTopic backend for whatever `embedding_model` is.

    None with the default language, and all-MiniLM-L6-v2 by name, also load where the hub is out
    of reach but the packaged copy is installed.
    """
    check_embedding_model(embedding_model)
    by_default = embedding_model is None and language in (None, "english")
    if by_default or (isinstance(embedding_model, str) and is_default_encoder(embedding_model)):
        backend = select_backend(load_encoder(), verbose=verbose)
        backend._hf_model = DEFAULT_ENCODER  # the name that a saved model points to
        return backend
    has_encode = callable(getattr(embedding_model, "encode", None))
    known = type(embedding_model).__module__.split(".")[0] in ("sentence_transformers", "model2vec")
    if has_encode and not known and not isinstance(embedding_model, BaseEmbedder):
        return EncoderBackend(embedding_model)
    return select_backend(embedding_model, language=language, verbose=verbose)


def load_saved_backend(name: str | None) -> Any:
    """Return the embedding model of a name that a file holds; an empty one if out of reach.

    Raises
    ------
    ValueError
        If the name is that of a folder, which a stranger's file must not open.
    """
    if name is None:
        return BaseEmbedder()
    refuse_folder(str(name))
    try:
        return load_backend(name, None)
    except (OSError, ValueError, ImportError):
        return BaseEmbedder()


def check_embedding_model(embedding_model: Any) -> None:
    """Refuse plain values, for which BERTopic would take its default model in silence."""
    no_model = type(embedding_model).__module__.split(".")[0] in _PLAIN
    if embedding_model is None or isinstance(embedding_model, str) or not no_model:
        return
    raise TypeError(
        "embedding_model must be a name, an object with encode(list[str]) or a backend of "
        f"BERTopic; found {embedding_model!r:.80}"
    )


def as_encoder(backend: BaseEmbedder) -> Any:
    """Return a BERTopic embedding model as an object with ``encode``: what it wraps, if it can."""
    inner = getattr(backend, "embedding_model", None)
    if type(backend).__name__ == "SentenceTransformerBackend" and hasattr(inner, "encode"):
        return inner
    return WordEncoder(backend)


def reader_of(backend: BaseEmbedder) -> Any:
    """Return what knows how much of a text an embedding model reads."""
    inner = getattr(backend, "embedding_model", None)
    return inner if callable(getattr(inner, "encode", None)) else WordEncoder(backend)


def runs_locally(backend: Any) -> bool:
    """Tell whether a few thousand words more cost seconds, not money or someone's rate limit."""
    return isinstance(backend, EncoderBackend) or type(backend).__name__ in _LOCAL_BACKENDS


def embed_images(
    backend: Any, documents: list[str] | None, images: Any, verbose: bool = False
) -> np.ndarray:
    """Embed pictures (n, d), decoding a batch of them at a time.

    A multimodal embedding model takes the mean of the embeddings of a picture and of its caption,
    if `documents` are given, as in BERTopic. Rows of pictures that cannot be decoded are zero; a
    warning names them.
    """
    if not hasattr(backend, "embed_images"):
        return encode_images(_image_encoder(backend), images, verbose=verbose).embeddings
    pictures = open_images(images)
    embeddings, unreadable = np.zeros((len(pictures), 0), dtype=np.float32), []
    for batch in iterate_batches(pictures, _BATCH):
        unreadable += batch.unreadable
        if batch.rows:
            texts = [None if documents is None else documents[row] for row in batch.rows]
            vectors = np.asarray(backend.embed(documents=texts, images=batch.pictures))
            if embeddings.shape[1] == 0:
                embeddings = np.zeros((len(pictures), vectors.shape[1]), dtype=np.float32)
            embeddings[batch.rows] = vectors
    if len(unreadable) == len(pictures):
        raise ValueError(f"images holds {len(pictures)}, and none can be read")
    warn_of_unreadable(pictures, unreadable)
    return embeddings


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
