"""SAEBERTopic on disk: BERTopic's own folder, which stock BERTopic opens, with one of atoms inside.

```
folder/
  config.json, topics.json, topic_embeddings.*, ctfidf*   BERTopic's
  saetm/config.json, model.safetensors                    parameters; labels, deleted atoms
  saetm/model/                                            the SAETopicModel
```
"""

from __future__ import annotations

import copy
import json
import os
import shutil
import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
from bertopic import BERTopic
from bertopic._bertopic import _create_model_from_files
from bertopic._utils import check_is_fitted
from bertopic.backend import BaseEmbedder

from saetm_plugins.atoms.files.hub import resolve_path
from saetm_plugins.bertopic.backend import check_embedding_model, load_backend
from saetm_plugins.bertopic.base import CutTopics
from saetm_plugins.bertopic.numbering import NumberedTopicModel
from saetm_plugins.bertopic.stock_files import read_stock_files
from saetm_plugins.corpus.encoders import refuse_folder
from saetm_plugins.files.folders import (
    check_checksums,
    check_parent,
    load_folder,
    pack_csr,
    save_folder,
    unpack_csr,
    write_checksums,
)
from saetm_plugins.files.swap import replace_folder
from saetm_plugins.validation import check_choice, check_flag, check_path

KIND = "sae-bertopic"
FOLDER = "saetm"


class SavedTopics(CutTopics):
    """Save and load, in BERTopic's formats with the atoms beside them."""

    def save(
        self,
        path: str | os.PathLike[str],
        serialization: str = "safetensors",
        save_embedding_model: bool | str = True,
        save_ctfidf: bool = True,
    ) -> None:
        """Save so that stock ``BERTopic.load`` opens it, and :meth:`load` with atoms and re-cuts.

        The default is safetensors with c-TF-IDF, where BERTopic's is a pickle: atoms, emissions
        and mixtures are never pickled unless asked for.

        Parameters
        ----------
        path : path
            A folder, or a file for "pickle".
        serialization : {"safetensors", "pytorch", "pickle"}, default="safetensors"
            "pickle" writes the object as BERTopic does. Loading one can run code: load only
            your own.
        save_embedding_model : bool or str, default=True
            The name of the embedding model, True for the name it was loaded by.
        save_ctfidf : bool, default=True
        """
        check_choice(serialization, "serialization", ("safetensors", "pytorch", "pickle"))
        path = check_path(path)
        check_is_fitted(self)
        if serialization == "pickle":
            super().save(path, serialization, save_embedding_model, save_ctfidf)
            return
        if check_parent(path).is_file():
            raise FileExistsError(f"path {str(path)!r} is a file; a folder is written")
        path.parent.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
        try:
            BERTopic.save(
                self._as_stock(), staging, serialization, save_embedding_model,
                save_ctfidf and self.c_tf_idf_ is not None,
            )  # fmt: skip
            self._save_atoms(staging / FOLDER)
            write_checksums(staging)
            _move_into(staging, path)
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        embedding_model: Any = None,
        *,
        vectorizer_model: Any = None,
        allow_pickle: bool = False,
    ) -> Any:
        """Load a model saved by :meth:`save`; one of stock BERTopic comes as a plain BERTopic.

        Parameters
        ----------
        path : path or str
            A folder, a pickled file, or the name of a repository on the Hugging Face hub.
        embedding_model : optional
            As in BERTopic; None: the one whose name was saved.
        vectorizer_model : optional
            The one that the model was fitted with, where it could not be saved: it holds more than
            plain settings, a tokenizer function say. Without it no words are counted any more.
        allow_pickle : bool, default=False
            Open a pickled file, which may run any code: only for files of your own.

        Returns
        -------
        SAEBERTopic, or BERTopic where there are no atoms in the folder (a warning says so)
        """
        folder = check_path(path)
        check_embedding_model(embedding_model)
        if folder.is_file():
            if not check_flag(allow_pickle, "allow_pickle"):
                raise ValueError(
                    f"path {str(path)!r} is a file, which BERTopic pickles: opening it may run any "
                    "code; pass allow_pickle=True for a file of your own, or save as safetensors"
                )
            return super().load(str(path), embedding_model)
        folder = resolve_path(str(path))
        has_atoms = (folder / FOLDER).is_dir()
        if has_atoms:
            check_checksums(folder)
        topics, params, tensors, *more = read_stock_files(folder)
        saved_name = params.pop("embedding_model", None)
        try:
            stock = _create_model_from_files(topics, params, tensors, *more, warn_no_backend=False)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{str(folder)!r} holds a damaged model: {error!r}") from error
        stock.embedding_model = _find_backend(saved_name, embedding_model)
        if not has_atoms:
            warnings.warn(
                f"path {str(path)!r} was saved by stock BERTopic, without atoms, and is opened as "
                "a BERTopic: fit SAEBERTopic on the documents to cut topics anew",
                UserWarning,
                stacklevel=2,
            )
            return stock
        parameters = {
            name: getattr(stock, name)
            for name in BERTopic._get_param_names()
            if name not in ("umap_model", "hdbscan_model")
        }
        loaded = cls(**parameters)
        loaded.__dict__.update(vars(stock))
        config, arrays = load_folder(folder / FOLDER, KIND)
        try:
            loaded._take_over(config, arrays, folder / FOLDER, vectorizer_model)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"{str(folder / FOLDER)!r} holds a damaged model: {error}") from error
        return loaded

    def _as_stock(self) -> BERTopic:
        """Return this model as a plain BERTopic, whose files must name no other parameters."""
        stock = BERTopic.__new__(BERTopic)
        vars(stock).update({k: v for k, v in vars(self).items() if k not in ("sae", "_model")})
        stock.representation_model = None
        if hasattr(self.vectorizer_model, "vocabulary_"):  # whose columns JSON must hold
            stock.vectorizer_model = copy.copy(self.vectorizer_model)
            stock.vectorizer_model.vocabulary_ = {
                word: int(column) for word, column in self.vectorizer_model.vocabulary_.items()
            }
        return stock

    def _own(self) -> set[str]:
        return set(self._get_param_names()) - set(BERTopic._get_param_names())

    def _save_atoms(self, folder: Path) -> None:
        model = self._model
        config = {
            "parameters": {
                name: getattr(self, name) for name in self._own() if _is_plain(getattr(self, name))
            },
            "counts_by_default": self._counts_by_default,
            "representative_docs": {
                str(k): v for k, v in (self.representative_docs_ or {}).items()
            },
            "outlier_name": self._outlier_name,
            "online": model.online_,
        }
        tensors = {"sizes": np.array(sorted(self.topic_sizes_.items()), dtype=np.int64)}
        if self._topic_counts is not None:
            tensors |= pack_csr("topic_counts", self._topic_counts)
        saved = copy.copy(model)
        saved.encoder = None  # BERTopic saves its own embedding model
        save_folder(
            folder, KIND, config, tensors, write_more=lambda inner: saved.save(inner / "model")
        )

    def _take_over(
        self, config: dict[str, Any], tensors: dict[str, np.ndarray], folder: Path, vectorizer: Any
    ) -> None:
        own = self._own()
        for name, value in config["parameters"].items():
            if name not in own:
                raise KeyError(f"{name!r} is no parameter")
            setattr(self, name, value)
        self._counts_by_default = config["counts_by_default"]
        self.representative_docs_ = {
            int(topic): docs for topic, docs in config["representative_docs"].items()
        }
        model = NumberedTopicModel.load(folder / "model", vectorizer=vectorizer)
        model.online_ = config["online"]
        self.chunk, self.sae = model.chunk_, model.sae
        if "topic_counts.data" in tensors:
            self._topic_counts = unpack_csr("topic_counts", tensors)
        self._model = model
        self.vectorizer_model = model.vectorizer_ or self.vectorizer_model
        self._outlier_name = config.get("outlier_name")
        topics = self.topics_
        sizes = Counter({int(topic): int(size) for topic, size in tensors["sizes"]})
        self._write_cut(with_outliers=-1 in sizes)
        self.topic_sizes_ = sizes
        if len(topics) != len(self.topics_):  # set to those of several batches
            self.topics_ = topics


def _find_backend(saved_name: str | None, given: Any) -> Any:
    """Return the embedding model `given`, else the one by its saved name if that is in reach."""
    if given is not None:
        return load_backend(given, None)
    if saved_name is None:
        return BaseEmbedder()
    try:
        refuse_folder(str(saved_name))
    except ValueError as error:
        warnings.warn(str(error), UserWarning, stacklevel=3)
        return BaseEmbedder()
    try:
        return load_backend(saved_name, None)
    except (OSError, ValueError, ImportError):
        return BaseEmbedder()


def _is_plain(value: Any) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


def _move_into(staging: Path, path: Path) -> None:
    """Replace `path` by `staging`; other files in `path` stay, as with BERTopic."""
    staging.chmod(0o755)
    if path.is_dir():
        for item in path.iterdir():
            if (staging / item.name).exists():
                continue
            if item.is_dir():
                shutil.copytree(item, staging / item.name, symlinks=True)
            else:
                shutil.copy2(item, staging / item.name, follow_symlinks=False)
    replace_folder(staging, path)
