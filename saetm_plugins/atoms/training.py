"""Stage 1: train a sparse autoencoder on embeddings (paper, sec. 3 and 4)."""

from __future__ import annotations

import numbers
from dataclasses import asdict
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from tqdm.auto import tqdm

from saetm_plugins.atoms.autoencoder import SparseAutoencoder, resolve_device
from saetm_plugins.atoms.config import TrainingConfig
from saetm_plugins.atoms.encoding import encode_normalized
from saetm_plugins.atoms.learner import Learner, StepReport, make_learner
from saetm_plugins.atoms.normalization import Normalizer, fit_normalizer
from saetm_plugins.validation import check_embeddings

_SAMPLE = 32_768  # documents that the statistics are taken on
_CUT_SAMPLE = 8_192  # documents that a threshold is taken on
_REVIVE_EVERY = 10  # steps


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
    assert config.n_steps is not None
    assert config.batch_size is not None
    learner = make_learner(initial_weights(documents, config, _rng(seed, 0)), config, device)
    batches = _index_batches(len(documents), config.batch_size, _rng(seed, 1))
    progress = tqdm(range(config.n_steps), desc="Training SAE", unit="step", disable=not verbose)
    for step in progress:
        batch = torch.from_numpy(documents[next(batches)])
        report = learner.step(batch, config.rate_at(step), step)
        _revive_dead(learner, batch, report, config, step, seed)
        if verbose and step % 20 == 0:
            progress.set_postfix(error=f"{float(report.squared_errors.mean()):.3f}")
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

    Returns
    -------
    dict of str to ndarray
        ``encoder``, ``encoder_bias``, ``decoder``, ``decoder_bias``, ``thresholds``.
    """
    n_atoms, d = config.n_atoms, documents.shape[1]
    assert n_atoms is not None
    chosen = rng.permutation(len(documents))[:n_atoms]
    decoder = float(0.1 / np.sqrt(d)) * rng.standard_normal((n_atoms, d), dtype=np.float32)
    decoder[: len(chosen)] += _unit_rows(documents[chosen])
    weights = {
        "encoder": _unit_rows(decoder),
        "encoder_bias": np.zeros(n_atoms, dtype=np.float32),
        "decoder": _unit_rows(decoder),
        "decoder_bias": np.zeros(d, dtype=np.float32),
    }
    cut = average_cut(weights, documents[:_CUT_SAMPLE], config)
    return {**weights, "thresholds": np.full(n_atoms, cut, dtype=np.float32)}


def average_cut(
    weights: dict[str, np.ndarray], documents: np.ndarray, config: TrainingConfig
) -> float:
    """Return the score above which `k` atoms are active on average, never below zero."""
    assert config.k is not None
    scores = torch.addmm(
        torch.from_numpy(weights["encoder_bias"]),
        torch.from_numpy(documents),
        torch.from_numpy(weights["encoder"]).T,
    ).numpy()
    n_kept = config.k * len(documents)
    if n_kept >= scores.size:
        return 0.0
    floor = np.quantile(scores[::64], max(0.0, 1 - 2 * n_kept / scores.size))
    candidates = scores[scores > floor]
    if len(candidates) <= n_kept:
        candidates = scores.ravel()
    return max(0.0, float(np.partition(candidates, -n_kept - 1)[-n_kept - 1]))


def _index_batches(n_documents: int, batch_size: int, rng: np.random.Generator) -> Any:
    """Yield row numbers, batch by batch; every document comes once an epoch."""
    queue = rng.permutation(n_documents)
    while True:
        while len(queue) < batch_size:
            queue = np.concatenate([queue, rng.permutation(n_documents)])
        yield queue[:batch_size]
        queue = queue[batch_size:]


def _revive_dead(
    learner: Learner,
    batch: torch.Tensor,
    report: StepReport,
    config: TrainingConfig,
    step: int,
    seed: int,
) -> None:
    """Put atoms that went unused where documents are explained worst (Bricken et al. 2023)."""
    assert config.n_steps is not None
    assert config.n_atoms is not None
    assert config.k is not None
    if (step + 1) % _REVIVE_EVERY or step > config.resample * config.n_steps:
        return
    patience = max(10 * len(batch), 20 * config.n_atoms // config.k)
    dead = np.flatnonzero(learner.silence() > patience)[: max(1, len(batch) // 8)]
    errors = torch.as_tensor(report.squared_errors).cpu().numpy().astype(np.float64)
    if len(dead) == 0 or errors.sum() <= 0:
        return
    rng = _rng(seed, 3, step)
    chosen = rng.choice(len(batch), size=len(dead), p=errors / errors.sum())
    learner.revive(dead, _unit_rows(batch[chosen].cpu().numpy()))


def _finish(
    learner: Learner,
    sample: np.ndarray,
    normalizer: Normalizer,
    config: TrainingConfig,
    encoder_name: str | None,
) -> SparseAutoencoder:
    """Learn the threshold, measure, and put the model together."""
    assert config.k is not None
    weights = learner.weights
    thresholds = weights.get("thresholds", np.zeros(len(weights["decoder"]), dtype=np.float32))
    if config.activation == "batch_topk":
        thresholds = np.full_like(thresholds, average_cut(weights, sample[:_CUT_SAMPLE], config))
    elif config.activation != "jumprelu":
        thresholds = np.zeros_like(thresholds)
    sae = SparseAutoencoder(
        {**weights, "thresholds": thresholds, "mean": normalizer.mean},
        activation=config.activation,
        k=config.k,
        normalization=normalizer.mode,
        scale=normalizer.scale,
        encoder_name=encoder_name,
        settings=asdict(config),
    )
    sae.statistics_ = measure(sae, sample)
    return sae


def measure(sae: SparseAutoencoder, documents: np.ndarray) -> dict[str, float]:
    """Return ``fvu``, ``l0`` and ``n_dead`` of a model on (n, d) normalised embeddings."""
    indptr, indices, values = encode_normalized(sae, documents)
    codes = sp.csr_matrix((values, indices, indptr), shape=(len(documents), sae.n_atoms))
    error = np.square(codes @ sae.decoder_ + (sae.decoder_bias_ - documents)).sum(dtype=np.float64)
    variance = np.square(documents - documents.mean(axis=0)).sum(dtype=np.float64)
    return {
        "fvu": float(error / variance) if variance > 0 else 0.0,
        "l0": len(indices) / len(documents),
        "n_dead": int((np.bincount(indices, minlength=sae.n_atoms) == 0).sum()),
        "n_documents": len(documents),
    }


def _unit_rows(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


def _rng(seed: int, *stream: int) -> np.random.Generator:
    return np.random.default_rng([seed, *stream])


def _seed_of(random_state: Any) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, numbers.Integral) and int(random_state) >= 0:
        return int(random_state)
    if isinstance(random_state, np.random.RandomState):
        return int(random_state.randint(2**31 - 1))
    raise ValueError(
        f"random_state must be a non-negative int, a RandomState or None; found {random_state!r}"
    )
