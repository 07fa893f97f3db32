"""What is done to each part of a corpus: a function a pass, which any process can run.

Each takes an :class:`Item` last and returns numbers or sums; nothing is solved here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from saetm_plugins.atom_model import AtomModel
from saetm_plugins.atoms import SparseAutoencoder
from saetm_plugins.corpus.duplicates import without_atoms
from saetm_plugins.corpus.read import Corpus
from saetm_plugins.corpus.word_counts import WordCounts
from saetm_plugins.corpus_sums import CorpusSums
from saetm_plugins.files.write import write_whole
from saetm_plugins.numerics.arrays import unit_rows
from saetm_plugins.scale.sources import Block, Part
from saetm_plugins.topics import Topics

_CELL = 0.04  # of embeddings of one text: rounding seldom leaves it; other pictures are elsewhere
_DIRECTIONS = 4


class Item(NamedTuple):
    """A part, with what is known of it from the first pass."""

    part: Part
    repeated: np.ndarray
    """Rows that an earlier document is a copy of, ascending."""
    checksums: dict[str, int]
    width: int | None = None

    def corpora(self, vectorizer: Any, words: Any = None) -> Iterator[Corpus]:
        """Yield documents in blocks, with blank rows and the rows to learn from found.

        Given `words`, the `vectorizer` counts them.
        """
        for block in self.part.read(True, True, dict(self.checksums), self.width):
            assert block.embeddings is not None
            n_rows = len(block.embeddings)
            corpus = Corpus(block.texts, block.embeddings, np.zeros(n_rows, dtype=bool))
            if words is None:
                corpus = corpus.with_blank(vectorizer)
            else:
                corpus = corpus.count_words(vectorizer, words).with_blank()
            corpus = corpus.with_distinct()
            repeated = self.repeated_in(block.first, n_rows)
            own = np.setdiff1d(corpus.distinct, repeated, assume_unique=True)
            yield replace(corpus, distinct=own)

    def repeated_in(self, first: int, n_rows: int) -> np.ndarray:
        """Return the repeated rows of a block."""
        start, stop = np.searchsorted(self.repeated, [first, first + n_rows])
        return self.repeated[start:stop] - first


def look(most: int, item: Item) -> tuple[int, dict[str, np.ndarray]]:
    """Check and hash a part; take the documents whose hash is at most `most` as a sample."""
    hashes: list[np.ndarray] = []
    rows: list[np.ndarray] = []
    texts: list[str] = []
    checksums: dict[str, int] = {}
    for block in item.part.read(True, True, checksums, item.width):
        assert block.embeddings is not None
        hashes.append(_hash(block))
        chosen = np.flatnonzero(hashes[-1] <= np.uint64(most))
        rows.append(block.embeddings[chosen])
        texts += [block.texts[row] for row in chosen] if block.texts else []
    every = np.concatenate(hashes)
    found = {"hashes": every, "sampled": every[every <= np.uint64(most)]}
    found |= {"rows": np.concatenate(rows), "checksums": as_bytes(checksums)}
    return item.part.number, found | ({"texts": as_bytes(texts)} if item.part.with_texts else {})


def count_words(vectorizer: Any, item: Item) -> WordCounts:
    """Count the words of the texts that repeat no earlier document."""
    counts = WordCounts.of([], vectorizer)
    for block in item.part.read(True, False, dict(item.checksums)):
        assert block.texts is not None
        repeated = set(item.repeated_in(block.first, len(block.texts)).tolist())
        own = [text for row, text in enumerate(block.texts) if row not in repeated]
        counts = counts + WordCounts.of(own, vectorizer)
    return counts


def sum_part(
    sae: SparseAutoencoder,
    words: np.ndarray | None,
    vectorizer: Any,
    sharpening: float,
    device: str,
    item: Item,
) -> CorpusSums:
    """Encode and count a part, and sum over its documents."""
    total: CorpusSums | None = None
    for corpus in item.corpora(vectorizer, words):
        sums = CorpusSums.of(
            sae, words, corpus, vectorizer=vectorizer, sharpening=sharpening, device=device
        )
        total = sums if total is None else total + sums
    assert total is not None
    return total


def save_result(task: Callable[[Item], Any], folder: Path, item: Item) -> tuple[int, int]:
    """Run a task, and write what it returns to a file of the part's number."""
    task(item).save(folder / f"0-{item.part.number}.safetensors")
    return item.part.number, item.part.n_rows


def assign(
    atoms: AtomModel,
    topics: Topics,
    vectorizer: Any,
    folder: Path,
    with_cosines: bool,
    item: Item,
) -> tuple[int, int]:
    """Write the topics of a part's documents to a Parquet file; count how near atoms are."""
    write = partial(_write_documents, atoms, topics, vectorizer, with_cosines, item)
    write_whole(documents_file(folder, item.part.number), write)
    return item.part.number, item.part.n_rows


def _write_documents(
    atoms: AtomModel, topics: Topics, vectorizer: Any, with_cosines: bool, item: Item, file: Path
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    places, counted, writer, done = item.part.places(), atoms, None, 0
    for corpus in item.corpora(vectorizer):
        activated, learned_from = (
            without_atoms(each, corpus.blank) for each in atoms.both_mixtures(corpus.embeddings)
        )
        if with_cosines:
            own = corpus.distinct
            counted = counted.with_cosines_of(corpus.embeddings[own], learned_from[own])
        near = atoms.with_near_atoms(activated, corpus.embeddings)
        labels, mixtures = topics.mixtures(without_atoms(near, corpus.blank))
        flat = pa.array(mixtures.ravel(), pa.float32())
        columns = {
            **{name: each.slice(done, len(labels)) for name, each in places.items()},
            "topic": pa.array(labels, pa.int32()),
            "mixture": pa.FixedSizeListArray.from_arrays(flat, mixtures.shape[1]),
        }
        table, done = pa.table(columns), done + len(labels)
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    if (cosines := counted.sums.cosine_counts) is not None:
        writer.add_key_value_metadata({"cosines": json.dumps(cosines.tolist())})
    writer.close()


def documents_file(folder: Path, number: int) -> Path:
    """Return the file of a part's documents."""
    return folder / f"part-{number:06d}.parquet"


def cosine_counts(file: Path) -> np.ndarray:
    """Return what :func:`assign` counted."""
    import pyarrow.parquet as pq

    return np.array(json.loads(pq.read_metadata(file).metadata[b"cosines"]))


def as_bytes(content: Any) -> np.ndarray:
    """Return what JSON can hold as an array, for safetensors."""
    return np.frombuffer(json.dumps(content).encode(), dtype=np.uint8)


def _hash(block: Block) -> np.ndarray:
    """Return a number for each document, (n,) uint64: of its text and about where it lies."""
    rows = block.embeddings
    assert rows is not None
    if block.texts is None:
        keys = [row.tobytes() for row in rows]
    else:
        directions = np.random.default_rng(0).normal(size=(rows.shape[1], _DIRECTIONS))
        places = unit_rows(rows) @ directions.astype(np.float32)
        cells = np.floor(places / np.float32(_CELL)).astype(np.int64)
        pairs = zip(block.texts, cells, strict=True)
        keys = [text.encode() + cell.tobytes() for text, cell in pairs]
    digests = b"".join(blake2b(each, digest_size=8).digest() for each in keys)
    return np.frombuffer(digests, dtype=np.uint64)


def without_words(atoms: AtomModel) -> AtomModel:
    """Return what encoding documents needs of a model, which every process gets."""
    names = ("atom_words", "document_frequency", "embedded_document_frequency", "word_embeddings")
    left_out: dict[str, Any] = dict.fromkeys((*names, "cosine_counts"))
    pairs = sp.csr_matrix((atoms.n_atoms, atoms.n_atoms))
    sums = replace(atoms.sums, atom_pairs=pairs, **left_out)
    return replace(atoms, sums=sums, vocabulary=None, word_vectors=None)
