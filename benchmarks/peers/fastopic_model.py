"""FASTopic, its defaults, on the corpus' embeddings."""

import numpy as np

from peers import from_matrices

VERSION_OF = "fastopic"
IMPORTS = ("fastopic",)


class ReadyBow:
    """Stands in the place of topmost's preprocessing: the corpus' own bag of words."""

    def __init__(self, corpus):
        self._ready = {"train_bow": corpus.bow, "vocab": corpus.vocabulary}

    def preprocess(self, docs):
        return self._ready


def fit(corpus, n_topics, seed):
    import torch
    from fastopic import FASTopic

    torch.manual_seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (FASTopic shuffles with the global generator)
    model = FASTopic(n_topics, preprocess=ReadyBow(corpus), doc_embed_model=corpus.encoder())
    model.fit(corpus.texts, preset_doc_embeddings=corpus.embeddings)
    embeddings = torch.as_tensor(corpus.embeddings)
    doc_topics = model.transform(doc_embeddings=embeddings)
    return from_matrices(model.get_beta(), doc_topics, corpus.vocabulary)
