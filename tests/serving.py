"""A server in a process of its own, and things to send to it."""

from __future__ import annotations

import io
import json
import os
import socket
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

# Settings that the command line does not have come as JSON.
_PROGRAM = """
import json, sys
from sakuga.cli import _stop
import signal
from sakuga.web.server import serve
from sakuga.web.settings import Settings
signal.signal(signal.SIGTERM, _stop)
serve(Settings(port=0, **json.loads(sys.argv[1])))
"""


def picture(width: int = 60, height: int = 40, kind: str = "PNG", **options: Any) -> bytes:
    """A picture of noise over a slope, as a file's bytes."""
    generator = np.random.default_rng(width * 1000 + height)
    pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
    pixels[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def pixels_of(content: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """What a file of a picture shows: uint8 (H, W, 3)."""
    with Image.open(io.BytesIO(content)) as image:
        return np.asarray(image.convert("RGB"))


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of a few bytes that says it has many pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))


@dataclass
class Running:
    """A server that answers."""

    address: str  # as printed: http://127.0.0.1:PORT/
    process: subprocess.Popen[str]
    temporary: Path  # its TMPDIR

    @property
    def port(self) -> int:
        return int(self.address.split("/")[2].rsplit(":", 1)[1])

    def left_behind(self) -> list[Path]:
        """Files and folders of requests that are in the server's folder."""
        return [path for path in self.temporary.glob("*/*") if path.name != "in-use"]

    def send(self, data: bytes, *, then: bytes = b"", after_s: float = 0.0) -> bytes:
        """Send raw bytes, and return all that is answered until the connection closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as connection:
            connection.sendall(data)
            if then:
                time.sleep(after_s)
                connection.sendall(then)
            answer = b""
            while piece := connection.recv(65_536):
                answer += piece
            return answer


def command(
    *arguments: str, settings: dict[str, Any] | None = None, verb: str = "serve"
) -> list[str]:
    """The command line of a server."""
    if settings is not None:
        return [sys.executable, "-c", _PROGRAM, json.dumps(settings)]
    return [sys.executable, "-m", "sakuga", verb, *arguments]


@contextmanager
def running(
    folder: Path,
    styles: Path,
    *arguments: str,
    settings: dict[str, Any] | None = None,
    verb: str = "serve",
) -> Iterator[Running]:
    """Start a server, wait until it listens, and kill it at the end if it still runs.

    Args:
        folder: for its temporary files and its log.
        styles: the folder of the user's styles.
        arguments: of `sakuga serve`, or of `verb`; or `settings`: of `Settings`.
    """
    temporary = folder / "temporary"
    temporary.mkdir(exist_ok=True)
    environment = os.environ | {
        "SAKUGA_STYLES": str(styles),
        "TMPDIR": str(temporary),
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
    }
    with (folder / "server.log").open("a") as log:
        process = subprocess.Popen(
            command(*arguments, settings=settings, verb=verb),
            env=environment,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith("Sakuga is at  http://"), (folder / "server.log").read_text()
            yield Running(line.split()[-1], process, temporary)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)
            assert process.stdout is not None
            process.stdout.close()


@contextmanager
def running_soundly(folder: Path, styles: Path, settings: dict[str, Any]) -> Iterator[Running]:
    """As `running`; at the end its log must hold no traceback."""
    with running(folder, styles, settings=settings) as server:
        yield server
        log = (folder / "server.log").read_text()
        assert "Traceback" not in log, log[-3000:]
