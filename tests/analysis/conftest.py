"""Small fitted models, for reading only. Training the atoms is most of a fit: all share them."""

from __future__ import annotations

from functools import partial

import numpy as np
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


@pytest.fixture(scope="session")
def active_atoms():
    """Return which atoms are active in which fitted document: the k strongest, (n, n_atoms)."""

    def find(model):
        active = np.zeros(model.doc_atoms_.shape, dtype=bool)
        for row, shares in enumerate(model.doc_atoms_.toarray()):
            strongest = np.argsort(-shares, kind="stable")[: model.sae_.k]
            active[row, strongest[shares[strongest] > 0]] = True
        return active

    return find
