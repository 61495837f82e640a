"""The terminal: streams whose failing stops no painting, progress bars, Ctrl-C."""

from __future__ import annotations

import codecs
import contextlib
import errno
import io
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, Self, TextIO

from sakuga.errors import InputError, OutputError

_PIECE_BYTES = 1 << 20
_NAMES = "sakuga.names"  # the error handler below, as `codecs` knows it


class ReaderGoneError(Exception):
    """Whoever read stdout went away."""


class _Stdout(io.TextIOWrapper):
    """A stdout that says in words why it cannot be written.

    Raises:
        ReaderGoneError: whoever read it went away.
        OutputError: it cannot be written, for example to a full disk.
    """

    def write(self, text: str) -> int:
        with _in_words():
            return super().write(text)

    def flush(self) -> None:
        with _in_words():
            super().flush()


def prepare() -> None:
    """Make the streams of a program that was just started safe to use.

    A closed one becomes /dev/null. Its number must not be free: the next file opened would get it,
    and a library that reports to stderr would write into a picture.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(number, True)
    os.close(number)
    codecs.register_error(_NAMES, _spelt_out)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    if isinstance(sys.stderr, io.TextIOWrapper):
        sys.stderr.reconfigure(errors=_NAMES)
    if isinstance(sys.stdout, io.TextIOWrapper):
        given = sys.stdout
        options = (given.line_buffering, given.write_through)
        stdout = _Stdout(given.detach(), given.encoding, _NAMES, None, *options)
        sys.stdout = stdout
        if sys.__stdout__ is not None:
            sys.__stdout__ = stdout  # type: ignore[misc]  # what is detached cannot be used


def tell(text: str) -> None:
    """Print a line on stderr; if stderr cannot be written, the work goes on without it."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)


def check_stdout() -> None:
    """Look, before anything is painted for stdout, whether it can take it.

    Raises:
        OutputError: it is closed or a terminal.
    """
    if sys.__stdout__ is None:
        raise OutputError("stdout is closed; give a file with --out")
    if sys.stdout.isatty():
        raise OutputError("stdout is a terminal, which shows no pictures; use --out, or > FILE")


def copy_to_stdout(file: BinaryIO) -> None:
    """Write what an open file holds to stdout, and all of it.

    Raises:
        ReaderGoneError: whoever read it went away.
        OutputError: it is closed, shows text only, or cannot be written.
    """
    if sys.__stdout__ is None:
        raise OutputError("stdout is closed; give a file with --out")
    while piece := file.read(_PIECE_BYTES):
        rest = memoryview(piece)
        with _in_words():
            while rest:  # an unbuffered stdout may take a part only
                rest = rest[sys.stdout.buffer.write(rest) :]
    with _in_words():
        sys.stdout.buffer.flush()


def read_stdin() -> bytes:
    """Read stdin to its end.

    Raises:
        InputError: it is closed, a terminal, a folder, or cannot be read.
    """
    content = io.BytesIO()
    copy_stdin(content)
    return content.getvalue()


def copy_stdin(file: BinaryIO) -> None:
    """Write stdin, to its end, into an open file; see `read_stdin`."""
    if sys.stdin is None:
        raise InputError("stdin is closed; pipe a picture into it, or name a file")
    if sys.stdin.isatty():
        raise InputError("stdin is a terminal; pipe a picture into it, or name a file")
    while True:
        try:
            piece = sys.stdin.buffer.read(_PIECE_BYTES)
        except OSError as error:
            raise InputError(f"stdin cannot be read ({error.strerror}); name a file") from error
        if not piece:
            return
        file.write(piece)


def reader_gone() -> int:
    """Let go of stdout, which nobody reads any more, and return the exit status for that."""
    _abandon(sys.stdout)
    return 141


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """Turn what the system says of stdout into our errors, and let go of it."""
    try:
        yield
    except OSError as error:
        _abandon(sys.stdout)
        # Windows says "invalid argument" of a pipe that nobody reads.
        if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL):
            raise ReaderGoneError from error
        reason = f"stdout cannot be written ({error.strerror}); give a file with --out"
        raise OutputError(reason) from error


def _abandon(stream: TextIO) -> None:
    """Point a stream at /dev/null: Python flushes it once more at exit, which must not fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _spelt_out(error: UnicodeError) -> tuple[bytes, int]:
    r"""Encode what an encoding lacks: 日 as \u65e5, a byte of a name that is no text as itself."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    spelt = b""
    for letter in error.object[error.start : error.end]:
        if os.name == "posix" and "\udc80" <= letter <= "\udcff":
            spelt += bytes((ord(letter) - 0xDC00,))  # as `os.fsdecode` hid it
        else:
            spelt += letter.encode("ascii", "backslashreplace")
    return spelt, error.end


if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE_S = 1.0
_GRACE_S = 1.0  # that the main thread has to act on a second Ctrl-C
_SHOW_CURSOR = "\x1b[?25h"  # which the progress bar hides
_END = b"\0"  # no signal has this number
WAIT_S = 10.0  # after which a wait is explained


@contextlib.contextmanager
def explain_wait(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Say on stderr what is waited for, once, if the block takes more than `WAIT_S`.

    Also where somebody points stderr elsewhere meanwhile, as Ray's start does.
    """
    try:
        stderr = None if quiet else os.dup(2)
    except OSError:  # closed: nobody would read it
        stderr = None
    if stderr is None:
        yield
        return
    words = f"sakuga: still waiting for {what}; Ctrl-C ends it\n".encode()

    def tell() -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            os.write(stderr, words)

    timer = threading.Timer(WAIT_S, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        os.close(stderr)


@contextlib.contextmanager
def noted_ctrl_c(said: str = "", *, insists: bool = False) -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into a flag that the block looks at; the second one interrupts it.

    Outside the main thread, which alone hears signals, nothing is noted.

    Args:
        said: told on stderr as soon as the flag is set.
        insists: listen in a thread. Python handles signals only between the bytecodes of its main
            thread, and a backward pass of a minute is one bytecode: where that does not react to
            the second Ctrl-C, the process is ended.
    """
    asked, acted = threading.Event(), threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    count = 0  # heard by the listener

    def note(number: int, frame: object) -> None:
        if asked.is_set() or count > 1:  # two that came during one computation arrive as one
            acted.set()
            raise KeyboardInterrupt
        asked.set()
        if said and not insists:
            tell(said)

    def hear() -> None:
        nonlocal count
        count += 1
        if count == 1 and said:
            tell(said)
        elif count == 2 and not acted.wait(_GRACE_S):
            tell("sakuga: stopped" + _SHOW_CURSOR * sys.stderr.isatty())
            os._exit(130)

    previous = signal.signal(signal.SIGINT, note)
    try:
        with _listening(hear) if insists else contextlib.nullcontext():
            try:
                yield asked
            finally:
                acted.set()  # whatever comes now, this is being left
    finally:
        signal.signal(signal.SIGINT, previous)


@contextlib.contextmanager
def _listening(hear: Callable[[], None]) -> Iterator[None]:
    """Call a function in a thread at every Ctrl-C, whatever the main thread is doing."""

    def listen() -> None:
        while (byte := receiver.recv(1)) != _END:
            if byte == bytes([signal.SIGINT]):
                hear()

    receiver, sender = socket.socketpair()
    sender.setblocking(False)
    listener = threading.Thread(target=listen, name="ctrl-c", daemon=True)
    listener.start()
    previous = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(previous)
        sender.send(_END)
        listener.join()
        receiver.close()
        sender.close()


class ProgressBar:
    """`with ProgressBar("Painting", total=50) as bar: bar.update(12.5, "cat.jpg")`.

    Args:
        label: what is being done.
        total: of whatever `update` counts, for example pictures; None: not known yet.
        quiet: never show anything.
        line_every_s: seconds between lines where there is no terminal; None: no lines.
    """

    def __init__(
        self,
        label: str,
        total: float | None,
        *,
        quiet: bool = False,
        line_every_s: float | None = None,
    ) -> None:
        self._label = label
        self._total = total
        self._speaks = sys.stderr is not None and not quiet
        self._shown = self._speaks and sys.stderr.isatty()
        self._line_every_s = line_every_s if self._speaks and not self._shown else None
        self._start_s = self._last_line_s = time.monotonic()
        self._first: tuple[float, float] | None = None  # done and seconds, at the first update
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        """Show how much is done, and on what; draws nothing within the first second.

        `total` is given here if it is not known from the beginning, or changes.
        """
        if total is not None:
            self._total = total
        if self._line_every_s is not None:
            self._write_line(done, note)
        if not self._shown:
            return
        if self._bar is None:
            if time.monotonic() - self._start_s < _PATIENCE_S:
                return
            self._open()
        assert self._bar is not None and self._task is not None
        self._bar.update(self._task, completed=done, note=note, total=total)

    def say(self, text: str) -> None:
        """Write a line, above the bar if there is one; nothing if quiet."""
        if not self._speaks:
            return
        if self._bar is not None:
            self._bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            tell(text)

    def _write_line(self, done: float, note: str) -> None:
        now = time.monotonic()
        self._first = self._first or (done, now)
        assert self._line_every_s is not None
        if now - self._last_line_s < self._line_every_s:
            return
        self._last_line_s = now
        parts = [f"{self._label}: {done:,.0f}"]
        if self._total is not None:
            parts[0] += f" of {self._total:,.0f}"
        if note:
            parts.append(note)
        first_done, first_s = self._first
        if self._total is not None and done > first_done:
            left_s = (self._total - done) * (now - first_s) / (done - first_done)
            parts.append(f"{timedelta(seconds=round(left_s))} left")
        tell(", ".join(parts))

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            Remaining(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(self._label, total=self._total, note="")
        self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
