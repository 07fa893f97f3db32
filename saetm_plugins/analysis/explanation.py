"""Explain a document by its atoms, the words they stem from, its passages and topics."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.analysis.fitted import as_topic_model, document_atoms, topic_names
from saetm_plugins.atoms.choice import SHARPENING_OF_FOUNDATION
from saetm_plugins.atoms.foundation import atom_descriptions, load_foundation, unexplained
from saetm_plugins.corpus.chunker import Chunker
from saetm_plugins.corpus.duplicates import find_blank
from saetm_plugins.corpus.encoders import load_encoder
from saetm_plugins.corpus.passages import Passages
from saetm_plugins.corpus.read import read_corpus
from saetm_plugins.corpus_sums import document_mixtures
from saetm_plugins.model import SAETopicModel
from saetm_plugins.topics import check_topics
from saetm_plugins.validation import check_count, check_embeddings, check_text, is_integer

_LEAST_SHARE = 0.005  # of a text: smaller atoms are left out of explain_text
_MOST_UNEXPLAINED = 0.8  # of an embedding's variance, if the default encoder made it


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
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    document : int, str or None
        The position of a fitted document, or a text; None with `embedding` alone.
    n_words : int, default=10
        Words of each atom.
    embedding : array-like of shape (d,), optional
        That of the document; by default a text is encoded.
    text : str, optional
        The text of a fitted document, which the model does not keep; it adds the columns below.

    Returns
    -------
    DataFrame
        A row an atom: ``atom``; ``weight``, its share of the document (they sum to 1); ``topic``,
        the one it gives most to (-1 if deleted), and its ``name``; ``words``, its most probable
        ones ("" without words). For a text or an embedding also ``activated``: the document,
        or one of the passages below, activates the atom; else it lies near to its documents,
        which is half of a mixture. For a text also ``words_in_text``, its words that the atom makes
        more probable than the background and the document's other atoms do; and ``start``, ``end``
        and ``passage``, the few sentences in which the atom weighs most.
    """
    model = as_topic_model(model)
    n_words = check_count(n_words, "n_words")
    if text is not None:
        if not is_integer(document):
            raise TypeError(
                f"text goes with the position of a fitted document; found {document!r:.80}"
            )
        check_text(text, "text")
    doc_atoms = _atoms_of(model, document, embedding)
    found = describe_atoms(model, doc_atoms, n_words)
    names = [*topic_names(model), ""]
    found.insert(3, "name", [names[topic] for topic in found["topic"]])
    found["words"] = found["words"].map(", ".join)
    shown = document if isinstance(document, str) else text
    if shown is not None and model.vectorizer_ is not None:
        found["words_in_text"] = _words_of_atoms(model, shown, found["atom"], found["weight"])
    if shown is not None and embedding is None and len(found):
        passages, passage_atoms = _split_into_atoms(model, shown)
        weights = sp.diags(passages.tokens.astype(float)) @ passage_atoms
        best = np.asarray(weights.tocsc()[:, found["atom"].to_numpy()].toarray().argmax(axis=0))
        found["start"], found["end"] = passages.starts[best], passages.ends[best]
        found["passage"] = [passages.texts([shown])[row] for row in best.tolist()]
        embedding = passages.embeddings
    if embedding is not None:
        activated, _ = model.atoms_.both_mixtures(np.atleast_2d(embedding))
        found["activated"] = np.isin(found["atom"], activated.indices)
    return found


def explain_text(text: str, n_words: int = 8, *, embedding: Any = None) -> pd.DataFrame:
    """Return the atoms of a text, the heaviest first, out of those that ship with the package.

    Nothing is fitted. A text longer than the encoder reads is read in passages.

    Parameters
    ----------
    text : str
    n_words : int, default=8
        Words of each atom.
    embedding : array-like of shape (384,), optional
        That of the text by all-MiniLM-L6-v2; None encodes it.

    Returns
    -------
    DataFrame
        A row an atom: ``atom``; ``share`` of the text, at least half a per cent; ``words`` that are
        typical of it in the texts it was trained on; ``sentence``, one of those that activate it
        most ("" without any).
    """
    check_text(text, "text")
    n_words = check_count(n_words, "n_words")
    if find_blank([text], 1)[0]:
        raise ValueError(f"text is blank: {text!r:.80}")
    sae = load_foundation()
    given = None
    if embedding is not None:
        given = check_embeddings(np.atleast_2d(embedding), name="embedding", width=sae.n_features)
    chunk = "auto" if given is None else None
    read = read_corpus([text], given, load_encoder, chunk, width=sae.n_features)
    if given is not None and unexplained(sae, given, centre=sae.mean_) > _MOST_UNEXPLAINED:
        raise ValueError(f"embedding is not by {sae.encoder_name}: the atoms do not explain it")
    mixture = read.per_document(
        document_mixtures(sae, read.embeddings, SHARPENING_OF_FOUNDATION)[0]
    )
    order = np.argsort(-mixture.data, kind="stable")
    order = order[mixture.data[order] >= _LEAST_SHARE]
    atoms = [atom_descriptions()[atom] for atom in mixture.indices[order]]
    return pd.DataFrame(
        {
            "atom": mixture.indices[order],
            "share": mixture.data[order],
            "words": [", ".join(atom.words[:n_words]) for atom in atoms],
            "sentence": [atom.sentences[0] if atom.sentences else "" for atom in atoms],
        }
    )


def spans(
    model: Any, text: str, topic: int | str | None = None, *, chunker: Chunker | None = None
) -> pd.DataFrame:
    """Return which topic each part of a text is about, or the passages that are about one topic.

    The text is split into short passages, and each is embedded by itself.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
        With an encoder.
    text : str
    topic : int or str, optional
        None: what each part of the text is about, in order; neighbours of the same main topic are
        one part.
    chunker : Chunker, optional
        How to split; None: into sentences of together 64 tokens at most.

    Returns
    -------
    DataFrame
        ``start`` and ``end``, characters of the text; ``topic`` and its ``name``; ``share`` of the
        topic in the passage; ``weight``, what the passage adds to the topic's share of the whole
        text; ``text``. With `topic` a row a passage, the largest weight first; without, a row a
        part of the text, in order.
    """
    model = as_topic_model(model)
    if not check_text(text, "text").strip():
        raise ValueError("text is blank")
    if topic is not None:
        topic = int(check_topics([topic], model.topics_, "topic")[0])
    passages, passage_atoms = _split_into_atoms(model, text, chunker)
    shares = model.topics_of(passage_atoms)[1]
    weights = shares * (passages.tokens / passages.tokens.sum())[:, None]
    if topic is not None:
        order = np.argsort(-weights[:, topic], kind="stable")
        firsts, lasts, topics = order, order, np.full(len(order), topic)
    else:
        main = _smooth(shares)
        changes = np.flatnonzero(np.diff(main))
        firsts, lasts = np.concatenate(([0], changes + 1)), np.append(changes, len(main) - 1)
        topics = main[firsts]
    names = topic_names(model)
    rows = []
    for first, last, about in zip(firsts, lasts, topics, strict=True):
        tokens = passages.tokens[first : last + 1]
        start, end = int(passages.starts[first]), int(passages.ends[last])
        rows.append(
            {
                "start": start,
                "end": end,
                "topic": int(about),
                "name": names[about],
                "share": float(np.average(shares[first : last + 1, about], weights=tokens)),
                "weight": float(weights[first : last + 1, about].sum()),
                "text": text[start:end],
            }
        )
    return pd.DataFrame(rows)


def describe_atoms(model: SAETopicModel, doc_atoms: sp.csr_matrix, n_words: int) -> pd.DataFrame:
    """Return the atoms of one document (1, n_atoms), the heaviest first.

    Columns are ``atom``, ``weight``, ``topic`` and ``words``, a list of str.
    """
    order = np.argsort(-doc_atoms.data, kind="stable")
    atoms = doc_atoms.indices[order]
    words: list[list[str]] = [[] for _ in atoms]
    if model.atom_words_ is not None:
        largest = np.argsort(-model.atom_words_[atoms], axis=1, kind="stable")[:, :n_words]
        words = [[str(word) for word in model.vocabulary_[row]] for row in largest]
    columns = {"atom": atoms, "weight": doc_atoms.data[order], "topic": main_topics(model, atoms)}
    return pd.DataFrame({**columns, "words": words})


def main_topics(model: SAETopicModel, atoms: Any) -> np.ndarray:
    """Return the topic (n,) that each of `atoms` gives most to; -1 where it is deleted."""
    weights = model.atom_topics_[np.asarray(atoms, dtype=np.int64)].toarray()
    return np.where(weights.max(axis=1) > 0, weights.argmax(axis=1), -1)


def _atoms_of(model: SAETopicModel, document: Any, embedding: Any) -> sp.csr_matrix:
    """Return the mixture of atoms (1, n_atoms) of a fitted document, a text or an embedding."""
    if embedding is not None:
        if document is not None and not isinstance(document, str):
            raise TypeError(f"document must be a text or None with embedding; found {document!r}")
        row = check_embeddings(np.atleast_2d(embedding), name="embedding", n_rows=1)
        return document_atoms(model, embeddings=row)
    if isinstance(document, str):
        return document_atoms(model, [document])
    if not is_integer(document):
        raise TypeError(f"document must be a position or a text; found {document!r}")
    fitted_rows = document_atoms(model)
    if not -fitted_rows.shape[0] <= document < fitted_rows.shape[0]:
        raise IndexError(f"document {document} of {fitted_rows.shape[0]} documents")
    return fitted_rows[document]


def _split_into_atoms(
    model: SAETopicModel, text: str, chunker: Chunker | None = None
) -> tuple[Passages, sp.csr_matrix]:
    """Return short passages of a text and their mixtures of atoms, (m, n_atoms)."""
    passages = model.embed_passages([text], chunker)
    assert passages.embeddings is not None
    return passages, model.atoms_.mixtures(passages.embeddings)


def _smooth(shares: np.ndarray) -> np.ndarray:
    """Return the main topic of each passage (m,); its neighbours' shares (m, T) count half."""
    around = shares.copy()
    around[1:] += 0.5 * shares[:-1]
    around[:-1] += 0.5 * shares[1:]
    return around.argmax(axis=1)


def _words_of_atoms(
    model: SAETopicModel, text: str, atoms: pd.Series, weights: pd.Series
) -> list[str]:
    """Give each word of a text to the atom that most probably emitted it, the likeliest first.

    By Bayes' rule over the emission model, P(k | w, d) ∝ (1 - π) θ_k B_kw against π P0_w.
    """
    columns = sp.csr_matrix(model.vectorizer_.transform([text])).indices
    emissions = model.emissions_
    share = 1 - emissions.background_weight
    by_atom = share * weights.to_numpy()[:, None] * emissions.atom_words[atoms][:, columns]
    by_background = emissions.background_weight * emissions.background[columns]
    owner = by_atom.argmax(axis=0) if len(by_atom) else np.empty(0, dtype=np.int64)
    found = []
    for row, probabilities in enumerate(by_atom):
        own = np.flatnonzero((owner == row) & (probabilities > by_background))
        own = own[np.argsort(-(probabilities[own] / by_background[own]), kind="stable")]
        found.append(", ".join(str(model.vocabulary_[column]) for column in columns[own]))
    return found
