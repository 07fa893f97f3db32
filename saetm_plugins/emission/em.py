"""Emission by expectation-maximisation on the CPU (closed form of the paper's objective, sec. 4).

With θ fixed, ``q_dw = π P0_w + (1 − π) Σ_k θ_dk B_kw`` and the weighted counts n, one pass is

    B_kw  ∝  B_kw Σ_d θ_dk n_dw (1 − π) / q_dw  +  η m_w,      P0_w  ∝  P0_w Σ_d n_dw π / q_dw

where η m is a Dirichlet prior toward the corpus' unigram m. It never lowers
``Σ n log q − η Σ_k KL(m ‖ B_k)``, which is concave; each pass costs nnz(bow) × atoms per document.
B is held as (V, K), one row per word: the row of a word stays in the first cache level while its
documents pass by, and no two threads write to the same row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from saetm_plugins.emission import kernels
from saetm_plugins.emission.inputs import Corpus
from saetm_plugins.numerics.parallel import balanced_ranges, map_ranges

Arrays = tuple[np.ndarray, ...]
_LOG_BYTES = 2**20  # of P(word | atom) at a time, to stay in a cache while logarithms are taken
_TINY = np.float32(1e-37)


class Block(NamedTuple):
    """Documents laid out for the compiled loops."""

    arrays: Arrays
    """Pointers, documents and counts by word; pointers, atoms and weights of θ by document."""
    ranges: list[tuple[int, int]]
    """Runs of words of about equal work."""


class NumbaEM:
    """The parameters of one fit and the passes that improve them.

    `word_totals` (V,) are the corpus' weighted counts, `background_weight` is π, `prior` η.
    """

    def __init__(
        self, word_totals: np.ndarray, n_atoms: int, background_weight: float, prior: float
    ):
        self.total = float(word_totals.sum())
        self.mean = (word_totals / self.total).astype(np.float32)
        self.background: np.ndarray = self.mean.copy()
        self.word_atoms = np.repeat(self.mean[:, None], n_atoms, axis=1)
        self.scale = np.ones(n_atoms, np.float32)
        self.atom_mass: np.ndarray = np.zeros(n_atoms)
        self.pi = np.float32(background_weight)
        self.prior = np.float32(prior)

    @classmethod
    def of_distributions(
        cls,
        atom_words: np.ndarray,
        background: np.ndarray,
        word_totals: np.ndarray,
        background_weight: float,
        prior: float,
    ) -> NumbaEM:
        """Start from known distributions, (K, V) and (V,), instead of the corpus' unigram."""
        engine = cls(word_totals, 0, background_weight, prior)
        engine.word_atoms = np.ascontiguousarray(atom_words.T, dtype=np.float32)
        engine.background = np.ascontiguousarray(background, dtype=np.float32)
        engine.scale = np.ones(len(atom_words), np.float32)
        return engine

    def load(self, corpus: Corpus) -> Block:
        """Lay out documents for :meth:`sweep` and :meth:`score`."""
        theta, bow = corpus.doc_atoms, corpus.bow
        per_count = 2 * theta.nnz / theta.shape[0]
        return Block(
            (
                bow.indptr.astype(np.int64, copy=False),
                bow.indices.astype(np.int32, copy=False),
                bow.data,
                theta.indptr.astype(np.int64, copy=False),
                theta.indices.astype(np.int32, copy=False),
                theta.data,
            ),
            balanced_ranges(np.diff(bow.indptr) * per_count + 2.0 * theta.shape[1]),
        )

    def sweep(self, block: Block) -> float:
        """Do one pass over the corpus; return the objective before it, per weighted token."""
        word_mass = np.zeros(len(self.mean), np.float32)
        masses = np.zeros((len(block.ranges), len(self.scale)))
        probs = np.empty_like(block.arrays[2])

        def sweep(i: int, first: int, last: int) -> tuple[float, float]:
            log_prior = self._log_prior(first, last)
            kernels.em_words(
                first, last, block.arrays, self._state, self.pi, self.prior, word_mass, masses[i],
                probs,
            )  # fmt: skip
            return _log_likelihood(block, probs, first, last), log_prior

        log_likelihood, log_prior = np.sum(map_ranges(sweep, block.ranges), axis=0)
        return self._normalize(word_mass, masses, log_likelihood, log_prior)

    def score(self, block: Block) -> tuple[float, float]:
        """Return Σ n log q over a block and the Σ n of its words that have a probability."""
        probs = np.empty_like(block.arrays[2])
        likely = np.repeat(self.background > 0, np.diff(block.arrays[0]))

        def score(_: int, first: int, last: int) -> float:
            kernels.explain_words(first, last, block.arrays, self._state, self.pi, probs)
            entries = slice(*block.arrays[0][[first, last]])
            probs[entries][~likely[entries]] = 1
            return _log_likelihood(block, probs, first, last)

        log_likelihood = sum(map_ranges(score, block.ranges))
        return log_likelihood, float(block.arrays[2][likely].sum(dtype=np.float64))

    def atom_words(self) -> np.ndarray:
        """Return B, (K, V) float32, a view; rows sum to 1, or to 0 for an atom without words."""
        self.word_atoms *= self.scale
        self.scale = np.ones_like(self.scale)
        return self.word_atoms.T

    @property
    def _state(self) -> Arrays:
        return self.word_atoms, self.scale, self.background, self.mean

    def _log_prior(self, first: int, last: int) -> float:
        """Return Σ_w m_w Σ_k log(B_kw / m_w) over the words [first, last)."""
        if self.prior == 0:
            return 0.0
        total = 0.0
        n_rows = max(1, _LOG_BYTES // max(4 * len(self.scale), 1))
        for start in range(first, last, n_rows):
            rows = slice(start, min(start + n_rows, last))
            mean = self.mean[rows]
            ratios = self.word_atoms[rows] * self.scale
            ratios /= np.where(mean > 0, mean, 1)[:, None]
            total += float(mean.astype(np.float64) @ _logs(ratios).sum(axis=1, dtype=np.float64))
        return total

    def _normalize(
        self, word_mass: np.ndarray, masses: np.ndarray, log_likelihood: float, log_prior: float
    ) -> float:
        """Turn expected counts into distributions; return the objective per weighted token."""
        self.atom_mass = masses.sum(axis=0)
        inverse = np.zeros_like(self.atom_mass)
        np.divide(1.0, self.atom_mass, out=inverse, where=self.atom_mass > 0)
        self.scale = inverse.astype(np.float32)
        background_mass = word_mass.sum(dtype=np.float64)
        if background_mass > 0:
            self.background = (word_mass / background_mass).astype(np.float32)
        return float(log_likelihood + float(self.prior) * log_prior) / self.total


def _logs(values: np.ndarray) -> np.ndarray:
    """Replace `values` by their logarithms; 0 counts as the smallest number."""
    return np.log(np.maximum(values, _TINY, out=values), out=values)


def _log_likelihood(block: Block, probs: np.ndarray, first: int, last: int) -> float:
    """Return Σ n log q over the words [first, last), overwriting their `probs`."""
    entries = slice(*block.arrays[0][[first, last]])
    logs = _logs(probs[entries])
    logs *= block.arrays[2][entries]
    return float(logs.sum(dtype=np.float64))
