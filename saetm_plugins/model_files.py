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
    as_names,
    check_choice,
    check_mixtures_of_atoms,
    check_path,
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
    atoms, sums = model.atoms_, model.atoms_.sums
    cuts = {"": model.topics_}
    cuts |= {f"undo.{step}.": earlier for step, earlier in enumerate(model.earlier_topics_)}
    parameters, left_out = _plain_parameters(model)
    counts_by = _vectorizer_settings(model.vectorizer_)
    if (model.vectorizer_ and counts_by is None) or model.vectorizer_not_saved_:
        left_out = sorted({*left_out, "vectorizer"})
    settings = [_settings(cut, cut.decisions) for cut in cuts.values()]
    config: dict[str, Any] = {
        "version": VERSION,
        "parameters": parameters,
        "not_saved": left_out,
        "sae": model.sae if isinstance(model.sae, str) else None,
        "sae_was_given": isinstance(model.sae, SparseAutoencoder),
        "vectorizer": _vectorizer_settings(model.vectorizer),
        "chunk": pack_chunk(model.chunk_),
        "atoms": _settings(atoms),
        "topics": settings[0],
        "undo": settings[1:],
    }
    tensors = _pack("sums", sums) | pack_csr("doc_atoms", model.doc_atoms_)
    tensors |= {f"sums.{name}": np.array([n]) for name, n in _settings(sums).items()}
    for prefix, cut in cuts.items():
        tensors |= _pack(f"{prefix}topics", cut) | _pack(f"{prefix}decisions", cut.decisions)
    if model.passages_ is not None:
        tensors["passages"] = model.passages_.passages.places
        tensors |= pack_csr("passage_atoms", model.passages_.atoms)
    config["same"] = _drop_repeats(tensors)
    if (vectors := atoms.word_vectors) is not None:
        half = vectors.astype(np.float16)  # which loses nothing of an encoder's
        tensors["word_vectors"] = half if np.array_equal(half, vectors) else vectors
    if atoms.classes is not None:  # of bytes, which may hold halves of surrogate pairs
        names = atoms.classes.tolist()
        config["classes"] = [name.encode("utf-8", "backslashreplace").decode() for name in names]
    if (targets := atoms.label_targets) is not None:
        config["label_targets"] = {"labels": targets.labels, "words": targets.words}
        tensors["label_vectors"] = targets.vectors

    def write_more(folder: Path) -> None:
        model.sae_.save_pretrained(folder / "sae")
        words = None if atoms.vocabulary is None else [str(word) for word in atoms.vocabulary]
        more = {"vocabulary": words, "vectorizer": counts_by, "languages": model.words_of_language_}
        for name, content in more.items():
            if content is not None:
                write_json(folder / f"{name}.json", content)

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
        raise ValueError(
            f"{str(path)!r} holds a topic model that is damaged, or of an earlier version: {error}"
        ) from error
    if vectorizer is not None:
        model.vectorizer_ = count_known_words(vectorizer, model.vocabulary_)
        model.vectorizer, model.vectorizer_not_saved_ = vectorizer, False
    return model


def _rebuild(cls: type, path: Path, config: Any, tensors: Any, encoder: Any) -> Any:
    def read_more(name: str) -> Any:
        return read_json(path / f"{name}.json") if (path / f"{name}.json").exists() else None

    given: dict[str, Any] = {"sae": SparseAutoencoder.from_pretrained(path / "sae")}
    if "sums.atom_words.data" in tensors:
        given["vocabulary"] = np.array(as_names(read_more("vocabulary"), "words"), dtype=object)
    if "label_targets" in config:
        given["label_targets"] = LabelTargets(
            vectors=tensors["label_vectors"], **config["label_targets"]
        )
    if "word_vectors" in tensors:
        given["word_vectors"] = tensors["word_vectors"].astype(np.float32)
    if "classes" in config:
        given["classes"] = np.array(as_names(config["classes"], "classes"))
    sums = _unpack(CorpusSums, "sums", tensors, {})
    atoms = _unpack(AtomModel, "atoms", {}, config["atoms"], sums=sums, **given)
    tensors |= {name: tensors[first] for name, first in config.get("same", {}).items()}
    doc_atoms = check_mixtures_of_atoms(unpack_csr("doc_atoms", tensors), atoms.n_atoms)
    undo = {f"undo.{step}.": settings for step, settings in enumerate(config.get("undo", ()))}
    topics, *earlier = (
        _unpack_topics(prefix, tensors, settings, atoms, doc_atoms.shape[0])
        for prefix, settings in {"": config["topics"], **undo}.items()
    )
    languages = read_more("languages")
    for code, words in (languages or {}).items():
        check_languages(code)
        as_names(words, "words")
    model: Any = cls(**config["parameters"])
    model.vectorizer = _make_vectorizer(config["vectorizer"])
    model.sae = given["sae"] if config["sae_was_given"] else config.get("sae")
    if not isinstance(model.sae, SparseAutoencoder | None):
        check_choice(model.sae, "sae", SAE_CHOICES)
    if encoder is not None:
        model.encoder = encoder
    model.words_of_language_, model.chunk_ = languages, unpack_chunk(config.get("chunk"))
    model.encoder_not_saved_ = encoder is None and "encoder" in config["not_saved"]
    model.vectorizer_not_saved_ = "vectorizer" in config["not_saved"]
    model.encoder_named_in_file_ = model.encoder if encoder is None else None
    model.atoms_, model.doc_atoms_ = atoms, doc_atoms
    model.passages_ = _unpack_passages(tensors, *doc_atoms.shape)
    model.vectorizer_ = None
    if atoms.vocabulary is not None and (settings := read_more("vectorizer")) is not None:
        columns = {word: column for column, word in enumerate(atoms.vocabulary)}
        model.vectorizer_ = _make_vectorizer(settings | {"vocabulary": columns})
        model.vectorizer_.get_feature_names_out()  # it counts as fitted from here on
    model.set_topics(topics)
    model.earlier_topics_ = tuple(earlier)
    return model


def _unpack_passages(
    tensors: Mapping[str, np.ndarray], n_documents: int, n_atoms: int
) -> FittedPassages | None:
    if "passages" not in tensors:
        return None
    places, atoms = tensors["passages"], unpack_csr("passage_atoms", tensors)
    check_mixtures_of_atoms(atoms, n_atoms)
    of_all = np.array_equal(np.unique(places[0]), np.arange(n_documents))
    if places.shape != (5, atoms.shape[0]) or not of_all:
        raise ValueError(f"passages {places.shape} are not those of {n_documents} documents")
    return FittedPassages(Passages.at(places, n_documents), atoms)


def _settings(*values: Any) -> dict[str, Any]:
    """Return the fields of dataclasses that are numbers, names or tuples of these."""
    found = {
        name: getattr(value, name)
        for value in values
        if value is not None
        for name in _names_of_settings(type(value))
    }
    return {name: v.item() if isinstance(v, np.generic) else v for name, v in found.items()}


def _names_of_settings(cls: type) -> list[str]:
    kinds = {field.name: str(field.type) for field in fields(cls) if field.init}
    plain = ("float", "int", "str", "float | None", "int | None")
    return [name for name, kind in kinds.items() if kind in plain or kind.startswith("tuple")]


def _pack(prefix: str, value: Any) -> dict[str, np.ndarray]:
    """Return the fields of a dataclass that are arrays or sparse matrices, as arrays with names."""
    tensors: dict[str, np.ndarray] = {}
    for field in () if value is None else fields(value):
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
    found |= {name: settings[name] for name in _names_of_settings(cls) if name in settings}
    return cls(**found, **given)


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
    n_words = None if atoms.vocabulary is None else len(atoms.vocabulary)
    found = (
        topics.atom_topics.shape[0],
        None if topics.words is None else topics.words.shape[1],
        n if topics.groups is None else len(topics.groups),
    )
    if found != (atoms.n_atoms, n_words, n):
        raise ValueError(
            f"topics are of {found} atoms, words and documents, not {(atoms.n_atoms, n_words, n)}"
        )
    # A file may claim any number of empty columns, which are dense later.
    if (deleted := topics.deleted) is not None and deleted.shape[1] > deleted.nnz + 1:
        raise ValueError(f"deleted has {deleted.shape[1]} columns, most of them empty")
    return topics


def _drop_repeats(tensors: dict[str, np.ndarray]) -> dict[str, str]:
    """Take arrays out that another name has, too; return that name of each."""
    names: dict[int, str] = {}
    first = {name: names.setdefault(id(array), name) for name, array in tensors.items()}
    same = {name: kept for name, kept in first.items() if name != kept}
    for name in same:
        del tensors[name]
    return same


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
    if isinstance(columns := settings["vocabulary"], dict):
        settings["vocabulary"] = sorted(columns, key=columns.__getitem__)
    return settings if _is_plain(settings) else None


def _make_vectorizer(settings: dict[str, Any] | None) -> CountVectorizer | None:
    if settings is None:
        return None
    if settings.get("input", "content") != "content":  # "filename" opens what a text names
        raise ValueError(f"the saved vectorizer reads {settings['input']!r}, not texts")
    dtype = np.dtype(check_choice(settings["dtype"], "dtype", _COUNT_TYPES)).type
    made = WordVectorizer if "language" in settings else CountVectorizer
    return made(**settings | {"ngram_range": tuple(settings["ngram_range"]), "dtype": dtype})
