"""Names, levels and scores on real posts, and where the adapters show them."""

import numpy as np
import pytest

from saetm_plugins.analysis import name_scores, name_topics, taxonomy
from saetm_plugins.analysis.names.phrases import name_key
from saetm_plugins.bertopic import SAEBERTopic
from saetm_plugins.gensim import SaeModel

N_TOPICS = 16


@pytest.fixture(scope="module")
def held_out(news):
    return np.arange(len(news.documents)) % 5 == 0


@pytest.fixture(scope="module")
def texts(news, held_out):
    return [text for text, out in zip(news.documents, held_out, strict=True) if not out]


@pytest.fixture(scope="module")
def topic_model(news, news_sae, held_out, texts, encoder):
    model = SAEBERTopic(N_TOPICS, sae=news_sae, embedding_model=encoder)
    model.fit(texts, news.embeddings[~held_out])
    name_topics(model, texts, embeddings=news.embeddings[~held_out])
    return model


def test_names_of_real_posts_find_unseen_ones(topic_model, news, held_out):
    model = topic_model.sae_model_
    scores = name_scores(topic_model, embeddings=news.embeddings[held_out])
    assert scores["auc"].mean() > 0.85
    words = [" ".join(words) for words in model.get_topics(1)]
    first = name_scores(topic_model, embeddings=news.embeddings[held_out], names=words)
    assert scores["auc"].mean() > first["auc"].mean()
    assert max(len(name.replace(",", " ").split()) for name in scores["name"]) <= 3


def test_saebertopic_shows_them(topic_model):
    names = topic_model.sae_model_.topic_labels_
    assert topic_model.custom_labels_ == names
    figure = topic_model.visualize_barchart(top_n_topics=N_TOPICS, custom_labels=True)
    titles = {annotation.text for annotation in figure.layout.annotations}
    assert {name[:10] for name in names} <= {title[:10] for title in titles}


def test_levels_have_unique_names_and_bertopics_tree_is_theirs(topic_model, texts):
    table = taxonomy(topic_model, [4, N_TOPICS])
    assert table["name"].map(name_key).is_unique
    hierarchy = topic_model.hierarchical_topics(texts)
    joined = {tuple(sorted(topics)) for topics in hierarchy["Topics"]}
    for parent in range(4):
        children = table.loc[(table["level"] == 1) & (table["parent"] == parent), "topic"]
        assert tuple(sorted(children)) in joined


def test_datamapplot_gets_the_levels(topic_model, texts, monkeypatch):
    """Its interactive map fetches fonts from the network, so it is not drawn here."""
    places = np.random.default_rng(0).normal(size=(len(texts), 2))
    monkeypatch.setattr("datamapplot.create_interactive_plot", lambda *drawn, **_: drawn)
    drawn, *layers = topic_model.visualize_document_datamap(
        texts, reduced_embeddings=places, levels=[4, N_TOPICS]
    )
    assert len(drawn) == len(texts)
    assert [len(set(layer) - {"Unlabelled"}) for layer in layers] == [N_TOPICS, 4]
    assert set(layers[0]) - {"Unlabelled"} == set(topic_model.custom_labels_)


def test_the_gensim_model_keeps_them(topic_model, tmp_path):
    names = topic_model.sae_model_.topic_labels_
    wrapped = topic_model.to_gensim()
    assert wrapped.estimator.topic_labels_ == names
    wrapped.save(tmp_path / "model.gensim")
    assert SaeModel.load(str(tmp_path / "model.gensim")).estimator.topic_labels_ == names


def test_saebertopics_names_live_through_saving_loading_and_edits(topic_model, texts, tmp_path):
    names = list(topic_model.custom_labels_)
    topic_model.save(tmp_path / "model")
    loaded = SAEBERTopic.load(tmp_path / "model")
    assert loaded.custom_labels_ == names

    def first_words(topic):
        return [word for word, _ in loaded.get_topic(topic)]

    words = {name: first_words(topic) for topic, name in enumerate(names)}
    loaded.merge_topics(texts, [2, 5])
    info = loaded.get_topic_info().set_index("CustomName")
    for name in set(names) - {names[2], names[5]}:
        assert first_words(info.Topic[name]) == words[name]
    largest = loaded.custom_labels_[0]
    loaded.split_topic(texts, 0)
    kept = set(loaded.custom_labels_)
    assert set(names) - {names[2], names[5], largest} <= kept
