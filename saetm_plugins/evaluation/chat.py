"""Chats with language models: an OpenAI-compatible endpoint, a local pipeline, or a function.

They have one interface, :class:`Chat`, and their answers are kept in an :class:`AnswerCache`.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from saetm_plugins.validation import check_count

Messages = list[dict[str, str]]
CACHE_VERSION = 1
_CHARACTERS_PER_TOKEN = 4  # the usual rule of thumb for English; only for the estimate


class JudgeError(RuntimeError):
    """The language model is down, too slow, or does not answer the question."""


class Prices(NamedTuple):
    """US dollars (or any currency) per million tokens."""

    prompt: float
    completion: float


class CostEstimate(NamedTuple):
    """What questions would cost, before they are asked.

    ``n_questions``: those whose answers are not in the cache.
    ``prompt_tokens``, ``completion_tokens``: estimated; repeated questions are not counted.
    ``cost``: in the currency of the chat's prices; None when it has none.
    """

    n_questions: int
    prompt_tokens: int
    completion_tokens: int
    cost: float | None


class Chat(Protocol):
    """The interface of a language model."""

    name: str
    """Model and settings, in full: the cache keeps answers under it."""
    max_workers: int
    """How many questions may be asked at once."""
    prices: Prices | None

    def answer(self, messages: Messages) -> str:
        """Return the model's answer; raise JudgeError when there is none."""


class OpenAIChat:
    """A model behind any OpenAI-compatible endpoint, through the ``openai`` client.

    The client retries connection errors, time-outs, rate limits (429, honouring ``Retry-After``)
    and server errors, with exponential back-off.

    Parameters
    ----------
    model : str
    base_url : str, optional
        None means the client's default (or ``OPENAI_BASE_URL``).
    api_key : str, optional
        None means ``OPENAI_API_KEY``; local servers usually take any.
    temperature : float, default=0
    max_tokens : int, default=32
        Longest answer, in tokens.
    timeout : float, default=60
        Seconds that the client waits for the endpoint: for the connection and between two parts
        of an answer.
    max_retries : int, default=5
    max_workers : int, default=8
        Questions asked at once.
    prices : Prices or (float, float), optional
        Per million prompt and completion tokens, for the cost estimate.
    """

    def __init__(
        self,
        model: str,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        temperature: float = 0.0,
        max_tokens: int = 32,
        timeout: float = 60.0,
        max_retries: int = 5,
        max_workers: int = 8,
        prices: tuple[float, float] | None = None,
    ):
        try:
            import openai
        except ImportError as error:
            raise ImportError("this judge needs the openai client: pip install openai") from error
        self._openai = openai
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=max_retries,
            http_client=openai.DefaultHttpxClient(follow_redirects=False),
        )
        self.model = model
        self.temperature = temperature
        self.max_tokens = check_count(max_tokens, "max_tokens")
        self.max_workers = check_count(max_workers, "max_workers")
        self.prices = None if prices is None else Prices(*prices)
        self.name = f"openai:{self._client.base_url}:{model}:t={temperature}:n={max_tokens}"

    def answer(self, messages: Messages) -> str:
        """Return the model's answer; JudgeError where the endpoint gives none."""
        try:
            completion = self._client.chat.completions.create(
                model=self.model,
                messages=messages,  # type: ignore[arg-type]
                temperature=self.temperature,
                max_tokens=self.max_tokens,
            )
            content = completion.choices[0].message.content
        except self._openai.OpenAIError as error:
            raise JudgeError(
                f"the judge {self.model!r} at {self._client.base_url} gave no answer after "
                f"{self._client.max_retries + 1} tries: {error}"
            ) from error
        except (AttributeError, IndexError, TypeError, ValueError) as error:
            raise JudgeError(
                f"{self._client.base_url} does not answer like a chat endpoint: {error}"
            ) from error
        return content or ""


class PipelineChat:
    """A local transformers text-generation pipeline.

    Parameters
    ----------
    pipeline : transformers pipeline or str
        A ``text-generation`` pipeline, or the name or folder of a model for one.
    max_tokens : int, default=32
        Longest answer, in tokens.
    """

    prices: Prices | None = None
    max_workers = 1  # one model in one process: a second thread would only wait

    def __init__(self, pipeline: Any, *, max_tokens: int = 32):
        if isinstance(pipeline, str):
            try:
                import transformers
            except ImportError as error:
                raise ImportError(
                    "a local judge needs transformers: pip install transformers"
                ) from error
            pipeline = transformers.pipeline("text-generation", model=pipeline)
        self.pipeline = pipeline
        self.max_tokens = check_count(max_tokens, "max_tokens")
        self.name = f"transformers:{pipeline.model.name_or_path}:n={max_tokens}"

    def answer(self, messages: Messages) -> str:
        """Return the model's answer: greedy decoding, the chat template where there is one."""
        prompt: Any = messages
        if getattr(self.pipeline.tokenizer, "chat_template", None) is None:
            prompt = "\n\n".join(message["content"] for message in messages) + "\n\nAnswer: "
        generated = self.pipeline(
            prompt, max_new_tokens=self.max_tokens, do_sample=False, return_full_text=False
        )[0]["generated_text"]
        return generated if isinstance(generated, str) else generated[-1]["content"]


class CallableChat:
    """A function from a prompt to an answer.

    Parameters
    ----------
    function : callable
        From one str, the instructions and the question, to a str.
    """

    prices: Prices | None = None
    max_workers = 1  # a function may not be safe for two threads

    def __init__(self, function: Callable[[str], str]):
        self.function = function
        named = function if hasattr(function, "__qualname__") else type(function)
        self.name = f"callable:{named.__module__}.{named.__qualname__}"

    def answer(self, messages: Messages) -> str:
        """Return the function's answer; an error that it raises becomes a JudgeError."""
        prompt = "\n\n".join(message["content"] for message in messages)
        try:
            answer = self.function(prompt)
        except Exception as error:
            raise JudgeError(f"{self.name} gave no answer: {error!r}") from error
        if not isinstance(answer, str):
            raise JudgeError(f"{self.name} must return a str; found {type(answer).__name__}")
        return answer


def as_chat(chat: Any, name: str = "chat") -> Chat:
    """Return a chat as it is, and a function from a prompt to an answer as a chat."""
    if not isinstance(chat, type):
        if all(hasattr(chat, each) for each in ("name", "answer", "max_workers", "prices")):
            return chat
        if callable(chat):
            return CallableChat(chat)
    raise TypeError(
        f"{name} must be a chat (OpenAIChat, PipelineChat) or a function from a prompt to an "
        f"answer; found {chat!r:.80}"
    )


class AnswerCache:
    """Answers kept on disk (SQLite), so that no question is paid for twice.

    Parameters
    ----------
    path : path
        The file; made when it does not exist.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(self._connect()) as connection, connection:
                version = connection.execute("PRAGMA user_version").fetchone()[0]
                tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
                if tables == 0 and version == 0:
                    connection.execute("BEGIN IMMEDIATE")  # both or neither, if killed between
                    connection.execute(
                        "CREATE TABLE IF NOT EXISTS answers (key TEXT PRIMARY KEY, answer TEXT)"
                    )
                    connection.execute(f"PRAGMA user_version = {CACHE_VERSION}")
                    version = CACHE_VERSION
        except sqlite3.DatabaseError as error:
            raise ValueError(f"cache {str(path)!r} is not a cache of answers: {error}") from error
        if version != CACHE_VERSION:
            raise ValueError(
                f"cache {str(path)!r} was written by another version "
                f"(found {version}, this one writes {CACHE_VERSION}); give another path"
            )

    def get(self, keys: Sequence[str]) -> dict[str, str]:
        """Return the known answers of `keys`."""
        with closing(self._connect()) as connection:
            rows = (
                connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
                for key in keys
            )
            return {key: row[0] for key, row in zip(keys, rows, strict=True) if row is not None}

    def put(self, key: str, answer: str) -> None:
        """Keep one answer."""
        with closing(self._connect()) as connection, connection:
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, answer))

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=30)


def question_key(chat_name: str, messages: Messages, repeat: int) -> str:
    """Return the key of one question to one model; `repeat` numbers equal questions."""
    text = json.dumps([chat_name, messages, repeat], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def estimate_cost(
    chat: Chat,
    questions: Sequence[tuple[Messages, int]],
    tokens_per_answer: int,
    cache: AnswerCache | None = None,
) -> CostEstimate:
    """Estimate what asking questions, as messages and the number of the repeat, would cost."""
    keys = [question_key(chat.name, *question) for question in questions]
    known = {} if cache is None else cache.get(keys)
    asked = [
        messages for key, (messages, _) in zip(keys, questions, strict=True) if key not in known
    ]
    characters = sum(len(message["content"]) for messages in asked for message in messages)
    prompt_tokens = -(-characters // _CHARACTERS_PER_TOKEN)
    completion_tokens = tokens_per_answer * len(asked)
    cost = None
    if chat.prices is not None:
        cost = prompt_tokens * chat.prices.prompt + completion_tokens * chat.prices.completion
        cost /= 1e6
    return CostEstimate(len(asked), prompt_tokens, completion_tokens, cost)
