"""Stage 1: train a sparse autoencoder on embeddings (paper, sec. 3 and 4)."""

from __future__ import annotations

import inspect
import itertools
import json
import numbers
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_random_state

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.atoms.data.batches import (
    RowNumbers,
    prefetch,
    sample_rows,
    shuffled_batches,
    streamed_batches,
)
from saetm_plugins.atoms.data.readers import ArrayReader, Reader
from saetm_plugins.atoms.data.streams import RowStream, open_source
from saetm_plugins.atoms.normalization import Normalizer, fit_normalizer
from saetm_plugins.atoms.training.checkpoints import CheckpointFolder
from saetm_plugins.atoms.training.config import PRESETS, ResolvedConfig, TrainingConfig
from saetm_plugins.atoms.training.distributed import own_slice, process_group, same_on_all, world
from saetm_plugins.atoms.training.finishing import finish, refuse_divergence
from saetm_plugins.atoms.training.initialization import initial_weights
from saetm_plugins.atoms.training.learner import Learner
from saetm_plugins.atoms.training.revival import revive_dead
from saetm_plugins.atoms.training.run_logging import open_logger
from saetm_plugins.atoms.training.torch_learner import TorchLearner
from saetm_plugins.numerics.parallel import single_threaded
from saetm_plugins.numerics.progress import progress_bar
from saetm_plugins.validation import (
    check_choice,
    check_dense_size,
    check_text,
    resolve_device,
)

_SAMPLE = 65_536  # rows for the centre, the starting atoms and the statistics
_RESIDENT = 2**30  # bytes up to which an in-memory corpus is normalised once, not in batches


def train_sae(
    embeddings: Any,
    n_atoms: int | None = None,
    activation: str | None = None,
    k: int | None = None,
    n_steps: int | None = None,
    batch_size: int | None = None,
    device: str = "auto",
    random_state: Any = 0,
    verbose: bool = False,
    *,
    preset: str | None = None,
    encoder_name: str | None = None,
    data_name: str | None = None,
    checkpoint_dir: str | os.PathLike[str] | None = None,
    checkpoint_every: int | None = None,
    checkpoint_minutes: float | None = None,
    logger: str | None = None,
    log_dir: str | None = None,
    **settings: Any,
) -> SparseAutoencoder:
    """Train a sparse autoencoder whose decoder rows are topic atoms.

    Parameters
    ----------
    embeddings : array-like of shape (n, d), path, or iterable of batches
        An array, tensor or memory map; the path of a ``.npy``, ``.safetensors``, ``.parquet`` or
        ``.arrow`` file or of a folder of such shards; a torch DataLoader or other iterable of
        (m, d) batches. An iterable of more than 256 MiB is read again for every epoch; an
        iterator, which gives one pass, then needs `n_steps`.
    n_atoms : int, optional
        Size of the dictionary; None: from the number of documents.
    activation : {"batch_topk", "topk", "l1", "jumprelu"}, optional
        What makes the code sparse; None: "batch_topk", or the preset's.
    k : int, optional
        Active atoms per document: the limit for "topk", the average for the others.
    n_steps, batch_size : int, optional
        Optimizer steps, and documents in each; None: from the number of documents.
    device : {"auto", "cpu", "cuda", ...}
    random_state : int, numpy.random.RandomState or None, default=0
        The same number gives the same model, bit for bit, on one CPU machine. Under ``torchrun``
        the first process decides.
    verbose : bool, default=False
        Show a progress bar.
    preset : {"saetm-paper", "gpu"}, optional
        Defaults of other arguments: the paper's recipe, or one for tens of millions of documents.
    encoder_name : str, optional
        The model that made the embeddings; stored.
    data_name : str, optional
        The corpus ("20 Newsgroups", say); stored, and shown on the model card.
    checkpoint_dir : path, optional
        For checkpoints; a run continues from the newest of its own.
    checkpoint_every, checkpoint_minutes : int, float, optional
        Steps or minutes between checkpoints; 10 minutes if neither is given.
    logger : {"tensorboard", "wandb"}, optional
        Log training curves with this library.
    log_dir : str, optional
        For the logger.
    **settings
        Further fields of :class:`TrainingConfig`.

    Returns
    -------
    SparseAutoencoder

    Raises
    ------
    ValueError
        When `checkpoint_dir` holds a run with other settings, or training diverged.
    """
    named: dict[str, Any] = {
        "n_atoms": n_atoms,
        "activation": activation,
        "k": k,
        "n_steps": n_steps,
    }
    named |= {"batch_size": batch_size, **settings}
    given: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if preset is not None:
        given = PRESETS[check_choice(preset, "preset", tuple(PRESETS))] | given
    requested = TrainingConfig(**given)
    if data_name is not None:
        check_text(data_name, "data_name")
    seed = _seed_of(random_state)
    with process_group(resolve_device(device)) as device, _fast_products(requested, device):
        seed = same_on_all(seed, device)
        source = open_source(embeddings)
        sample = sample_rows(source, _SAMPLE, np.random.default_rng([seed, 2]))
        config = requested.resolve(_length(source, requested.n_steps), sample.shape[1])
        check_dense_size((config.n_atoms, sample.shape[1]), "n_atoms: weights", "fewer atoms")
        check_dense_size((config.batch_size, sample.shape[1]), "batch_size: a batch", "fewer rows")
        normalizer = fit_normalizer(sample, config.normalization)
        sample = normalizer.apply(sample)
        weights = initial_weights(sample, config, np.random.default_rng([seed, 0]))
        learner = make_learner(weights, config, device)
        checkpoints = None
        if checkpoint_dir is not None:
            run = {**asdict(config), "random_state": seed, "n_documents": source.n_documents}
            checkpoints = CheckpointFolder(
                checkpoint_dir, run, checkpoint_every, checkpoint_minutes
            )
        log, close_log = open_logger(logger if world()[0] == 0 else None, log_dir, asdict(config))
        try:
            _run(learner, source, normalizer, config, seed, device, checkpoints, log, verbose)
        finally:
            close_log()
        facts = {**asdict(config), "data_name": data_name, "n_documents": source.n_documents}
        return finish(learner, sample, normalizer, config, encoder_name, facts)


def train_sae_from_config(
    embeddings: Any, config: str | os.PathLike[str] | None, flags: dict[str, Any]
) -> SparseAutoencoder:
    """Call :func:`train_sae`, with a progress bar, with the arguments of a JSON file and flags.

    Flags override the file, unless they are None.
    """
    arguments: dict[str, Any] = {}
    if config is not None:
        try:
            arguments = dict(json.loads(Path(config).read_text(encoding="utf-8")))
        except (json.JSONDecodeError, TypeError, ValueError) as error:
            raise ValueError(f"config {str(config)!r} is not a JSON object: {error}") from error
    known = inspect.signature(train_sae).parameters.keys() | TrainingConfig.__annotations__.keys()
    known -= {"embeddings", "verbose", "settings"}
    if unknown := sorted(arguments.keys() - known):
        raise ValueError(
            f"config {str(config)!r} holds {', '.join(map(repr, unknown))}; train_sae takes "
            f"{', '.join(sorted(known))}"
        )
    arguments |= {name: value for name, value in flags.items() if value is not None}
    return train_sae(embeddings, verbose=True, **arguments)


def _length(source: Reader | RowStream, n_steps: int | None) -> int:
    """Return the number of documents from which sizes are chosen."""
    if source.n_documents is not None:
        return source.n_documents
    assert isinstance(source, RowStream)
    if n_steps is None:
        raise ValueError(
            f"embeddings is an iterator that goes on after {len(source.head):,} rows, so its "
            "length is not known: give n_steps, or an iterable that can be read repeatedly"
        )
    return len(source.head)


def _tensor_batches(
    source: Reader | RowStream,
    normalizer: Normalizer,
    batch_size: int,
    seed: int,
    first: int,
    device: str,
) -> Iterator[torch.Tensor]:
    """Yield this process's share of every batch, normalised, on the device."""
    share = own_slice(batch_size)
    on_gpu = torch.device(device).type == "cuda"
    budget = torch.cuda.mem_get_info(device)[0] // 2 if on_gpu else _RESIDENT
    rows = source.rows if isinstance(source, ArrayReader) and source.in_memory else None
    if rows is not None and rows.nbytes <= budget:
        documents = torch.from_numpy(normalizer.apply(rows)).to(device)
        row_numbers = RowNumbers(len(documents))
        for picked in shuffled_batches(row_numbers, batch_size, seed, first):
            yield documents.index_select(0, torch.from_numpy(picked[share, 0]).to(device))
        return
    if isinstance(source, RowStream):
        streamed = streamed_batches(source.passes(), batch_size, seed)
        batches: Iterator[np.ndarray] = itertools.islice(streamed, first, None)
    else:
        batches = shuffled_batches(source, batch_size, seed, first)
    for batch in prefetch(batches):
        tensor = torch.from_numpy(np.ascontiguousarray(batch[share]))
        if on_gpu:
            tensor = tensor.pin_memory().to(device, non_blocking=True)
        yield normalizer.apply_tensor(tensor)


def _run(
    learner: Learner,
    source: Reader | RowStream,
    normalizer: Normalizer,
    config: ResolvedConfig,
    seed: int,
    device: str,
    checkpoints: CheckpointFolder | None,
    log: Any,
    verbose: bool,
) -> None:
    """Take all the steps, from the newest checkpoint if there is one."""
    first = 0
    if checkpoints is not None and (found := checkpoints.load()) is not None:
        first, state = found
        learner.load_state(state)
    taken = first
    rank, _ = world()
    batches = _tensor_batches(source, normalizer, config.batch_size, seed, first, device)
    with progress_bar(
        total=config.n_steps,
        initial=first,
        desc="Training SAE",
        unit="step",
        disable=not verbose or rank > 0,
    ) as progress:
        for step, batch in zip(range(first, config.n_steps), batches, strict=False):
            rate = config.rate_at(step)
            report = learner.step(batch, rate, step)
            revive_dead(learner, batch, report, config, step, seed)
            progress.update()
            taken = step + 1
            if step % 20 == 0:
                error = float(report.errors.mean())
                refuse_divergence([error], config)
                progress.set_postfix(error=f"{error:.3f}")
                if rank == 0:
                    active = float(report.n_active) / len(batch)
                    log({"error": error, "l0": active, "rate": rate}, step)
            if checkpoints is not None and rank == 0 and checkpoints.due(step):
                checkpoints.save(step + 1, learner.state())
    if taken < config.n_steps:
        warnings.warn(
            f"embeddings ended after {taken} of {config.n_steps} steps: give n_steps={taken}, or "
            "an iterable that can be read more than once",
            stacklevel=3,
        )


def make_learner(weights: dict[str, np.ndarray], config: ResolvedConfig, device: str) -> Learner:
    """Return the faster implementation for the activation and device."""
    if _is_sparse(config, device):  # imported late: numba takes its time
        from saetm_plugins.atoms.training.sparse_learner import SparseLearner

        return SparseLearner(weights, config)
    return TorchLearner(weights, config, device)


def _is_sparse(config: TrainingConfig, device: str) -> bool:
    return torch.device(device).type == "cpu" and config.activation in ("topk", "batch_topk")


@contextmanager
def _fast_products(config: TrainingConfig, device: str) -> Iterator[None]:
    """On a GPU let float32 products run as TF32.

    On the CPU keep torch to one thread where the learner shares out its work itself.
    """
    if torch.device(device).type != "cuda":
        with single_threaded() if _is_sparse(config, device) else nullcontext():
            yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high")
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _seed_of(random_state: Any) -> int:
    if random_state is None:
        return int(np.random.SeedSequence().generate_state(1)[0])
    if isinstance(random_state, numbers.Integral) and int(random_state) >= 0:
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
