"""Representation models: what they start from, what they need, and when their aspects stay."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest
from bertopic.representation import BaseRepresentation, KeyBERTInspired
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.bertopic import SAEBERTopic


class Shouted(BaseRepresentation):
    """Says the words that it starts from in capitals."""

    def extract_topics(self, topic_model, documents, c_tf_idf, topics):
        return {t: [(word.upper(), p) for word, p in words[:10]] for t, words in topics.items()}


@pytest.fixture(scope="module")
def fitted(corpus, sae):
    aspects = {"Main": [Shouted()], "Loud": Shouted(), "Plain": None, "Chain": [Shouted()]}
    model = SAEBERTopic(5, sae=sae, representation_model=aspects, word_vectors="corpus")
    return model.fit(corpus.documents, corpus.embeddings)


@pytest.fixture
def model(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    return SAEBERTopic.load(tmp_path / "model")


def words_of(topics):
    return {topic: [word.upper() for word, _ in words[:10]] for topic, words in topics.items()}


def test_every_aspect_starts_from_the_words_of_the_topics(fitted):
    own = [words[:10] for words in fitted.sae_model_.get_topics(10)]
    expected = {topic: [word.upper() for word in words] for topic, words in enumerate(own)}
    assert words_of(fitted.get_topics()) == expected
    assert fitted.topic_aspects_.keys() == {"Loud", "Plain", "Chain"}
    for aspect in fitted.topic_aspects_.values():
        assert words_of(aspect) == expected


def test_aspects_are_made_again_for_another_vocabulary(fitted, corpus):
    model = copy.copy(fitted)
    words = sorted({word for text in corpus.documents for word in text.split()})[::2]
    model.update_topics(corpus.documents, vectorizer_model=CountVectorizer(vocabulary=words))
    assert words_of(model.topic_aspects_["Loud"]) == words_of(model.get_topics())
    assert {w for ws in words_of(model.get_topics()).values() for w in ws} <= {
        word.upper() for word in words
    }
    model.reduce_topics(corpus.documents, 2)
    assert sorted(model.topic_aspects_["Loud"]) == [0, 1]


def test_aspects_of_a_loaded_model_stay_with_the_topics_they_are_of(model, fitted, corpus):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.update_topics(corpus.documents, top_n_words=5)
    assert words_of(model.topic_aspects_["Loud"]) == words_of(fitted.topic_aspects_["Loud"])
    with pytest.warns(UserWarning, match=r"aspects \['Chain', 'Loud', 'Plain'\].*update_topics"):
        model.reduce_topics(corpus.documents, 3)
    assert model.topic_aspects_ == {}
    model.update_topics(corpus.documents, representation_model={"Loud": Shouted()})
    assert sorted(model.topic_aspects_["Loud"]) == [0, 1, 2]


def test_merged_models_say_that_aspects_are_gone(fitted, corpus):
    other = SAEBERTopic(5, sae=fitted.sae_model_.sae_, word_vectors="corpus")
    other.fit(corpus.documents[:200], corpus.embeddings[:200])
    with pytest.warns(UserWarning, match="aspects .*are left out"):
        merged = SAEBERTopic.merge_models([fitted, other])
    texts = [*corpus.documents, *corpus.documents[:200]]
    merged.update_topics(texts)
    assert words_of(merged.topic_aspects_["Loud"]) == words_of(merged.get_topics())


@pytest.mark.parametrize("asked", [KeyBERTInspired(), {"KB": [KeyBERTInspired()]}])
def test_keybert_without_an_embedding_model_is_refused_before_the_fit(corpus, asked, monkeypatch):
    never = "saetm_plugins.bertopic.topic_model.NumberedTopicModel.fit"
    monkeypatch.setattr(never, lambda *_, **__: pytest.fail("fitted"))
    model = SAEBERTopic(5, representation_model=asked)
    with pytest.raises(ValueError, match=r"KeyBERTInspired .* needs embedding_model="):
        model.fit(corpus.documents, corpus.embeddings)
    assert model.topics_ is None


def test_keybert_for_topics_that_are_there(fitted, corpus):
    before = dict(vars(fitted))
    with pytest.raises(ValueError, match="needs embedding_model="):
        fitted.update_topics(corpus.documents, representation_model=KeyBERTInspired())
    assert all(before[name] is value for name, value in vars(fitted).items())


class Themes:
    """Embeds a text as its first theme, about."""

    def encode(self, texts):
        first = ["abcde".index(text[5]) if text.startswith("theme") else 6 for text in texts]
        noise = np.random.default_rng(len(texts)).normal(size=(len(texts), 24))
        return np.eye(24, dtype="f4")[first] + 0.1 * noise


def test_keybert_with_an_embedding_model(corpus, sae):
    keybert = KeyBERTInspired()
    model = SAEBERTopic(5, sae=sae, embedding_model=Themes(), representation_model=keybert)
    model.fit(corpus.documents)
    assert all(len(words) == 10 for words in model.get_topics().values())
