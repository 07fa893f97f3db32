"""``SaeModel``: a fitted or trainable SAE topic model with the face of gensim's ``LdaModel``.

It is an ``LdaModel`` by inheritance because code written for one asks ``isinstance``:
``LdaModel.diff``, tmplot and others. The topics of an LdaModel are its ``state``, Dirichlet
parameters of topics over words. Methods that read the state alone are inherited; those that infer
or learn by variational Bayes are replaced.

The model (SAE-TM, arXiv 2511.16309, sec. 4): P(w|d) = π P0_w + (1 − π) Σ_k θ_dk B_kw over atoms k,
which weights W merge into topics. In LdaModel's terms

- ``state.sstats[t]``: the expected words of topic t in the documents seen, distributed as
  ``SAETopicModel.components_[t]``; ``state.get_lambda() = eta + sstats``; ``get_topics()`` its rows
  normalised. (Weighted words: the emissions count frequent words less.)
- ``alpha``: a document's prior over topics, spread over each topic's atoms by their prevalence.
- gamma, of ``inference``: a document's mixture times (Σ alpha + (1 − π) × its words).
"""

from __future__ import annotations

import copy
import logging
import numbers
import os
from collections.abc import Iterable
from typing import Any

import numpy as np
from gensim import utils
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.corpus.chunker import check_chunk
from saetm_plugins.gensim.bags import (
    blocks_beside,
    check_lengths,
    flatten_bags,
    flatten_corpus,
    gather_beside,
)
from saetm_plugins.gensim.documents import TopicsOfDocuments
from saetm_plugins.gensim.priors import make_alpha
from saetm_plugins.gensim.words import WordColumns, make_dictionary
from saetm_plugins.model import SAETopicModel
from saetm_plugins.validation import (
    all_or_nothing,
    check_choice,
    check_count,
    check_dense_size,
    check_not_negative,
    check_path,
)

logger = logging.getLogger(__name__)

# Parameters of LdaModel's and LdaMulticore's training, with their defaults: accepted so that a
# script needs no change, and of no effect here.
_LDA_TRAINING: dict[str, Any] = {
    "batch": False,
    "callbacks": None,
    "chunks_as_numpy": False,
    "decay": 0.5,
    "distributed": False,
    "dtype": np.float32,
    "eval_every": 10,
    "ns_conf": None,
    "offset": 1.0,
    "passes": 1,
    "update_every": 1,
    "workers": None,
}


class SaeModel(TopicsOfDocuments):
    """SAE topic model for gensim: trained once, cut into any number of topics at will.

    Parameters
    ----------
    corpus : iterable of list of (int, number), optional
        Bags of words to train on, read once: a list, a generator, a corpus on disk. None leaves
        the model untrained until :meth:`update`.
    num_topics : int or "auto", default=100
        Topics of the first cut; :meth:`retopic` changes it at any time.
    id2word : Dictionary or dict of int to str, optional
        Gaps are fine. None numbers the words of `corpus`.
    documents : iterable of str or of list of str, optional
        The texts (or tokens) of `corpus`, in its order, for the encoder.
    embeddings : array-like of shape (n, d), optional
        Their embeddings, if ready-made. Training needs one of the two.
    encoder, sae
        As in :class:`saetm_plugins.SAETopicModel`.
    alpha : {"auto", "symmetric", "asymmetric"}, float or array-like of shape (num_topics,)
        Prior over the topics of a document, in words; "auto" is the topics' prevalence. It steers
        what is inferred from bags.
    eta : {"symmetric", "auto"}, float or array-like
        Words each topic is given beforehand, of shape (num_terms,) or (num_topics, num_terms);
        "symmetric" (and None) is 1 / num_topics of each, "auto" as many in all, in the
        proportions of the background. It smoothes ``get_topics()``, so that
        no word is impossible.
    chunksize : int, default=2000
        Documents held at once by :meth:`update`, :meth:`inference` and ``model[corpus]``.
    minimum_probability, minimum_phi_value, per_word_topics
        As in ``LdaModel``.
    iterations, gamma_threshold
        As in ``LdaModel``: when :meth:`bound` stops to fit a document.
    inference_passes : int, default=3
        Passes of EM over a bag to infer its atoms. Few agree best with what the encoder sees; many
        find the likeliest mixture, which is sparser.
    random_state : int, RandomState or None, default=0
    chunk : "auto", Chunker or None, default="auto"
        How texts longer than the encoder's input are split, see
        :meth:`saetm_plugins.SAETopicModel.fit`.
    **options
        Further parameters of :class:`saetm_plugins.SAETopicModel` (``n_atoms``, ``merge``, …).
        Parameters of LdaModel's own training (``passes``, ``workers``, …) are accepted, logged
        and without effect.

    Attributes
    ----------
    estimator : SAETopicModel
    state : gensim.models.ldamodel.LdaState
    num_terms : int
        One more than the highest id of `id2word`.

    References
    ----------
    Girrbach & Akata, "Sparse autoencoders are topic models", ICML 2026, arXiv 2511.16309.
    """

    def __init__(
        self,
        corpus: Iterable[Any] | None = None,
        num_topics: Any = 100,
        id2word: Any = None,
        *,
        documents: Any = None,
        embeddings: Any = None,
        encoder: Any = None,
        sae: Any = "auto",
        alpha: Any = "auto",
        eta: Any = None,
        chunksize: int = 2000,
        minimum_probability: float = 0.01,
        minimum_phi_value: float = 0.01,
        per_word_topics: bool = False,
        iterations: int = 50,
        gamma_threshold: float = 0.001,
        inference_passes: int = 3,
        random_state: Any = 0,
        chunk: Any = "auto",
        **options: Any,
    ):
        if corpus is None and id2word is None:
            raise ValueError("corpus and id2word are both None; at least one must name the words")
        num_topics = _check_num_topics(num_topics)
        self.chunk = check_chunk(chunk)
        self.set_settings(
            alpha=alpha,
            eta=eta,
            chunksize=chunksize,
            minimum_probability=minimum_probability,
            minimum_phi_value=minimum_phi_value,
            per_word_topics=per_word_topics,
            iterations=iterations,
            gamma_threshold=gamma_threshold,
            inference_passes=inference_passes,
            random_state=random_state,
            training={name: options[name] for name in _LDA_TRAINING if name in options},
        )
        self.estimator = SAETopicModel(
            n_topics=num_topics,
            encoder=encoder,
            sae=sae,
            random_state=self.seed,
            **_estimator_options(options),
        )
        # The caller's dictionary may grow, or be filtered; the words learned must stay.
        self.num_topics, self.id2word = num_topics, copy.deepcopy(id2word)
        if id2word is not None:
            self._number_words()
        if num_topics != "auto":  # until it is trained, topics are the prior alone
            n_words = 1 if id2word is None else self.num_terms
            what = "words of topics"  # more than LdaModel's tables of them can hold
            check_dense_size((num_topics, n_words), what, "a smaller num_topics", bytes_each=16)
            prevalence = np.full(num_topics, 1 / num_topics)
            make_alpha(alpha, prevalence)  # a wrong one raises before the work of training
            if id2word is not None:
                n_words = self.word_columns.n_words
                words = np.zeros((1, n_words), dtype=np.float32)
                self._set_state(prevalence, words, np.ones(n_words, dtype=np.float32), 0)
        if corpus is not None:
            self.update(corpus, documents=documents, embeddings=embeddings)
            self.add_lifecycle_event("created", msg=f"trained {self}")

    @classmethod
    def from_model(cls, model: SAETopicModel, id2word: Any = None, **settings: Any) -> SaeModel:
        """Wrap a copy of a fitted topic model; no change of one changes the other.

        Parameters
        ----------
        model : SAETopicModel
            Fitted with words.
        id2word : Dictionary or dict of int to str, optional
            Names words by its ids; words that the model lacks are left out. None makes a
            Dictionary of the model's vocabulary.
        **settings
            Parameters of this class that are not about training: ``alpha``, ``chunksize``, …
        """
        if not isinstance(model, SAETopicModel):
            raise TypeError(f"model must be a SAETopicModel; found {type(model).__name__}")
        check_is_fitted(model, "atom_topics_")
        if model.components_ is None:
            raise ValueError("model was fitted without documents, so its topics have no words")
        words = [str(word) for word in model.vocabulary_]
        if id2word is None:
            id2word = make_dictionary(words, int(model.n_documents_seen_))
        wrapped = cls(id2word=id2word, num_topics=model.n_topics_, **settings)
        wrapped.adopt(copy.copy(model), WordColumns.match(id2word, words))
        return wrapped

    @property
    def sae_model_(self) -> SAETopicModel:
        """The estimator, under the name it has in every adapter."""
        return self.estimator

    def __str__(self) -> str:
        n_atoms = self.estimator.sae_.n_atoms if self._is_trained() else "untrained"
        return (
            f"{type(self).__name__}<num_terms={getattr(self, 'num_terms', None)}, "
            f"num_topics={self.num_topics}, num_atoms={n_atoms}, chunksize={self.chunksize}>"
        )

    def update(
        self,
        corpus: Iterable[Any],
        chunksize: int | None = None,
        *,
        documents: Any = None,
        embeddings: Any = None,
        **training: Any,
    ) -> None:
        """Train on a first corpus, or go on learning words and prevalence from a further one.

        The first call trains atoms and needs `documents` or `embeddings`; its corpus is held in
        memory as arrays. Further ones stream: atoms, vocabulary and the cut into topics stay, and
        documents known only as bags get their atoms from their words.

        Parameters
        ----------
        corpus : iterable of list of (int, number)
            Read once.
        chunksize : int, optional
            Documents learned from at once; None means the model's.
        documents, embeddings : optional
            As of the constructor, in the order of `corpus`; streams too.
        **training
            LdaModel's own (``passes``, ``decay``, …), without effect.
        """
        unknown = sorted(set(training) - set(_LDA_TRAINING) - {"iterations", "gamma_threshold"})
        if unknown:
            raise TypeError(f"update() got unknown arguments: {', '.join(unknown)}")
        size = check_count(self.chunksize if chunksize is None else chunksize, "chunksize")
        with all_or_nothing(self, self.estimator):
            if self._is_trained():
                n_read = self._learn(blocks_beside(corpus, documents, embeddings, size))
            else:
                n_read = self._train(corpus, documents, embeddings)
            if n_read == 0:
                logger.warning("SaeModel.update() called with an empty corpus")
                return
            self.num_updates += n_read
            self._refresh()

    def retopic(self, num_topics: int | str, merge: str | None = None) -> SaeModel:
        """Cut the atoms into another number of topics, in place; nothing is retrained.

        See :meth:`saetm_plugins.SAETopicModel.retopic`. Where `alpha` or `eta` was given as an
        array, another number of topics is an AssertionError.
        """
        num_topics = _check_num_topics(num_topics)
        with all_or_nothing(self, self.estimator):
            self.estimator.retopic(num_topics, merge)
            self._refresh()
        return self

    def save(
        self, fname: str | os.PathLike[str], ignore: Any = (), *args: Any, **kwargs: Any
    ) -> None:
        """Save the model as a folder of safetensors and JSON; one saved there before is replaced.

        ``ignore="id2word"`` leaves the dictionary out. All else that ``LdaModel.save`` takes is
        accepted, without effect.
        """
        from saetm_plugins.gensim.files import save_files

        self._check_trained()
        check_path(fname, "fname")
        ignored = [ignore] if isinstance(ignore, str) else ignore or ()
        with all_or_nothing(self):
            events = getattr(self, "lifecycle_events", [])
            self.lifecycle_events = None if events is None else list(events)
            self.add_lifecycle_event("saving", fname_or_handle=_written(fname))
            save_files(self, fname, with_id2word="id2word" not in ignored)

    @classmethod
    def load(
        cls, fname: str | os.PathLike[str], mmap: str | None = None, *, encoder: Any = None
    ) -> SaeModel:
        """Load a model saved by :meth:`save`; no file is ever unpickled.

        `mmap` is accepted, without effect. `encoder`, a name or an object with ``encode``, is
        needed for texts when the model was trained with an encoder object.
        """
        from saetm_plugins.gensim.files import load_files

        model = load_files(cls, fname, encoder)
        model.add_lifecycle_event("loaded", fname=_written(fname))
        return model

    def set_settings(self, *, training: dict[str, Any], random_state: Any, **settings: Any) -> None:
        """Set the parameters; alpha and eta are kept as given, as they depend on the topics."""
        for name, value in {**_LDA_TRAINING, **training}.items():
            setattr(self, name, value)
        if training:
            logger.info("without effect on SaeModel: %s", ", ".join(training))
        self.dtype = np.dtype(np.float32)
        self.alpha_given, self.eta_given = settings.pop("alpha"), settings.pop("eta")
        for name in ("minimum_probability", "minimum_phi_value", "gamma_threshold"):
            if settings[name] is not None or name != "minimum_phi_value":
                check_not_negative(settings[name], name)
        for name, least in (("iterations", 0), ("chunksize", 1), ("inference_passes", 1)):
            check_count(settings[name], name, minimum=least)
        for name, value in settings.items():
            setattr(self, name, value)
        self.optimize_alpha = self.optimize_eta = False
        self.num_updates, self.state = 0, None
        if random_state is None:  # which to gensim means the global generator
            random_state = np.random.RandomState()
        if not isinstance(random_state, numbers.Integral):
            random_state = check_random_state(random_state).randint(2**31 - 1)
        check_random_state(random_state)
        self.seed = int(random_state)
        self.random_state = np.random.RandomState(self.seed)

    def adopt(self, estimator: SAETopicModel, columns: WordColumns) -> None:
        """Take over a fitted estimator."""
        self.estimator, self.word_columns = estimator, columns
        self.chunk = estimator.chunk_
        self.num_terms = len(columns.columns)
        self._refresh()

    def _refresh(self) -> None:
        """Renew the attributes that LdaModel's code reads, from the estimator."""
        estimator = self.estimator
        expected = estimator.atom_topics_.T @ estimator.emissions_.atom_mass
        self._set_state(
            estimator.topic_prevalence_,
            expected[:, None] * estimator.components_,
            estimator.background_,
            int(estimator.n_documents_seen_),
        )

    def _number_words(self) -> None:
        self.word_columns, self._words = WordColumns.number(self.id2word)
        self.num_terms = len(self.word_columns.columns)

    def _train(self, corpus: Iterable[Any], documents: Any, embeddings: Any) -> int:
        """Fit the estimator; return the number of documents."""
        if documents is None and embeddings is None:
            raise ValueError(
                "a corpus alone has no meaning: give documents= (the texts, for the encoder) or "
                "embeddings=; or wrap a trained model by SaeModel.from_model"
            )
        check_lengths(corpus, documents, embeddings)
        texts, vectors = gather_beside(documents, embeddings)
        bags = flatten_corpus(corpus)
        n_documents = len(bags.lengths)
        check_lengths(bags.lengths, texts, vectors)
        if n_documents == 0:
            if self.id2word is None:
                raise ValueError("corpus is empty and id2word is None, so there are no words")
            return 0
        if self.id2word is None:
            logger.warning("no id2word; words are named by their ids in the corpus")
            self.id2word = utils.FakeDict(int(bags.ids.max(initial=-1)) + 1)
            self._number_words()
        self.word_columns.check(bags)
        self.estimator.fit(
            texts,
            embeddings=vectors,
            bow=self.word_columns.count(bags),
            vocabulary=self._words,
            chunk=self.chunk,
        )
        return n_documents

    def _learn(self, stream: Iterable[Any]) -> int:
        """Go on learning, block by block; return the number of documents."""
        n_documents = 0
        for bags, texts, vectors in stream:
            flat = flatten_bags(bags)
            self.word_columns.check(flat)
            counts = self.word_columns.count(flat)
            by_words = texts is None and vectors is None
            self.estimator.partial_fit(
                texts,
                embeddings=vectors,
                bow=counts,
                vocabulary=self.estimator.vocabulary_,
                doc_atoms=self._atoms_of_words(counts) if by_words else None,
            )
            n_documents += len(bags)
        return n_documents


def _check_num_topics(num_topics: Any) -> Any:
    """Return a number of topics, or "auto"."""
    if isinstance(num_topics, str):
        return check_choice(num_topics, "num_topics", ("auto",))
    return check_count(num_topics, "num_topics")


def _written(fname: str | os.PathLike[str]) -> str:
    """Return a path as text for JSON, undecodable bytes replaced."""
    return os.fsencode(fname).decode("utf-8", "replace")


def _estimator_options(options: dict[str, Any]) -> dict[str, Any]:
    """Return the options that are parameters of SAETopicModel; refuse unknown ones."""
    own = set(SAETopicModel().get_params()) - {"n_topics", "vectorizer"}
    unknown = sorted(set(options) - own - set(_LDA_TRAINING))
    if unknown:
        raise TypeError(f"SaeModel got unknown parameters: {', '.join(unknown)}")
    return {name: value for name, value in options.items() if name in own}
