"""What a result is called: like its source, and never outside of OUT."""

from __future__ import annotations

import posixpath
from pathlib import Path

from sakuga.images.formats import WRITABLE, format_like, format_of

_LONGEST = 200  # bytes of a file's name; filesystems take 255, and temporary names are longer


def result_name(
    source: str,
    key: int,
    file_format: str | None,
    read_as: str | None,
    *,
    respelled: bool = False,
) -> str:
    """The path of a result below the folder of results, '/' between parts.

    A source's own name is kept; a suffix that says another format gets the right one appended, so
    that a.heic and a.png never meet. What has to be left out (a query, "..") is replaced by the
    key, for the same reason.

    Args:
        source: a path, relative or absolute, or an address.
        key: of the source.
        file_format: of the result; None: what the source's suffix says, else one near `read_as`.
        read_as: Pillow's name of the format the source was read from.
        respelled: the source's own name is no text, so that another may be spelled like it.
    """
    path, has_query, _ = source.partition("?") if "://" in source else (source, "", "")
    parts = path.partition("://")[2] if "://" in path else path
    kept = [part for part in parts.replace("\\", "/").split("/") if part not in ("", ".")]
    clean = [part for part in kept if part != ".."] or ["picture"]
    *folders, name = clean
    stem, suffix = posixpath.splitext(name)
    if respelled or has_query or clean != kept or len(name.encode()) > _LONGEST:
        short = stem.encode()[:_LONGEST].decode(errors="ignore")
        name = f"{short}-{key:016x}{suffix[:10]}"
    own = format_of(Path(name))
    wanted = file_format or own or format_like(read_as)
    if own != wanted:
        name += WRITABLE[wanted][1]
    return "/".join([*folders, name])


def picture_format(name: str) -> str:
    """The format that a name from `result_name` says: "png", "jpg", "webp" or "gif"."""
    found = format_of(Path(name))
    assert found is not None
    return found
