"""Stage 1: atoms that no document uses any more start again where reconstruction is worst."""

from __future__ import annotations

import numpy as np
import torch

from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.atoms.training.distributed import gather_rows
from saetm_plugins.atoms.training.learner import Learner, StepReport
from saetm_plugins.numerics.arrays import unit_rows

_EVERY = 10  # steps


def revive_dead(
    learner: Learner,
    batch: torch.Tensor,
    report: StepReport,
    config: TrainingConfig,
    step: int,
    seed: int,
) -> None:
    """Make documents of dead atoms, drawn by what is not explained of them (Bricken et al. 2023).

    Parameters
    ----------
    learner : Learner
    batch : Tensor of shape (n, d), float32
        What the last step was taken on.
    report : StepReport
        Of that step.
    config : TrainingConfig
        Resolved.
    step : int
    seed : int
        Of the whole training.
    """
    assert config.n_steps is not None
    assert config.n_atoms is not None
    assert config.k is not None
    assert config.batch_size is not None
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
