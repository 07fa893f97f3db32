"""What the models of OCTIS share: the corpus as an OCTIS dataset, the output as ours."""

import random

import numpy as np

from peers import N_WORDS, Fitted, top_words


def octis_dataset(corpus):
    from octis.dataset.dataset import Dataset

    return Dataset(corpus.tokens, corpus.vocabulary, corpus.labels.tolist(), {})


def fit_octis(model, corpus, seed):
    """Train on the whole corpus (no partitions), with every global generator seeded."""
    import torch

    from saetm_plugins.octis.compat import apply

    apply()  # OCTIS' neural models need it on NumPy 2
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (OCTIS' models draw from the global generators)
    torch.manual_seed(seed)
    output = model.train_model(octis_dataset(corpus), {}, top_words=N_WORDS)
    doc_topics = np.asarray(output["topic-document-matrix"]).T
    topics = output["topics"]
    if len(topics[0]) < N_WORDS:  # ProdLDA gives 10 whatever is asked
        topics = top_words(output["topic-word-matrix"], corpus.vocabulary)
    return Fitted(topics, doc_topics.argmax(axis=1), doc_topics)
