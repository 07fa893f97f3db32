"""Small fitted models, for reading only. Training the atoms is most of a fit: all share them."""

from __future__ import annotations

from functools import partial

import pytest

from saetm_plugins import SAETopicModel, train_sae


@pytest.fixture(scope="package")
def sae(corpus):
    return train_sae(corpus.embeddings, 32, k=4, n_steps=500)


@pytest.fixture(scope="package")
def fitted(corpus, sae):
    return SAETopicModel(5, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="package")
def wordless(corpus, sae):
    return SAETopicModel(5, sae=sae).fit(None, embeddings=corpus.embeddings)


@pytest.fixture
def quick_training(monkeypatch):
    """Fits of a test train their atoms for 300 steps."""
    monkeypatch.setattr("saetm_plugins.atoms.choice.train_sae", partial(train_sae, n_steps=300))
