"""Words for pictures without captions, by an encoder that embeds words and pictures in one space.

CLIP's zero-shot classification (Radford et al. 2021) with a vocabulary as the classes: the words
nearest to a picture are its bag of words, from which the words of atoms are learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.corpus.encoders import encode_texts
from saetm_plugins.numerics.parallel import even_ranges
from saetm_plugins.validation import as_list, check_count, check_embeddings, check_text

PROMPT = "a photo of {}"
_BLOCK = 4096  # pictures whose cosines are held at a time


def count_zero_shot_words(
    embeddings: Any,
    words: Sequence[str],
    encoder: Any,
    *,
    n_words: int = 10,
    prompt: str = PROMPT,
) -> sp.csr_matrix:
    """Return a bag of words of each picture: the words of a vocabulary that it is nearest to.

    A word's cosine with a picture counts by how much it is above its mean over all pictures, as
    some words are near to every picture.

    Parameters
    ----------
    embeddings : array-like of shape (n, d)
        Of the pictures, by `encoder`; the row of an unreadable picture is zero, and gets no words.
    words : sequence of str, length V
    encoder : object with ``encode(list of str)``
        Of words and pictures, such as CLIP.
    n_words : int, default=10
        Words of a picture.
    prompt : str, default="a photo of {}"
        The text that is embedded for a word.

    Returns
    -------
    csr_matrix of shape (n, V), float32
        At most `n_words` a row, which sum to `n_words`; ``bow=`` of ``fit``.
    """
    n_words = check_count(n_words, "n_words")
    pictures = _unit(check_embeddings(embeddings))
    texts = _encode_words(encoder, _prompts(words, prompt))
    if texts.shape[1] != pictures.shape[1]:
        raise ValueError(
            f"encoder embeds words in {texts.shape[1]} dimensions and images in "
            f"{pictures.shape[1]}; zero-shot words need one space"
        )
    is_known = np.asarray(pictures.any(axis=1))
    known = pictures[is_known]
    means = known.mean(axis=0, dtype=np.float64).astype(np.float32) @ texts.T if len(known) else 0
    n_words = min(n_words, len(texts))
    blocks = []
    for first, last in even_ranges(len(pictures), _BLOCK):
        above = pictures[first:last] @ texts.T - means
        kept = np.argpartition(-above, n_words - 1, axis=1)[:, :n_words]
        weights = np.maximum(np.take_along_axis(above, kept, axis=1), 0)
        weights[~is_known[first:last]] = 0
        weights *= n_words / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)
        rows = np.repeat(np.arange(last - first), n_words)
        shape = (last - first, len(texts))
        blocks.append(sp.csr_matrix((weights.ravel(), (rows, kept.ravel())), shape=shape))
    counts = sp.vstack(blocks, format="csr", dtype=np.float32)
    counts.eliminate_zeros()
    counts.sort_indices()
    return counts


def _prompts(words: Any, prompt: str) -> list[str]:
    words = as_list(words, "words", "words")
    if not words:
        raise ValueError("words is empty")
    for row, word in enumerate(words):
        check_text(word, f"words[{row}]")
    try:
        return [check_text(prompt, "prompt").format(word) for word in words]
    except (AttributeError, IndexError, KeyError, ValueError) as error:
        raise ValueError(f"prompt must have {{}} for the word; found {prompt!r:.80}") from error


def _encode_words(encoder: Any, texts: list[str]) -> np.ndarray:
    try:
        return _unit(encode_texts(encoder, texts))
    except (TypeError, AttributeError, KeyError) as error:
        raise TypeError(f"encoder must embed words as well as images: {error}") from error


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
