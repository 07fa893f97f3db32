"""Several representations of each topic in one fit."""

from bertopic.representation import KeyBERTInspired, MaximalMarginalRelevance


def run(make, news, folder):
    docs = [" ".join(text.split()[:20]) for text in news.documents[:80]]  # few tokens to encode
    aspects = {
        "Main": KeyBERTInspired(nr_repr_docs=1, nr_samples=5, nr_candidate_words=10),
        "MMR": MaximalMarginalRelevance(),
        "Chain": [
            MaximalMarginalRelevance(top_n_words=20),
            MaximalMarginalRelevance(diversity=0.5),
        ],
    }
    topic_model = make(representation_model=aspects).fit(docs, news.embeddings[:80])
    info = topic_model.get_topic_info()
    assert {"Chain", "MMR"} <= set(info.columns)
    assert set(topic_model.get_topic(0, full=True)) == {"Main", "Chain", "MMR"}
    labels = {
        topic: " | ".join(word for word, _ in words[:3])
        for topic, words in topic_model.topic_aspects_["MMR"].items()
    }
    topic_model.set_topic_labels({**labels, -1: "Outlier Topic"})
    assert topic_model.custom_labels_ == [labels[topic] for topic in info.Topic]
