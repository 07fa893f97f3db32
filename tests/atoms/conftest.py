"""Small embeddings with planted directions."""

import numpy as np
import pytest


@pytest.fixture(scope="session")
def embeddings():
    rng = np.random.default_rng(5)
    directions = rng.normal(size=(20, 32))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    mixtures = rng.dirichlet(np.full(20, 0.08), size=1500)
    rows = mixtures @ directions + 0.03 * rng.normal(size=(1500, 32)) + 0.5
    return rows.astype(np.float32)
