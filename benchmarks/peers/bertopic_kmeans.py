"""BERTopic with k-means on the embeddings as they are, no UMAP."""

from peers import N_WORDS
from peers.bertopic_hdbscan import documents, result

VERSION_OF = "bertopic"
IMPORTS = ("bertopic",)


def fit(corpus, n_topics, seed):
    from bertopic import BERTopic
    from bertopic.dimensionality import BaseDimensionalityReduction
    from sklearn.cluster import KMeans

    model = BERTopic(
        language="multilingual",  # see documents()
        umap_model=BaseDimensionalityReduction(),
        hdbscan_model=KMeans(n_topics, random_state=seed),
        vectorizer_model=corpus.vectorizer(),
        top_n_words=N_WORDS,
    )
    labels, _ = model.fit_transform(documents(corpus), embeddings=corpus.embeddings)
    return result(model, labels)
