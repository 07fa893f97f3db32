"""Guided topics: words that some topics are to be about."""


def run(make, news, folder):
    seeds = [["drug", "cancer", "doctor"], ["windows", "drive", "dos"], ["space", "orbit", "nasa"]]
    topic_model = make(seed_topic_list=seeds)
    topics, _ = topic_model.fit_transform(news.documents, news.embeddings)
    assert len(set(topics)) > 2
    assert all(any(word for word, _ in words) for words in topic_model.get_topics().values())
