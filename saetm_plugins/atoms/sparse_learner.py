"""Stage 1, training on CPU for "topk" and "batch_topk": dense encoder product, sparse all else."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from saetm_plugins.atoms import training_kernels as kernels
from saetm_plugins.atoms.config import TrainingConfig

_BETA1, _BETA2 = np.float32(0.9), np.float32(0.999)


class StepReport(NamedTuple):
    """What one training step did.

    Attributes
    ----------
    squared_error : float
        Summed over the batch, in normalised space.
    n_active : int
        Activations in the batch.
    errors : ndarray of shape (n,), float32
        Squared error of every document of the batch.
    """

    squared_error: float
    n_active: int
    errors: np.ndarray


class SparseLearner:
    """Holds the weights and takes Adam steps on them with hand-written gradients.

    Parameters
    ----------
    weights : dict of str to ndarray
        ``encoder``, ``encoder_bias``, ``decoder``, ``decoder_bias``; changed in place.
    config : TrainingConfig
        Resolved.
    """

    def __init__(self, weights: dict[str, np.ndarray], config: TrainingConfig) -> None:
        self.weights = weights
        self.config = config
        self.moments = {
            f"{name}.{moment}": np.zeros_like(array)
            for name, array in weights.items()
            for moment in ("first", "second")
        }
        self.gradients = {name: np.zeros_like(array) for name, array in weights.items()}
        self.silent = np.zeros(len(weights["decoder"]), dtype=np.int64)
        self._level_ends = np.array([len(weights["decoder"])], dtype=np.int64)
        self._level_weights = np.ones(1, dtype=np.float32)
        self._dtype = torch.bfloat16

    def step(self, batch: np.ndarray, rate: float, step: int) -> StepReport:
        """Take one step on a (n, d) float32 batch of normalised embeddings."""
        weights, gradients = self.weights, self.gradients
        indptr, indices = self._select(batch)
        values = kernels.activate(
            batch, weights["encoder"], weights["encoder_bias"], indptr, indices
        )
        errors, value_gradients, squared_errors = kernels.backpropagate_codes(
            batch,
            weights["decoder"],
            weights["decoder_bias"],
            indptr,
            indices,
            values,
            self._level_ends,
            self._level_weights,
        )
        grouped = kernels.group_by_atom(indptr, indices, len(self.silent))
        kernels.accumulate_gradients(
            batch,
            errors,
            values,
            value_gradients,
            grouped,
            self._level_ends,
            np.float32(1 / len(batch)),
            gradients["encoder"],
            gradients["decoder"],
            gradients["encoder_bias"],
        )
        gradients["decoder_bias"][:] = errors[:, 0].mean(axis=0)
        self._descend(np.float32(rate), step + 1)
        self.silent += len(batch)
        self.silent[np.diff(grouped[0]) > 0] = 0
        return StepReport(float(squared_errors.sum()), len(indices), squared_errors)

    def revive(self, atoms: np.ndarray, directions: np.ndarray) -> None:
        """Start `atoms` again from unit `directions` (n, d), with no memory of their gradients."""
        self.weights["decoder"][atoms] = directions
        self.weights["encoder"][atoms] = directions
        self.weights["encoder_bias"][atoms] = 0
        for name in ("encoder", "encoder_bias", "decoder"):
            for moment in ("first", "second"):
                self.moments[f"{name}.{moment}"][atoms] = 0
        self.silent[atoms] = 0

    def _select(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        scores = torch.addmm(
            torch.from_numpy(self.weights["encoder_bias"]).to(self._dtype),
            torch.from_numpy(batch).to(self._dtype),
            torch.from_numpy(self.weights["encoder"]).to(self._dtype).T,
        )
        ordered = scores.to(torch.bfloat16).view(torch.int16).numpy()
        k = self.config.k
        assert k is not None
        if self.config.activation == "topk":
            return kernels.select_topk(ordered, min(k, ordered.shape[1]))
        return kernels.select_above(ordered, kernels.batch_cut(ordered, k * len(batch)))

    def _descend(self, rate: np.float32, step: int) -> None:
        for name, array in self.weights.items():
            rows = (array, self.gradients[name])
            moments = (self.moments[f"{name}.first"], self.moments[f"{name}.second"])
            shaped = [a.reshape(-1, array.shape[-1]) for a in rows + moments]
            kernels.adam_rows(*shaped, rate, _BETA1, _BETA2, step, name == "decoder")
