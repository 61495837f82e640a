"""Which kinds of files are let in, by their first bytes; names and declared types mean nothing.

Narrower than what the libraries read: kinds that call other programs (EPS), refer to other files
(playlists) or can hold scripts (SVG, HTML) never reach a decoder.
"""

from __future__ import annotations

from pathlib import Path

from sakuga.images.formats import HEAD_BYTES, describe, is_video, picture_kind
from sakuga.web.errors import Problem

_BMP_MARK = b"BM"


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
    if not is_video(head):
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
