"""Evaluation by the most probable words of topics.

Topics are lists of words, most probable first, as every topic model gives them. The measures are
those of SAE-TM (arXiv 2511.16309, section 5) that need no language model.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from saetm_plugins.validation import as_list, check_choice, check_count

Topics = Sequence[Sequence[str]]


def check_topics(topics: Topics, n_words: int, *, least: int = 1) -> list[list[str]]:
    """Return the first `n_words` words of each topic."""
    n_words = check_count(n_words, "n_words")
    shortened = []
    for row, given in enumerate(as_list(topics, "topics", "lists of words")):
        words = as_list(given, f"topics[{row}]", "words")[:n_words]
        for word in words:
            if not isinstance(word, str):
                raise TypeError(f"topics[{row}] must hold words; found {word!r:.80}")
        if len(words) < n_words:
            raise ValueError(f"topics[{row}] has {len(words)} words; n_words asks for {n_words}")
        shortened.append(words)
    if len(shortened) < least:
        raise ValueError(f"topics must hold at least {least} topics; found {len(shortened)}")
    return shortened


def topic_diversity(topics: Topics, n_words: int = 10) -> float:
    """Return the share of unique words among the top words of all topics, 1 if none occurs twice.

    Dieng, Ruiz & Blei, "Topic modeling in embedding spaces", TACL 2020, section 6.

    Parameters
    ----------
    topics : list of lists of str
    n_words : int, default=10
    """
    shortened = check_topics(topics, n_words)
    return len({word for words in shortened for word in words}) / (n_words * len(shortened))


def topic_coherence(
    topics: Topics,
    texts: Sequence[Sequence[str]],
    measure: str = "c_npmi",
    n_words: int = 10,
    n_jobs: int = 1,
) -> np.ndarray:
    """Return each topic's coherence in a reference corpus, by gensim's ``CoherenceModel``.

    Röder, Both & Hinneburg, "Exploring the space of topic coherence measures", WSDM 2015.

    Parameters
    ----------
    topics : list of lists of str
        A word that `texts` lack counts as one that occurs once, in a further text without others.
    texts : list of lists of str
        Tokens of the reference corpus.
    measure : {"c_npmi", "c_v", "c_uci", "u_mass"}
    n_words : int, default=10
    n_jobs : int, default=1
        Processes of gensim, at most one for each core.

    Returns
    -------
    ndarray of shape (T,), float64
        NaN, with a warning, where gensim gives a topic NaN.
    """
    check_choice(measure, "measure", ("c_npmi", "c_v", "c_uci", "u_mass"))
    n_words = check_count(n_words, "n_words", minimum=2)
    n_jobs = min(check_count(n_jobs, "n_jobs"), os.cpu_count() or 1)
    shortened = check_topics(topics, n_words)
    texts = _check_texts(texts)
    words = {word for topic in shortened for word in topic}
    unseen = sorted(words.difference(*texts))
    if unseen:
        others = f" nor {len(unseen) - 1} other words of topics" if len(unseen) > 1 else ""
        warnings.warn(
            f"texts hold no {unseen[0]!r}{others}; such words count as never together with others",
            UserWarning,
            stacklevel=2,
        )
    touched = np.array([not set(unseen).isdisjoint(topic) for topic in shortened])
    scores = np.empty(len(shortened))
    for part, corpus in ((~touched, texts), (touched, [*texts, *([word] for word in unseen)])):
        if part.any():
            chosen = [shortened[row] for row in np.flatnonzero(part)]
            scores[part] = _gensim_coherence(chosen, corpus, measure, n_words, n_jobs)
    if undefined := np.flatnonzero(~np.isfinite(scores)).tolist():
        warnings.warn(
            f"{measure} is not defined for topics {undefined}: their words share too few windows",
            UserWarning,
            stacklevel=2,
        )
    return scores


def _gensim_coherence(
    topics: list[list[str]], texts: Any, measure: str, n_words: int, n_jobs: int
) -> list[float]:
    """Return gensim's coherence of topics, (T,), whose words all occur in `texts`."""
    try:
        from gensim.corpora import Dictionary
        from gensim.models import CoherenceModel
    except ImportError as error:
        raise ImportError("coherence needs gensim: pip install 'saetm-plugins[gensim]'") from error
    # Only words of topics are counted, in windows over all words: gensim skips tokens that the
    # dictionary lacks only after it has cut the windows.
    model = CoherenceModel(
        topics=topics,
        texts=texts,
        dictionary=Dictionary(topics),
        coherence=measure,
        topn=n_words,
        processes=n_jobs,
    )
    return model.get_coherence_per_topic()


def embedding_intruder_accuracy(
    topics: Topics,
    word_vectors: Any,
    n_words: int = 5,
    n_repeats: int = 10,
    random_state: int | np.random.Generator = 0,
) -> float:
    """Return how often the word farthest from a topic's top words is the intruder among them.

    The intruder task without a judge: the top words of a topic are mixed with a top word of another
    topic, and the word with the lowest mean cosine to the rest is picked.

    Parameters
    ----------
    topics : list of lists of str
        An intruder is never a word of the topic's own list, however long that is.
    word_vectors : mapping of str to vector, or gensim ``KeyedVectors``
        A topic with fewer than two known top words counts as wrong.
    n_words : int, default=5
        Top words shown per topic, and the depth intruders are drawn from.
    n_repeats : int, default=10
        Intruders tried per topic.
    random_state : int or Generator, default=0

    Returns
    -------
    float
        Between 0 and 1; chance is ``1 / (n_words + 1)``.
    """
    shortened = check_topics(topics, n_words, least=2)
    n_repeats = check_count(n_repeats, "n_repeats")
    try:
        rng = np.random.default_rng(random_state)
    except (TypeError, ValueError) as error:
        raise ValueError(f"random_state must be an int of at least 0: {error}") from None
    known = _unit_vectors({word for words in shortened for word in words}, word_vectors)
    hits = 0
    for row, words in enumerate(shortened):
        own = set(topics[row])
        candidates = sorted({word for other in shortened for word in other if word in known} - own)
        shown = [known[word] for word in words if word in known]
        if len(shown) < 2 or not candidates:
            continue
        for intruder in rng.choice(len(candidates), size=n_repeats):
            vectors = np.stack([*shown, known[candidates[intruder]]])
            # A row's cosine with itself is 1 for all, so sums order as means of the others do.
            hits += int((vectors @ vectors.sum(axis=0)).argmin() == len(shown))
    return hits / (n_repeats * len(shortened))


def embedding_coherence(topics: Topics, word_vectors: Any, n_words: int = 10) -> np.ndarray:
    """Return each topic's mean pairwise cosine between the vectors of its top words.

    Ding, Nallapati & Xiang, "Coherence-aware neural topic modeling", EMNLP 2018, section 3.

    Parameters
    ----------
    topics : list of lists of str
    word_vectors : mapping of str to vector, or gensim ``KeyedVectors``
        Words it lacks are left out. Vectors of many encoders lie in a narrow cone, in which all
        cosines are large: subtract their mean first.
    n_words : int, default=10

    Returns
    -------
    ndarray of shape (T,), float64
        0 for a topic with fewer than two known words.
    """
    n_words = check_count(n_words, "n_words", minimum=2)
    shortened = check_topics(topics, n_words)
    known = _unit_vectors({word for words in shortened for word in words}, word_vectors)
    coherence = np.zeros(len(shortened))
    for row, words in enumerate(shortened):
        vectors = [known[word] for word in words if word in known]
        if (n := len(vectors)) >= 2:
            total = np.sum(vectors, axis=0)
            coherence[row] = (total @ total - n) / (n * (n - 1))
    return coherence


def wmd_diversity(topics: Topics, word_vectors: Any, n_words: int = 20) -> float:
    """Return D, the mean Word Mover's Distance between the topics' top words.

    SAE-TM, arXiv 2511.16309, section 5: word2vec vectors, top 20 words, every pair of topics.
    The distance is exact optimal transport (POT) between uniform weights, Euclidean cost.

    Parameters
    ----------
    topics : list of lists of str
    word_vectors : mapping of str to vector, or gensim ``KeyedVectors``
        Words it lacks are left out, and topics without a known word. Vectors are not scaled: the
        figure is in their units.
    n_words : int, default=20
    """
    shortened = check_topics(topics, n_words, least=2)
    try:
        import ot
    except ImportError as error:
        raise ImportError("WMD diversity needs POT: pip install POT") from error
    from scipy.spatial.distance import cdist

    vectors = _look_up({word for words in shortened for word in words}, word_vectors)
    clouds = [
        np.asarray([vectors[word] for word in words if word in vectors]) for words in shortened
    ]
    clouds = [cloud for cloud in clouds if len(cloud)]
    if len(clouds) < 2:
        raise ValueError(f"word_vectors holds words of only {len(clouds)} topics; two are needed")
    distances = [
        ot.emd2([], [], cdist(clouds[row], clouds[other]))
        for row in range(len(clouds))
        for other in range(row)
    ]
    return float(np.mean(distances))


def _unit_vectors(words: set[str], word_vectors: Any) -> Mapping[str, np.ndarray]:
    """Look up `words` and scale their vectors to length 1, without those of length 0."""
    found = {}
    for word, vector in _look_up(words, word_vectors).items():
        length = np.linalg.norm(vector)
        if length > 0:
            found[word] = vector / length
    if not found:
        raise ValueError(f"word_vectors holds none of the {len(words)} words of topics")
    return found


def _look_up(words: set[str], word_vectors: Any) -> dict[str, np.ndarray]:
    """Return the vectors of those `words` that are known, in float64."""
    looks_up = hasattr(word_vectors, "__contains__") and hasattr(word_vectors, "__getitem__")
    if not looks_up or isinstance(word_vectors, (bytes, bytearray)):
        raise TypeError(
            "word_vectors must be a mapping of words to vectors or gensim KeyedVectors; "
            f"found {type(word_vectors).__name__}"
        )
    found = {}
    for word in sorted(words):
        if word not in word_vectors:
            continue
        try:
            vector = np.asarray(word_vectors[word], dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"word_vectors[{word!r}] is no vector: {error}") from None
        if vector.ndim != 1 or not np.isfinite(vector).all():
            raise ValueError(f"word_vectors[{word!r}] is no vector of finite numbers")
        found[word] = vector
    if len({len(vector) for vector in found.values()}) > 1:
        raise ValueError("word_vectors holds vectors of different lengths")
    return found


def _check_texts(texts: Any) -> Sequence[Sequence[str]]:
    """Return lists of tokens."""
    given = as_list(texts, "texts", "lists of tokens")
    listed = [as_list(tokens, f"texts[{row}]", "tokens") for row, tokens in enumerate(given)]
    for row, tokens in enumerate(listed):
        if odd := [token for token in tokens if not isinstance(token, str)]:
            raise TypeError(f"texts[{row}] must hold tokens; found {odd[0]!r:.80}")
    return listed
