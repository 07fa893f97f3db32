"""topicwizard draws our models as they are: through ``prepare_topic_data``, its own contract."""

import numpy as np
import pytest
from matplotlib.font_manager import findfont

from saetm_plugins import SAETopicModel
from saetm_plugins.bertopic import SAEBERTopic

N_DOCUMENTS, N_TOPICS = 300, 8
WHY_NOT = (
    "topic-wizard is not installed: 1.1.4 wants Pillow below 11 and, by dash 2, Flask and Werkzeug "
    "below 3.1; constraints.txt has newer ones. `pip install topic-wizard` without it runs this."
)


@pytest.fixture(scope="module")
def texts(news):
    return news.documents[:N_DOCUMENTS]


@pytest.fixture(scope="module")
def model(news, texts):
    model = SAETopicModel(N_TOPICS, word_vectors="corpus")
    return model.fit(texts, embeddings=news.embeddings[:N_DOCUMENTS])


def test_topic_data_is_complete_and_of_one_shape(news, texts, model):
    data = model.prepare_topic_data(texts, news.embeddings[:N_DOCUMENTS])
    n_words = len(model.vocabulary_)
    assert data["corpus"] == texts
    assert data["vocab"].shape == (n_words,)
    assert data["document_term_matrix"].shape == (N_DOCUMENTS, n_words)
    assert data["topic_term_matrix"].shape == (N_TOPICS, n_words)
    np.testing.assert_allclose(data["document_topic_matrix"], model.doc_topics_, atol=1e-5)
    assert len(set(data["topic_names"])) == N_TOPICS
    np.testing.assert_allclose(data["transform"](texts[:3]).sum(axis=1), 1, atol=1e-5)
    words = np.flatnonzero(data["document_term_matrix"][0].toarray()[0])
    assert all(word in texts[0].lower() for word in data["vocab"][words])


def test_saebertopic_gives_its_mixtures(news, texts, encoder):
    topic_model = SAEBERTopic(N_TOPICS, embedding_model=encoder, word_vectors="corpus")
    topic_model.fit(texts, news.embeddings[:N_DOCUMENTS])
    data = topic_model.prepare_topic_data(texts, news.embeddings[:N_DOCUMENTS])
    np.testing.assert_allclose(data["document_topic_matrix"].sum(axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(data["document_topic_matrix"].argmax(axis=1), topic_model.topics_)
    np.testing.assert_allclose(data["transform"](texts[:2]).sum(axis=1), 1, atol=1e-5)


def test_a_model_without_words_is_refused(news):
    wordless = SAETopicModel(4).fit(None, embeddings=news.embeddings[:100])
    with pytest.raises(ValueError, match="fitted without documents"):
        wordless.prepare_topic_data(news.documents[:100], news.embeddings[:100])


@pytest.fixture
def topicwizard():
    return pytest.importorskip("topicwizard", reason=WHY_NOT)


def test_topicwizards_figures(news, texts, model, topicwizard):
    from topicwizard import figures

    data = model.prepare_topic_data(texts, news.embeddings[:N_DOCUMENTS])
    assert len(figures.topic_map(data).data[0].x) == N_TOPICS
    bars = figures.topic_barcharts(data, top_n=5)
    words = {word for trace in bars.data for word in np.ravel(trace.y) if isinstance(word, str)}
    assert {words_[0] for words_ in model.get_topics(1)} <= words
    clouds = figures.topic_wordclouds(data, custom_font_path=findfont("DejaVu Sans"))
    assert len(clouds.data) == N_TOPICS
    points = sum(len(trace.x) for trace in figures.document_map(data).data)
    assert points >= N_DOCUMENTS
    groups = figures.group_topic_barcharts(data, np.array(news.classes[:N_DOCUMENTS]))
    assert groups.data
