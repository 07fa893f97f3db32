"""Stage 1: atoms that no document uses any more start again where the error is largest."""

from __future__ import annotations

import numpy as np
import torch

from saetm_plugins.atoms.training.config import ResolvedConfig
from saetm_plugins.atoms.training.distributed import gather_rows
from saetm_plugins.atoms.training.learner import Learner, StepReport
from saetm_plugins.numerics.arrays import unit_rows

_EVERY = 10  # steps


def revive_dead(
    learner: Learner,
    batch: torch.Tensor,
    report: StepReport,
    config: ResolvedConfig,
    step: int,
    seed: int,
) -> None:
    """Replace dead atoms by documents of the last batch, drawn by their error.

    As Bricken et al. (2023). `report` is that of the batch's step; `seed` that of the training.
    """
    if (step + 1) % _EVERY or step > config.resample * config.n_steps:
        return
    patience = max(10 * config.batch_size, 20 * config.n_atoms // config.k)
    dead = np.flatnonzero(learner.silence() > patience)[: max(1, config.batch_size // 8)]
    if len(dead) == 0:
        return
    errors = gather_rows(torch.as_tensor(report.errors).float()).cpu().numpy().astype(np.float64)
    documents = gather_rows(batch).cpu().numpy()
    if errors.sum() <= 0:
        return
    rng = np.random.default_rng([seed, 3, step])
    chosen = rng.choice(len(documents), size=len(dead), p=errors / errors.sum())
    learner.revive(dead, unit_rows(documents[chosen]))
