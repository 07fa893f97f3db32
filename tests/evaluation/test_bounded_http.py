"""A hostile chat endpoint: answers that never end, drip, lie about their length or lead away."""

import threading
import time
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

pytest.importorskip("openai")

from saetm_plugins.evaluation import JudgeError, OpenAIChat

MESSAGES = [{"role": "user", "content": "Which word?"}]


def endless(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" " * 65536)


def dripping(handler):
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


def silent(handler):
    time.sleep(5)


def compressed(handler):
    handler.send_response(200)
    handler.send_header("Content-Encoding", "gzip")
    handler.end_headers()
    handler.wfile.write(b"\x1f\x8b")


def too_short(handler):
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    handler.wfile.write(b"{}")


def leading_to(place):
    def reply(handler):
        handler.send_response(307)
        handler.send_header("Location", place)
        handler.end_headers()

    return reply


@contextmanager
def serve(reply):
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            with suppress(OSError):
                reply(self)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v1"
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    "reply",
    [endless, dripping, silent, compressed, too_short, leading_to("file:///etc/passwd"),
     leading_to("http://127.0.0.1:9/elsewhere")],
    ids=["endless", "dripping", "silent", "compressed", "short", "to a file", "elsewhere"],
)  # fmt: skip
def test_a_hostile_endpoint_is_given_up_on(reply):
    with serve(reply) as address:
        chat = OpenAIChat("judge", address, "key", timeout=0.5, max_retries=0)
        start = time.monotonic()
        with pytest.raises(JudgeError):
            chat.answer(MESSAGES)
        assert time.monotonic() - start < 4
