"""SAETopicModel with its defaults."""

from peers import N_WORDS, Fitted

VERSION_OF = "saetm-plugins"
IMPORTS = ("saetm_plugins.model", "numba")


def fit(corpus, n_topics, seed):
    from saetm_plugins import SAETopicModel

    model = SAETopicModel(n_topics=n_topics, encoder=corpus.encoder(), random_state=seed)
    model.fit(corpus.texts, corpus.embeddings, bow=corpus.bow, vocabulary=corpus.vocabulary)
    return _result(model)


def retopic(fitted, corpus, n_topics, seed):
    return _result(fitted.model.retopic(n_topics))


def _result(model):
    return Fitted(model.get_topics(N_WORDS), model.labels_, model.doc_topics_, model)
