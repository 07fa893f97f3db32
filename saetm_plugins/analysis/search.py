"""Documents by meaning: to a phrase, a topic, atoms, words or another document.

Jiang et al., "Interpretable embeddings with sparse autoencoders" (arXiv 2512.10092), search by
features of an autoencoder and show them. Here every match says which atoms made it.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

from saetm_plugins.analysis.fitted import (
    as_topic_model,
    atom_words,
    document_atoms,
    embed_texts,
    open_model,
    topic_names,
)
from saetm_plugins.arrays import index_of_words, unit_rows
from saetm_plugins.model import SAETopicModel
from saetm_plugins.parallel import even_ranges
from saetm_plugins.text import check_documents
from saetm_plugins.topics import check_topics
from saetm_plugins.validation import (
    as_list,
    check_count,
    check_embeddings,
    check_fraction,
    check_names,
    check_text,
    is_integer,
)

_ROWS = 16_384  # documents at a time: what atoms say of them is dense
_WAYS = ("query", "topic", "atoms", "words", "like")


def find_documents(
    model: Any,
    query: Any = None,
    *,
    topic: int | None = None,
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

    A phrase is encoded, and compared with what each document's atoms say of its embedding: the
    mean of the atoms' centroids, weighted by how near the document lies to each. This forgets what
    is peculiar to a document, so it finds more of the documents that are about the phrase, and
    fewer of those that merely use its words; with `embeddings` both count.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic, SaeModel, SAEClusterer, or path
        Fitted; see :func:`saetm_plugins.analysis.as_topic_model`.
    query : str or array-like of shape (d,), optional
        A phrase, or its embedding.
    topic : int, optional
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
        Of the searched documents, fitted or other: cosines with them then count as well.
    doc_atoms : csr_matrix of shape (n_documents, n_atoms), optional
        Of the searched documents, as ``model.transform_atoms`` returns.
    ids : sequence of length n_documents, optional
        What documents are called; their row numbers by default.
    texts : sequence of str of length n_documents, optional
        Shown beside the matches; by default `documents`.
    atom_weight : float, optional
        How much the atoms count beside the embeddings' cosine: 0 not at all, 1 alone. By default
        0.5 with `embeddings`; without, they are all there is.
    n_atoms : int, default=3
        Atoms named with each match, at most.
    n_words : int, default=4
        Words of each atom.

    Returns
    -------
    DataFrame
        A row a document, best first: ``document``, its row number; ``id`` and ``group`` where
        there are any; ``score``: of phrases and likeness a cosine, of topics and atoms the share
        of the document, of words the mean log of how much likelier they are than in the average
        document; ``topic`` and ``name``, its main topic; ``atoms``, a list of those that made the
        match, the most helpful first, and their ``words``; ``text`` where there is one.

    Raises
    ------
    TypeError, ValueError
        When not exactly one thing is searched for, it is not known to the model, or an argument
        is of another length than the documents.
    """
    model = open_model(model)
    fitted = as_topic_model(model)
    n = check_count(n, "n")
    n_atoms = check_count(n_atoms, "n_atoms", minimum=0)
    asked = [name for name, value in zip(_WAYS, (query, topic, atoms, words, like), strict=True)
             if value is not None]  # fmt: skip
    if len(asked) != 1:
        raise ValueError(
            f"give one of {', '.join(_WAYS)}; found {' and '.join(asked) or 'none of them'}"
        )
    searched = _read_searched(model, documents, embeddings, doc_atoms, ids, texts)
    if atom_weight is None:
        atom_weight = 1.0 if searched.embeddings is None else 0.5
    check_fraction(atom_weight, "atom_weight", closed=True)
    if atom_weight < 1 and searched.embeddings is None:
        raise ValueError(f"atom_weight={atom_weight} needs embeddings of the documents")

    if topic is not None:
        match = _match_topic(fitted, check_topics([topic], fitted.n_topics_, "topic")[0])
    elif atoms is not None:
        match = _match_atoms(fitted, atoms)
    elif words is not None:
        match = _match_words(fitted, words)
    else:
        vector = _query_vector(model, searched, query if like is None else like, asked[0])
        match = _match_vector(fitted, vector, atom_weight)
    scores = _score(match, searched)
    left_out = int(like) if is_integer(like) else None
    rows, labels = _best_rows(scores, groups, n, left_out)
    return _describe(model, searched, rows, labels, scores, match, n_atoms, n_words)


class _Searched(NamedTuple):
    """The documents that are searched, and what they are called."""

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
    model: Any, documents: Any, embeddings: Any, doc_atoms: Any, ids: Any, texts: Any
) -> _Searched:
    fitted = as_topic_model(model)
    given = None if documents is None else check_documents(documents)
    if embeddings is None and doc_atoms is None and given is not None:
        embeddings = embed_texts(model, given)
    if embeddings is not None:
        embeddings = check_embeddings(
            embeddings,
            n_rows=None if given is None else len(given),
            width=fitted.sae_.n_features,
        )
    if doc_atoms is None:
        doc_atoms = document_atoms(fitted, embeddings=embeddings)
    elif not sp.issparse(doc_atoms) or doc_atoms.shape[1] != fitted.sae_.n_atoms:
        raise ValueError(
            f"doc_atoms must be a sparse matrix with {fitted.sae_.n_atoms} columns; found "
            f"{type(doc_atoms).__name__} of shape {getattr(doc_atoms, 'shape', None)}"
        )
    n_documents = doc_atoms.shape[0]
    shown = given if texts is None else as_list(texts, "texts", "texts, one per document")
    names = None if ids is None else as_list(ids, "ids", "one name per document")
    check_names(shown or [], "texts")
    check_names(names or [], "ids")
    for name, values in (("texts", shown), ("ids", names), ("embeddings", embeddings)):
        if values is not None and len(values) != n_documents:
            raise ValueError(f"{name} has {len(values)} entries for {n_documents} documents")
    return _Searched(sp.csr_matrix(doc_atoms), embeddings, names, shown)


def _query_vector(model: Any, searched: _Searched, query: Any, name: str) -> np.ndarray:
    """Return the embedding (d,) of what is searched for."""
    fitted = as_topic_model(model)
    if isinstance(query, str):
        if not query.strip():
            raise ValueError(f"{name} is an empty text")
        return _embed(model, query, name)
    if name == "like" and is_integer(query):
        n_documents = searched.doc_atoms.shape[0]
        if not 0 <= query < n_documents:
            raise ValueError(f"like={query} of {n_documents} documents")
        if searched.embeddings is not None:
            return searched.embeddings[query]
        return _reconstruct(fitted, _cosines(fitted, searched.doc_atoms[query]))[0]
    if np.ndim(query) != 1:
        raise TypeError(f"{name} must be a text or an embedding; found {query!r}")
    return check_embeddings([query], name=name, width=fitted.sae_.n_features)[0]


def _embed(model: Any, text: str, name: str) -> np.ndarray:
    try:
        return embed_texts(model, [text])[0]
    except ValueError as error:
        raise ValueError(f"{name} cannot be embedded as the documents were: {error}") from error


def _match_vector(fitted: SAETopicModel, vector: np.ndarray, atom_weight: float) -> _Match:
    """Match the embedding `vector` by cosine with documents, and with what their atoms say."""
    unit = unit_rows(vector[None])[0]
    sums = fitted.atoms_.sums
    mean = sums.embedding / max(sums.n_embedded, 1e-300)
    towards = np.asarray(fitted.atoms_.centroids @ unit - mean @ unit, dtype=np.float32)

    def score(doc_atoms: sp.csr_matrix, embeddings: np.ndarray | None) -> np.ndarray:
        told = unit_rows(_reconstruct(fitted, _cosines(fitted, doc_atoms))) @ unit
        if embeddings is None or atom_weight == 1:
            return told
        return atom_weight * told + (1 - atom_weight) * (unit_rows(embeddings) @ unit)

    def gains(doc_atoms: sp.csr_matrix) -> sp.csr_matrix:
        return _scale_columns(_cosines(fitted, doc_atoms), towards)

    return _Match(score, gains)


def _match_topic(fitted: SAETopicModel, topic: int) -> _Match:
    weights = fitted.atom_topics_[:, [topic]].toarray().ravel()
    return _Match(
        lambda doc_atoms, _: fitted.topics_of(doc_atoms)[1][:, topic],
        lambda doc_atoms: _scale_columns(doc_atoms, weights),
    )


def _match_atoms(fitted: SAETopicModel, atoms: Any) -> _Match:
    numbers = [atoms] if is_integer(atoms) else as_list(atoms, "atoms", "numbers of atoms")
    n_atoms = fitted.sae_.n_atoms
    if not numbers or not all(is_integer(a) and 0 <= a < n_atoms for a in numbers):
        raise ValueError(f"atoms must be numbers of atoms, 0 to {n_atoms - 1}; found {numbers}")
    chosen = np.zeros(n_atoms, dtype=np.float32)
    chosen[np.asarray(numbers, dtype=np.int64)] = 1
    return _Match(
        lambda doc_atoms, _: np.asarray(doc_atoms @ chosen),
        lambda doc_atoms: _scale_columns(doc_atoms, chosen),
    )


def _match_words(fitted: SAETopicModel, words: Any) -> _Match:
    """Match words by their likelihood under P(w | d) = π P0_w + (1 - π) Σ_k θ_dk B_kw."""
    if fitted.atom_words_ is None:
        raise ValueError("words need a model with words; this one was fitted without documents")
    wanted = words.split() if isinstance(words, str) else as_list(words, "words", "words")
    for word in wanted:
        check_text(word, "words: each")
    columns = index_of_words(wanted, fitted.vocabulary_)
    unknown = [word for word, column in zip(wanted, columns, strict=True) if column < 0]
    if len(unknown) == len(wanted):
        raise ValueError(f"words holds no word of the vocabulary; found {wanted}")
    if unknown:
        warnings.warn(f"words not in the vocabulary are left out: {unknown}", stacklevel=3)
    columns = columns[columns >= 0]
    emissions = fitted.emissions_
    by_atom = (1 - emissions.background_weight) * emissions.atom_words[:, columns]
    by_background = emissions.background_weight * emissions.background[columns]
    average = np.maximum(fitted.atom_prevalence_ @ by_atom + by_background, 1e-30)

    def probabilities(doc_atoms: sp.csr_matrix) -> np.ndarray:
        return np.maximum(doc_atoms @ by_atom + by_background, 1e-30)

    def score(doc_atoms: sp.csr_matrix, _: np.ndarray | None) -> np.ndarray:
        return np.log(probabilities(doc_atoms) / average).mean(axis=1)

    def gains(doc_atoms: sp.csr_matrix) -> sp.csr_matrix:
        each = (1 / probabilities(doc_atoms)) @ by_atom.T
        return sp.csr_matrix(doc_atoms.multiply(each))

    return _Match(score, gains)


def _score(match: _Match, searched: _Searched) -> np.ndarray:
    n_documents = searched.doc_atoms.shape[0]
    scores = np.empty(n_documents, dtype=np.float32)
    for first, last in even_ranges(n_documents, _ROWS):
        embeddings = None if searched.embeddings is None else searched.embeddings[first:last]
        scores[first:last] = match.score(searched.doc_atoms[first:last], embeddings)
    return scores


def _best_rows(
    scores: np.ndarray, groups: Any, n: int, left_out: int | None
) -> tuple[np.ndarray, list[Any] | None]:
    """Return the best documents, of each group where there are any, and their groups."""
    allowed = np.ones(len(scores), dtype=bool)
    if left_out is not None:
        allowed[left_out] = False
    if groups is None:
        return _best(scores, np.flatnonzero(allowed), n), None
    given = as_list(groups, "groups", "a label for each document")
    check_names(given, "groups")
    labels = groups.reset_index(drop=True) if isinstance(groups, pd.Series) else pd.Series(given)
    if not all(map(pd.api.types.is_hashable, given)):
        raise TypeError("groups must hold one label for each document; found a list or table")
    if len(labels) != len(scores):
        raise ValueError(f"groups has {len(labels)} entries for {len(scores)} documents")
    if labels.isna().all():
        raise ValueError("groups is missing for all documents")
    if pd.api.types.is_bool_dtype(labels):
        return _best(scores, np.flatnonzero(allowed & labels.to_numpy()), n), None
    found, of = [], []
    for group, members in labels[allowed].groupby(labels[allowed]):
        rows = _best(scores, members.index.to_numpy(), n)
        found.append(rows)
        of += [group] * len(rows)
    return np.concatenate(found), of


def _best(scores: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    return rows[np.argsort(-scores[rows], kind="stable")[:n]]


def _describe(
    model: Any,
    searched: _Searched,
    rows: np.ndarray,
    labels: list[Any] | None,
    scores: np.ndarray,
    match: _Match,
    n_atoms: int,
    n_words: int,
) -> pd.DataFrame:
    fitted = as_topic_model(model)
    doc_atoms = searched.doc_atoms[rows]
    gains = match.gains(doc_atoms)
    helpful = [_largest_entries(gains[row], n_atoms) for row in range(len(rows))]
    words = [atom_words(fitted, n_words, found) for found in helpful]
    names = [*topic_names(model), ""]
    topics = fitted.topics_of(doc_atoms)[0] if len(rows) else np.empty(0, dtype=np.int64)
    columns: dict[str, Any] = {"document": rows}
    if searched.ids is not None:
        columns["id"] = [searched.ids[row] for row in rows]
    if labels is not None:
        columns["group"] = labels
    columns |= {
        "score": scores[rows],
        "topic": topics,
        "name": [names[topic] for topic in topics],
        "atoms": [found.tolist() for found in helpful],
        "words": ["; ".join(filter(None, each)) for each in words],
    }
    if searched.texts is not None:
        columns["text"] = [searched.texts[row] for row in rows]
    return pd.DataFrame(columns)


def _largest_entries(row: sp.csr_matrix, n: int) -> np.ndarray:
    """Return the columns of the `n` largest positive entries, largest first."""
    order = np.argsort(-row.data, kind="stable")[:n]
    return row.indices[order[row.data[order] > 0]]


def _cosines(fitted: SAETopicModel, doc_atoms: sp.csr_matrix) -> sp.csr_matrix:
    """Undo the sharpening of mixtures: rows are cosines with atoms, up to a factor."""
    cosines = sp.csr_matrix(doc_atoms, dtype=np.float32, copy=True)
    np.power(cosines.data, 1 / fitted.atoms_.sharpening, out=cosines.data)
    return cosines


def _reconstruct(fitted: SAETopicModel, cosines: sp.csr_matrix) -> np.ndarray:
    """Return the direction (n, d) in which the atoms put each document among the embeddings."""
    return np.asarray(cosines @ fitted.atoms_.centroids)


def _scale_columns(matrix: sp.csr_matrix, factors: np.ndarray) -> sp.csr_matrix:
    scaled = sp.csr_matrix(matrix, copy=True)
    scaled.data = scaled.data * factors[scaled.indices]
    return scaled
