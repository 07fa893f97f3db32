"""Language models that answer one question: an OpenAI-compatible endpoint, or a local pipeline.

Both are their libraries' own; what is here is one face for the two and the memory of answers.
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


class JudgeError(RuntimeError):
    """The judge is down, too slow, or does not answer what was asked."""


class Prices(NamedTuple):
    """US dollars (or any currency) per million tokens."""

    prompt: float
    completion: float


class Chat(Protocol):
    """What a judge needs of a language model."""

    name: str
    """Model and settings, in full: answers are remembered under it."""
    max_workers: int
    """How many questions may be under way at once."""
    prices: Prices | None

    def answer(self, messages: Messages) -> str:
        """Return the model's answer; raise JudgeError when there is none."""


class OpenAIChat:
    """A model behind any OpenAI-compatible endpoint, through the ``openai`` client.

    The client itself retries connection errors, time-outs, rate limits (429, honouring
    ``Retry-After``) and server errors, with exponential back-off.

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
        Seconds for one try, from the question to the last byte of the answer.
    max_retries : int, default=5
    max_workers : int, default=8
        Questions under way at once.
    prices : Prices or (float, float), optional
        Per million prompt and completion tokens, for the cost estimate.

    Raises
    ------
    ImportError
        When ``openai`` is not installed.
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
        from saetm_plugins.evaluation.bounded_http import bounded_client  # httpx is openai's

        self._client = openai.OpenAI(
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=max_retries,
            http_client=bounded_client(timeout),
        )
        self.model = model
        self.temperature = temperature
        self.max_tokens = check_count(max_tokens, "max_tokens")
        self.max_workers = check_count(max_workers, "max_workers")
        self.prices = None if prices is None else Prices(*prices)
        self.name = f"openai:{self._client.base_url}:{model}:t={temperature}:n={max_tokens}"

    def answer(self, messages: Messages) -> str:
        """Return the model's answer.

        Raises
        ------
        JudgeError
            When the endpoint stays unreachable, too slow, over its limit, answers no chat, more
            than a MiB or elsewhere (redirects are not followed).
        """
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

    Raises
    ------
    ImportError
        When ``transformers`` is not installed.
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
    """A function that is given a prompt and returns an answer, as a chat.

    Parameters
    ----------
    function : callable
        From one str, the instructions and the question, to a str. What it raises is taken for
        "no answer".
    """

    prices: Prices | None = None
    max_workers = 1  # a function need not stand two threads

    def __init__(self, function: Callable[[str], str]):
        self.function = function
        named = function if hasattr(function, "__qualname__") else type(function)
        self.name = f"callable:{named.__module__}.{named.__qualname__}"

    def answer(self, messages: Messages) -> str:
        """Return the function's answer.

        Raises
        ------
        JudgeError
            When it raises an error, or returns no str.
        """
        prompt = "\n\n".join(message["content"] for message in messages)
        try:
            answer = self.function(prompt)
        except Exception as error:
            raise JudgeError(f"{self.name} gave no answer: {error!r}") from error
        if not isinstance(answer, str):
            raise JudgeError(f"{self.name} must return a str; found {type(answer).__name__}")
        return answer


class AnswerCache:
    """Answers remembered on disk (SQLite), so that no question is paid for twice.

    Parameters
    ----------
    path : path
        The file; made when it does not exist.

    Raises
    ------
    ValueError
        When the file was written by another version, or is not a cache of ours.
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
        """Return the answers known among `keys`."""
        with closing(self._connect()) as connection:
            rows = (
                connection.execute("SELECT answer FROM answers WHERE key = ?", (key,)).fetchone()
                for key in keys
            )
            return {key: row[0] for key, row in zip(keys, rows, strict=True) if row is not None}

    def put(self, key: str, answer: str) -> None:
        """Remember one answer."""
        with closing(self._connect()) as connection, connection:
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?)", (key, answer))

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=30)


def question_key(chat_name: str, messages: Messages, repeat: int) -> str:
    """Return the key of one question to one model; `repeat` tells equal questions apart."""
    text = json.dumps([chat_name, messages, repeat], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
