"""Stage 1: what the training loop asks of the two implementations of a training step."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
import torch


class StepReport(NamedTuple):
    """What one training step did; tensors stay where they were computed until they are read.

    Attributes
    ----------
    errors : Tensor or ndarray of shape (n,), float32
        Squared error of every document of the batch, in normalised space.
    n_active : Tensor or int
        Activations in the batch.
    """

    errors: Any
    n_active: Any


class Learner(Protocol):
    """Weights, optimizer state and one method that takes a step on them."""

    @property
    def weights(self) -> dict[str, np.ndarray]:
        """``encoder``, ``encoder_bias``, ``decoder``, ``decoder_bias``, perhaps ``thresholds``."""

    def step(self, batch: torch.Tensor, rate: float, step: int) -> StepReport:
        """Take Adam step number `step` (from 0) on (n, d) float32 normalised embeddings."""

    def silence(self) -> np.ndarray:
        """Return for every atom how many documents went by since it was last active."""

    def revive(self, atoms: np.ndarray, directions: np.ndarray) -> None:
        """Start `atoms` again from unit `directions`, with no memory of their gradients."""

    def state(self) -> dict[str, np.ndarray]:
        """Return all that the next step depends on, besides batch, rate and step number."""

    def load_state(self, state: dict[str, np.ndarray]) -> None:
        """Continue from what :meth:`state` returned."""


def half_products(device: str) -> bool:
    """Tell whether bfloat16 products are native on `device`, hence faster than float32."""
    if torch.device(device).type == "cuda":
        return torch.cuda.is_bf16_supported()
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
