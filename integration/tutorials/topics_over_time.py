"""Dynamic topics: timestamps as dates in texts, in bins, with and without tuning."""


def run(make, news, folder):
    topic_model = make()
    topics, _ = topic_model.fit_transform(news.documents, news.embeddings)
    years = [int(stamp[:4]) for stamp in news.timestamps]
    over_time = topic_model.topics_over_time(news.documents, years, nr_bins=4)
    assert over_time.groupby("Topic").Frequency.sum().to_dict() == dict(topic_model.topic_sizes_)
    assert over_time.Timestamp.nunique() == 4
    tuned = topic_model.topics_over_time(
        news.documents, years, global_tuning=True, evolution_tuning=True, nr_bins=4
    )
    plain = topic_model.topics_over_time(
        news.documents, years, global_tuning=False, evolution_tuning=False, nr_bins=4
    )
    assert tuned.Frequency.tolist() == plain.Frequency.tolist()
    given = topic_model.topics_over_time(news.documents, years, topics=topics, nr_bins=4)
    assert given.Frequency.sum() == len(news.documents)
    assert topic_model.visualize_topics_over_time(over_time, top_n_topics=5).data
    assert topic_model.visualize_topics_over_time(over_time, topics=[0, 2]).data
