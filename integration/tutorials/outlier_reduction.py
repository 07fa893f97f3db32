"""Outliers: four ways to find topics for them, alone and in a chain; then an update."""


def run(make, news, folder):
    docs = news.documents
    topic_model = make()
    topics, probs = topic_model.fit_transform(docs, news.embeddings)
    if -1 not in topics:  # the notebook goes on where a topic is deleted
        if hasattr(topic_model, "sae_model_"):
            assert topic_model.reduce_outliers(docs, topics) == topics
        topic_model.delete_topics([len(set(topics)) - 1])
        topics, probs = topic_model.topics_, topic_model.probabilities_
    n_outliers = topics.count(-1)
    assert n_outliers > 0
    options = {
        "probabilities": {"probabilities": probs},
        "distributions": {},
        "embeddings": {"embeddings": news.embeddings},
    }
    if hasattr(topic_model, "sae_model_"):  # stock BERTopic's tables do not survive a deletion
        options["c-tf-idf"] = {}
    for strategy, more in options.items():
        new_topics = topic_model.reduce_outliers(docs, topics, strategy=strategy, **more)
        assert new_topics.count(-1) < n_outliers
        kept = [new for new, old in zip(new_topics, topics, strict=True) if old != -1]
        assert kept == [old for old in topics if old != -1]
    some = topic_model.reduce_outliers(
        docs, topics, strategy="probabilities", probabilities=probs, threshold=0.2
    )
    if -1 in some:
        new_topics = topic_model.reduce_outliers(docs, some, strategy="distributions")
    topic_model.update_topics(docs, topics=[max(int(topic), 0) for topic in new_topics])
    assert -1 not in topic_model.topics_
