"""Blocks of mixtures and counts in a folder, for corpora that do not fit in memory."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import scipy.sparse as sp
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from saetm_plugins.emission.inputs import check_counts, check_mixtures
from saetm_plugins.files.folders import pack_csr, unpack_csr
from saetm_plugins.files.write import write_whole


class BlockFolder:
    """A folder of safetensors files, each a block of documents; iterates over them in order.

    Parameters
    ----------
    path : path
        Created if it does not exist; the blocks it already holds are kept.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.path.mkdir(parents=True, exist_ok=True)

    def append(self, doc_atoms: Any, bow: Any) -> None:
        """Write a block after the last: `doc_atoms` (n, K) and `bow` (n, V), sparse or dense."""
        counts = check_counts(bow)
        theta = check_mixtures(doc_atoms, n_docs=counts.shape[0])
        file = self.path / f"block-{len(self):06d}.safetensors"
        tensors = {**pack_csr("doc_atoms", theta), **pack_csr("bow", counts)}
        write_whole(file, lambda target: save_file(tensors, target))

    def __len__(self) -> int:
        return len(self._files())

    def __iter__(self) -> Iterator[tuple[sp.csr_matrix, sp.csr_matrix]]:
        """Yield pairs (doc_atoms, bow); a truncated or foreign file is a ValueError naming it."""
        for file in self._files():
            try:
                tensors = load_file(file)
                yield unpack_csr("doc_atoms", tensors), unpack_csr("bow", tensors)
            except SafetensorError as error:
                raise ValueError(f"{str(file)!r} is truncated or not safetensors") from error

    def _files(self) -> list[Path]:
        return sorted(self.path.glob("block-*.safetensors"))
