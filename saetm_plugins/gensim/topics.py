"""What is read from a model's state alone: the words of topics, as ``LdaModel`` shows them."""

from __future__ import annotations

from typing import Any

import numpy as np
from gensim.models.ldamodel import LdaModel, LdaState
from sklearn.exceptions import NotFittedError

from saetm_plugins.gensim.priors import make_alpha, make_eta
from saetm_plugins.gensim.words import WordColumns
from saetm_plugins.validation import check_count


class WordsOfTopics(LdaModel):
    """The half of ``LdaModel`` that needs ``state``, ``alpha`` and ``id2word`` and no training.

    Most is inherited; the methods here never show an id that is a gap of the dictionary.
    """

    state: Any
    id2word: Any
    num_terms: int
    word_columns: WordColumns

    def show_topics(
        self, num_topics: int = 10, num_words: int = 10, log: bool = False, formatted: bool = True
    ) -> list[Any]:
        """See ``LdaModel.show_topics``."""
        return super().show_topics(num_topics, self._n_named(num_words), log, formatted)

    def get_topic_terms(self, topicid: int, topn: int | None = 10) -> list[tuple[int, float]]:
        """See ``LdaModel.get_topic_terms``."""
        return super().get_topic_terms(topicid, self._n_named(topn))

    def top_topics(
        self,
        corpus: Any = None,
        texts: Any = None,
        dictionary: Any = None,
        window_size: int | None = None,
        coherence: str = "u_mass",
        topn: int = 20,
        processes: int = -1,
    ) -> list[Any]:
        """See ``LdaModel.top_topics``."""
        topn = self._n_named(topn)
        return super().top_topics(
            corpus, texts, dictionary, window_size, coherence, topn, processes
        )

    def get_term_topics(
        self, word_id: int | str, minimum_probability: float | None = None
    ) -> list[tuple[int, float]]:
        """See ``LdaModel.get_term_topics``; `id2word` may be a plain dict."""
        if isinstance(word_id, str):
            found = [i for i, word in self.id2word.items() if word == word_id]
            if not found:
                raise ValueError(f"word_id {word_id!r} is not in id2word")
            word_id = int(found[0])
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
        """See ``LdaModel.diff``; `other` may be of this class or of gensim's."""
        if not isinstance(other, LdaModel):  # gensim's own error for this fails itself
            raise ValueError(f"other must be an LdaModel; found {type(other).__name__}")
        # LdaModel.diff wants both of one class: a plain LdaModel that reads the same state.
        plain = LdaModel.__new__(LdaModel)
        vars(plain).update(state=self.state, id2word=self.id2word)
        n_words = self._n_named(num_words)
        return plain.diff(other, distance, n_words, n_ann_terms, diagonal, annotation, normed)

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
        """Set priors and state: prevalence (T,), expected words (T, n_words), P0 (n_words,)."""
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
        """Return `topn`, at most the number of words; None means all of them."""
        if self.state is None:
            raise NotFittedError("the model is not trained; call update(corpus, documents=…) first")
        n_named = int(self.word_columns.named.sum())
        return n_named if topn is None else min(check_count(topn, "topn", minimum=0), n_named)
