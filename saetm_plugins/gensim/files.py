"""A SaeModel on disk: a folder of safetensors and JSON where gensim would put pickles.

```
model.gensim/
  config.json        settings
  model.safetensors  the column of each word id, priors given as arrays
  id2word.json       the dictionary; absent when left out
  model/             the topic model: SAETopicModel.load reads it without gensim
```
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
from gensim.corpora import Dictionary
from gensim.utils import FakeDict

from saetm_plugins.corpus.encoders import check_encoder
from saetm_plugins.files.folders import load_folder, read_json, save_folder, write_json
from saetm_plugins.gensim.words import WordColumns, read_id2word
from saetm_plugins.model import SAETopicModel
from saetm_plugins.validation import check_count, check_path

KIND = "gensim-topic-model"
VERSION = 1
_SETTINGS = (
    "chunksize",
    "gamma_threshold",
    "inference_passes",
    "iterations",
    "minimum_phi_value",
    "minimum_probability",
    "per_word_topics",
)
_DAMAGE = (KeyError, TypeError, IndexError, AttributeError, AssertionError, ValueError,
           OverflowError)  # fmt: skip
_DICTIONARY_COUNTS = ("num_docs", "num_pos", "num_nnz")


def save_files(model: Any, path: str | os.PathLike[str], *, with_id2word: bool) -> None:
    """Write a trained SaeModel, replacing one saved there before; all or nothing."""
    packed = _pack_dictionary(model.id2word) if with_id2word and model.id2word is not None else None
    priors = {"alpha": model.alpha_given, "eta": model.eta_given}
    arrays = {name: np.asarray(prior) for name, prior in priors.items() if np.ndim(prior)}
    config = {
        "version": VERSION,
        "settings": {name: getattr(model, name) for name in _SETTINGS},
        "priors": {name: prior for name, prior in priors.items() if name not in arrays},
        "random_state": model.seed,
        "num_updates": model.num_updates,
        "with_id2word": packed is not None,
        "lifecycle_events": model.lifecycle_events,
    }

    def write_more(folder: Path) -> None:
        model.estimator.save(folder / "model")
        if packed is not None:
            plain = json.loads(json.dumps(packed, default=int))  # NumPy's integers are no JSON
            write_json(folder / "id2word.json", plain)

    tensors = {"columns": model.word_columns.columns, **arrays}
    save_folder(path, KIND, config, tensors, overwrite=True, write_more=write_more)


def load_files(cls: Any, path: str | os.PathLike[str], encoder: Any) -> Any:
    """Read a SaeModel that :func:`save_files` wrote."""
    path = check_path(path, "fname")
    check_encoder(encoder)
    if path.is_file():
        raise ValueError(
            f"fname {str(path)!r} is one file; a SaeModel is saved as a folder (gensim's pickles "
            "are loaded by the class that saved them)"
        )
    config, tensors = load_folder(path, KIND)
    if check_count(config.get("version", 0), "version", minimum=0) > VERSION:
        raise ValueError(f"{str(path)!r} was saved by a newer version of saetm-plugins")
    estimator = SAETopicModel.load(path / "model", encoder=encoder)
    try:
        arrays = {name: tensors[name] for name in ("alpha", "eta") if name in tensors}
        model = cls.__new__(cls)
        model.set_settings(
            **config["settings"],
            **config["priors"],
            **arrays,
            random_state=config["random_state"],
            training={},
        )
        model.id2word = _read_dictionary(path) if config["with_id2word"] else None
        columns = _check_columns(tensors["columns"], len(estimator.vocabulary_))
        model.adopt(estimator, WordColumns(columns, len(estimator.vocabulary_)))
        model.num_updates = check_count(config["num_updates"], "num_updates", minimum=0)
        model.lifecycle_events = config["lifecycle_events"]
    except _DAMAGE as error:
        raise ValueError(f"{str(path)!r} holds a damaged SaeModel: {error}") from error
    return model


def _check_columns(columns: np.ndarray, n_words: int) -> np.ndarray:
    """Refuse columns of word ids that a compiled loop would look up outside of the model."""
    if columns.ndim != 1 or columns.dtype.kind != "i" or not len(columns):
        raise ValueError(f"columns has shape {columns.shape}, dtype {columns.dtype}")
    if columns.min() < -1 or columns.max() >= n_words or columns.max() < 0:
        raise ValueError(f"columns leads out of the {n_words} words of the model")
    return columns


def _pack_dictionary(id2word: Any) -> dict[str, Any]:
    if isinstance(id2word, Dictionary):
        return {
            "type": "Dictionary",
            "token2id": id2word.token2id,
            **{name: list(getattr(id2word, name).items()) for name in ("dfs", "cfs")},
            **{name: getattr(id2word, name) for name in _DICTIONARY_COUNTS},
        }
    if isinstance(id2word, FakeDict):
        return {"type": "FakeDict", "num_terms": id2word.num_terms}
    ids, words = read_id2word(id2word)
    return {"type": "dict", "words": list(zip(ids.tolist(), words, strict=True))}


def _read_dictionary(path: Path) -> Any:
    file = path / "id2word.json"
    packed = read_json(file)
    if packed["type"] == "FakeDict":
        return FakeDict(check_count(packed["num_terms"], "num_terms"))
    if packed["type"] == "dict":
        return {int(i): word for i, word in packed["words"]}
    if packed["type"] != "Dictionary":
        raise ValueError(f"unknown type {packed['type']!r}")
    dictionary = Dictionary()
    dictionary.token2id = {str(word): int(i) for word, i in packed["token2id"].items()}
    for name in ("dfs", "cfs"):
        setattr(dictionary, name, {int(i): int(count) for i, count in packed[name]})
    for name in _DICTIONARY_COUNTS:
        setattr(dictionary, name, int(packed[name]))
    return dictionary
