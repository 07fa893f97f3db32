"""Atoms that ship with the package: trained once on texts of many kinds, for the default encoder.

They need no training and no download, give every corpus the same atoms, and carry their own words.
How they were made: ``foundation/README.md`` beside this file, ``benchmarks/foundation_atoms.py``.
"""

from __future__ import annotations

import functools
import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saetm_plugins.atoms.autoencoder import SparseAutoencoder
from saetm_plugins.files.folders import check_checksums, load_folder
from saetm_plugins.numerics.arrays import unit_rows

FOLDER = Path(__file__).with_name("foundation")
FOUNDATION_KIND = "foundation-atoms"
DESCRIPTIONS = "descriptions.json.gz"
CARD = "card.json"
DEFAULT_SIZE = 4096
"""How many of the atoms are taken where nobody says how many (benchmarks/RESULTS.md)."""
STEP = "_step"
"""Ends the name of the tensor with what one step of an atom's int8 weights stands for."""


class AtomDescription(NamedTuple):
    """What one of the shipped atoms is about, in the texts that the atoms were trained on."""

    words: tuple[str, ...]
    """Ten, the most typical first; none for an atom that hardly occurs there."""
    sentences: tuple[str, ...]
    """A few that activate it most, of sources that may be quoted."""
    sources: tuple[str, ...]
    """Where each sentence is from: an address, licences of which the card names."""
    share: float
    """Its mean share of a text."""


@functools.cache
def foundation_card() -> dict[str, Any]:
    """Return the shipped atoms' facts: data with counts and licences, sizes, what was measured.

    Returns
    -------
    dict
        ``sizes`` (numbers of atoms, ascending), ``thresholds`` (of each size), ``data`` (a row a
        source), ``n_texts``, ``statistics`` (of each size: ``fvu``, ``l0``, ``n_dead``, ...).
    """
    card: dict[str, Any] = json.loads((_whole_folder() / CARD).read_text(encoding="utf-8"))
    return card


def foundation_sizes() -> tuple[int, ...]:
    """Return the numbers of atoms that :func:`load_foundation` offers, ascending."""
    return tuple(foundation_card()["sizes"])


def foundation_encoder_name() -> str:
    """Return the name of the encoder whose embeddings the shipped atoms are for."""
    name: str = foundation_card()["encoder"]
    return name


@functools.cache
def load_foundation(n_atoms: int | None = None) -> SparseAutoencoder:
    """Return the atoms that ship with the package, for embeddings of all-MiniLM-L6-v2.

    The atoms are nested: the first of a larger set are those of a smaller one.

    Parameters
    ----------
    n_atoms : int, optional
        One of :func:`foundation_sizes`; None: 4,096.

    Returns
    -------
    SparseAutoencoder
        The same object at every call; do not change its weights.
    """
    card, size = foundation_card(), _check_size(n_atoms)
    sae = read_foundation(FOLDER, size)
    sae.thresholds_ = np.full(size, card["thresholds"][str(size)], dtype=np.float32)
    sae.statistics_ = dict(card["statistics"][str(size)])
    return sae


def read_foundation(folder: Path, n_atoms: int | None = None) -> SparseAutoencoder:
    """Return the first, or all, atoms of a folder like the one that ships."""
    config, tensors = load_folder(folder, FOUNDATION_KIND)
    try:
        return unpack_foundation(config, tensors, n_atoms)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"{str(folder)!r} is not a complete {FOUNDATION_KIND}: {error}") from error


def unpack_foundation(
    config: dict[str, Any], tensors: dict[str, np.ndarray], n_atoms: int | None = None
) -> SparseAutoencoder:
    """Return the autoencoder whose encoder and decoder are stored in int8, a step an atom."""
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

    Parameters
    ----------
    sae : SparseAutoencoder
    embeddings : ndarray of shape (n, d)
    centre : ndarray of shape (d,), optional
        What variance is taken about; None: the mean of `embeddings`.
    """
    embeddings = np.asarray(embeddings, dtype=np.float32)
    missing = np.square(embeddings - sae.reconstruct(embeddings)).sum(dtype=np.float64)
    about = (
        embeddings.mean(axis=0, dtype=np.float64).astype(np.float32) if centre is None else centre
    )
    return float(missing / np.square(embeddings - about).sum(dtype=np.float64))


@functools.cache
def atom_descriptions(n_atoms: int | None = None) -> tuple[AtomDescription, ...]:
    """Return words and typical sentences of each shipped atom, in the order of the atoms.

    Parameters
    ----------
    n_atoms : int, optional
        As :func:`load_foundation`.
    """
    size = _check_size(n_atoms)
    with gzip.open(_whole_folder() / DESCRIPTIONS, "rt", encoding="utf-8") as stream:
        told = json.load(stream)
    return tuple(
        AtomDescription(
            tuple(words),
            tuple(text for text, _ in quoted),
            tuple(told["sources"][number] for _, number in quoted),
            share,
        )
        for words, quoted, share in zip(
            told["words"][:size], told["sentences"][:size], told["shares"][:size], strict=True
        )
    )


@functools.cache
def _whole_folder() -> Path:
    """Return the folder, after its files were compared with their checksums."""
    check_checksums(FOLDER)
    return FOLDER


def _check_size(n_atoms: int | None) -> int:
    sizes = foundation_sizes()
    if n_atoms is not None and n_atoms not in sizes:
        raise ValueError(
            f"n_atoms must be one of {', '.join(map(str, sizes))}, the sizes that ship with the "
            f"package; found {n_atoms!r}"
        )
    return DEFAULT_SIZE if n_atoms is None else n_atoms
