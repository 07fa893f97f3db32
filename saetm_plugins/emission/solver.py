"""Stage 2: the words of each atom, by EM or by the paper's gradient descent (paper, sec. 4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch

from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.emission.inputs import (
    LARGEST,
    Totals,
    check_counts,
    check_mixtures,
    lay_out,
    weigh_words,
)
from saetm_plugins.emission.passes import Engine, choose_passes
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import (
    check_choice,
    check_count,
    check_fraction,
    check_not_negative,
    resolve_device,
)

_LEAST_BACKGROUND = 1e-6  # counts divided by less could overflow in float32


def fit_emissions(
    doc_atoms: Any,
    bow: Any,
    solver: str = "em",
    n_iter: int | None = None,
    background_weight: float = 0.3,
    word_weights: Any = "idf",
    prior: float | str = "auto",
    tol: float = 2e-3,
    device: str | torch.device = "auto",
    backend: str = "auto",
    random_state: int = 0,
    verbose: bool = False,
) -> Emissions:
    """Estimate P(word | atom) from documents' mixtures and word counts.

    Maximises ``Σ_dw n_dw log(π P0_w + (1 − π) Σ_k θ_dk B_kw)`` (paper, sec. 4) over B and P0, with
    a Dirichlet prior on B toward the corpus' unigram m: ``− η Σ_k KL(m ‖ B_k)``.

    Parameters
    ----------
    doc_atoms : sparse or dense matrix of shape (N, K)
        θ, not negative; rows are normalised to sum to 1. An empty row is all background.
    bow : sparse or dense matrix of shape (N, V)
        Counts or other weights, not negative. A word that never occurs gets probability 0.
    solver : {"em", "adam"}, default="em"
        Closed-form EM, or the paper's Adam on softmax logits (no prior) as the reference.
    n_iter : int, optional
        Passes. None: as many as predict held-out words best (Adam: 50 epochs).
    background_weight : float, default=0.3
        π: 0, or from 1e-6 to less than 1.
    word_weights : "idf", None or array-like of shape (V,), default="idf"
        Factor of each word's counts; ``"idf"`` is log(N / df) scaled to a maximum of 1.
    prior : float or "auto", default="auto"
        η: weighted tokens of the corpus' unigram that are added to each atom. ``"auto"`` is the
        square root of the mean weighted tokens of an atom; 0 is maximum likelihood.
    tol : float, default=2e-3
        With `n_iter` of None, passes end where one gains less than this per weighted token.
    device : str or torch.device, default="auto"
        CUDA where there is one, else the CPU.
    backend : {"auto", "numba", "torch"}, default="auto"
        What runs EM; "auto": numba on the CPU and torch elsewhere.
    random_state : int, default=0
        Seeds the held-out words, and Adam's batches.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    Emissions
    """
    check_choice(solver, "solver", ("em", "adam"))
    check_fraction(background_weight, "background_weight")
    if 0 < background_weight < _LEAST_BACKGROUND:
        raise ValueError(
            f"background_weight must be 0 or at least {_LEAST_BACKGROUND:g}; "
            f"found {background_weight!r}"
        )
    if n_iter is not None:
        n_iter = check_count(n_iter, "n_iter")
    check_not_negative(tol, "tol")
    counts = check_counts(bow)
    theta = check_mixtures(doc_atoms, n_docs=counts.shape[0])
    totals = Totals.of(theta, counts)
    if solver == "adam":
        from saetm_plugins.emission.adam import fit_adam

        return fit_adam(
            theta,
            counts,
            n_iter=50 if n_iter is None else n_iter,
            background_weight=background_weight,
            word_weights=weigh_words(word_weights, totals),
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
    make_engine = _choose_engine(backend, device)
    problem = Problem.of(totals, word_weights, prior, background_weight)
    corpus = lay_out(theta, counts, problem.word_weights)
    if n_iter is None:
        n_iter = choose_passes(partial(problem.start, make_engine), corpus, tol, random_state)
    engine = problem.start(make_engine)
    one_pass = partial(engine.sweep, engine.load(corpus))
    history = [
        one_pass()
        for _ in progress_bar(range(n_iter), desc="emission", unit="pass", disable=not verbose)
    ]
    return Emissions.of_engine(engine, log_likelihood_=history, **problem._asdict())


class Problem(NamedTuple):
    """The objective of EM, but for the documents themselves."""

    word_weights: np.ndarray
    word_totals: np.ndarray
    """Weighted counts, (V,), float64."""
    live: np.ndarray
    """Which atoms have documents, (K,), bool."""
    prior: float
    background_weight: float

    @classmethod
    def of(
        cls, totals: Totals, word_weights: Any, prior: float | str, background_weight: float
    ) -> Problem:
        """Weigh the words, and choose the prior where it is "auto"."""
        if not isinstance(prior, str) or prior != "auto":
            check_not_negative(prior, "prior", most=LARGEST)
        weights = weigh_words(word_weights, totals)
        word_totals = totals.counts * weights
        live = totals.atom_docs > 0
        per_atom = word_totals.sum() / max(live.sum(), 1)
        eta = np.sqrt(per_atom) if prior == "auto" else prior
        return cls(weights, word_totals, live, float(eta), float(background_weight))

    def start(
        self, make_engine: Callable[..., Engine], word_totals: np.ndarray | None = None
    ) -> Engine:
        """Start EM at the unigram of `word_totals`, by default those of the corpus."""
        totals = self.word_totals if word_totals is None else word_totals
        prior = self.prior * totals.sum() / self.word_totals.sum()
        return make_engine(totals, len(self.live), self.background_weight, prior)


def _choose_engine(backend: str, device: str | torch.device) -> Callable[..., Engine]:
    """Return the class that runs EM, bound to its device; imported only when used."""
    check_choice(backend, "backend", ("auto", "numba", "torch"))
    name = resolve_device(device)
    if backend == "numba" and name != "cpu":
        raise ValueError(f"backend 'numba' runs on the CPU only; found device {device!r}")
    if backend == "torch" or name != "cpu":
        from saetm_plugins.emission.torch_em import TorchEM

        return partial(TorchEM, device=torch.device(name))
    from saetm_plugins.emission.em import NumbaEM

    return NumbaEM
