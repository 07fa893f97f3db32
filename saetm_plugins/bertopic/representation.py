"""Topic words from emissions, in the ``representation_model`` slot of BERTopic.

P(word | topic) = Σ_k c_tk B_kw: the emission stage (paper, section 4) gives B, and the documents of
the topic, whichever those are, give the weights c of the atoms.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp
from bertopic.representation import BaseRepresentation

from saetm_plugins.bertopic.clusterer import SAEClusterer
from saetm_plugins.bertopic.tables import BLANK, sum_by_topic
from saetm_plugins.corpus.vectorizers import copy_vectorizer, default_vectorizer, merge_vectorizers
from saetm_plugins.corpus_sums import CorpusSums, sum_documents
from saetm_plugins.emission import Emissions, fit_pooled_emissions, infer_doc_atoms
from saetm_plugins.numerics.mixtures import weights_of_mixtures

_CANDIDATES = 30  # words that BERTopic hands to the first of a chain of representation models


class CorpusWords(NamedTuple):
    """What the words of any set of documents are made from."""

    doc_atoms: sp.csr_matrix  # mixtures of the fitted documents (N, K)
    atom_words: np.ndarray  # (K, V); rows need not sum to 1
    emissions: Emissions  # of the same atoms and words
    vocabulary: np.ndarray  # (V,)
    vectorizer: Any  # fitted


class SAERepresentation(BaseRepresentation):
    """Describe topics by the words that their atoms emit.

    For an unmodified BERTopic whose ``hdbscan_model`` is an
    :class:`~saetm_plugins.bertopic.SAEClusterer`, and in
    :class:`~saetm_plugins.bertopic.SAEBERTopic`; alone, or in a chain or dict of aspects. Topics
    within a part of the documents (over time, per class) get the words of that part.

    Parameters
    ----------
    top_n_words : int, optional
        Words of a topic; None: the topic model's ``top_n_words``.
    vectorizer : scikit-learn vectorizer, optional
        Counts words (copied, then fitted); None means
        :func:`saetm_plugins.text.default_vectorizer`. An SAEBERTopic uses its own.
    """

    _corpus: CorpusWords
    _sums: CorpusSums

    def __init__(self, top_n_words: int | None = None, vectorizer: Any = None):
        self.top_n_words = top_n_words
        self.vectorizer = vectorizer

    def extract_topics(
        self,
        topic_model: Any,
        documents: pd.DataFrame,
        c_tf_idf: sp.csr_matrix,
        topics: Mapping[int, list[tuple[str, float]]],
    ) -> dict[int, list[tuple[str, float]]]:
        """Return each topic's words and their probabilities, most probable first.

        `documents` are all of the corpus, or a part; its index is their position in the corpus.
        Others, of earlier batches say, get atoms from their words. Of the `topics`, by c-TF-IDF,
        those stay that have no document.
        """
        n_words = self.top_n_words or topic_model.top_n_words
        sae_model = getattr(topic_model, "sae_model_", None)
        before = getattr(self, "_state", None)
        if sae_model is not None:
            corpus = words_of_model(sae_model, topic_model.vectorizer_model)
        else:
            corpus = self._learn(topic_model, documents)
        n_known = corpus.doc_atoms.shape[0]
        just_fitted = getattr(self, "_state", None) != before
        if just_fitted:  # a batch ends in blank stand-ins for topics it holds nothing of
            documents = documents.iloc[:n_known]
        known = just_fitted or _are_known(topic_model, documents, n_known)
        if not known:
            counted = _count_again(corpus, documents.Document)
            corpus = corpus._replace(doc_atoms=infer_doc_atoms(counted, corpus.emissions))
        part = not known or len(documents) < n_known
        complete = len(documents) == corpus.doc_atoms.shape[0]
        rows = np.arange(len(documents)) if complete else documents.index.to_numpy()
        names, groups = np.unique(documents.Topic.to_numpy(int), return_inverse=True)
        topics_of_all = groups if complete else np.asarray(topic_model.topics_)
        own = topics_of_all if complete else topics_of_all[rows]
        weights = _atom_weights(corpus.doc_atoms, rows, groups, own, topics_of_all)
        probabilities = _unit_sum(weights @ corpus.atom_words)
        if sae_model is not None and not part:
            of_cut = names >= 0  # whose words are the cut's
            probabilities[of_cut] = sae_model.components_[names[of_cut]]
        if part:
            counts = _sum_groups(_count_again(corpus, documents.Document), groups)
            probabilities = _observe(probabilities, counts, corpus.emissions.background)
        found = dict(zip(names, top_words(probabilities, corpus.vocabulary, n_words), strict=True))
        return {topic: found.get(topic) or list(words)[:n_words] for topic, words in topics.items()}

    def _learn(self, topic_model: Any, documents: pd.DataFrame) -> CorpusWords:
        """Fit emissions to all documents, or to one more batch of them; else return the last."""
        clusterer = topic_model.hdbscan_model
        if not isinstance(clusterer, SAEClusterer):
            if hasattr(self, "_corpus"):  # zero-shot modelling drops the fitted clusterer
                return self._corpus
            raise TypeError(
                "SAERepresentation needs atoms: use hdbscan_model=SAEClusterer(), or SAEBERTopic; "
                f"found {type(clusterer).__name__}"
            )
        model = clusterer.model_
        state = (id(model), model.n_documents_seen_)
        if getattr(self, "_state", None) == state:
            return self._corpus
        doc_atoms = model.doc_atoms_
        if getattr(self, "_state", (None, 0))[0] == id(model):
            vectorizer = self._corpus.vectorizer
            bow = vectorizer.transform(documents.Document.tolist()[: doc_atoms.shape[0]])
            self._sums = self._sums + sum_documents(weights_of_mixtures(doc_atoms), bow, None, 0)
            emissions = _emissions_of(self._sums)
        else:
            texts = documents.Document.tolist()
            vectorizer = default_vectorizer(len(texts))
            if self.vectorizer is not None:
                vectorizer = copy_vectorizer(self.vectorizer)
            bow = sp.csr_matrix(vectorizer.fit_transform(texts), dtype=np.float32)
            clustered = _clustered_rows(topic_model, documents, doc_atoms.shape[0])
            self._sums = sum_documents(weights_of_mixtures(doc_atoms), bow[clustered], None, 0)
            emissions = _emissions_of(self._sums)
            doc_atoms = _fill_in(doc_atoms, clustered, bow, emissions)
        self._corpus = CorpusWords(
            doc_atoms,
            emissions.atom_words,
            emissions,
            np.asarray(vectorizer.get_feature_names_out(), dtype=object),
            vectorizer,
        )
        self._state = state
        return self._corpus


def after_emissions(asked: Any) -> Any:
    """Return BERTopic's ``representation_model``; each chain now begins with emissions' words."""
    if asked is None:
        return SAERepresentation()
    if isinstance(asked, Mapping):
        return {aspect: after_emissions(asked.get(aspect)) for aspect in ("Main", *asked)}
    chain = list(asked) if isinstance(asked, (list, tuple)) else [asked]
    if any(isinstance(model, SAERepresentation) for model in chain):
        return chain
    return [SAERepresentation(top_n_words=_CANDIDATES), *chain]


def words_of_model(model: Any, vectorizer: Any) -> CorpusWords:
    """Return what the words of an :class:`~saetm_plugins.SAETopicModel`'s topics are made from."""
    keywords = model.atoms_.keywords
    return CorpusWords(
        model.doc_atoms_,
        keywords.toarray() if keywords.nnz else model.atom_words_,
        model.emissions_,
        model.vocabulary_,
        vectorizer,
    )


def top_words(
    probabilities: np.ndarray, vocabulary: np.ndarray, n_words: int
) -> list[list[tuple[str, float]]]:
    """Return the `n_words` most probable words of each row (T, V); BERTopic's blanks fill up."""
    n_kept = min(n_words, probabilities.shape[1])
    best = np.argpartition(-probabilities, n_kept - 1, axis=1)[:, :n_kept]
    values = np.take_along_axis(probabilities, best, axis=1)
    order = np.lexsort((best, -values))
    best = np.take_along_axis(best, order, axis=1)
    values = np.take_along_axis(values, order, axis=1).tolist()
    return [
        [(str(vocabulary[w]), p) if p > 0 else BLANK for w, p in zip(row, probs, strict=True)]
        + [BLANK] * (n_words - n_kept)
        for row, probs in zip(best, values, strict=True)
    ]


def _emissions_of(sums: CorpusSums) -> Emissions:
    assert sums.atom_words is not None
    assert sums.document_frequency is not None
    return fit_pooled_emissions(
        sums.atom_words, sums.atom_pairs, sums.document_frequency, sums.n_documents
    )


def _are_known(topic_model: Any, documents: pd.DataFrame, n_known: int) -> bool:
    """Return whether `documents` are the fitted ones, or some of them, judging by their topics.

    They are not where ``topics_`` was set to those of several batches, or BERTopic was asked about
    other documents (its argument ``topics=``).
    """
    topics = np.asarray(topic_model.topics_)
    if len(topics) != n_known or len(documents) > n_known:
        return False
    if len(documents) == n_known:
        return True
    rows, own = documents.index.to_numpy(), documents.Topic.to_numpy(int)
    merged = not own.any()  # as BERTopic's hierarchy calls what it merges
    return rows.max() < n_known and (merged or np.array_equal(topics[rows], own))


def _count_again(corpus: CorpusWords, documents: pd.Series) -> sp.csr_matrix:
    """Count the words of `corpus`, also where the vectorizer was fitted to others since then."""
    counting = merge_vectorizers([corpus.vectorizer], corpus.vocabulary)
    counting = corpus.vectorizer if counting is None else counting
    return sp.csr_matrix(counting.transform(documents.tolist()), dtype=np.float32)


def _clustered_rows(topic_model: Any, documents: pd.DataFrame, n_fitted: int) -> np.ndarray:
    """Return the rows of the documents that the clusterer saw; zero-shot topics take others."""
    if len(documents) == n_fitted:
        return np.arange(n_fitted)
    by_name = list(getattr(topic_model, "_topic_id_to_zeroshot_topic_idx", {}))
    rows = np.flatnonzero(~documents.Topic.isin(by_name).to_numpy())
    if len(rows) != n_fitted:
        raise ValueError(f"documents holds {len(documents)} rows; the clusterer saw {n_fitted}")
    return rows


def _fill_in(
    doc_atoms: sp.csr_matrix, rows: np.ndarray, bow: sp.csr_matrix, emissions: Emissions
) -> sp.csr_matrix:
    """Return mixtures of all documents: `doc_atoms` in `rows`, the others' from their words."""
    if len(rows) == bow.shape[0]:
        return doc_atoms
    others = np.setdiff1d(np.arange(bow.shape[0]), rows)
    stacked = sp.vstack([doc_atoms, infer_doc_atoms(bow[others], emissions)], format="csr")
    return stacked[np.argsort(np.concatenate([rows, others]), kind="stable")]


def _atom_weights(
    doc_atoms: sp.csr_matrix,
    rows: np.ndarray,
    groups: np.ndarray,
    own: np.ndarray,
    topics_of_all: np.ndarray,
) -> np.ndarray:
    """Return c (G, K): the mass of each atom in each group, times how much it keeps to topics.

    An atom that fires a little in documents of all topics says little of any: its mass in a
    document counts by the share of all its mass that is in that document's own topic.
    """
    topics, codes = np.unique(topics_of_all, return_inverse=True)
    mass = _sum_groups(doc_atoms, codes)
    share = mass / np.maximum(mass.sum(axis=0), np.finfo(np.float32).tiny)
    part = sp.csr_matrix(doc_atoms[rows], copy=True)
    topic_of_row = np.searchsorted(topics, own)
    part.data *= share[np.repeat(topic_of_row, np.diff(part.indptr)), part.indices]
    return _sum_groups(part, groups)


def _sum_groups(rows: sp.csr_matrix, groups: np.ndarray) -> np.ndarray:
    return sum_by_topic(groups, rows, int(groups.max()) + 1).toarray()


def _observe(probabilities: np.ndarray, counts: np.ndarray, background: np.ndarray) -> np.ndarray:
    """Average P(w|t) with the words actually counted, each by the odds that it is the topic's.

    The odds against the background are one E-step of the emission model at the level of topics.
    """
    odds = probabilities / np.maximum(probabilities + background, np.finfo(np.float32).tiny)
    return (probabilities + _unit_sum(counts * odds)) / 2


def _unit_sum(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(rows.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
