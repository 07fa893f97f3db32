"""Stage 1, training on CPU for "topk" and "batch_topk"; only the encoder's product is dense.

Dense scores are bfloat16, seen as int16: positive values of the two sort alike, and integers
compare faster. They only propose atoms; activations in float32 decide.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from saetm_plugins.atoms.encoding import floors_of_largest
from saetm_plugins.atoms.training import kernels
from saetm_plugins.atoms.training.config import ResolvedConfig
from saetm_plugins.atoms.training.distributed import average_, sum_, world
from saetm_plugins.atoms.training.learner import StepReport, half_products
from saetm_plugins.numerics.pairs import (
    entries_of,
    keep_entries,
    largest_entries,
    products_of_pairs,
)
from saetm_plugins.numerics.parallel import balanced_ranges, even_ranges, map_ranges, n_threads

_TRAINED = ("encoder", "encoder_bias", "decoder", "decoder_bias")
_LOWEST = np.int16(-(2**15))  # below all scores, also those that rounding made negative
_BETA1, _BETA2 = np.float32(0.9), np.float32(0.999)


class SparseLearner:
    """A :class:`Learner` with hand-written gradients; starting weights are copied."""

    def __init__(self, weights: dict[str, np.ndarray], config: ResolvedConfig) -> None:
        self.weights = {name: weights[name].copy() for name in _TRAINED}
        self.config = config
        self.moments = {
            f"{name}.{moment}": np.zeros_like(array)
            for name, array in self.weights.items()
            for moment in ("first", "second")
        }
        self.gradients = {name: np.zeros_like(array) for name, array in self.weights.items()}
        self._silent = np.zeros(len(weights["decoder"]), dtype=np.int64)
        self._buffers: dict[str, torch.Tensor] = {}
        self._level_ends = np.array(config.level_ends(), dtype=np.int64)
        half = config.precision == "bf16" or half_products("cpu")  # even for "fp32"
        self._dtype = torch.bfloat16 if half else torch.float32

    def step(self, batch: torch.Tensor, rate: float, step: int) -> StepReport:
        """Take one step; see :class:`Learner`."""
        weights = self.weights
        documents = batch.numpy()
        n_documents, d = documents.shape
        ranges = even_ranges(n_documents, -(-n_documents // n_threads()))
        cut, k, proposed = self._propose(batch, ranges, self.config.k_at(step))
        errors = self._buffer(
            "errors", (n_documents, len(self._level_ends), d), torch.float32
        ).numpy()
        squared_errors = np.empty(n_documents, dtype=np.float32)

        def backpropagate(part: int, first: int, last: int) -> tuple[np.ndarray, ...]:
            indptr, indices, values = proposed[part]
            indptr, indices, values = keep_entries(
                indptr, largest_entries(indptr, values, cut, k), indices, values
            )
            slopes = kernels.backpropagate_codes(
                documents[first:last], weights["decoder"], weights["decoder_bias"], indptr,
                indices, values, self._level_ends, errors[first:last], squared_errors[first:last],
            )  # fmt: skip
            return np.diff(indptr), indices, values, slopes

        parts = zip(*map_ranges(backpropagate, ranges), strict=True)
        lengths, indices, values, slopes = (np.concatenate(part) for part in parts)
        indptr = np.concatenate(([0], np.cumsum(lengths)))
        grouped = kernels.group_by_atom(indptr, indices, len(self._silent))
        self._update((documents, errors, values, slopes, self._level_ends), grouped, rate, step)
        uses = sum_(torch.from_numpy(np.diff(grouped[0]))).numpy()
        self._silent += n_documents * world()[1]
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
            second = self.moments[f"{name}.second"]  # 0 would make the next steps huge
            second[atoms] = second.mean(axis=0)
        self._silent[atoms] = 0

    def state(self) -> dict[str, np.ndarray]:
        """See :class:`Learner`."""
        return {name: array.copy() for name, array in self._state().items()}

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """See :class:`Learner`."""
        for name, array in self._state().items():
            array[...] = state[name]

    def _state(self) -> dict[str, np.ndarray]:
        return {**self.weights, **self.moments, "silent": self._silent}

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
        """Return memory that every step overwrites; new memory would cost time."""
        if name not in self._buffers or self._buffers[name].shape != shape:
            self._buffers[name] = torch.empty(shape, dtype=dtype)
        return self._buffers[name]

    def _propose(
        self, batch: torch.Tensor, ranges: list[tuple[int, int]], k: int
    ) -> tuple[np.float32, int, list[Any]]:
        """Return the cut, the limit for a document, and the CSR of proposed atoms of each range."""
        encoder, bias = self.weights["encoder"], self.weights["encoder_bias"]
        n_documents, n_atoms = len(batch), len(encoder)
        factor = torch.from_numpy(encoder).to(self._dtype).T
        offset, inputs = torch.from_numpy(bias).to(self._dtype), batch.to(self._dtype)
        products = self._buffer("products", (n_documents, n_atoms), self._dtype)

        def multiply(first: int, last: int) -> np.ndarray:
            scores = torch.addmm(offset, inputs[first:last], factor, out=products[first:last])
            return scores.to(torch.bfloat16).view(torch.int16).numpy()

        if self.config.activation == "topk":
            k = min(k, n_atoms)
            longest = float(np.linalg.norm(encoder, axis=1).max())

            def propose(_: int, first: int, last: int) -> Any:
                rows = multiply(first, last)
                floors = _row_floors(batch[first:last], rows, k, longest)
                return self._activate(batch[first:last], rows, floors)

            return np.float32(0), k, map_ranges(propose, ranges)
        cut, proposed = self._cut_batch(batch, multiply, ranges, k)
        return cut, n_atoms, proposed

    def _activate(self, batch: torch.Tensor, scores: np.ndarray, floors: np.ndarray) -> Any:
        """Return, as CSR, the activations of a range whose scores reach their row's floor."""
        encoder, bias = self.weights["encoder"], self.weights["encoder_bias"]
        reached = scores >= floors[:, None]
        indptr, indices = entries_of(reached)
        if (lonely := np.flatnonzero(np.diff(indptr) == 0)).size:  # the best score proposes
            reached[lonely, scores[lonely].argmax(axis=1)] = True
            indptr, indices = entries_of(reached)
        values = products_of_pairs(indptr, indices, batch.numpy(), encoder)
        return indptr, indices, np.maximum(values + bias[indices], 0)

    def _cut_batch(
        self,
        batch: torch.Tensor,
        multiply: Callable[[int, int], np.ndarray],
        ranges: list[tuple[int, int]],
        k: int,
    ) -> tuple[np.float32, list[Any]]:
        """Return the activation that `k` per document of the global batch reach, and proposals.

        Every range proposes atoms above a floor that 1.5 times as many should reach, or all
        positive ones if that floor turns out to be above the cut.
        """
        n_kept = k * len(batch) * world()[1]
        floors = np.ones(len(ranges), dtype=np.int16)
        scores: list[Any] = [None] * len(ranges)

        def propose(part: int, first: int, last: int) -> Any:
            if scores[part] is None:
                scores[part] = multiply(first, last)
                floors[part] = _sampled_floor(scores[part], k * (last - first))
            floor = floors[part] if floors[part] > 1 else _LOWEST
            return self._activate(
                batch[first:last], scores[part], np.full(last - first, floor, dtype=np.int16)
            )

        while True:
            proposed = map_ranges(propose, ranges)
            values = _as_scores(np.concatenate([part[2] for part in proposed]))
            cut = _cut_of_all(values[values > 0], n_kept)
            if not sum_(torch.tensor([int((floors > max(cut, 1)).sum())])).item():
                return np.float32(_as_values(np.array([cut]))[0]), proposed
            floors[:] = 1  # the sample of a range was misleading

    def _update(self, learned: tuple[Any, ...], grouped: Any, rate: float, step: int) -> None:
        """Add up the gradients, average them over processes, take the Adam step."""
        weights, gradients, moments = self.weights, self.gradients, self.moments
        alone = world()[1] == 1
        matrices = ("encoder", "decoder")
        sums = tuple(gradients[name] for name in (*matrices, "encoder_bias"))
        scale = np.float32(1 / len(learned[0]))
        atoms = balanced_ranges(np.diff(grouped[0]) + 8.0, n_threads())

        def descend(_: int, first: int, last: int) -> None:
            for name in matrices:
                kernels.adam_rows(
                    first, last, weights[name], gradients[name], moments[f"{name}.first"],
                    moments[f"{name}.second"], np.float32(rate), _BETA1, _BETA2, step + 1,
                    name == "decoder",
                )  # fmt: skip

        def update(i: int, first: int, last: int) -> None:
            kernels.accumulate_gradients(first, last, *(*learned, grouped, scale, *sums))
            if alone:
                descend(i, first, last)

        map_ranges(update, atoms)
        gradients["decoder_bias"][:] = learned[1][:, 0].mean(axis=0)
        if not alone:
            average_([torch.from_numpy(gradient) for gradient in gradients.values()])
            map_ranges(descend, atoms)
        for name in ("encoder_bias", "decoder_bias"):
            first, second = (moments[f"{name}.{moment}"] for moment in ("first", "second"))
            first += (1 - _BETA1) * (gradients[name] - first)
            second += (1 - _BETA2) * (gradients[name] ** 2 - second)
            unbiased = second / np.float32(1 - np.float64(_BETA2) ** (step + 1))
            step_size = np.float32(rate / (1 - np.float64(_BETA1) ** (step + 1)))
            weights[name] -= step_size * first / (np.sqrt(unbiased) + np.float32(1e-8))


def _cut_of_all(scores: np.ndarray, n_kept: int) -> int:
    """Return the largest score that more than `n_kept` of all processes' reach, at least 1."""
    if world()[1] == 1:
        index = len(scores) - n_kept - 1
        return max(1, int(np.partition(scores, index)[index])) if index >= 0 else 1
    histogram = np.bincount(scores, minlength=2**15)  # which processes can add up
    reached = np.cumsum(sum_(torch.from_numpy(histogram)).numpy()[::-1])
    return max(1, 2**15 - 1 - int(np.searchsorted(reached, n_kept, side="right")))


def _row_floors(batch: torch.Tensor, scores: np.ndarray, k: int, longest: float) -> np.ndarray:
    """Return for every row a score that its `k` best atoms reach, and not many more.

    It is lowered by the rounding to bfloat16 of results, by up to 2**-8 of themselves, and of
    inputs, whose errors nearly cancel. `longest` is the largest norm of an encoder row.
    """
    cuts = floors_of_largest(scores, k)
    margins = 2**-9 * longest * torch.linalg.vector_norm(batch, dim=1)
    floors = _as_scores(np.maximum((1 - 2**-7) * _as_values(cuts) - margins.numpy(), 0))
    return np.where(floors > 0, floors, _LOWEST).astype(np.int16)


def _sampled_floor(scores: np.ndarray, n_kept: int) -> int:
    """Return a score that somewhat more than `n_kept` entries reach, at least 1."""
    sample = scores.ravel()[:: scores.size // 8192 | 1]  # an odd step reaches all atoms
    share = 1.5 * n_kept / scores.size + 8 / len(sample)
    index = max(0, int(len(sample) * (1 - share)))
    return max(1, int(np.partition(sample, index)[index]))


def _as_scores(values: np.ndarray) -> np.ndarray:
    """Return the upper halves of float32 values: bfloat16, seen as int16."""
    return (values.astype(np.float32).view(np.int32) >> 16).astype(np.int16)


def _as_values(scores: np.ndarray) -> np.ndarray:
    """Return the float32 values of bfloat16 scores that are seen as int16."""
    return (scores.astype(np.int32) << 16).view(np.float32)
