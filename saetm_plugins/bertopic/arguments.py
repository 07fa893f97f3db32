"""Checks of what BERTopic's figures and readers are given, by the names of their arguments."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from bertopic._utils import check_is_fitted

from saetm_plugins.bertopic.checks import check_function, check_texts, check_topics
from saetm_plugins.validation import (
    check_choice,
    check_count,
    check_embeddings,
    check_flag,
    check_not_negative,
    check_text,
    without_tensors,
)

_COUNTS = (
    *("top_n_topics", "n_words", "n_clusters", "nr_levels", "window", "stride", "batch_size"),
    *("top_n", "nr_words", "word_length"),
)
_OPTIONAL = ("top_n_topics", "n_clusters", "batch_size", "word_length")
_FLAGS = (
    *("autoscale", "use_ctfidf", "log_scale", "normalize_frequency", "hide_annotations"),
    *("hide_document_hover", "interactive", "enable_search", "topic_prefix", "padding"),
    *("use_embedding_model", "calculate_tokens"),
)
_PIXELS = (10, 20_000)
_STRIP = 100  # times as long as wide
_CHOICES = {
    "orientation": ("left", "bottom"),
    "level_scale": ("linear", "lin", "log", "logarithmic"),
}
_TABLES = {
    "topics_over_time": ("Topic", "Words", "Frequency", "Timestamp"),
    "topics_per_class": ("Topic", "Words", "Frequency", "Class"),
    "hierarchical_topics": (
        *("Parent_ID", "Parent_Name", "Topics", "Child_Left_ID", "Child_Left_Name"),
        *("Child_Right_ID", "Child_Right_Name", "Distance"),
    ),
}
_TEXTS = ("sub_title", "search_term")
_NUMBERS = ("sample", "color_threshold")
_KEYWORDS = ("datamap_kwds", "int_datamap_kwds")
_WITHOUT_OUTLIERS = {"n_clusters", "orientation"}  # arguments of figures that have no topic -1


def checked(method: Callable[..., Any], least: int = 0) -> Any:
    """Return a method of BERTopic's that checks its arguments, and needs so many topics."""

    @functools.wraps(method)
    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        return method(self, **bind(method, least, self, *args, **kwargs))

    return call


def bind(method: Callable[..., Any], least: int, *args: Any, **kwargs: Any) -> dict[str, Any]:
    """Return all arguments of a method of BERTopic's by name: lists, arrays, copies of tables.

    Parameters
    ----------
    method : function
    least : int
        How many topics it needs.
    *args, **kwargs
        What it is given; a fitted model first, which is not returned.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.
    """
    bound = inspect.signature(method).bind(*args, **kwargs)
    bound.apply_defaults()
    topic_model, *_ = args
    check_is_fitted(topic_model)
    given = dict(list(bound.arguments.items())[1:])
    checked = {name: _check_one(topic_model, name, value) for name, value in given.items()}
    if "topics" in given:
        checked["topics"] = _check_shown(topic_model, checked, least)
    if "docs" in given:
        _check_placed(topic_model, checked)
    if "datamap_kwds" in given and checked["reduced_embeddings"] is not None:
        _check_spread(checked["reduced_embeddings"])
    if "level_scale" in given:
        checked["nr_levels"] = _check_levels(checked)
    return checked


def check_tokens(topic_model: Any, document: Any, distribution: Any) -> np.ndarray:
    """Return the topics of a document's tokens, an array of shape (tokens, topics)."""
    check_text(document, "document")
    n_tokens = len(topic_model.vectorizer_model.build_tokenizer()(document))
    shape = n_tokens, _n_topics(topic_model)
    found = _numbers(distribution, "topic_token_distribution")
    if not n_tokens:
        raise ValueError(f"document holds no words: {document!r:.80}")
    if found.shape != shape:
        raise ValueError(
            f"topic_token_distribution must be of shape {shape}, tokens of the document × topics; "
            f"found {found.shape}"
        )
    return found


def _check_one(topic_model: Any, name: str, value: Any) -> Any:
    """Check an argument that tells by itself whether it can be drawn; return it as it is drawn."""
    n_documents = len(topic_model.topics_)
    if name in _FLAGS:
        return check_flag(value, name)
    if name in _COUNTS and not (value is None and name in _OPTIONAL):
        return check_count(value, name)
    if name in _CHOICES:
        return check_choice(value, name, _CHOICES[name])
    if name in ("width", "height"):
        return _check_pixels(value, name)
    if name in ("custom_labels", "aspect"):
        return _check_labels(topic_model, name, value)
    if name == "documents":
        texts = [value] if isinstance(value, str) else check_texts(value, name)
        if not texts:
            raise ValueError("documents is empty")
        return texts
    if name in ("linkage_function", "distance_function"):
        check_function(value, name)
    elif name in ("title", "separator") or (name in _TEXTS and value is not None):
        check_text(value, name)
    elif name in ("min_probability", "min_similarity") or (name in _NUMBERS and value is not None):
        check_not_negative(value, name)
    elif name in _KEYWORDS and not isinstance(value, Mapping):
        raise TypeError(f"{name} must be a dict; found {value!r:.80}")
    elif name == "probabilities":
        return _check_probabilities(topic_model, value)
    elif value is not None and name in ("embeddings", "reduced_embeddings"):
        return _check_positions(value, name, n_documents)
    elif name in _TABLES and not (value is None and name == "hierarchical_topics"):
        return _check_table(value, name)
    return value


def _check_pixels(value: Any, name: str) -> float:
    check_not_negative(value, name, most=_PIXELS[1])
    if value < _PIXELS[0]:
        raise ValueError(f"{name} must be at least {_PIXELS[0]} pixels; found {value!r}")
    return value


def _check_labels(topic_model: Any, name: str, value: Any) -> Any:
    """Return the name of an aspect that the topics have; or a flag, None for an `aspect`."""
    if not isinstance(value, str):
        if name == "aspect" and value is not None:
            raise TypeError(f"aspect must be the name of one; found {value!r:.80}")
        return None if name == "aspect" else check_flag(value, name)
    if value not in topic_model.topic_aspects_:
        known = ", ".join(map(repr, topic_model.topic_aspects_)) or "none"
        raise ValueError(f"{name} is {value!r:.80}; the model has the aspects: {known}")
    return value


def _check_probabilities(topic_model: Any, value: Any) -> np.ndarray:
    found = _numbers(value, "probabilities")
    n_topics = _n_topics(topic_model)
    if found.shape != (n_topics,):
        raise ValueError(
            f"probabilities must be those of one document in {n_topics} topics, a row of "
            f"probabilities_ with calculate_probabilities=True; found shape {found.shape}"
        )
    return found


def _check_positions(value: Any, name: str, n_documents: int) -> np.ndarray:
    found = check_embeddings(value, name=name, n_rows=n_documents)
    if name == "reduced_embeddings" and found.shape[1] < 2:
        raise ValueError(f"{name} must have two columns; found shape {found.shape}")
    return found[:, :2] if name == "reduced_embeddings" else found


def _check_table(value: Any, name: str) -> pd.DataFrame:
    """Return a copy of a table that has the columns to draw, as BERTopic adds one to it."""
    if not isinstance(value, pd.DataFrame):
        raise TypeError(f"{name} must be a DataFrame; found {type(value).__name__}")
    missing = [column for column in _TABLES[name] if column not in value.columns]
    if missing:
        raise ValueError(f"{name} lacks the column {missing[0]!r}")
    if value.empty:
        raise ValueError(f"{name} is empty")
    return value.copy()


def _check_shown(topic_model: Any, given: dict[str, Any], least: int) -> list[int] | None:
    """Return the topics that are asked for, if they are ones, enough, and in the table."""
    topics = given["topics"]
    known = set(topic_model.topic_sizes_) - ({-1} if _WITHOUT_OUTLIERS & given.keys() else set())
    if topics is None:
        shown = len(known - {-1})
        shown = min(shown, given.get("top_n_topics") or shown)
    else:
        topics = check_topics(topics)
        if unknown := sorted(set(topics) - known):
            raise ValueError(f"topics holds {unknown[0]}; those to be drawn are {sorted(known)}")
        without_name = {-1} if "datamap_kwds" in given else set()
        shown = sum(topic not in without_name for topic in topics)
    if shown < least:
        raise ValueError(f"topics must be {least} or more to be drawn; found {shown}")
    return _of_table(topic_model, given, topics) if "topics_per_class" in given else topics


def _of_table(topic_model: Any, given: dict[str, Any], topics: list[int] | None) -> list[int]:
    """Return the topics that a table has a row of; BERTopic breaks on others."""
    if topics is None:
        by_size = [topic for topic in topic_model.get_topic_freq().Topic.to_list() if topic != -1]
        topics = sorted(by_size[: given["top_n_topics"]])
    present = set(given["topics_per_class"].Topic)
    if not present.intersection(topics):
        raise ValueError("topics_per_class has no row of the topics to be drawn")
    return [topic for topic in topics if topic in present]


def _check_placed(topic_model: Any, given: dict[str, Any]) -> None:
    """Check that there are documents to be placed, or that these are placed already."""
    docs, n_documents = given["docs"], len(topic_model.topics_)
    placed = given["embeddings"] is not None or given["reduced_embeddings"] is not None
    if docs is not None or "datamap_kwds" not in given:
        docs = given["docs"] = check_texts(docs, "docs")
        if len(docs) != n_documents:
            raise ValueError(f"docs holds {len(docs)} texts; the model knows {n_documents}")
    if not placed and (docs is None or not topic_model.can_embed()):
        raise ValueError("docs need embeddings= or reduced_embeddings=, or an embedding_model")


def _check_spread(positions: np.ndarray) -> None:
    """Refuse a strip, for which datamapplot makes a picture of gigabytes."""
    spread = np.ptp(positions.astype(np.float64), axis=0)
    if spread.max() >= _STRIP * spread.min():
        raise ValueError(
            f"reduced_embeddings must be spread alike in both directions; found {spread[0]:.3g} "
            f"and {spread[1]:.3g}"
        )


def _check_levels(given: dict[str, Any]) -> int:
    """Return the number of levels, below the root, of a tree that BERTopic draws in levels.

    It breaks where a level holds the root, as with as many levels as merges, or where the merge
    before the root has the same distance.
    """
    tree = given["hierarchical_topics"]
    if tree is None or len(tree) < 2:
        raise ValueError("hierarchical_topics must hold two merges or more, to be drawn in levels")
    parents = tree.Parent_ID.astype(int)
    tree.loc[parents == parents.max(), "Distance"] = np.inf
    return min(given["nr_levels"], len(tree) - 1)


def _n_topics(topic_model: Any) -> int:
    return len(set(topic_model.topic_sizes_) - {-1})


def _numbers(values: Any, name: str) -> np.ndarray:
    values = without_tensors(values, name)
    try:
        found = np.array(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name} must hold numbers; found {values!r:.80}") from None
    if not np.isfinite(found).all():
        raise ValueError(f"{name} holds NaN or infinity")
    return found
