"""Fewer topics: at construction and afterwards; other words and labels of one's own."""

from sklearn.feature_extraction.text import CountVectorizer


def run(make, news, folder):
    topic_model = make()
    topic_model.fit_transform(news.documents, news.embeddings)
    topic_model.reduce_topics(news.documents, nr_topics=5)
    assert len(set(topic_model.topics_)) == 5
    topic_model.update_topics(news.documents, n_gram_range=(1, 2))
    pairs = CountVectorizer(stop_words="english", ngram_range=(1, 3), min_df=2)
    topic_model.update_topics(news.documents, vectorizer_model=pairs)
    assert len(topic_model.get_topic(0)) == 10
    labels = topic_model.generate_topic_labels(
        nr_words=3, topic_prefix=False, word_length=10, separator=", "
    )
    topic_model.set_topic_labels(labels)
    assert topic_model.custom_labels_ == labels
    topic_model.set_topic_labels({1: "Space Travel", 7: "Religion"})
    assert topic_model.custom_labels_[1] == "Space Travel"
    assert topic_model.visualize_barchart(custom_labels=True).data
