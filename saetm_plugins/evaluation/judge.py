"""Evaluation by a language model: C_I (intruder detection) and C_R (coherence rating).

The two judged measures of SAE-TM, arXiv 2511.16309, section 5. The questions are worded anew, so
compare figures between models judged here, not with the paper's tables.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import partial
from typing import NamedTuple

import numpy as np

from saetm_plugins.evaluation.chat import (
    AnswerCache,
    Chat,
    CostEstimate,
    JudgeError,
    Messages,
    as_chat,
    estimate_cost,
    question_key,
)
from saetm_plugins.evaluation.words import Topics, check_topics
from saetm_plugins.validation import check_count

SYSTEM = (
    "You judge topics found in a collection of documents. "
    "You answer with nothing but what is asked for."
)
_TOKENS_PER_ANSWER = 4


class Question(NamedTuple):
    """One question of one topic.

    ``topic``: its row. ``messages``: the question. ``choices``: the legal answers, None for a
    number from 0 to 100. ``key_word``: the right answer, None if there is none.
    ``repeat``: numbers equal questions.
    """

    topic: int
    messages: Messages
    choices: tuple[str, ...] | None
    key_word: str | None
    repeat: int


class TopicJudge:
    """Asks a language model about topics, and asks again when an answer is not legal.

    Parameters
    ----------
    chat : OpenAIChat, PipelineChat, an object with their attributes, or a function
    cache : path, optional
        File that keeps answers; an interrupted judgement can be resumed with it.
    n_attempts : int, default=3
        How often a question is asked until the answer is legal.
    """

    def __init__(
        self, chat: Chat, cache: str | os.PathLike[str] | None = None, n_attempts: int = 3
    ):
        self.chat = as_chat(chat)
        self.cache = None if cache is None else AnswerCache(cache)
        self.n_attempts = check_count(n_attempts, "n_attempts")

    def intruder_detection(
        self, topics: Topics, n_repeats: int = 3, random_state: int = 0
    ) -> np.ndarray:
        """Return C_I per topic: how often the judge finds the intruder among 4 of its words.

        Parameters
        ----------
        topics : list of lists of str
            Four of the five top words are shown with one of the five top words of another topic
            that is not in this topic's list.
        n_repeats : int, default=3
        random_state : int, default=0

        Returns
        -------
        ndarray of shape (T,), float64
            Share of repeats; its mean is C_I. Chance is 0.2.

        Raises
        ------
        JudgeError
            When the judge is down, too slow, or keeps giving answers that are not legal. Answers
            so far are in the cache.
        """
        questions = intruder_questions(topics, n_repeats, random_state)
        answers = self._ask_all(questions)
        found = [answer == q.key_word for q, answer in zip(questions, answers, strict=True)]
        return np.asarray(found, dtype=np.float64).reshape(len(topics), n_repeats).mean(axis=1)

    def coherence_rating(self, topics: Topics, n_words: int = 10) -> np.ndarray:
        """Return C_R per topic: the judge's rating of its words' coherence, 0 to 100.

        Parameters
        ----------
        topics : list of lists of str
        n_words : int, default=10

        Returns
        -------
        ndarray of shape (T,), float64
        """
        answers = self._ask_all(rating_questions(topics, n_words))
        return np.asarray([float(answer) for answer in answers])

    def estimate_cost(self, topics: Topics, n_repeats: int = 3, n_words: int = 10) -> CostEstimate:
        """Estimate what C_I and C_R of `topics` would cost; asks nothing."""
        questions = intruder_questions(topics, n_repeats, 0) + rating_questions(topics, n_words)
        asked = [(question.messages, question.repeat) for question in questions]
        return estimate_cost(self.chat, asked, _TOKENS_PER_ANSWER, self.cache)

    def _ask_all(self, questions: Sequence[Question]) -> list[str]:
        """Answer all questions, from the cache or by asking several at once."""
        keys = [question_key(self.chat.name, q.messages, q.repeat) for q in questions]
        answers = {} if self.cache is None else self.cache.get(keys)
        open_questions = {k: q for k, q in zip(keys, questions, strict=True) if k not in answers}
        with ThreadPoolExecutor(self.chat.max_workers) as pool:
            asked = {pool.submit(self._ask, q): k for k, q in open_questions.items()}
            try:
                for future in as_completed(asked):
                    answers[asked[future]] = future.result()
                    if self.cache is not None:
                        self.cache.put(asked[future], future.result())
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return [answers[key] for key in keys]

    def _ask(self, question: Question) -> str:
        """Ask one question until the answer is legal."""
        parse: Callable[[str], str] = parse_rating
        wanted = "one number from 0 to 100"
        if question.choices is not None:
            parse = partial(parse_choice, choices=question.choices)
            wanted = "one of the words " + ", ".join(question.choices)
        messages = list(question.messages)
        for _ in range(self.n_attempts):
            text = self.chat.answer(messages)
            try:
                return parse(text)
            except ValueError:
                # At temperature 0 the same question gets the same answer: show what was wrong.
                messages = [
                    *question.messages,
                    {"role": "assistant", "content": text},
                    {"role": "user", "content": f"Answer again, with exactly {wanted}."},
                ]
        raise JudgeError(
            f"the judge gave no legal answer in {self.n_attempts} attempts; "
            f"wanted {wanted}, last found {text[:200]!r}"
        )


def intruder_questions(topics: Topics, n_repeats: int, random_state: int) -> list[Question]:
    """Make the questions of C_I, `n_repeats` for each topic in turn."""
    n_repeats = check_count(n_repeats, "n_repeats")
    if random_state is not None:
        random_state = check_count(random_state, "random_state", minimum=0)
    shortened = check_topics(topics, 5, least=2)
    rng = np.random.default_rng(random_state)
    questions = []
    for row, words in enumerate(shortened):
        own = set(topics[row])
        strangers = sorted({word for other in shortened for word in other} - own)
        if not strangers:
            raise ValueError(f"topics[{row}] holds the top words of all others: none can intrude")
        for repeat in range(n_repeats):
            intruder = strangers[rng.integers(len(strangers))]
            shown = [words[i] for i in rng.permutation(5)[:4]] + [intruder]
            shown = [shown[i] for i in rng.permutation(5)]
            text = (
                "Four of these five words belong to one topic, one does not: "
                f"{', '.join(shown)}.\nWhich word does not belong? Answer with that word alone."
            )
            questions.append(Question(row, _messages(text), tuple(shown), intruder, repeat))
    return questions


def rating_questions(topics: Topics, n_words: int) -> list[Question]:
    """Make the questions of C_R, one for each topic."""
    questions = []
    for row, words in enumerate(check_topics(topics, n_words)):
        text = (
            f"These are the most probable words of a topic: {', '.join(words)}.\n"
            "How coherent is the topic, from 0 (the words have nothing in common) to 100 (they "
            "are clearly about one thing)? Answer with the number alone."
        )
        questions.append(Question(row, _messages(text), None, None, 0))
    return questions


def parse_choice(text: str, choices: Sequence[str]) -> str:
    """Return the one of `choices` that `text` is, quotes, markup and case aside."""
    bare = text.strip(" \t\r\n\"'`*_.!:“”‘’").casefold()
    for choice in choices:
        if bare == choice.casefold():
            return choice
    raise ValueError(f"not one of {', '.join(choices)}: {text!r}")


def parse_rating(text: str) -> str:
    """Return the number from 0 to 100 that `text` is (``85``, ``85.5``, ``85/100``, ``85%``)."""
    bare = text.strip(" \t\r\n\"'`*_")
    match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*(?:/\s*100|%|\.)?", bare)
    if match is None or float(match[1]) > 100:
        raise ValueError(f"not a number from 0 to 100: {text!r}")
    return match[1]


def _messages(text: str) -> Messages:
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": text}]
