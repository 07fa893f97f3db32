"""Name the topics of a model, and score how well the names find the topics' documents."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from saetm_plugins.analysis.encoders import find_encoder
from saetm_plugins.analysis.fitted import as_topic_model, document_atoms, topic_names
from saetm_plugins.analysis.levels import TopicLevels, topic_levels
from saetm_plugins.analysis.names.by_chat import (
    TOKENS_PER_NAME,
    TopicView,
    name_by_chat,
    name_prompt,
)
from saetm_plugins.analysis.names.by_phrases import (
    name_by_phrases,
    name_by_words,
    roc_areas,
    telling_words,
)
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.evaluation.chat import (
    AnswerCache,
    CostEstimate,
    Messages,
    as_chat,
    estimate_cost,
)
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.validation import as_names, check_embeddings, check_fraction

Confirm = Callable[[list[Messages], CostEstimate], Any]
_TEXTS_SHOWN = 3
_WORDS_SHOWN = 10


def print_estimate(prompts: list[Messages], estimate: CostEstimate) -> None:
    """Print one prompt and the estimated cost of all, as :func:`name_topics` does before asking."""
    if prompts:
        print("The first of the prompts:\n" + "\n".join(m["content"] for m in prompts[0]))
    cost = "no prices given" if estimate.cost is None else f"about {estimate.cost:.4f}"
    print(
        f"{estimate.n_questions} questions of {estimate.prompt_tokens:,} tokens, "
        f"{estimate.completion_tokens:,} tokens of answers; cost: {cost}"
    )


def name_topics(
    model: Any,
    documents: Any = None,
    *,
    namer: Any = None,
    levels: Sequence[int] | None = None,
    share_documents: bool = True,
    embeddings: Any = None,
    encoder: Any = None,
    cache: str | os.PathLike[str] | None = None,
    confirm: Confirm | None = print_estimate,
) -> list[str]:
    """Name a model's topics; sets and returns ``topic_labels_``, which ``model.undo()`` takes back.

    Without a language model a name is one to three words: noun phrases of the corpus that
    distinguish the topic's documents from those of its siblings and of all other topics (without
    `documents`: words of the vocabulary). No two names are alike.

    Parameters
    ----------
    model : SAETopicModel, SAEBERTopic or SaeModel
        Fitted. Names stay with topics through edits, saving and loading.
    documents : list of str, optional
        The fitted documents.
    namer : chat or callable, optional
        A chat of :mod:`saetm_plugins.evaluation`, or a function from a prompt to an answer. It is
        shown a topic's words, typical documents and siblings; for coarser levels, the names of
        the children.
    levels : sequence of int, optional
        Levels within which names must differ, as of :func:`saetm_plugins.analysis.taxonomy`; the
        last one must be the model's own count.
    share_documents : bool, default=True
        False: `namer` is sent words only, no texts.
    embeddings : array-like of shape (n, d), optional
        Of the documents; None uses their reconstruction from atoms.
    encoder : str or object with ``encode(list[str])``, optional
        None: the one the model was fitted with; without any, phrases are chosen by the documents
        they occur in.
    cache : path, optional
        File that keeps answers: nothing is asked twice, and an interrupted call can be resumed.
    confirm : callable, default=:func:`print_estimate`
        Given all prompts and the estimated cost before anything is asked; where it returns False
        nothing is asked, and names are those without a language model. None shows nothing.

    Raises
    ------
    saetm_plugins.evaluation.JudgeError
        When `namer` does not answer at all; the model is then as it was before.
    """
    if isinstance(model, str | os.PathLike):
        raise TypeError("model must be a fitted model, which gets the names; found a path")
    found = as_topic_model(model)
    tree = topic_levels(found, levels)
    if len(tree.topics[-1]) != found.n_topics_:
        raise ValueError(
            f"levels must end in the model's {found.n_topics_} topics; found {list(levels or [])}"
        )
    bare = tree.topics[-1].with_labels([None] * found.n_topics_)
    names = name_levels(
        found,
        TopicLevels((*tree.topics[:-1], bare), tree.parents),
        documents,
        namer=namer,
        share_documents=share_documents,
        embeddings=embeddings,
        encoder=encoder,
        cache=cache,
        confirm=confirm,
    )[-1]
    named = model if hasattr(model, "set_topic_labels") else found
    named.set_topic_labels(dict(enumerate(names)))
    return names


def name_levels(
    model: Any,
    tree: TopicLevels,
    documents: Any = None,
    *,
    namer: Any = None,
    share_documents: bool = True,
    embeddings: Any = None,
    encoder: Any = None,
    cache: str | os.PathLike[str] | None = None,
    confirm: Confirm | None = None,
) -> list[list[str]]:
    """Return names for nested levels of topics; labels of the finest level stay.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    tree : TopicLevels
        Of :func:`saetm_plugins.analysis.topic_levels`.
    documents, namer, share_documents, embeddings, encoder, cache, confirm
        As of :func:`name_topics`.

    Returns
    -------
    list of lists of str
        A list for each level, the coarsest first; no two names are alike.
    """
    model = as_topic_model(model)
    chat = None if namer is None else as_chat(namer, "namer")
    answers = None if cache is None else AnswerCache(cache)
    if documents is None:
        names = name_by_words(model, tree)
    else:
        documents = check_documents(documents)
        names = name_by_phrases(model, tree, documents, embeddings=embeddings, encoder=encoder)
    if chat is None:
        return names
    views = _topic_views(model, tree, names, documents if share_documents else None)
    if confirm is not None:
        prompts = [name_prompt(view, names) for of_level in reversed(views) for view in of_level]
        questions = [(prompt, 0) for prompt in prompts]
        if confirm(prompts, estimate_cost(chat, questions, TOKENS_PER_NAME, answers)) is False:
            return names
    labels = [label for label in tree.topics[-1].labels if label]
    return name_by_chat(chat, views, names, taken=labels, cache=answers)


def name_scores(
    model: Any,
    documents: Any = None,
    embeddings: Any = None,
    *,
    names: Sequence[str] | None = None,
    encoder: Any = None,
    least: float = 0.75,
) -> pd.DataFrame:
    """Return how well each topic's name alone finds its documents: a row a topic.

    Parameters
    ----------
    model : as of :func:`saetm_plugins.analysis.as_topic_model`
    documents : list of str, optional
        Held-out texts, which the names were not made from; blank ones are left out. Not needed with
        `embeddings`.
    embeddings : array-like of shape (n, d), optional
        None encodes the documents.
    names : sequence of str, one per topic, optional
        None means the model's labels, else the first words of each topic.
    encoder : str or object with ``encode(list[str])``, optional
        Encodes names (and documents); None: the one the model was fitted with.
    least : float, default=0.75
        Names with a smaller AUC are flagged.

    Returns
    -------
    DataFrame
        Columns ``topic``; ``name``; ``auc``, the probability that the name is nearer (cosine) to a
        document whose largest topic this is than to another document, missing for a topic without
        such documents; ``documents``, their number; ``flagged``, whether `auc` is below `least` or
        the name of another topic finds them better by more than .05.
    """
    model = as_topic_model(model)
    check_fraction(least, "least", closed=True)
    encode = find_encoder(model, encoder)
    if encode is None:
        raise ValueError("names need the encoder that made the model's embeddings: pass encoder=")
    if documents is None and embeddings is None:
        raise ValueError("documents and embeddings are both None; give held-out documents")
    named = topic_names(model) if names is None else as_names(names)
    if len(named) != model.n_topics_:
        raise ValueError(f"names holds {len(named)} names for {model.n_topics_} topics")
    if embeddings is None:
        embeddings = encode(check_documents(documents))
    vectors = check_embeddings(embeddings, width=model.sae_.n_features)
    doc_atoms = document_atoms(model, documents, vectors)
    written = np.diff(doc_atoms.indptr) > 0  # a blank text is about no topic
    labels = model.topics_of(doc_atoms)[1][written].argmax(axis=1)
    cosines = encode(named) @ unit_rows(vectors[written]).T
    sizes = np.bincount(labels, minlength=len(named))
    areas = np.array([roc_areas(cosines, labels == topic) for topic in range(len(named))])
    own = np.where((sizes > 0) & (sizes < len(labels)), np.diag(areas), np.nan)
    return pd.DataFrame(
        {
            "topic": np.arange(len(named)),
            "name": named,
            "auc": own,
            "documents": sizes,
            "flagged": (own < least) | (areas.max(axis=1) > own + 0.05),
        }
    )


def _topic_views(
    model: SAETopicModel,
    tree: TopicLevels,
    names: Sequence[Sequence[str]],
    documents: list[str] | None,
) -> list[list[TopicView]]:
    """Return what a language model is shown of each topic without a label, level by level."""
    _, doc_topics = tree.topics[-1].mixtures(model.doc_atoms_)
    finest = len(tree) - 1
    words = [
        [", ".join(telling_words(model, topics, t, _WORDS_SHOWN)) for t in range(len(topics))]
        for topics in tree.topics
    ]
    views: list[list[TopicView]] = []
    for level, topics in enumerate(tree.topics):
        views.append([])
        for topic in range(len(topics)):
            if level == finest and topics.labels[topic]:
                continue
            beside = np.arange(len(topics))
            if level:
                parents = tree.parents[level - 1]
                beside = np.flatnonzero(parents == parents[topic])
            children, texts = [], []
            if level < finest:
                children = np.flatnonzero(tree.parents[level] == topic).tolist()
            elif documents is not None:
                typical = np.argsort(-doc_topics[:, topic], kind="stable")[:_TEXTS_SHOWN]
                texts = [documents[row] for row in typical]
            siblings = [words[level][t] for t in beside if t != topic]
            known = words[level][topic], names[level][topic]
            views[-1].append(TopicView(level, topic, *known, texts, siblings, children))
    return views
