"""Atoms of the planted corpus, trained once for all tests of this folder."""

from __future__ import annotations

import pytest

from saetm_plugins import train_sae


@pytest.fixture(scope="session")
def sae(corpus):
    return train_sae(corpus.embeddings, n_atoms=40)
