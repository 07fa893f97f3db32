"""How often words occur in texts: additive, so that no batch decides on the vocabulary."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file

from saetm_plugins.corpus.texts import check_documents
from saetm_plugins.corpus.vectorizers import copy_vectorizer, default_vectorizer
from saetm_plugins.files.write import write_whole


@dataclass(frozen=True, eq=False)
class WordCounts:
    """All words of texts. Those of two batches added are those of both, in any order.

    Attributes
    ----------
    words : ndarray of shape (W,), str objects, sorted
    document_frequency, frequency : ndarray of shape (W,), int64
        Texts that hold each word, and its occurrences.
    n_documents : int
        Texts, without copies inside of a batch.
    """

    words: np.ndarray
    document_frequency: np.ndarray
    frequency: np.ndarray
    n_documents: int

    @classmethod
    def of(cls, texts: Iterable[str], vectorizer: Any = None) -> WordCounts:
        """Count the words of a batch of texts; a text that it holds twice counts once.

        Parameters
        ----------
        texts : iterable of str
        vectorizer : scikit-learn CountVectorizer, optional
            How texts become words; its limits (`min_df`, `max_features`, …) wait for
            :meth:`vocabulary`. None: as :func:`saetm_plugins.text.default_vectorizer`.
        """
        analyze = copy_vectorizer(vectorizer or default_vectorizer(0)).build_analyzer()
        distinct = dict.fromkeys(check_documents(texts, "texts", least=0))
        total: Counter[str] = Counter()
        holding: Counter[str] = Counter()
        for text in distinct:
            words = analyze(text)
            total.update(words)
            holding.update(set(words))
        found = np.array(sorted(total), dtype=object)
        return cls(
            found,
            np.array([holding[word] for word in found], dtype=np.int64),
            np.array([total[word] for word in found], dtype=np.int64),
            len(distinct),
        )

    def __add__(self, other: WordCounts) -> WordCounts:
        words, place = np.unique(np.concatenate([self.words, other.words]), return_inverse=True)

        def add(one: np.ndarray, more: np.ndarray) -> np.ndarray:
            both = np.concatenate([one, more])
            return np.bincount(place, both, len(words)).astype(np.int64)  # exact up to 2**53

        return WordCounts(
            words,
            add(self.document_frequency, other.document_frequency),
            add(self.frequency, other.frequency),
            self.n_documents + other.n_documents,
        )

    def vocabulary(
        self,
        *,
        min_df: float | None = None,
        max_df: float = 1.0,
        max_features: int | None = 10_000,
    ) -> np.ndarray:
        """Return the words to count, (V,), sorted; as scikit-learn's CountVectorizer chooses them.

        Parameters
        ----------
        min_df, max_df : int or float
            Texts that hold a word, at least and at most: a number (int) or a share (float).
            `min_df` None: 5, fewer where there are fewer than 1,000 texts.
        max_features : int, optional
            The most frequent words; of equally frequent ones the first by the alphabet.
        """
        if min_df is None:
            min_df = default_vectorizer(self.n_documents).min_df
        least, most = (
            bound if isinstance(bound, Integral) else bound * self.n_documents
            for bound in (min_df, max_df)
        )
        frequency = self.document_frequency
        kept = np.flatnonzero((frequency >= least) & (frequency <= most))
        if len(kept) == 0:
            raise ValueError(
                f"documents give no vocabulary: of {len(self.words)} words in {self.n_documents} "
                f"texts none is in {least:g} to {most:g} of them"
            )
        order = np.argsort(-self.frequency[kept], kind="stable")[:max_features]
        return self.words[kept[np.sort(order)]]

    def save(self, file: str | os.PathLike[str]) -> None:
        """Write one ``.safetensors`` file, completely or not at all."""
        listed = json.dumps(self.words.tolist()).encode()
        tensors = {
            "words": np.frombuffer(listed, dtype=np.uint8),
            "document_frequency": self.document_frequency,
            "frequency": self.frequency,
            "n_documents": np.array([self.n_documents]),
        }
        write_whole(Path(file), lambda target: save_file(tensors, target))

    @classmethod
    def load(cls, file: str | os.PathLike[str]) -> WordCounts:
        """Read what :meth:`save` wrote."""
        tensors = load_file(file)
        words = np.array(json.loads(tensors["words"].tobytes()), dtype=object)
        n_documents = int(tensors["n_documents"][0])
        return cls(words, tensors["document_frequency"], tensors["frequency"], n_documents)
