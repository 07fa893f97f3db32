"""Topics of embeddings from a saved model, with NumPy alone: a small process that starts at once.

Neither torch, numba nor scikit-learn is imported. What is computed is that of
:meth:`SAETopicModel.transform`, in the words of ``docs/method.md``.

    from saetm_plugins.serving import load

    model = load("model/")
    model.transform(embeddings)
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

_ROWS = 1024  # at a time: dense scores of 4,096 atoms are then 16 MiB
_FEW = 8  # rows for which BLAS would wake its threads for nothing, and spin
_LEAST_COSINE = np.float32(1e-3)  # of atoms.encoding
_NEAR_SHARE, _N_NEAR, _WIDTH = np.float32(0.5), 16, np.float32(0.15)  # of atoms.nearness
_TENSORS = ("sums.atom_embeddings", "sums.embedded_atom_mass", "sums.embedding", "sums.n_embedded")
_ARRAYS = ("encoder", "encoder_bias", "decoder", "decoder_bias", "mean", "thresholds")


@dataclass(frozen=True)
class ServedModel:
    """What a saved model needs to place embeddings; threads may share it.

    Attributes
    ----------
    labels : list of str or None
        Names of the topics.
    sae : dict of str to ndarray
        Weights of the autoencoder; decoder rows of length 1.
    config : dict
        How it encodes: ``activation``, ``k``, ``keep_strongest``, ``normalization``, ``scale``.
    sharpening : float
    near : tuple of ndarray, or None
        Directions (L, d) of the atoms with documents, half the logarithm of their mass (L,), their
        numbers (L,), and the corpus' mean embedding (d,).
    atom_topics : ndarray of shape (K, T + deleted), float32
    prevalence : ndarray of shape (T + deleted,), float32
    """

    labels: list[str | None]
    sae: dict[str, np.ndarray]
    config: dict[str, Any]
    sharpening: float
    near: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None
    atom_topics: np.ndarray
    prevalence: np.ndarray

    def transform(self, embeddings: Any) -> np.ndarray:
        """Return the mixture of topics of each embedding.

        Parameters
        ----------
        embeddings : array-like of shape (n, d)
            By the model's encoder; a memory-mapped array is read block by block.

        Returns
        -------
        ndarray of shape (n, T), float32
            As :meth:`SAETopicModel.transform`, to 1e-5; an atom whose score is within rounding of
            its threshold may be active in one of the two only.

        Raises
        ------
        ValueError
            When the width is another, or an entry is not finite.
        """
        embeddings = np.asanyarray(embeddings)
        d = len(self.sae["mean"])
        if embeddings.ndim != 2 or embeddings.shape[1] != d:
            raise ValueError(f"embeddings must have shape (n, {d}); found {embeddings.shape}")
        found = np.empty((len(embeddings), len(self.labels)), dtype=np.float32)
        for first in range(0, len(embeddings), _ROWS):
            rows = embeddings[first : first + _ROWS].astype(np.float32)
            if not np.isfinite(rows).all():
                raise ValueError("embeddings must be finite")
            found[first : first + _ROWS] = self._mix(rows)
        return found

    def _mix(self, rows: np.ndarray) -> np.ndarray:
        doc_atoms = self._activated(rows)
        if self.near is not None:
            active = np.asarray(doc_atoms.any(axis=1))
            doc_atoms[active] *= 1 - _NEAR_SHARE
            self._add_near(doc_atoms, rows, active)
        doc_topics = _product(doc_atoms, self.atom_topics.T)
        mass = doc_topics.sum(axis=1, keepdims=True)
        without = mass[:, 0] <= 0
        doc_topics[without] = self.prevalence
        mass[without] = self.prevalence.sum()
        return (doc_topics / mass)[:, : len(self.labels)]

    def _activated(self, rows: np.ndarray) -> np.ndarray:
        """Return the mixtures (n, K) of atoms that embeddings activate, dense."""
        sae, config = self.sae, self.config
        centred = rows - sae["mean"]
        if config["normalization"] == "unit":
            norms = np.linalg.norm(centred, axis=1, keepdims=True)
            negligible = 1e-6 * (1e-6 + np.linalg.norm(sae["mean"]))
            centred = np.where(norms < negligible, 0, centred / np.maximum(norms, negligible))
        elif config["normalization"] == "scale":
            centred *= np.float32(config["scale"])
        scores = _product(centred, sae["encoder"]) + sae["encoder_bias"]
        active = scores > sae["thresholds"]
        if config["activation"] == "topk" and config["k"] < scores.shape[1]:
            least = np.partition(scores, -config["k"], axis=1)[:, [-config["k"]]]
            active &= scores >= least
        if config["keep_strongest"]:
            lonely = ~active.any(axis=1) & centred.any(axis=1)
            active[lonely, scores[lonely].argmax(axis=1)] = True
        documents, atoms = active.nonzero()
        directions = unit(centred - sae["decoder_bias"])[documents]
        weights = np.zeros_like(scores)
        weights[documents, atoms] = np.maximum(
            np.einsum("ed,ed->e", directions, sae["decoder"][atoms]), _LEAST_COSINE
        )
        largest = weights.max(axis=1)
        shares = (weights[documents, atoms] / largest[documents]) ** np.float32(self.sharpening)
        total = np.bincount(documents, shares, len(rows))[documents]
        weights[documents, atoms] = shares / total
        return weights

    def _add_near(self, doc_atoms: np.ndarray, rows: np.ndarray, active: np.ndarray) -> None:
        """Add the half of mixtures that are the atoms whose documents embeddings are near to."""
        directions, half_log_mass, atoms, mean = self.near  # type: ignore[misc]
        logs = _product(unit(unit(rows) - mean), directions) + half_log_mass
        n_near = min(_N_NEAR, len(atoms))
        nearest = np.argpartition(logs, -n_near, axis=1)[:, -n_near:]
        shares = np.take_along_axis(logs, nearest, axis=1)
        shares = np.exp(shares - shares.max(axis=1, keepdims=True))
        shares *= _NEAR_SHARE * active[:, None] / shares.sum(axis=1, keepdims=True)
        documents = np.arange(len(rows))[:, None]
        doc_atoms[documents, atoms[nearest]] += shares


def load(path: str | os.PathLike[str]) -> ServedModel:
    """Read from a folder that :meth:`SAETopicModel.save` wrote what placing embeddings needs.

    Raises
    ------
    FileNotFoundError
        When there is no model.
    ValueError
        When it is damaged or not a topic model.
    """
    folder = Path(path)
    try:
        config = _config(folder, "topic-model")
        sae_config = _config(folder / "sae", "sparse-autoencoder")
        with safe_open(folder / "sae" / "model.safetensors", "np") as tensors:
            sae = {name: tensors.get_tensor(name).astype(np.float32) for name in _ARRAYS}
        with safe_open(folder / "model.safetensors", "np") as tensors:
            sums = {name[5:]: tensors.get_tensor(name) for name in _TENSORS}
            stored = set(tensors.keys())
            names = ("topics.atom_topics", "topics.deleted")
            present = [name for name in names if f"{name}.data" in stored]
            atom_topics = np.hstack([_dense(tensors, name) for name in present])
            prevalence = tensors.get_tensor("topics.prevalence")
    except (KeyError, TypeError, IndexError, SafetensorError) as error:
        raise ValueError(f"{str(folder)!r} holds a damaged topic model: {error}") from error
    sae["decoder"] = unit(sae["decoder"])
    return ServedModel(
        labels=config["topics"]["labels"],
        sae=sae,
        config=sae_config,
        sharpening=config["atoms"]["sharpening"],
        near=_near(**sums),
        atom_topics=np.asfortranarray(atom_topics),
        prevalence=np.pad(prevalence, (0, atom_topics.shape[1] - len(prevalence))),
    )


def unit(rows: np.ndarray) -> np.ndarray:
    """Return `rows` (n, d) of length 1, float32; zero rows stay zero."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(norms > 0, norms, 1)).astype(np.float32)


def _product(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return ``rows @ columns.T``."""
    if len(rows) <= _FEW:
        return np.einsum("nd,kd->nk", rows, columns)
    return rows @ columns.T


def _near(
    atom_embeddings: np.ndarray,
    embedded_atom_mass: np.ndarray,
    embedding: np.ndarray,
    n_embedded: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray] | None:
    live = np.flatnonzero(embedded_atom_mass > 0)
    if not len(live):
        return None
    mean, mass = embedding / n_embedded, embedded_atom_mass[live]
    directions = unit((atom_embeddings[live] / mass[:, None] - mean).astype(np.float32)) / _WIDTH
    return directions, (np.log(mass) / 2).astype(np.float32), live, mean.astype(np.float32)


def _dense(tensors: Any, name: str) -> np.ndarray:
    parts = ("data", "indices", "indptr", "shape")
    data, indices, indptr, shape = (tensors.get_tensor(f"{name}.{part}") for part in parts)
    dense = np.zeros(shape, dtype=np.float32)
    dense[np.repeat(np.arange(shape[0]), np.diff(indptr)), indices] = data
    return dense


def _config(folder: Path, kind: str) -> dict[str, Any]:
    """Read a folder's settings, after comparing its files with their checksums."""
    listed = folder / "checksums.json"
    if listed.exists():
        for name, wanted in json.loads(listed.read_text(encoding="utf-8")).items():
            with (folder / Path(name).name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != wanted:
                    raise ValueError(f"{str(folder / name)!r} is truncated or damaged")
    config: dict[str, Any] = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    if config.get("kind") != kind:
        raise ValueError(f"{str(folder)!r} holds no {kind}")
    return config
