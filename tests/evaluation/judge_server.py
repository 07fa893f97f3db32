"""A chat endpoint on the loopback address that a test tells how to answer."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Reply(NamedTuple):
    """``text``: the answer. ``status``: HTTP's. ``delay``: seconds before it. ``raw``: a body as
    it is, in place of a chat completion. ``location``: where a redirect leads."""

    text: str = ""
    status: int = 200
    delay: float = 0.0
    raw: str | None = None
    location: str | None = None


class JudgeServer(ThreadingHTTPServer):
    """Answers every chat completion with ``reply(messages, number of the request)``."""

    daemon_threads = True

    def __init__(self, reply: Callable[[list[dict], int], Reply]):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.reply = reply
        self.lock = threading.Lock()
        self.requests: list[dict] = []
        self.under_way = 0
        self.most_under_way = 0

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: JudgeServer

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.requests.append(request)
            number = len(self.server.requests)
            self.server.under_way += 1
            self.server.most_under_way = max(self.server.most_under_way, self.server.under_way)
        reply = self.server.reply(request["messages"], number)
        time.sleep(reply.delay)
        with self.server.lock:
            self.server.under_way -= 1  # before the client can know, and ask the next
        with suppress(BrokenPipeError):  # a client that gave up waiting
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        message = {"role": "assistant", "content": reply.text}
        completion = {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": "judge",
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        }
        body = (json.dumps(completion) if reply.raw is None else reply.raw).encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if reply.status == 429:
            self.send_header("Retry-After", "0")
        if reply.location is not None:
            self.send_header("Location", reply.location)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve(reply: Callable[[list[dict], int], Reply]) -> Iterator[JudgeServer]:
    """Run a server while the block runs."""
    server = JudgeServer(reply)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)
