"""Manual topics: classes that are known, described by their words."""

import numpy as np
from bertopic.vectorizers import ClassTfidfTransformer


def run(make, news, folder):
    names = sorted(set(news.classes))
    y = np.array([names.index(name) for name in news.classes])
    topic_model = make(ctfidf_model=ClassTfidfTransformer(reduce_frequent_words=True))
    topic_model.fit_transform(news.documents, news.embeddings, y=y)
    topic_model.update_topics(news.documents, topics=y.tolist())
    assert topic_model.topics_ == y.tolist()
    classes = topic_model.get_topic_info().Topic.map(dict(enumerate(names)))
    assert classes.tolist() == names
    if hasattr(topic_model, "sae_model_"):  # stock BERTopic's mapper does not follow an update
        mappings = topic_model.topic_mapper_.get_mappings()
        assert [mappings[label] for label in y] == topic_model.topics_
