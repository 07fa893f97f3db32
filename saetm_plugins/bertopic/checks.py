"""What callers hand to BERTopic: parameters, and texts, timestamps and classes by their row."""

from __future__ import annotations

import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from bertopic.representation import KeyBERTInspired
from pandas.api.types import is_hashable, is_list_like

from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.validation import as_list, check_count, check_text, is_integer

_MOST_WORDS = 100_000  # of a topic, which blanks fill up to
_SLOTS = {
    "vectorizer_model": ("fit_transform", "transform", "get_feature_names_out"),
    "ctfidf_model": ("fit", "transform"),
}


def check_parameters(topic_model: Any) -> None:
    """Refuse BERTopic's own parameters where SAEBERTopic reads them and BERTopic checks nothing.

    Parameters
    ----------
    topic_model : BERTopic

    Raises
    ------
    TypeError, ValueError
        Naming the parameter.
    """
    check_top_n_words(topic_model.top_n_words)
    check_nr_topics(topic_model.nr_topics)
    check_ngrams(topic_model.n_gram_range)
    for slot in _SLOTS:
        check_slot(getattr(topic_model, slot), slot)
    check_representation(topic_model.representation_model)
    if not isinstance(topic_model.calculate_probabilities, (bool, np.bool_)):
        found = topic_model.calculate_probabilities
        raise TypeError(f"calculate_probabilities must be True or False; found {found!r}")
    check_similarity(topic_model.zeroshot_min_similarity, "zeroshot_min_similarity")
    if topic_model.zeroshot_topic_list is not None:
        check_names(topic_model.zeroshot_topic_list, "zeroshot_topic_list")
    if topic_model.seed_topic_list is not None:
        every = as_list(topic_model.seed_topic_list, "seed_topic_list", "lists of words")
        for row, words in enumerate(every):
            check_names(words, f"seed_topic_list[{row}]")


def check_similarity(similarity: Any, name: str) -> None:
    """Refuse all but a cosine."""
    if isinstance(similarity, bool) or not isinstance(similarity, numbers.Real):
        raise TypeError(f"{name} must be a number; found {similarity!r:.80}")
    if not -1 <= float(similarity) <= 1:
        raise ValueError(f"{name} must be in [-1, 1]; found {similarity!r}")


def check_top_n_words(top_n_words: Any) -> int:
    """Return a count of words, which blanks fill up where the vocabulary is smaller."""
    top_n_words = check_count(top_n_words, "top_n_words")
    if top_n_words > _MOST_WORDS:
        raise ValueError(f"top_n_words must be at most {_MOST_WORDS:,}; found {top_n_words:,}")
    return top_n_words


def check_nr_topics(nr_topics: Any) -> None:
    """Refuse all but a count, "auto" and None."""
    if nr_topics is not None and not (isinstance(nr_topics, str) and nr_topics == "auto"):
        nr_topics = check_count(nr_topics, "nr_topics")


def check_names(names: Any, name: str) -> list[str]:
    """Return `names`, one text or more, as a list."""
    names = as_list(names, name, "texts")
    if not names:
        raise ValueError(f"{name} is empty; None means none")
    return [check_text(text, f"{name}[{row}]") for row, text in enumerate(names)]


def check_ngrams(n_gram_range: Any) -> None:
    """Refuse all but two rising counts, as scikit-learn's vectorizers take them."""
    if not isinstance(n_gram_range, tuple) or len(n_gram_range) != 2:
        raise TypeError(f"n_gram_range must be a tuple of two integers; found {n_gram_range!r:.80}")
    least, most = (check_count(n, "n_gram_range") for n in n_gram_range)
    if least > most:
        raise ValueError(f"n_gram_range must rise; found {n_gram_range!r}")


def check_slot(model: Any, name: str) -> None:
    """Refuse what lacks the methods that BERTopic calls of a part; None is BERTopic's default."""
    missing = [each for each in _SLOTS[name] if not callable(getattr(model, each, None))]
    if model is not None and (missing or isinstance(model, type)):
        raise TypeError(
            f"{name} must be an object with {', '.join(_SLOTS[name])}; found {model!r:.80}"
        )


def check_representation(model: Any) -> None:
    """Refuse all but representation models, chains of them, and dictionaries of either."""
    name = "representation_model"
    if isinstance(model, Mapping):
        for aspect, chain in model.items():
            if not isinstance(aspect, str):
                raise TypeError(f"{name} must have aspects of type str; found {aspect!r:.80}")
            check_representation(chain)
        return
    for each in model if isinstance(model, (list, tuple)) else [model]:
        if each is not None and (
            isinstance(each, type) or not callable(getattr(each, "extract_topics", None))
        ):
            raise TypeError(
                f"{name} must be one of bertopic.representation, a list or a dict of such; "
                f"found {each!r:.80}"
            )


def check_keybert(representation_model: Any, can_embed: bool) -> None:
    """Refuse KeyBERTInspired, which embeds words, where there is no embedding model.

    Raises
    ------
    ValueError
    """
    of_aspects = isinstance(representation_model, Mapping)
    for chain in representation_model.values() if of_aspects else [representation_model]:
        for model in chain if isinstance(chain, (list, tuple)) else [chain]:
            if isinstance(model, KeyBERTInspired) and not can_embed:
                raise ValueError(
                    "KeyBERTInspired embeds words and needs embedding_model=, the model that made "
                    "the embeddings; without one, MaximalMarginalRelevance or none describes topics"
                )


def check_columns(df: Any, metadata: Any, n_documents: int) -> None:
    """Refuse what cannot stand beside documents: a table or columns of another length."""
    if df is not None and not isinstance(df, pd.DataFrame):
        raise TypeError(f"df must be a DataFrame; found {type(df).__name__}")
    if df is not None and len(df) != n_documents:
        raise ValueError(f"df has {len(df)} rows for {n_documents} documents")
    if metadata is None:
        return
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata must be a dict of columns; found {type(metadata).__name__}")
    for column, values in metadata.items():
        if not is_list_like(values) or sp.issparse(values) or len(values) != n_documents:
            raise ValueError(f"metadata[{column!r}] must hold {n_documents} values, one a document")


def check_topics(topics: Any, name: str = "topics") -> list[int]:
    """Return numbers of topics, -1 for none, as a list of int."""
    found = as_list(topics, name, "numbers of topics")
    for row, topic in enumerate(found):
        if not is_integer(topic) or topic < -1:
            raise TypeError(f"{name}[{row}] must be a topic's number, or -1; found {topic!r:.80}")
    return [int(topic) for topic in found]


def check_texts(texts: Any, name: str) -> list[str]:
    """Return texts as a list, as :func:`saetm_plugins.corpus.check_documents`; it may be empty."""
    return check_documents(texts, name, least=0)


def check_groups(values: Any, n_documents: int, name: str) -> list[Any]:
    """Return one value per document as a list; an index that a Series brings along has no part.

    Raises
    ------
    TypeError
        When they are no values, one per document.
    ValueError
        When there are more or fewer than documents, or one is None, NaN, NaT or half of a
        surrogate pair.
    """
    values = as_list(values, name, "one value per document")
    if len(values) != n_documents:
        raise ValueError(f"{name} has {len(values)} entries for {n_documents} documents")
    for row, value in enumerate(values):
        if not is_hashable(value):
            raise TypeError(f"{name}[{row}] must be one value; found {value!r:.80}")
        if isinstance(value, str):
            check_text(value, f"{name}[{row}]")
    missing = np.flatnonzero(pd.isna(pd.Series(values, dtype=object)))
    if missing.size:
        row = int(missing[0])
        raise ValueError(
            f"{name}[{row}] is {values[row]!r}, as are {missing.size - 1} more entries; leave "
            "such documents out, or give them a value of their own"
            if missing.size > 1
            else f"{name}[{row}] is {values[row]!r}; leave such documents out, or give it a value"
        )
    return values


def check_times(values: Any, n_documents: int, datetime_format: str | None) -> list[Any]:
    """Return timestamps as a list: numbers or dates as they are, texts read as dates.

    Raises
    ------
    TypeError
        When they cannot be put in an order.
    ValueError
        When one is missing, or a text that is no date (of that format).
    """
    times = check_groups(values, n_documents, "timestamps")
    try:
        sorted(times)
    except TypeError as error:
        raise TypeError(f"timestamps must all be numbers, dates or texts: {error}") from None
    if not times or not isinstance(times[0], str):
        return times
    # BERTopic 0.17.4 asks pandas for an option that pandas 3 no longer has.
    read = pd.to_datetime(pd.Series(times), format=datetime_format, errors="coerce")
    unread = np.flatnonzero(read.isna())
    if unread.size:
        wanted = f"of the format {datetime_format!r}" if datetime_format else "like the first one"
        row = int(unread[0])
        raise ValueError(f"timestamps[{row}] is {times[row]!r}, no date {wanted}")
    return list(read)
