"""`sae="default"`: topics of few real texts with nothing trained, and what a model's life does."""

import copy
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gensim.corpora import Dictionary
from gensim.test.utils import datapath
from typer.testing import CliRunner

from saetm_plugins import SAETopicModel
from saetm_plugins.analysis import explain_text
from saetm_plugins.atoms import choice
from saetm_plugins.atoms.foundation import load_foundation
from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer
from saetm_plugins.cli import app
from saetm_plugins.corpus import encode_texts
from saetm_plugins.evaluation import normalized_mutual_information, topic_coherence
from saetm_plugins.gensim import SaeModel
from saetm_plugins.octis import SAETM

FLOOR_NPMI, FLOOR_NMI = 0.0, 0.3


class Lee:
    """The 300 news texts of gensim's Lee corpus, embedded once."""

    def __init__(self, encoder):
        self.texts = Path(datapath("lee_background.cor")).read_text("utf-8").splitlines()
        self.encoder = encoder
        self.embeddings = encode_texts(encoder, self.texts)


@pytest.fixture(scope="module")
def lee(encoder):
    return Lee(encoder)


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a fit trained atoms")

    monkeypatch.setattr(choice, "train_sae", refuse)


@pytest.fixture(scope="module")
def fitted(lee):
    topic_model = SAEBERTopic(sae="default", embedding_model=lee.encoder)
    topic_model.fit_transform(lee.texts, lee.embeddings)
    return topic_model


def coherence(topics, model, texts):
    analyze = model.vectorizer_.build_analyzer()
    return float(np.mean(topic_coherence(topics, [analyze(text) for text in texts], "c_npmi")))


def test_300_texts_give_good_topics_without_training(fitted, lee):
    model = fitted.sae_model_
    assert model.sae_ is load_foundation()
    assert 10 <= model.n_topics_ <= 17  # the root of 300, less what owns none
    assert len(set(fitted.topics_)) == model.n_topics_
    assert coherence(model.get_topics(10), model, lee.texts) > FLOOR_NPMI
    themes = ("afghan", "cricket", "palestinian", "fire", "qantas")
    words = [" ".join(topic) for topic in model.get_topics(10)]
    assert all(any(theme in topic for topic in words) for theme in themes)


def test_topics_agree_with_themes_named_in_the_texts(fitted, lee):
    marks = {"israel": 0, "afghanistan": 1, "test": 2, "fire": 3, "company": 4}
    counts = np.array([[text.lower().count(mark) for mark in marks] for text in lee.texts])
    told = counts.max(axis=1) >= 2
    agreement = normalized_mutual_information(
        counts.argmax(axis=1)[told], fitted.sae_model_.labels_[told]
    )
    assert agreement > FLOOR_NMI


def test_a_model_lives_on(fitted, lee, tmp_path):
    fitted.save(tmp_path / "model", serialization="safetensors")
    loaded = SAEBERTopic.load(tmp_path / "model", embedding_model=lee.encoder)
    assert loaded.sae == "default"
    np.testing.assert_array_equal(
        loaded.transform(lee.texts[:20], lee.embeddings[:20])[1],
        fitted.transform(lee.texts[:20], lee.embeddings[:20])[1],
    )
    loaded.reduce_topics(lee.texts, nr_topics=8)
    assert loaded.sae_model_.n_topics_ == 8
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: loaded.transform(lee.texts, lee.embeddings)[1], range(4)))
    assert all(np.array_equal(found[0], other) for other in found[1:])


def test_bertopics_clusterer_and_gensim_take_default_atoms(lee):
    clusterer = SAEClusterer(8, sae="default").fit(lee.embeddings)
    assert clusterer.model_.sae_ is load_foundation()
    bags = [text.lower().split() for text in lee.texts]
    dictionary = Dictionary(bags)
    dictionary.filter_extremes(no_below=3, no_above=0.3)
    corpus = [dictionary.doc2bow(bag) for bag in bags]
    model = SaeModel(corpus, 8, dictionary, embeddings=lee.embeddings, sae="default")
    assert model.estimator.sae_ is load_foundation()
    assert copy.copy(model).estimator.sae == "default"


class OctisDataset:
    """As much of OCTIS' dataset as SAETM reads."""

    def __init__(self, texts):
        self.tokens = [[w for w in text.lower().split() if w.isalpha()][:60] for text in texts]

    def get_corpus(self):
        return self.tokens

    def get_vocabulary(self):
        return sorted({word for words in self.tokens for word in words})


def test_octis_takes_default_atoms(lee):
    model = SAETM(8, embeddings=lee.embeddings, sae="default", use_partitions=False)
    output = model.train_model(OctisDataset(lee.texts))
    assert model.trained_model.sae_ is load_foundation()
    assert len(output["topics"]) == 8


def test_small_corpora_get_topics_they_carry(lee):
    for n_documents, most in ((100, 10), (30, 5)):
        texts, rows = lee.texts[:n_documents], lee.embeddings[:n_documents]
        model = SAETopicModel(None, encoder=lee.encoder).fit(texts, embeddings=rows)
        assert 2 <= model.n_topics_ <= most
        assert set(model.labels_) == set(range(model.n_topics_))
        assert all(len(words) == 10 for words in model.get_topics(10))


def test_the_command_explains_a_text_without_a_model():
    text = "Astronomers saw a new planet through the telescope."
    result = CliRunner().invoke(app, ["explain", text], env={"COLUMNS": "120"})
    assert result.exit_code == 0, result.exception
    assert "share" in result.output
    assert any(word in result.output for word in ("planet", "star", "telescope", "solar"))


def test_a_text_is_explained_with_no_corpus():
    found = explain_text("The striker scored twice and the club won the football match.")
    assert found["share"].is_monotonic_decreasing
    assert 0.8 < found["share"].sum() <= 1 + 1e-5
    words = set(re.findall(r"\w+", " ".join(found["words"].head(6))))
    assert {"football", "soccer", "goal", "match", "league", "club", "game"} & words
    assert found["sentence"].head(3).str.len().gt(0).any()
    with pytest.raises(ValueError, match="blank"):
        explain_text("  ")
    with pytest.raises(ValueError, match="not by"):
        explain_text("a text", embedding=np.random.default_rng(0).normal(size=384))
