"""Online topics: batch after batch, their topics tracked, analysed together at the end."""

from bertopic.vectorizers import OnlineCountVectorizer


def run(make, news, folder):
    topic_model = make(vectorizer_model=OnlineCountVectorizer(stop_words="english", decay=0.01))
    size = len(news.documents) // 3
    topics = []
    for first in range(0, 3 * size, size):
        rows = slice(first, first + size)
        topic_model.partial_fit(news.documents[rows], news.embeddings[rows])
        topics.extend(topic_model.topics_)
    assert sum(topic_model.topic_sizes_.values()) == 3 * size
    predicted, _ = topic_model.transform(news.documents[rows], news.embeddings[rows])
    assert [int(topic) for topic in predicted] == [int(topic) for topic in topic_model.topics_]
    topic_model.topics_ = topics
    docs = news.documents[: 3 * size]
    over_time = topic_model.topics_over_time(docs, [row % 4 for row in range(len(docs))])
    assert over_time.Frequency.sum() == len(docs)
    per_class = topic_model.topics_per_class(docs, news.classes[: len(docs)])
    assert per_class.Frequency.sum() == len(docs)
    assert len(topic_model.get_topic_info()) >= 2
