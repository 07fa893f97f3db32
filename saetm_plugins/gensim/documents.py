"""The topics of documents, and how well they predict the documents' words.

The atoms of a document come from its words, by EM with the emissions fixed, or from its text or
embedding, by the encoder and the autoencoder.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from gensim import utils
from sklearn.exceptions import NotFittedError

from saetm_plugins.emission import infer_doc_atoms
from saetm_plugins.gensim.bags import TopicCorpus, blocks, blocks_beside, flatten_bags
from saetm_plugins.gensim.bound import DocumentBound, TopicPosterior, topics_score
from saetm_plugins.gensim.mixing import gamma_of_mixtures, spread_alpha, topics_of_words
from saetm_plugins.gensim.topics import WordsOfTopics
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.mixtures import mix_topics
from saetm_plugins.validation import check_embeddings

logger = logging.getLogger(__name__)


class TopicsOfDocuments(WordsOfTopics):
    """The half of ``LdaModel`` that infers: replaced, as nothing here is variational Bayes."""

    estimator: SAETopicModel
    chunksize: int
    inference_passes: int

    def inference(
        self,
        chunk: Iterable[Any],
        collect_sstats: bool = False,
        *,
        documents: Any = None,
        embeddings: Any = None,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Infer the topics of documents: from their words, or from their text or embedding.

        Parameters
        ----------
        chunk : iterable of list of (int, number)
            Of any length; unknown ids are left out.
        collect_sstats : bool, default=False
            Also return the expected words of each topic.
        documents, embeddings : optional
            As of the constructor; the encoder's mixtures then replace those inferred from words.

        Returns
        -------
        gamma : ndarray of shape (n, num_topics), float32
            Rows divided by their sum are mixtures; an empty bag has ``alpha``.
        sstats : ndarray of shape (num_topics, num_terms), float32, or None
        """
        self._check_trained()
        gammas = [np.empty((0, self.num_topics), dtype=np.float32)]
        sstats = np.zeros((self.num_topics, self.word_columns.n_words))
        for block in blocks_beside(chunk, documents, embeddings, self.chunksize):
            counts, doc_atoms, gamma = self._infer(*block)
            gammas.append(gamma)
            if collect_sstats:
                for columns, expected in self._topics_of_words(counts, doc_atoms):
                    sstats[:, columns] += expected
        spread = self.word_columns.spread(sstats) if collect_sstats else None
        return np.concatenate(gammas), spread

    def get_document_topics(
        self,
        bow: Any,
        minimum_probability: float | None = None,
        minimum_phi_value: float | None = None,
        per_word_topics: bool = False,
        *,
        documents: Any = None,
        embeddings: Any = None,
    ) -> Any:
        """Return the topics of a document, or lazily those of a corpus, as ``LdaModel`` does.

        `documents` and `embeddings` are one text and one row for one document, else as of the
        constructor. With `per_word_topics` each document has three lists: its topics, each word's
        topics by falling share, and each word's (topic, expected occurrences from it).
        """
        self._check_trained()
        if minimum_probability is None:
            minimum_probability = self.minimum_probability
        if minimum_phi_value is None:
            minimum_phi_value = self.minimum_probability
        thresholds = (max(minimum_probability, 1e-8), max(minimum_phi_value, 1e-8))
        is_corpus, corpus = utils.is_corpus(bow)
        if not is_corpus:
            documents = None if documents is None else [documents]
            embeddings = None if embeddings is None else [embeddings]
            block = next(blocks_beside([bow], documents, embeddings, 1))
            return next(self._describe(block, *thresholds, per_word_topics))

        def read() -> Iterator[Any]:
            for block in blocks_beside(corpus, documents, embeddings, self.chunksize):
                yield from self._describe(block, *thresholds, per_word_topics)

        def lookup(docno: Any) -> Any:
            return self.get_document_topics(
                corpus[docno],
                minimum_probability,
                minimum_phi_value,
                per_word_topics,
                documents=None if documents is None else documents[docno],
                embeddings=None if embeddings is None else embeddings[docno],
            )

        return TopicCorpus(self, corpus, read, lookup)

    def __getitem__(self, bow: Any, eps: float | None = None) -> Any:
        """See :meth:`get_document_topics`; with the model's settings."""
        return self.get_document_topics(bow, eps, self.minimum_phi_value, self.per_word_topics)

    def bound(
        self, corpus: Iterable[Any], gamma: np.ndarray | None = None, subsample_ratio: float = 1.0
    ) -> float:
        """Return a lower bound of documents' log-likelihood in nats, see ``LdaModel.bound``.

        None as `gamma` finds the mixtures of the tightest bound. Unknown ids are left out.
        """
        words, topics, _, _ = self._bound(corpus, gamma)
        return subsample_ratio * words + topics

    def log_perplexity(self, chunk: Any, total_docs: int | None = None) -> float:
        """Return the bound per word, see ``LdaModel.log_perplexity``; ValueError without words."""
        words, topics, n_documents, n_words = self._bound(chunk, None)
        if not n_words:
            raise ValueError("chunk holds no word of the model, so there is nothing to score")
        ratio = 1.0 if total_docs is None else total_docs / n_documents
        per_word = (ratio * words + topics) / (ratio * n_words)
        logger.info(
            "%.3f per-word bound, %.1f perplexity estimate based on a held-out corpus of %i "
            "documents with %i words",
            *(per_word, np.exp2(-per_word), n_documents, n_words),
        )
        return per_word

    def _is_trained(self) -> bool:
        return hasattr(self.estimator, "atom_topics_")

    def _check_trained(self) -> None:
        if not self._is_trained():
            raise NotFittedError("the model is not trained; call update(corpus, documents=…) first")

    def _atoms_of_words(self, counts: sp.csr_matrix) -> sp.csr_matrix:
        estimator = self.estimator
        prior = spread_alpha(self.alpha, estimator.atom_topics_, estimator.atom_prevalence_)
        return infer_doc_atoms(
            counts,
            estimator.emissions_,
            prevalence=prior,
            prior=float(prior.sum()),
            n_iter=self.inference_passes,
        )

    def _infer(
        self, bags: list[Any], texts: list[str] | None, vectors: np.ndarray | None
    ) -> tuple[sp.csr_matrix, sp.csr_matrix, np.ndarray]:
        """Return counts (n, V), atoms (n, K) and gamma (n, T) of documents."""
        estimator = self.estimator
        counts = self.word_columns.count(flatten_bags(bags))
        if texts is None and vectors is None:
            doc_atoms = self._atoms_of_words(counts)
        else:
            doc_atoms = estimator.transform_atoms(texts, vectors)
        mixtures = mix_topics(doc_atoms, estimator.atom_topics_, self.alpha)
        if texts is None and vectors is None:
            mixtures[np.diff(counts.indptr) == 0] = self.alpha / self.alpha.sum()
        weight = estimator.emissions_.background_weight
        return counts, doc_atoms, gamma_of_mixtures(mixtures, counts, self.alpha, weight)

    def _topics_of_words(
        self, counts: sp.csr_matrix, doc_atoms: sp.csr_matrix
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield each document's columns (words,) and its words from each topic (T, words)."""
        emissions, atom_topics = self.estimator.emissions_, self.estimator.atom_topics_.toarray()
        for row in range(counts.shape[0]):
            columns = counts.indices[counts.indptr[row] : counts.indptr[row + 1]]
            yield columns, topics_of_words(doc_atoms, counts, row, emissions, atom_topics)

    def _describe(
        self, block: Any, minimum_probability: float, minimum_phi: float, per_word_topics: bool
    ) -> Iterator[Any]:
        """Yield what :meth:`get_document_topics` returns for each document of a block."""
        counts, doc_atoms, gamma = self._infer(*block)
        mixtures = gamma / gamma.sum(axis=1, keepdims=True)
        topics = [
            [
                (int(topic), mixture[topic])
                for topic in np.flatnonzero(mixture >= minimum_probability)
            ]
            for mixture in mixtures
        ]
        if not per_word_topics:
            yield from topics
            return
        words = self._topics_of_words(counts, doc_atoms)
        for bag, document_topics, (columns, expected) in zip(block[0], topics, words, strict=True):
            phi = dict(zip(columns, expected.T, strict=True))
            shares = [(word, phi.get(self.word_columns.of(word), np.zeros(0))) for word, _ in bag]
            kept = [(word, np.flatnonzero(share >= minimum_phi), share) for word, share in shares]
            yield (
                document_topics,
                [
                    (word, [int(t) for t in topics[np.argsort(-share[topics], kind="stable")]])
                    for word, topics, share in kept
                ],
                [(word, [(int(t), share[t]) for t in topics]) for word, topics, share in kept],
            )

    def _bound(
        self, corpus: Iterable[Any], gamma: np.ndarray | None
    ) -> tuple[float, float, int, float]:
        """Return the bound's part of documents and of topics, and how many documents and words."""
        self._check_trained()
        posterior = self._posterior()
        documents = DocumentBound(posterior)
        if gamma is not None:
            gamma = check_embeddings(gamma, name="gamma")
        score = n_words = 0.0
        first = 0
        for bags in blocks(corpus, self.chunksize):
            if gamma is None:
                counts, _, start = self._infer(bags, None, None)
                fitted = documents.fit_gamma(counts, start, self.iterations, self.gamma_threshold)
            else:
                counts = self.word_columns.count(flatten_bags(bags))
                fitted = gamma[first : first + len(bags)]
                if fitted.shape != (len(bags), self.num_topics) or not (fitted >= 0).all():
                    raise ValueError(f"gamma of shape {np.shape(gamma)} does not fit the corpus")
            first += len(bags)
            score += documents.score(counts, fitted)
            n_words += float(counts.sum(dtype=np.float64))
        if gamma is not None and len(gamma) != first:
            raise ValueError(f"gamma has {len(gamma)} rows for a corpus of {first} documents")
        return score, topics_score(posterior), first, n_words

    def _posterior(self) -> TopicPosterior:
        """Return the parts that the bound needs; the background is smoothed as topics are."""
        emissions = self.estimator.emissions_
        eta = self.word_columns.gather(np.broadcast_to(self.eta, self.state.sstats.shape))
        prior = eta.mean(axis=0, dtype=np.float64)
        background = prior + emissions.background_mass * emissions.background
        return TopicPosterior(
            topics=self.word_columns.gather(self.state.get_lambda()),
            eta=eta,
            alpha=self.alpha,
            background=background / background.sum(),
            background_weight=emissions.background_weight,
        )
