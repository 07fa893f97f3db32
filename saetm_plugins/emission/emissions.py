"""The result of stage 2: the word distribution of every atom (paper, sec. 4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from saetm_plugins.emission.inputs import (
    Corpus,
    Totals,
    check_counts,
    check_mixtures,
    check_not_negative,
    lay_out,
)
from saetm_plugins.emission.passes import Engine
from saetm_plugins.validation import check_count

_HUGE = 1e37  # more than any count, and no infinity, which compiled code is told not to expect


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
        η: weighted tokens of the corpus' unigram each atom was given beforehand.
    word_totals : ndarray of shape (V,), float64
        Weighted counts of all documents seen.
    atom_mass : ndarray of shape (K,), float64
        Expected weighted tokens of each atom, in all documents seen.
    background_mass : float
        Expected weighted tokens of the background.
    log_likelihood_ : list of float
        What is maximised (log-likelihood plus log prior), per weighted token, one value per pass:
        of the parameters the pass started from; the first are the corpus' unigram. (Adam: the mean
        over the batches of an epoch.)
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
        # What float32 rounding leaves of an atom that explains nothing is not a count.
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

        Raises
        ------
        ValueError
            When they do not fit the emissions or each other, or hold no known word.
        """
        corpus, _ = self._read(doc_atoms, bow)
        engine = self._engine(self.word_totals)
        log_likelihood, total = engine.score(engine.load(corpus))
        if total == 0:
            raise ValueError("bow holds no word that the emissions give a probability")
        return log_likelihood / total

    def partial_fit(
        self, doc_atoms: Any, bow: Any, decay: float = 1.0, n_iter: int = 1
    ) -> Emissions:
        """Learn from new documents without the old ones.

        The expected counts of the new documents are added to those of the old ones, which were
        kept as sums, times `decay`; the word weights stay those of the first fit.

        Parameters
        ----------
        doc_atoms : sparse or dense matrix of shape (N, K)
        bow : sparse or dense matrix of shape (N, V)
        decay : float, default=1
            What becomes of the old sums: 1 keeps them, 0 forgets them.
        n_iter : int, default=1
            Passes over the new documents.

        Returns
        -------
        Emissions
            itself.

        Raises
        ------
        ValueError
            When they do not fit the emissions or each other, or `decay` is not a number of at
            least 0. The emissions are then as before.
        """
        check_not_negative(decay, "decay")
        check_count(n_iter, "n_iter")
        corpus, totals = self._read(doc_atoms, bow)
        word_totals = decay * self.word_totals + totals.counts * self.word_weights
        if not word_totals.sum() > 0:
            raise ValueError("bow holds no words, and decay=0 forgets those seen before")
        engine = self._engine(word_totals)
        engine.admit_words()
        kept = self._expected_counts(engine.word_atoms, decay, copy=n_iter > 1)
        block = engine.load(corpus)
        for _ in range(n_iter):
            engine.accumulate(block)
            engine.update_from(kept)
        updated = self.of_engine(
            engine,
            live=(self.atom_mass * decay > 0) | (totals.atom_docs > 0),
            background_weight=self.background_weight,
            word_weights=self.word_weights,
            prior=self.prior,
            word_totals=word_totals,
            log_likelihood_=self.log_likelihood_,
        )
        vars(self).update(vars(updated))
        return self

    def _read(self, doc_atoms: Any, bow: Any) -> tuple[Corpus, Totals]:
        n_atoms, n_words = self.atom_words.shape
        counts = check_counts(bow, n_words=n_words)
        theta = check_mixtures(doc_atoms, n_docs=counts.shape[0], n_atoms=n_atoms)
        return lay_out(theta, counts, self.word_weights), Totals.of(theta, counts)

    def _engine(self, word_totals: np.ndarray) -> Any:
        from saetm_plugins.emission.em import NumbaEM

        return NumbaEM.of_distributions(
            self.atom_words, self.background, word_totals, self.background_weight, self.prior
        )

    def _expected_counts(
        self, word_atoms: np.ndarray, decay: float, *, copy: bool
    ) -> tuple[np.ndarray, ...]:
        """Return what all documents so far are expected to hold, times `decay`, for `update_from`.

        `word_atoms` (V, K) is :attr:`atom_words` transposed.
        """
        floor = decay * self.prior * self.word_totals / self.word_totals.sum()
        floor[self.word_totals == 0] = _HUGE
        gain = np.where(self.atom_mass > 0, decay * (self.atom_mass + self.prior), 0.0)
        counts = decay * self.background_mass * self.background
        return (
            word_atoms.copy() if copy else word_atoms,
            gain.astype(np.float32),
            floor.astype(np.float32),
            counts.astype(np.float32),
        )
