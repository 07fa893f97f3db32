"""SAETopicModel with its defaults."""

from itertools import product

import numpy as np

from peers import N_WORDS, Fitted

VERSION_OF = "saetm-plugins"
IMPORTS = ("saetm_plugins.model", "numba")


def fit(corpus, n_topics, seed):
    from saetm_plugins import SAETopicModel

    model = SAETopicModel(n_topics=n_topics, encoder=corpus.encoder(), random_state=seed)
    model.fit(
        corpus.texts, embeddings=corpus.embeddings, bow=corpus.bow, vocabulary=corpus.vocabulary
    )
    return _result(model)


def retopic(fitted, corpus, n_topics, seed):
    return _result(fitted.model.retopic(n_topics))


def compile_loops():
    from saetm_plugins import SAETopicModel

    rng = np.random.default_rng(0)
    words = ["".join(letters) for letters in product("abcdef", repeat=4)]
    vectors = {word: rng.normal(size=64).astype(np.float32) for word in words}
    texts = [" ".join(rng.choice(words, 40)) for _ in range(1000)]
    embeddings = rng.normal(size=(1000, 64)).astype(np.float32)
    SAETopicModel(n_topics=5, word_vectors=vectors).fit(texts, embeddings=embeddings).retopic(4)


def _result(model):
    return Fitted(model.get_topics(N_WORDS), model.labels_, model.doc_topics_, model)
