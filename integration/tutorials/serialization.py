"""Saving in three formats and loading again."""


def run(make, news, folder):
    topic_model = make().fit(news.documents, news.embeddings)
    ours = hasattr(topic_model, "sae_model_")
    # Stock BERTopic downloads the model that it saved the name of, also where one is given to load.
    name = "sentence-transformers/all-MiniLM-L6-v2" if ours else False
    words = topic_model.get_topics()
    for serialization in ("safetensors", "pytorch"):
        path = folder / serialization
        topic_model.save(
            path, serialization=serialization, save_ctfidf=True, save_embedding_model=name
        )
        loaded = type(topic_model).load(str(path), embedding_model=topic_model.embedding_model)
        assert loaded.topics_ == topic_model.topics_
        assert {t: [w for w, _ in pairs] for t, pairs in loaded.get_topics().items()} == {
            t: [w for w, _ in pairs] for t, pairs in words.items()
        }
        topics, _ = loaded.transform(news.documents[:2])
        assert len(topics) == 2
    topic_model.save(folder / "pickled", serialization="pickle", save_embedding_model=False)
    trusted = {"allow_pickle": True} if ours else {}
    loaded = type(topic_model).load(str(folder / "pickled"), **trusted)
    assert loaded.topics_ == topic_model.topics_
