"""Stage 1: atoms that no document uses any more start again where reconstruction is worst."""

from __future__ import annotations

import numpy as np
import torch

from saetm_plugins.atoms.config import TrainingConfig
from saetm_plugins.atoms.distributed import gather_rows
from saetm_plugins.atoms.initialization import unit_rows
from saetm_plugins.atoms.learner import Learner, StepReport

_EVERY = 10  # steps


def revive_dead(
    learner: Learner,
    report: StepReport,
    config: TrainingConfig,
    step: int,
    rng: np.random.Generator,
) -> None:
    """Point dead atoms at residuals, drawn by their squared norm (Bricken et al. 2023).

    Parameters
    ----------
    learner : Learner
    report : StepReport
        Of the step just taken.
    config : TrainingConfig
        Resolved.
    step : int
    rng : numpy.random.Generator
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
    residuals = gather_rows(torch.as_tensor(report.residuals).float()).cpu().numpy()
    errors = np.einsum("nd,nd->n", residuals, residuals).astype(np.float64)
    if errors.sum() <= 0:
        return
    chosen = rng.choice(len(residuals), size=len(dead), p=errors / errors.sum())
    learner.revive(dead, unit_rows(residuals[chosen]))
