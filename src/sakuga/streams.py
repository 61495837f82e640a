"""The program's own stdin, stdout and stderr: closed, full, without a reader, of a poor encoding.

None of that may cost a picture. What is said on stderr is said if it can be; stdout, which scripts
read, fails in words, or with status 141 if its reader has gone.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import sys
from typing import TextIO

from sakuga.errors import InputError, OutputError

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
        try:
            return super().write(text)
        except OSError as error:
            raise _failed(error) from error

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as error:
            raise _failed(error) from error


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
    """Print a line on stderr; if that cannot be, nobody listens, and the work goes on."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        _abandon(sys.stderr)


def write_stdout(content: bytes | memoryview) -> None:
    """Write bytes to stdout, and all of them.

    Raises:
        ReaderGoneError: whoever read it went away.
        OutputError: it is closed, shows text only, or cannot be written.
    """
    if sys.__stdout__ is None:
        raise OutputError("stdout is closed; give a file with --out")
    try:
        rest = memoryview(content)
        while rest:  # an unbuffered stdout may take a part only
            rest = rest[sys.stdout.buffer.write(rest) :]
        sys.stdout.buffer.flush()
    except OSError as error:
        raise _failed(error) from error


def read_stdin() -> bytes:
    """Read stdin to its end.

    Raises:
        InputError: it is closed, a terminal, a folder, or cannot be read.
    """
    if sys.stdin is None:
        raise InputError("stdin is closed; pipe a picture into it, or name a file")
    if sys.stdin.isatty():
        raise InputError("stdin is a terminal; pipe a picture into it, or name a file")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise InputError(f"stdin cannot be read ({error.strerror}); name a file") from error


def reader_gone() -> int:
    """Let go of stdout, whose reader has gone, and return the exit status for it."""
    _abandon(sys.stdout)
    return 141


def _failed(error: OSError) -> Exception:
    _abandon(sys.stdout)
    # Windows says "invalid argument" of a pipe that nobody reads.
    if isinstance(error, BrokenPipeError) or (os.name == "nt" and error.errno == errno.EINVAL):
        return ReaderGoneError()
    return OutputError(f"stdout cannot be written ({error.strerror}); give a file with --out")


def _abandon(stream: TextIO) -> None:
    """Let a stream lead nowhere: Python flushes it once more at exit, which must not fail."""
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
