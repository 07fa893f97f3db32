"""The argument ``images=`` of the estimators: pictures and their captions as documents."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from saetm_plugins.corpus.images.captions import caption_images
from saetm_plugins.corpus.images.encoding import (
    encode_images,
    load_image_encoder,
    read_embedded_images,
)
from saetm_plugins.corpus.images.reading import open_images
from saetm_plugins.corpus.images.words import count_zero_shot_words
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import check_bow
from saetm_plugins.validation import check_embeddings


class ImageDocuments(NamedTuple):
    """Pictures as ``fit`` takes documents."""

    captions: list[str] | None
    embeddings: np.ndarray
    bow: Any
    """Zero-shot words of a vocabulary where no bow was given."""
    vocabulary: Any
    unreadable: np.ndarray
    """Of shape (n,), bool."""


def read_image_documents(
    images: Any,
    documents: Any,
    embeddings: Any,
    load: Callable[[], Any],
    *,
    bow: Any = None,
    vocabulary: Any = None,
    verbose: bool = False,
) -> ImageDocuments:
    """Check and embed pictures, and find their words; arguments are as of ``fit``.

    `load` returns the encoder, where it is needed. Rows of zeros among the `embeddings` are those
    of unreadable pictures, as :func:`encode_images` leaves them. A `vocabulary` without `bow` asks
    for zero-shot words.
    """
    pictures = open_images(images)
    n_images, makes_captions = len(pictures), callable(documents)
    if documents is not None and not makes_captions:
        documents = check_documents(documents)
        if len(documents) != n_images:
            raise ValueError(f"documents holds {len(documents)} captions for {n_images} images")
    if bow is not None and vocabulary is not None:
        check_bow(bow, vocabulary, n_images)
    unreadable = np.zeros(n_images, dtype=bool)
    if isinstance(embeddings, str | os.PathLike):
        embeddings, unreadable = read_embedded_images(pictures, embeddings)
    elif embeddings is not None:
        embeddings = check_embeddings(embeddings)
        if len(embeddings) != n_images:
            raise ValueError(f"embeddings has {len(embeddings)} rows for {n_images} images")
        unreadable = np.asarray(~embeddings.any(axis=1))
    else:
        encoder = load_image_encoder(load())
        embeddings, unreadable = encode_images(encoder, pictures, verbose=verbose)
    if makes_captions:
        documents = caption_images(pictures, documents, verbose=verbose)
    if documents is None and bow is None and vocabulary is not None:
        vocabulary = check_documents(vocabulary)
        bow = count_zero_shot_words(embeddings, vocabulary, load())
    return ImageDocuments(documents, embeddings, bow, vocabulary, unreadable)


def choose_n_atoms(n_images: int) -> int:
    """Return how many atoms pictures get: fewer than texts, 256 for 5,000.

    A picture shows one or two things. Of 256, 512 and 2,048 atoms, 256 gave the topics nearest to
    the classes of CIFAR-10, in half the time.
    """
    by_size = 2 ** round(0.65 * math.log2(n_images))
    return max(1, min(n_images // 2, by_size, 4096))
