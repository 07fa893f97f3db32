"""Stage 1, training on CPU for "topk" and "batch_topk": dense encoder product, sparse all else."""

from __future__ import annotations

import numpy as np
import torch

from saetm_plugins.atoms import training_kernels as kernels
from saetm_plugins.atoms.config import TrainingConfig
from saetm_plugins.atoms.distributed import average_, sum_, world
from saetm_plugins.atoms.learner import StepReport, half_products

_TRAINED = ("encoder", "encoder_bias", "decoder", "decoder_bias")
_BETA1, _BETA2 = np.float32(0.9), np.float32(0.999)


class SparseLearner:
    """Holds the weights and takes Adam steps on them with hand-written gradients.

    Parameters
    ----------
    weights : dict of str to ndarray
        ``encoder``, ``encoder_bias``, ``decoder``, ``decoder_bias``; copied.
    config : TrainingConfig
        Resolved.
    """

    def __init__(self, weights: dict[str, np.ndarray], config: TrainingConfig) -> None:
        self.weights = {name: weights[name].copy() for name in _TRAINED}
        self.config = config
        self.moments = {
            f"{name}.{moment}": np.zeros_like(array)
            for name, array in self.weights.items()
            for moment in ("first", "second")
        }
        self.gradients = {name: np.zeros_like(array) for name, array in self.weights.items()}
        self._silent = np.zeros(len(weights["decoder"]), dtype=np.int64)
        self._level_ends = np.array(config.level_ends(), dtype=np.int64)
        half = config.precision == "bf16" or (config.precision == "auto" and half_products("cpu"))
        self._dtype = torch.bfloat16 if half else torch.float32

    def step(self, batch: torch.Tensor, rate: float, step: int) -> StepReport:
        """Take one step; see :class:`Learner`."""
        weights, gradients = self.weights, self.gradients
        indptr, indices = self._select(batch, self.config.k_at(step))
        documents = batch.numpy()
        values = kernels.activate(
            documents, weights["encoder"], weights["encoder_bias"], indptr, indices
        )
        errors, value_gradients, squared_errors = kernels.backpropagate_codes(
            documents,
            weights["decoder"],
            weights["decoder_bias"],
            indptr,
            indices,
            values,
            self._level_ends,
        )
        grouped = kernels.group_by_atom(indptr, indices, len(self._silent))
        kernels.accumulate_gradients(
            documents,
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
        average_([torch.from_numpy(gradient) for gradient in gradients.values()])
        self._descend(np.float32(rate), step + 1)
        uses = sum_(torch.from_numpy(np.diff(grouped[0]))).numpy()
        self._silent += len(batch) * world()[1]
        self._silent[uses > 0] = 0
        return StepReport(squared_errors, len(indices))

    def silence(self) -> np.ndarray:
        """See :class:`Learner`."""
        return self._silent

    def revive(self, atoms: np.ndarray, directions: np.ndarray) -> None:
        """See :class:`Learner`."""
        self.weights["decoder"][atoms] = directions
        self.weights["encoder"][atoms] = directions
        self.weights["encoder_bias"][atoms] = 0
        for name in ("encoder", "encoder_bias", "decoder"):
            self.moments[f"{name}.first"][atoms] = 0
            second = self.moments[f"{name}.second"]  # zero would make the next steps huge
            second[atoms] = second.mean(axis=0)
        self._silent[atoms] = 0

    def state(self) -> dict[str, np.ndarray]:
        """See :class:`Learner`."""
        state = {**self.weights, **self.moments, "silent": self._silent}
        return {name: array.copy() for name, array in state.items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """See :class:`Learner`."""
        for name, array in {**self.weights, **self.moments, "silent": self._silent}.items():
            array[...] = state[name]

    def _select(self, batch: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray]:
        scores = torch.addmm(
            torch.from_numpy(self.weights["encoder_bias"]).to(self._dtype),
            batch.to(self._dtype),
            torch.from_numpy(self.weights["encoder"]).to(self._dtype).T,
        )
        ordered = scores.to(torch.bfloat16).view(torch.int16).numpy()
        if self.config.activation == "topk":
            return kernels.select_topk(ordered, min(k, ordered.shape[1]))
        if world()[1] == 1:
            cut = kernels.batch_cut(ordered, k * len(batch))
        else:
            histogram = sum_(torch.from_numpy(kernels.score_histogram(ordered, 1))).numpy()
            cut, _ = kernels.cut_of_histogram(histogram, 1, k * len(batch) * world()[1])
        return kernels.select_above(ordered, cut)

    def _descend(self, rate: np.float32, step: int) -> None:
        for name, array in self.weights.items():
            first, second = self.moments[f"{name}.first"], self.moments[f"{name}.second"]
            kernels.adam_rows(
                np.atleast_2d(array),
                np.atleast_2d(self.gradients[name]),
                np.atleast_2d(first),
                np.atleast_2d(second),
                rate,
                _BETA1,
                _BETA2,
                step,
                name == "decoder",
            )
