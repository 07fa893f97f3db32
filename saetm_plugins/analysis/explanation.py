"""Why a document is where it is: its atoms, their words, and its own words that speak for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.analysis.evidence import split_into_atoms
from saetm_plugins.analysis.fitted import (
    as_topic_model,
    document_atoms,
    open_model,
    topic_names,
)
from saetm_plugins.model import SAETopicModel
from saetm_plugins.validation import check_count, check_embeddings, check_text, is_integer


def explain_document(
    model: Any,
    document: Any,
    n_words: int = 10,
    *,
    embedding: Any = None,
    text: str | None = None,
) -> pd.DataFrame:
    """Return the atoms of a document, the heaviest first.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic, SaeModel, SAEClusterer, or path
        Fitted; see :func:`saetm_plugins.analysis.as_topic_model`.
    document : int, str or None
        The position of a fitted document, or a text; None where `embedding` is all there is.
    n_words : int, default=10
        Words of each atom.
    embedding : array-like of shape (d,), optional
        That of the document; by default a text is encoded.
    text : str, optional
        The text of a fitted document, which the model does not keep: passages are named then.

    Returns
    -------
    DataFrame
        A row an atom: ``atom``; ``weight``, its share of the document (they sum to 1); ``topic``,
        the one it gives most to (-1 if deleted), and its ``name``; ``words``, its most probable
        ones ("" without words). Of a text also ``words_in_text``: those of its words that the
        atom makes likelier than the background and than the document's other atoms do; and
        ``start``, ``end`` and ``passage``, characters of the text and the few sentences there that
        bring most of the atom.

    Raises
    ------
    IndexError
        When there is no fitted document of that position.
    TypeError, ValueError
        When `document` or `embedding` is something else.
    """
    model = open_model(model)
    fitted = as_topic_model(model)
    n_words = check_count(n_words, "n_words")
    if text is not None and not is_integer(document):
        raise TypeError(f"text goes with the position of a fitted document; found {document!r:.80}")
    if text is not None:
        check_text(text, "text")
    shown = document if isinstance(document, str) else text
    if embedding is not None:
        if document is not None and not isinstance(document, str):
            raise TypeError(f"document must be a text or None beside embedding; found {document!r}")
        row = check_embeddings(np.atleast_2d(embedding), name="embedding", n_rows=1)
        doc_atoms = document_atoms(fitted, embeddings=row)
    elif isinstance(document, str):
        try:
            doc_atoms = document_atoms(model, [document])
        except ValueError as error:
            raise ValueError(f"document cannot be embedded as others were: {error}") from error
    elif is_integer(document):
        fitted_rows = document_atoms(fitted)
        if not -fitted_rows.shape[0] <= document < fitted_rows.shape[0]:
            raise IndexError(f"document {document} of {fitted_rows.shape[0]} documents")
        doc_atoms = fitted_rows[document]
    else:
        raise TypeError(f"document must be a position or a text; found {document!r}")
    found = describe_atoms(fitted, doc_atoms, n_words)
    names = [*topic_names(model), ""]
    found.insert(3, "name", [names[topic] for topic in found["topic"]])
    found["words"] = found["words"].map(", ".join)
    if shown is not None and fitted.vectorizer_ is not None:
        told = _words_of_atoms(fitted, shown, found["atom"], found["weight"])
        found["words_in_text"] = [", ".join(words) for words in told]
    if shown is not None and embedding is None and len(found):
        _add_passages(model, shown, found)
    return found


def _add_passages(model: Any, text: str, found: pd.DataFrame) -> None:
    """Write where in the text each atom weighs most."""
    passages, passage_atoms = split_into_atoms(model, text)
    weights = sp.diags(passages.tokens.astype(float)) @ passage_atoms
    best = np.asarray(weights.tocsc()[:, found["atom"].to_numpy()].toarray().argmax(axis=0))
    found["start"], found["end"] = passages.starts[best], passages.ends[best]
    found["passage"] = [passages.texts([text])[row] for row in best.tolist()]


def describe_atoms(model: SAETopicModel, doc_atoms: sp.csr_matrix, n_words: int) -> pd.DataFrame:
    """Return the atoms of one document, the heaviest first.

    Parameters
    ----------
    model : SAETopicModel
    doc_atoms : csr_matrix of shape (1, n_atoms)
    n_words : int

    Returns
    -------
    DataFrame
        Columns ``atom``, ``weight``, ``topic`` and ``words``, a list of str.
    """
    order = np.argsort(-doc_atoms.data, kind="stable")
    atoms = doc_atoms.indices[order]
    words: list[list[str]] = [[] for _ in atoms]
    if model.atom_words_ is not None:
        largest = np.argsort(-model.atom_words_[atoms], axis=1, kind="stable")[:, :n_words]
        words = [[str(word) for word in model.vocabulary_[row]] for row in largest]
    return pd.DataFrame(
        {
            "atom": atoms,
            "weight": doc_atoms.data[order],
            "topic": main_topics(model, atoms),
            "words": words,
        }
    )


def main_topics(model: SAETopicModel, atoms: Any) -> np.ndarray:
    """Return the topic (n,) that each of `atoms` gives most to; -1 where it is deleted."""
    weights = model.atom_topics_[np.asarray(atoms, dtype=np.int64)].toarray()
    return np.where(weights.max(axis=1) > 0, weights.argmax(axis=1), -1)


def _words_of_atoms(
    model: SAETopicModel, text: str, atoms: pd.Series, weights: pd.Series
) -> list[list[str]]:
    """Give each word of a text to the atom that most probably emitted it, the likeliest first.

    By Bayes' rule over the emission model, P(k | w, d) ∝ (1 - π) θ_k B_kw against π P0_w.
    """
    counts = sp.csr_matrix(model.vectorizer_.transform([text]))
    columns = counts.indices
    emissions = model.emissions_
    share = 1 - emissions.background_weight
    by_atom = share * weights.to_numpy()[:, None] * emissions.atom_words[atoms][:, columns]
    by_background = emissions.background_weight * emissions.background[columns]
    owner = by_atom.argmax(axis=0) if len(by_atom) else np.empty(0, dtype=np.int64)
    told: list[list[str]] = []
    for row, probabilities in enumerate(by_atom):
        own = np.flatnonzero((owner == row) & (probabilities > by_background))
        own = own[np.argsort(-(probabilities[own] / by_background[own]), kind="stable")]
        told.append([str(model.vocabulary_[column]) for column in columns[own]])
    return told
