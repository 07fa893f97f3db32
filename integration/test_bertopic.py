"""Every public method of BERTopic, on an unmodified one with SAEClusterer and on SAEBERTopic."""

from __future__ import annotations

import copy
import functools
from collections import Counter
from importlib.metadata import version
from typing import Any

import datamapplot
import numpy as np
import pandas as pd
import pytest
from bertopic import BERTopic
from bertopic.dimensionality import BaseDimensionalityReduction
from bertopic.representation import KeyBERTInspired, MaximalMarginalRelevance
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins.bertopic import SAEBERTopic, SAEClusterer, SAERepresentation

KINDS = ("stock", "ours")
QUICK_KEYBERT = KeyBERTInspired(nr_repr_docs=1, nr_samples=20, nr_candidate_words=15)


def build(
    kind: str,
    n_topics: int | None,
    encoder: Any = None,
    sae: Any = "auto",
    word_vectors: str = "corpus",
    **options: Any,
) -> BERTopic:
    if kind == "ours":
        return SAEBERTopic(
            n_topics, sae=sae, embedding_model=encoder, word_vectors=word_vectors, **options
        )
    options.setdefault("vectorizer_model", CountVectorizer(stop_words="english"))
    return BERTopic(
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=SAEClusterer(n_topics, sae, calculate_probabilities=True),
        embedding_model=encoder,
        **options,
    )


@pytest.fixture(scope="module")
def make(news_sae):
    return functools.partial(build, sae=news_sae)


@pytest.fixture(scope="module", params=KINDS)
def fitted(request, news, encoder, make) -> BERTopic:
    model = make(request.param, news.n_topics, encoder)
    model.fit_transform(news.documents, news.embeddings)
    return model


@pytest.fixture
def model(fitted) -> BERTopic:
    """A copy that a test may change; the encoder is shared."""
    return copy.deepcopy(fitted, {id(fitted.embedding_model): fitted.embedding_model})


def check_consistent(model: BERTopic, documents: list[str]) -> None:
    """Whatever was done, topics, sizes, words, vectors and documents speak of the same topics."""
    sizes = Counter(model.topics_)
    topics = sorted(sizes)
    assert len(model.topics_) == len(documents)
    assert dict(model.topic_sizes_) == sizes
    assert [t for t in topics if t >= 0] == list(range(len([t for t in topics if t >= 0])))
    assert sorted(model.get_topics()) == topics
    assert len(model.topic_embeddings_) == len(topics)
    assert model.c_tf_idf_.shape[0] == len(topics)
    info = model.get_topic_info()
    assert info.Count.sum() == len(documents)
    assert info.Topic.tolist() == topics
    probabilities = np.asarray(model.probabilities_)
    if probabilities.ndim == 2:
        assert probabilities.shape == (len(documents), len([t for t in topics if t >= 0]))
    for topic, docs in model.get_representative_docs().items():
        of_topic = {d for d, t in zip(documents, model.topics_, strict=True) if t == topic}
        assert set(docs) <= of_topic


def test_topics_are_numbered_by_size_and_words_are_of_the_topic(fitted, news):
    check_consistent(fitted, news.documents)
    counts = fitted.get_topic_freq().Count.tolist()
    assert counts == sorted(counts, reverse=True)
    assert len(counts) == news.n_topics
    assert -1 not in fitted.topics_
    inside, outside = [], []
    for topic in range(3):
        own = [d.lower() for d, t in zip(news.documents, fitted.topics_, strict=True) if t == topic]
        rest = [
            d.lower() for d, t in zip(news.documents, fitted.topics_, strict=True) if t != topic
        ]
        words = [word for word, _ in fitted.get_topic(topic)[:5] if word]
        inside.append(np.mean([any(w in d for w in words) for d in own]))
        outside.append(np.mean([any(w in d for w in words) for d in rest]))
    assert np.mean(inside) > np.mean(outside)


def test_probabilities_are_mixtures_whose_largest_share_is_the_topic(fitted):
    np.testing.assert_allclose(fitted.probabilities_.sum(axis=1), 1, atol=1e-5)
    assert fitted.probabilities_.argmax(axis=1).tolist() == fitted.topics_


def test_transform_of_the_fitted_documents_gives_their_topics(fitted, news):
    topics, _ = fitted.transform(news.documents, news.embeddings)
    assert [int(topic) for topic in topics] == fitted.topics_


def test_transform_takes_a_string_a_list_or_one_document(fitted, news):
    one, _ = fitted.transform(news.documents[7])
    listed, _ = fitted.transform([news.documents[7]])
    several, _ = fitted.transform(news.documents[5:9])
    assert len(one) == len(listed) == 1
    assert one[0] == listed[0] == several[2]


def test_fit_without_embeddings_encodes_documents(news, encoder, make):
    texts = [" ".join(text.split()[:20]) for text in news.documents[:60]]
    embeddings = encoder.encode(texts, show_progress_bar=False)
    for kind in KINDS:
        alone = make(kind, 3, encoder).fit(texts)
        given = make(kind, 3, encoder).fit(texts, embeddings)
        assert alone.topics_ == given.topics_


@pytest.mark.parametrize("kind", KINDS)
def test_two_fits_are_equal(kind, news, quick_atoms):
    docs, vectors = news.documents[:300], news.embeddings[:300]
    first, second = (build(kind, 10).fit(docs, vectors) for _ in range(2))
    assert first.topics_ == second.topics_
    assert first.get_topics() == second.get_topics()
    np.testing.assert_array_equal(first.probabilities_, second.probabilities_)


def test_find_topics_finds_the_topic_of_its_own_words(fitted):
    hits = 0
    for topic in range(3):
        words = " ".join(word for word, _ in fitted.get_topic(topic)[:5])
        found, similarity = fitted.find_topics(words, top_n=5)
        hits += topic in found
        assert similarity == sorted(similarity, reverse=True)
    assert hits >= 2  # c-TF-IDF may name a topic by a binary file in a post: "ax max b8f a86"


def test_tables_agree_with_each_other(fitted, news):
    info = fitted.get_document_info(news.documents)
    assert info.Topic.tolist() == fitted.topics_
    np.testing.assert_allclose(info.Probability, fitted.probabilities_.max(axis=1))
    assert info.Representative_document.sum() >= len(fitted.get_topics())
    assert fitted.get_topic_freq(0) == fitted.topics_.count(0)
    assert fitted.get_topic_info(1).Count.item() == fitted.topics_.count(1)
    assert fitted.get_topic(0) == fitted.get_topics(full=True)["Main"][0]
    assert fitted.get_topic(10_000) is False
    assert len(fitted.get_representative_docs(0)) == 3


def test_labels_can_be_made_and_set(model):
    made = model.generate_topic_labels(nr_words=2, separator=" ")
    assert made[0] == "0 " + " ".join(word for word, _ in model.get_topic(0)[:2])
    model.set_topic_labels(made)
    assert model.get_topic_info().CustomName.tolist() == made
    model.set_topic_labels({1: "mine"})
    assert model.custom_labels_[1] == "mine"
    assert "mine" in model.visualize_barchart(custom_labels=True).layout.annotations[1].text


def test_update_topics_changes_words_and_nothing_else(model, news):
    topics, sizes = model.topics_, dict(model.topic_sizes_)
    model.update_topics(
        news.documents,
        vectorizer_model=CountVectorizer(ngram_range=(2, 2), min_df=2, stop_words="english"),
        top_n_words=5,
    )
    check_consistent(model, news.documents)
    assert (model.topics_, dict(model.topic_sizes_)) == (topics, sizes)
    assert all(len(words) == 5 for words in model.get_topics().values())
    assert all(" " in word for word, _ in model.get_topic(0) if word)


def test_merge_topics_adds_mixtures_up(model, news):
    before, topics = model.probabilities_.copy(), np.asarray(model.topics_)
    model.merge_topics(news.documents, [1, 2])
    check_consistent(model, news.documents)
    n_topics = before.shape[1] - 1
    assert model.probabilities_.shape[1] == n_topics
    np.testing.assert_allclose(model.probabilities_.sum(axis=1), 1, atol=1e-5)
    merged = before[:, 1] + before[:, 2]
    gaps = np.abs(model.probabilities_ - merged[:, None]).max(axis=0)
    assert gaps.min() < 1e-5
    into = int(gaps.argmin())
    assert (np.asarray(model.topics_)[np.isin(topics, [1, 2])] == into).all()
    model.merge_topics(news.documents, [[0, 1], [3, 4, 5]])
    check_consistent(model, news.documents)
    assert model.probabilities_.shape[1] == n_topics - 3


def test_delete_topics_leaves_outliers_that_can_be_reduced(model, news):
    if not hasattr(model, "delete_topics"):  # stock BERTopic learned to in 0.17
        assert version("bertopic") < "0.17"
        return
    before, topics = model.probabilities_.copy(), np.asarray(model.topics_)
    words = model.get_topic(2)
    model.delete_topics([0, 1])
    assert (np.asarray(model.topics_) == -1).tolist() == np.isin(topics, [0, 1]).tolist()
    assert model.get_topic(0) == words
    np.testing.assert_allclose(
        model.probabilities_.sum(axis=1), 1 - before[:, :2].sum(axis=1), atol=1e-4
    )
    strategies = ["embeddings", "probabilities"]
    if isinstance(model, SAEBERTopic):  # BERTopic 0.17.4 itself breaks its c-TF-IDF in deleting
        strategies += ["c-tf-idf", "distributions"]
    for strategy in strategies:
        new = model.reduce_outliers(
            news.documents,
            model.topics_,
            strategy=strategy,
            probabilities=model.probabilities_,
            embeddings=news.embeddings,
        )
        was_in = np.asarray(model.topics_) >= 0
        assert np.array_equal(np.asarray(new)[was_in], np.asarray(model.topics_)[was_in])
        assert new.count(-1) < model.topics_.count(-1)
    new = [topic if topic >= 0 else 0 for topic in new]
    model.update_topics(news.documents, topics=new, vectorizer_model=model.vectorizer_model)
    assert model.topics_ == new
    assert sum(model.topic_sizes_.values()) == len(news.documents)
    assert -1 not in model.topic_sizes_


def test_reduce_topics_keeps_everything_consistent(model, news):
    model.reduce_topics(news.documents, nr_topics=5)
    check_consistent(model, news.documents)
    assert len(model.get_topics()) == 5
    np.testing.assert_allclose(model.probabilities_.sum(axis=1), 1, atol=1e-5)
    topics, _ = model.transform(news.documents, news.embeddings)
    assert [int(topic) for topic in topics] == model.topics_
    model.reduce_topics(news.documents, nr_topics="auto")
    check_consistent(model, news.documents)


@pytest.mark.parametrize("kind", KINDS)
def test_nr_topics_at_construction(kind, news, make):
    topic_model = make(kind, None, nr_topics=6).fit(news.documents, news.embeddings)
    assert len(topic_model.get_topics()) == 6
    check_consistent(topic_model, news.documents)


def test_figures_show_the_topics_they_should(fitted, news, monkeypatch):
    n_topics = len(fitted.get_topics())
    assert len(fitted.visualize_barchart(top_n_topics=6).data) == 6
    assert list(fitted.visualize_barchart(topics=[2]).data[0].y)[::-1] == [
        word + "  " for word, _ in fitted.get_topic(2)[:5]
    ]
    heatmap = fitted.visualize_heatmap().data[0]
    assert heatmap.z.shape == (n_topics, n_topics)
    np.testing.assert_allclose(np.diag(heatmap.z), 1, atol=1e-5)
    assert len(fitted.visualize_term_rank().data) == n_topics
    bars = fitted.visualize_distribution(fitted.probabilities_[0], min_probability=0.01).data[0]
    assert len(bars.x) == (fitted.probabilities_[0] >= 0.01).sum()
    points = news.embeddings[:, :2]
    shown = fitted.visualize_documents(news.documents, reduced_embeddings=points, topics=[0, 3])
    named = [trace.name for trace in shown.data if trace.name]
    assert any(name.startswith("0_") for name in named)
    assert any(name.startswith("3_") for name in named)
    if hasattr(datamapplot.plot_rendering, "get_google_font"):  # else it wants the network
        monkeypatch.setattr(datamapplot.plot_rendering, "get_google_font", lambda name: None)
    figure = fitted.visualize_document_datamap(news.documents, reduced_embeddings=points)
    assert figure.axes
    map_of_topics = fitted.visualize_topics().data[0]
    assert len(map_of_topics.x) == n_topics


@pytest.mark.parametrize("serialization", ["safetensors", "pytorch", "pickle"])
def test_saved_models_open_in_stock_bertopic(fitted, news, encoder, tmp_path, serialization):
    path = tmp_path / "model"
    fitted.save(path, serialization=serialization, save_ctfidf=True)
    opened = BERTopic.load(path, embedding_model=encoder)
    assert opened.topics_ == fitted.topics_
    assert opened.get_topics() == {
        topic: [tuple(pair) if serialization == "pickle" else list(pair) for pair in words]
        for topic, words in fitted.get_topics().items()
    }
    np.testing.assert_allclose(opened.topic_embeddings_, fitted.topic_embeddings_, rtol=1e-5)
    topics, _ = opened.transform(news.documents[:50], news.embeddings[:50])
    if serialization == "pickle":
        assert [int(topic) for topic in topics] == fitted.topics_[:50]
    else:  # stock BERTopic then goes by the nearest topic embedding
        assert np.mean(np.asarray(topics) == fitted.topics_[:50]) > 0.5
    again = BERTopic.load(path, embedding_model=encoder)
    assert [int(t) for t in topics] == [
        int(t) for t in again.transform(news.documents[:50], news.embeddings[:50])[0]
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_emissions_chain_with_other_representations(kind, news, encoder, make):
    models = {
        "Main": SAERepresentation(),
        "KeyBERT": QUICK_KEYBERT,
        "Diverse": [SAERepresentation(top_n_words=30), MaximalMarginalRelevance(diversity=0.5)],
    }
    topic_model = make(kind, 8, encoder, representation_model=models)
    topic_model.fit(news.documents, news.embeddings)
    described = topic_model.get_topics(full=True)
    assert set(described) == {"Main", "KeyBERT", "Diverse"}
    assert all(set(words) == set(topic_model.topic_sizes_) for words in described.values())
    weights = [weight for _, weight in described["Main"][0]]
    assert weights == sorted(weights, reverse=True)
    assert 0 < sum(weights) <= 1
    if kind == "stock":  # no stop word is among the emissions' words, unlike c-TF-IDF's
        by_default = make(kind, 8, vectorizer_model=CountVectorizer())
        by_default.fit(news.documents, news.embeddings)
        stopped = sum(word in ("the", "to", "and") for word, _ in by_default.get_topic(0))
        assert stopped > sum(word in ("the", "to", "and") for word, _ in described["Main"][0])
    times = pd.to_datetime(news.timestamps).to_list()
    over_time = topic_model.topics_over_time(news.documents, times)
    assert over_time.Words.str.len().min() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_known_classes_steer_the_topics(kind, news):
    from sklearn.metrics import normalized_mutual_info_score as nmi

    classes = np.unique(news.classes, return_inverse=True)[1]
    y = np.where(np.arange(len(classes)) % 2 == 0, classes, -1)
    free = build(kind, news.n_topics, word_vectors="auto").fit(news.documents, news.embeddings)
    steered = build(kind, news.n_topics, word_vectors="auto").fit(
        news.documents, news.embeddings, y=y
    )

    def gain(part):
        scores = (nmi(classes[part], np.asarray(m.topics_)[part]) for m in (steered, free))
        return next(scores) - next(scores)

    assert gain(y != -1) > 0
    if news.n_topics == 20:  # the other half is no worse, but for chance
        assert gain(y == -1) > -0.02
