"""Stage 2: the words of each atom, by EM or by the paper's gradient descent (paper, sec. 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from saetm_plugins.emission.backends import choose_engine
from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.emission.inputs import (
    Totals,
    check_counts,
    check_fraction,
    check_mixtures,
    check_not_negative,
    lay_out,
    weigh_words,
)
from saetm_plugins.emission.passes import Engine, choose_passes, pass_over, run_passes
from saetm_plugins.validation import check_choice, check_count

Pair = tuple[Any, Any]


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
    process_group: Any = None,
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
        Counts, or weights of any kind: real, not negative. A word that never occurs gets
        probability 0.
    solver : {"em", "adam"}, default="em"
        Closed-form EM, or the paper's Adam on softmax logits (no prior) as the reference.
    n_iter : int, optional
        Passes. None: as many as predict held-out words best (EM over shards: until a pass gains
        less than `tol`; Adam: 50 epochs).
    background_weight : float, default=0.3
        π, in [0, 1).
    word_weights : "idf", None or array-like of shape (V,), default="idf"
        Factor of each word's counts; ``"idf"`` is log(N / df) scaled to a maximum of 1.
    prior : float or "auto", default="auto"
        η: weighted tokens of the corpus' unigram that each atom is given beforehand. ``"auto"``
        is the square root of the mean weighted tokens of an atom; 0 is maximum likelihood.
    tol : float, default=2e-3
        Gain per weighted token too small for another pass, when `n_iter` is None.
    device : str or torch.device, default="auto"
        CUDA where there is one, else the CPU.
    backend : {"auto", "numba", "torch"}, default="auto"
        Who runs EM: numba on the CPU and torch elsewhere.
    process_group : torch.distributed.ProcessGroup, optional
        Sum the statistics over its processes, each of which passes its own documents.
    random_state : int, default=0
        Seeds the held-out words, and Adam's batches.
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
    check_choice(solver, "solver", ("em", "adam"))
    check_fraction(background_weight, "background_weight")
    counts = check_counts(bow)
    theta = check_mixtures(doc_atoms, n_docs=counts.shape[0])
    if solver == "adam":
        from saetm_plugins.emission.adam import fit_adam

        return fit_adam(
            theta,
            counts,
            n_iter=50 if n_iter is None else check_count(n_iter, "n_iter"),
            background_weight=background_weight,
            word_weights=weigh_words(word_weights, Totals.of(theta, counts)),
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
    return _fit_em(
        lambda: [(theta, counts)],
        n_iter=n_iter,
        background_weight=background_weight,
        word_weights=word_weights,
        prior=prior,
        tol=tol,
        make_engine=choose_engine(backend, device),
        process_group=process_group,
        hold_out_seed=random_state if process_group is None else None,
        verbose=verbose,
    )


def fit_emissions_blocks(
    blocks: Callable[[], Iterable[Pair]] | Iterable[Pair],
    n_iter: int | None = None,
    background_weight: float = 0.3,
    word_weights: Any = "idf",
    prior: float | str = "auto",
    tol: float = 2e-3,
    device: str | torch.device = "auto",
    backend: str = "auto",
    process_group: Any = None,
    verbose: bool = False,
) -> Emissions:
    """Estimate P(word | atom) of a corpus that does not fit in memory, reading it once per pass.

    Parameters
    ----------
    blocks : callable or iterable
        Something to iterate over again and again, such as a
        :class:`~saetm_plugins.emission.BlockFolder`, or a function that returns a fresh iterator;
        yields pairs (doc_atoms, bow) as :func:`fit_emissions` takes them. One block and two
        matrices (V, K) are in memory at a time.
    n_iter : int, optional
        Passes. None: until a pass gains less than `tol`.
    background_weight, word_weights, prior, tol, device, backend, process_group, verbose
        As in :func:`fit_emissions`.

    Returns
    -------
    Emissions

    Raises
    ------
    TypeError
        When `blocks` can be read only once.
    ValueError
        When there are no blocks, they disagree in atoms or words, or one of them or an option is
        not as :func:`fit_emissions` takes it.
    """
    check_fraction(background_weight, "background_weight")
    read = blocks if callable(blocks) else partial(_iterate_again, blocks)
    return _fit_em(
        lambda: _check_blocks(read()),
        n_iter=n_iter,
        background_weight=background_weight,
        word_weights=word_weights,
        prior=prior,
        tol=tol,
        make_engine=choose_engine(backend, device),
        process_group=process_group,
        hold_out_seed=None,
        verbose=verbose,
    )


def _fit_em(
    read: Callable[[], Iterable[tuple[sp.csr_matrix, sp.csr_matrix]]],
    *,
    n_iter: int | None,
    background_weight: float,
    word_weights: Any,
    prior: float | str,
    tol: float,
    make_engine: Callable[..., Engine],
    process_group: Any,
    hold_out_seed: int | None,
    verbose: bool,
) -> Emissions:
    """Fit checked blocks; a corpus of one block is laid out once and its passes are fused."""
    if n_iter is not None:
        check_count(n_iter, "n_iter")
    if prior != "auto":
        check_not_negative(prior, "prior")
    check_not_negative(tol, "tol")
    reduce = None
    if process_group is not None:
        from saetm_plugins.emission.distributed import sum_over_group

        reduce = partial(sum_over_group, process_group)
    totals = _measure(read(), reduce)
    weights = weigh_words(word_weights, totals)
    word_totals = totals.counts * weights
    live = totals.atom_docs > 0
    per_atom = word_totals.sum() / max(live.sum(), 1)
    eta = float(np.sqrt(per_atom) if prior == "auto" else prior)
    start = partial(make_engine, n_atoms=len(live), background_weight=background_weight)
    engine = start(word_totals, prior=eta)
    in_memory = read()
    if isinstance(in_memory, list) and reduce is None:
        theta, counts = in_memory[0]
        corpus = lay_out(theta, counts, weights)
        if n_iter is None and hold_out_seed is not None:
            n_iter = choose_passes(start, corpus, eta, tol, hold_out_seed)
        history = run_passes(partial(engine.sweep, engine.load(corpus)), n_iter, tol, verbose)
    else:
        history = run_passes(
            lambda: pass_over(engine, (lay_out(t, n, weights) for t, n in read()), reduce),
            n_iter,
            tol,
            verbose,
        )
    return Emissions.of_engine(
        engine,
        live=live,
        word_totals=word_totals,
        background_weight=float(background_weight),
        word_weights=weights,
        prior=eta,
        log_likelihood_=history,
    )


def _measure(
    pairs: Iterable[tuple[sp.csr_matrix, sp.csr_matrix]], reduce: Callable[..., float] | None
) -> Totals:
    """Sum up all blocks, of all processes."""
    totals: Totals | None = None
    for theta, counts in pairs:
        block = Totals.of(theta, counts)
        totals = block if totals is None else totals.add(block)
    if totals is None:
        raise ValueError("blocks is empty: no documents to learn from")
    if reduce is not None:
        reduce(0.0, *totals)
    return totals


def _check_blocks(pairs: Iterable[Pair]) -> Iterable[tuple[sp.csr_matrix, sp.csr_matrix]]:
    n_words = n_atoms = None
    for doc_atoms, bow in pairs:
        counts = check_counts(bow, n_words=n_words)
        theta = check_mixtures(doc_atoms, n_docs=counts.shape[0], n_atoms=n_atoms)
        n_words, n_atoms = counts.shape[1], theta.shape[1]
        yield theta, counts


def _iterate_again(blocks: Any) -> Iterable[Pair]:
    iterator = iter(blocks)
    if iterator is blocks:
        raise TypeError(
            "blocks can be read only once, and is needed once per pass; pass a list, a BlockFolder "
            f"or a function that returns a fresh iterator; found {type(blocks).__name__}"
        )
    return iterator
