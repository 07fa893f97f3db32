"""Stage 2: the words of each atom, by EM or by the paper's gradient descent (paper, sec. 4)."""

from __future__ import annotations

import numbers
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.emission.inputs import build_corpus, check_counts, check_mixtures, weigh_words
from saetm_plugins.validation import check_choice, check_count

MAX_PASSES = 50


def fit_emissions(
    doc_atoms: Any,
    bow: Any,
    solver: str = "em",
    n_iter: int | None = None,
    background_weight: float = 0.3,
    word_weights: Any = "idf",
    prior: float = 30.0,
    tol: float = 5e-3,
    device: str = "auto",
    random_state: int = 0,
    verbose: bool = False,
) -> Emissions:
    """Estimate P(word | atom) from documents' mixtures and word counts.

    Maximises ``Σ_dw n_dw log(π P0_w + (1 − π) Σ_k θ_dk B_kw)`` (paper, sec. 4) over B and P0, with
    a Dirichlet prior on B toward the corpus' unigram.

    Parameters
    ----------
    doc_atoms : sparse or dense matrix of shape (N, K)
        θ, not negative; rows are normalised to sum to 1. An empty row is all background.
    bow : sparse or dense matrix of shape (N, V)
        Counts, or contextual weights: real, not negative.
    solver : {"em"}
        Closed-form EM.
    n_iter : int, optional
        Passes. None: until the objective gains less than `tol` in a pass.
    background_weight : float, default=0.3
        π, in [0, 1).
    word_weights : "idf", None or array-like of shape (V,), default="idf"
        Factor of each word's counts; ``"idf"`` is log(N / df) scaled to a maximum of 1.
    prior : float, default=30
        Weighted tokens of the corpus' unigram each atom is given beforehand; 0 for plain
        maximum likelihood.
    tol : float, default=5e-3
        Gain per weighted token that ends the passes when `n_iter` is None.
    device : str, default="auto"
    random_state : int, default=0
        Unused by EM, which is deterministic.
    verbose : bool, default=False
        Show a progress bar.

    Returns
    -------
    Emissions

    Raises
    ------
    ValueError
        When counts or mixtures are negative, not finite, of different lengths or without any
        word, or an option is out of range.
    """
    check_choice(solver, "solver", ("em",))
    _check_fraction(background_weight)
    if not (isinstance(prior, numbers.Real) and 0 <= prior < np.inf):
        raise ValueError(f"prior must be a finite number of at least 0; found {prior!r}")
    n_passes = MAX_PASSES if n_iter is None else check_count(n_iter, "n_iter")
    counts = check_counts(bow)
    theta = check_mixtures(doc_atoms, n_docs=counts.shape[0])
    weights = weigh_words(word_weights, counts)
    corpus = build_corpus(theta, counts, weights)

    from saetm_plugins.emission.em import NumbaEM

    fit = NumbaEM(corpus, background_weight, prior)
    history: list[float] = []
    for _ in tqdm(range(n_passes), desc="emission", disable=not verbose):
        history.append(fit.step())
        if n_iter is None and len(history) > 1 and history[-1] - history[-2] < tol:
            break
    atom_words = fit.atom_words()
    has_documents = np.bincount(theta.indices, minlength=theta.shape[1]) > 0
    silent = ~has_documents | (fit.atom_mass <= 0)
    atom_words[silent] = fit.background
    return Emissions(
        atom_words=atom_words,
        background=fit.background,
        background_weight=float(background_weight),
        word_weights=weights,
        prior=float(prior),
        atom_mass=fit.atom_mass - float(prior),
        log_likelihood_=history,
        n_iter_=len(history),
    )


def _check_fraction(background_weight: Any) -> None:
    if not (isinstance(background_weight, numbers.Real) and 0 <= background_weight < 1):
        raise ValueError(f"background_weight must lie in [0, 1); found {background_weight!r}")
