"""The paper's solver: Adam on the softmax logits of B and P0 (sec. 4), the reference for EM."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch

from saetm_plugins.emission.emissions import Emissions
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import resolve_device

BATCH_SIZE = 1024
LEARNING_RATE = 0.01


def fit_adam(
    theta: sp.csr_matrix,
    counts: sp.csr_matrix,
    *,
    n_iter: int,
    background_weight: float,
    word_weights: np.ndarray,
    device: str | torch.device,
    random_state: int,
    verbose: bool,
) -> Emissions:
    """Maximise the weighted log-likelihood by `n_iter` epochs of Adam, from the corpus' unigram.

    Takes arguments of :func:`~saetm_plugins.emission.fit_emissions`, checked.
    """
    where = torch.device(resolve_device(device))
    weighted = counts.copy()
    weighted.data = weighted.data * word_weights[weighted.indices]
    if background_weight == 0:  # a document without atoms has probability 0 and is left out
        has_atoms = np.diff(theta.indptr) > 0
        weighted = sp.csr_matrix(sp.diags(has_atoms.astype(np.float32)) @ weighted)
    weighted.eliminate_zeros()  # words of no weight too
    word_totals = np.bincount(
        counts.indices, counts.data * word_weights[counts.indices], minlength=counts.shape[1]
    )
    unigram = torch.from_numpy(word_totals / word_totals.sum()).float().to(where)
    # A word that never occurs starts at a probability of almost 0, and its gradient keeps it there.
    start = unigram.clamp(min=torch.finfo(torch.float32).tiny).log()
    background = start.clone().requires_grad_()
    atoms = start.repeat(theta.shape[1], 1).requires_grad_()
    optimizer = torch.optim.Adam([atoms, background], lr=LEARNING_RATE)
    rng = np.random.default_rng(random_state)
    history = []
    for _ in progress_bar(range(n_iter), desc="emission", unit="epoch", disable=not verbose):
        log_likelihood = 0.0
        order = rng.permutation(theta.shape[0])
        for first in range(0, len(order), BATCH_SIZE):
            rows = order[first : first + BATCH_SIZE]
            batch = _batch_log_likelihood(
                theta[rows], weighted[rows], atoms, background, background_weight
            )
            optimizer.zero_grad(set_to_none=True)
            (-batch / max(float(weighted[rows].sum()), 1e-12)).backward()
            optimizer.step()
            log_likelihood += float(batch.detach())
        history.append(log_likelihood / float(word_totals.sum()))
    atom_words = torch.softmax(atoms.detach(), dim=1).cpu().numpy()
    background_words = torch.softmax(background.detach(), dim=0).cpu().numpy()
    live = np.bincount(theta.indices, minlength=theta.shape[1]) > 0
    atom_words[~live] = background_words
    tokens = np.asarray(weighted.sum(axis=1), dtype=np.float64).ravel()
    mass = (1 - background_weight) * np.asarray(theta.T @ tokens)
    return Emissions(
        atom_words=atom_words,
        background=background_words,
        background_weight=float(background_weight),
        word_weights=word_weights,
        prior=0.0,
        word_totals=word_totals,
        atom_mass=mass,
        background_mass=max(float(word_totals.sum() - mass.sum()), 0.0),
        log_likelihood_=history,
        n_iter_=n_iter,
    )


def _batch_log_likelihood(
    theta: sp.csr_matrix,
    counts: sp.csr_matrix,
    atoms: torch.Tensor,
    background: torch.Tensor,
    background_weight: float,
) -> torch.Tensor:
    """Return Σ n log q of a batch, mixing all words of the vocabulary as the paper does."""
    device = atoms.device
    mixtures = torch.from_numpy(theta.toarray()).to(device)
    mixed = mixtures @ torch.softmax(atoms, dim=1)
    documents, words = (torch.from_numpy(part).long().to(device) for part in counts.nonzero())
    q = background_weight * torch.softmax(background, dim=0)[words]
    q = q + (1 - background_weight) * mixed[documents, words]
    return torch.from_numpy(counts.data).to(device) @ q.log()
