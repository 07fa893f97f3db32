"""The estimator that chains the three stages: documents → atoms → words → topics.

SAE-TM, Girrbach & Akata, ICML 2026 (arXiv 2511.16309), section 4.
"""

from __future__ import annotations

import copy
import numbers
import os
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.atoms import SparseAutoencoder, train_sae
from saetm_plugins.emission import fit_emissions
from saetm_plugins.guidance import Seeds, check_seed_topics, find_seeds
from saetm_plugins.merging import (
    MERGES,
    TopicCut,
    atom_companions,
    document_centroids,
    keyword_association,
    words_worth_encoding,
)
from saetm_plugins.mixtures import mix_topics, normalize_activations
from saetm_plugins.text import (
    DEFAULT_WIDTH,
    corpus_word_vectors,
    count_words,
    encode_texts,
    encode_words,
    has_default_encoder,
    load_encoder,
    lookup_word_vectors,
    made_by,
    read_documents,
    recount_words,
)
from saetm_plugins.topics import TopicsMixin, check_n_topics
from saetm_plugins.validation import (
    all_or_nothing,
    check_choice,
    check_embeddings,
)


class SAETopicModel(TopicsMixin, TransformerMixin, BaseEstimator):
    """Topic model on a sparse autoencoder: trained once, cut into any number of topics at will.

    Parameters
    ----------
    n_topics : int or "auto", default=50
        Topics of the first cut; :meth:`retopic` changes it at any time.
    sae : SparseAutoencoder, optional
        A trained autoencoder, used frozen; None trains one on the documents' embeddings.
    encoder : str or object with ``encode(list[str])``, optional
        Embeds documents given without embeddings. None means the encoder the `sae` was trained
        with, else all-MiniLM-L6-v2. Not loaded until a text needs it.
    vectorizer : scikit-learn vectorizer, optional
        Counts words (cloned, then fitted); None means
        :func:`saetm_plugins.text.default_vectorizer`.
    random_state : int, RandomState or None, default=0
        Seed of everything random; an int makes two fits equal bit for bit on one CPU.
    merge : {"auto", "nmf", "kmeans", "ward", "hdbscan"}, default="auto"
        How atoms become topics (see :mod:`saetm_plugins.merging`); "auto" is the soft "nmf"
        with documents, "kmeans" over the centroids of the atoms' documents without.
    n_atoms, k : int, optional
        Size of the autoencoder and active atoms per document; chosen from the corpus size.
    activation : str, default="batch_topk"
        Architecture of the autoencoder, see :func:`saetm_plugins.train_sae`.
    sharpening : float, default=2.0
        Exponent on activations before they are normalised to a mixture.
    seed_topics : dict of str to list of str or str, optional
        Labels that topics are to have, and what each means: words, or a phrase. Atoms are drawn
        to the labels (optimal transport, needs POT); the rest merge into the other topics. The
        labels are found in :attr:`topic_labels_`.
    word_vectors : {"auto", "corpus", "encoder"}, dict or gensim KeyedVectors, default="auto"
        Where the vectors of words come from: the documents a word occurs in ("corpus"), the
        encoder as well ("encoder": topics of closer meaning), or ready-made vectors. "auto" is
        "encoder" where the embeddings are known or found to be the encoder's.
    solver : {"em", "adam"}, default="em"
        Emission solver, see :func:`saetm_plugins.emission.fit_emissions`.
    emission_n_iter : int, optional
        Passes (epochs) of the solver; None lets it decide.
    device : str, default="auto"
        Torch device; "auto" is CUDA where there is one.
    verbose : bool, default=False
        Show progress bars.

    Attributes
    ----------
    sae_ : SparseAutoencoder
    vocabulary_ : ndarray of shape (V,), or None without documents
    atom_words_ : ndarray of shape (n_atoms, V), float32, or None
        P(word|atom), rows sum to 1.
    background_ : ndarray of shape (V,), float32, or None
        P(word) of the words no atom accounts for.
    atom_prevalence_ : ndarray of shape (n_atoms,), float32
        Mean share of each atom over the fitted documents; 0 for a dead atom.
    atom_topics_ : csr_matrix of shape (n_atoms, n_topics), float32
        Weights of atoms in topics; rows of live atoms sum to 1.
    components_ : ndarray of shape (n_topics, V), float32, or None
        P(word|topic), rows sum to 1.
    doc_atoms_ : csr_matrix of shape (n, n_atoms), float32
    doc_topics_ : ndarray of shape (n, n_topics), float32
        Mixtures of the fitted documents, rows sum to 1.
    labels_ : ndarray of shape (n,), int64
        The largest topic of each fitted document.
    n_documents_seen_ : int
        Documents learned from, those of :meth:`partial_fit` included.
    n_topics_ : int
    topic_labels_ : list of str or None, length n_topics
        Names given by `seed_topics` or :meth:`set_topic_labels`.
    topic_prevalence_ : ndarray of shape (n_topics,), float32
        Mean share of each topic; a new cut numbers topics by it, largest first.

    References
    ----------
    Girrbach & Akata, "Sparse autoencoders are topic models", ICML 2026, arXiv 2511.16309.
    """

    sae_: SparseAutoencoder
    _encoder_cache: tuple[Any, Any] | None = None
    _encoder_lost = False  # by saving: an object that JSON cannot hold

    def __init__(
        self,
        n_topics: int | str = 50,
        sae: SparseAutoencoder | None = None,
        encoder: Any = None,
        vectorizer: Any = None,
        random_state: Any = 0,
        *,
        merge: str = "auto",
        n_atoms: int | None = None,
        k: int | None = None,
        activation: str = "batch_topk",
        sharpening: float = 2.0,
        seed_topics: Any = None,
        word_vectors: Any = "auto",
        solver: str = "em",
        emission_n_iter: int | None = None,
        device: str = "auto",
        verbose: bool = False,
    ):
        self.n_topics = n_topics
        self.sae = sae
        self.encoder = encoder
        self.vectorizer = vectorizer
        self.random_state = random_state
        self.merge = merge
        self.n_atoms = n_atoms
        self.k = k
        self.activation = activation
        self.sharpening = sharpening
        self.seed_topics = seed_topics
        self.word_vectors = word_vectors
        self.solver = solver
        self.emission_n_iter = emission_n_iter
        self.device = device
        self.verbose = verbose

    def fit(
        self,
        documents: Any,
        embeddings: Any = None,
        y: Any = None,
        *,
        bow: Any = None,
        vocabulary: Any = None,
    ) -> SAETopicModel:
        """Learn atoms (unless `sae` was given), their words, and the first cut into topics.

        Parameters
        ----------
        documents : iterable of str, or None
            Texts, or captions of images; None where `embeddings` are given and words are not
            needed, or come as `bow`.
        embeddings : array-like of shape (n, d), optional
            Embeddings of the documents; None encodes them. (A 1-D array is taken for the `y` that
            a scikit-learn Pipeline passes in second place.)
        y : ignored
        bow : sparse matrix of shape (n, V), optional
            Counts of words, in place of the vectorizer's.
        vocabulary : sequence of str of length V, optional
            The words of `bow`'s columns.

        Raises
        ------
        TypeError, ValueError
            When a parameter or an argument is not legal; the model is then as it was before.
        """
        self._check_parameters()
        with all_or_nothing(self):
            texts, embeddings = self._read(documents, embeddings, sae=self.sae, least=2)
            counts, self.vocabulary_, self.vectorizer_ = count_words(
                texts, len(embeddings), vectorizer=self.vectorizer, bow=bow, vocabulary=vocabulary
            )
            self._seeds = self._find_seeds(texts, counts, embeddings)
            self._seed = int(check_random_state(self.random_state).randint(2**31 - 1))
            self.sae_ = self.sae if self.sae is not None else self._train(embeddings)
            self.doc_atoms_ = self._doc_atoms(embeddings)
            self.n_documents_seen_ = self.doc_atoms_.shape[0]
            self.atom_prevalence_ = np.asarray(
                self.doc_atoms_.mean(axis=0), dtype=np.float32
            ).ravel()
            self._learn_words(texts, counts, embeddings)
            self._merges = {}
            self.retopic(self.n_topics)
        return self

    def partial_fit(
        self,
        documents: Any,
        embeddings: Any = None,
        y: Any = None,
        *,
        bow: Any = None,
        vocabulary: Any = None,
        doc_atoms: sp.csr_matrix | None = None,
        decay: float = 1.0,
    ) -> SAETopicModel:
        """Go on learning words and prevalence from more documents; the first call is a fit.

        Atoms, vocabulary, the current cut and its numbers stay; what is kept of earlier documents
        is sums, so memory does not grow. :attr:`doc_atoms_`, :attr:`doc_topics_` and
        :attr:`labels_` describe the last batch (as ``MiniBatchKMeans.labels_`` does).

        Parameters
        ----------
        documents, embeddings, y, bow, vocabulary
            As in :meth:`fit`.
        doc_atoms : csr_matrix of shape (n, n_atoms), optional
            Mixtures of documents known without embeddings, on a fitted model.
        decay : float, default=1.0
            What becomes of the earlier sums: 1 keeps them, 0 forgets them.

        Raises
        ------
        TypeError, ValueError
            When an argument is not legal; the model is then as it was before.
        """
        if not hasattr(self, "atom_topics_"):
            if doc_atoms is not None:
                raise ValueError("doc_atoms needs a fitted model; the first batch needs embeddings")
            return self.fit(documents, embeddings, y, bow=bow, vocabulary=vocabulary)
        with all_or_nothing(self):
            texts = None
            if doc_atoms is None:
                texts, embeddings = self._read(documents, embeddings, sae=self.sae_)
                doc_atoms = self._doc_atoms(embeddings)
            counts = recount_words(
                texts,
                doc_atoms.shape[0],
                vectorizer=self.vectorizer_,
                known=self.vocabulary_,
                bow=bow,
                vocabulary=vocabulary,
            )
            cut, labels, edits = self._current_cut(), self.topic_labels_, self._edits
            words = cut.topic_words
            emitted = None if words is None else self._emitted_words(cut)
            self._add_documents(doc_atoms, counts, decay)
            if words is not None:
                # A soft cut has words of its own; they follow the shift of the atoms' words.
                words = words * (self._emitted_words(cut) / emitted)
                words /= words.sum(axis=1, keepdims=True)
            self._merges = {}
            self._set_cut(TopicCut(cut.atom_topics, words), labels)
            self._edits = edits
        return self

    def fit_transform(
        self, documents: Any, embeddings: Any = None, y: Any = None, **fit_params: Any
    ) -> np.ndarray:
        """Fit, and return the mixtures of the fitted documents.

        Returns
        -------
        ndarray of shape (n, n_topics), float32
            Rows sum to 1.
        """
        return self.fit(documents, embeddings, y, **fit_params).doc_topics_

    def transform(self, documents: Any, embeddings: Any = None) -> np.ndarray:
        """Return the mixture of topics of each document.

        Parameters
        ----------
        documents : iterable of str, or None where `embeddings` are given
        embeddings : array-like of shape (n, d), optional

        Returns
        -------
        ndarray of shape (n, n_topics), float32
            Rows sum to 1; a document's row does not depend on its neighbours.

        Raises
        ------
        ValueError
            When the embeddings are not finite, or of another dimension than the autoencoder's.
        """
        doc_atoms = self.transform_atoms(documents, embeddings)
        return mix_topics(doc_atoms, self.atom_topics_, self.topic_prevalence_)

    def transform_atoms(self, documents: Any, embeddings: Any = None) -> sp.csr_matrix:
        """Return the mixture of atoms of each document, which every cut of topics adds up.

        Parameters
        ----------
        documents, embeddings
            As in :meth:`transform`.

        Returns
        -------
        csr_matrix of shape (n, n_atoms), float32
            Rows sum to 1.
        """
        check_is_fitted(self, "atom_topics_")
        _, embeddings = self._read(documents, embeddings, sae=self.sae_)
        return self._doc_atoms(embeddings)

    def to_gensim(self, id2word: Any = None) -> Any:
        """Return this model as a gensim topic model.

        Parameters
        ----------
        id2word : gensim Dictionary or dict of int to str, optional
            None makes one of :attr:`vocabulary_`.

        Returns
        -------
        saetm_plugins.gensim.SaeModel
        """
        from saetm_plugins.gensim import SaeModel

        return SaeModel.from_model(self, id2word=id2word)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Name the columns of :meth:`transform` (scikit-learn's transformer contract)."""
        check_is_fitted(self, "atom_topics_")
        return np.array([f"topic{topic}" for topic in range(self.n_topics_)], dtype=object)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Save the fitted model as a folder of safetensors and JSON.

        See :func:`saetm_plugins.model_files.save_model` for what it holds and what it raises.
        """
        from saetm_plugins.model_files import save_model

        save_model(self, path, overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, encoder: Any = None) -> SAETopicModel:
        """Load a model saved by :meth:`save`; it transforms and re-cuts as the saved one did.

        Parameters
        ----------
        path : path
        encoder : str or object with ``encode``, optional
            Needed for texts when the model was fitted with an encoder object, which is not saved.

        Raises
        ------
        FileNotFoundError, ValueError
            When `path` holds no model of ours, or a truncated one.
        """
        from saetm_plugins.model_files import load_model

        return load_model(cls, path, encoder=encoder)

    def _check_parameters(self) -> None:
        check_n_topics(self.n_topics)
        check_choice(self.merge, "merge", ("auto", *MERGES))
        check_choice(self.solver, "solver", ("em", "adam"))
        if self.sae is not None and not isinstance(self.sae, SparseAutoencoder):
            raise TypeError(
                f"sae must be a fitted SparseAutoencoder; found {type(self.sae).__name__}"
            )
        if isinstance(self.word_vectors, str):
            check_choice(self.word_vectors, "word_vectors", ("auto", "corpus", "encoder"))
        if not (isinstance(self.sharpening, numbers.Real) and 0 < self.sharpening < np.inf):
            raise ValueError(f"sharpening must be a positive number; found {self.sharpening!r}")
        check_seed_topics(self.seed_topics, self.n_topics)
        if self.encoder is not None and not isinstance(self.encoder, str):
            load_encoder(self.encoder)

    def _read(
        self, documents: Any, embeddings: Any, *, sae: SparseAutoencoder | None, least: int = 1
    ) -> tuple[list[str] | None, np.ndarray]:
        """Return texts (None if there are none) and embeddings fit for `sae`."""
        texts, given = read_documents(documents, embeddings, least=least)
        if given is None:
            assert texts is not None
            given = encode_texts(self._encoder(sae), texts, verbose=self.verbose)
        if sae is not None:
            given = check_embeddings(given, width=sae.n_features)
        return texts, given

    def _encoder(self, sae: SparseAutoencoder | None) -> Any:
        """Load the encoder once: the parameter, else the one the autoencoder was trained with."""
        if self.encoder is None and self._encoder_lost:
            raise ValueError(
                "documents need the encoder the model was fitted with, an object that was not "
                "saved: pass it as load(path, encoder=…), or give embeddings"
            )
        wanted = self.encoder or getattr(sae, "encoder_name", None)
        if self._encoder_cache is None or self._encoder_cache[0] is not wanted:
            device = None if self.device == "auto" else self.device
            self._encoder_cache = (wanted, load_encoder(wanted, device))
        return self._encoder_cache[1]

    def _train(self, embeddings: np.ndarray) -> SparseAutoencoder:
        if (embeddings == embeddings[0]).all():
            raise ValueError(
                f"embeddings are identical in all {len(embeddings)} rows; there is nothing to "
                "tell documents apart by"
            )
        return train_sae(
            embeddings,
            n_atoms=self.n_atoms,
            k=self.k,
            activation=self.activation,
            device=self.device,
            random_state=self._seed,
            verbose=self.verbose,
        )

    def _add_documents(
        self, doc_atoms: sp.csr_matrix, counts: sp.csr_matrix | None, decay: float
    ) -> None:
        """Add a batch to the sums: prevalence, and the statistics of the emissions."""
        if counts is not None and counts.nnz:
            emissions = copy.copy(self.emissions_)
            self.emissions_ = emissions.partial_fit(doc_atoms, counts, decay=decay)
        kept = decay * self.n_documents_seen_
        total = kept + doc_atoms.shape[0]
        added = np.asarray(doc_atoms.sum(axis=0), dtype=np.float64).ravel()
        self.atom_prevalence_ = ((kept * self.atom_prevalence_ + added) / total).astype(np.float32)
        self.n_documents_seen_ = total
        self.doc_atoms_ = doc_atoms

    def _doc_atoms(self, embeddings: np.ndarray) -> sp.csr_matrix:
        return normalize_activations(self.sae_.transform(embeddings), self.sharpening)

    def _learn_words(
        self, texts: list[str] | None, counts: sp.csr_matrix | None, embeddings: np.ndarray
    ) -> None:
        """Stage 2, and the views of the atoms that stage 3 merges by."""
        self.__dict__.pop("_atom_vectors", None)
        self.emissions_ = self._atom_keywords = self._word_vectors = None
        self._corpus_word_vectors = self._atom_companions = None
        self._atom_centroids = document_centroids(self.doc_atoms_, embeddings)
        if counts is None:
            unsharpened = normalize_activations(self.doc_atoms_, 1 / self.sharpening)
            self._atom_companions = atom_companions(unsharpened)
            return
        self.emissions_ = fit_emissions(
            self.doc_atoms_,
            counts,
            solver=self.solver,
            n_iter=self.emission_n_iter,
            device=self.device,
            random_state=self._seed,
            verbose=self.verbose,
        )
        self._word_vectors = self._find_word_vectors(texts, counts, embeddings)
        if self._word_vectors is None:
            self._corpus_word_vectors = corpus_word_vectors(counts, embeddings)
        in_place = self._word_vectors
        if in_place is not None and in_place.shape[1] != embeddings.shape[1]:
            in_place = None  # of another space than the documents', word2vec's say
        self._atom_keywords = keyword_association(self.doc_atoms_, counts, embeddings, in_place)

    def _find_word_vectors(
        self, texts: list[str] | None, counts: sp.csr_matrix, embeddings: np.ndarray
    ) -> np.ndarray | None:
        """Return what `word_vectors` asks for; None means that the corpus alone places words."""
        words = list(self.vocabulary_)
        if not isinstance(self.word_vectors, str):
            return lookup_word_vectors(words, self.word_vectors)
        if self.word_vectors == "corpus":
            return None
        if self.word_vectors == "auto" and not self._encoder_made(texts, embeddings):
            return None
        places = words_worth_encoding(counts, embeddings)
        vectors = encode_words(self._encoder(self.sae), words, places, verbose=self.verbose)
        if vectors.shape[1] != embeddings.shape[1]:
            raise ValueError(
                f"encoder gives {vectors.shape[1]} dimensions; embeddings have "
                f"{embeddings.shape[1]}, so another encoder made them"
            )
        return vectors

    def _find_seeds(
        self, texts: list[str] | None, counts: sp.csr_matrix | None, embeddings: np.ndarray
    ) -> Seeds | None:
        if self.seed_topics is None:
            return None
        encode = None
        if self._encoder_made(texts, embeddings):
            encode = partial(encode_texts, self._encoder(self.sae))
        return find_seeds(self.seed_topics, self.vocabulary_, counts, embeddings, encode)

    def _encoder_made(self, texts: list[str] | None, embeddings: np.ndarray) -> bool:
        """Tell whether the encoder at hand made the embeddings: known, said, or tried."""
        if self.encoder is not None or self._encoder_cache is not None:
            return True
        if getattr(self.sae, "encoder_name", None) is not None:
            return True
        if texts is None or embeddings.shape[1] != DEFAULT_WIDTH or not has_default_encoder():
            return False
        return made_by(self._encoder(self.sae), texts, embeddings)
