"""A fitted topic model on disk: one folder of safetensors and JSON, the autoencoder in another.

```
model/
  config.json        parameters, names of topics, settings of the two values
  model.safetensors  sums over documents, the current cut, mixtures of the fitted documents
  vocabulary.json    the words, in column order; absent without words
  vectorizer.json    scikit-learn's CountVectorizer, or our WordVectorizer, where that counted
  languages.json     words of each language, where documents were of several
  sae/               see SparseAutoencoder.save_pretrained
```

Saving reads an :class:`~saetm_plugins.atom_model.AtomModel` and a
:class:`~saetm_plugins.topics.Topics` field by field; emissions, keywords and merges follow from
them again.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.atom_model import AtomModel, CorpusSums
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.corpus.chunker import pack_chunk, unpack_chunk
from saetm_plugins.corpus.encoders import check_encoder
from saetm_plugins.corpus.passages import Passages
from saetm_plugins.corpus.read import FittedPassages
from saetm_plugins.corpus.vectorizers import count_known_words
from saetm_plugins.corpus.words import WordVectorizer, check_languages
from saetm_plugins.decisions import Decisions
from saetm_plugins.files.folders import (
    load_folder,
    pack_csr,
    read_json,
    save_folder,
    unpack_csr,
    write_json,
)
from saetm_plugins.merging.labels import LabelTargets
from saetm_plugins.parameters import check_sae
from saetm_plugins.topics import Topics
from saetm_plugins.validation import (
    all_or_nothing,
    check_choice,
    check_count,
    check_finite,
    check_fraction,
    check_mixtures_of_atoms,
    check_not_negative,
    check_path,
    check_text,
)

KIND = "topic-model"
VERSION = 2
_OWN_FOLDER = ("sae",)  # parameters with files of their own
_SETTINGS = ("sharpening", "random_state", "solver", "n_iter", "device", "class_weight")
_COUNT_TYPES = ("float32", "float64", "int32", "int64")


def save_model(model: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a fitted :class:`~saetm_plugins.model.SAETopicModel` to a folder, all or nothing.

    Objects given as `encoder`, `vectorizer` or `word_vectors` are not saved (a CountVectorizer of
    plain settings is); a warning names those left out. Edits can no longer be undone in the saved
    model.

    Raises
    ------
    NotFittedError
        When the model is not fitted.
    FileExistsError
        When `path` exists and is not to be overwritten.
    """
    check_is_fitted(model, "topics_")
    parameters, left_out = _plain_parameters(model)
    counts_otherwise = model.vectorizer_ and _vectorizer_settings(model.vectorizer_) is None
    if counts_otherwise or model.vectorizer_not_saved_:
        left_out = sorted({*left_out, "vectorizer"})
    atoms, topics = model.atoms_, model.topics_
    config: dict[str, Any] = {
        "version": VERSION,
        "parameters": parameters,
        "not_saved": left_out,
        "sae": model.sae if isinstance(model.sae, str) else None,
        "sae_was_given": isinstance(model.sae, SparseAutoencoder),
        "vectorizer": _vectorizer_settings(model.vectorizer),
        "chunk": pack_chunk(model.chunk_),
        "atoms": {name: getattr(atoms, name) for name in _SETTINGS},
        "topics": {
            "labels": list(topics.labels),
            "words_from": topics.words_from,
            "outlier_share": topics.outlier_share,
        },
    }
    tensors = _pack_sums(atoms.sums)
    tensors |= pack_csr("doc_atoms", model.doc_atoms_)
    if model.passages_ is not None:
        tensors["passages"] = model.passages_.passages.places
        tensors |= pack_csr("passage_atoms", model.passages_.atoms)
    tensors |= {**pack_csr("topics.atom_topics", topics.atom_topics)}
    tensors["topics.prevalence"] = topics.prevalence
    if topics.words is not None:
        tensors["topics.words"] = topics.words
    if topics.deleted is not None:
        tensors |= pack_csr("topics.deleted", topics.deleted)
    if (decisions := topics.decisions) is not None:
        config["topics"]["min_similarity"] = float(decisions.min_similarity)
        tensors["decisions.groups"] = decisions.groups
        tensors["decisions.allowed"] = decisions.allowed.astype(np.uint8)
        tensors["decisions.names"] = decisions.names
    if atoms.word_vectors is not None:
        tensors["word_vectors"] = _smallest_float(atoms.word_vectors)
    if atoms.classes is not None:
        config["classes"] = [_as_utf8(name) for name in atoms.classes.tolist()]
    if (targets := atoms.label_targets) is not None:
        config["label_targets"] = {"labels": targets.labels, "words": targets.words}
        tensors["label_vectors"] = targets.vectors

    def write_more(folder: Path) -> None:
        model.sae_.save_pretrained(folder / "sae")
        if atoms.vocabulary is not None:
            write_json(folder / "vocabulary.json", [str(word) for word in atoms.vocabulary])
        settings = _vectorizer_settings(model.vectorizer_)
        if settings is not None:
            write_json(folder / "vectorizer.json", settings)
        if model.words_of_language_ is not None:
            write_json(folder / "languages.json", model.words_of_language_)

    save_folder(path, KIND, config, tensors, overwrite=overwrite, write_more=write_more)
    if left_out:
        warnings.warn(
            f"not saved, as only plain settings are: {', '.join(left_out)}",
            UserWarning,
            stacklevel=3,
        )


def load_model(
    cls: type, path: str | os.PathLike[str], *, encoder: Any = None, vectorizer: Any = None
) -> Any:
    """Read a model written by :func:`save_model`.

    Raises
    ------
    FileNotFoundError, ValueError
        When the folder is not one of ours, of another version, its arrays do not fit together, or
        `vectorizer` counts other words.
    """
    path = check_path(path)
    check_encoder(encoder)
    config, tensors = load_folder(path, KIND)
    version = config.get("version", 0)
    if version != VERSION:
        raise ValueError(
            f"{str(path)!r} holds a topic model of format {version!r}; this version reads format "
            f"{VERSION}: fit it again"
        )
    try:
        model = _rebuild(cls, path, config, tensors, encoder)
    except (KeyError, TypeError, AttributeError, IndexError, OverflowError, ValueError) as error:
        raise ValueError(f"{str(path)!r} holds a damaged topic model: {error}") from error
    if vectorizer is not None:
        model.vectorizer_ = count_known_words(vectorizer, model.vocabulary_)
        model.vectorizer, model.vectorizer_not_saved_ = vectorizer, False
    return model


def _rebuild(cls: type, path: Path, config: Any, tensors: Any, encoder: Any) -> Any:
    sae = SparseAutoencoder.from_pretrained(path / "sae")
    vocabulary = None
    if "sums.atom_words.data" in tensors:
        words = read_json(path / "vocabulary.json")
        if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"{str(path)!r} holds a damaged vocabulary")
        vocabulary = np.asarray(words, dtype=object)
    targets = None
    if "label_targets" in config:
        targets = LabelTargets(vectors=tensors["label_vectors"], **config["label_targets"])
    vectors = tensors.get("word_vectors")
    if "class_mass.data" in tensors:
        raise ValueError("it was saved before classes had names: fit it again")
    classes = config.get("classes")
    atoms = AtomModel(
        sae,
        _unpack_sums(tensors),
        vocabulary,
        None if vectors is None else vectors.astype(np.float32),
        label_targets=targets,
        classes=None if classes is None else np.array([check_text(c, "class") for c in classes]),
        **config["atoms"],
    )
    topics = Topics(
        unpack_csr("topics.atom_topics", tensors),
        tensors.get("topics.words"),
        tensors["topics.prevalence"],
        tuple(config["topics"]["labels"]),
        check_choice(config["topics"]["words_from"], "words_from", ("keywords", "emissions")),
        _unpack_csr_if_there("topics.deleted", tensors),
        config["topics"].get("outlier_share", 0.0),
        _unpack_decisions(config["topics"], tensors),
    )
    doc_atoms = unpack_csr("doc_atoms", tensors)
    _check_fit(atoms, topics, doc_atoms)
    model: Any = cls(**config["parameters"])
    model.vectorizer = _make_vectorizer(config["vectorizer"])
    model.sae = sae if config["sae_was_given"] else config.get("sae")
    check_sae(model.sae)
    if encoder is not None:
        model.encoder = encoder
    with all_or_nothing(model):
        model.words_of_language_ = _read_languages(path)
        model.chunk_ = unpack_chunk(config.get("chunk"))
        model.encoder_not_saved_ = encoder is None and "encoder" in config["not_saved"]
        model.vectorizer_not_saved_ = "vectorizer" in config["not_saved"]
        model.encoder_named_in_file_ = model.encoder if encoder is None else None
        model.atoms_, model.doc_atoms_ = atoms, doc_atoms
        model.passages_ = _read_passages(tensors, *doc_atoms.shape)
        model.vectorizer_ = None if vocabulary is None else _read_vectorizer(path, vocabulary)
        model.set_topics(topics)
    return model


def _read_passages(
    tensors: Mapping[str, np.ndarray], n_documents: int, n_atoms: int
) -> FittedPassages | None:
    if "passages" not in tensors:
        return None
    places, atoms = tensors["passages"], unpack_csr("passage_atoms", tensors)
    check_mixtures_of_atoms(atoms, n_atoms)
    if places.shape != (5, atoms.shape[0]):
        raise ValueError(f"passages has shape {places.shape} for {atoms.shape[0]} mixtures")
    if not np.array_equal(np.unique(places[0]), np.arange(n_documents)):
        raise ValueError(f"passages are not those of {n_documents} documents")
    return FittedPassages(Passages.at(places, n_documents), atoms)


def _pack_sums(sums: CorpusSums) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = {}
    for name, value in sums.named():
        if value is None:
            continue
        if sp.issparse(value):
            tensors |= pack_csr(f"sums.{name}", value)
        else:
            tensors[f"sums.{name}"] = np.atleast_1d(np.asarray(value, dtype=np.float64))
    return tensors


def _unpack_sums(tensors: Mapping[str, np.ndarray]) -> CorpusSums:
    found: dict[str, Any] = {}
    for field in fields(CorpusSums):
        name, kind = field.name, str(field.type)
        if "csr_matrix" in kind:
            found[name] = _unpack_csr_if_there(f"sums.{name}", tensors)
        else:
            value = tensors.get(f"sums.{name}")
            found[name] = float(value[0]) if kind == "float" and value is not None else value
    if found["n_distinct"] is None:  # saved before repeated documents were told apart
        found |= {"n_distinct": found["n_documents"], "distinct_atom_mass": found["atom_mass"]}
    return CorpusSums(**found)


def _unpack_decisions(
    config: Mapping[str, Any], tensors: Mapping[str, np.ndarray]
) -> Decisions | None:
    if "decisions.groups" not in tensors:
        return None
    return Decisions(
        tensors["decisions.groups"],
        tensors["decisions.allowed"].astype(bool),
        tensors["decisions.names"],
        config["min_similarity"],
    )


def _unpack_csr_if_there(name: str, tensors: Mapping[str, np.ndarray]) -> sp.csr_matrix | None:
    return unpack_csr(name, tensors) if f"{name}.data" in tensors else None


def _check_fit(atoms: AtomModel, topics: Topics, doc_atoms: sp.csr_matrix) -> None:
    """Refuse arrays that do not fit each other, or hold what no fit leaves."""
    sums, n_atoms, width = atoms.sums, atoms.sae.n_atoms, atoms.sae.n_features
    n_topics = topics.atom_topics.shape[1]
    expected: dict[str, tuple[Any, tuple[int, ...]]] = {
        "atom_mass": (sums.atom_mass, (n_atoms,)),
        "distinct_atom_mass": (sums.distinct_atom_mass, (n_atoms,)),
        "embedded_atom_mass": (sums.embedded_atom_mass, (n_atoms,)),
        "atom_pairs": (sums.atom_pairs, (n_atoms, n_atoms)),
        "embedding": (sums.embedding, (width,)),
        "atom_embeddings": (sums.atom_embeddings, (n_atoms, width)),
        "atom_topics": (topics.atom_topics, (n_atoms, n_topics)),
        "prevalence": (topics.prevalence, (n_topics,)),
        "doc_atoms": (doc_atoms, (doc_atoms.shape[0], n_atoms)),
    }
    if atoms.vocabulary is not None:
        n_words = len(atoms.vocabulary)
        expected |= {
            "atom_words": (sums.atom_words, (n_atoms, n_words)),
            "document_frequency": (sums.document_frequency, (n_words,)),
            "embedded_document_frequency": (sums.embedded_document_frequency, (n_words,)),
            "word_embeddings": (sums.word_embeddings, (n_words, width)),
            "words": (topics.words, (n_topics, n_words)),
        }
        if atoms.word_vectors is not None:
            vectors_shape = (n_words, atoms.word_vectors.shape[1])
            expected["word_vectors"] = (atoms.word_vectors, vectors_shape)
    if topics.deleted is not None:
        expected["deleted"] = (topics.deleted, (n_atoms, topics.deleted.shape[1]))
    if (decisions := topics.decisions) is not None:
        expected |= {
            "groups": (decisions.groups, (doc_atoms.shape[0],)),
            "allowed": (decisions.allowed.astype(np.int64), (len(decisions.allowed), n_topics)),
        }
    if atoms.classes is not None:
        expected["class_mass"] = (sums.class_mass, (n_atoms, len(atoms.classes)))
    if atoms.label_targets is not None:
        label_shape = (len(atoms.label_targets.labels), width)
        expected["label_vectors"] = (atoms.label_targets.vectors, label_shape)
    for name in ("deleted", "class_mass"):  # as wide as were topics or classes: what is in them
        if name in expected and (found := expected[name][0]).shape[1] > found.nnz + 1:
            raise ValueError(f"the saved model's {name} has {found.shape[1]} columns, most empty")
    for name, (found, wanted) in expected.items():
        if found is None or found.shape != wanted:
            shape = None if found is None else found.shape
            raise ValueError(f"the saved model's {name} does not fit: {shape}, expected {wanted}")
        values = found.data if sp.issparse(found) else found
        if values.dtype.kind not in "fi":
            raise ValueError(f"the saved model's {name} has dtype {values.dtype}")
        signed = name in ("embedding", "atom_embeddings", "word_embeddings", "word_vectors",
                          "label_vectors")  # fmt: skip
        check_finite(values.reshape(1, -1), f"the saved model's {name}")
        if not signed and values.size and values.min() < 0:
            raise ValueError(f"the saved model's {name} holds a negative number")
    _check_numbers(atoms, topics, doc_atoms)
    if len(topics.labels) != n_topics or n_topics == 0:
        raise ValueError(f"the saved model names {len(topics.labels)} of {n_topics} topics")


def _check_numbers(atoms: AtomModel, topics: Topics, doc_atoms: sp.csr_matrix) -> None:
    """Refuse values that no fit leaves."""
    check_mixtures_of_atoms(doc_atoms, atoms.n_atoms)
    if topics.outlier_share is not None:
        check_fraction(topics.outlier_share, "outlier_share", closed=True)
    shares = np.asarray(topics.atom_topics.sum(axis=1)).ravel()
    if (shares > 1.01).any() or not 0.99 < topics.prevalence.sum() < 1.01:
        raise ValueError("the saved model's topics are no shares that sum to 1")
    if topics.words is not None and (np.abs(topics.words.sum(axis=1) - 1) > 0.01).any():
        raise ValueError("the saved model's words of topics are no probabilities")
    for label in topics.labels:
        if label is not None:
            check_text(label, "the saved model's label")
    if not 0 < atoms.sums.n_documents < 1e12 or not 0 <= atoms.sums.n_embedded < 1e12:
        raise ValueError(f"the saved model has seen {atoms.sums.n_documents} documents")
    check_count(atoms.random_state, "random_state", minimum=0)
    check_choice(atoms.solver, "solver", ("em", "adam"))
    check_fraction(atoms.class_weight, "class_weight", closed=True)
    if atoms.n_iter is not None:
        check_count(atoms.n_iter, "n_iter")
    check_not_negative(atoms.sharpening, "sharpening", most=50)
    if not isinstance(atoms.device, str):
        raise ValueError(f"the saved model's device is {atoms.device!r}")


def _smallest_float(vectors: np.ndarray) -> np.ndarray:
    """Return `vectors` in half precision where that loses nothing, as an encoder's do not."""
    half = vectors.astype(np.float16)
    return half if np.array_equal(half.astype(np.float32), vectors) else vectors


def _as_utf8(text: str) -> str:
    """Return `text` with an escape for half of a surrogate pair, which no file takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _plain_parameters(model: Any) -> tuple[dict[str, Any], list[str]]:
    """Return the parameters JSON can hold, and the names of those it cannot."""
    plain, left_out = {}, []
    for name, value in model.get_params(deep=False).items():
        if name in _OWN_FOLDER:
            continue
        if isinstance(value, np.generic):
            value = value.item()
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            if name != "vectorizer" or _vectorizer_settings(value) is None:
                left_out.append(name)
        else:
            plain[name] = value
    return plain, left_out


def _vectorizer_settings(vectorizer: Any) -> dict[str, Any] | None:
    """Return the settings of a CountVectorizer that JSON can hold, else None."""
    if type(vectorizer) not in (CountVectorizer, WordVectorizer):
        return None
    settings = vectorizer.get_params()
    settings["dtype"] = np.dtype(settings["dtype"]).name
    if isinstance(settings["vocabulary"], dict):
        columns: dict[str, int] = settings["vocabulary"]
        settings["vocabulary"] = sorted(columns, key=lambda word: columns[word])
    try:
        json.dumps(settings)
    except (TypeError, ValueError):
        return None
    return settings


def _read_vectorizer(path: Path, words: np.ndarray) -> CountVectorizer | None:
    file = path / "vectorizer.json"
    if not file.is_file():
        return None
    settings = read_json(file)
    made = _make_vectorizer(settings | {"vocabulary": {word: i for i, word in enumerate(words)}})
    if made is not None:
        made.get_feature_names_out()  # it counts as fitted from here on
    return made


def _read_languages(path: Path) -> dict[str, list[str]] | None:
    """Return the words of each language, where the file of them is there."""
    file = path / "languages.json"
    if not file.is_file():
        return None
    found = read_json(file)
    for code, words in found.items():
        check_languages(code)
        for word in words:
            check_text(word, "the saved model's word")
    return found


def _make_vectorizer(settings: dict[str, Any] | None) -> CountVectorizer | None:
    if settings is None:
        return None
    if (
        settings.get("input", "content") != "content"
    ):  # "filename" would open whatever file a text names
        raise ValueError(f"the saved vectorizer reads {settings['input']!r}, not texts")
    dtype = np.dtype(check_choice(settings["dtype"], "dtype", _COUNT_TYPES)).type
    made = WordVectorizer if "language" in settings else CountVectorizer
    return made(**settings | {"ngram_range": tuple(settings["ngram_range"]), "dtype": dtype})
