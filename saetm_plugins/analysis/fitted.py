"""What every analysis begins with: the fitted model behind an adapter, its names, its mixtures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.model import SAETopicModel
from saetm_plugins.persistence import CONFIG_NAME
from saetm_plugins.tables import name_topics_by_words, words_of_topics
from saetm_plugins.text import check_bow, check_documents
from saetm_plugins.validation import as_list, check_count, check_embeddings, is_integer

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


def open_model(model: Any) -> Any:
    """Return `model`, checked; of a folder the estimator saved in it, read once.

    Raises
    ------
    TypeError, NotFittedError, FileNotFoundError, ValueError
        As :func:`as_topic_model`.
    """
    found = as_topic_model(model)
    return found if isinstance(model, str | os.PathLike) else model


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
    n_words = check_count(n_words, "n_words")
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
    n_words = check_count(n_words, "n_words")
    n_atoms = fitted.sae_.n_atoms
    chosen = list(range(n_atoms)) if atoms is None else as_list(atoms, "atoms", "numbers of atoms")
    if not all(is_integer(atom) and 0 <= atom < n_atoms for atom in chosen):
        raise ValueError(f"atoms must be numbers of atoms, 0 to {n_atoms - 1}; found {atoms!r:.80}")
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
    if embeddings is not None:
        return fitted.transform_atoms(documents, embeddings)
    reader = model if callable(getattr(model, "transform_atoms", None)) else fitted
    return reader.transform_atoms(check_documents(documents))


def embed_texts(model: Any, texts: Any) -> np.ndarray:
    """Return embeddings of texts, (n, d) float32, as the model's documents were embedded.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
        A SAEBERTopic's ``embedding_model`` goes before the encoder of its atoms.
    texts : iterable of str

    Raises
    ------
    TypeError, ValueError
        When they are no texts, or the model's encoder is not known.
    """
    fitted = as_topic_model(model)
    embed = getattr(getattr(model, "embedding_model", None), "embed_documents", None)
    if callable(embed):
        texts = check_documents(texts)
        return check_embeddings(embed(texts), n_rows=len(texts), width=fitted.sae_.n_features)
    return fitted.encode(texts)


def count_in_vocabulary(
    model: Any, n_documents: int, documents: list[str] | None = None, bow: Any = None
) -> sp.csr_matrix | None:
    """Return how often each of the model's words stands in each document.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
    n_documents : int
    documents : list of str, optional
        Counted as the model counts; by plain words where it was fitted to ready-made counts.
    bow : sparse matrix of shape (n_documents, V), optional
        Ready-made counts.

    Returns
    -------
    csr_matrix of shape (n_documents, V), float32; None in a model without words, and without texts

    Raises
    ------
    ValueError
        When `bow` or `documents` are of another shape, or hold no word of the model.
    """
    fitted = as_topic_model(model)
    if fitted.vocabulary_ is None or (documents is None and bow is None):
        return None
    if bow is not None:
        return check_bow(bow, fitted.vocabulary_, n_documents)[0]
    vectorizer = fitted.vectorizer_ or getattr(model, "vectorizer_model", None)
    if vectorizer is None or not _counts_words(vectorizer, fitted.vocabulary_):
        vectorizer = CountVectorizer(vocabulary=list(fitted.vocabulary_))
    counts = sp.csr_matrix(vectorizer.transform(documents), dtype=np.float32)
    if counts.nnz == 0:
        raise ValueError("documents hold no word of the model's vocabulary")
    return counts


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
    if isinstance(model, str | os.PathLike):
        model = as_topic_model(model)  # loaded once
    doc_atoms = document_atoms(model, documents, embeddings)
    fitted = as_topic_model(model)
    if documents is None and embeddings is None:
        return fitted.doc_topics_
    return fitted.topics_of(doc_atoms)[1]


def _counts_words(vectorizer: Any, words: np.ndarray) -> bool:
    try:
        return np.array_equal(vectorizer.get_feature_names_out(), words)
    except (AttributeError, NotFittedError):  # a vectorizer of someone else's, or a new one
        return False


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
