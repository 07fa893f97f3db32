"""Zero-shot topics: some have names beforehand, the others are found."""


def run(make, news, folder):
    names = ["Space and rockets", "Computers and graphics", "Religion and belief"]
    topic_model = make(zeroshot_topic_list=names, zeroshot_min_similarity=0.25)
    topics, _ = topic_model.fit_transform(news.documents, news.embeddings)
    labels = set(topic_model.topic_labels_.values())
    assert len(labels & set(names)) >= 1
    assert len(set(topics)) > len(labels & set(names))
    assert topic_model.get_topic_info().Count.sum() == len(news.documents)
