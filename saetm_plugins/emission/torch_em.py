"""Emission by expectation-maximisation in PyTorch, on any device (paper, sec. 4).

The same pass as `em.py`, with B resident on the device as (V, K): the counts, sorted by word, are
walked in chunks; each chunk gathers its documents' atoms, and adds what they explain to the
statistics with ``index_add_``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch

from saetm_plugins.emission.inputs import Corpus


class Part(NamedTuple):
    """Documents of about as many atoms each, on the device."""

    atoms: torch.Tensor
    """(n, A), int32; padded with atom 0."""
    weights: torch.Tensor
    """θ, (n, A), float32; padded with 0."""
    words: torch.Tensor
    """The word of each count, (nnz,), int32, ascending."""
    docs: torch.Tensor
    """The row of each count, (nnz,), int32."""
    counts: torch.Tensor


class TorchEM:
    """The parameters of one fit on a torch device; the interface of `em.NumbaEM`."""

    def __init__(
        self,
        word_totals: np.ndarray,
        n_atoms: int,
        background_weight: float,
        prior: float,
        device: torch.device,
    ):
        self.device = device
        self.total = float(word_totals.sum())
        self.pi = float(background_weight)
        self.prior = float(prior)
        self._mean = torch.from_numpy((word_totals / self.total).astype(np.float32)).to(device)
        self._background = self._mean.clone()
        self._word_atoms = self._mean[:, None].repeat(1, n_atoms)
        self._atom_mass = torch.zeros(n_atoms, dtype=torch.float64, device=device)
        # Float64: sums in float32 stop growing at 2**24 documents.
        self._responses = torch.zeros_like(self._word_atoms, dtype=torch.float64)
        self._ratios = torch.zeros_like(self._mean, dtype=torch.float64)
        # Entries that a chunk gathers at once, each in a few tensors of 4 bytes.
        self._entries = 1 << (26 if device.type == "cuda" else 20)

    def load(self, corpus: Corpus) -> list[Part]:
        """Move documents to the device, those of up to 2^i atoms together to keep padding small."""
        lengths = np.diff(corpus.doc_atoms.indptr)
        widths = 1 << np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
        by_document = corpus.bow.tocsr()
        return [
            self._part(corpus.doc_atoms[rows], by_document[rows], int(width))
            for width in np.unique(widths)
            for rows in [np.flatnonzero(widths == width)]
        ]

    def _part(self, theta: sp.csr_matrix, bow: sp.csr_matrix, width: int) -> Part:
        lengths = np.diff(theta.indptr)
        rows = np.repeat(np.arange(theta.shape[0]), lengths)
        columns = np.arange(theta.nnz) - np.repeat(theta.indptr[:-1], lengths)
        atoms = np.zeros((theta.shape[0], width), np.int32)
        weights = np.zeros((theta.shape[0], width), np.float32)
        atoms[rows, columns] = theta.indices
        weights[rows, columns] = theta.data
        by_word = bow.tocsc()
        words = np.repeat(np.arange(bow.shape[1], dtype=np.int32), np.diff(by_word.indptr))
        arrays = (atoms, weights, words, by_word.indices.astype(np.int32), by_word.data)
        return Part(*(torch.from_numpy(array).to(self.device) for array in arrays))

    def sweep(self, block: list[Part]) -> float:
        """Do one pass over the corpus; return the objective before it, per weighted token."""
        log_likelihood = self._gather(block)
        log_prior = 0.0
        if self.prior > 0:
            seen = self._mean > 0
            ratios = self._word_atoms[seen] / self._mean[seen, None]
            log_prior = float(self._mean[seen].double() @ ratios.log_().sum(1, dtype=torch.float64))
        expected = self._word_atoms.mul_(self._responses).mul_(1 - self.pi)
        expected.add_(self._mean[:, None], alpha=self.prior)
        self._atom_mass = expected.sum(0, dtype=torch.float64)
        expected.div_(self._atom_mass.clamp(min=torch.finfo(torch.float32).tiny).float())
        background = self._background * self._ratios
        if background.sum() > 0:
            self._background = background / background.sum(dtype=torch.float64)
            self._background = self._background.float()
        self._responses.zero_()
        self._ratios.zero_()
        return (log_likelihood + self.prior * log_prior) / self.total

    def _gather(self, block: list[Part]) -> float:
        """E-step: add up Σ θ n / q per word and atom and Σ n / q per word; return Σ n log q."""
        log_likelihood = torch.zeros((), dtype=torch.float64, device=self.device)
        for words, counts, entries, weights, probs in self._explain(block):
            possible = probs > 0  # not in a document without atoms, if the background has no weight
            counts, probs = counts * possible, torch.where(possible, probs, 1.0)
            log_likelihood += (counts * probs.log()).sum(dtype=torch.float64)
            ratio = counts / probs
            self._ratios.index_add_(0, words, ratio.double())
            self._responses.view(-1).index_add_(
                0, entries.view(-1), (weights * ratio[:, None]).view(-1).double()
            )
        return float(log_likelihood)

    def score(self, block: list[Part]) -> tuple[float, float]:
        """Return Σ n log q over a block and the Σ n of its words that have a probability."""
        log_likelihood = torch.zeros((), dtype=torch.float64, device=self.device)
        total = torch.zeros_like(log_likelihood)
        for words, counts, _, _, probs in self._explain(block):
            known = counts * (self._background[words] > 0)
            log_likelihood += torch.special.xlogy(known, probs).sum(dtype=torch.float64)
            total += known.sum(dtype=torch.float64)
        return float(log_likelihood), float(total)

    def atom_words(self) -> np.ndarray:
        """Return B, (K, V) float32; rows sum to 1, or to 0 for an atom without words."""
        return self._word_atoms.T.contiguous().cpu().numpy()

    @property
    def background(self) -> np.ndarray:
        """P0, (V,) float32."""
        return self._background.cpu().numpy()

    @property
    def atom_mass(self) -> np.ndarray:
        """Expected weighted tokens of each atom plus the prior's, (K,) float64."""
        return self._atom_mass.cpu().numpy()

    def _explain(self, block: list[Part]) -> Iterator[tuple[torch.Tensor, ...]]:
        """Yield, for counts in chunks, words, counts, entries of B (c, A), their weights, and q."""
        n_words, n_atoms = self._word_atoms.shape
        for part in block:
            chunk = max(1, self._entries // part.atoms.shape[1])
            columns = (column.split(chunk) for column in (part.words, part.docs, part.counts))
            for words, docs, counts in zip(*columns, strict=True):
                rows = words if n_words * n_atoms < 2**31 else words.long()
                entries = part.atoms[docs] + (rows * n_atoms)[:, None]
                weights = part.weights[docs]
                gathered = self._word_atoms.view(-1).index_select(0, entries.view(-1))
                mixed = torch.linalg.vecdot(gathered.view(entries.shape), weights)
                probs = self.pi * self._background[words] + (1 - self.pi) * mixed
                yield words, counts, entries, weights, probs
