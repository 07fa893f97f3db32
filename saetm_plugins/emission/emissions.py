"""The result of stage 2: the word distribution of every atom (paper, sec. 4)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


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
    atom_mass : ndarray of shape (K,), float64
        Expected weighted tokens of each atom.
    log_likelihood_ : list of float
        What is maximised (log-likelihood plus log prior), per weighted token, at the parameters
        each pass started from; the first is the corpus' unigram's.
    n_iter_ : int
        Passes over the corpus.
    """

    atom_words: np.ndarray
    background: np.ndarray
    background_weight: float
    word_weights: np.ndarray
    prior: float
    atom_mass: np.ndarray
    log_likelihood_: list[float] = field(default_factory=list)
    n_iter_: int = 0
