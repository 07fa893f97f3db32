"""Stage 1: the interface of the two implementations of a training step."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch


class StepReport(NamedTuple):
    """The result of one step, on the device of the training."""

    errors: Any
    """Squared error of each normalised document of the batch, (n,), float32."""
    n_active: Any
    """Number of activations in the batch."""


class Learner(Protocol):
    """Weights, optimizer state and one method that takes a step on them."""

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """``encoder``, ``encoder_bias``, ``decoder``, ``decoder_bias``, perhaps ``thresholds``."""

    def step(self, batch: torch.Tensor, rate: float, step: int) -> StepReport:
        """Take Adam step number `step` (from 0) on (n, d) float32 normalised embeddings."""

    def silence(self) -> np.ndarray:
        """Return for every atom the number of documents since it was last active."""

    def revive(self, atoms: np.ndarray, directions: np.ndarray) -> None:
        """Start `atoms` again from unit `directions`, with no memory of their gradients."""

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next step depends on, but for batch, rate and step number."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what :meth:`state` returned."""


def half_products(device: str) -> bool:
    """Tell whether bfloat16 products are native on `device`, hence faster than float32."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
