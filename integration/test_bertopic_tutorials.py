"""BERTopic's tutorials, step by step, on SAEBERTopic and on SAEClusterer in a stock BERTopic.

Each file in ``tutorials`` follows one page of BERTopic's documentation, with 20 Newsgroups cut
down and an encoder that is at hand; ``make`` takes the place of the class.
"""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import pytest
from bertopic import BERTopic
from bertopic.dimensionality import BaseDimensionalityReduction
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer, SAERepresentation

PAGES = sorted((Path(__file__).parent / "tutorials").glob("*.py"))
N_DOCUMENTS, N_TOPICS = 300, 8


def test_all_pages_are_there():
    assert len(PAGES) >= 16


@pytest.mark.parametrize("kind", ["SAEBERTopic", "SAEClusterer"])
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tutorial(page, kind, news, encoder, news_sae, tmp_path):
    def make(**options: Any) -> BERTopic:
        options.setdefault("embedding_model", encoder)
        atoms = options.pop("sae", news_sae)
        if kind == "SAEBERTopic":
            return SAEBERTopic(N_TOPICS, sae=atoms, word_vectors="corpus", **options)
        options.setdefault("vectorizer_model", CountVectorizer(stop_words="english"))
        if options["vectorizer_model"].__class__ is CountVectorizer:
            options.setdefault("representation_model", SAERepresentation())
        return BERTopic(
            umap_model=BaseDimensionalityReduction(),
            hdbscan_model=SAEClusterer(N_TOPICS, sae=atoms, calculate_probabilities=True),
            **options,
        )

    corpus = news._replace(
        documents=news.documents[:N_DOCUMENTS],
        embeddings=news.embeddings[:N_DOCUMENTS],
        classes=news.classes[:N_DOCUMENTS],
        timestamps=news.timestamps[:N_DOCUMENTS],
    )
    runpy.run_path(str(page))["run"](make, corpus, tmp_path)
