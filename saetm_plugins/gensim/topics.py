"""What is read from a model's state alone: the words of topics, as ``LdaModel`` shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gensim.models.ldamodel import LdaModel, LdaState

from saetm_plugins.gensim.priors import make_alpha, make_eta
from saetm_plugins.gensim.words import WordColumns


class WordsOfTopics(LdaModel):
    """The half of ``LdaModel`` that needs ``state``, ``alpha`` and ``id2word`` and no training.

    Most is inherited; what is here knows of dictionaries with gaps, and gives clear errors.
    """

    state: Any
    id2word: Any
    num_terms: int
    word_columns: WordColumns

    def show_topics(
        self, num_topics: int = 10, num_words: int = 10, log: bool = False, formatted: bool = True
    ) -> list[Any]:
        """Return topics and their words, as ``LdaModel.show_topics`` does."""
        return super().show_topics(num_topics, self._n_named(num_words), log, formatted)

    def get_topic_terms(self, topicid: int, topn: int | None = 10) -> list[tuple[int, float]]:
        """Return the ids and probabilities of a topic's words, most probable first."""
        return super().get_topic_terms(topicid, self._n_named(topn))

    def top_topics(self, *args: Any, topn: int = 20, **kwargs: Any) -> list[Any]:
        """Return topics with their coherence, as ``LdaModel.top_topics`` does."""
        return super().top_topics(*args, topn=self._n_named(topn), **kwargs)

    def get_term_topics(
        self, word_id: int | str, minimum_probability: float | None = None
    ) -> list[tuple[int, float]]:
        """Return the topics in which a word, or its id, has at least `minimum_probability`.

        Raises
        ------
        ValueError
            When the word is not in the dictionary, or the id out of range.
        """
        if isinstance(word_id, str):
            word_id = self._find_id(word_id)
        if not 0 <= word_id < self.num_terms:
            raise ValueError(f"word_id must lie in [0, {self.num_terms}); found {word_id}")
        return super().get_term_topics(word_id, minimum_probability)

    def diff(
        self,
        other: LdaModel,
        distance: str = "kullback_leibler",
        num_words: int = 100,
        n_ann_terms: int = 10,
        diagonal: bool = False,
        annotation: bool = True,
        normed: bool = True,
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Return how far the topics of two models are apart, as ``LdaModel.diff`` does.

        Parameters
        ----------
        other : LdaModel
            Of this class or of gensim's.
        distance, num_words, n_ann_terms, diagonal, annotation, normed
            As in ``LdaModel.diff``.

        Raises
        ------
        ValueError
            When `other` is no LdaModel, or speaks of another number of words.
        """
        if not isinstance(other, LdaModel):
            raise ValueError(
                f"other must be a SaeModel or an LdaModel; found {type(other).__name__}"
            )
        if distance != "jaccard" and other.num_terms != self.num_terms:
            raise ValueError(
                f"other has {other.num_terms} words and this model {self.num_terms}; only "
                "distance='jaccard' compares models of different dictionaries"
            )
        # LdaModel.diff wants both of one class: a plain LdaModel that reads the same state.
        plain = LdaModel.__new__(LdaModel)
        vars(plain).update(state=self.state, id2word=self.id2word)
        return plain.diff(
            other,
            distance,
            self._n_named(num_words),
            n_ann_terms,
            diagonal,
            annotation,
            normed,
        )

    def do_mstep(self, *args: Any, **kwargs: Any) -> None:
        """Raise NotImplementedError: topics are not learned by variational Bayes here."""
        raise NotImplementedError("topics follow from the emissions; update(corpus) trains them")

    def _set_state(
        self,
        prevalence: np.ndarray,
        topic_words: np.ndarray,
        background: np.ndarray,
        n_documents: int,
    ) -> None:
        """Renew priors and state.

        Parameters
        ----------
        prevalence : ndarray of shape (T,)
        topic_words : ndarray of shape (T, n_words)
            Expected words of each topic, in the model's columns.
        background : ndarray of shape (n_words,)
        n_documents : int
        """
        alpha = make_alpha(self.alpha_given, prevalence)
        named = self.word_columns.named
        spread_background = self.word_columns.spread(background[None, :])[0]
        eta = make_eta(self.eta_given, len(prevalence), named, spread_background)
        state = LdaState(eta, (len(prevalence), self.num_terms), dtype=np.float32)
        state.sstats[...] = self.word_columns.spread(topic_words)
        state.numdocs = n_documents
        self.num_topics, self.alpha, self.eta, self.state = len(prevalence), alpha, eta, state
        self.sync_state()

    def _n_named(self, topn: int | None) -> int:
        """Return `topn`, or the number of words there are where it is larger or None."""
        n_named = int(self.word_columns.named.sum())
        return n_named if topn is None else min(topn, n_named)

    def _find_id(self, word: str) -> int:
        if hasattr(self.id2word, "token2id"):
            found = self.id2word.token2id.get(word)
        else:
            found = next((i for i, other in self.id2word.items() if other == word), None)
        if found is None:
            raise ValueError(f"word_id {word!r} is not in id2word")
        return int(found)
