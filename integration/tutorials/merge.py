"""Merging: topics by hand, and whole models."""


def run(make, news, folder):
    half = len(news.documents) // 2
    first = make().fit(news.documents[:half], news.embeddings[:half])
    second = make().fit(news.documents[half:], news.embeddings[half:])
    merged = type(first).merge_models([first, second], min_similarity=0.7)
    n_merged = len(merged.get_topic_info())
    assert n_merged >= len(first.get_topic_info())
    strict = type(first).merge_models([first, second], min_similarity=0.95)
    assert len(strict.get_topic_info()) >= n_merged
    n_topics = len(first.get_topic_info())
    first.merge_topics(news.documents[:half], [[1, 2], [3, 4]])
    assert len(first.get_topic_info()) == n_topics - 2
