"""Every kind of fitted model leads to the estimator behind it."""

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import (
    as_topic_model,
    atom_words,
    document_atoms,
    mixtures,
    topic_names,
    topic_words,
)
from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer
from saetm_plugins.gensim import SaeModel


class Encoder:
    """Knows the embeddings of the planted corpus."""

    def __init__(self, corpus):
        self.known = dict(zip(corpus.documents, corpus.embeddings, strict=True))

    def encode(self, texts, **_):
        return np.stack([self.known.get(text, np.ones(24, np.float32)) for text in texts])


@pytest.fixture(scope="module")
def topic_model(corpus, fitted):
    model = SAEBERTopic(5, sae=fitted.sae_, embedding_model=Encoder(corpus))
    model.fit(corpus.documents, corpus.embeddings)
    return model


def test_adapters_and_folders_lead_to_the_estimator(corpus, fitted, topic_model, tmp_path):
    assert as_topic_model(fitted) is fitted
    behind = as_topic_model(topic_model)
    assert behind.doc_topics_ is topic_model.sae_model_.doc_topics_
    assert behind.encoder is topic_model.embedding_model.embedding_model
    gensim_model = SaeModel.from_model(fitted)
    assert as_topic_model(gensim_model) is gensim_model.sae_model_
    clusterer = SAEClusterer(5, sae=fitted.sae_).fit(corpus.embeddings)
    assert as_topic_model(clusterer) is clusterer.model_
    fitted.save(tmp_path / "estimator")
    gensim_model.save(str(tmp_path / "gensim"))
    topic_model.save(str(tmp_path / "bertopic"), serialization="safetensors")
    expected = {"estimator": fitted, "gensim": fitted, "bertopic": topic_model.sae_model_}
    for folder, saved in expected.items():
        loaded = as_topic_model(str(tmp_path / folder))
        np.testing.assert_array_equal(loaded.doc_topics_, saved.doc_topics_)


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        ({}, TypeError, "found dict"),
        (SAETopicModel, TypeError, "found type"),
        (SAETopicModel(), NotFittedError, "SAETopicModel"),
        (SAEBERTopic(), NotFittedError, "SAEBERTopic"),
        ("nowhere", FileNotFoundError, "nowhere"),
    ],
)
def test_what_is_no_model_is_named(model, error, message):
    with pytest.raises(error, match=message):
        as_topic_model(model)


def test_topics_are_named_by_labels_then_words_then_numbers(fitted, wordless, topic_model):
    assert topic_names(wordless)[3] == "topic 3"
    assert topic_words(wordless) == [""] * 5
    assert atom_words(wordless, atoms=[1, 2]) == ["", ""]
    assert topic_words(fitted, 3) == [", ".join(words) for words in fitted.get_topics(3)]
    assert topic_names(fitted) == [" ".join(words) for words in fitted.get_topics(3)]
    topic_model.set_topic_labels({0: "first"})
    assert topic_names(topic_model)[0] == "first"


def test_documents_are_the_fitted_ones_or_those_given(corpus, fitted, topic_model):
    assert document_atoms(fitted) is fitted.doc_atoms_
    np.testing.assert_array_equal(mixtures(fitted), fitted.doc_topics_)
    some = mixtures(fitted, embeddings=corpus.embeddings[:7])
    np.testing.assert_allclose(some, fitted.doc_topics_[:7], atol=1e-6)
    by_text = mixtures(topic_model, documents=corpus.documents[:7])  # its embedding_model encodes
    np.testing.assert_allclose(by_text, topic_model.sae_model_.doc_topics_[:7], atol=1e-6)
