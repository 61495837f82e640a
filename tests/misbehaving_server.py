"""A local HTTP server that serves what it is told to, well or badly.

A test sets `server.routes[path] = behaviour`; a behaviour is called with the request handler and
the number of times that path has been asked for, this time included.
"""

from __future__ import annotations

import io
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

Behaviour = Callable[["Handler", int], None]


def picture_bytes(seed: int = 0, *, side: int = 64, file_format: str = "JPEG") -> bytes:
    """Encode a colourful random picture: soft blobs, different for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    image = Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, file_format)
    return buffer.getvalue()


class Handler(BaseHTTPRequestHandler):
    """Looks the path up in the server's routes."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        """Count the request and behave as told."""
        with self.server.lock:
            self.server.asked[self.path] += 1
            times = self.server.asked[self.path]
            self.server.agents.add(self.headers.get("User-Agent", ""))
            self.server.active += 1
            self.server.most_active = max(self.server.most_active, self.server.active)
        try:
            behaviour = self.server.routes.get(self.path, self.server.otherwise)
            behaviour(self, times)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client has had enough, as it should
        finally:
            with self.server.lock:
                self.server.active -= 1

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send a whole answer; header names are given with '_' for '-'."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """Counts what it is asked for."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.routes: dict[str, Behaviour] = {}
        self.otherwise: Behaviour = fail(404)
        self.asked: Counter[str] = Counter()
        self.agents: set[str] = set()
        self.active = 0
        self.most_active = 0
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up."""


@contextmanager
def serving() -> Iterator[Server]:
    """Run a server for the length of a `with` block."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def give(body: bytes, *, after_s: float = 0.0, **headers: str) -> Behaviour:
    """Answer 200 with a body, perhaps slowly."""

    def behave(handler: Handler, times: int) -> None:
        time.sleep(after_s)
        handler.answer(200, body, **headers)

    return behave


def fail(status: int, **headers: str) -> Behaviour:
    """Answer with an error."""
    return lambda handler, times: handler.answer(status, b"no", **headers)


def first(bad: Behaviour, times_bad: int, good: Behaviour) -> Behaviour:
    """Misbehave some times, then behave."""
    return lambda handler, times: (bad if times <= times_bad else good)(handler, times)


def drop(handler: Handler, times: int) -> None:
    """Hang up without a word."""
    handler.close_connection = True
    handler.connection.close()


def truncate(body: bytes, *, announced: bool = True) -> Behaviour:
    """Send half of a body, having announced the whole or nothing at all."""

    def behave(handler: Handler, times: int) -> None:
        handler.send_response(200)
        if announced:
            handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Connection", "close")
        handler.end_headers()
        handler.wfile.write(body[: len(body) // 2])
        handler.close_connection = True

    return behave


def never_end(handler: Handler, times: int) -> None:
    """Send a chunked body that has no end."""
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while True:
        handler.wfile.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


def drip(handler: Handler, times: int) -> None:
    """Send one byte of a body now and then, for ever: no timeout of a socket ever ends it."""
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def drip_header(handler: Handler, times: int) -> None:
    """Send one byte of a header now and then, for ever."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while True:
        handler.wfile.write(b"x")
        time.sleep(0.05)


def redirect(target: str) -> Behaviour:
    """Send the client elsewhere."""
    return lambda handler, times: handler.answer(302, b"", Location=target)


def announce(size: int) -> Behaviour:
    """Promise a body of some size and begin to send it."""

    def behave(handler: Handler, times: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()
        for _ in range(size // 65536):
            handler.wfile.write(b"x" * 65536)

    return behave
