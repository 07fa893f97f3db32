"""A fitted topic model on disk: one folder of safetensors and JSON, the autoencoder in another.

```
model/
  config.json        parameters, labels, seed
  model.safetensors  emissions, prevalence, mixtures, the current cut, the views merges look at
  vocabulary.json    the words, in column order; absent without words
  vectorizer.json    scikit-learn's CountVectorizer, where that is what counted
  sae/               see SparseAutoencoder.save_pretrained
```
"""

from __future__ import annotations

import dataclasses
import json
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.utils.validation import check_is_fitted

from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.emission import Emissions
from saetm_plugins.guidance import Seeds
from saetm_plugins.merging import TopicCut
from saetm_plugins.persistence import load_folder, pack_csr, save_folder, unpack_csr

KIND = "topic-model"
VERSION = 1
_OWN_FOLDER = ("sae",)  # parameters with files of their own


def save_model(model: Any, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
    """Write a fitted :class:`~saetm_plugins.model.SAETopicModel` to a folder, all or nothing.

    Objects given as `encoder`, `vectorizer` or `word_vectors` are not saved (a CountVectorizer of
    plain settings is); a warning names those left out.

    Raises
    ------
    NotFittedError
        When the model is not fitted.
    FileExistsError
        When `path` exists and is not to be overwritten.
    """
    check_is_fitted(model, "atom_topics_")
    parameters, left_out = _plain_parameters(model)
    config = {
        "version": VERSION,
        "parameters": parameters,
        "not_saved": left_out,
        "seed": model._seed,
        "n_documents_seen": model.n_documents_seen_,
        "topic_labels": model.topic_labels_,
        "sae_was_given": model.sae is not None,
    }
    tensors = {
        **pack_csr("doc_atoms", model.doc_atoms_),
        **pack_csr("atom_topics", model.atom_topics_),
        "atom_prevalence": model.atom_prevalence_,
        "atom_centroids": model._atom_centroids,
    }
    if model._seeds is not None:
        config["seeds"] = {"labels": model._seeds.labels, "words": model._seeds.words}
        tensors["seed_vectors"] = model._seeds.vectors
    if model._atom_companions is not None:
        tensors |= pack_csr("atom_companions", model._atom_companions)
    if model.emissions_ is not None:
        tensors["components"] = model.components_
        tensors["atom_vectors"] = model._atom_vectors
        tensors |= pack_csr("atom_keywords", model._atom_keywords)
        if model._word_vectors is not None:
            tensors["word_vectors"] = model._word_vectors.astype(np.float16)
        for field, value in _fields(model.emissions_).items():
            if isinstance(value, np.ndarray):
                tensors[f"emissions.{field}"] = value
            else:
                config.setdefault("emissions", {})[field] = value

    def write_more(folder: Path) -> None:
        model.sae_.save_pretrained(folder / "sae")
        if model.vocabulary_ is not None:
            _write_json(folder / "vocabulary.json", [str(word) for word in model.vocabulary_])
        settings = _vectorizer_settings(model.vectorizer_)
        if settings is not None:
            _write_json(folder / "vectorizer.json", settings)

    save_folder(path, KIND, config, tensors, overwrite=overwrite, write_more=write_more)
    if left_out:
        warnings.warn(
            f"not saved, as only plain settings are: {', '.join(left_out)}",
            UserWarning,
            stacklevel=3,
        )


def load_model(cls: type, path: str | os.PathLike[str], *, encoder: Any = None) -> Any:
    """Read a model written by :func:`save_model`.

    Raises
    ------
    FileNotFoundError, ValueError
        When the folder is not one of ours, of a newer version, or its arrays do not fit together.
    """
    path = Path(path)
    config, tensors = load_folder(path, KIND)
    if config.get("version", 0) > VERSION:
        raise ValueError(f"{str(path)!r} was saved by a newer version of saetm-plugins")
    try:
        return _rebuild(cls, path, config, tensors, encoder)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(f"{str(path)!r} holds a damaged topic model: {error!r}") from error


def _rebuild(cls: type, path: Path, config: Any, tensors: Any, encoder: Any) -> Any:
    sae = SparseAutoencoder.from_pretrained(path / "sae")
    model = cls(**config["parameters"])
    model.sae = sae if config["sae_was_given"] else None
    if encoder is not None:
        model.encoder = encoder
    elif "encoder" in config["not_saved"]:
        model._encoder_lost = True
    model._seed = config["seed"]
    model.sae_ = sae
    model.doc_atoms_ = unpack_csr("doc_atoms", tensors)
    model.atom_prevalence_ = tensors["atom_prevalence"]
    model._atom_centroids = tensors["atom_centroids"]
    model.n_documents_seen_ = config["n_documents_seen"]
    model._merges, model._edits = {}, []
    model.vectorizer_ = model.vocabulary_ = model.emissions_ = None
    model._atom_keywords = model._word_vectors = model._corpus_word_vectors = None
    model._seeds = model._atom_companions = None
    if "seeds" in config:
        model._seeds = Seeds(vectors=tensors["seed_vectors"], **config["seeds"])
    components = tensors.get("components")
    if components is None:
        model._atom_companions = unpack_csr("atom_companions", tensors)
    if components is not None:
        words = json.loads((path / "vocabulary.json").read_text(encoding="utf-8"))
        model.vocabulary_ = np.asarray(words, dtype=object)
        model._atom_keywords = unpack_csr("atom_keywords", tensors)
        model._atom_vectors = tensors["atom_vectors"]
        if "word_vectors" in tensors:
            model._word_vectors = tensors["word_vectors"].astype(np.float32)
        arrays = {
            name.removeprefix("emissions."): array
            for name, array in tensors.items()
            if name.startswith("emissions.")
        }
        model.emissions_ = Emissions(**arrays, **config["emissions"])
        model.vectorizer_ = _read_vectorizer(path, words)
    atom_topics = unpack_csr("atom_topics", tensors)
    _check_fit(model, atom_topics, components, sae)
    model._set_cut(TopicCut(atom_topics, components), config["topic_labels"])
    return model


def _check_fit(model: Any, atom_topics: sp.csr_matrix, components: Any, sae: Any) -> None:
    """Refuse arrays that do not fit each other, before one of them is used."""
    n_atoms, n_topics = atom_topics.shape
    expected = {
        "doc_atoms": (model.doc_atoms_.shape[1], n_atoms),
        "atom_prevalence": (len(model.atom_prevalence_), n_atoms),
        "atom_centroids": (len(model._atom_centroids), n_atoms),
        "sae": (sae.n_atoms, n_atoms),
    }
    if components is not None:
        shape = (n_topics, len(model.vocabulary_))
        expected["components"] = (components.shape, shape)
        expected["atom_words"] = (model.emissions_.atom_words.shape, (n_atoms, shape[1]))
    for name, (found, wanted) in expected.items():
        if found != wanted:
            raise ValueError(f"the saved model's {name} does not fit: {found}, expected {wanted}")


def _fields(emissions: Emissions) -> dict[str, Any]:
    return {f.name: getattr(emissions, f.name) for f in dataclasses.fields(emissions)}


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
    if type(vectorizer) is not CountVectorizer:
        return None
    settings = vectorizer.get_params()
    settings["dtype"] = np.dtype(settings["dtype"]).name
    del settings["vocabulary"]
    try:
        json.dumps(settings)
    except (TypeError, ValueError):
        return None
    return settings


def _read_vectorizer(path: Path, words: list[str]) -> CountVectorizer | None:
    file = path / "vectorizer.json"
    if not file.is_file():
        return None
    settings = json.loads(file.read_text(encoding="utf-8"))
    settings["ngram_range"] = tuple(settings["ngram_range"])
    settings["dtype"] = np.dtype(settings["dtype"]).type
    return CountVectorizer(**settings, vocabulary={word: i for i, word in enumerate(words)})


def _write_json(file: Path, content: Any) -> None:
    file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
