"""Search of documents by a phrase, a topic, atoms, words or another document.

Jiang et al., "Interpretable embeddings with sparse autoencoders" (arXiv 2512.10092), search by
features of an autoencoder. Every match here names the atoms that made it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.analysis.documents import read_documents
from saetm_plugins.analysis.fitted import (
    as_topic_model,
    atom_words,
    check_atoms,
    document_atoms,
    topic_names,
)
from saetm_plugins.analysis.groups import read_groups
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.arrays import index_of_words, unit_rows
from saetm_plugins.numerics.parallel import even_ranges
from saetm_plugins.topics import check_topics
from saetm_plugins.validation import (
    as_list,
    check_count,
    check_embeddings,
    check_fraction,
    is_integer,
)

_ROWS = 16_384  # documents at a time: their reconstructions from atoms are dense


def find_documents(
    model: Any,
    query: Any = None,
    *,
    topic: int | str | None = None,
    atoms: Any = None,
    words: Any = None,
    like: Any = None,
    n: int = 10,
    groups: Any = None,
    documents: Any = None,
    embeddings: Any = None,
    doc_atoms: Any = None,
    ids: Any = None,
    texts: Any = None,
    atom_weight: float | None = None,
    n_atoms: int = 3,
    n_words: int = 4,
) -> pd.DataFrame:
    """Find documents by a phrase, a topic, atoms, words or a document like them.

    Give one of `query`, `topic`, `atoms`, `words` and `like`. Searched are the fitted documents,
    of which the model keeps the atoms, or those given.

    A phrase is encoded and compared with the reconstruction of each document from its atoms: the
    mean of the atoms' centroids, weighted by the document's cosines with the atoms. This leaves
    out what is peculiar to a document, so it finds more documents that are about the phrase and
    fewer that merely use its words. With `embeddings` both count.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    query : str or array-like of shape (d,), optional
        A phrase, or its embedding.
    topic : int or str, optional
        Documents with the largest share of it.
    atoms : int or sequence of int, optional
        Documents with the largest share of these atoms.
    words : str or sequence of str, optional
        Documents to whose atoms these words of the vocabulary are likeliest; they need not occur.
    like : int, str or array-like of shape (d,), optional
        The position of a searched document (which is left out), a text, or an embedding.
    n : int, default=10
        Documents to return, of each group where `groups` are labels.
    groups : array-like of length n_documents, optional
        True and False: where to search. Labels: the best of each group are returned.
    documents : iterable of str, optional
        Other texts to search in; encoded unless `embeddings` or `doc_atoms` are given.
    embeddings : array-like of shape (n_documents, d), optional
        Of the searched documents, fitted or other; cosines with them then count as well.
    doc_atoms : csr_matrix of shape (n_documents, n_atoms), optional
        Of the searched documents, as ``model.transform_atoms`` returns.
    ids : sequence of length n_documents, optional
        What documents are called; their row numbers by default.
    texts : sequence of str of length n_documents, optional
        Shown beside the matches; by default `documents`.
    atom_weight : float, optional
        Weight of the atoms against the embeddings' cosine, from 0 to 1. By default 0.5 with
        `embeddings`, 1 without.
    n_atoms : int, default=3
        Atoms named with each match, at most.
    n_words : int, default=4
        Words of each atom.

    Returns
    -------
    DataFrame
        A row a document, best first: ``document``, its row number; ``id`` and ``group`` if given;
        ``score``: for phrases and `like` a cosine, for topics and atoms the share of the document,
        for words the mean log ratio of their probability to that in the average document;
        ``topic`` and ``name``, its main topic; ``atoms``, a list of those that made the match, the
        most helpful first, and their ``words``; ``text`` if given.
    """
    model = as_topic_model(model)
    n = check_count(n, "n")
    n_atoms = check_count(n_atoms, "n_atoms", minimum=0)
    ways = {"query": query, "topic": topic, "atoms": atoms, "words": words, "like": like}
    asked = [name for name, value in ways.items() if value is not None]
    if len(asked) != 1:
        raise ValueError(
            f"give one of {', '.join(ways)}; found {' and '.join(asked) or 'none of them'}"
        )
    searched = _read_searched(model, documents, embeddings, doc_atoms, ids, texts)
    if atom_weight is None:
        atom_weight = 1.0 if searched.embeddings is None else 0.5
    check_fraction(atom_weight, "atom_weight", closed=True)
    if atom_weight < 1 and searched.embeddings is None:
        raise ValueError(f"atom_weight={atom_weight} needs embeddings of the documents")

    if topic is not None:
        match = _match_topic(model, check_topics([topic], model.topics_, "topic")[0])
    elif atoms is not None:
        match = _match_atoms(model, atoms)
    elif words is not None:
        match = _match_words(model, words)
    else:
        vector = _query_vector(model, searched, query if like is None else like, asked[0])
        match = _match_vector(model, vector, atom_weight)
    scores = np.empty(searched.doc_atoms.shape[0], dtype=np.float32)
    for first, last in even_ranges(len(scores), _ROWS):
        vectors = None if searched.embeddings is None else searched.embeddings[first:last]
        scores[first:last] = match.score(searched.doc_atoms[first:last], vectors)
    rows, labels = _best_rows(scores, groups, n, int(like) if is_integer(like) else None)

    found = searched.doc_atoms[rows]
    gains = match.gains(found)
    helpful = [_largest_entries(gains[row], n_atoms) for row in range(len(rows))]
    names = [*topic_names(model), ""]
    topics = model.topics_of(found)[0] if len(rows) else np.empty(0, dtype=np.int64)
    columns = {
        "document": rows,
        "id": None if searched.ids is None else [searched.ids[row] for row in rows],
        "group": labels,
        "score": scores[rows],
        "topic": topics,
        "name": [names[topic] for topic in topics],
        "atoms": [atoms.tolist() for atoms in helpful],
        "words": ["; ".join(filter(None, atom_words(model, n_words, each))) for each in helpful],
        "text": None if searched.texts is None else [searched.texts[row] for row in rows],
    }
    return pd.DataFrame({name: column for name, column in columns.items() if column is not None})


class _Searched(NamedTuple):
    """The searched documents, their names and texts."""

    doc_atoms: sp.csr_matrix
    embeddings: np.ndarray | None
    ids: list[Any] | None
    texts: list[str] | None


class _Match(NamedTuple):
    """What is searched for, as two functions of the documents' atoms (n, K).

    ``score(doc_atoms, embeddings)`` gives (n,) scores; ``gains(doc_atoms)`` the part (n, K) that
    each atom has in them, of which only the order counts.
    """

    score: Callable[[sp.csr_matrix, np.ndarray | None], np.ndarray]
    gains: Callable[[sp.csr_matrix], sp.csr_matrix]


def _read_searched(
    model: SAETopicModel, documents: Any, embeddings: Any, doc_atoms: Any, ids: Any, texts: Any
) -> _Searched:
    given = None if documents is None else check_documents(documents)
    if given is not None and embeddings is None and doc_atoms is None:
        embeddings = model.encode(given)
    if embeddings is not None:
        n_rows = None if given is None else len(given)
        embeddings = check_embeddings(embeddings, n_rows=n_rows, width=model.sae_.n_features)
    if doc_atoms is None:
        doc_atoms = document_atoms(model, embeddings=embeddings)
    else:
        doc_atoms = read_documents(model, doc_atoms=doc_atoms).doc_atoms
    shown = given if texts is None else as_list(texts, "texts", "texts, one per document")
    names = None if ids is None else as_list(ids, "ids", "one name per document")
    for name, values in (("texts", shown), ("ids", names), ("embeddings", embeddings)):
        if values is not None and len(values) != doc_atoms.shape[0]:
            raise ValueError(f"{name} has {len(values)} entries for {doc_atoms.shape[0]} documents")
    return _Searched(sp.csr_matrix(doc_atoms), embeddings, names, shown)


def _query_vector(model: SAETopicModel, searched: _Searched, query: Any, name: str) -> np.ndarray:
    """Return the embedding (d,) of what is searched for."""
    if isinstance(query, str):
        if not query.strip():
            raise ValueError(f"{name} is an empty text")
        return model.encode([query])[0]
    if name == "like" and is_integer(query):
        n_documents = searched.doc_atoms.shape[0]
        if not 0 <= query < n_documents:
            raise ValueError(f"like={query} of {n_documents} documents")
        if searched.embeddings is not None:
            return searched.embeddings[query]
        return _reconstruct(model, searched.doc_atoms[query])[0]
    if np.ndim(query) != 1:
        raise TypeError(f"{name} must be a text or an embedding; found {query!r}")
    return check_embeddings([query], name=name, width=model.sae_.n_features)[0]


def _match_vector(model: SAETopicModel, vector: np.ndarray, atom_weight: float) -> _Match:
    """Match an embedding by its cosine with documents, and with their reconstructions."""
    unit = unit_rows(vector[None])[0]
    sums = model.atoms_.sums
    mean = sums.embedding / max(sums.n_embedded, 1e-300)
    towards = np.asarray(model.atoms_.centroids @ unit - mean @ unit, dtype=np.float32)

    def score(doc_atoms: sp.csr_matrix, embeddings: np.ndarray | None) -> np.ndarray:
        by_atoms = unit_rows(_reconstruct(model, doc_atoms)) @ unit
        if embeddings is None or atom_weight == 1:
            return by_atoms
        return atom_weight * by_atoms + (1 - atom_weight) * (unit_rows(embeddings) @ unit)

    def gains(doc_atoms: sp.csr_matrix) -> sp.csr_matrix:
        return _scale_columns(_cosines(model, doc_atoms), towards)

    return _Match(score, gains)


def _match_topic(model: SAETopicModel, topic: int) -> _Match:
    weights = model.atom_topics_[:, [topic]].toarray().ravel()
    return _Match(
        lambda doc_atoms, _: model.topics_of(doc_atoms)[1][:, topic],
        lambda doc_atoms: _scale_columns(doc_atoms, weights),
    )


def _match_atoms(model: SAETopicModel, atoms: Any) -> _Match:
    numbers = check_atoms(model, [atoms] if is_integer(atoms) else atoms)
    if not numbers:
        raise ValueError("atoms is empty")
    chosen = np.zeros(model.sae_.n_atoms, dtype=np.float32)
    chosen[np.asarray(numbers, dtype=np.int64)] = 1
    return _Match(
        lambda doc_atoms, _: np.asarray(doc_atoms @ chosen),
        lambda doc_atoms: _scale_columns(doc_atoms, chosen),
    )


def _match_words(model: SAETopicModel, words: Any) -> _Match:
    """Match words by their likelihood under P(w | d) = π P0_w + (1 - π) Σ_k θ_dk B_kw."""
    if model.atom_words_ is None:
        raise ValueError("words need a model with words; this one was fitted without documents")
    wanted = words.split() if isinstance(words, str) else as_list(words, "words", "words")
    columns = index_of_words(wanted, model.vocabulary_)
    unknown = [word for word, column in zip(wanted, columns, strict=True) if column < 0]
    if len(unknown) == len(wanted):
        raise ValueError(f"words holds no word of the vocabulary; found {wanted}")
    if unknown:
        warnings.warn(f"words not in the vocabulary are left out: {unknown}", stacklevel=3)
    columns = columns[columns >= 0]
    emissions = model.emissions_
    by_atom = (1 - emissions.background_weight) * emissions.atom_words[:, columns]
    by_background = emissions.background_weight * emissions.background[columns]
    average = np.maximum(model.atom_prevalence_ @ by_atom + by_background, 1e-30)

    def probabilities(doc_atoms: sp.csr_matrix) -> np.ndarray:
        return np.maximum(doc_atoms @ by_atom + by_background, 1e-30)

    def score(doc_atoms: sp.csr_matrix, _: np.ndarray | None) -> np.ndarray:
        return np.log(probabilities(doc_atoms) / average).mean(axis=1)

    def gains(doc_atoms: sp.csr_matrix) -> sp.csr_matrix:
        each = (1 / probabilities(doc_atoms)) @ by_atom.T
        return sp.csr_matrix(doc_atoms.multiply(each))

    return _Match(score, gains)


def _best_rows(
    scores: np.ndarray, groups: Any, n: int, left_out: int | None
) -> tuple[np.ndarray, list[Any] | None]:
    """Return the best documents, of each group if there are any, and their groups."""
    allowed = np.ones(len(scores), dtype=bool)
    if left_out is not None:
        allowed[left_out] = False

    def best(rows: np.ndarray) -> np.ndarray:
        rows = rows[allowed[rows]].astype(np.int64)
        return rows[np.argsort(-scores[rows], kind="stable")[:n]]

    if groups is None:
        return best(np.arange(len(scores))), None
    given = as_list(groups, "groups", "a label for each document")
    flags = pd.Series(given)
    if pd.api.types.is_bool_dtype(flags) and len(flags) == len(scores):
        return best(np.flatnonzero(flags)), None
    found = read_groups(groups, len(scores))
    rows = [best(found.rows(group)) for group in range(len(found.names))]
    labels = [name for name, of_group in zip(found.names, rows, strict=True) for _ in of_group]
    return np.concatenate(rows), labels


def _largest_entries(row: sp.csr_matrix, n: int) -> np.ndarray:
    """Return the columns of the `n` largest positive entries, largest first."""
    order = np.argsort(-row.data, kind="stable")[:n]
    return row.indices[order[row.data[order] > 0]]


def _cosines(model: SAETopicModel, doc_atoms: sp.csr_matrix) -> sp.csr_matrix:
    """Undo the sharpening of mixtures: rows are about cosines with atoms, up to a factor."""
    cosines = sp.csr_matrix(doc_atoms, dtype=np.float32, copy=True)
    np.power(cosines.data, 1 / model.atoms_.sharpening, out=cosines.data)
    return cosines


def _reconstruct(model: SAETopicModel, doc_atoms: sp.csr_matrix) -> np.ndarray:
    """Return the direction (n, d) of each document's embedding according to its atoms."""
    return np.asarray(_cosines(model, doc_atoms) @ model.atoms_.centroids)


def _scale_columns(matrix: sp.csr_matrix, factors: np.ndarray) -> sp.csr_matrix:
    scaled = sp.csr_matrix(matrix, copy=True)
    scaled.data = scaled.data * factors[scaled.indices]
    return scaled
