"""OCTIS' ETM with embeddings learned from the corpus, OCTIS' defaults."""

from peers.octis_models import fit_octis

VERSION_OF = "octis"
IMPORTS = ("octis.models.ETM",)


def fit(corpus, n_topics, seed):
    from octis.models.ETM import ETM

    return fit_octis(ETM(num_topics=n_topics, use_partitions=False), corpus, seed)
