"""gensim's LdaMulticore: 10 passes, two workers."""

import numpy as np

from peers import from_matrices

VERSION_OF = "gensim"
IMPORTS = ("gensim.models",)


def fit(corpus, n_topics, seed):
    from gensim.matutils import Sparse2Corpus, corpus2dense
    from gensim.models import LdaMulticore

    bags = list(Sparse2Corpus(corpus.bow, documents_columns=False))
    bags = [[(word, int(count)) for word, count in bag] for bag in bags]
    model = LdaMulticore(
        bags,
        num_topics=n_topics,
        id2word=dict(enumerate(corpus.vocabulary)),
        passes=10,
        workers=2,
        random_state=seed,
    )
    mixtures = model.get_document_topics(bags, minimum_probability=0.0)
    doc_topics = np.asarray(corpus2dense(mixtures, n_topics, len(bags))).T
    return from_matrices(model.get_topics(), doc_topics, corpus.vocabulary)
