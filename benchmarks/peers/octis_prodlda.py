"""OCTIS' ProdLDA, OCTIS' defaults."""

from peers.octis_models import fit_octis

VERSION_OF = "octis"
IMPORTS = ("octis.models.ProdLDA",)


def fit(corpus, n_topics, seed):
    from octis.models.ProdLDA import ProdLDA

    return fit_octis(ProdLDA(num_topics=n_topics, use_partitions=False), corpus, seed)
