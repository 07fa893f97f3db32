"""The result of stage 2: the word distribution of every atom (paper, sec. 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saetm_plugins.emission.inputs import check_counts, check_mixtures, lay_out
from saetm_plugins.emission.passes import Engine


@dataclass
class Emissions:
    """Word distributions of the atoms and of the background.

    Attributes
    ----------
    atom_words : ndarray of shape (K, V), float32
        B, P(word | atom); rows sum to 1. An atom without documents has the background's row.
    background : ndarray of shape (V,), float32
        P0; sums to 1.
    background_weight : float
        π, the share of every document drawn from the background.
    word_weights : ndarray of shape (V,), float32
        What each count was multiplied by.
    prior : float
        η: weighted tokens of the corpus' unigram that were added to each atom.
    word_totals : ndarray of shape (V,), float64
        Weighted counts of all documents seen.
    atom_mass : ndarray of shape (K,), float64
        Expected weighted tokens of each atom, in all documents seen.
    background_mass : float
        Expected weighted tokens of the background.
    log_likelihood_ : list of float
        Log-likelihood plus log prior per weighted token, before each pass; before the first, all
        atoms have the corpus' unigram. (Adam: the mean over the batches of an epoch.)
    n_iter_ : int
        Passes over the corpus.
    """

    atom_words: np.ndarray
    background: np.ndarray
    background_weight: float
    word_weights: np.ndarray
    prior: float
    word_totals: np.ndarray
    atom_mass: np.ndarray
    background_mass: float
    log_likelihood_: list[float] = field(default_factory=list)
    n_iter_: int = 0

    @classmethod
    def of_engine(cls, engine: Engine, *, live: np.ndarray, **known: Any) -> Emissions:
        """Read a fitted engine; `live` (K,) marks the atoms that have documents."""
        atom_words, background = engine.atom_words(), engine.background
        mass = engine.atom_mass - known["prior"]
        # An atom that explains nothing is left with rounding errors of float32.
        mass[~live | (mass <= 1e-6 * engine.atom_mass)] = 0.0
        atom_words[mass == 0] = background
        total = float(known["word_totals"].sum())
        return cls(
            atom_words=atom_words,
            background=background,
            atom_mass=mass,
            background_mass=max(total - float(mass.sum()), 0.0),
            n_iter_=len(known["log_likelihood_"]),
            **known,
        )

    def score(self, doc_atoms: Any, bow: Any) -> float:
        """Return the log-likelihood of documents per weighted token, without the prior.

        Words that have no probability (they never occurred) are left out.

        Parameters
        ----------
        doc_atoms : sparse or dense matrix of shape (N, K)
        bow : sparse or dense matrix of shape (N, V)
        """
        n_atoms, n_words = self.atom_words.shape
        counts = check_counts(bow, n_words=n_words)
        theta = check_mixtures(doc_atoms, n_docs=counts.shape[0], n_atoms=n_atoms)
        corpus = lay_out(theta, counts, self.word_weights)
        from saetm_plugins.emission.em import NumbaEM  # late: numba takes its time

        engine = NumbaEM.of_distributions(
            self.atom_words, self.background, self.word_totals, self.background_weight, self.prior
        )
        log_likelihood, total = engine.score(engine.load(corpus))
        if total == 0:
            raise ValueError("bow holds no word that the emissions give a probability")
        return log_likelihood / total
