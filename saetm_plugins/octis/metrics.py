"""The measures of :mod:`saetm_plugins.evaluation` as OCTIS metrics.

They score any model's output under OCTIS' names: ``{"topics": model.get_topics(20)}`` is enough for
those of words. Constructor arguments that are strings or numbers are public attributes: OCTIS saves
these, and passes them again when a search is resumed. API keys are never among them; the client
takes them from the environment.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from saetm_plugins import evaluation
from saetm_plugins.corpus.encoders import encode_texts, load_encoder
from saetm_plugins.evaluation.words import check_topics
from saetm_plugins.octis.compat import import_octis, register_metric
from saetm_plugins.validation import check_choice, without_tensors

import_octis("octis.evaluation_metrics.metrics")

from octis.evaluation_metrics.metrics import AbstractMetric  # noqa: E402


def _part(model_output: Any, name: str) -> Any:
    """Return a part of a model's output, or raise a ValueError that names the missing part."""
    if not isinstance(model_output, Mapping):
        raise TypeError(f"model_output must be a dict; found {type(model_output).__name__}")
    if model_output.get(name) is None:
        raise ValueError(
            f"model_output has no {name!r}; it has {', '.join(map(str, model_output))}"
        )
    return model_output[name]


class _Metric(AbstractMetric):
    """OCTIS saves every public attribute of a metric, so name and source are private."""

    _name: str
    _source = "Girrbach & Akata, Sparse autoencoders are topic models, ICML 2026, arXiv:2511.16309"

    def info(self) -> dict[str, str]:
        """Return name and citation."""
        return {"citation": self._source, "name": self._name}


class _VectorMetric(_Metric):
    """A metric that needs vectors of words.

    Parameters
    ----------
    topk : int
        Words per topic.
    word2vec_path : str, optional
        A file in word2vec format, as OCTIS' own metrics take it.
    binary : bool, default=False
        Whether that file is binary.
    word_vectors : mapping of str to vector, or gensim ``KeyedVectors``, optional
        In place of a file. Without either, the default encoder embeds the topics' words.
    """

    def __init__(
        self,
        topk: int = 20,
        word2vec_path: str | None = None,
        binary: bool = False,
        word_vectors: Any = None,
    ):
        super().__init__()
        self.topk = topk
        self.word2vec_path = word2vec_path
        self.binary = binary
        self._vectors = word_vectors
        self._encoded: dict[str, np.ndarray] = {}
        self._encoder: Any = None
        if word_vectors is None and word2vec_path is not None:
            from gensim.models import KeyedVectors

            self._vectors = KeyedVectors.load_word2vec_format(word2vec_path, binary=binary)

    def _vectors_of(self, topics: list[list[str]]) -> Any:
        """Return vectors for the words of `topics`; encoded words are kept for the next score."""
        if self._vectors is not None:
            return self._vectors
        shown = check_topics(topics, self.topk)
        words = sorted({word for topic in shown for word in topic} - self._encoded.keys())
        if words:
            self._encoder = self._encoder or load_encoder()
            vectors = encode_texts(self._encoder, words)
            self._encoded.update(zip(words, vectors, strict=True))
        return self._encoded


@register_metric
class WMDDiversity(_VectorMetric):
    """D: mean Word Mover's Distance between topics, see :func:`evaluation.wmd_diversity`."""

    _name = "D, mean pairwise Word Mover's Distance"

    def score(self, model_output: Mapping[str, Any]) -> float:
        """Return D of ``topics``; larger is more diverse."""
        topics = _part(model_output, "topics")
        return evaluation.wmd_diversity(topics, self._vectors_of(topics), self.topk)


@register_metric
class EmbeddingIntruder(_VectorMetric):
    """Intruder accuracy without a judge, see :func:`evaluation.embedding_intruder_accuracy`."""

    _name = "Intruder accuracy by word vectors"

    def __init__(
        self,
        topk: int = 5,
        n_repeats: int = 10,
        random_state: int = 0,
        word2vec_path: str | None = None,
        binary: bool = False,
        word_vectors: Any = None,
    ):
        super().__init__(topk, word2vec_path, binary, word_vectors)
        self.n_repeats = n_repeats
        self.random_state = random_state

    def score(self, model_output: Mapping[str, Any]) -> float:
        """Return the accuracy on ``topics``, 0 to 1."""
        topics = _part(model_output, "topics")
        return evaluation.embedding_intruder_accuracy(
            topics, self._vectors_of(topics), self.topk, self.n_repeats, self.random_state
        )


@register_metric
class TopicSignificance(_Metric):
    """Distance of topics from junk, see :func:`evaluation.topic_significance`.

    Parameters
    ----------
    junk : {"uniform", "vacuous", "background"}, default="vacuous"
        OCTIS' ``KL_uniform``, ``KL_vacuous`` and ``KL_background``, exact and for mixtures.
    """

    _source = "AlSumait et al., Topic significance ranking of LDA generative models, 2009"

    def __init__(self, junk: str = "vacuous"):
        super().__init__()
        self.junk = check_choice(junk, "junk", evaluation.TopicSignificance._fields)
        self._name = f"Topic significance ({junk})"

    def score(self, model_output: Mapping[str, Any]) -> float:
        """Return the mean divergence over topics, in nats."""
        name = "topic-document-matrix"
        documents = np.asarray(without_tensors(_part(model_output, name), name)).T
        significance = evaluation.topic_significance(
            _part(model_output, "topic-word-matrix"), documents
        )
        return float(getattr(significance, self.junk).mean())


class _JudgedMetric(_Metric):
    """A metric that asks a language model.

    Parameters
    ----------
    model : str
        The model's name at the endpoint, or a local model's name or folder.
    base_url : str, optional
        An OpenAI-compatible endpoint; None means the client's default.
    local : bool, default=False
        Use a transformers text-generation pipeline, not an endpoint.
    cache_path : str, optional
        File of remembered answers.
    chat : object, optional
        Replaces all of these: an :class:`evaluation.OpenAIChat`, :class:`evaluation.PipelineChat`
        or another chat, with settings of its own.
    """

    def __init__(
        self,
        model: str = "gpt-4o-mini",
        base_url: str | None = None,
        local: bool = False,
        cache_path: str | None = None,
        chat: Any = None,
    ):
        super().__init__()
        self.model = model
        self.base_url = base_url
        self.local = local
        self.cache_path = cache_path
        if chat is None:
            chat = (
                evaluation.PipelineChat(model) if local else evaluation.OpenAIChat(model, base_url)
            )
        self._judge = evaluation.TopicJudge(chat, cache_path)


@register_metric
class IntruderDetection(_JudgedMetric):
    """C_I: how often a language model finds the intruder, see :class:`evaluation.TopicJudge`."""

    _name = "C_I, intruder detection by a language model"

    def score(self, model_output: Mapping[str, Any]) -> float:
        """Return C_I of ``topics`` (three repeats), 0 to 1."""
        return float(self._judge.intruder_detection(_part(model_output, "topics")).mean())


@register_metric
class CoherenceRating(_JudgedMetric):
    """C_R: a language model's rating of coherence, see :class:`evaluation.TopicJudge`."""

    _name = "C_R, coherence rating by a language model"

    def score(self, model_output: Mapping[str, Any]) -> float:
        """Return C_R of ``topics``, 0 to 100."""
        return float(self._judge.coherence_rating(_part(model_output, "topics")).mean())
