"""An embedding model beside embeddings that it did not make: every adapter says so."""

from __future__ import annotations

import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from saetm_plugins import SAETopicModel
from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.gensim import SaeModel
from saetm_plugins.octis import SAETM

WARNING = "did not make the embeddings given.*give the"


class LookupEncoder:
    """Knows the embeddings of the planted texts, turned if asked; words lie at random."""

    def __init__(self, corpus, turned=False):
        rotation = np.linalg.qr(np.random.default_rng(5).normal(size=(24, 24)))[0]
        vectors = corpus.embeddings @ rotation if turned else corpus.embeddings
        self._known = dict(zip(corpus.documents, vectors, strict=True))

    def encode(self, texts):
        rng = np.random.default_rng(len(texts))
        return np.array([self._known.get(text, rng.normal(size=24)) for text in texts], dtype="f4")


def fit_estimator(corpus, encoder, sae):
    model = SAETopicModel(5, sae=sae, encoder=encoder)
    return model.fit(corpus.documents, embeddings=corpus.embeddings)


def fit_bertopic(corpus, encoder, sae):
    model = SAEBERTopic(5, sae=sae, embedding_model=encoder)
    return model.fit(corpus.documents, corpus.embeddings)


def fit_gensim(corpus, encoder, sae):
    words = sorted({word for text in corpus.documents for word in text.split()})
    ids = {word: number for number, word in enumerate(words)}
    bags = [[(ids[word], 1) for word in sorted(set(text.split()))] for text in corpus.documents]
    names = dict(enumerate(words))
    return SaeModel(bags, 5, names, documents=corpus.documents, embeddings=corpus.embeddings,
                    encoder=encoder, sae=sae)  # fmt: skip


def fit_octis(corpus, encoder, sae):
    tokens = [text.split() for text in corpus.documents]
    dataset = SimpleNamespace(get_corpus=lambda: tokens, get_vocabulary=lambda: None)
    settings = {"embeddings": corpus.embeddings, "sae": sae, "use_partitions": False}
    return SAETM(5, encoder=encoder, **settings).train_model(dataset)


ADAPTERS = [fit_estimator, fit_bertopic, fit_gensim, fit_octis]


@pytest.mark.parametrize("fit", ADAPTERS)
def test_another_embedding_model_than_that_of_the_embeddings(corpus, sae, fit):
    name = "embedding_model" if fit is fit_bertopic else "encoder"
    with pytest.warns(UserWarning, match=f"{name} {WARNING} {name}"):
        fit(corpus, LookupEncoder(corpus, turned=True), sae)


@pytest.mark.parametrize("fit", ADAPTERS)
def test_the_embedding_model_that_made_the_embeddings(corpus, sae, fit):
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*did not make.*")
        fit(corpus, LookupEncoder(corpus), sae)


@pytest.mark.parametrize("word_vectors", ["corpus", "encoder", "auto"])
def test_it_is_said_whatever_words_go_by(corpus, sae, word_vectors):
    other = LookupEncoder(corpus, turned=True)
    with pytest.warns(UserWarning, match=WARNING):
        model = SAETopicModel(5, sae=sae, encoder=other, word_vectors=word_vectors).fit(
            corpus.documents, embeddings=corpus.embeddings
        )
    assert (model.atoms_.word_vectors is None) == (word_vectors != "encoder")
