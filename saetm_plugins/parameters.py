"""What parameters of the estimator are legal, and what they say of the training of atoms."""

from __future__ import annotations

import numbers
from typing import Any

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.corpus.encoders import is_default_encoder, load_encoder
from saetm_plugins.corpus.images.documents import choose_n_atoms
from saetm_plugins.corpus.vectorizers import check_vectorizer
from saetm_plugins.corpus.words import check_language
from saetm_plugins.merging import MERGES
from saetm_plugins.merging.labels import check_seed_topics
from saetm_plugins.topics import check_n_topics
from saetm_plugins.validation import check_choice, check_count, check_random, resolve_device

SAE_CHOICES = ("auto", "default")


def check_parameters(model: Any) -> None:
    """Raise unless the parameters of an :class:`~saetm_plugins.model.SAETopicModel` are legal.

    Raises
    ------
    TypeError, ValueError
    """
    if model.n_topics is not None:
        check_n_topics(model.n_topics)
    check_choice(model.merge, "merge", ("auto", *MERGES))
    check_choice(model.solver, "solver", ("em", "adam"))
    check_sae(model.sae, model.encoder)
    if model.vectorizer is not None:
        check_vectorizer(model.vectorizer)
    check_random(model.random_state)
    resolve_device(model.device)
    if isinstance(model.word_vectors, str):
        check_choice(model.word_vectors, "word_vectors", ("auto", "corpus", "encoder"))
    sharpening = model.sharpening
    is_number = isinstance(sharpening, numbers.Real) and not isinstance(sharpening, bool)
    if sharpening is not None and not (is_number and 0 < float(sharpening) <= 50):
        raise ValueError(f"sharpening must be a number in (0, 50]; found {sharpening!r}")
    if model.emission_n_iter is not None:
        check_count(model.emission_n_iter, "emission_n_iter")
    check_language(model.language)
    check_seed_topics(model.seed_topics, model.n_topics)
    if model.encoder is not None and not isinstance(model.encoder, str):
        load_encoder(model.encoder)


def check_sae(sae: Any, encoder: Any = None) -> None:
    """Raise unless `sae` is an autoencoder, the name of a choice, or None.

    Raises
    ------
    TypeError, ValueError
        Also when the default atoms are asked for beside the name of another encoder.
    """
    if sae is None or isinstance(sae, SparseAutoencoder):
        return
    if not isinstance(sae, str):
        raise TypeError(
            f'sae must be a SparseAutoencoder, "auto", "default" or None; found {sae!r:.80}'
        )
    if sae not in SAE_CHOICES:
        raise ValueError(
            'sae must be "auto", "default", None or a SparseAutoencoder, which '
            f"SparseAutoencoder.from_pretrained reads from a folder or the hub; found {sae!r}"
        )
    if sae == "default" and isinstance(encoder, str) and not is_default_encoder(encoder):
        raise ValueError(f"sae='default' is for all-MiniLM-L6-v2's embeddings; encoder={encoder!r}")


def training_parameters(model: Any, n_documents: int, of_images: bool) -> dict[str, Any]:
    """Return the arguments of :func:`~saetm_plugins.train_sae` that a model's parameters say."""
    n_atoms = model.n_atoms
    if of_images and n_atoms is None:
        n_atoms = choose_n_atoms(n_documents)
    named = {name: getattr(model, name) for name in ("k", "activation", "device", "verbose")}
    return {"n_atoms": n_atoms, **named}
