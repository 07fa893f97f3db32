"""BERTopic with its defaults (UMAP, HDBSCAN), reduced to the wanted number of topics."""

import numpy as np

from peers import N_WORDS, Fitted

VERSION_OF = "bertopic"
IMPORTS = ("bertopic", "umap")


def fit(corpus, n_topics, seed):
    from bertopic import BERTopic
    from umap import UMAP

    # BERTopic's own UMAP settings; only the seed is added.
    umap_model = UMAP(
        n_neighbors=15,
        n_components=5,
        min_dist=0.0,
        metric="cosine",
        low_memory=False,
        random_state=seed,
    )
    # One more than wanted: the topic of outliers is counted.
    model = BERTopic(
        language="multilingual",  # see documents()
        nr_topics=n_topics + 1,
        umap_model=umap_model,
        vectorizer_model=corpus.vectorizer(),
        top_n_words=N_WORDS,
    )
    labels, _ = model.fit_transform(documents(corpus), embeddings=corpus.embeddings)
    return result(model, labels)


def retopic(fitted, corpus, n_topics, seed):
    model = fitted.model.reduce_topics(documents(corpus), nr_topics=n_topics + 1)
    return result(model, model.topics_)


def compile_loops():
    from umap import UMAP

    points = np.random.default_rng(0).normal(size=(500, 16))
    settings = {"metric": "cosine", "low_memory": False, "force_approximation_algorithm": True}
    UMAP(**settings, n_epochs=2, random_state=0).fit(points)


def documents(corpus):
    """Return the documents' words of the vocabulary: all that BERTopic needs beside embeddings.

    In English texts it drops punctuation and glues what was beside it, so that a word of the
    vocabulary may never occur and its weight be infinite; in other languages it leaves texts be.
    """
    return [" ".join(words) for words in corpus.tokens]


def result(model, labels):
    topics = [
        [word for word, _ in words if word]
        for topic, words in sorted(model.get_topics().items())
        if topic >= 0
    ]
    return Fitted(topics, np.asarray(labels), None, model)
