"""Stage 1, before the encoder: centre the embeddings and bring them to one scale.

Learned at training and part of the model. Both matter for topics: the mean of a corpus carries what
all documents share, and the norm of an embedding what no topic explains.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

NORMALIZATIONS = ("unit", "scale", "none")


class Normalizer(NamedTuple):
    """What is done to embeddings before the encoder, and undone after the decoder.

    Attributes
    ----------
    mean : ndarray of shape (d,), float32
        Subtracted from every embedding.
    mode : {"unit", "scale", "none"}
        Then every embedding is divided by its own norm, multiplied by `scale`, or left alone.
    scale : float
        Used by "scale".
    """

    mean: np.ndarray
    mode: str
    scale: float

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
        """Return row norms; what is rounding error of the subtraction counts as zero."""
        norms = np.sqrt(np.einsum("nd,nd->n", centred, centred))
        norms[norms < self._negligible()] = 0
        return norms

    def _negligible(self) -> float:
        return 1e-6 * (1e-6 + float(np.linalg.norm(self.mean)))


def fit_normalizer(embeddings: np.ndarray, mode: str) -> Normalizer:
    """Learn the centre and scale of (n, d) float32 embeddings.

    Embeddings that are all alike are not centred: nothing would be left of them.

    Parameters
    ----------
    embeddings : ndarray of shape (n, d), float32
    mode : {"unit", "scale", "none"}
        "scale" makes the mean squared norm of the centred embeddings d; "none" does not centre.

    Returns
    -------
    Normalizer
    """
    zero = np.zeros(embeddings.shape[1], dtype=np.float32)
    if mode == "none":
        return Normalizer(zero, mode, 1.0)
    mean = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    energy = np.einsum("nd,nd->n", embeddings - mean, embeddings - mean, dtype=np.float64).mean()
    if energy <= 1e-10 * float(mean.astype(np.float64) @ mean):
        mean, energy = zero, np.einsum("nd,nd->", embeddings, embeddings) / len(embeddings)
    scale = float(np.sqrt(embeddings.shape[1] / energy)) if energy > 0 else 1.0
    return Normalizer(mean, mode, scale if mode == "scale" else 1.0)


def unit_rows(rows: np.ndarray) -> np.ndarray:
    """Divide the rows of (n, d) by their norms; zero rows stay zero."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.float32(1e-12))
