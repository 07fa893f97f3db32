"""Small fitted models, for reading only."""

from __future__ import annotations

import pytest

from saetm_plugins import SAETopicModel


@pytest.fixture(scope="package")
def fitted(corpus):
    return SAETopicModel(5, n_atoms=32, k=4).fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="package")
def wordless(corpus, fitted):
    return SAETopicModel(5, sae=fitted.sae_).fit(None, embeddings=corpus.embeddings)
