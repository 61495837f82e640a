"""A socket, uvicorn, a private folder, and an end within five seconds whatever is being painted."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import socket
import sys
import tempfile
import time
import webbrowser
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from sakuga.errors import OptionError
from sakuga.files import try_lock
from sakuga.web.app import build_app
from sakuga.web.endpoints import Endpoints
from sakuga.web.settings import Settings, is_loopback

_REASONS = {
    errno.EADDRINUSE: "something else listens there already; choose another with --port",
    errno.EACCES: "this user may not listen there; choose a port above 1023 with --port",
    errno.EADDRNOTAVAIL: "this machine does not have that address; choose another with --host",
}
_MOST_CONNECTIONS = 512
_NOT_HTTP = (
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b'Content-Length: 39\r\n\r\n{"error": "this is not valid HTTP/1.1"}'
)
_STOPPED_STATUS = 143  # 128 + SIGTERM
_PREFIX = "sakuga-serve-"
_LOCK = "in-use"


def serve(settings: Settings, *, open_page: bool = False) -> None:
    """Serve the page and the API until SIGTERM or Ctrl-C.

    Args:
        open_page: show the page in the user's browser.

    Raises:
        OptionError: the address cannot be listened at.
        StyleError: there is nothing to paint with.
    """
    endpoints: Endpoints | None = None
    try:
        with _listen(settings) as listener, scratch_folder() as folder:
            app, endpoints = build_app(settings, folder)
            address = _address(settings, listener.getsockname()[1])
            _greet(settings, address)
            logging.getLogger("python_multipart").setLevel(logging.ERROR)
            if open_page:
                webbrowser.open(address)
            try:
                _Server(_configuration(app, settings), endpoints).run(sockets=[listener])
            finally:
                endpoints.close()
                _wait_until_idle(endpoints)
    finally:
        if endpoints is not None and not endpoints.is_idle():
            # A thread is deep inside a tile; a plain exit would tear its library down around it.
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(_STOPPED_STATUS)


def _configuration(app: ASGIApp, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_protocol(settings.patience_s),
        ws="none",
        lifespan="off",
        log_level="error",  # below it are requests that are no HTTP
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_graceful_shutdown=max(1, int(settings.shutdown_s)),
    )


class _Server(uvicorn.Server):
    """Cancels jobs as soon as the signal comes, rather than when all answers are sent."""

    def __init__(self, config: uvicorn.Config, endpoints: Endpoints) -> None:
        super().__init__(config)
        self._endpoints = endpoints

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._endpoints.close()
        super().handle_exit(sig, frame)


def _protocol(patience_s: float) -> type[H11Protocol]:
    """HTTP/1.1 that closes connections on which no whole request comes within the time.

    uvicorn itself waits for ever for the first header, and after the first byte of each next one.
    """

    class Impatient(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._timer = self.loop.call_later(patience_s, self._give_up)

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if not self._is_waiting():
                self._stop_timer()
            elif self._timer is None:
                self._timer = self.loop.call_later(patience_s, self._give_up)

        def send_400_response(self, msg: str) -> None:
            """Answer what is not HTTP, also when it follows a request that is being answered."""
            # An answer that is on its way, or was sent, cannot be followed by another.
            if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
                self.transport.write(_NOT_HTTP)
            self.transport.close()
            if self.cycle is not None:
                self.cycle.disconnected = True
                self.cycle.message_event.set()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def _is_waiting(self) -> bool:
            """True while no request is being answered."""
            return self.cycle is None or self.cycle.response_complete

        def _give_up(self) -> None:
            self._timer = None
            if self._is_waiting():
                self.transport.close()

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None

    return Impatient


def _listen(settings: Settings) -> socket.socket:
    """Bind the address, or say in one line why not."""
    try:
        family, *_ = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(
            (settings.host, settings.port), family=family, backlog=_MOST_CONNECTIONS
        )
    except OSError as error:
        reason = _REASONS.get(error.errno or 0, f"{error.strerror or error}; check --host, --port")
        raise OptionError(f"cannot listen at {settings.host}:{settings.port}: {reason}") from error


def _address(settings: Settings, port: int) -> str:
    """Where a browser finds the page; the part after # is never sent over a network."""
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    secret = f"#token={settings.token}" if settings.token is not None else ""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/{settings.first_page}{secret}"


def _greet(settings: Settings, address: str) -> None:
    if is_loopback(settings.host):
        who = "only this machine can reach it"
    else:
        who = f"listening at {settings.host}: other machines can reach it, with the token"
    print(f"Sakuga is at  {address}\n{who}; Ctrl-C ends it", flush=True)


def _wait_until_idle(endpoints: Endpoints) -> None:
    """Wait for threads to see that they are to stop: at most a second more."""
    until = time.monotonic() + 1.0
    while not endpoints.is_idle() and time.monotonic() < until:
        time.sleep(0.02)


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder only this user can enter, and remove it with all that is in it.

    Folders of servers that were killed are removed at the same time.
    """
    parent = Path(tempfile.gettempdir())
    for old in parent.glob(f"{_PREFIX}*"):
        if _is_abandoned(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # mode 0700
    with (folder / _LOCK).open("wb") as lock:
        with contextlib.suppress(OSError):  # a disk without locks
            try_lock(lock)
        try:
            yield folder
        finally:
            if sys.platform == "win32":
                lock.close()  # an open file cannot be deleted there
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """True for a folder of ours whose server no longer holds its lock."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return False
    try:
        if sys.platform == "win32":
            (folder / _LOCK).unlink()  # refused while the file is open
            return True
        with (folder / _LOCK).open("rb") as lock:
            return try_lock(lock)
    except OSError:  # not finished being made, or not ours to open
        return False
