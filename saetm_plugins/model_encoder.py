"""The encoder of the estimator, and what it embeds: documents, words, labels of topics.

A base of :class:`~saetm_plugins.model.SAETopicModel`.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import numpy as np
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.corpus.chunker import Chunker, check_chunk, fine_chunker
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
from saetm_plugins.corpus.passages import Passages
from saetm_plugins.corpus.read import Corpus, FittedPassages, read_corpus
from saetm_plugins.merging import select_words_to_encode
from saetm_plugins.merging.labels import LabelTargets, find_label_targets

Estimator = TypeVar("Estimator", bound=type)


class ModelEncoder:
    """Read documents and embeddings, and load the encoder when a text needs it.

    Parameters and attributes are those of :class:`~saetm_plugins.model.SAETopicModel`.
    """

    sae: Any
    encoder: Any
    word_vectors: Any
    seed_topics: Any
    vectorizer: Any
    sae_: Any
    transform: Any
    device: str
    verbose: bool
    encoder_not_saved_ = False
    """Whether the model was loaded without the encoder object it was fitted with."""
    vectorizer_not_saved_ = False
    """Whether the model was loaded without the vectorizer it was fitted with."""
    encoder_named_in_file_: str | None = None
    """The encoder's name in the file of a saved model, where it has one; never a folder."""
    chunk_: Any = None
    """How long texts are read, see ``fit``."""
    passages_: FittedPassages | None = None
    """The passages of the fitted documents, or of the last batch, if any is long."""
    _loaded_encoder: tuple[Any, Any] | None = None
    _encoder_argument = "encoder"

    def encode(self, documents: Any) -> np.ndarray:
        """Return the embeddings of texts by the model's encoder, (n, d) float32.

        Raises a ValueError when the encoder was not saved, or gives vectors of another length.
        """
        check_is_fitted(self, "topics_")
        return self._read(documents, sae=self.sae_).embeddings

    def embed_passages(self, documents: Any, chunker: Chunker | None = None) -> Passages:
        """Split texts, and embed the passages by the encoder.

        Parameters
        ----------
        documents : iterable of str
        chunker : Chunker, optional
            None splits into a few sentences each.
        """
        check_is_fitted(self, "topics_")
        if chunker is not None and not isinstance(chunker, Chunker):
            raise TypeError(f"chunker must be a Chunker or None; found {chunker!r:.80}")
        encoder = self._encoder(self.sae_)
        return (chunker or fine_chunker(encoder)).embed(documents, encoder)

    def prepare_topic_data(self, corpus: Any, embeddings: Any = None) -> dict[str, Any]:
        """Return the topics of a corpus as ``topicwizard.visualize`` asks a model for them.

        See :func:`~saetm_plugins.plotting.topicwizard.topic_data`.

        Parameters
        ----------
        corpus : iterable of str
        embeddings : array-like of shape (n, d), optional
            None encodes the corpus.
        """
        from saetm_plugins.plotting.topicwizard import topic_data

        check_is_fitted(self, "topics_")
        read = self._read(corpus, embeddings, sae=self.sae_)
        return topic_data(self, read.texts or [], read.embeddings, self.transform)

    def _read(
        self,
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
        if images is not None:
            documents, embeddings, bow, vocabulary, unreadable = read_image_documents(
                images, documents, embeddings, partial(self._encoder, sae, DEFAULT_IMAGE_ENCODER),
                bow=bow, vocabulary=vocabulary, verbose=self.verbose,
            )  # fmt: skip
        if isinstance(chunk, str) and chunk == "fitted":
            chunk = self.chunk_ if embeddings is None else None
        corpus = read_corpus(
            documents,
            embeddings,
            partial(self._encoder, sae),
            check_chunk(chunk),
            least=least,
            width=None if sae is None else sae.n_features,
            verbose=self.verbose,
        )
        if unreadable is not None:  # words are apart from images even in one encoder
            corpus = replace(corpus, blank=unreadable, by_encoder=False)
        return corpus.with_bow(bow, vocabulary)

    def _check_vectorizer(self, corpus: Corpus) -> None:
        """Refuse another way of counting words than that of the documents before."""
        is_lost = self.vectorizer_not_saved_ and self.vectorizer is None
        if is_lost and corpus.counts is None and corpus.texts:
            raise ValueError(
                "documents need the vectorizer that the model was fitted with, whose settings "
                "could not be saved: pass it as load(path, vectorizer=…), or give bow"
            )

    def _encoder(self, sae: SparseAutoencoder | None, default: str | None = None) -> Any:
        """Load the encoder once: the parameter, else the one the autoencoder was trained with."""
        if self.encoder is None and self.encoder_not_saved_:
            raise ValueError(
                "documents need the encoder the model was fitted with, an object that was not "
                "saved: pass it as load(path, encoder=…), or give embeddings"
            )
        named = getattr(sae, "encoder_name", None)
        wanted = self.encoder or named or default
        if isinstance(wanted, str) and self.encoder in (None, self.encoder_named_in_file_):
            refuse_folder(wanted)
        if wanted is None or (isinstance(wanted, str) and is_default_encoder(wanted)):
            wanted = DEFAULT_ENCODER  # one key, so that it is loaded once
        if self._loaded_encoder is None or self._loaded_encoder[0] is not wanted:
            device = None if self.device == "auto" else self.device
            self._loaded_encoder = (wanted, load_encoder(wanted, device))
        return self._loaded_encoder[1]

    def _find_word_vectors(
        self, atoms: AtomModel, matches: Callable[[], bool]
    ) -> np.ndarray | None:
        """Return the vectors that `word_vectors` asks for; None for those of the corpus."""
        if atoms.vocabulary is None:
            return None
        words = [str(word) for word in atoms.vocabulary]
        if not isinstance(self.word_vectors, str):
            return lookup_word_vectors(words, self.word_vectors)
        if self.word_vectors == "corpus" or (not matches() and self.word_vectors == "auto"):
            return None
        chosen = select_words_to_encode(atoms.sums.atom_words, atoms.sums.nearness)
        vectors = encode_words(self._encoder(self.sae), words, chosen, verbose=self.verbose)
        if vectors.shape[1] != atoms.sae.n_features:
            raise ValueError(
                f"encoder gives {vectors.shape[1]} dimensions; embeddings have "
                f"{atoms.sae.n_features}, so another encoder made them"
            )
        return vectors

    def _complete_word_vectors(self, atoms: AtomModel) -> AtomModel:
        """Return merged atoms with the vectors of the words that one fit would have encoded."""
        if atoms.word_vectors is None or not isinstance(self.word_vectors, str):
            return atoms
        chosen = select_words_to_encode(atoms.sums.atom_words, atoms.sums.nearness)
        vectors = np.zeros_like(atoms.word_vectors)
        vectors[chosen] = atoms.word_vectors[chosen]
        missing = chosen[~vectors[chosen].any(axis=1)]
        if len(missing):
            words = [str(word) for word in atoms.vocabulary]  # type: ignore[union-attr]
            try:
                vectors += encode_words(self._encoder(self.sae), words, missing)
            except (ValueError, OSError, ImportError) as error:
                warnings.warn(
                    f"{len(missing)} of {len(chosen)} words have no vector, as no model encoded "
                    f"them and the encoder is not here ({error})",
                    UserWarning,
                    stacklevel=3,
                )
        return replace(atoms, word_vectors=vectors)

    def _find_label_targets(
        self, corpus: Corpus, matches: Callable[[], bool]
    ) -> LabelTargets | None:
        if self.seed_topics is None:
            return None
        encode = partial(encode_texts, self._encoder(self.sae)) if matches() else None
        return find_label_targets(
            self.seed_topics, corpus.vocabulary, corpus.counts, corpus.embeddings, encode
        )

    def _embeddings_match_encoder(self, corpus: Corpus) -> bool:
        """Return whether the encoder made the embeddings, by trying it on a few texts.

        An encoder that was named is believed unless it gives these texts quite different
        embeddings, which is warned of.
        """
        texts, embeddings = corpus.row_texts, corpus.embeddings
        is_named = self.encoder is not None or getattr(self.sae, "encoder_name", None) is not None
        if corpus.by_encoder is not None:
            return corpus.by_encoder
        if texts is None:
            return is_named
        if is_named:
            agreement = agreement_with_encoder(self._encoder(self.sae), texts, embeddings)
            return not warn_of_other_encoder(agreement, self._encoder_argument, stacklevel=5)
        if embeddings.shape[1] != DEFAULT_WIDTH or not has_default_encoder():
            return False
        return embeddings_match_encoder(self._encoder(self.sae), texts, embeddings)


def documents_are_optional(estimator: Estimator) -> Estimator:
    """Let ``transform(images=…)`` of a class do without documents.

    scikit-learn wraps these methods for ``set_output``, and its wrapper wants a first argument.
    """

    def without(method: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(method)
        def call(self: Any, documents: Any = None, *args: Any, **kwargs: Any) -> Any:
            return method(self, documents, *args, **kwargs)

        return call

    for name in ("transform", "fit_transform"):
        setattr(estimator, name, without(getattr(estimator, name)))
    return estimator
