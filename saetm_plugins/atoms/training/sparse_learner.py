"""Stage 1, training on CPU for "topk" and "batch_topk": dense encoder product, sparse all else."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from saetm_plugins.atoms.training import kernels
from saetm_plugins.atoms.training.config import TrainingConfig
from saetm_plugins.atoms.training.distributed import average_, sum_, world
from saetm_plugins.atoms.training.learner import StepReport, half_products

_TRAINED = ("encoder", "encoder_bias", "decoder", "decoder_bias")
_LOWEST = np.int16(-(2**15))  # below all scores, also those that rounding made negative
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
        half = config.precision == "bf16" or half_products("cpu")  # only proposes: "fp32" as well
        self._dtype = torch.bfloat16 if half else torch.float32

    def step(self, batch: torch.Tensor, rate: float, step: int) -> StepReport:
        """Take one step; see :class:`Learner`."""
        weights, gradients = self.weights, self.gradients
        documents = batch.numpy()
        indptr, indices, values = self._activate(batch, self.config.k_at(step))
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

    def _activate(self, batch: torch.Tensor, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the activations of a batch as CSR: bfloat16 proposes atoms, float32 decides."""
        encoder, bias = self.weights["encoder"], self.weights["encoder_bias"]
        products = torch.addmm(
            torch.from_numpy(bias).to(self._dtype),
            batch.to(self._dtype),
            torch.from_numpy(encoder).to(self._dtype).T,
        )
        scores = products.to(torch.bfloat16).view(torch.int16).numpy()
        n, n_atoms = scores.shape
        if self.config.activation == "topk":
            k = min(k, n_atoms)
            floors = self._row_floors(batch, scores, k)
            cut = np.float32(0)
            proposed = kernels.activate_above(batch.numpy(), encoder, bias, scores, floors)
        else:
            cut, proposed = self._cut_batch(batch.numpy(), scores, k * n * world()[1])
            k = n_atoms
        indptr, indices, values = proposed
        return kernels.keep_largest(indptr, indices, values, cut, k)

    def _row_floors(self, batch: torch.Tensor, scores: np.ndarray, k: int) -> np.ndarray:
        """Return for every row a score that its `k` best atoms reach, and not many more.

        Maxima of groups of atoms stand in for the atoms: there are at least `k` above the k-th of
        them. That is lowered by what rounding to bfloat16 may move two scores apart by: results
        were rounded by up to 2**-8 of themselves, and so were inputs, whose errors nearly cancel in
        a sum of many (2**-9 is over twice the most that was met in a million).
        """
        n_groups = max(64, 4 * k)
        if scores.shape[1] >= 2 * n_groups:
            whole = scores[:, : scores.shape[1] // n_groups * n_groups]
            scores = torch.from_numpy(whole).unflatten(1, (-1, n_groups)).amax(dim=1).numpy()
        cuts = np.partition(scores, -k, axis=1)[:, -k]
        encoder = torch.from_numpy(self.weights["encoder"])
        longest = torch.linalg.vector_norm(encoder, dim=1).max()
        margins = 2**-9 * longest * torch.linalg.vector_norm(batch, dim=1)
        floors = _as_scores(np.maximum((1 - 2**-7) * _as_values(cuts) - margins.numpy(), 0))
        return np.where(floors > 0, floors, _LOWEST).astype(np.int16)

    def _cut_batch(self, documents: np.ndarray, scores: np.ndarray, n_kept: int) -> Any:
        """Return the activation that `n_kept` entries of the global batch reach, and proposals."""
        if world()[1] > 1:  # all processes need the same floor
            histogram = sum_(torch.from_numpy(kernels.score_histogram(scores, 1))).numpy()
            floor, _ = kernels.cut_of_histogram(histogram, 1, 3 * n_kept // 2)
        else:
            floor = _sampled_floor(scores, n_kept)
        while True:
            floors = np.full(len(scores), floor if floor > 1 else _LOWEST, dtype=np.int16)
            proposed = kernels.activate_above(
                documents, self.weights["encoder"], self.weights["encoder_bias"], scores, floors
            )
            if floor == 1 or world()[1] > 1 or len(proposed[2]) >= n_kept:
                break
            floor = 1  # the sample misled
        histogram = kernels.score_histogram(_as_scores(proposed[2]), 1)
        cut, _ = kernels.cut_of_histogram(sum_(torch.from_numpy(histogram)).numpy(), 1, n_kept)
        return _as_values(np.array([cut]))[0], proposed

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


def _sampled_floor(scores: np.ndarray, n_kept: int) -> int:
    """Return a score that somewhat more than `n_kept` entries reach, at least 1."""
    sample = scores.ravel()[:: scores.size // 8192 | 1]  # odd: walks over all atoms
    share = 1.5 * n_kept / scores.size + 8 / len(sample)
    place = max(0, int(len(sample) * (1 - share)))
    return max(1, int(np.partition(sample, place)[place]))


def _as_scores(values: np.ndarray) -> np.ndarray:
    """Return the upper halves of float32 values: bfloat16, seen as int16."""
    return (values.astype(np.float32).view(np.int32) >> 16).astype(np.int16)


def _as_values(scores: np.ndarray) -> np.ndarray:
    """Return the float32 values of bfloat16 scores that are seen as int16."""
    return (scores.astype(np.int32) << 16).view(np.float32)
