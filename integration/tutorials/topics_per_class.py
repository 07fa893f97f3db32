"""Topics per class."""


def run(make, news, folder):
    topic_model = make()
    topics, _ = topic_model.fit_transform(news.documents, news.embeddings)
    per_class = topic_model.topics_per_class(news.documents, classes=news.classes)
    assert per_class.Frequency.sum() == len(news.documents)
    assert set(per_class.Class) == set(news.classes)
    assert set(per_class.Topic) == set(topics)
    assert topic_model.visualize_topics_per_class(per_class, top_n_topics=5).data
