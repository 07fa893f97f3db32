"""The topic model as an OCTIS model; OCTIS' contract is that of ``octis.models.LDA``."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

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
    HYPERPARAMETERS_INFO,
    SAE_SETTINGS,
    check_hyperparameters,
)
from saetm_plugins.validation import as_list, check_count, check_embeddings

compat.apply()

from octis.models.model import AbstractModel  # noqa: E402

SMALLEST = 1e-9  # added to probabilities of words, so that none is zero
KEPT = 8  # fitted models, autoencoders held at once; the oldest goes first


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
    sae : "auto", "default", SparseAutoencoder or None, default="auto"
        Where atoms come from, see :class:`saetm_plugins.SAETopicModel`; an autoencoder is no
        hyperparameter.
    chunk : "auto", Chunker or None, default="auto"
        How texts are read that are longer than the encoder reads: in passages, among which their
        words are shared out, see :meth:`saetm_plugins.SAETopicModel.fit`. No hyperparameter.
        Embeddings leave nothing to split.

    Attributes
    ----------
    hyperparameters : dict
    trained_model : SAETopicModel
        The model of the last call; the next call may cut it anew.

    Raises
    ------
    TypeError, ValueError
        When a hyperparameter is of the wrong type or value; names it.
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
        self._models: OrderedDict[tuple[Any, ...], SAETopicModel] = OrderedDict()
        self._saes: OrderedDict[tuple[Any, ...], Any] = OrderedDict()
        self._words: OrderedDict[Path, str | dict[str, np.ndarray]] = OrderedDict()
        self._runs: Counter[tuple[Any, ...]] = Counter()
        self._inferred: OrderedDict[tuple[Any, ...], sp.csr_matrix] = OrderedDict()
        self._tokens_before: tuple[list[list[str]], str] | None = None
        self._read_before: Documents | None = None

    def info(self) -> dict[str, str]:
        """Return name and citation, as OCTIS' models do."""
        return {"citation": CITATION, "name": "SAETM, sparse-autoencoder topic model"}

    def hyperparameters_info(self) -> str:
        """Return what each hyperparameter is, as OCTIS' models do."""
        return HYPERPARAMETERS_INFO

    def set_hyperparameters(self, **kwargs: Any) -> None:
        """Set hyperparameters by name.

        Raises
        ------
        TypeError, ValueError
            When one is unknown or of the wrong type; none is then changed.
        """
        self.hyperparameters = check_hyperparameters({**self.hyperparameters, **kwargs})

    def partitioning(self, use_partitions: bool, update_with_test: bool = False) -> None:
        """Choose one of OCTIS' three modes.

        Parameters
        ----------
        use_partitions : bool
            False trains on the whole dataset.
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

        Raises
        ------
        TypeError, ValueError
            When a hyperparameter is not legal, or the dataset is empty, lacks the partitions
            asked for, or does not fit the embeddings given.
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
            doc_atoms = self._infer(model, trained_on, documents.rows(test), settings, seed)
            mixtures = mix_topics(doc_atoms, model.atom_topics_, model.topic_prevalence_)
        return output | {"test-topic-document-matrix": mixtures.T}

    def _read(self, dataset: Any, settings: Mapping[str, Any]) -> Documents:
        """Read the whole dataset; embeddings by content from memory, from disk, or made."""
        tokens, content = self._read_tokens(dataset)
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

    def _read_tokens(self, dataset: Any) -> tuple[list[list[str]], str]:
        """Read the documents' words; comparing them with those read before is cheap, naming not."""
        given, before = dataset.get_corpus(), self._tokens_before
        if before is None or not isinstance(given, list) or given != before[0]:
            tokens, content = read_tokens(dataset)
            # A copy: the dataset's own lists may be changed in place.
            before = self._tokens_before = [list(words) for words in tokens], content
        return before

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
        key = (documents.digest, seed, *(settings[name] for name in FIT_SETTINGS))
        sae_key = (documents.digest, seed, *(settings[name] for name in SAE_SETTINGS))
        if key not in self._models:
            chosen = {name: settings[name] for name in FIT_SETTINGS}
            chosen["sae"] = sae or self._sae or self._saes.get(sae_key, settings["sae"])
            chosen["encoder"] = self._encoder or settings["encoder"]
            words_path = self._words_path(documents, settings)
            chosen["word_vectors"] = self._known_words(documents, settings, words_path)
            # One topic: the cut follows, and one that is refused must not cost the training.
            model = SAETopicModel(
                n_topics=1,
                random_state=seed,
                merge=settings["merge"],
                language=None,  # the words are counted already
                **chosen,
            )
            self._models[key] = model.fit(
                documents.texts,
                embeddings=documents.embeddings,
                bow=documents.bow,
                vocabulary=documents.vocabulary,
                chunk=None,  # the long ones are split already
            )
            self._models[key].chunk_ = self._chunk  # of texts to come
            self._saes[sae_key] = model.sae_
            self._keep_words(model, words_path)
        self._models.move_to_end(key)
        for kept in (self._models, self._saes, self._words):
            _forget(kept)
        return self._models[key]

    def _infer(
        self,
        model: SAETopicModel,
        trained_on: Documents,
        documents: Documents,
        settings: Mapping[str, Any],
        seed: int,
    ) -> sp.csr_matrix:
        """Return the atoms of documents not trained on, which no cut changes."""
        chosen = (settings[name] for name in (*SAE_SETTINGS, "sharpening"))
        key = (trained_on.digest, documents.digest, seed, *chosen)
        if key not in self._inferred:
            self._inferred[key] = model.transform_atoms(documents.texts, documents.embeddings)
            _forget(self._inferred)
        return self._inferred[key]

    def _words_path(self, documents: Documents, settings: Mapping[str, Any]) -> Path:
        """Return where the vectors of the vocabulary's words are cached."""
        name = digest(documents.digest, settings["word_vectors"], str(settings["encoder"]))
        return cache_path(settings["cache_folder"], f"words-{name}")

    def _known_words(
        self, documents: Documents, settings: Mapping[str, Any], path: Path
    ) -> str | dict[str, np.ndarray]:
        """Return the vectors found for these words before, else the setting that finds them.

        Encoding words takes longer than all the rest of a fit that keeps the autoencoder.
        """
        if settings["word_vectors"] == "corpus":
            return "corpus"
        if path not in self._words and self._encoder is None:
            vectors = read_cached(path, len(documents.vocabulary))
            if vectors is not None:
                self._words[path] = _as_mapping(documents.vocabulary, vectors)
        return self._words.get(path, settings["word_vectors"])

    def _keep_words(self, model: SAETopicModel, path: Path) -> None:
        """Keep the vectors a model found, if it found any; on disk if a named encoder made them."""
        vectors = model.atoms_.word_vectors
        if vectors is None:
            self._words[path] = "corpus"
        elif path not in self._words:
            self._words[path] = _as_mapping(model.vocabulary_, vectors)
            if self._encoder is None:
                write_cached(path, vectors)


def _forget(kept: OrderedDict[Any, Any]) -> None:
    """Drop the oldest beyond what is kept."""
    while len(kept) > KEPT:
        kept.popitem(last=False)


def _as_mapping(words: Any, vectors: np.ndarray) -> dict[str, np.ndarray]:
    """Return vectors by word; a row of zeros is a word without a vector."""
    return {words[place]: vectors[place] for place in np.flatnonzero(vectors.any(axis=1))}


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
