"""Pictures with their names and hashes: of a folder or a plain tar file, read one at a time.

Training needs neither names nor hashes, and lists millions (`sakuga.images.sources`); here results
are matched with their photos by name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Literal

from sakuga.data.split import split_of
from sakuga.errors import DataError
from sakuga.evaluate.statistics import Picture
from sakuga.images.read import read_picture
from sakuga.images.sources import list_files, tar_pictures, tars_below
from sakuga.paths import kind_of

Kind = Literal["photos", "drawings", "results"]


@dataclass(frozen=True)
class Item:
    """One picture of a source, not read yet."""

    name: str  # path inside its source, without the suffix: "street/0001"
    sha256: str  # of the file, hexadecimal
    origin: str  # what errors call it
    content: Callable[[], bytes]

    def read(self) -> Picture:
        """Decode it: uint8 (H, W, 3) RGB upright, the first frame, transparency over white.

        Raises:
            InputError: it does not decode.
        """
        return read_picture(self.content(), name=self.origin).frames[0].on_white()


def list_pictures(source: Path, kind: Kind, *, held_out: bool = False) -> list[Item]:
    """List the pictures of a folder or of a plain tar file, in order of name.

    Args:
        source: a folder of pictures and tar files at any depth, or a tar file.
        kind: what the pictures are, for errors.
        held_out: only those that training never sees (`sakuga.data.split`).

    Raises:
        DataError: no such source, not a tar file, no picture in it, or two pictures of one name.
    """
    kind_there = kind_of(source)
    if kind_there == "folder":
        items = _in_folder(source)
    elif kind_there == "file":
        items = _in_tar(source)
    else:
        raise DataError(f"{source}: no such folder or tar file of {kind}: check the path.")
    if not items:
        raise DataError(f"{source}: no {kind} found: it holds no picture file.")
    if held_out:
        total = len(items)
        items = [item for item in items if split_of(item.sha256) == "held-out"]
        if not items:
            raise DataError(
                f"{source}: none of the {total} {kind} is held out (about one in 20 is): "
                "give more, or leave --held-out away."
            )
    by_name = sorted(items, key=lambda item: item.name)
    for first, second in pairwise(by_name):
        if first.name == second.name:
            raise DataError(
                f"{source}: {first.origin} and {second.origin} have the same name but for the "
                "suffix: rename one."
            )
    return by_name


def match_results(photos: list[Item], results: list[Item], source: Path) -> list[Item]:
    """The result of each photo, in the order of the photos, matched by name without the suffix.

    Results of other photos are left aside, so that a part of the photos can be measured.

    Raises:
        DataError: photos without a result; the message names the first of them.
    """
    by_name = {item.name: item for item in results}
    missing = [photo.name for photo in photos if photo.name not in by_name]
    if missing:
        shown = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        raise DataError(
            f"{source}: {len(missing)} of {len(photos)} photos have no result of the same name "
            f"({shown}); found for example {results[0].name}: name results like their photos."
        )
    return [by_name[photo.name] for photo in photos]


def _in_folder(folder: Path) -> list[Item]:
    """Picture files at any depth, and the pictures of tar files among them: TAR/NAME."""
    loose = [
        _item(name, str(folder / name), (folder / name).read_bytes) for name in list_files(folder)
    ]
    return loose + [
        item
        for path in tars_below(folder)
        for item in _in_tar(path, path.relative_to(folder).with_suffix("").as_posix() + "/")
    ]


def _in_tar(path: Path, prefix: str = "") -> list[Item]:
    return [
        _item(prefix + name, f"{path}:{name}", partial(_read_part, path, start, size))
        for name, start, size in tar_pictures(path)
    ]


def _read_part(path: Path, start: int, size: int) -> bytes:
    with path.open("rb") as file:
        file.seek(start)
        return file.read(size)


def _item(name: str, origin: str, content: Callable[[], bytes]) -> Item:
    stem = PurePosixPath(name).with_suffix("").as_posix()
    try:
        sha256 = hashlib.sha256(content()).hexdigest()
    except OSError as error:
        raise DataError(f"{origin}: cannot be read ({error.strerror})") from error
    return Item(stem, sha256, origin, content)
