"""Long texts in passages: an encoder reads the first few hundred tokens of a text and no more."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from saetm_plugins.corpus.encoders import load_encoder, token_counter, token_limit
from saetm_plugins.corpus.passages import Passages, encode_passages
from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.validation import check_choice, check_count

_UNITS = 2048  # sentences whose tokens are counted at a time
_FEW = 64  # tokens, of two or three sentences
_LONGEST_TOKEN = 16  # characters; texts of more than this a token are long without counting
# A sentence ends with its mark and a space; Chinese, Japanese and Hindi marks need no space.
_SENTENCE = re.compile(
    r"[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[\"”’」』）]*\s*|[।॥؟۔]+[\"”»]*\s*|\n\s*\n\s*"
)
_PARAGRAPH = re.compile(r"\n\s*\n\s*")
_WORD = re.compile(r"\s+")


@dataclass(frozen=True)
class Chunker:
    """Split texts into passages of whole sentences or paragraphs, as long as the encoder reads.

    Parameters
    ----------
    by : {"sentence", "paragraph"}, default="sentence"
        The unit that is split only if it is too long by itself.
    max_tokens : int, optional
        Tokens of a passage at most; None: as many as the encoder reads. Words are counted where
        an encoder has no tokenizer.
    overlap : int, default=0
        Up to this many tokens of whole sentences before a passage are read along with it. They are
        context: words are counted in one passage only.
    """

    by: str = "sentence"
    max_tokens: int | None = None
    overlap: int = 0

    def __post_init__(self) -> None:
        check_choice(self.by, "by", ("sentence", "paragraph"))
        if self.max_tokens is not None:
            check_count(self.max_tokens, "max_tokens", minimum=8)
        check_count(self.overlap, "overlap", minimum=0)
        if self.max_tokens is not None:
            self._check_overlap(self.max_tokens)

    def split(self, documents: Any, encoder: Any = None) -> Passages:
        """Split texts; one that is short enough is one passage. Takes encoders or their names."""
        texts = check_documents(documents)
        encoder = load_encoder(encoder)
        limit = self._limit(encoder)
        return _split(texts, token_counter(encoder), limit, self, longer_than=limit)

    def embed(self, documents: Any, encoder: Any = None, *, verbose: bool = False) -> Passages:
        """Split texts as :meth:`split` does and embed the passages: ``embeddings=`` of a fit."""
        texts = check_documents(documents)
        encoder = load_encoder(encoder)
        return encode_passages(encoder, texts, self.split(texts, encoder), verbose=verbose)

    def _limit(self, encoder: Any) -> int:
        reads = token_limit(encoder)
        limit = self.max_tokens or reads
        if limit is None:
            name = type(encoder).__name__
            raise ValueError(f"max_tokens is not given, and {name} has no max_seq_length")
        if reads is not None and limit > reads:
            raise ValueError(
                f"max_tokens must be at most the {reads} tokens that the encoder reads; "
                f"found {limit}"
            )
        self._check_overlap(limit)
        return limit

    def _check_overlap(self, limit: int) -> None:
        if 2 * self.overlap > limit:
            raise ValueError(f"overlap must be at most {limit // 2}; found {self.overlap}")


def check_chunk(chunk: Any, name: str = "chunk") -> Any:
    """Return a `chunk` argument: None, "auto" or a Chunker."""
    if isinstance(chunk, str):
        return check_choice(chunk, name, ("auto",))
    if chunk is not None and not isinstance(chunk, Chunker):
        raise TypeError(f'{name} must be None, "auto" or a Chunker; found {chunk!r:.80}')
    return chunk


def fine_chunker(encoder: Any) -> Chunker:
    """Return a chunker into passages of a few sentences, short enough for `encoder`."""
    reads = token_limit(encoder)
    return Chunker(max_tokens=_FEW if reads is None else min(_FEW, reads))


def pack_chunk(chunk: Any) -> Any:
    """Return a `chunk` argument as JSON holds it."""
    return asdict(chunk) if isinstance(chunk, Chunker) else chunk


def unpack_chunk(packed: Any) -> Any:
    """Return the `chunk` argument that :func:`pack_chunk` wrote."""
    if not isinstance(packed, dict):
        return check_chunk(packed, "the saved model's chunk")
    try:
        return Chunker(**packed)
    except TypeError as error:
        raise ValueError(f"the saved model's chunk: {error}") from error


def split_long(
    texts: Sequence[str], encoder: Any, chunk: Any, *, stacklevel: int = 4
) -> Passages | None:
    """Split the texts that are too long, by `chunk` as of a fit; None where there are none.

    "auto" splits texts that are longer than the encoder reads, where this is known, and warns.
    """
    if chunk is None:
        return None
    if isinstance(chunk, Chunker):
        passages = chunk.split(texts, encoder)
        return None if len(passages) == len(texts) else passages
    reads = token_limit(encoder)
    if reads is None:
        return None
    # Shorter passages than can be read are of fewer subjects, and the sentences read along before
    # them give the context.
    size = max(8, reads // 2)
    chunker = Chunker(max_tokens=size, overlap=reads // 8)
    count = token_counter(encoder)
    passages = _split(list(texts), count, min(size, reads), chunker, longer_than=reads)
    if len(passages) == len(texts):
        return None
    long = passages.is_split
    warnings.warn(
        f"{long.sum()} of {len(texts)} documents are longer than the {reads} tokens that the "
        f"encoder reads, and are read in {long[passages.documents].sum()} passages; with "
        "chunk=None their beginnings alone would be",
        UserWarning,
        stacklevel=stacklevel,
    )
    return passages


Count = Callable[[Sequence[str]], np.ndarray]
"""From texts to their numbers of tokens, (n,) int64."""


def _split(
    texts: list[str], count: Count, limit: int, chunker: Chunker, *, longer_than: int
) -> Passages:
    """Split texts of more than `longer_than` tokens into passages of at most `limit`."""
    tokens = np.zeros(len(texts), dtype=np.int64)
    sizes = np.array([len(text) for text in texts], dtype=np.int64)
    # No tokenizer makes more tokens than bytes.
    is_short = sizes < longer_than
    is_short[is_short] = [
        len(texts[row].encode()) < longer_than for row in np.flatnonzero(is_short)
    ]
    tokens[is_short] = np.maximum(1, sizes[is_short] // 4)  # a guess; such a text is one passage
    tokens[sizes > _LONGEST_TOKEN * longer_than] = longer_than + 1
    for rows in _blocks(np.flatnonzero(tokens == 0)):
        tokens[rows] = count([texts[row] for row in rows])
    short = np.flatnonzero(tokens <= longer_than)
    pieces = [np.column_stack([short, 0 * short, 0 * short, sizes[short], tokens[short]])]
    for row in np.flatnonzero(tokens > longer_than):
        ends, counted = _count_units(texts[row], count, limit, chunker)
        pieces.append(np.insert(_pack(ends, counted, limit, chunker.overlap), 0, row, axis=1))
    spans = np.concatenate(pieces)
    spans = spans[np.argsort(spans[:, 0], kind="stable")]
    documents, contexts, starts, ends, tokens = np.ascontiguousarray(spans.T)
    return Passages(documents, contexts, starts, ends, tokens, len(texts))


def _blocks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(rows), _UNITS):
        yield rows[first : first + _UNITS]


def _count_units(
    text: str, count: Count, limit: int, chunker: Chunker
) -> tuple[np.ndarray, np.ndarray]:
    """Return where units (sentences, or parts of too long ones) end, and their tokens."""
    at = _SENTENCE if chunker.by == "sentence" else _PARAGRAPH
    budget = limit - chunker.overlap
    ends = _ends(text, at)
    tokens = _count(text, ends, count)
    patterns = [_SENTENCE, _WORD] if chunker.by == "paragraph" else [_WORD]
    for pattern in [*patterns, None]:
        long = np.flatnonzero(tokens > budget)
        if len(long) == 0:
            break
        starts = np.concatenate(([0], ends[:-1]))
        cuts = [ends]
        for unit in long:
            start, end = int(starts[unit]), int(ends[unit])
            if pattern is None:  # no spaces: Chinese without marks, or no language at all
                cuts.append(np.arange(start, end, max(1, budget // 4))[1:])
            else:
                cuts.append(start + _ends(text[start:end], pattern))
        ends = np.unique(np.concatenate(cuts))
        tokens = _count(text, ends, count)
    return ends, tokens


def _ends(text: str, pattern: re.Pattern[str]) -> np.ndarray:
    ends = [match.end() for match in pattern.finditer(text)]
    return np.unique(np.array([*ends, len(text)], dtype=np.int64))


def _count(text: str, ends: np.ndarray, count: Count) -> np.ndarray:
    starts = np.concatenate(([0], ends[:-1]))
    counted = [
        count([text[starts[unit] : ends[unit]] for unit in units])
        for units in _blocks(np.arange(len(ends)))
    ]
    return np.concatenate(counted)


def _pack(ends: np.ndarray, tokens: np.ndarray, limit: int, overlap: int) -> np.ndarray:
    """Pack units into passages of about equal length: (m, 4) of context, start, end and tokens."""
    budget = limit - overlap
    total = int(tokens.sum())
    target = total / max(1, math.ceil(total / budget))
    starts = np.concatenate(([0], ends[:-1]))
    packed = []
    first, size = 0, 0
    for unit, n in enumerate([*tokens.tolist(), budget + 1]):
        if unit > first and (size + n > budget or size + n / 2 > target):
            context, room = first, overlap
            while context > 0 and tokens[context - 1] <= room:
                context -= 1
                room -= tokens[context]
            packed.append((starts[context], starts[first], ends[unit - 1], max(1, size)))
            first, size = unit, 0
        size += n
    return np.array(packed, dtype=np.int64)
