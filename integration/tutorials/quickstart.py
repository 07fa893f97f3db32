"""Quick start: fit, look at topics and documents, other representations."""

from bertopic.representation import MaximalMarginalRelevance


def run(make, news, folder):
    topic_model = make()
    topics, probs = topic_model.fit_transform(news.documents, news.embeddings)
    assert len(topics) == len(probs) == len(news.documents)
    info = topic_model.get_topic_info()
    assert list(info.columns[:3]) == ["Topic", "Count", "Name"]
    assert info.Count.sum() == len(news.documents)
    assert len(topic_model.get_topic(0)) == 10
    documents = topic_model.get_document_info(news.documents)
    assert documents.Topic.tolist() == topics
    assert documents.Probability.between(0, 1.00001).all()
    assert topic_model.visualize_topics().data
    found, similarity = topic_model.find_topics("motor", top_n=3)
    assert len(found) == len(similarity) == 3
    diverse = make(representation_model=MaximalMarginalRelevance(diversity=0.3))
    diverse.fit(news.documents, news.embeddings)
    assert all(len(words) == 10 for words in diverse.get_topics().values())
