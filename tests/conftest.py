"""A small planted corpus: five themes with words and embedding directions of their own."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Iterator
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from saetm_plugins import SAETopicModel, SparseAutoencoder, train_sae
from saetm_plugins.atoms import choice

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


@pytest.fixture(scope="session")
def sae(corpus: PlantedCorpus) -> SparseAutoencoder:
    """Atoms of the corpus, trained briefly: training them is most of a fit."""
    return train_sae(corpus.embeddings, n_atoms=32, k=4, n_steps=200)


@pytest.fixture(scope="session")
def fitted(corpus: PlantedCorpus, sae: SparseAutoencoder) -> SAETopicModel:
    """Five topics of the corpus, for reading only."""
    return SAETopicModel(5, sae=sae).fit(corpus.documents, embeddings=corpus.embeddings)


@pytest.fixture(scope="session")
def wordless(corpus: PlantedCorpus, sae: SparseAutoencoder) -> SAETopicModel:
    """The same without texts, for reading only."""
    return SAETopicModel(5, sae=sae).fit(None, embeddings=corpus.embeddings)


@pytest.fixture
def model(fitted: SAETopicModel) -> SAETopicModel:
    """A copy of the five topics, which a test may change."""
    return copy.copy(fitted)


@pytest.fixture
def quick_atoms() -> Iterator[None]:
    """Models that train atoms of their own do so in 200 steps, for tests of everything else."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "train_sae", functools.partial(choice.train_sae, n_steps=200))
        yield


@pytest.fixture(scope="session")
def chinese_corpus() -> PlantedCorpus:
    """300 texts in one template, segmented: nouns of their theme in it, most of two letters."""
    rng = random.Random(0)
    nouns = [
        ["火箭", "卫星", "轨道", "太空", "宇航员", "发射", "月球", "望远镜"],
        ["足球", "比赛", "球队", "进球", "教练", "冠军", "联赛", "球员"],
        ["医院", "医生", "病人", "治疗", "疫苗", "手术", "药物", "症状"],
    ]
    themes = np.arange(300) % 3
    template = (
        "今天 的 {} 和 {} 非常 重要 ， 因为 {} 已经 影响 了 {} ， 我们 还 看到 了 {} 的 变化 。"
    )
    texts = [template.format(*rng.sample(nouns[theme], 5)) for theme in themes]
    letters = TfidfVectorizer(analyzer="char", ngram_range=(1, 2)).fit_transform(
        [text.replace(" ", "") for text in texts]
    )
    embeddings = TruncatedSVD(60, random_state=0).fit_transform(letters)
    return PlantedCorpus(texts, embeddings.astype(np.float32), themes)


LIMIT = 30
THEMES = "abcde"


class CuttingEncoder:
    """Embeds the themes of the first 30 words, as encoders read the first few hundred tokens."""

    max_seq_length = LIMIT + 2  # two marks are the encoder's own
    largest_call = 0

    def encode(self, texts):
        self.largest_call = max(self.largest_call, len(texts))
        directions = np.linalg.qr(np.random.default_rng(99).normal(size=(24, 5)))[0].T
        rng = np.random.default_rng(len(texts))
        rows = [
            np.sum([directions[THEMES.index(w[5])] for w in text.split()[:LIMIT]
                    if w.startswith("theme")] or [np.full(24, 0.1)], axis=0)
            for text in texts
        ]  # fmt: skip
        return np.array(rows) / LIMIT + 0.01 * rng.normal(size=(len(texts), 24))


def write_sentences(rng, theme, n_sentences):
    words = [f"theme{theme}word{'abcdefghijkl'[i]}" for i in rng.integers(12, size=9 * n_sentences)]
    return " ".join(
        " ".join(words[9 * i : 9 * i + 9]) + f" common{'abcdef'[i % 6]}."
        for i in range(n_sentences)
    )


def theme_topics(model):
    """Return which topic each theme is, by its words."""
    words = [" ".join(topic) for topic in model.get_topics(8)]
    return [max(range(5), key=lambda t: words[t].count(f"theme{theme}")) for theme in THEMES]


@pytest.fixture(scope="session")
def long_texts():
    """What makes long texts of known themes, and reads the first 30 words of them."""
    return SimpleNamespace(
        Encoder=CuttingEncoder,
        limit=LIMIT,
        themes=THEMES,
        write=write_sentences,
        theme_topics=theme_topics,
    )
