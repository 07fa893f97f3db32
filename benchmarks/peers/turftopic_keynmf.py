"""Turftopic's KeyNMF, its defaults."""

from peers import from_matrices

VERSION_OF = "turftopic"
IMPORTS = ("turftopic",)


def fit(corpus, n_topics, seed):
    from turftopic import KeyNMF

    return fit_turftopic(KeyNMF, corpus, n_topics, seed)


def fit_turftopic(model_class, corpus, n_topics, seed):
    model = model_class(
        n_topics,
        encoder=corpus.encoder(),
        vectorizer=corpus.vectorizer(),
        random_state=seed,
    )
    doc_topics = model.fit_transform(corpus.texts, embeddings=corpus.embeddings)
    return from_matrices(model.components_, doc_topics, list(model.get_vocab()))
