"""What the estimator reads and embeds: documents, words, labels of topics.

Functions of a :class:`~saetm_plugins.model.SAETopicModel`; its encoder is loaded when a text needs
it.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.corpus.chunker import check_chunk
from saetm_plugins.corpus.encoders import (
    DEFAULT_ENCODER,
    DEFAULT_WIDTH,
    agreement_with_encoder,
    embeddings_match_encoder,
    encode_texts,
    encode_words,
    has_default_encoder,
    is_default_encoder,
    load_encoder,
    lookup_word_vectors,
    refuse_folder,
    warn_of_other_encoder,
)
from saetm_plugins.corpus.images.documents import read_image_documents
from saetm_plugins.corpus.images.encoding import DEFAULT_IMAGE_ENCODER
from saetm_plugins.corpus.read import Corpus, read_corpus
from saetm_plugins.merging import select_words_to_encode
from saetm_plugins.merging.labels import LabelTargets, find_label_targets

Estimator = TypeVar("Estimator", bound=type)


def read_documents(
    model: Any,
    documents: Any,
    embeddings: Any = None,
    images: Any = None,
    bow: Any = None,
    vocabulary: Any = None,
    *,
    sae: SparseAutoencoder | None,
    chunk: Any = None,
    least: int = 1,
) -> Corpus:
    """Return documents or images with embeddings of the width of `sae`, and counts of `bow`."""
    unreadable = None
    load = partial(encoder_of, model, sae)
    if images is not None:
        documents, embeddings, bow, vocabulary, unreadable = read_image_documents(
            images, documents, embeddings, partial(load, DEFAULT_IMAGE_ENCODER),
            bow=bow, vocabulary=vocabulary, verbose=model.verbose,
        )  # fmt: skip
    if isinstance(chunk, str) and chunk == "fitted":
        chunk = model.chunk_ if embeddings is None else None
    width = None if sae is None else sae.n_features
    corpus = read_corpus(
        documents, embeddings, load, check_chunk(chunk),
        least=least, width=width, verbose=model.verbose,
    )  # fmt: skip
    if unreadable is not None:  # words are apart from images even in one encoder
        corpus = replace(corpus, blank=unreadable, by_encoder=False)
    return corpus.with_bow(bow, vocabulary)


def encoder_of(model: Any, sae: SparseAutoencoder | None, default: str | None = None) -> Any:
    """Load the encoder once: the parameter, else the one the autoencoder was trained with."""
    if model.encoder is None and model.encoder_not_saved_:
        raise ValueError(
            "documents need the encoder the model was fitted with, an object that was not "
            "saved: pass it as load(path, encoder=…), or give embeddings"
        )
    wanted = model.encoder or getattr(sae, "encoder_name", None) or default
    if isinstance(wanted, str) and model.encoder in (None, model.encoder_named_in_file_):
        refuse_folder(wanted)
    if wanted is None or (isinstance(wanted, str) and is_default_encoder(wanted)):
        wanted = DEFAULT_ENCODER  # one key, so that it is loaded once
    loaded = getattr(model, "_loaded_encoder", None)
    if loaded is None or loaded[0] is not wanted:
        device = None if model.device == "auto" else model.device
        loaded = model._loaded_encoder = (wanted, load_encoder(wanted, device))
    return loaded[1]


def find_word_vectors(
    model: Any, atoms: AtomModel, matches: Callable[[], bool]
) -> np.ndarray | None:
    """Return the vectors that `word_vectors` asks for; None for those of the corpus."""
    if atoms.vocabulary is None:
        return None
    words = [str(word) for word in atoms.vocabulary]
    if not isinstance(model.word_vectors, str):
        return lookup_word_vectors(words, model.word_vectors)
    if model.word_vectors == "corpus" or (not matches() and model.word_vectors == "auto"):
        return None
    chosen = select_words_to_encode(atoms.sums.atom_words, atoms.sums.nearness)
    vectors = encode_words(encoder_of(model, model.sae), words, chosen, verbose=model.verbose)
    if vectors.shape[1] != atoms.sae.n_features:
        raise ValueError(
            f"encoder gives {vectors.shape[1]} dimensions; embeddings have "
            f"{atoms.sae.n_features}, so another encoder made them"
        )
    return vectors


def complete_word_vectors(model: Any, atoms: AtomModel) -> AtomModel:
    """Return merged atoms with the vectors of the words that one fit would have encoded."""
    if atoms.word_vectors is None or not isinstance(model.word_vectors, str):
        return atoms
    chosen = select_words_to_encode(atoms.sums.atom_words, atoms.sums.nearness)
    vectors = np.zeros_like(atoms.word_vectors)
    vectors[chosen] = atoms.word_vectors[chosen]
    missing = chosen[~vectors[chosen].any(axis=1)]
    if len(missing):
        words = [str(word) for word in atoms.vocabulary]  # type: ignore[union-attr]
        try:
            vectors += encode_words(encoder_of(model, model.sae), words, missing)
        except (ValueError, OSError, ImportError) as error:
            warnings.warn(
                f"{len(missing)} of {len(chosen)} words have no vector, as no model encoded them "
                f"and the encoder is not here ({error})",
                UserWarning,
                stacklevel=3,
            )
    return replace(atoms, word_vectors=vectors)


def find_targets(model: Any, corpus: Corpus, matches: Callable[[], bool]) -> LabelTargets | None:
    """Return what `seed_topics` mean; None without."""
    if model.seed_topics is None:
        return None
    encode = partial(encode_texts, encoder_of(model, model.sae)) if matches() else None
    return find_label_targets(
        model.seed_topics, corpus.vocabulary, corpus.counts, corpus.embeddings, encode
    )


def is_made_by_encoder(model: Any, corpus: Corpus) -> bool:
    """Return whether the encoder made the embeddings, by trying it on a few texts.

    An encoder that was named is believed unless it gives these texts quite different embeddings,
    which is warned of.
    """
    texts, embeddings = corpus.row_texts, corpus.embeddings
    is_named = model.encoder is not None or getattr(model.sae, "encoder_name", None) is not None
    if corpus.by_encoder is not None:
        return corpus.by_encoder
    if texts is None:
        return is_named
    if is_named:
        agreement = agreement_with_encoder(encoder_of(model, model.sae), texts, embeddings)
        return not warn_of_other_encoder(agreement, model.encoder_argument, stacklevel=5)
    if embeddings.shape[1] != DEFAULT_WIDTH or not has_default_encoder():
        return False
    return embeddings_match_encoder(encoder_of(model, model.sae), texts, embeddings)


def documents_are_optional(estimator: Estimator) -> Estimator:
    """Let ``transform(images=…)`` of a class do without documents.

    scikit-learn wraps these methods for ``set_output``, and its wrapper wants a first argument.
    """

    def without(method: Callable[..., Any]) -> Callable[..., Any]:
        return functools.wraps(method)(
            lambda self, documents=None, *args, **kwargs: method(self, documents, *args, **kwargs)
        )

    for name in ("transform", "fit_transform"):
        setattr(estimator, name, without(getattr(estimator, name)))
    return estimator
