"""What is read from a model's state alone: the words of topics, as ``LdaModel`` shows them."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
from gensim.corpora import Dictionary
from gensim.models.ldamodel import LdaModel, LdaState
from sklearn.exceptions import NotFittedError

from saetm_plugins.gensim.bags import CheckedStream, check_tokens, flatten_bags
from saetm_plugins.gensim.priors import make_alpha, make_eta
from saetm_plugins.gensim.words import WordColumns
from saetm_plugins.validation import (
    check_choice,
    check_count,
    check_flag,
    check_not_negative,
    is_integer,
)

_MEASURES = ("u_mass", "c_v", "c_uci", "c_npmi", "c_w2v")
_DISTANCES = ("kullback_leibler", "hellinger", "jaccard", "jensen_shannon")


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
        if not is_integer(num_topics):
            raise TypeError(f"num_topics must be an integer, -1 for all; found {num_topics!r:.80}")
        n_words = self._n_named(num_words, "num_words")
        log, formatted = check_flag(log, "log"), check_flag(formatted, "formatted")
        return super().show_topics(num_topics, n_words, log, formatted)

    def get_topic_terms(self, topicid: int, topn: int | None = 10) -> list[tuple[int, float]]:
        """Return the ids and probabilities of a topic's words, most probable first.

        Raises
        ------
        IndexError
            When there is no such topic.
        """
        if not is_integer(topicid):
            raise TypeError(f"topicid must be an integer; found {topicid!r:.80}")
        if not -self.num_topics <= topicid < self.num_topics:
            raise IndexError(f"topicid {topicid} of {self.num_topics} topics")
        return super().get_topic_terms(int(topicid), self._n_named(topn, "topn"))

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
        """Return topics with their coherence, as ``LdaModel.top_topics`` does.

        Raises
        ------
        TypeError, ValueError
            When an argument is not legal, or a topic has no coherence in these texts.
        """
        check_choice(coherence, "coherence", _MEASURES)
        n_words = self._n_named(check_count(topn, "topn"), "topn")
        if window_size is not None:
            window_size = check_count(window_size, "window_size")
        if dictionary is not None and not isinstance(dictionary, Dictionary):
            raise TypeError(f"dictionary must be a gensim Dictionary; found {dictionary!r:.80}")
        found = super().top_topics(
            corpus=None if corpus is None else CheckedStream(corpus, "corpus", flatten_bags),
            texts=None if texts is None else CheckedStream(texts, "texts", check_tokens),
            dictionary=dictionary,
            window_size=window_size,
            coherence=coherence,
            topn=n_words,
            processes=min(check_count(processes, "processes", minimum=-1), os.cpu_count() or 1),
        )
        if not np.isfinite([score for _, score in found]).all():
            raise ValueError(f"{coherence} is not defined: words of a topic are not in the texts")
        return found

    def get_term_topics(
        self, word_id: int | str, minimum_probability: float | None = None
    ) -> list[tuple[int, float]]:
        """Return the topics in which a word, or its id, has at least `minimum_probability`.

        Raises
        ------
        TypeError, ValueError
            When the word is not in the dictionary, or the id out of range; or the probability is
            none.
        """
        if minimum_probability is not None:
            check_not_negative(minimum_probability, "minimum_probability")
        if isinstance(word_id, str):
            word_id = self._find_id(word_id)
        if not is_integer(word_id):
            raise TypeError(f"word_id must be a word or its id; found {word_id!r:.80}")
        if not 0 <= word_id < self.num_terms:
            raise ValueError(f"word_id must lie in [0, {self.num_terms}); found {word_id}")
        return super().get_term_topics(int(word_id), minimum_probability)

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
            When `other` is no LdaModel, or speaks of another number of words; or, with
            `diagonal`, has another number of topics.
        """
        check_choice(distance, "distance", _DISTANCES)
        flags = {"diagonal": diagonal, "annotation": annotation, "normed": normed}
        flags = {name: check_flag(flag, name) for name, flag in flags.items()}
        n_ann_terms = check_count(n_ann_terms, "n_ann_terms", minimum=0)
        n_words = self._n_named(num_words, "num_words")
        if not isinstance(other, LdaModel):
            raise ValueError(
                f"other must be a SaeModel or an LdaModel; found {type(other).__name__}"
            )
        if distance != "jaccard" and other.num_terms != self.num_terms:
            raise ValueError(
                f"other has {other.num_terms} words and this model {self.num_terms}; only "
                "distance='jaccard' compares models of different dictionaries"
            )
        if flags["diagonal"] and other.num_topics != self.num_topics:
            raise ValueError(
                f"diagonal needs as many topics: other has {other.num_topics}, this model "
                f"{self.num_topics}"
            )
        # LdaModel.diff wants both of one class: a plain LdaModel that reads the same state.
        plain = LdaModel.__new__(LdaModel)
        vars(plain).update(state=self.state, id2word=self.id2word)
        return plain.diff(other, distance, n_words, n_ann_terms, **flags)

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

    def _n_named(self, topn: int | None, name: str) -> int:
        """Return `topn`, or the number of words there are where it is larger or None."""
        if self.state is None:
            raise NotFittedError("the model is not trained; call update(corpus, documents=…) first")
        n_named = int(self.word_columns.named.sum())
        return n_named if topn is None else min(check_count(topn, name, minimum=0), n_named)

    def _find_id(self, word: str) -> int:
        if hasattr(self.id2word, "token2id"):
            found = self.id2word.token2id.get(word)
        else:
            found = next((i for i, other in self.id2word.items() if other == word), None)
        if found is None:
            raise ValueError(f"word_id {word!r} is not in id2word")
        return int(found)
