"""A small planted corpus: five themes with words and embedding directions of their own."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

N_THEMES = 5
WORDS_OF_THEME = 12
DIMENSIONS = 24


class PlantedCorpus(NamedTuple):
    documents: list[str]
    embeddings: np.ndarray
    themes: np.ndarray


def draw_corpus(n_documents: int = 400, seed: int = 0) -> PlantedCorpus:
    """Draw documents of one or two themes; each theme has its own words and direction."""
    rng = np.random.default_rng(seed)
    themes = rng.integers(N_THEMES, size=n_documents)
    second = rng.integers(N_THEMES, size=n_documents)
    directions = np.linalg.qr(np.random.default_rng(99).normal(size=(DIMENSIONS, N_THEMES)))[0].T
    embeddings = directions[themes] + 0.3 * directions[second]
    embeddings += 0.08 * rng.normal(size=embeddings.shape)
    documents = []
    for first, other in zip(themes, second, strict=True):
        own = rng.integers(WORDS_OF_THEME, size=12)
        words = [f"theme{'abcde'[first]}word{'abcdefghijkl'[i]}" for i in own]
        words += [
            f"theme{'abcde'[other]}word{'abcdefghijkl'[i]}"
            for i in rng.integers(WORDS_OF_THEME, size=3)
        ]
        words += [f"common{'abcdef'[i]}" for i in rng.integers(6, size=4)]
        documents.append(" ".join(words))
    return PlantedCorpus(documents, embeddings.astype(np.float32), themes)


@pytest.fixture(scope="session")
def corpus() -> PlantedCorpus:
    return draw_corpus()


@pytest.fixture(scope="session")
def plant_corpus():
    """The function that draws such a corpus, for tests that need another one."""
    return draw_corpus
