"""How the estimator gets at embeddings: of documents, of words, of the labels it is guided by.

The base of :class:`~saetm_plugins.model.SAETopicModel` that knows the encoder.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.guidance import LabelTargets, find_label_targets
from saetm_plugins.merging import select_words_to_encode
from saetm_plugins.text import (
    DEFAULT_WIDTH,
    embeddings_match_encoder,
    encode_texts,
    encode_words,
    has_default_encoder,
    load_encoder,
    lookup_word_vectors,
    read_documents,
    refuse_folder,
)
from saetm_plugins.validation import check_embeddings


class DocumentReader:
    """Reads documents and embeddings, and loads the encoder when a text needs it.

    Parameters and attributes are those of :class:`~saetm_plugins.model.SAETopicModel`.
    """

    sae: SparseAutoencoder | None
    encoder: Any
    word_vectors: Any
    seed_topics: Any
    device: str
    verbose: bool
    encoder_not_saved_ = False
    """Whether the model was loaded without the encoder object it was fitted with."""
    encoder_named_in_file_: str | None = None
    """The encoder's name where a saved model told it: the name of a model, never of a folder."""
    _loaded_encoder: tuple[Any, Any] | None = None

    def _read(
        self, documents: Any, embeddings: Any, *, sae: SparseAutoencoder | None, least: int = 1
    ) -> tuple[list[str] | None, np.ndarray]:
        """Return texts (None if there are none) and embeddings fit for `sae`."""
        texts, given = read_documents(documents, embeddings, least=least)
        if given is None:
            assert texts is not None
            given = encode_texts(self._encoder(sae), texts, verbose=self.verbose)
        if sae is not None:
            given = check_embeddings(given, width=sae.n_features)
        return texts, given

    def _encoder(self, sae: SparseAutoencoder | None) -> Any:
        """Load the encoder once: the parameter, else the one the autoencoder was trained with."""
        if self.encoder is None and self.encoder_not_saved_:
            raise ValueError(
                "documents need the encoder the model was fitted with, an object that was not "
                "saved: pass it as load(path, encoder=…), or give embeddings"
            )
        named = getattr(sae, "encoder_name", None)
        wanted = self.encoder or named
        if isinstance(wanted, str) and self.encoder in (None, self.encoder_named_in_file_):
            refuse_folder(wanted)
        if self._loaded_encoder is None or self._loaded_encoder[0] is not wanted:
            device = None if self.device == "auto" else self.device
            self._loaded_encoder = (wanted, load_encoder(wanted, device))
        return self._loaded_encoder[1]

    def _find_word_vectors(
        self, atoms: AtomModel, matches: Callable[[], bool]
    ) -> np.ndarray | None:
        """Return what `word_vectors` asks for; None means that the corpus alone says."""
        if atoms.vocabulary is None:
            return None
        words = [str(word) for word in atoms.vocabulary]
        if not isinstance(self.word_vectors, str):
            return lookup_word_vectors(words, self.word_vectors)
        if self.word_vectors == "corpus" or (self.word_vectors == "auto" and not matches()):
            return None
        chosen = select_words_to_encode(atoms.sums.atom_words, atoms.sums.nearness)
        vectors = encode_words(self._encoder(self.sae), words, chosen, verbose=self.verbose)
        if vectors.shape[1] != atoms.sae.n_features:
            raise ValueError(
                f"encoder gives {vectors.shape[1]} dimensions; embeddings have "
                f"{atoms.sae.n_features}, so another encoder made them"
            )
        return vectors

    def _find_label_targets(
        self, vocabulary: Any, counts: Any, embeddings: np.ndarray, matches: Callable[[], bool]
    ) -> LabelTargets | None:
        if self.seed_topics is None:
            return None
        encode = partial(encode_texts, self._encoder(self.sae)) if matches() else None
        return find_label_targets(self.seed_topics, vocabulary, counts, embeddings, encode)

    def _embeddings_match_encoder(self, texts: list[str] | None, embeddings: np.ndarray) -> bool:
        """Tell whether the encoder made the embeddings: it is named, or tried on a few texts."""
        if self.encoder is not None or getattr(self.sae, "encoder_name", None) is not None:
            return True
        if texts is None or embeddings.shape[1] != DEFAULT_WIDTH or not has_default_encoder():
            return False
        return embeddings_match_encoder(self._encoder(self.sae), texts, embeddings)
