"""Stage 1, training in torch operations: every activation, on CPU or on a GPU."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from saetm_plugins.atoms.training.config import ResolvedConfig
from saetm_plugins.atoms.training.distributed import average_, gather_rows, sum_, world
from saetm_plugins.atoms.training.learner import StepReport, half_products

_FIRST_PENALTY = 0.05  # relative to the mean norm of a document; steered from there
_STEERING = 0.02  # largest relative change of a steered penalty in one step
_THRESHOLD_RATE = 10  # thresholds move on a log scale: this many times the rate of the weights
_BANDWIDTH = 0.5  # of the pseudo-derivative of "jumprelu", relative to the threshold


class TorchLearner:
    """A :class:`Learner` on one device, with fused Adam; starting weights are copied."""

    def __init__(self, weights: dict[str, np.ndarray], config: ResolvedConfig, device: str) -> None:
        self.config = config
        self.device = torch.device(device)
        self._tensors = {name: self._parameter(array) for name, array in weights.items()}
        if config.activation == "jumprelu":
            self._tensors["log_thresholds"] = self._parameter(
                np.log(np.maximum(weights["thresholds"], 1e-6))
            )
        self._tensors.pop("thresholds", None)
        self._silent = torch.zeros(len(weights["decoder"]), dtype=torch.int64, device=self.device)
        self._penalty = torch.tensor(_FIRST_PENALTY, device=self.device)
        self._optimizer = torch.optim.Adam(
            [{"params": [t], "name": name} for name, t in self._tensors.items()], fused=True
        )
        self._level_ends = config.level_ends()
        self._forward = _compiled(self._loss) if config.compile else self._loss
        self._half = config.precision == "bf16" or (
            config.precision == "auto" and half_products(device)
        )

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """The weights as float32 arrays, with the thresholds of "jumprelu"."""
        arrays = {name: t.detach().cpu().numpy().copy() for name, t in self._tensors.items()}
        if "log_thresholds" in arrays:
            arrays["thresholds"] = np.exp(arrays.pop("log_thresholds"))
        return arrays

    def step(self, batch: torch.Tensor, rate: float, step: int) -> StepReport:
        """Take one step; see :class:`Learner`."""
        inputs = batch.to(self.device, non_blocking=True)
        k = self.config.k_at(step)
        loss, codes, errors = self._forward(inputs, k, self.config.sparsity_at(step))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._descend(rate)
        codes = codes.detach()
        uses = sum_((codes.amax(dim=0) > 0).long())
        self._silent = torch.where(uses > 0, 0, self._silent + len(inputs) * world()[1])
        return StepReport(errors, codes.count_nonzero())

    def silence(self) -> np.ndarray:
        """See :class:`Learner`."""
        return self._silent.cpu().numpy()

    @torch.no_grad()
    def revive(self, atoms: np.ndarray, directions: np.ndarray) -> None:
        """See :class:`Learner`."""
        rows = torch.from_numpy(atoms).to(self.device)
        starts = torch.from_numpy(directions).to(self.device)
        replacements: dict[str, Any] = {"encoder": starts, "decoder": starts, "encoder_bias": 0.0}
        if "log_thresholds" in self._tensors:
            log_thresholds = self._tensors["log_thresholds"]
            replacements["log_thresholds"] = log_thresholds.median()
        for name, start in replacements.items():
            self._tensors[name][rows] = start
            moments = self._optimizer.state[self._tensors[name]]
            moments["exp_avg"][rows] = 0  # but a second moment of 0 would make huge steps
            moments["exp_avg_sq"][rows] = moments["exp_avg_sq"].mean(dim=0)
        self._silent[rows] = 0

    def state(self) -> dict[str, np.ndarray]:
        """See :class:`Learner`."""
        state = {"silent": self._silent, "penalty": self._penalty}
        for name, tensor in self._tensors.items():
            state[name] = tensor.detach()
            for key, value in self._optimizer.state[tensor].items():
                state[f"{name}.{key}"] = value
        return {name: tensor.cpu().numpy().copy() for name, tensor in state.items()}

    @torch.no_grad()
    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """See :class:`Learner`."""
        for name, tensor in self._tensors.items():
            tensor.copy_(torch.from_numpy(state[name]))
            self._optimizer.state[tensor] = {
                "step": torch.from_numpy(state[f"{name}.step"]).to(self.device),
                "exp_avg": torch.from_numpy(state[f"{name}.exp_avg"]).to(self.device),
                "exp_avg_sq": torch.from_numpy(state[f"{name}.exp_avg_sq"]).to(self.device),
            }
        self._silent.copy_(torch.from_numpy(state["silent"]))
        self._penalty.copy_(torch.from_numpy(state["penalty"]))

    def _parameter(self, array: np.ndarray) -> torch.Tensor:
        return torch.tensor(array, device=self.device, requires_grad=True)

    def _loss(
        self, inputs: torch.Tensor, k: int, sparsity: float
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the loss, the dense codes and the error of each document."""
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self._half):
            scores = torch.addmm(self._tensors["encoder_bias"], inputs, self._tensors["encoder"].T)
            codes = self._activate(scores, k)
            loss, errors = self._decode(codes, inputs)
            return loss + sparsity * self._penalize(scores, codes, k), codes, errors

    def _activate(self, scores: torch.Tensor, k: int) -> torch.Tensor:
        """Return dense codes (n, n_atoms), zero where an atom is not active."""
        activation = self.config.activation
        if activation == "l1":
            return scores.relu()
        if activation == "jumprelu":
            return _JumpReLU.apply(scores, self._tensors["log_thresholds"].exp())
        if activation == "topk":
            best = scores.detach().topk(k, dim=1).indices
            return torch.zeros_like(scores).scatter(1, best, scores.gather(1, best).relu())
        best = gather_rows(scores.detach().flatten().topk(k * len(scores)).values)
        cut = best.topk(k * len(scores) * world()[1]).values[-1]
        return scores * ((scores >= cut) & (scores > 0))

    def _decode(
        self, codes: torch.Tensor, inputs: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean error over documents and levels, and each document's own."""
        decoder = self._tensors["decoder"]
        error = self._tensors["decoder_bias"] - inputs
        total, start = torch.zeros((), device=self.device), 0
        for end in self._level_ends:
            error = error + (codes[:, start:end] @ decoder[start:end]).float()
            squares = error.square().sum(dim=1)
            total = total + squares.mean() / len(self._level_ends)
            start = end
        return total, squares.detach()

    def _penalize(self, scores: torch.Tensor, codes: torch.Tensor, k: int) -> torch.Tensor | float:
        """Return the sparsity term of "l1" (paper, eq. of the MAP objective) and "jumprelu"."""
        activation = self.config.activation
        if activation == "l1":
            if self.config.sparsity is not None:
                return self.config.sparsity * codes.sum(dtype=torch.float32) / len(codes)
            with torch.no_grad():
                surplus = self._mean_active(codes) / k - 1
                self._penalty *= torch.exp(_STEERING * surplus.clamp(-1, 1))
            return self._penalty * codes.sum(dtype=torch.float32) / len(codes)
        if activation == "jumprelu":
            thresholds = self._tensors["log_thresholds"].exp()
            l0 = _CountAbove.apply(scores, thresholds) / len(scores)
            if self.config.sparsity is not None:
                return self.config.sparsity * l0
            # The gradient of (l0 / k - 1)^2, with l0 of all processes.
            return 2 / k * (self._mean_active(codes) / k - 1) * l0
        return 0.0

    @torch.no_grad()
    def _mean_active(self, codes: torch.Tensor) -> torch.Tensor:
        mean = codes.count_nonzero().float() / len(codes)
        average_([mean])
        return mean

    @torch.no_grad()
    def _descend(self, rate: float) -> None:
        """Take a step, that of decoder rows along the unit sphere, and put these back on it."""
        average_([t.grad for t in self._tensors.values() if t.grad is not None])
        decoder = self._tensors["decoder"]
        assert decoder.grad is not None
        radial = (decoder.grad * decoder).sum(dim=1, keepdim=True)
        decoder.grad -= radial * decoder
        for group in self._optimizer.param_groups:
            group["lr"] = rate * (_THRESHOLD_RATE if group["name"] == "log_thresholds" else 1)
        self._optimizer.step()
        decoder /= decoder.norm(dim=1, keepdim=True).clamp(min=1e-12)


class _CountAbove(torch.autograd.Function):
    """The number of scores above their threshold, with a rectangle as its derivative.

    Rajamanoharan et al. 2024 (JumpReLU SAEs), eq. 11-12.
    """

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(scores, thresholds)
        return (scores > thresholds.to(scores.dtype)).count_nonzero().float()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[None, torch.Tensor]:
        scores, thresholds = ctx.saved_tensors
        in_band = _near(scores, thresholds).sum(dim=0, dtype=torch.float32)
        return None, -gradients[0] * in_band / (_BANDWIDTH * thresholds)


class _JumpReLU(torch.autograd.Function):
    """The score where it is above its threshold, else zero (the same paper, eq. 11)."""

    @staticmethod
    def forward(ctx: Any, scores: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(scores, thresholds)
        return scores * (scores > thresholds.to(scores.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        scores, thresholds = ctx.saved_tensors
        in_band = (gradients[0] * _near(scores, thresholds)).sum(dim=0, dtype=torch.float32)
        return gradients[0] * (scores > thresholds.to(scores.dtype)), -in_band / _BANDWIDTH


def _near(scores: torch.Tensor, thresholds: torch.Tensor) -> torch.Tensor:
    """Tell which scores lie in a band around their threshold, as 0 and 1 of their dtype."""
    centre = thresholds.to(scores.dtype)
    return ((scores - centre).abs_() < centre * (_BANDWIDTH / 2)).to(scores.dtype)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function; if that fails (no C++ compiler, say) warn, and call it uncompiled."""
    compiled = torch.compile(function)

    def call(*arguments: Any) -> Any:
        nonlocal compiled
        try:
            return compiled(*arguments)
        except Exception as error:
            if compiled is function:
                raise
            warnings.warn(f"torch.compile failed, going on without: {error}", stacklevel=2)
            compiled = function
            return function(*arguments)

    return call
