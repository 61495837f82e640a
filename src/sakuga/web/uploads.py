"""A request's body into a private file, within limits of size, time and kind.

A body is either the file itself, or multipart/form-data with the file in one part and, beside it,
what is asked as further parts. Names that clients give to files are not even read: which kinds are
let in is seen by their first bytes. Kinds that call other programs (EPS), refer to other files
(playlists) or can hold scripts (SVG, HTML) never reach a decoder, whatever the libraries read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import Request

from sakuga.images.formats import HEAD_BYTES, begins_like_video, describe, picture_kind
from sakuga.web.errors import Problem
from sakuga.web.settings import Settings

_MOST_FIELDS = 8
_FIELD_BYTES = 1024
_FORM_BYTES = 16_384  # of a form, beside the file
_BMP_MARK = b"BM"
_MULTIPART = b"multipart/form-data"


async def receive(
    request: Request, target: Path, max_bytes: int, settings: Settings
) -> list[tuple[str, str]]:
    """Write the file that the body carries to `target`, and return the fields beside it.

    Raises:
        Problem: 413 too long, 408 too slow, 400 not a form, 422 without a file.
        ClientDisconnect: the client went away.
    """
    declared = request.headers.get("content-length", "")
    too_long = Problem(
        413, f"the body is longer than the limit of {max_bytes / 1e6:g} MB; send a smaller file"
    )
    chunks = _in_time(request, settings)
    if declared.isdigit() and int(declared) > max_bytes + _FORM_BYTES:
        raise too_long
    kind, parameters = parse_options_header(request.headers.get("content-type", ""))
    received = 0
    with target.open("wb") as file:
        form = _Form(file, parameters.get(b"boundary", b"")) if kind == _MULTIPART else None
        async for chunk in chunks:
            received += len(chunk)
            if received > max_bytes + (_FORM_BYTES if form else 0):
                raise too_long
            if form is None:
                file.write(chunk)
            else:
                form.feed(chunk)
        fields = [] if form is None else form.finish()
    if received == 0:
        raise Problem(422, "the body is empty; send a file as the body, or as a part of a form")
    return fields


async def _in_time(request: Request, settings: Settings) -> AsyncIterator[bytes]:
    """Yield the body, piece by piece, as long as it comes fast enough."""
    began = time.monotonic()
    received = 0
    stream = request.stream()
    while True:
        until = began + settings.patience_s + received / settings.slowest_bytes_per_s
        # A piece may take `patience_s` however fast those before it were.
        wait_s = min(until - time.monotonic(), settings.patience_s)
        try:
            chunk = await asyncio.wait_for(anext(stream), max(wait_s, 0.001))
        except StopAsyncIteration:
            return
        except TimeoutError as error:
            raise Problem(
                408,
                f"the body stalled after {received} bytes; send it again over a better line",
                headers={"Connection": "close"},
            ) from error
        received += len(chunk)
        yield chunk


@dataclass
class _Part:
    """One part of a form, as it comes in."""

    header: bytearray = field(default_factory=bytearray)
    value: bytearray = field(default_factory=bytearray)
    disposition: bytes = b""
    name: str = ""
    is_file: bool = False


class _Form:
    """Reads multipart/form-data: one file into `file`, short fields into a list."""

    def __init__(self, file: BinaryIO, boundary: bytes) -> None:
        if not 0 < len(boundary) <= 70:  # RFC 2046, 5.1.1
            raise Problem(400, "the form has no boundary, or one longer than 70 characters")
        self._file = file
        self._fields: list[tuple[str, str]] = []
        self._files = 0
        self._beside = 0  # bytes of the form that are not the file's
        self._ended = False
        self._part = _Part()
        self._header_value = bytearray()
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_header,
                "on_header_value": self._take_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._end_headers,
                "on_part_data": self._take_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise Problem(400, "the form is not valid multipart/form-data") from error

    def finish(self) -> list[tuple[str, str]]:
        """The fields beside the file, in order."""
        if not self._ended:
            raise Problem(400, "the form ends early; send it again")
        if self._files != 1:
            raise Problem(422, f"the form has {self._files} files; send one")
        return self._fields

    def _begin(self) -> None:
        self._part = _Part()

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._part.header += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._part.header.lower() == b"content-disposition":
            self._part.disposition = bytes(self._header_value)
        self._part.header.clear()
        self._header_value.clear()

    def _end_headers(self) -> None:
        kind, options = parse_options_header(self._part.disposition)
        if kind != b"form-data" or b"name" not in options:
            raise Problem(400, "a part of the form has no name")
        self._part.name = options[b"name"].decode("utf-8", "replace")
        self._part.is_file = b"filename" in options
        self._files += self._part.is_file
        if self._files > 1:
            raise Problem(422, "the form has several files; send one at a time")

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.is_file:
            self._file.write(data[start:end])
            return
        self._count(end - start)
        self._part.value += data[start:end]
        if len(self._part.value) > _FIELD_BYTES:
            raise Problem(422, f"the field {self._part.name[:40]!r} is too long")

    def _end_part(self) -> None:
        if not self._part.is_file:
            self._fields.append((self._part.name, self._part.value.decode("utf-8", "replace")))
            if len(self._fields) > _MOST_FIELDS:
                raise Problem(422, "the form has too many fields")

    def _end(self) -> None:
        self._ended = True

    def _count(self, size: int) -> None:
        self._beside += size
        if self._beside > _FORM_BYTES:
            raise Problem(413, "the form has too much beside its file")


def check_picture(path: Path) -> None:
    """Raise a Problem (415) unless the file begins like a picture."""
    head = _head(path)
    if picture_kind(head) is None and not head.startswith(_BMP_MARK):
        raise Problem(
            415,
            f"the picture holds {describe(head)}; "
            "send a JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF or HEIC file",
        )


def check_video(path: Path, max_pixels: int) -> None:
    """Raise a Problem (415, 413) unless it is MP4, MOV, Matroska, WebM or AVI with small frames.

    FFmpeg is told which of them it is before it is allowed to look for itself: a playlist or a
    session description would make it open other files and addresses.
    """
    import av
    import av.error

    head = _head(path)
    if not begins_like_video(head):
        raise Problem(
            415, f"the video holds {describe(head)}; send an MP4, MOV, MKV, WebM or AVI file"
        )
    kind = {b"\x1a\x45": "matroska", b"RI": "avi"}.get(head[:2], "mp4")
    try:
        with av.open(str(path), format=kind, options={"protocol_whitelist": "file"}) as video:
            streams = [stream for stream in video.streams.video if stream.codec_context]
            sizes = [(stream.width, stream.height) for stream in streams]
    except av.error.FFmpegError as error:
        raise Problem(
            415, f"the video is damaged ({error.strerror}); check that it plays elsewhere"
        ) from error
    if not sizes:
        raise Problem(415, "the video has no pictures that can be read; send another file")
    for width, height in sizes:
        if width * height > max_pixels:
            raise Problem(
                413,
                f"the video has frames of {width} x {height} pixels, more than the limit of "
                f"{max_pixels / 1e6:.1f} megapixels; shrink it first",
            )


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(max(HEAD_BYTES, 16))
