"""The input of every analysis: the fitted model, its topics' names and words, its mixtures."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.corpus.vectorizers import check_bow
from saetm_plugins.files.folders import CONFIG_NAME
from saetm_plugins.model import SAETopicModel
from saetm_plugins.model_tables import name_topics_by_words, words_of_topics
from saetm_plugins.validation import as_list, check_count, is_integer

_HOLDERS = ("sae_model_", "model_")  # attributes of adapters that hold the estimator
_SAVED_IN = (".", "model", "saetm/model")  # in an estimator's, a SaeModel's, a SAEBERTopic's folder


def as_topic_model(model: Any) -> SAETopicModel:
    """Return the fitted SAETopicModel that `model` is, holds or was saved as.

    Every analysis calls this first. An adapter that embeds texts itself has a method
    ``for_analysis()``, which returns its estimator with that encoder.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic, SaeModel, SAEClusterer, or path
        A path is a folder that one of them was saved to.
    """
    if isinstance(model, str | os.PathLike):
        folders = [Path(model) / inner for inner in _SAVED_IN]
        holding = [f for f in folders if (f / CONFIG_NAME).is_file() and (f / "sae").is_dir()]
        return SAETopicModel.load([*holding, model][0])
    held = [getattr(model, name) for name in _HOLDERS if hasattr(model, name)]
    found = held[0] if held else model
    if held and found is None:
        raise NotFittedError(f"model is a {type(model).__name__} without fitted atoms")
    if not isinstance(found, SAETopicModel):
        raise TypeError(
            "model must be a fitted SAETopicModel, SAEBERTopic or SaeModel, or a folder that one "
            f"was saved to; found {type(model).__name__}"
        )
    if not hasattr(found, "topics_"):
        raise NotFittedError(f"model is a {type(model).__name__} that is not fitted; call fit")
    return model.for_analysis() if hasattr(model, "for_analysis") else found


def topic_names(model: Any) -> list[str]:
    """Return a name for each topic: its label, else its first three words, else its number.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
    """
    return name_topics_by_words(as_topic_model(model))


def topic_words(model: Any, n_words: int = 10) -> list[str]:
    """Return the most probable words of each topic, joined by commas; "" without words.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
    n_words : int, default=10
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
    """
    model = as_topic_model(model)
    n_words = check_count(n_words, "n_words")
    chosen = range(model.sae_.n_atoms) if atoms is None else check_atoms(model, atoms)
    if model.atom_words_ is None:
        return [""] * len(chosen)
    return join_words(model.vocabulary_, (model.atom_words_[atom] for atom in chosen), n_words)


def join_words(vocabulary: np.ndarray, rows: Any, n_words: int) -> list[str]:
    """Return the `n_words` words of the largest values of each row (V,), joined by commas."""
    best = (np.argsort(-row, kind="stable")[:n_words] for row in rows)
    return [", ".join(map(str, vocabulary[columns])) for columns in best]


def check_atoms(model: SAETopicModel, atoms: Any) -> list[int]:
    """Return numbers of atoms as a list, or raise a ValueError where there is no such atom."""
    chosen = as_list(atoms, "atoms", "numbers of atoms")
    n_atoms = model.sae_.n_atoms
    if not all(is_integer(atom) and 0 <= atom < n_atoms for atom in chosen):
        raise ValueError(f"atoms must be numbers of atoms, 0 to {n_atoms - 1}; found {atoms!r:.80}")
    return chosen


def document_atoms(model: Any, documents: Any = None, embeddings: Any = None) -> sp.csr_matrix:
    """Return the mixtures of atoms of the fitted documents, or of those given.

    Parameters
    ----------
    model : as of :func:`as_topic_model`
    documents : iterable of str, optional
        Without `embeddings` they are encoded as the fitted documents were.
    embeddings : array-like of shape (n, d), optional

    Returns
    -------
    csr_matrix of shape (n, n_atoms), float32
        Rows sum to 1.
    """
    model = as_topic_model(model)
    if documents is not None or embeddings is not None:
        return model.transform_atoms(documents, embeddings=embeddings)
    doc_atoms = getattr(model, "doc_atoms_", None)
    if doc_atoms is None or doc_atoms.shape[0] == 0:
        raise ValueError(
            "the model holds no documents of its own: pass documents=, embeddings=, "
            "doc_topics= or doc_atoms="
        )
    return doc_atoms


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
    model = as_topic_model(model)
    doc_atoms = document_atoms(model, documents, embeddings)
    if documents is None and embeddings is None:
        return model.doc_topics_
    return model.topics_of(doc_atoms)[1]


def count_in_vocabulary(
    model: SAETopicModel, n_documents: int, documents: list[str] | None = None, bow: Any = None
) -> sp.csr_matrix | None:
    """Return how often each word of the model occurs in each document, (n, V), float32.

    Texts are counted as the model counts, or by plain words if it was fitted to ready-made counts.
    None for a model without words, and without texts and counts.
    """
    if model.vocabulary_ is None or (documents is None and bow is None):
        return None
    if bow is not None:
        return check_bow(bow, model.vocabulary_, n_documents)[0]
    vectorizer = model.vectorizer_
    if vectorizer is None or not np.array_equal(
        vectorizer.get_feature_names_out(), model.vocabulary_
    ):
        vectorizer = CountVectorizer(vocabulary=list(model.vocabulary_))
    counts = sp.csr_matrix(vectorizer.transform(documents), dtype=np.float32)
    if counts.nnz == 0:
        raise ValueError("documents hold no word of the model's vocabulary")
    return counts
