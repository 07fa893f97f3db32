"""The files of stock BERTopic, read as a stranger's: no pickle, no folder but the one given.

BERTopic's own ``load_local_files`` opens ``.bin`` by ``torch.load`` as the environment says, and
images by names that the files hold. The folder's layout is BERTopic's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from bertopic import _save_utils as names
from safetensors import SafetensorError
from safetensors.numpy import load_file

from saetm_plugins.files.folders import pack_csr, read_json, unpack_csr
from saetm_plugins.files.weights import read_state_dict
from saetm_plugins.validation import check_choice, check_embeddings, is_integer

_CSR = ("data", "indices", "indptr", "shape")


def read_stock_files(folder: Path) -> tuple[Any, ...]:
    """Read what ``BERTopic.save`` wrote, as ``_create_model_from_files`` takes it.

    Returns
    -------
    topics, params : dict
    tensors : dict of str to ndarray
    ctfidf_tensors : dict of str to ndarray, or None
    ctfidf_config : dict, or None
    images : dict of int to PIL image, or None
    """
    try:
        topics = _check_topics(read_json(folder / names.TOPICS_NAME))
        params = dict(read_json(folder / names.CONFIG_NAME))
        tensors = _read_tensors(folder, names.HF_SAFE_WEIGHTS_NAME, names.HF_WEIGHTS_NAME)
        if tensors is None:
            raise ValueError("its topic embeddings are missing")
        vectors = tensors["topic_embeddings"]
        tensors = {"topic_embeddings": check_embeddings(vectors, name="topic_embeddings")}
        words = _read_tensors(folder, names.CTFIDF_SAFE_WEIGHTS_NAME, names.CTFIDF_WEIGHTS_NAME)
        config = None
        if words is not None:
            words = _check_word_scores(words)
            config = _check_vectorizer(read_json(folder / names.CTFIDF_CFG_NAME), words)
        return topics, params, tensors, words, config, _read_images(folder, topics)
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
        raise ValueError(f"{str(folder)!r} holds no whole model of BERTopic: {error}") from error


def _read_tensors(folder: Path, safe: str, other: str) -> dict[str, np.ndarray] | None:
    if (folder / safe).is_file():
        try:
            return load_file(folder / safe)
        except (SafetensorError, OSError) as error:
            raise ValueError(f"{safe} is truncated or not safetensors: {error}") from error
    if (folder / other).is_file():
        return {name: tensor.numpy() for name, tensor in read_state_dict(folder / other).items()}
    return None


def _check_topics(topics: Any) -> dict[str, Any]:
    """Refuse topics without numbers, or whose words are no pairs of word and score."""
    for name in ("topic_representations", "topic_sizes"):
        for topic in topics[name]:
            int(topic)
    for words in topics["topic_representations"].values():
        for word, score in words:
            if not isinstance(word, str) or not isinstance(score, (int, float)):
                raise ValueError(f"{word!r} with {score!r} is no word of a topic")
    if not all(map(is_integer, topics["topics"])):
        raise ValueError("topics of documents are no integers")
    for row in topics["topic_mapper"]:
        if not all(map(is_integer, row)):
            raise ValueError("topic_mapper holds no integers")
    labels = topics["custom_labels"]
    if labels is not None and not all(isinstance(label, str) for label in labels):
        raise ValueError("custom_labels are no texts")
    return topics


def _check_word_scores(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the c-TF-IDF matrix, checked."""
    matrix = unpack_csr("scores", {f"scores.{part}": tensors[part] for part in _CSR})
    diagonal = np.asarray(tensors["diag"], dtype=np.float64)
    if diagonal.shape != (matrix.shape[1],):
        raise ValueError(f"diag has shape {diagonal.shape} for {matrix.shape[1]} words")
    # The idf of a word that no topic holds is infinite in BERTopic.
    if not np.isfinite(matrix.data).all() or np.isnan(diagonal).any():
        raise ValueError("the scores of words are not finite")
    packed = pack_csr("scores", matrix)
    checked = {part: packed[f"scores.{part}"] for part in _CSR}
    return {**checked, "shape": tuple(matrix.shape), "diag": tensors["diag"]}  # type: ignore[dict-item]


def _check_vectorizer(config: Any, words: dict[str, np.ndarray]) -> Any:
    vectorizer = config["vectorizer_model"]
    check_choice(vectorizer["params"]["input"], "vectorizer_model: input", ("content",))
    n_words = words["shape"][1]
    for word, column in vectorizer["vocab"].items():
        if not is_integer(column) or not 0 <= column < n_words:
            raise ValueError(f"the word {word!r} has column {column!r} of {n_words}")
    return config


def _read_images(folder: Path, topics: dict[str, Any]) -> dict[int, Any] | None:
    """Open the images of topics; a name is a number, so none leads out of the folder."""
    numbers = [int(topic) for topic in topics["topic_representations"]]
    if not (folder / "images" / "0.jpg").is_file():
        return None
    from PIL import Image

    return {topic: Image.open(folder / "images" / f"{topic}.jpg") for topic in numbers}
