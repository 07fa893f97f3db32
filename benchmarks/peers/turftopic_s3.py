"""Turftopic's S³ (semantic signal separation), its defaults."""

from peers.turftopic_keynmf import fit_turftopic

VERSION_OF = "turftopic"
IMPORTS = ("turftopic",)


def fit(corpus, n_topics, seed):
    from turftopic import SemanticSignalSeparation

    return fit_turftopic(SemanticSignalSeparation, corpus, n_topics, seed)
