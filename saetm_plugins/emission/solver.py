"""Stage 2: the words of each atom, by EM or by the paper's gradient descent (paper, sec. 4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
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
from saetm_plugins.emission.passes import Engine, choose_passes, run_passes
from saetm_plugins.validation import (
    check_choice,
    check_count,
    check_fraction,
    check_not_negative,
    check_random,
    resolve_device,
)

Pair = tuple[Any, Any]
Checked = tuple[sp.csr_matrix, sp.csr_matrix]
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

    Raises
    ------
    ValueError
        When counts or mixtures are negative, not finite, of different lengths or without any
        word, or an option is out of range.
    """
    check_choice(solver, "solver", ("em", "adam"))
    _check_options(background_weight, n_iter, tol)
    check_random(random_state)
    counts = check_counts(bow)
    theta = check_mixtures(doc_atoms, n_docs=counts.shape[0])
    if solver == "adam":
        from saetm_plugins.emission.adam import fit_adam

        return fit_adam(
            theta,
            counts,
            n_iter=50 if n_iter is None else n_iter,
            background_weight=background_weight,
            word_weights=weigh_words(word_weights, Totals.of(theta, counts)),
            device=device,
            random_state=random_state,
            verbose=verbose,
        )
    make_engine = _choose_engine(backend, device)
    problem = Problem.of([(theta, counts)], word_weights, prior, background_weight)
    corpus = lay_out(theta, counts, problem.word_weights)
    if n_iter is None:
        n_iter = choose_passes(partial(problem.start, make_engine), corpus, tol, random_state)
    engine = problem.start(make_engine)
    one_pass = partial(engine.sweep, engine.load(corpus))
    return problem.read(engine, run_passes(one_pass, n_iter, tol, verbose))


def fit_emissions_blocks(
    blocks: Callable[[], Iterable[Pair]] | Iterable[Pair],
    n_iter: int | None = None,
    background_weight: float = 0.3,
    word_weights: Any = "idf",
    prior: float | str = "auto",
    tol: float = 2e-3,
    device: str | torch.device = "auto",
    backend: str = "auto",
    verbose: bool = False,
) -> Emissions:
    """Estimate P(word | atom) of a corpus that does not fit in memory, reading it once per pass.

    Parameters
    ----------
    blocks : callable or iterable
        A :class:`~saetm_plugins.emission.BlockFolder`, another iterable that can be read
        repeatedly, or a function that returns a fresh iterator; yields pairs (doc_atoms, bow) as
        :func:`fit_emissions` takes them. One block and two matrices (V, K), one of them float64,
        are in memory at a time.
    n_iter : int, optional
        Passes. None: until a pass gains less than `tol`.
    background_weight, word_weights, prior, tol, device, backend, verbose
        As in :func:`fit_emissions`.

    Returns
    -------
    Emissions
    """
    _check_options(background_weight, n_iter, tol)
    make_engine = _choose_engine(backend, device)
    read = blocks if callable(blocks) else partial(_iterate_again, blocks)
    problem = Problem.of(_check_blocks(read()), word_weights, prior, background_weight)
    engine = problem.start(make_engine)

    def one_pass() -> float:
        laid_out = (lay_out(*block, problem.word_weights) for block in _check_blocks(read()))
        return engine.update(sum(engine.accumulate(engine.load(corpus)) for corpus in laid_out))

    return problem.read(engine, run_passes(one_pass, n_iter, tol, verbose))


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
        cls,
        blocks: Iterable[Checked],
        word_weights: Any,
        prior: float | str,
        background_weight: float,
    ) -> Problem:
        """Sum up all blocks."""
        if not isinstance(prior, str) or prior != "auto":
            check_not_negative(prior, "prior", most=LARGEST)
        totals: Totals | None = None
        for theta, counts in blocks:
            block = Totals.of(theta, counts)
            totals = block if totals is None else totals.add(block)
        if totals is None:
            raise ValueError("blocks is empty: no documents to learn from")
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

    def read(self, engine: Engine, history: list[float]) -> Emissions:
        """Return the result of the passes."""
        return Emissions.of_engine(engine, log_likelihood_=history, **self._asdict())


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


def _check_options(background_weight: Any, n_iter: int | None, tol: float) -> None:
    check_fraction(background_weight, "background_weight")
    if 0 < background_weight < _LEAST_BACKGROUND:
        raise ValueError(
            f"background_weight must be 0 or at least {_LEAST_BACKGROUND:g}; "
            f"found {background_weight!r}"
        )
    if n_iter is not None:
        check_count(n_iter, "n_iter")
    check_not_negative(tol, "tol")


def _check_blocks(pairs: Iterable[Pair]) -> Iterable[Checked]:
    n_words = n_atoms = None
    for pair in pairs:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise TypeError(f"blocks must yield pairs (doc_atoms, bow); found {pair!r:.80}")
        doc_atoms, bow = pair
        counts = check_counts(bow, n_words=n_words)
        theta = check_mixtures(doc_atoms, n_docs=counts.shape[0], n_atoms=n_atoms)
        n_words, n_atoms = counts.shape[1], theta.shape[1]
        yield theta, counts


def _iterate_again(blocks: Any) -> Iterable[Pair]:
    if not isinstance(blocks, Iterable):
        raise TypeError(f"blocks must be pairs (doc_atoms, bow); found {blocks!r:.80}")
    iterator = iter(blocks)
    if iterator is blocks:
        raise TypeError(
            "blocks can be read only once, and is needed once per pass; pass a list, a BlockFolder "
            f"or a function that returns a fresh iterator; found {type(blocks).__name__}"
        )
    return iterator
