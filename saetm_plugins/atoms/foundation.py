"""Atoms that ship with the package: trained once on texts of many kinds, for the default encoder.

How they were made: ``foundation/README.md`` beside this file, ``benchmarks/foundation_atoms.py``.
"""

from __future__ import annotations

import functools
import gzip
import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.files.folders import check_checksums, load_folder
from saetm_plugins.numerics.arrays import unit_rows

FOLDER = Path(__file__).with_name("foundation")
FINE = "saetm_plugins_atoms"
"""Package of more atoms than :data:`DEFAULT_SIZE`; ``fine/`` beside this file is made into it."""
FOUNDATION_KIND = "foundation-atoms"
DESCRIPTIONS = "descriptions.json.gz"
CARD = "card.json"
DEFAULT_SIZE = 4096
STEP = "_step"
"""Suffix of the tensors of scales, one per atom, of int8 weights."""


class AtomDescription(NamedTuple):
    """Typical words and sentences of a shipped atom, in the texts of its training."""

    words: tuple[str, ...]
    """Ten, the most typical first; empty for an atom that hardly occurs."""
    sentences: tuple[str, ...]
    """A few that activate it most, from sources that may be quoted."""
    sources: tuple[str, ...]
    """The address of each sentence's source; the card has its licence."""
    share: float
    """Its mean share of a text."""


@functools.cache
def foundation_card() -> dict[str, Any]:
    """Return facts about the shipped atoms.

    Returns
    -------
    dict
        ``sizes`` (numbers of atoms, ascending), ``thresholds`` (of each size), ``data`` (a row per
        source), ``n_texts``, ``statistics`` (of each size: ``fvu``, ``l0``, ``n_dead``, ...).
    """
    card: dict[str, Any] = json.loads((_folder_of(DEFAULT_SIZE) / CARD).read_text(encoding="utf-8"))
    return card


def foundation_sizes() -> tuple[int, ...]:
    """Return the numbers of atoms that :func:`load_foundation` offers, ascending."""
    return tuple(foundation_card()["sizes"])


@functools.cache
def load_foundation(n_atoms: int | None = None) -> SparseAutoencoder:
    """Return the atoms that ship with the package, for embeddings of all-MiniLM-L6-v2.

    `n_atoms` is one of :func:`foundation_sizes`, 4,096 by default; smaller sets are the first atoms
    of larger ones, and 16,384 need the package saetm-plugins-atoms (else an ImportError). Every
    call returns the same object; do not change its weights.
    """
    card, size = foundation_card(), _check_size(n_atoms)
    sae = read_foundation(_folder_of(size), size)
    sae.thresholds_ = np.full(size, card["thresholds"][str(size)], dtype=np.float32)
    sae.statistics_ = dict(card["statistics"][str(size)])
    return sae


def read_foundation(folder: Path, n_atoms: int | None = None) -> SparseAutoencoder:
    """Return all or the first `n_atoms` atoms of a folder like the one that ships."""
    config, tensors = load_folder(folder, FOUNDATION_KIND)
    try:
        return unpack_foundation(config, tensors, n_atoms)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{str(folder)!r} is not a complete {FOUNDATION_KIND}: {error}") from error


def unpack_foundation(
    config: dict[str, Any], tensors: dict[str, np.ndarray], n_atoms: int | None = None
) -> SparseAutoencoder:
    """Return the autoencoder whose encoder and decoder are stored in int8 with scales."""
    weights = {name: tensors[name] for name in ("decoder_bias", "mean")}
    for name in ("encoder", "decoder"):
        weights[name] = tensors[name][:n_atoms] * tensors[name + STEP][:n_atoms, None]
    for name in ("encoder_bias", "thresholds"):
        weights[name] = tensors[name][:n_atoms]
    weights["decoder"] = unit_rows(weights["decoder"])
    return SparseAutoencoder(weights, **config)


def unexplained(
    sae: SparseAutoencoder, embeddings: np.ndarray, centre: np.ndarray | None = None
) -> float:
    """Return the fraction of the variance of (n, d) embeddings that the atoms leave unexplained.

    Variance is taken about `centre` (d,), by default the mean of `embeddings`.
    """
    embeddings = np.asarray(embeddings, dtype=np.float32)
    missing = np.square(embeddings - sae.reconstruct(embeddings)).sum(dtype=np.float64)
    if centre is None:
        centre = embeddings.mean(axis=0, dtype=np.float64).astype(np.float32)
    return float(missing / np.square(embeddings - centre).sum(dtype=np.float64))


@functools.cache
def atom_descriptions(n_atoms: int | None = None) -> tuple[AtomDescription, ...]:
    """Return the description of each atom of :func:`load_foundation`."""
    size = _check_size(n_atoms)
    with gzip.open(_folder_of(size) / DESCRIPTIONS, "rt", encoding="utf-8") as stream:
        stored = json.load(stream)
    columns = (stored[name][:size] for name in ("words", "sentences", "shares"))
    return tuple(
        AtomDescription(
            tuple(words),
            tuple(text for text, _ in quoted),
            tuple(stored["sources"][number] for _, number in quoted),
            share,
        )
        for words, quoted, share in zip(*columns, strict=True)
    )


@functools.cache
def _folder_of(n_atoms: int) -> Path:
    """Return the folder of so many atoms after comparing its files with their checksums."""
    folder = FOLDER
    if n_atoms > DEFAULT_SIZE:
        if (found := find_spec(FINE)) is None or found.origin is None:
            raise ImportError(
                f"n_atoms={n_atoms} needs the package saetm-plugins-atoms: "
                "pip install saetm-plugins-atoms"
            )
        folder = Path(found.origin).parent
    check_checksums(folder)
    return folder


def _check_size(n_atoms: int | None) -> int:
    sizes = foundation_sizes()
    if n_atoms is not None and n_atoms not in sizes:
        raise ValueError(
            f"n_atoms must be one of {', '.join(map(str, sizes))}, the sizes that ship with the "
            f"package; found {n_atoms!r}"
        )
    return DEFAULT_SIZE if n_atoms is None else n_atoms
