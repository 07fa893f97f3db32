"""A small fitted model, for reading only."""

from __future__ import annotations

import pytest

from saetm_plugins import SAETopicModel, train_sae


@pytest.fixture(scope="package")
def model(corpus):
    sae = train_sae(corpus.embeddings, 32, k=2, n_steps=500)
    return SAETopicModel(16, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)
