"""The documents of an analysis: which atoms and topics each holds, a block of rows at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from saetm_plugins.analysis.fitted import as_topic_model, document_atoms
from saetm_plugins.model import SAETopicModel
from saetm_plugins.numerics.pairs import keep_entries, largest_entries
from saetm_plugins.validation import check_doc_topics, check_mixtures_of_atoms

BLOCK_ROWS = 4096
"""Documents whose mixtures are dense at once."""
LEVELS = ("topics", "atoms")


@dataclass(frozen=True)
class Documents:
    """Documents as mixtures, of the fitted corpus or of another.

    ``doc_atoms`` (n, n_atoms) is None where only topics are known; ``doc_topics`` (n, n_topics) is
    None where it is computed from the atoms, a block at a time.
    """

    model: SAETopicModel
    doc_atoms: sp.csr_matrix | None
    doc_topics: np.ndarray | None

    def __len__(self) -> int:
        known = self.doc_topics if self.doc_atoms is None else self.doc_atoms
        assert known is not None
        return known.shape[0]

    def shares(self, rows: np.ndarray, level: str = "topics") -> np.ndarray:
        """Return the mixtures of some documents, (len(rows), n_topics or n_atoms), float32."""
        if level == "atoms":
            return self.need_atoms('level="atoms"')[rows].toarray()
        if self.doc_topics is not None:
            return np.asarray(self.doc_topics[rows], dtype=np.float32)
        return self.model.topics_of(self.need_atoms("topics")[rows])[1]

    def present(self, level: str = "topics", threshold: float = 0.0) -> sp.csr_matrix:
        """Return which topics or atoms are in which documents, as zeros and ones.

        A topic is in a document that has an active atom of it (see :func:`atoms_of_topics`), or,
        with a `threshold` above 0, a larger share of it than that; an atom likewise. Active are
        the strongest atoms of a mixture, as many as the autoencoder activates.

        Returns
        -------
        csr_matrix of shape (n, n_topics or n_atoms), float32
        """
        if level == "topics" and threshold > 0:
            blocks = [
                sp.csr_matrix(self.shares(rows) > threshold, dtype=np.float32)
                for rows in row_blocks(np.arange(len(self)))
            ]
            return sp.vstack(blocks, format="csr")
        what = 'level="atoms"' if level == "atoms" else "threshold=0, the coverage by active atoms,"
        atoms = self.need_atoms(what)
        kept = atoms.data > threshold
        if threshold == 0 and self.model.sae_.k:
            kept &= largest_entries(atoms.indptr, atoms.data, -np.inf, self.model.sae_.k)
        indptr, indices = keep_entries(atoms.indptr, kept, atoms.indices)
        ones = np.ones(len(indices), dtype=np.float32)
        active = sp.csr_matrix((ones, indices, indptr), shape=atoms.shape)
        if level == "atoms":
            return active
        topics = sp.csr_matrix(active @ atoms_of_topics(self.model))
        topics.eliminate_zeros()
        topics.data = np.ones_like(topics.data)
        return topics

    def need_atoms(self, what: str) -> sp.csr_matrix:
        """Return `doc_atoms`; raise a ValueError, which names `what` needs them, without."""
        if self.doc_atoms is None:
            raise ValueError(
                f"{what} needs the documents' atoms: pass doc_atoms=model.transform_atoms(…)"
            )
        return self.doc_atoms


def read_documents(model: Any, doc_topics: Any = None, doc_atoms: Any = None) -> Documents:
    """Return the documents to analyse: those given, else those the model was fitted to."""
    model = as_topic_model(model)
    if doc_topics is None and doc_atoms is None:
        return Documents(model, document_atoms(model), model.doc_topics_)
    if doc_atoms is not None:
        doc_atoms = check_mixtures_of_atoms(doc_atoms, model.sae_.n_atoms)
        if doc_atoms.shape[0] == 0:
            raise ValueError("doc_atoms holds no documents")
    if doc_topics is not None:
        doc_topics = check_doc_topics(doc_topics, model.n_topics_)
        if doc_atoms is not None and len(doc_topics) != doc_atoms.shape[0]:
            raise ValueError(
                f"doc_topics has {len(doc_topics)} rows, doc_atoms {doc_atoms.shape[0]}"
            )
    return Documents(model, doc_atoms, doc_topics)


def atoms_of_topics(model: Any) -> sp.csr_matrix:
    """Return which atoms belong to which topic: each to the one it has the largest weight in.

    A soft merge (NMF) splits atoms; here the largest weight decides. An atom with its largest
    weight in a deleted topic belongs to no topic. A topic without atoms gets the atom that has the
    largest weight in it.

    Parameters
    ----------
    model : as of :func:`as_topic_model`

    Returns
    -------
    csr_matrix of shape (n_atoms, n_topics), float32
        Ones and zeros.
    """
    topics = as_topic_model(model).topics_
    weights = topics.atom_topics.toarray()
    largest = weights.max(axis=1)
    owned = largest > 0
    if topics.deleted is not None:
        owned &= largest >= topics.deleted.max(axis=1).toarray().ravel()
    atoms = np.flatnonzero(owned)
    owners = weights.argmax(axis=1)[atoms]
    bare = np.setdiff1d(np.flatnonzero(weights.max(axis=0) > 0), owners)
    atoms = np.concatenate([atoms, weights[:, bare].argmax(axis=0)])
    owners = np.concatenate([owners, bare])
    return sp.csr_matrix((np.ones(len(atoms), np.float32), (atoms, owners)), shape=weights.shape)


def row_blocks(rows: np.ndarray, size: int = BLOCK_ROWS) -> list[np.ndarray]:
    """Cut row numbers into blocks of at most `size`."""
    return [rows[first : first + size] for first in range(0, len(rows), size)]
