"""20 Newsgroups as stage 2 sees it: mixtures of a trained autoencoder, counts of 10,000 words."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from corpora import READERS
from sklearn.feature_extraction.text import CountVectorizer

from saetm_plugins import train_sae
from saetm_plugins.numerics.mixtures import normalize_activations


def newsgroups_counts(data: str, n_words: int = 10_000) -> tuple[sp.csr_matrix, np.ndarray]:
    """Return counts (18,846 × n_words) and embeddings (18,846 × 384), both float32."""
    texts, _, vectors_file, _ = READERS["20newsgroups"](Path(data))
    vectorizer = CountVectorizer(
        max_features=n_words, stop_words="english", token_pattern=r"(?u)\b[a-zA-Z]{3,}\b"
    )
    bow = vectorizer.fit_transform(texts).astype(np.float32)
    return bow, np.load(vectors_file).astype(np.float32)


def mixtures(embeddings: np.ndarray, n_atoms: int, k: int, seed: int) -> sp.csr_matrix:
    """Train a small autoencoder and return the squared, normalised activations."""
    sae = train_sae(embeddings, n_atoms=n_atoms, k=k, n_steps=200, random_state=seed)
    return normalize_activations(sae.transform(embeddings), 2.0)


def tile(matrix: sp.csr_matrix, n_rows: int, rng: np.random.Generator) -> sp.csr_matrix:
    """Draw `n_rows` rows of `matrix` with replacement: real sparsity at any size."""
    return matrix[np.sort(rng.integers(0, matrix.shape[0], n_rows))]


def peak_gigabytes() -> float:
    """Return the largest resident memory of this process so far (Linux: since its exec)."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
