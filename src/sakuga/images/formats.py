"""What kind of file it is, by its name and by its first bytes."""

from __future__ import annotations

from pathlib import Path

from sakuga.errors import OptionError
from sakuga.images import tiff

HEAD_BYTES = 32  # what the functions on `head` need to see of a file

# How a format is written by `--format` -> (Pillow's name of it, its usual suffix).
WRITABLE = {
    "png": ("PNG", ".png"),
    "jpg": ("JPEG", ".jpg"),
    "webp": ("WEBP", ".webp"),
    "gif": ("GIF", ".gif"),
}
_WRITABLE_SUFFIXES = {
    ".png": "png",
    ".apng": "png",
    ".jpg": "jpg",
    ".jpeg": "jpg",
    ".jpe": "jpg",
    ".jfif": "jpg",
    ".webp": "webp",
    ".gif": "gif",
}
_READ_ONLY_SUFFIXES = (
    *(".heic", ".heif", ".hif", ".avif", ".tif", ".tiff", ".bmp", ".dib", ".mpo", ".jp2", ".j2k"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".qoi", ".ico", ".psd", ".pcx"),
)
PICTURE_SUFFIXES = frozenset((*_WRITABLE_SUFFIXES, *_READ_ONLY_SUFFIXES))
_LOSSY = ("JPEG", "MPO", "HEIF", "AVIF", "JPEG2000")

_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "a gzip archive"),
)
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"mif1", b"msf1")
_AVIF_BRANDS = (b"avif", b"avis")
_PICTURES = (
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"\xff\xd8\xff", "JPEG"),
    (b"GIF8", "GIF"),
    *((mark, "TIFF") for mark in tiff.MARKS),
)


def format_of(path: Path) -> str | None:
    """The format in which a path of this name would be written, or None: photo.JPEG -> "jpg"."""
    return _WRITABLE_SUFFIXES.get(path.suffix.lower())


def need_format(path: Path, instead: str = ".png, .jpg, .webp or .gif") -> str:
    """The format in which a path of this name is written. Raises OptionError: in none."""
    if (found := format_of(path)) is None:
        raise OptionError(
            f"{path}: the suffix {path.suffix or '(none)'} is not one Sakuga writes; use {instead}"
        )
    return found


def format_like(pillow_name: str | None) -> str:
    """The writable format nearest to the one a picture was read from, by Pillow's name of that."""
    for name, (written, _) in WRITABLE.items():
        if written == pillow_name:
            return name
    return "jpg" if pillow_name in _LOSSY else "png"


def picture_kind(head: bytes) -> str | None:
    """The kind of picture that a file begins like: "JPEG", "TIFF"; None for others."""
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        return "HEIC"
    if head[4:8] == b"ftyp" and head[8:12] in _AVIF_BRANDS:
        return "AVIF"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((kind for mark, kind in _PICTURES if head.startswith(mark)), None)


def begins_like_video(head: bytes) -> bool:
    """True if a file that begins so is a video: MP4, MOV, Matroska, WebM, AVI."""
    mp4 = head[4:8] == b"ftyp" and picture_kind(head) is None
    avi = head[:4] == b"RIFF" and head[8:12] == b"AVI "
    return mp4 or avi or head[:4] == b"\x1a\x45\xdf\xa3"


def describe(head: bytes) -> str:
    """Say what a file that begins so holds, for an error: "text", "a PDF document"."""
    if not head:
        return "nothing (0 bytes)"
    for signature, kind in _SIGNATURES:
        if head.startswith(signature):
            return kind
    if begins_like_video(head):
        return "a video"
    if all(byte in b"\t\n\r\f" or 32 <= byte < 127 or byte >= 128 for byte in head):
        return "text"
    return "data of no known kind"
