"""The topic model as an OCTIS model; OCTIS' contract is that of ``octis.models.LDA``."""

from __future__ import annotations

import inspect
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.atoms.choice import given_sae
from saetm_plugins.corpus.chunker import check_chunk
from saetm_plugins.corpus.passages import Passages
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.mixtures import mix_topics
from saetm_plugins.octis import compat
from saetm_plugins.octis.data import (
    Documents,
    cache_path,
    count_tokens,
    digest,
    encode_cached,
    read_cached,
    read_embeddings,
    read_partitions,
    read_tokens,
    read_vocabulary,
    write_cached,
)
from saetm_plugins.octis.settings import (
    CITATION,
    FIT_SETTINGS,
    SAE_SETTINGS,
    WORD_SETTINGS,
    check_hyperparameters,
)
from saetm_plugins.validation import as_list, check_count, check_embeddings

compat.apply()

from octis.models.model import AbstractModel  # noqa: E402

SMALLEST = 1e-9  # added to probabilities of words, so that none is zero
KEPT = 8  # fitted models; the oldest goes first


class Fitted(NamedTuple):
    """A fitted model, with the documents (by their digest) and the settings it was fitted with."""

    documents: str
    settings: Mapping[str, Any]
    model: SAETopicModel


class SAETM(AbstractModel):
    """Sparse-autoencoder topic model for OCTIS: ``Optimizer``, metrics, experiment manager.

    Stages are kept between calls of :meth:`train_model`: a trial that changes ``num_topics`` or
    ``merge`` alone re-cuts, one that changes the emission keeps the autoencoder.

    Parameters
    ----------
    num_topics : int or "auto", default=50
    n_atoms, k, activation, merge, sharpening, word_vectors, solver, emission_n_iter, device
        As in :class:`saetm_plugins.SAETopicModel`.
    encoder : str or object with ``encode(list[str])``, optional
        Embeds the documents; an object is no hyperparameter, so a search over it cannot be resumed.
    embeddings_path : str, optional
        A ``.npy`` file with the embeddings of the dataset's documents, in its order.
    cache_folder : str, optional
        Where embeddings are kept, by content; None means ``~/.cache/saetm-plugins``.
    random_state : int or None, default=0
        None: calls with equal hyperparameters take the seeds 0, 1, 2, … (OCTIS' ``model_runs``).
    use_partitions : bool, default=True
        Train on the training partition, infer the test partition.
    documents : list of str, optional
        Raw texts to embed in place of the joined tokens, in the dataset's order.
    embeddings : array-like of shape (n, d), optional
        Embeddings of all documents of the dataset, in its order.
    sae
        As in :class:`saetm_plugins.SAETopicModel`; an autoencoder object is no hyperparameter.
    chunk
        As in :meth:`saetm_plugins.SAETopicModel.fit`; no hyperparameter.

    Attributes
    ----------
    hyperparameters : dict
    trained_model : SAETopicModel
        The model of the last call; the next call may cut it anew.
    """

    def __init__(
        self,
        num_topics: int | str = 50,
        n_atoms: int | None = None,
        k: int | None = None,
        activation: str = "batch_topk",
        merge: str = "auto",
        sharpening: float | None = None,
        word_vectors: str = "auto",
        solver: str = "em",
        emission_n_iter: int | None = None,
        encoder: Any = None,
        embeddings_path: str | None = None,
        cache_folder: str | None = None,
        random_state: int | None = 0,
        device: str = "auto",
        use_partitions: bool = True,
        *,
        documents: Any = None,
        embeddings: Any = None,
        sae: Any = "auto",
        chunk: Any = "auto",
    ):
        super().__init__()
        named = encoder is None or isinstance(encoder, str)
        self.hyperparameters = check_hyperparameters(
            {
                "num_topics": num_topics,
                "n_atoms": n_atoms,
                "k": k,
                "activation": activation,
                "merge": merge,
                "sharpening": sharpening,
                "word_vectors": word_vectors,
                "solver": solver,
                "emission_n_iter": emission_n_iter,
                "encoder": encoder if named else None,
                "embeddings_path": embeddings_path,
                "cache_folder": cache_folder,
                "random_state": random_state,
                "device": device,
                "sae": None if isinstance(sae, SparseAutoencoder) else sae,
            }
        )
        self.use_partitions = use_partitions
        self.update_with_test = False
        self._encoder = None if named else encoder
        self._sae = given_sae(sae)
        self._documents = None if documents is None else as_list(documents, "documents", "texts")
        self._embeddings = embeddings
        self._chunk = check_chunk(chunk)
        self._fitted: deque[Fitted] = deque(maxlen=KEPT)
        self._runs: Counter[tuple[Any, ...]] = Counter()
        self._read_before: Documents | None = None

    def info(self) -> dict[str, str]:
        """Return name and citation, as OCTIS' models do."""
        return {"citation": CITATION, "name": "SAETM, sparse-autoencoder topic model"}

    def hyperparameters_info(self) -> str:
        """Return a description of the hyperparameters, as OCTIS' models do."""
        return inspect.cleandoc(SAETM.__doc__ or "")

    def set_hyperparameters(self, **kwargs: Any) -> None:
        """Set hyperparameters by name; all of them, or none where one is not legal."""
        self.hyperparameters = check_hyperparameters({**self.hyperparameters, **kwargs})

    def partitioning(self, use_partitions: bool, update_with_test: bool = False) -> None:
        """Choose one of OCTIS' three modes.

        Parameters
        ----------
        use_partitions : bool
            False trains on all documents.
        update_with_test : bool
            With partitions: after training, words and topics are learned again from training and
            test documents, the autoencoder staying as it is.
        """
        self.use_partitions = use_partitions
        self.update_with_test = update_with_test

    def train_model(
        self,
        dataset: Any,
        hyperparameters: Mapping[str, Any] | None = None,
        top_words: int = 10,
    ) -> dict[str, Any]:
        """Train, or cut anew what was trained before.

        Parameters
        ----------
        dataset : octis.dataset.dataset.Dataset
        hyperparameters : mapping, optional
            Taken over into :attr:`hyperparameters`, as OCTIS' models do.
        top_words : int, default=10
            Words per topic; 0 leaves out ``topics``.

        Returns
        -------
        dict
            ``topics`` (list of lists of words); ``topic-word-matrix`` (T, V), columns in the order
            of the dataset's vocabulary, rows sum to 1, nowhere zero; ``topic-document-matrix``
            (T, n of training). With partitions also ``test-topic-document-matrix`` (T, n of test).
            With ``update_with_test`` also ``test-topics`` and ``test-topic-word-matrix``, and the
            test matrix then covers training and test documents, as in OCTIS' LDA.
        """
        settings = check_hyperparameters({**self.hyperparameters, **(hyperparameters or {})})
        top_words = check_count(top_words, "top_words", minimum=0)
        documents = self._read(dataset, settings)
        train, test = slice(0, len(documents.texts)), None
        if self.use_partitions:
            train, test = read_partitions(dataset)
        trained_on = documents.rows(train)
        seed = self._seed(trained_on, settings)
        model = self._fit(trained_on, settings, seed)
        model.retopic(settings["num_topics"], merge=settings["merge"])
        self.hyperparameters = settings
        self.trained_model = model
        output = _describe(model, top_words)
        if test is None:
            return output
        if self.update_with_test:
            updated = self._fit(
                trained_on.followed_by(documents.rows(test)), settings, seed, model.sae_
            )
            updated.retopic(settings["num_topics"], merge=settings["merge"])
            self.trained_model = updated
            found = _describe(updated, top_words)
            return output | {f"test-{key}": value for key, value in found.items()}
        mixtures = np.zeros((0, model.n_topics_), dtype=np.float32)
        if test.start < test.stop:
            unseen = documents.rows(test)
            doc_atoms = model.transform_atoms(unseen.texts, unseen.embeddings)
            mixtures = mix_topics(doc_atoms, model.atom_topics_, model.topic_prevalence_)
        return output | {"test-topic-document-matrix": mixtures.T}

    def _read(self, dataset: Any, settings: Mapping[str, Any]) -> Documents:
        """Read all documents of the dataset; what was read before, where nothing has changed."""
        tokens = read_tokens(dataset)
        vocabulary = read_vocabulary(dataset, tokens)
        if self._documents is not None and len(self._documents) != len(tokens):
            raise ValueError(
                f"documents has {len(self._documents)} texts for {len(tokens)} documents"
            )
        # Of an array every byte counts; a file's and an encoder's output are read once.
        given: Any = settings["embeddings_path"]
        source: str | bytes = str(given)
        if self._embeddings is not None:
            given = check_embeddings(self._embeddings, n_rows=len(tokens))
            source = given.tobytes()
        content = digest("\x1e".join(map("\x1f".join, tokens)))
        name = digest(content, "\x1e".join(vocabulary), source, str(settings["encoder"]))
        if self._read_before is None or self._read_before.digest != name:
            bow = count_tokens(tokens, vocabulary)
            texts = self._documents or [" ".join(words) for words in tokens]
            embeddings: np.ndarray | Passages
            if given is not None:
                embeddings = read_embeddings(given, len(tokens), bow)
            else:
                encoder = self._encoder or settings["encoder"]
                folder = settings["cache_folder"]
                embeddings = encode_cached(texts, encoder, settings["device"], folder, self._chunk)
            self._read_before = Documents(texts, embeddings, bow, vocabulary, name)
        return self._read_before

    def _seed(self, documents: Documents, settings: Mapping[str, Any]) -> int:
        """Return the seed of this call."""
        if settings["random_state"] is not None:
            return settings["random_state"]
        key = (documents.digest, *settings.values())
        self._runs[key] += 1
        return self._runs[key] - 1

    def _fit(
        self, documents: Documents, settings: Mapping[str, Any], seed: int, sae: Any = None
    ) -> SAETopicModel:
        """Return a model fitted with these settings, from memory where there is one."""
        settings = {**settings, "random_state": seed}
        model = self._find(documents, settings, (*FIT_SETTINGS, "random_state"))
        if model is not None:
            return model
        akin = self._find(documents, settings, (*SAE_SETTINGS, "random_state"))
        sae = sae or self._sae or (settings["sae"] if akin is None else akin.sae_)
        words = self._known_words(documents, settings)
        chosen = {name: settings[name] for name in (*FIT_SETTINGS, "merge", "random_state")}
        chosen |= {"sae": sae, "word_vectors": words}
        chosen["encoder"] = self._encoder or settings["encoder"]
        # One topic: the cut follows, and one that is refused must not cost the training.
        model = SAETopicModel(n_topics=1, language=None, **chosen)  # the words are counted already
        model.fit(
            documents.texts,
            embeddings=documents.embeddings,
            bow=documents.bow,
            vocabulary=documents.vocabulary,
            chunk=None,  # long texts are split already
        )
        model.chunk_ = self._chunk  # for texts to come
        vectors = model.atoms_.word_vectors
        if isinstance(words, str) and vectors is not None and self._encoder is None:
            write_cached(_words_path(documents, settings), vectors)
        self._fitted.append(Fitted(documents.digest, settings, model))
        return model

    def _find(
        self, documents: Documents, settings: Mapping[str, Any], names: Sequence[str]
    ) -> SAETopicModel | None:
        """Return the last model of these documents that agrees in the settings named."""
        for fitted in reversed(self._fitted):
            if fitted.documents == documents.digest and all(
                fitted.settings[name] == settings[name] for name in names
            ):
                return fitted.model
        return None

    def _known_words(
        self, documents: Documents, settings: Mapping[str, Any]
    ) -> str | dict[str, np.ndarray]:
        """Return the vectors found for these words before, else the setting that finds them.

        Encoding words takes longer than all the rest of a fit that keeps the autoencoder.
        """
        if settings["word_vectors"] == "corpus":
            return "corpus"
        vectors = None
        akin = self._find(documents, settings, WORD_SETTINGS)
        if akin is not None:
            vectors = akin.atoms_.word_vectors
            if vectors is None:
                return "corpus"
        elif self._encoder is None:
            vectors = read_cached(_words_path(documents, settings), len(documents.vocabulary))
        if vectors is None:
            return settings["word_vectors"]
        return {  # a row of zeros is a word without a vector
            documents.vocabulary[word]: vectors[word]
            for word in np.flatnonzero(vectors.any(axis=1))
        }


def _words_path(documents: Documents, settings: Mapping[str, Any]) -> Path:
    """Return the folder that caches the vectors of the vocabulary's words."""
    name = digest(documents.digest, settings["word_vectors"], str(settings["encoder"]))
    return cache_path(settings["cache_folder"], f"words-{name}")


def _describe(model: SAETopicModel, top_words: int) -> dict[str, Any]:
    """Return the model's output under OCTIS' names."""
    # OCTIS' LogOddsRatio takes the logarithm of every entry, and a merge may leave zeros.
    topic_words = model.components_ + SMALLEST
    output: dict[str, Any] = {
        "topic-word-matrix": topic_words / topic_words.sum(axis=1, keepdims=True),
        "topic-document-matrix": model.doc_topics_.T,
    }
    if top_words > 0:
        output["topics"] = model.get_topics(top_words)
    return output


compat.OUR_CLASSES["SAETM"] = SAETM
