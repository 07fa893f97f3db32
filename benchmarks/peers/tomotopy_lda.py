"""tomotopy's LDA: collapsed Gibbs sampling, 1000 sweeps, two workers."""

import numpy as np

from peers import N_WORDS, Fitted

VERSION_OF = "tomotopy"
IMPORTS = ("tomotopy",)


def fit(corpus, n_topics, seed):
    import tomotopy

    model = tomotopy.LDAModel(k=n_topics, seed=seed)
    filled = [row for row, words in enumerate(corpus.tokens) if words]
    for row in filled:
        model.add_doc(corpus.tokens[row])
    model.train(1000, workers=2)
    doc_topics = np.full((len(corpus.tokens), n_topics), 1 / n_topics)
    doc_topics[filled] = [document.get_topic_dist() for document in model.docs]
    topics = [
        [word for word, _ in model.get_topic_words(topic, top_n=N_WORDS)]
        for topic in range(n_topics)
    ]
    return Fitted(topics, doc_topics.argmax(axis=1), doc_topics)
