"""A fitted topic model on disk: one folder of safetensors and JSON, the autoencoder in another.

```
model/
  config.json        parameters, names of topics, settings of the two values
  model.safetensors  sums over documents, the current cut and those that edits can be undone to,
                     mixtures of the fitted documents
  vocabulary.json    the words, in column order; absent without words
  vectorizer.json    scikit-learn's CountVectorizer, or our WordVectorizer, where that counted
  languages.json     words of each language, where documents were of several
  sae/               see SparseAutoencoder.save_pretrained
```

Of an :class:`~saetm_plugins.atom_model.AtomModel` and a :class:`~saetm_plugins.topics.Topics`,
every field is saved; emissions, keywords and merges follow from them again.
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.atoms.choice import SAE_CHOICES
from saetm_plugins.corpus.chunker import pack_chunk, unpack_chunk
from saetm_plugins.corpus.encoders import check_encoder
from saetm_plugins.corpus.passages import Passages
from saetm_plugins.corpus.read import FittedPassages
from saetm_plugins.corpus.vectorizers import count_known_words
from saetm_plugins.corpus.words import WordVectorizer, check_languages
from saetm_plugins.corpus_sums import CorpusSums
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
from saetm_plugins.topics import Topics
from saetm_plugins.validation import (
    all_or_nothing,
    check_choice,
    check_mixtures_of_atoms,
    check_path,
    check_text,
)

KIND = "topic-model"
VERSION = 2
_COUNT_TYPES = ("float32", "float64", "int32", "int64")


def save_model(model: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Save the fitted model as a folder of safetensors and JSON, all or nothing.

    Objects given as `encoder`, `vectorizer` or `word_vectors` are not saved (a CountVectorizer of
    plain settings is); a warning names those left out.

    Raises
    ------
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
        "atoms": _settings(atoms),
        "topics": _topic_settings(topics),
        "undo": [_topic_settings(earlier) for earlier in model.earlier_topics_],
    }
    tensors = _pack("sums", atoms.sums) | _pack_topics("", topics)
    tensors |= {f"sums.{name}": np.array([n]) for name, n in _settings(atoms.sums).items()}
    tensors |= pack_csr("doc_atoms", model.doc_atoms_)
    if model.passages_ is not None:
        tensors["passages"] = model.passages_.passages.places
        tensors |= pack_csr("passage_atoms", model.passages_.atoms)
    for step, earlier in enumerate(model.earlier_topics_):
        tensors |= _pack_topics(f"undo.{step}.", earlier)
    config["same"] = _drop_repeats(tensors)
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
        message = f"not saved, as only plain settings are: {', '.join(left_out)}"
        warnings.warn(message, UserWarning, stacklevel=2)


def load_model(
    cls: type, path: str | os.PathLike[str], *, encoder: Any = None, vectorizer: Any = None
) -> Any:
    """Load a model saved by :meth:`save`; it transforms and re-cuts as the saved one did.

    Parameters
    ----------
    path : path
    encoder : str or object with ``encode``, optional
        Needed for texts when the model was fitted with an encoder object, which is not saved.
    vectorizer : scikit-learn vectorizer, optional
        Needed for :meth:`partial_fit` and :meth:`fit` on texts when the model was fitted with
        one of settings that cannot be saved, a function as ``tokenizer=`` say.

    Raises
    ------
    FileNotFoundError, ValueError
        When `path` holds no model, or a damaged one, or `vectorizer` counts other words.
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
    before = {  # saved before duplicates were counted apart
        "sums.n_distinct": tensors["sums.n_documents"],
        "sums.distinct_atom_mass": tensors["sums.atom_mass"],
    }
    atoms = _unpack(
        AtomModel,
        "atoms",
        {},
        config["atoms"],
        sae=sae,
        sums=_unpack(CorpusSums, "sums", before | tensors, {}),
        vocabulary=vocabulary,
        word_vectors=None if vectors is None else vectors.astype(np.float32),
        label_targets=targets,
        classes=None if classes is None else np.array([check_text(c, "class") for c in classes]),
    )
    tensors |= {name: tensors[first] for name, first in config.get("same", {}).items()}
    doc_atoms = check_mixtures_of_atoms(unpack_csr("doc_atoms", tensors), atoms.n_atoms)
    topics, *undo = (
        _unpack_topics(prefix, tensors, settings, atoms, doc_atoms.shape[0])
        for prefix, settings in [
            ("", config["topics"]),
            *((f"undo.{step}.", cut) for step, cut in enumerate(config.get("undo", ()))),
        ]
    )
    model: Any = cls(**config["parameters"])
    model.vectorizer = _make_vectorizer(config["vectorizer"])
    model.sae = sae if config["sae_was_given"] else config.get("sae")
    if not isinstance(model.sae, SparseAutoencoder | None):
        check_choice(model.sae, "sae", SAE_CHOICES)
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
        model.earlier_topics_ = tuple(undo)
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


def _settings(value: Any) -> dict[str, Any]:
    """Return the fields of a dataclass that are numbers, names or tuples of these."""
    found = {name: getattr(value, name) for name in _settings_of(type(value))}
    return {
        name: each.item() if isinstance(each, np.generic) else each for name, each in found.items()
    }


def _settings_of(cls: type) -> list[str]:
    kinds = ((field.name, str(field.type)) for field in fields(cls) if field.init)
    return [
        name
        for name, kind in kinds
        if kind.removesuffix(" | None") in ("float", "int", "str") or kind.startswith("tuple")
    ]


def _pack(prefix: str, value: Any) -> dict[str, np.ndarray]:
    """Return the fields of a dataclass that are arrays or sparse matrices, as arrays with names."""
    tensors: dict[str, np.ndarray] = {}
    for field in fields(value):
        name, array = f"{prefix}.{field.name}", getattr(value, field.name)
        if sp.issparse(array):
            tensors |= pack_csr(name, array)
        elif isinstance(array, np.ndarray):
            tensors[name] = array.astype(np.uint8) if array.dtype == bool else array
    return tensors


def _unpack(
    cls: Any, prefix: str, tensors: Mapping[str, np.ndarray], settings: Any, **given: Any
) -> Any:
    """Put a dataclass back together from what :func:`_pack` and :func:`_settings` returned."""
    found: dict[str, Any] = {}
    for field in fields(cls):
        name = f"{prefix}.{field.name}"
        if f"{name}.data" in tensors:
            found[field.name] = unpack_csr(name, tensors)
        elif name in tensors:
            array = tensors[name]
            found[field.name] = float(array[0]) if field.type == "float" else array
        elif field.default is MISSING and str(field.type).endswith("| None"):
            found[field.name] = None
    found |= {name: settings[name] for name in _settings_of(cls) if name in settings}
    return cls(**found, **given)


def _topic_settings(topics: Topics) -> dict[str, Any]:
    return _settings(topics) | ({} if topics.decisions is None else _settings(topics.decisions))


def _pack_topics(prefix: str, topics: Topics) -> dict[str, np.ndarray]:
    tensors = _pack(f"{prefix}topics", topics)
    if topics.decisions is not None:
        tensors |= _pack(f"{prefix}decisions", topics.decisions)
    return tensors


def _unpack_topics(
    prefix: str, tensors: dict[str, Any], settings: dict[str, Any], atoms: AtomModel, n: int
) -> Topics:
    """Return a cut of `atoms` and of `n` documents, or refuse one of others."""
    decisions = None
    if f"{prefix}decisions.groups" in tensors:
        allowed = f"{prefix}decisions.allowed"
        tensors[allowed] = tensors[allowed].astype(bool)
        decisions = _unpack(Decisions, f"{prefix}decisions", tensors, settings)
    settings = settings | {"labels": tuple(settings["labels"])}
    topics: Topics = _unpack(Topics, f"{prefix}topics", tensors, settings, decisions=decisions)
    if topics.atom_topics.shape[0] != atoms.n_atoms:
        raise ValueError(f"topics are of {topics.atom_topics.shape[0]} atoms, not {atoms.n_atoms}")
    n_words = None if atoms.vocabulary is None else len(atoms.vocabulary)
    if (None if topics.words is None else topics.words.shape[1]) != n_words:
        raise ValueError(f"words of topics are not {n_words}")
    if topics.groups is not None and len(topics.groups) != n:
        raise ValueError(f"decisions are not about {n} documents")
    # A file may claim any number of empty columns, which are dense later.
    if (deleted := topics.deleted) is not None and deleted.shape[1] > deleted.nnz + 1:
        raise ValueError(f"deleted has {deleted.shape[1]} columns, most of them empty")
    return topics


def _drop_repeats(tensors: dict[str, np.ndarray]) -> dict[str, str]:
    """Take arrays out that another name has, too; return that name of each."""
    names: dict[int, str] = {}
    same = {}
    for name, array in tensors.items():
        if names.setdefault(id(array), name) != name:
            same[name] = names[id(array)]
    for name in same:
        del tensors[name]
    return same


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
        value = value.item() if isinstance(value, np.generic) else value
        if name == "sae":  # has a folder of its own
            continue
        if _is_plain(value):
            plain[name] = value
        elif name != "vectorizer" or _vectorizer_settings(value) is None:
            left_out.append(name)
    return plain, left_out


def _is_plain(value: Any) -> bool:
    """Return whether JSON can hold a value."""
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _vectorizer_settings(vectorizer: Any) -> dict[str, Any] | None:
    """Return the settings of a CountVectorizer that JSON can hold, else None."""
    if type(vectorizer) not in (CountVectorizer, WordVectorizer):
        return None
    settings = vectorizer.get_params()
    settings["dtype"] = np.dtype(settings["dtype"]).name
    if isinstance(settings["vocabulary"], dict):
        columns: dict[str, int] = settings["vocabulary"]
        settings["vocabulary"] = sorted(columns, key=lambda word: columns[word])
    return settings if _is_plain(settings) else None


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
    if settings.get("input", "content") != "content":  # "filename" opens what a text names
        raise ValueError(f"the saved vectorizer reads {settings['input']!r}, not texts")
    dtype = np.dtype(check_choice(settings["dtype"], "dtype", _COUNT_TYPES)).type
    made = WordVectorizer if "language" in settings else CountVectorizer
    return made(**settings | {"ngram_range": tuple(settings["ngram_range"]), "dtype": dtype})
