"""An HTTP client for ``openai`` whose answers are bounded in time and size.

The client's own time-out is for one read: a server that sends a byte now and then is never too
slow for it, and one that sends for ever fills the memory.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import openai

LARGEST_ANSWER = 2**20
"""Bytes of an answer, which is a few tokens."""
# The HTTP library is the one that openai was made with: httpx, or its successor.
_HTTP: Any = import_module(openai.DefaultHttpxClient.__mro__[1].__module__.split(".")[0])


def bounded_client(timeout: float) -> Any:
    """Return a client that follows no redirect and gives up on what is too long or too slow.

    Parameters
    ----------
    timeout : float
        Seconds for one answer, from the request to its last byte.
    """
    return openai.DefaultHttpxClient(
        transport=_BoundedTransport(timeout),
        timeout=timeout,
        follow_redirects=False,
        headers={"Accept-Encoding": "identity"},
    )


class _BoundedTransport(_HTTP.HTTPTransport):  # type: ignore[misc]
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def handle_request(self, request: Any) -> Any:
        """Send a request; its answer is cut off where it is too long or too slow."""
        end = time.monotonic() + self._seconds
        response = super().handle_request(request)
        if response.headers.get("content-encoding", "identity") != "identity":
            response.close()
            raise _HTTP.RemoteProtocolError("the answer is compressed, which was not asked for")
        return _HTTP.Response(
            response.status_code,
            headers=response.headers,
            stream=_BoundedStream(response.stream, end),
            extensions=response.extensions,
        )


class _BoundedStream(_HTTP.SyncByteStream):  # type: ignore[misc]
    def __init__(self, stream: Any, end: float) -> None:
        self._stream, self._end = stream, end

    def __iter__(self) -> Iterator[bytes]:
        n_bytes = 0
        for chunk in self._stream:
            n_bytes += len(chunk)
            if n_bytes > LARGEST_ANSWER:
                raise _HTTP.RemoteProtocolError(f"an answer of more than {LARGEST_ANSWER} bytes")
            if time.monotonic() > self._end:
                raise _HTTP.ReadTimeout("the answer takes too long")
            yield chunk

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()
