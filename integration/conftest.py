"""Real texts for all adapters: 20 Newsgroups where a data folder is, else gensim's Lee corpus."""

from __future__ import annotations

import functools
import gzip
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

N_DOCUMENTS = 1000
_PLAIN_MATH = dict(vars(math))


def pytest_collectreport() -> None:
    """Undo what nnsight does when imported: numba, umap's too, cannot compile its math.pow."""
    vars(math).update(_PLAIN_MATH)


class TextCorpus(NamedTuple):
    documents: list[str]
    embeddings: np.ndarray
    classes: list[str]
    timestamps: list[str]
    n_topics: int


@pytest.fixture(scope="session")
def encoder() -> Any:
    from saetm_plugins.corpus import load_encoder

    return load_encoder()


@pytest.fixture(scope="session")
def news(encoder: Any) -> TextCorpus:
    folder = Path(os.environ.get("SAETM_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if (folder / "20newsgroups.jsonl.gz").is_file():
        documents, embeddings, classes = _newsgroups(folder)
    else:
        documents, classes = _lee()
        embeddings = encoder.encode(documents, show_progress_bar=False)
    years = np.random.default_rng(0).integers(2000, 2006, size=len(documents))
    n_topics = 20 if len(documents) >= N_DOCUMENTS else 8
    return TextCorpus(documents, embeddings, classes, [f"{year}-01-01" for year in years], n_topics)


@pytest.fixture(scope="session")
def news_sae(news: TextCorpus) -> Any:
    """Atoms for all tests of the texts: training them is most of a fit."""
    from saetm_plugins import train_sae

    return train_sae(news.embeddings)


@pytest.fixture(scope="module")
def quick_atoms() -> Iterator[None]:
    """Atoms trained for a tenth of the steps, for tests of how parts fit together."""
    from saetm_plugins.atoms import choice

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "train_sae", functools.partial(choice.train_sae, n_steps=200))
        yield


def _newsgroups(folder: Path) -> tuple[list[str], np.ndarray, list[str]]:
    with gzip.open(folder / "20newsgroups.jsonl.gz", "rt", encoding="utf-8") as lines:
        posts = [json.loads(line) for line in lines]
    long_enough = [row for row, post in enumerate(posts) if len(post["text"].split()) >= 20]
    rows = np.sort(np.random.default_rng(0).choice(long_enough, N_DOCUMENTS, replace=False))
    embeddings = np.load(folder / "20newsgroups_minilm_f16.npy", mmap_mode="r")[rows]
    return (
        [posts[row]["text"] for row in rows],
        np.asarray(embeddings, dtype=np.float32),
        [str(posts[row]["label"]) for row in rows],
    )


def _lee() -> tuple[list[str], list[str]]:
    """Read the texts; the corpus has no classes, so the words that occur most make some."""
    from gensim.test.utils import datapath

    texts = Path(datapath("lee_background.cor")).read_text(encoding="utf-8").splitlines()
    marks = {
        "middle east": ("israel", "palestinian", "arafat", "gaza"),
        "afghanistan": ("afghan", "taliban", "laden", "qaeda"),
        "fires": ("fire", "bushfire", "burn"),
        "sport": ("cricket", "test", "match", "tennis", "team"),
        "economy": ("per cent", "company", "economy", "market"),
    }
    classes = []
    for text in texts:
        counts = {name: sum(text.lower().count(m) for m in marks[name]) for name in marks}
        best = max(counts, key=lambda name: counts[name])
        classes.append(best if counts[best] > 1 else "other")
    return texts, classes
