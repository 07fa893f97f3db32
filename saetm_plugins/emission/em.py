"""Emission by expectation-maximisation on the CPU (closed form of the paper's objective, sec. 4).

With θ fixed, ``q_dw = π P0_w + (1 − π) Σ_k θ_dk B_kw`` and the weighted counts n, one pass is

    B_kw  ∝  B_kw Σ_d θ_dk n_dw (1 − π) / q_dw  +  η m_w,      P0_w  ∝  P0_w Σ_d n_dw π / q_dw

where η m is a Dirichlet prior toward the corpus' unigram m. It never lowers
``Σ n log q − η Σ_k KL(m ‖ B_k)``, which is concave; each pass costs nnz(bow) × atoms per document.
B is held as (V, K), one row per word: the row of a word stays in the first cache level while its
documents pass by, and no two threads write to the same row.
"""

from __future__ import annotations

import numpy as np

from saetm_plugins.emission import kernels
from saetm_plugins.emission.inputs import Corpus
from saetm_plugins.emission.parallel import balanced_ranges, map_ranges


class NumbaEM:
    """The parameters of one fit and the pass that improves them.

    Parameters
    ----------
    corpus : Corpus
    background_weight : float
        π.
    prior : float
        η, in weighted tokens per atom.
    """

    def __init__(self, corpus: Corpus, background_weight: float, prior: float):
        n_words, n_atoms = corpus.bow.shape[1], corpus.doc_atoms.shape[1]
        theta, bow = corpus.doc_atoms, corpus.bow
        self.mean = (corpus.word_totals / corpus.word_totals.sum()).astype(np.float32)
        self.background = self.mean.copy()
        self.word_atoms = np.repeat(self.mean[:, None], n_atoms, axis=1)
        self.scale = np.ones(n_atoms, np.float32)
        self.total = float(corpus.word_totals.sum())
        self.pi = np.float32(background_weight)
        self.prior = np.float32(prior)
        # A quarter less memory to read per pass: what the inner loops wait for is θ.
        narrow = np.uint16 if n_atoms <= np.iinfo(np.uint16).max else np.int32
        self._block = (
            bow.indptr.astype(np.int64),
            bow.indices.astype(np.int32, copy=False),
            bow.data,
            theta.indptr.astype(np.int64),
            theta.indices.astype(narrow),
            theta.data,
        )
        per_count = 2 * theta.nnz / max(theta.shape[0], 1)
        self._ranges = balanced_ranges(np.diff(bow.indptr) * per_count + 2.0 * n_atoms)
        self._word_mass = np.zeros(n_words, np.float32)

    def step(self) -> float:
        """Do one pass; return the objective per weighted token at the parameters it started from."""
        masses = np.zeros((len(self._ranges), len(self.scale)))

        def task(i: int, first: int, last: int) -> tuple[float, float]:
            return kernels.em_words(
                first,
                last,
                *self._block,
                self.word_atoms,
                self.scale,
                self.background,
                self.pi,
                self.mean,
                self.prior,
                self._word_mass,
                masses[i],
            )

        parts = np.array(map_ranges(task, self._ranges)).sum(axis=0)
        self.atom_mass = masses.sum(axis=0)
        live = self.atom_mass > 0
        self.scale = np.divide(1.0, self.atom_mass, where=live, out=np.zeros(len(live))).astype(
            np.float32
        )
        background_mass = self._word_mass.sum(dtype=np.float64)
        if background_mass > 0:
            self.background = (self._word_mass / background_mass).astype(np.float32)
        return float((parts[0] + float(self.prior) * parts[1]) / self.total)

    def atom_words(self) -> np.ndarray:
        """Return B, (K, V) float32; rows sum to 1, or to 0 for an atom that nothing was seen of."""
        n_words, n_atoms = self.word_atoms.shape
        result = np.empty((n_atoms, n_words), np.float32)
        map_ranges(
            lambda _, first, last: kernels.transpose_scaled(
                first, last, self.word_atoms, self.scale, result
            ),
            balanced_ranges(np.ones(n_atoms)),
        )
        return result
