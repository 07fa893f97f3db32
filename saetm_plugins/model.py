"""The estimator that chains the three stages: documents → atoms → words → topics.

SAE-TM, Girrbach & Akata, ICML 2026 (arXiv 2511.16309), section 4. It holds two values, an
:class:`~saetm_plugins.atom_model.AtomModel` and a :class:`~saetm_plugins.topics.Topics`; every
method puts others in their place.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import cache, partial, reduce
from numbers import Integral, Real
from operator import add
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from saetm_plugins import assignments
from saetm_plugins import topics as cuts
from saetm_plugins.atom_model import AtomModel
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.atoms.choice import SAE_CHOICES, choose_sae, choose_sharpening, given_sae
from saetm_plugins.atoms.encoding import ACTIVATIONS
from saetm_plugins.corpus.classes import one_hot_classes
from saetm_plugins.corpus.duplicates import take, without_atoms
from saetm_plugins.corpus.encoders import is_default_encoder, load_encoder
from saetm_plugins.corpus.languages import read_languages, unite, warn_of_texts
from saetm_plugins.corpus.read import Corpus, read_without_embeddings, warn_of_target
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import (
    check_bow,
    check_vectorizer,
    count_known_words,
    default_vectorizer,
    merge_vectorizers,
)
from saetm_plugins.corpus.words import check_language
from saetm_plugins.corpus_sums import CorpusSums, document_mixtures, sum_documents
from saetm_plugins.fitted_topics import (
    FittedTopics,
    say_count,
    warn_of_one_document,
    warn_of_topics,
)
from saetm_plugins.merging import MERGES
from saetm_plugins.merging.labels import check_seed_topics
from saetm_plugins.model_encoder import (
    complete_word_vectors,
    documents_are_optional,
    find_targets,
    find_word_vectors,
    is_made_by_encoder,
    read_documents,
)
from saetm_plugins.model_files import load_model, save_model
from saetm_plugins.scale.mapping import MapBatches
from saetm_plugins.validation import (
    all_or_nothing,
    as_list,
    check_choice,
    check_fraction,
    check_mixtures_of_atoms,
    resolve_device,
)


@documents_are_optional
class SAETopicModel(FittedTopics, MapBatches, TransformerMixin, BaseEstimator):
    """Topic model on a sparse autoencoder: trained once, cut into any number of topics at will.

    Parameters
    ----------
    n_topics : int, "auto" or None, default=None
        Topics of the first cut; :meth:`retopic` changes it at any time. "auto" finds a number that
        the atoms suggest, mostly 10 to 60 (:meth:`~saetm_plugins.merging.WardTree.knee`; the merge
        "hdbscan" has its own). None means 20, or the square root of the number of documents (a few
        long texts have up to ten), and never more than there are live atoms.
    sae : "auto", "default", SparseAutoencoder or None, default="auto"
        A trained autoencoder is used frozen; "default" is the one that ships with this package, for
        all-MiniLM-L6-v2; None trains one on the documents' embeddings. "auto" is "default" for
        small corpora, else None (:mod:`saetm_plugins.atoms.choice`).
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
        (`n_atoms` beside ``sae="default"``: how many of those.)
    activation : str, default="batch_topk"
        Architecture of the autoencoder, see :func:`saetm_plugins.train_sae`.
    sharpening : float, optional
        Exponent on a document's cosines with atoms, and on activations, before they are normalised
        to a mixture; at most 50. None: 2, or 1.5 with the atoms that ship here: more are active.
    seed_topics : dict of str to list of str or str, optional
        Labels that topics are to have, and what each means: words, or a phrase. Atoms are drawn
        to the labels (optimal transport, needs POT); the rest merge into the other topics. The
        labels are found in :attr:`topic_labels_`.
    word_vectors : {"auto", "corpus", "encoder"}, dict or gensim KeyedVectors, default="auto"
        Where the vectors of words come from: the documents a word occurs in ("corpus"), the
        encoder as well ("encoder": topics of closer meaning), or ready-made vectors. "auto" is
        "encoder" where the embeddings are known or found to be the encoder's.
    solver : {"em", "adam"}, default="em"
        Emission solver, see :func:`saetm_plugins.emission.fit_pooled_emissions`.
    emission_n_iter : int, optional
        Passes (epochs) of the solver; None lets it decide.
    device : str, default="auto"
        Torch device; "auto" is CUDA where there is one.
    verbose : bool, default=False
        Show progress bars.
    language : "auto", str, sequence of str or None, default="auto"
        Of the texts, names or ISO 639-1 codes: how words are found that `vectorizer` does not say,
        see :class:`saetm_plugins.text.WordVectorizer`. "auto" looks at the texts; None is English.
    outlier_threshold : float, default=0.0
        Documents whose largest share is smaller belong to topic -1; mixtures stay as they are.

    Attributes
    ----------
    atoms_ : AtomModel
        What stages 1 and 2 know: the autoencoder, and sums over all documents.
    topics_ : Topics
        The current cut.
    sae_ : SparseAutoencoder
    vocabulary_ : ndarray of shape (V,), or None without documents
    emissions_ : Emissions, or None
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
        Half of each row are the atoms that the document activates, half those it is near to.
    doc_topics_ : ndarray of shape (n, n_topics), float32
        Mixtures of the fitted documents, rows sum to 1.
    labels_ : ndarray of shape (n,), int64
        The largest topic of each fitted document, or the one that it was given; -1 for a blank
        text, whose mixture is the mean, and for outliers.
    n_documents_seen_ : float
        Documents learned from, those of :meth:`partial_fit` included.
    n_topics_ : int
    topic_labels_ : list of str or None, length n_topics
        Names given by `seed_topics` or :meth:`set_topic_labels`.
    topic_prevalence_ : ndarray of shape (n_topics,), float32
        Share of each topic, summing to 1; a new cut numbers topics by it, largest first (edits
        leave numbers as they are).

    References
    ----------
    Girrbach & Akata, "Sparse autoencoders are topic models", ICML 2026, arXiv 2511.16309.
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "n_topics": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"}), None],
        "sae": [StrOptions(set(SAE_CHOICES)), SparseAutoencoder, None],
        "random_state": ["random_state"],
        "merge": [StrOptions({"auto", *MERGES})],
        "n_atoms": [Interval(Integral, 1, None, closed="left"), None],
        "k": [Interval(Integral, 1, None, closed="left"), None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "sharpening": [Interval(Real, 0, 50, closed="right"), None],
        "solver": [StrOptions({"em", "adam"})],
        "emission_n_iter": [Interval(Integral, 1, None, closed="left"), None],
        "outlier_threshold": [Interval(Real, 0, 1, closed="both")],
        "device": [str, torch.device],
        "verbose": ["verbose"],
    }
    vectorizer_: Any

    def __init__(
        self,
        n_topics: int | str | None = None,
        sae: SparseAutoencoder | str | None = "auto",
        encoder: Any = None,
        vectorizer: Any = None,
        random_state: Any = 0,
        *,
        merge: str = "auto",
        n_atoms: int | None = None,
        k: int | None = None,
        activation: str = "batch_topk",
        sharpening: float | None = None,
        seed_topics: Any = None,
        word_vectors: Any = "auto",
        solver: str = "em",
        emission_n_iter: int | None = None,
        device: str = "auto",
        verbose: bool = False,
        language: Any = "auto",
        outlier_threshold: float = 0.0,
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
        self.language = language
        self.outlier_threshold = outlier_threshold

    def check_parameters(self) -> None:
        """Raise a TypeError or a ValueError that names the parameter which is not legal."""
        self._validate_params()
        if self.n_topics is not None:
            cuts.check_n_topics(self.n_topics)  # True is an Integral
        default = isinstance(self.sae, str) and self.sae == "default"
        if default and isinstance(self.encoder, str) and not is_default_encoder(self.encoder):
            raise ValueError(
                f"sae='default' is for all-MiniLM-L6-v2's embeddings; encoder={self.encoder!r}"
            )
        if self.encoder is not None and not isinstance(self.encoder, str):
            load_encoder(self.encoder)
        if self.vectorizer is not None:
            check_vectorizer(self.vectorizer)
        if isinstance(self.word_vectors, str):
            check_choice(self.word_vectors, "word_vectors", ("auto", "corpus", "encoder"))
        check_language(self.language)
        check_seed_topics(self.seed_topics, self.n_topics or "auto")
        resolve_device(self.device)

    def fit(
        self,
        documents: Any = None,
        y: Any = None,
        *,
        embeddings: Any = None,
        images: Any = None,
        bow: Any = None,
        vocabulary: Any = None,
        classes: Any = None,
        class_weight: float = 0.5,
        chunk: Any = "auto",
        languages: Any = None,
    ) -> SAETopicModel:
        """Learn atoms (unless `sae` says which), their words, and the first cut into topics.

        Parameters
        ----------
        documents : iterable of str, or None
            Texts, or captions of images; None where `embeddings` or `images` are given and words
            are not needed, or come as `bow`. With `images` also what makes the captions, see
            :func:`saetm_plugins.images.caption_images`. A table or array of one column is its
            column.
        y : ignored
            For scikit-learn's pipelines; :class:`UserWarning` where it looks like embeddings.
        embeddings : array-like of shape (n, d), optional
            Embeddings of the documents; None encodes them. Or the embedded passages of long ones,
            as :meth:`saetm_plugins.text.Chunker.embed` returns. With
            `images` also a folder written by :func:`saetm_plugins.images.embed_images`.
        images : folder, or sequence of paths, PIL images or arrays, optional
            Pictures as documents, decoded one batch at a time. What cannot be decoded is named in
            a warning and treated as a blank text.
        bow : sparse matrix of shape (n, V), optional
            Counts of words, in place of the vectorizer's; where long texts are read in passages,
            those of a text are shared out among them by the words of each.
        vocabulary : sequence of str of length V, optional
            The words of `bow`'s columns. With `images` alone, an encoder of texts and images finds
            the words of each, see :func:`saetm_plugins.images.count_zero_shot_words`.
        classes : array-like of shape (n,), optional
            Known classes, -1 where unknown: atoms of the same classes merge first.
        class_weight : float, default=0.5
            How much `classes` count: 0 not at all, 1 alone.
        chunk : "auto", Chunker or None, default="auto"
            How long texts are read, now and later: in passages where they are longer than the
            encoder reads, as a :class:`saetm_plugins.text.Chunker` splits them, or their beginnings
            alone (None). Not with embeddings of whole documents.
        languages : sequence of str of length n, optional
            The language of each text, names or codes, where they are of several; None finds them.
        """
        self.check_parameters()
        warn_of_target(y)
        sae = given_sae(self.sae)
        check_fraction(class_weight, "class_weight", closed=True)

        # Documents: embeddings, counts of words, and which are blank or repeat another one.
        corpus = read_documents(
            self, documents, embeddings, images, bow, vocabulary, sae=sae, chunk=chunk, least=2
        )
        _check_vectorizer_is_known(self, corpus)
        spoken = read_languages(self.language, languages, corpus)
        corpus = corpus.learn_words(self.vectorizer, spoken.codes).with_blank().with_distinct()
        known = None if classes is None else one_hot_classes(classes, corpus.n_documents)
        if (n_blank := corpus.blank.sum()) > len(corpus.blank) - 2:
            raise ValueError(
                f"documents must hold at least 2 that are not blank; {n_blank} of "
                f"{len(corpus.blank)} are"
            )
        matches = cache(partial(is_made_by_encoder, self, corpus))
        if not isinstance(self.encoder, (str, type(None))):  # loaded already: tried in any case
            matches()
        targets = find_targets(self, corpus, matches)

        # Stage 1: documents → atoms.
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        distinct = take(corpus.embeddings, corpus.distinct)
        sae = choose_sae(self, distinct, seed, of_images=images is not None)
        sharpening = choose_sharpening(self.sharpening, sae)
        row_atoms, learned_from = (
            without_atoms(mixtures, corpus.blank)
            for mixtures in document_mixtures(sae, corpus.embeddings, sharpening, self.device)
        )

        # Stage 2: atoms → words, by sums over the documents.
        corpus = spoken.drop_stop_words(corpus, learned_from)
        mixtures = corpus.per_document(row_atoms)[~corpus.blank_documents]
        bounded = corpus.bound_passages(learned_from)
        own, counts = (take(each, corpus.distinct) for each in (bounded, corpus.counts))
        sums = sum_documents(own, counts, distinct, sae.n_features, mixtures)
        if known is not None:
            of_documents = corpus.per_document(learned_from).astype(np.float64)
            sums = replace(sums, class_mass=sp.csr_matrix(of_documents.T @ known.codes))
        atoms = AtomModel(
            sae,
            sums=sums,
            vocabulary=corpus.vocabulary,
            sharpening=sharpening,
            random_state=seed,
            solver=self.solver,
            n_iter=self.emission_n_iter,
            device=str(self.device),
            label_targets=targets,
            classes=None if known is None else known.names,
            class_weight=class_weight,
        )
        atoms = replace(atoms, word_vectors=find_word_vectors(self, atoms, matches))
        atoms = atoms.with_cosines_of(distinct, own)

        # Stage 3: atoms → topics.
        row_atoms = without_atoms(atoms.with_near_atoms(row_atoms, corpus.embeddings), corpus.blank)
        doc_atoms = corpus.per_document(row_atoms)
        topics = self.cut_atoms(atoms, doc_atoms, self.n_topics, self.merge)

        with all_or_nothing(self):
            self.atoms_, self.doc_atoms_, self.vectorizer_ = atoms, doc_atoms, corpus.vectorizer
            self.encoder_not_saved_ = self.vectorizer_not_saved_ = False
            self.chunk_, self.passages_ = chunk, corpus.of_passages(row_atoms)
            self.words_of_language_ = spoken.words_of_languages(corpus)
            self.set_topics(topics)
        corpus.warn_of_documents(self.topics_.where_blank)
        warn_of_texts(corpus, spoken)
        warn_of_topics(self, self.n_topics)
        warn_of_one_document(self, corpus)
        if self.verbose:
            say_count(self.n_topics, self.n_topics_)
        return self

    def partial_fit(
        self,
        documents: Any = None,
        y: Any = None,
        *,
        embeddings: Any = None,
        images: Any = None,
        bow: Any = None,
        vocabulary: Any = None,
        doc_atoms: sp.csr_matrix | None = None,
        decay: float = 1.0,
        chunk: Any = "fitted",
    ) -> SAETopicModel:
        """Learn words, prevalence and keywords from more documents; the first call is a fit.

        The autoencoder, the vocabulary, the atoms of topics and their numbers stay; the topics'
        words and shares are renewed when they are asked for. What is kept of earlier documents is
        sums, so memory does not grow, and the order of batches does not matter: :meth:`retopic`
        afterwards gives what it would after one fit of all documents with this autoencoder and
        vocabulary, where no text of a batch stands in another one too: repeats are found within a
        call alone.
        :attr:`doc_atoms_`, :attr:`doc_topics_` and :attr:`labels_` describe the last batch (as
        ``MiniBatchKMeans.labels_`` does).

        Parameters
        ----------
        documents, y, embeddings, images, bow, vocabulary
            As in :meth:`fit`.
        doc_atoms : csr_matrix of shape (n, n_atoms), optional
            Mixtures of documents known without embeddings, on a fitted model.
        decay : float, default=1.0
            What earlier documents count from now on: 1 as before, 0 nothing.
        chunk : "fitted", "auto", Chunker or None, default="fitted"
            As in :meth:`fit`; by default as it was there.
        """
        if not hasattr(self, "atoms_"):
            if doc_atoms is not None:
                raise ValueError("doc_atoms needs a fitted model; the first batch needs embeddings")
            chunk = "auto" if isinstance(chunk, str) and chunk == "fitted" else chunk
            given = {"images": images, "bow": bow, "vocabulary": vocabulary}
            return self.fit(documents, y, embeddings=embeddings, chunk=chunk, **given)
        warn_of_target(y)
        if bow is not None and vocabulary is None:
            vocabulary = self.vocabulary_
        if doc_atoms is None:
            corpus = read_documents(
                self, documents, embeddings, images, bow, vocabulary, sae=self.sae_, chunk=chunk
            )
            row_atoms, learned_from = self.atoms_.both_mixtures(corpus.embeddings)
        elif embeddings is not None or images is not None:
            raise ValueError("doc_atoms stands for embeddings and images; give one of them")
        else:
            row_atoms = learned_from = check_mixtures_of_atoms(doc_atoms, self.atoms_.n_atoms)
            corpus = read_without_embeddings(documents, row_atoms.shape[0])
            corpus = corpus.with_bow(bow, vocabulary)
        _check_vectorizer_is_known(self, corpus)
        corpus = corpus.count_words(self.vectorizer_, self.vocabulary_)
        corpus = corpus.with_blank().with_distinct()
        row_atoms = without_atoms(row_atoms, corpus.blank)
        batch = corpus.per_document(row_atoms)
        own, counts, distinct = corpus.take_distinct(corpus.bound_passages(learned_from))
        mixtures = batch[~corpus.blank_documents]
        atoms = self.atoms_.with_documents(own, counts, distinct, mixtures, decay=decay)
        if corpus.embeddings is not None:
            atoms = atoms.with_cosines_of(distinct, own)
            near = atoms.with_near_atoms(row_atoms, corpus.embeddings)
            row_atoms = without_atoms(near, corpus.blank)
            batch = corpus.per_document(row_atoms)
        with all_or_nothing(self):
            self.set_documents(atoms, batch)
            self.passages_ = corpus.of_passages(row_atoms)
        corpus.warn_of_blank(self.where_blank_)
        return self

    @classmethod
    def merge_models(cls, models: Sequence[SAETopicModel]) -> SAETopicModel:
        """Merge models that share a sparse autoencoder.

        The result is what one fit on the documents of all gives, with this autoencoder and
        vocabulary, where they share no text (see :meth:`partial_fit`). Different vocabularies are
        united, with a warning: a word that a model did not count is taken not to occur in its
        documents. :class:`~saetm_plugins.scale.WordCounts` makes a common vocabulary.
        Parameters and seed are the first model's, and so are labels where its topics survive;
        topics are cut anew. :attr:`doc_atoms_` are those of the models: what a document is near
        to was found among the documents of its own model.

        Parameters
        ----------
        models : sequence of SAETopicModel
            Fitted, two or more.
        """
        models = as_list(models, "models", "SAETopicModel")
        if len(models) < 2:
            raise ValueError(f"models must hold at least 2; found {len(models)}")
        for model in models:
            if not isinstance(model, SAETopicModel):
                raise TypeError(f"models must hold SAETopicModel; found {type(model).__name__}")
            check_is_fitted(model, "topics_")
        first = models[0]
        atoms = reduce(add, (model.atoms_ for model in models))
        if any(not np.array_equal(model.vocabulary_, atoms.vocabulary) for model in models):
            message = "models count different words; each word counts where its model knew it alone"
            warnings.warn(message, UserWarning, stacklevel=2)
        merged = cls(**first.get_params(deep=False))
        merged.encoder_not_saved_ = first.encoder_not_saved_
        merged.encoder_named_in_file_ = first.encoder_named_in_file_
        merged.atoms_ = atoms = complete_word_vectors(merged, atoms)
        merged.chunk_ = first.chunk_
        merged.words_of_language_ = unite([model.words_of_language_ for model in models])
        merged.doc_atoms_ = sp.vstack([model.doc_atoms_ for model in models], format="csr")
        merged.vectorizer_ = merge_vectorizers(
            [model.vectorizer_ for model in models], atoms.vocabulary
        )
        merged.retopic(first.n_topics_)
        merged.topics_ = replace(
            cuts.carry_labels(atoms, first.topics_, merged.topics_),
            outlier_share=first.topics_.outlier_share,
        )
        sources = [(model.topics_, model.doc_atoms_.shape[0]) for model in models]
        if any(topics.decisions is not None for topics, _ in sources):
            merged.set_topics(
                assignments.gather_names(atoms, merged.topics_, merged.doc_atoms_, sources)
            )
            merged.retopic(first.n_topics_)
            merged.take_edit(assignments.gather_moves(atoms, merged.topics_, sources))
        merged.set_topics(merged.topics_)
        return merged

    @classmethod
    def from_sums(
        cls, sums: CorpusSums, n_topics: int | str | None = 50, **parameters: Any
    ) -> SAETopicModel:
        """Make a model of sums over documents: topics and their words, as of one fit of them all.

        :attr:`doc_atoms_`, :attr:`doc_topics_` and :attr:`labels_` have no rows.

        Parameters
        ----------
        sums : CorpusSums
            Added up from :meth:`~saetm_plugins.corpus_sums.CorpusSums.of`.
        n_topics : int, "auto" or None, default=50
        **parameters
            As of the constructor. With `encoder` the words' vectors are the encoder's, unless
            `word_vectors` says otherwise; `vectorizer` is what counted the words.

        Raises
        ------
        TypeError
            When the sums are not those of :meth:`CorpusSums.of`.
        """
        if not isinstance(sums, CorpusSums) or sums.origin is None:
            raise TypeError(f"sums must be those of CorpusSums.of; found {type(sums).__name__}")
        origin = sums.origin
        model = cls(n_topics, **{"sae": origin.sae, "sharpening": origin.sharpening, **parameters})
        model.check_parameters()
        vectorizer = None
        if origin.vocabulary is not None:
            vectorizer = model.vectorizer or default_vectorizer(int(sums.n_distinct))
            vectorizer = count_known_words(vectorizer, origin.vocabulary)
        return model.take_sums(sums, vectorizer)

    def take_sums(
        self, sums: CorpusSums, vectorizer: Any, sample: Corpus | None = None
    ) -> SAETopicModel:
        """Learn topics from sums over documents that `vectorizer` counted the words of.

        A `sample` of the documents tells whether the encoder made the embeddings, and what
        `seed_topics` mean; without one, an encoder that has a name is believed.
        """
        assert sums.origin is not None
        named = self.encoder is not None or sums.origin.sae.encoder_name is not None
        matches, targets = cache(lambda: named), None
        if sample is not None:
            matches = cache(partial(is_made_by_encoder, self, sample))
            targets = find_targets(self, sample, matches)
        sae, vocabulary, sharpening = sums.origin
        atoms = AtomModel(
            sae,
            sums=replace(sums, origin=None),
            vocabulary=vocabulary,
            sharpening=sharpening,
            random_state=int(check_random_state(self.random_state).randint(2**31 - 1)),
            solver=self.solver,
            n_iter=self.emission_n_iter,
            device=str(self.device),
            label_targets=targets,
        )
        atoms = replace(atoms, word_vectors=find_word_vectors(self, atoms, matches))
        doc_atoms = sp.csr_matrix((0, sae.n_atoms), dtype=np.float32)
        topics = self.cut_atoms(atoms, doc_atoms, self.n_topics, self.merge)
        with all_or_nothing(self):
            self.atoms_, self.doc_atoms_, self.vectorizer_ = atoms, doc_atoms, vectorizer
            self.encoder_not_saved_ = self.vectorizer_not_saved_ = False
            self.chunk_ = self.passages_ = self.words_of_language_ = None
            self.set_topics(topics)
        warn_of_topics(self, self.n_topics)
        return self

    def relearn_words(self, bow: Any, vocabulary: Any, vectorizer: Any = None) -> Any:
        """Learn the words of the atoms anew, in another vocabulary; atoms and topics stay.

        Embeddings are not kept; what the atoms say of them is near enough to weigh words by.

        Parameters
        ----------
        bow : sparse matrix of shape (n, V)
            Counts of words in the fitted documents, or in their passages, :attr:`passages_`.
        vocabulary : sequence of str of length V
        vectorizer : fitted scikit-learn vectorizer, optional
            What counted them, for documents to come.
        """
        check_is_fitted(self, "topics_")
        rows = self.doc_atoms_
        if self.passages_ is not None and np.shape(bow)[:1] == self.passages_.atoms.shape[:1]:
            rows = self.passages_.atoms
        counts, words = check_bow(bow, vocabulary, rows.shape[0])
        atoms = self.atoms_.with_words(rows, counts, words)
        had_vectors = self.atoms_.word_vectors is not None
        atoms = replace(atoms, word_vectors=find_word_vectors(self, atoms, lambda: had_vectors))
        renewed = cuts.renew(atoms, self.topics_)
        with all_or_nothing(self):
            self.atoms_, self.vectorizer_, self.vectorizer_not_saved_ = atoms, vectorizer, False
            self.set_topics(renewed)
        return self

    def fit_transform(self, documents: Any = None, y: Any = None, **fit_params: Any) -> np.ndarray:
        """Fit, and return the mixtures of the fitted documents, as :meth:`transform` does."""
        return self.fit(documents, y, **fit_params).doc_topics_

    def transform(
        self,
        documents: Any = None,
        embeddings: Any = None,
        *,
        images: Any = None,
        chunk: Any = "fitted",
    ) -> np.ndarray:
        """Return the mixture of topics of each document.

        Parameters
        ----------
        documents : iterable of str, or None where `embeddings` or `images` are given
        embeddings : array-like of shape (n, d), or Passages, optional
        images : folder, or sequence of paths, PIL images or arrays, optional
            As in :meth:`fit`.
        chunk : "fitted", "auto", Chunker or None, default="fitted"
            How long texts are read, see :meth:`fit`; by default as there. The mixture of a text
            in passages is their mean, weighted by their tokens.

        Returns
        -------
        ndarray of shape (n, n_topics), float32
            Rows sum to 1; a document's row does not depend on its neighbours.
        """
        doc_atoms = self.transform_atoms(documents, embeddings, images=images, chunk=chunk)
        return self.topics_of(doc_atoms)[1]

    def fit_shards(
        self,
        source: Any,
        *,
        run_dir: str | os.PathLike[str],
        engine: str = "local",
        text_column: str | None = "text",
        n_workers: int | None = None,
    ) -> SAETopicModel:
        """Fit to documents that need not fit into memory; as :meth:`fit` of them all.

        Sums over parts of the documents are added up, so the topics are those of one fit with this
        autoencoder and vocabulary, however they are split. Documents are read four times: to check
        them, find copies and take the sample that atoms are trained on (unless `sae` is given); for
        the vocabulary; for the sums; and to write their topics. A run that was killed goes on.

        Parameters
        ----------
        source : path, Hugging Face Dataset or IterableDataset, or iterable of pyarrow batches
            Texts and their embeddings. A path is a folder of ``.npy`` shards as ``saetm embed``
            writes, or of ``.parquet`` or ``.arrow`` files with a column of embeddings.
        run_dir : path
            A new folder, or that of the run to go on with. Afterwards ``model`` in it is the saved
            model and ``documents`` the topics of all documents in Parquet: shard, row, topic,
            mixture.
        engine : {"local", "ray", "dask", "spark"}, default="local"
            Who does the work: processes of this machine, or a cluster whose machines all see
            `source` and `run_dir`.
        text_column : str, default="text"
            None: topics without words.
        n_workers : int, optional
            Processes of the engine "local".

        Returns
        -------
        SAETopicModel
            Without documents: :attr:`doc_atoms_`, :attr:`doc_topics_`, :attr:`labels_` have no
            rows.
        """
        from saetm_plugins.scale.run import fit_shards

        with all_or_nothing(self):
            return fit_shards(self, source, run_dir, engine, text_column, n_workers)

    def transform_shards(
        self,
        source: Any,
        out: str | os.PathLike[str],
        *,
        engine: str = "local",
        text_column: str | None = "text",
        n_workers: int | None = None,
    ) -> Any:
        """Write the topics of documents in shards to Parquet: shard, row, topic, mixture.

        Parameters
        ----------
        source, engine, text_column, n_workers
            As of :meth:`fit_shards`.
        out : path
            A folder, one file a part; what a call that was killed has written stays.
        """
        from saetm_plugins.scale.run import transform_shards

        check_is_fitted(self, "topics_")
        return transform_shards(self, source, out, engine, text_column, n_workers)

    def transform_atoms(
        self,
        documents: Any = None,
        embeddings: Any = None,
        *,
        images: Any = None,
        chunk: Any = "fitted",
    ) -> sp.csr_matrix:
        """Return the mixture of atoms of each document, (n, n_atoms), float32; rows sum to 1.

        Every cut of topics adds these up. Arguments are as in :meth:`transform`.
        """
        check_is_fitted(self, "topics_")
        corpus = read_documents(self, documents, embeddings, images, sae=self.sae_, chunk=chunk)
        corpus = corpus.with_blank(self.vectorizer_)
        corpus.warn_of_blank(self.where_blank_)
        row_atoms = self.atoms_.mixtures(corpus.embeddings)
        return corpus.per_document(without_atoms(row_atoms, corpus.blank))

    def outlier_scores(
        self,
        documents: Any = None,
        embeddings: Any = None,
        *,
        images: Any = None,
        chunk: Any = "fitted",
    ) -> np.ndarray:
        """Return how unlike the fitted documents each document is, from 0 to 1.

        The share of the fitted documents that lie nearer to the atoms than it does; each of these
        was compared with the others alone. Above .95 a document is about something else, most
        likely: of documents like the fitted ones 5 to 10 % are. Its mixture then says little.

        Parameters
        ----------
        documents, embeddings, images, chunk
            As in :meth:`transform`. A text in passages has the mean of their scores.

        Returns
        -------
        ndarray of shape (n,), float32
            NaN for blank texts.
        """
        check_is_fitted(self, "topics_")
        corpus = read_documents(self, documents, embeddings, images, sae=self.sae_, chunk=chunk)
        corpus = corpus.with_blank(self.vectorizer_)
        scores = self.atoms_.outlier_scores(corpus.embeddings)
        found = np.ravel(corpus.per_document(scores[:, None]))
        found[corpus.blank_documents] = np.nan
        return found

    def score(
        self, documents: Any = None, y: Any = None, *, embeddings: Any = None, bow: Any = None
    ) -> float:
        """Return how well topics predict the words of documents: mean log P(word | document).

        P(w | d) = π P0_w + (1 - π) Σ_t θ_dt P(w | t), with the background P0 and the mixture θ of
        :meth:`transform`. It is the held-out log-likelihood of a word, in nats: below 0, higher is
        better. (``LatentDirichletAllocation.score`` is a bound of the same, summed over all words.)
        Models are comparable where they have one vocabulary; a finer cut mostly scores higher,
        :func:`~saetm_plugins.analysis.suggest_n_topics` weighs that against coherence.

        Parameters
        ----------
        documents : iterable of str
            Not those fitted. Words outside of the vocabulary do not count.
        y : ignored
        embeddings : array-like of shape (n, d), or Passages, optional
            None encodes the documents.
        bow : sparse matrix of shape (n, V), optional
            Counts of the model's words, in place of the vectorizer's.
        """
        check_is_fitted(self, "topics_")
        warn_of_target(y)
        if self.vocabulary_ is None:
            raise ValueError("the model was fitted without documents, so its topics have no words")
        texts = None if documents is None else check_documents(documents)
        _, doc_topics = self.topics_of(self.transform_atoms(texts, embeddings))
        corpus = read_without_embeddings(texts, len(doc_topics))
        corpus = corpus.with_bow(bow, None if bow is None else self.vocabulary_)
        counts = corpus.count_words(self.vectorizer_, self.vocabulary_).counts
        assert counts is not None
        total, n_words = cuts.log_likelihood(self.atoms_, self.topics_, doc_topics, counts)
        if not n_words:
            raise ValueError("documents hold no word of the vocabulary")
        return total / n_words

    save = save_model
    load: Any = classmethod(load_model)


def _check_vectorizer_is_known(model: SAETopicModel, corpus: Corpus) -> None:
    """Refuse another way of counting words than that of the documents before."""
    is_lost = model.vectorizer_not_saved_ and model.vectorizer is None
    if is_lost and corpus.counts is None and corpus.texts:
        raise ValueError(
            "documents need the vectorizer that the model was fitted with, whose settings "
            "could not be saved: pass it as load(path, vectorizer=…), or give bow"
        )
