"""Stage 1, before the encoder: embeddings are centred and scaled, as learned in training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

NORMALIZATIONS = ("unit", "scale", "none")
_UNEVEN = 0.2  # of lengths, relative to their mean


class Normalizer(NamedTuple):
    """Centring and scaling of embeddings before the encoder, and their inverse."""

    mean: np.ndarray
    """Subtracted from every embedding, (d,), float32."""
    mode: str
    """Each embedding is then divided by its norm ("unit"), scaled ("scale"), or left ("none")."""
    scale: float
    """Used by "scale"."""

    def apply(self, embeddings: np.ndarray) -> np.ndarray:
        """Normalise (n, d) float32 embeddings; one that equals the mean becomes zero."""
        centred = embeddings - self.mean
        if self.mode == "unit":
            norms = self._norms(centred)
            centred *= np.divide(1, norms, out=np.zeros_like(norms), where=norms > 0)[:, None]
        elif self.mode == "scale":
            centred *= np.float32(self.scale)
        return centred

    def apply_tensor(self, rows: torch.Tensor) -> torch.Tensor:
        """The same for a tensor, on its device."""
        centred = rows - torch.from_numpy(self.mean).to(rows.device)
        if self.mode == "unit":
            norms = centred.norm(dim=1, keepdim=True)
            return torch.where(norms < self._negligible(), 0, centred / norms)
        return centred * self.scale if self.mode == "scale" else centred

    def undo(self, decoded: np.ndarray, embeddings: np.ndarray) -> np.ndarray:
        """Bring (n, d) decoded rows back to the space of the `embeddings` they came from."""
        if self.mode == "unit":
            decoded = decoded * self._norms(embeddings - self.mean)[:, None]
        elif self.mode == "scale":
            decoded = decoded / np.float32(self.scale)
        return decoded + self.mean

    def _norms(self, centred: np.ndarray) -> np.ndarray:
        """Return row norms; rounding errors of the subtraction count as 0."""
        norms = np.sqrt(np.einsum("nd,nd->n", centred, centred))
        norms[norms < self._negligible()] = 0
        return norms

    def _negligible(self) -> float:
        return 1e-6 * (1e-6 + float(np.linalg.norm(self.mean)))


def fit_normalizer(embeddings: np.ndarray, mode: str | None) -> Normalizer:
    """Learn the centre and scale of (n, d) float32 embeddings.

    None is "unit" where embeddings are about equally long, as an encoder's are, else "scale":
    dividing what is centred by its length bends the directions that embeddings are sums of.
    "scale" makes the mean squared norm of centred embeddings d; "none" does not centre, nor are
    embeddings centred that are all equal: they would become 0.
    """
    if mode is None:
        lengths = np.linalg.norm(embeddings, axis=1)
        mode = "scale" if lengths.std() > _UNEVEN * lengths.mean() else "unit"
    zero = np.zeros(embeddings.shape[1], dtype=np.float32)
    if mode == "none":
        return Normalizer(zero, mode, 1.0)
    mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    energy = np.einsum("nd,nd->n", embeddings - mean, embeddings - mean, dtype=np.float64).mean()
    if energy <= 1e-10 * float(mean.astype(np.float64) @ mean):
        mean, energy = zero, np.einsum("nd,nd->", embeddings, embeddings) / len(embeddings)
    scale = float(np.sqrt(embeddings.shape[1] / energy)) if energy > 0 else 1.0
    return Normalizer(mean, mode, scale if mode == "scale" else 1.0)
