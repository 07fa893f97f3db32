"""gensim's word ids beside the words of a topic model, which are columns without gaps."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from gensim.corpora import Dictionary
from gensim.utils import FakeDict

from saetm_plugins.gensim.bags import FlatBags
from saetm_plugins.gensim.priors import NEGLIGIBLE
from saetm_plugins.validation import is_integer

logger = logging.getLogger(__name__)


class WordColumns:
    """Which column of a topic model each word id of a dictionary stands for.

    `columns` (num_terms,) is -1 for a gap of the dictionary and for a word that is not among the
    model's `n_words`.
    """

    def __init__(self, columns: np.ndarray, n_words: int):
        self.columns = np.asarray(columns, dtype=np.int64)
        self.n_words = n_words
        self.named = self.columns >= 0

    @classmethod
    def number(cls, id2word: Any) -> tuple[WordColumns, list[str]]:
        """Give every word of a dictionary a column, in the order of ids; return the words, too."""
        ids, words = read_id2word(id2word)
        columns = np.full(ids[-1] + 1, -1, dtype=np.int64)
        columns[ids] = np.arange(len(ids))
        return cls(columns, len(ids)), words

    @classmethod
    def match(cls, id2word: Any, vocabulary: Sequence[str]) -> WordColumns:
        """Find the words of a dictionary in a model's vocabulary; at least one must be there."""
        ids, words = read_id2word(id2word)
        column_of = {word: column for column, word in enumerate(vocabulary)}
        columns = np.full(ids[-1] + 1, -1, dtype=np.int64)
        columns[ids] = [column_of.get(word, -1) for word in words]
        if not (columns >= 0).any():
            raise ValueError(
                f"id2word has none of the {len(vocabulary)} words of the model's vocabulary"
            )
        return cls(columns, len(vocabulary))

    def count(self, bags: FlatBags) -> sp.csr_matrix:
        """Return bags as rows of counts over the model's words, CSR (n, n_words) float32.

        Entries of unknown ids are left out.
        """
        inside = bags.ids < len(self.columns)
        column = np.full(len(bags.ids), -1, dtype=np.int64)
        column[inside] = self.columns[bags.ids[inside]]
        known = (column >= 0) & (bags.counts > 0)
        rows = np.repeat(np.arange(len(bags.lengths)), bags.lengths)[known]
        return sp.csr_matrix(
            (bags.counts[known], (rows, column[known])), shape=(len(bags.lengths), self.n_words)
        )

    def check(self, bags: FlatBags) -> None:
        """Raise a ValueError if bags to learn from were made with another dictionary."""
        highest = int(bags.ids.max(initial=-1))
        if highest >= len(self.columns):
            raise ValueError(
                f"corpus holds the word id {highest} and id2word has ids up to "
                f"{len(self.columns) - 1}; was the corpus made with another dictionary?"
            )
        unnamed = ~self.named[bags.ids]
        if len(bags.ids) and unnamed.all():
            raise ValueError("corpus and id2word disagree: no word id of the corpus is in id2word")
        if unnamed.any():
            logger.warning("left out %i entries whose ids are not in id2word", unnamed.sum())

    def of(self, word_id: Any) -> int:
        """Return the column of one id, -1 for an unknown one."""
        return int(self.columns[int(word_id)]) if int(word_id) < len(self.columns) else -1

    def spread(self, topic_words: np.ndarray) -> np.ndarray:
        """Copy values of the model's columns (T, n_words) to word ids (T, num_terms)."""
        spread = np.zeros((len(topic_words), len(self.columns)), dtype=np.float32)
        spread[:, self.named] = topic_words[:, self.columns[self.named]]
        return spread

    def gather(self, values: np.ndarray) -> np.ndarray:
        """Copy positive values of word ids (…, num_terms) to the model's columns (…, n_words).

        A word of the model that the dictionary lacks gets :data:`NEGLIGIBLE`.
        """
        shape = (*values.shape[:-1], self.n_words)
        gathered = np.full(shape, NEGLIGIBLE, dtype=values.dtype)
        gathered[..., self.columns[self.named]] = values[..., self.named]
        return gathered


def read_id2word(id2word: Any) -> tuple[np.ndarray, list[str]]:
    """Return the ids of a dictionary in ascending order, and their words."""
    if isinstance(id2word, FakeDict):
        return np.arange(len(id2word)), [str(i) for i in range(len(id2word))]
    if not callable(getattr(id2word, "keys", None)):
        raise TypeError(f"id2word must be a Dictionary or a dict; found {type(id2word).__name__}")
    keys = list(id2word.keys())
    if not keys:
        raise ValueError("id2word is empty, so there are no words")
    for key in keys:
        if not is_integer(key) or key < 0:
            raise ValueError(f"id2word must map ids of at least 0 to words; found {key!r}")
    ids = np.sort(np.asarray(keys, dtype=np.int64))
    return ids, [str(id2word[int(i)]) for i in ids]


def make_dictionary(vocabulary: Sequence[str], n_documents: int) -> Dictionary:
    """Return a gensim Dictionary whose ids are the columns of a model."""
    dictionary = Dictionary()
    dictionary.token2id = {str(word): column for column, word in enumerate(vocabulary)}
    dictionary.num_docs = n_documents
    return dictionary
