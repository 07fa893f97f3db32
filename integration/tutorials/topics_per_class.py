"""Topics per class."""

from collections import Counter


def run(make, news, folder):
    topic_model = make()
    topics, _ = topic_model.fit_transform(news.documents, news.embeddings)
    per_class = topic_model.topics_per_class(news.documents, classes=news.classes)
    counted = Counter((int(t), c) for t, c in zip(topics, news.classes, strict=True))
    assert {(row.Topic, row.Class): row.Frequency for row in per_class.itertuples()} == counted
    assert topic_model.visualize_topics_per_class(per_class, top_n_topics=5).data
