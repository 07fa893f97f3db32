"""Embeddings drawn from the continuous topic model, to test whether stage 1 recovers it.

Girrbach & Akata 2026, sec. 3: ``D = noise + sum_n lambda_n w_n`` with ``z_n ~ Cat(theta)``,
``w_n ~ N(mu_{z_n}, Sigma)``, ``lambda_n ~ Gamma`` and ``theta ~ Dir(alpha)``.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from saetm_plugins.validation import check_count, check_dense_size, check_not_negative

_CHUNK = 2**22  # contributions drawn at a time
_LARGEST = 1e6  # of a parameter, and
_SMALLEST_SHAPE = 1e-6  # of a gamma distribution: beyond them samples overflow float32


class CTMSample(NamedTuple):
    """A sample of :func:`sample_ctm`; arrays of float32."""

    embeddings: np.ndarray
    """Of shape (n_documents, n_features)."""
    directions: np.ndarray
    """Unit topic directions mu, (n_topics, n_features)."""
    mixtures: np.ndarray
    """theta, (n_documents, n_topics); rows sum to 1."""
    strengths: np.ndarray
    """Summed lambda of each topic, (n_documents, n_topics)."""


def sample_ctm(
    n_documents: int = 20_000,
    n_topics: int = 32,
    n_features: int = 64,
    *,
    n_contributions: int = 200,
    concentration: float = 0.05,
    strength_shape: float = 1.0,
    spread: float = 0.1,
    noise: float = 0.02,
    random_state: int = 0,
) -> CTMSample:
    """Draw documents from the paper's continuous topic model.

    Parameters
    ----------
    n_documents, n_topics, n_features : int
    n_contributions : int, default=200
        Contributions of a document, of mean strength ``1 / n_contributions``: the more there are,
        the smaller they are (assumption A1 of the paper).
    concentration : float, default=0.05
        alpha of the symmetric Dirichlet; small values give few topics in a document.
    strength_shape : float, default=1.0
        Shape of the Gamma distribution of one contribution's strength.
    spread : float, default=0.1
        Norm of the typical deviation of a contribution from its topic's direction.
    noise : float, default=0.02
        Standard deviation of the final noise, times the square root of `n_features`.
    random_state : int, default=0
    """
    counts = {"n_documents": n_documents, "n_topics": n_topics, "n_features": n_features}
    for name, count in {**counts, "n_contributions": n_contributions}.items():
        check_count(count, name)
    for name, value, above in [
        ("concentration", concentration, 0.0),
        ("strength_shape", strength_shape, _SMALLEST_SHAPE),
        ("spread", spread, -1.0),
        ("noise", noise, -1.0),
    ]:
        check_not_negative(value, name, most=_LARGEST)
        if value <= above:
            raise ValueError(f"{name} must be above {above:g}; found {value!r}")
    for first, second in itertools.combinations(counts, 2):
        check_dense_size((counts[first], counts[second]), f"{first} × {second}", "fewer of them")
    check_dense_size((n_contributions,), "n_contributions", "fewer of them")
    rng = np.random.default_rng(random_state)
    directions = rng.standard_normal((n_topics, n_features))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    mixtures = rng.dirichlet(np.full(n_topics, concentration), size=n_documents)
    strengths = np.empty((n_documents, n_topics))
    squares = np.empty(n_documents)
    rows = max(1, _CHUNK // n_contributions)
    for start in range(0, n_documents, rows):
        chunk = slice(start, start + rows)
        strengths[chunk], squares[chunk] = _draw_strengths(
            mixtures[chunk], n_contributions, strength_shape, rng
        )
    embeddings = strengths @ directions
    # The contributions' deviations and the final noise are independent Gaussians.
    deviation = np.sqrt(spread**2 * squares + noise**2) / np.sqrt(n_features)
    embeddings += deviation[:, None] * rng.standard_normal(embeddings.shape)
    return CTMSample(*(a.astype(np.float32) for a in (embeddings, directions, mixtures, strengths)))


def _draw_strengths(
    mixtures: np.ndarray, n_contributions: int, shape: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return each document's summed strengths per topic, and its sum of squared strengths."""
    counts = rng.multinomial(n_contributions, mixtures)
    scale = 1 / (shape * n_contributions)
    single = rng.gamma(shape, scale, size=(len(mixtures), n_contributions))
    # Contributions are exchangeable: the first counts[0] of a row may be those of topic 0.
    running = np.pad(np.cumsum(single, axis=1), ((0, 0), (1, 0)))
    ends = np.take_along_axis(running, np.cumsum(counts, axis=1), axis=1)
    return np.diff(ends, axis=1, prepend=0), np.square(single).sum(axis=1)
