"""OCTIS' NMF (gensim's online NMF), OCTIS' defaults."""

from peers.octis_models import fit_octis

VERSION_OF = "octis"
IMPORTS = ("octis.models.NMF",)


def fit(corpus, n_topics, seed):
    from octis.models.NMF import NMF

    model = NMF(num_topics=n_topics, random_state=seed, use_partitions=False)
    return fit_octis(model, corpus, seed)
