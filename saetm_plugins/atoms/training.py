"""Stage 1: train a sparse autoencoder on embeddings (paper, sec. 3 and 4)."""

from __future__ import annotations

import numbers
from dataclasses import asdict
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from saetm_plugins.atoms.autoencoder import SparseAutoencoder, resolve_device
from saetm_plugins.atoms.config import TrainingConfig
from saetm_plugins.atoms.normalization import Normalizer, fit_normalizer
from saetm_plugins.validation import check_embeddings

_SAMPLE = 32_768  # documents that the threshold and the statistics are taken on


def train_sae(
    embeddings: Any,
    n_atoms: int | None = None,
    activation: str = "batch_topk",
    k: int | None = None,
    n_steps: int | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    random_state: Any = 0,
    verbose: bool = False,
    encoder_name: str | None = None,
    **settings: Any,
) -> SparseAutoencoder:
    """Train a sparse autoencoder whose decoder rows are topic atoms.

    Parameters
    ----------
    embeddings : array-like of shape (n, d)
        One row per document, any real dtype.
    n_atoms : int, optional
        Size of the dictionary; None: from the number of documents.
    activation : {"batch_topk", "topk", "l1", "jumprelu"}
        What makes the code sparse.
    k : int, optional
        Active atoms per document: the limit for "topk", the average for the others.
    n_steps, batch_size : int, optional
        Optimizer steps, and documents in each; None: from the number of documents.
    device : {"auto", "cpu", "cuda", ...}
    random_state : int, numpy.random.RandomState or None, default=0
        The same number gives the same model, bit for bit, on one CPU machine.
    verbose : bool, default=False
        Show a progress bar.
    encoder_name : str, optional
        The model that made the embeddings; stored.
    **settings
        Further fields of :class:`TrainingConfig`.

    Returns
    -------
    SparseAutoencoder

    Raises
    ------
    ValueError
        When embeddings are empty or not finite, or a setting is out of its range.
    """
    config = TrainingConfig(
        n_atoms=n_atoms,
        activation=activation,
        k=k,
        n_steps=n_steps,
        batch_size=batch_size,
        **settings,
    )
    device = resolve_device(device)
    embeddings = check_embeddings(embeddings)
    config = config.resolve(len(embeddings))
    seed = _seed_of(random_state)
    normalizer = fit_normalizer(embeddings, config.normalization)
    documents = normalizer.apply(embeddings)
    learner = _run(documents, config, seed, device, verbose)
    sample = _rng(seed, 2).permutation(len(documents))[:_SAMPLE]
    return _finish(learner, documents[sample], normalizer, config, encoder_name)


def _run(
    documents: np.ndarray, config: TrainingConfig, seed: int, device: str, verbose: bool
) -> Any:
    from saetm_plugins.atoms.sparse_learner import SparseLearner  # imports numba: only when used

    assert config.n_steps is not None
    assert config.batch_size is not None
    learner = SparseLearner(initial_weights(documents, config, _rng(seed, 0)), config)
    batches = _index_batches(len(documents), config.batch_size, _rng(seed, 1))
    progress = tqdm(range(config.n_steps), desc="Training SAE", unit="step", disable=not verbose)
    for step in progress:
        batch = documents[next(batches)]
        report = learner.step(batch, config.rate_at(step), step)
        _revive_dead(learner, batch, report.errors, config, step, seed)
        if verbose and step % 20 == 0:
            progress.set_postfix(error=f"{report.squared_error / len(batch):.3f}")
    return learner


def initial_weights(
    documents: np.ndarray, config: TrainingConfig, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return starting weights: atoms are documents, the encoder is the decoder.

    Parameters
    ----------
    documents : ndarray of shape (n, d), float32
        Normalised embeddings.
    config : TrainingConfig
        Resolved.
    rng : numpy.random.Generator
    """
    n_atoms, d = config.n_atoms, documents.shape[1]
    assert n_atoms is not None
    chosen = rng.permutation(len(documents))[:n_atoms]
    decoder = 0.1 / np.sqrt(d) * rng.standard_normal((n_atoms, d), dtype=np.float32)
    norms = np.linalg.norm(documents[chosen], axis=1, keepdims=True)
    decoder[: len(chosen)] += documents[chosen] / np.maximum(norms, 1e-12)
    decoder /= np.linalg.norm(decoder, axis=1, keepdims=True)
    return {
        "encoder": decoder.copy(),
        "encoder_bias": np.zeros(n_atoms, dtype=np.float32),
        "decoder": decoder,
        "decoder_bias": np.zeros(d, dtype=np.float32),
    }


def _index_batches(n_documents: int, batch_size: int, rng: np.random.Generator) -> Any:
    """Yield row numbers batch by batch, every document once an epoch, epochs run into each other."""
    queue = rng.permutation(n_documents)
    while True:
        while len(queue) < batch_size:
            queue = np.concatenate([queue, rng.permutation(n_documents)])
        yield queue[:batch_size]
        queue = queue[batch_size:]


def _revive_dead(
    learner: Any,
    batch: np.ndarray,
    errors: np.ndarray,
    config: TrainingConfig,
    step: int,
    seed: int,
) -> None:
    """Put atoms that went unused where documents are explained worst."""
    assert config.n_steps is not None
    assert config.n_atoms is not None
    assert config.k is not None
    if (step + 1) % 10 or step > config.resample * config.n_steps:
        return
    patience = max(10 * len(batch), 20 * config.n_atoms // config.k)
    dead = np.flatnonzero(learner.silent > patience)[: len(batch) // 8]
    total = errors.sum(dtype=np.float64)
    if len(dead) == 0 or total <= 0:
        return
    rng = _rng(seed, 3, step)
    chosen = rng.choice(len(batch), size=len(dead), p=errors.astype(np.float64) / total)
    directions = batch[chosen]
    norms = np.linalg.norm(directions, axis=1, keepdims=True)
    learner.revive(dead, directions / np.maximum(norms, 1e-12))


def _finish(
    learner: Any,
    sample: np.ndarray,
    normalizer: Normalizer,
    config: TrainingConfig,
    encoder_name: str | None,
) -> SparseAutoencoder:
    """Learn the threshold, measure, and put the model together."""
    weights = dict(learner.weights)
    assert config.k is not None
    thresholds = np.zeros(len(weights["decoder"]), dtype=np.float32)
    if config.activation == "batch_topk":
        scores = sample @ weights["encoder"].T + weights["encoder_bias"]
        n_kept = min(scores.size, config.k * len(sample))
        thresholds[:] = max(0.0, np.partition(scores.ravel(), scores.size - n_kept)[-n_kept])
    sae = SparseAutoencoder(
        {**weights, "thresholds": thresholds, "mean": normalizer.mean},
        activation=config.activation,
        k=config.k,
        normalization=normalizer.mode,
        scale=normalizer.scale,
        encoder_name=encoder_name,
        settings=asdict(config),
    )
    plain = SparseAutoencoder(
        {**weights, "thresholds": thresholds, "mean": np.zeros_like(normalizer.mean)},
        activation=config.activation,
        k=config.k,
        normalization="none",
    )
    sae.statistics_ = measure(plain, sample)
    return sae


def measure(sae: SparseAutoencoder, embeddings: np.ndarray) -> dict[str, float]:
    """Return ``fvu``, ``l0`` and ``n_dead`` of a model on (n, d) embeddings."""
    codes = sae.transform(embeddings)
    error = ((sae.reconstruct(embeddings) - embeddings) ** 2).sum(dtype=np.float64)
    variance = ((embeddings - embeddings.mean(axis=0)) ** 2).sum(dtype=np.float64)
    return {
        "fvu": float(error / variance) if variance > 0 else 0.0,
        "l0": codes.nnz / codes.shape[0],
        "n_dead": int((np.bincount(codes.indices, minlength=sae.n_atoms) == 0).sum()),
        "n_documents": len(embeddings),
    }


def _rng(seed: int, *stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, *stream])


def _seed_of(random_state: Any) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, numbers.Integral) and random_state >= 0:
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    raise ValueError(
        f"random_state must be a non-negative int, a RandomState or None; found {random_state!r}"
    )
