"""What a result says of itself: what was painted, in which style, and how.

The text lies in the file: as EXIF's ProcessingSoftware in JPEG, PNG and WebP, as a comment in GIF,
among the tags of a video. By it a second run knows whose result it finds, and that a picture among
photos is a result and no photo. A file that another program wrote anew has it no longer.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import re
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image

from sakuga.files import reading
from sakuga.images.read import PillowError, open_image, pillow_errors
from sakuga.images.strip import Stripped
from sakuga.images.urls import file_name, is_url

Option = str | int | float | bool | None

_TAG = 0x000B  # EXIF's ProcessingSoftware: what processed the picture after it was taken
_TEXT = re.compile(r"Sakuga [^\s{]+ (\{.*\})", re.DOTALL)
_WHOLE_BYTES = 64 * 2**20  # of a larger file only beginning and end are looked at
_log = logging.getLogger("sakuga")


@dataclass(frozen=True)
class Mark:
    """What a result says of itself."""

    source: str = ""  # name of the source, without its folder; "": it had none
    digest: str = ""  # `digest_of` the source; "": it can be had once only, as from a camera
    style: str = ""  # name and version
    weights: str = ""  # a digest of the style's file
    options: Mapping[str, Option] = field(default_factory=dict)  # those that are not as usual

    def __str__(self) -> str:
        """ASCII text that `read_mark` finds in a file."""
        import sakuga

        facts = {name: value for name, value in asdict(self).items() if value}
        return f"Sakuga {sakuga.__version__} {json.dumps(facts, separators=(',', ':'))}"

    def difference(self, asked: Mark, usual: Mapping[str, Option]) -> str | None:
        """Say how a result with this mark differs from one that is asked for; None: it does not.

        Args:
            usual: what an option is that is not among `options`.
        """
        if self.source != asked.source:
            return f"holds the painting of {self.source or 'something else'}, not of {asked.source}"
        if self.digest != asked.digest:
            return f"was painted from another {asked.source}, or from it before it was changed"
        if self.style != asked.style:
            return f"was painted in {self.style}, not {asked.style}"
        if self.weights != asked.weights:
            return f"was painted with another style file named {self.style}"
        for name in sorted({*self.options, *asked.options}):
            found = self.options.get(name, usual.get(name))
            wanted = asked.options.get(name, usual.get(name))
            if found != wanted:
                called = name.replace("_", " ")
                return f"was painted with {called} {_word(found)}, not {_word(wanted)}"
        return None


_FACTS = frozenset(one.name for one in fields(Mark))


def digest_of(source: Path | bytes) -> str:
    """16 hexadecimal digits of a file's content; of a large one, of its beginning, end and size.

    Raises:
        OSError: it cannot be read.
    """
    if isinstance(source, bytes):
        return hashlib.sha256(source).hexdigest()[:16]
    with source.open("rb") as file:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        if size <= _WHOLE_BYTES:
            return hashlib.file_digest(file, "sha256").hexdigest()[:16]
        digest = hashlib.sha256(f"{size} ".encode())
        digest.update(file.read(_WHOLE_BYTES // 2))
        file.seek(-_WHOLE_BYTES // 2, io.SEEK_END)
        digest.update(file.read())
    return digest.hexdigest()[:16]


def identity_of(source: str) -> tuple[str, str]:
    """The name and digest by which a mark knows a path or an address.

    Raises:
        InputError: the file cannot be read.
    """
    if is_url(source):
        return file_name(source), digest_of(source.encode())
    path = Path(source)
    with reading(source):
        return path.name, digest_of(path)


def parse_mark(text: str) -> Mark | None:
    """Read the text of a mark, or a text that holds one; None if there is none."""
    match = _TEXT.search(text)
    if match is None:
        return None
    try:
        facts = json.loads(match[1])
        return Mark(**{name: value for name, value in facts.items() if name in _FACTS})
    except (ValueError, TypeError, AttributeError):
        return None


def read_mark(source: Path | bytes) -> Mark | None:
    """Read what a picture file says of itself; None: it is no result, or no picture."""
    file = Stripped(source) if isinstance(source, bytes) else source
    with suppress(PillowError), open_image(file) as image, pillow_errors():
        if image.format == "GIF":
            return parse_mark(_text(image.info.get("comment", b"")))
        exif = Image.Exif()
        exif.load(image.info.get("exif", b""))
        return parse_mark(_text(exif.get(_TAG, "")))
    return None  # what is wrong with it is reported when it is painted


def into_exif(exif: bytes | None, mark: Mark) -> bytes:
    """EXIF data with a mark added to it."""
    marked = Image.Exif()
    try:
        marked.load(exif or b"")
        marked[_TAG] = str(mark)
        return marked.tobytes()
    except Exception as error:  # damaged data makes Pillow raise nearly anything
        _log.warning("the EXIF data is damaged and is left out (%s)", error)
    marked = Image.Exif()
    marked[_TAG] = str(mark)
    return marked.tobytes()


def stamp_file(path: Path, mark: Mark) -> None:
    """Put a mark into a GIF, PNG or WebP that another library wrote; other files are left alone."""
    with path.open("r+b") as file:
        head = file.read(32)
        if head.startswith(b"GIF8"):
            table = 3 << (head[10] & 7) + 1 if head[10] & 0x80 else 0
            _insert(file, 13 + table, _gif_comment(str(mark).encode()))
        elif head.startswith(b"\x89PNG"):
            content = into_exif(None, mark).removeprefix(b"Exif\0\0")
            check = struct.pack(">I", zlib.crc32(b"eXIf" + content))
            header_end = 8 + 12 + 13  # signature, and IHDR with its 13 bytes
            _insert(file, header_end, struct.pack(">I", len(content)) + b"eXIf" + content + check)
        elif head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X":
            content = into_exif(None, mark)
            file.seek(0, io.SEEK_END)
            file.write(b"EXIF" + struct.pack("<I", len(content)) + content)
            file.write(b"\0" * (len(content) % 2))  # chunks are padded to even
            size = file.tell()
            file.seek(4)
            file.write(struct.pack("<I", size - 8))
            file.seek(20)
            file.write(bytes((head[20] | 0x08,)))  # the flag that says there is EXIF data


def _insert(file: BinaryIO, place: int, piece: bytes) -> None:
    file.seek(place)
    rest = file.read()
    file.seek(place)
    file.write(piece)
    file.write(rest)


def _gif_comment(text: bytes) -> bytes:
    blocks = [text[start : start + 255] for start in range(0, len(text), 255)]
    return b"\x21\xfe" + b"".join(bytes((len(block),)) + block for block in blocks) + b"\0"


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _word(value: Option) -> str:
    if isinstance(value, bool):
        return "on" if value else "off"
    return "as usual" if value is None else str(value)
