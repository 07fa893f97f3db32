"""SAEBERTopic on disk: BERTopic's own folder, which stock BERTopic opens, with one of atoms inside.

```
folder/
  config.json, topics.json, topic_embeddings.*, ctfidf*   BERTopic's
  saetm/config.json, model.safetensors                    parameters; sizes, counts of words
  saetm/model/                                            the SAETopicModel
```
BERTopic opens ``.bin`` files by ``torch.load`` as the environment says, which may run code. They
must hold weights alone before BERTopic opens them here.
"""

from __future__ import annotations

import copy
import shutil
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from bertopic import BERTopic
from bertopic import _save_utils as names
from bertopic._bertopic import _create_model_from_files
from bertopic.backend import BaseEmbedder
from safetensors import SafetensorError

from saetm_plugins.bertopic.embedding import load_backend, load_saved_backend
from saetm_plugins.bertopic.numbering import NumberedTopicModel
from saetm_plugins.files.folders import (
    check_checksums,
    check_parent,
    load_folder,
    save_folder,
    write_checksums,
)
from saetm_plugins.files.weights import read_state_dict
from saetm_plugins.files.write import replace_folder
from saetm_plugins.validation import check_embeddings, check_indices

KIND = "sae-bertopic"
FOLDER = "saetm"
_DAMAGE = (
    *(KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError, RecursionError),
    SafetensorError,
    UnboundLocalError,  # BERTopic's, where topic embeddings are missing
)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """Let the block fill a folder, which then replaces `path` at once.

    Other files in `path` stay, as with BERTopic.
    """
    if check_parent(path).is_file():
        raise FileExistsError(f"path {str(path)!r} is a file; a folder is written")
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield staging
        write_checksums(staging)
        staging.chmod(0o755)
        for item in path.iterdir() if path.is_dir() else ():
            if (staging / item.name).exists():
                continue
            if item.is_dir():
                shutil.copytree(item, staging / item.name, symlinks=True)
            else:
                shutil.copy2(item, staging / item.name, follow_symlinks=False)
        replace_folder(staging, path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def write_stock_files(
    folder: Path, stock: BERTopic, serialization: str, save_embedding_model: Any, save_ctfidf: bool
) -> None:
    """Write BERTopic's own files of a model."""
    stock.representation_model = None
    if hasattr(stock.vectorizer_model, "vocabulary_"):  # whose columns JSON must hold
        stock.vectorizer_model = copy.copy(stock.vectorizer_model)
        vocabulary = stock.vectorizer_model.vocabulary_
        stock.vectorizer_model.vocabulary_ = {w: int(column) for w, column in vocabulary.items()}
    with_words = save_ctfidf and stock.c_tf_idf_ is not None
    stock.save(folder, serialization, save_embedding_model, with_words)


def write_atoms(
    folder: Path, config: dict[str, Any], tensors: dict[str, np.ndarray], model: NumberedTopicModel
) -> None:
    """Write the folder of atoms into one of BERTopic's files."""
    saved = copy.copy(model)
    saved.encoder = None  # BERTopic saves its own embedding model
    save_folder(
        folder / FOLDER,
        KIND,
        config,
        tensors,
        write_more=lambda inner: saved.save(inner / "model"),
    )


def read_atoms(
    folder: Path, vectorizer: Any
) -> tuple[dict[str, Any], dict[str, np.ndarray], NumberedTopicModel] | None:
    """Read what :func:`write_atoms` wrote; None if `folder` has no atoms."""
    if not (folder / FOLDER).is_dir():
        return None
    config, tensors = load_folder(folder / FOLDER, KIND)
    return (
        config,
        tensors,
        NumberedTopicModel.load(folder / FOLDER / "model", vectorizer=vectorizer),
    )


def read_stock_model(folder: Path, embedding_model: Any) -> BERTopic:
    """Read what ``BERTopic.save`` wrote."""
    if (folder / FOLDER).is_dir():
        check_checksums(folder)
    with refusing_damage(folder):
        for name in (names.HF_WEIGHTS_NAME, names.CTFIDF_WEIGHTS_NAME):
            if (folder / name).is_file():
                read_state_dict(folder / name)  # refuses all but weights
        topics, params, *more = names.load_local_files(folder)
        saved_name = params.pop("embedding_model", None)
        stock = _create_model_from_files(topics, params, *more, warn_no_backend=False)
        check_embeddings(stock.topic_embeddings_, name="topic_embeddings")
        if stock.c_tf_idf_ is not None:  # compiled loops rely on its indices
            check_indices(stock.c_tf_idf_, "c_tf_idf")
    if embedding_model is not None:
        stock.embedding_model = load_backend(embedding_model, None)
        return stock
    try:
        stock.embedding_model = load_saved_backend(saved_name)
    except ValueError as error:
        warnings.warn(str(error), UserWarning, stacklevel=3)
        stock.embedding_model = BaseEmbedder()
    return stock


@contextmanager
def refusing_damage(folder: Path) -> Iterator[None]:
    """Turn the errors that damaged files lead to into a ValueError that names the folder."""
    try:
        yield
    except _DAMAGE as error:
        raise ValueError(f"{str(folder)!r} holds a damaged model: {error}") from error
