"""Our measures as OCTIS metrics: on words and matrices of any model."""

import numpy as np
import pytest

from saetm_plugins import SAETopicModel, train_sae
from saetm_plugins.octis.metrics import (
    EmbeddingIntruder,
    IntruderDetection,
    TopicSignificance,
    WMDDiversity,
)


@pytest.fixture(scope="module")
def fitted(corpus):
    sae = train_sae(corpus.embeddings, n_atoms=32, k=4, n_steps=150)
    model = SAETopicModel(n_topics=5, sae=sae, word_vectors="corpus")
    return model.fit(corpus.documents, embeddings=corpus.embeddings)


def test_metrics_score_any_models_words(fitted, corpus):
    rng = np.random.default_rng(0)
    directions = {letter: rng.normal(size=8) * 3 for letter in "abcde"}
    vectors = {
        word: directions.get(word[5], np.zeros(8)) + rng.normal(size=8)
        for text in corpus.documents
        for word in text.split()
    }
    topics = {"topics": fitted.get_topics(20)}
    output = {
        "topic-word-matrix": fitted.components_,
        "topic-document-matrix": fitted.doc_topics_.T,
    }
    assert WMDDiversity(word_vectors=vectors).score(topics) > 1
    assert EmbeddingIntruder(word_vectors=vectors).score(topics) > 0.8
    for junk in ("uniform", "vacuous", "background"):
        assert TopicSignificance(junk).score(output) > 0.1
    with pytest.raises(ValueError, match="junk must be one of"):
        TopicSignificance("none")


def test_word_metrics_encode_words_themselves():
    topics = {"topics": [["cat", "dog", "horse", "mouse", "cow"], ["tax", "bank", "money", "loan",
              "debt"]]}  # fmt: skip
    assert EmbeddingIntruder().score(topics) > 0.8


def test_metrics_keep_no_key_among_what_octis_saves(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "very secret")
    metric = IntruderDetection(model="judge")
    saved = {name: getattr(metric, name) for name in metric.get_params()}
    assert "very secret" not in str(saved)
    assert saved["model"] == "judge"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (None, "model_output must be a dict"),
        ({}, "model_output has no 'topic"),
        ({"topics": 3, "topic-word-matrix": 3, "topic-document-matrix": np.eye(2)}, "topic"),
        ({"topics": [["a", "\ud800"]], "topic-word-matrix": np.eye(2)}, "topic"),
    ],
)
def test_outputs_that_hold_no_topics(output, message):
    for metric in (WMDDiversity(word_vectors={}), EmbeddingIntruder(), TopicSignificance()):
        with pytest.raises((ValueError, TypeError), match=message):
            metric.score(output)


def test_a_chat_that_is_none():
    for chat in (3, "gpt", TopicSignificance):
        with pytest.raises(TypeError, match="chat must be"):
            IntruderDetection(chat=chat)
