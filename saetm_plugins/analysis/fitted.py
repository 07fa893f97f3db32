"""What every analysis begins with: the fitted model behind an adapter, its names, its mixtures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError

from saetm_plugins.model import SAETopicModel
from saetm_plugins.persistence import CONFIG_NAME
from saetm_plugins.tables import name_topics_by_words, words_of_topics
from saetm_plugins.validation import check_count

_HOLDERS = ("sae_model_", "model_")  # of adapters: public attributes with the estimator
_SAVED_IN = (".", "model", "saetm/model")  # an estimator's, a SaeModel's, a SAEBERTopic's folder


def as_topic_model(model: Any) -> SAETopicModel:
    """Return the fitted SAETopicModel that `model` is, holds or was saved as.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic, SaeModel, SAEClusterer, or path
        A path is a folder that one of them was saved to.

    Raises
    ------
    TypeError
        When it is none of these.
    NotFittedError
        When it is not fitted.
    FileNotFoundError, ValueError
        When a folder holds no model of ours, or a damaged one.
    """
    if isinstance(model, str | os.PathLike):
        return SAETopicModel.load(_find_saved(Path(model)))
    found = model
    if not isinstance(model, SAETopicModel) and not isinstance(model, type):
        holders = [name for name in _HOLDERS if _has(model, name)]
        found = getattr(model, holders[0], None) if holders else model
        if holders and found is None:
            raise NotFittedError(f"model is a {type(model).__name__} without fitted atoms")
    if not isinstance(found, SAETopicModel):
        raise TypeError(
            "model must be a fitted SAETopicModel, SAEBERTopic or SaeModel, or a folder that one "
            f"was saved to; found {type(model).__name__}"
        )
    if not hasattr(found, "topics_"):
        raise NotFittedError(f"model is a {type(model).__name__} that is not fitted; call fit")
    return found


def topic_names(model: Any) -> list[str]:
    """Return a name for each topic: its label, else its three first words, else its number.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
        Labels set in a SAEBERTopic (``custom_labels_``) go before those of its atoms.

    Returns
    -------
    list of str, length n_topics
    """
    fitted = as_topic_model(model)
    names = name_topics_by_words(fitted)
    labels = getattr(model, "custom_labels_", None)
    if isinstance(labels, list) and len(labels) >= len(names):
        return [str(label) for label in labels[len(labels) - len(names) :]]  # -1 comes first
    return names


def topic_words(model: Any, n_words: int = 10) -> list[str]:
    """Return the most probable words of each topic, joined by commas; "" without words.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
    n_words : int, default=10

    Returns
    -------
    list of str, length n_topics
    """
    check_count(n_words, "n_words")
    return [", ".join(words) for words in words_of_topics(as_topic_model(model), n_words)]


def atom_words(model: Any, n_words: int = 10, atoms: Any = None) -> list[str]:
    """Return the most probable words of each atom, joined by commas; "" without words.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
    n_words : int, default=10
    atoms : sequence of int, optional
        None means all.

    Returns
    -------
    list of str
    """
    fitted = as_topic_model(model)
    check_count(n_words, "n_words")
    chosen = np.arange(fitted.sae_.n_atoms) if atoms is None else np.asarray(atoms, dtype=np.int64)
    if fitted.atom_words_ is None:
        return [""] * len(chosen)
    described = []
    for atom in chosen:
        row = fitted.atom_words_[atom]
        best = np.argsort(-row, kind="stable")[:n_words]
        described.append(", ".join(str(fitted.vocabulary_[word]) for word in best))
    return described


def document_atoms(model: Any, documents: Any = None, embeddings: Any = None) -> sp.csr_matrix:
    """Return the mixtures of atoms of the fitted documents, or of those given.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
    documents : iterable of str, optional
        Encoded as the model encodes texts, by a SAEBERTopic's ``embedding_model`` if it has one.
    embeddings : array-like of shape (n, d), optional

    Returns
    -------
    csr_matrix of shape (n, n_atoms), float32
        Rows sum to 1.

    Raises
    ------
    ValueError
        When no documents are given and the model holds none.
    """
    fitted = as_topic_model(model)
    if documents is None and embeddings is None:
        doc_atoms = getattr(fitted, "doc_atoms_", None)
        if doc_atoms is None or doc_atoms.shape[0] == 0:
            raise ValueError(
                "the model holds no documents of its own: pass documents=, embeddings=, "
                "doc_topics= or doc_atoms="
            )
        return doc_atoms
    embed = getattr(getattr(model, "embedding_model", None), "embed_documents", None)
    if embeddings is None and callable(embed):
        documents = [documents] if isinstance(documents, str) else list(documents)
        documents, embeddings = None, embed(documents)
    return fitted.transform_atoms(documents, embeddings)


def mixtures(model: Any, documents: Any = None, embeddings: Any = None) -> np.ndarray:
    """Return the mixtures of topics of the fitted documents, or of those given.

    Parameters
    ----------
    model, documents, embeddings
        As of :func:`document_atoms`.

    Returns
    -------
    ndarray of shape (n, n_topics), float32
    """
    doc_atoms = document_atoms(model, documents, embeddings)
    fitted = as_topic_model(model)
    if documents is None and embeddings is None:
        return fitted.doc_topics_
    return fitted.topics_of(doc_atoms)[1]


def _has(model: Any, name: str) -> bool:
    try:
        return hasattr(model, name)
    except Exception:  # a property of something else altogether
        return False


def _find_saved(path: Path) -> Path:
    """Return the folder inside `path` that holds the estimator."""
    for inner in _SAVED_IN:
        if (path / inner / CONFIG_NAME).is_file() and (path / inner / "sae").is_dir():
            return path / inner
    return path  # whose error names what is missing
