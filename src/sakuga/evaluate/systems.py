"""What is measured: a style that paints, or a folder of pictures that another has painted.

Pictures are listed with names and hashes, and read one at a time: results are matched with their
photos by name. Training needs neither, and lists millions (`sakuga.images.sources`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import Literal

import cv2
import numpy as np

from sakuga.data.split import split_of
from sakuga.errors import DataError
from sakuga.evaluate.statistics import Picture
from sakuga.images.read import read_picture
from sakuga.images.sources import list_files, tar_pictures, tars_below
from sakuga.painting.stylizer import open_stylizer
from sakuga.paths import kind_of

ASPECT_TOLERANCE = 0.02  # systems that paint multiples of 8 or 32 pixels cut a few off
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


@dataclass(frozen=True)
class System:
    """Something that turns photos into drawings."""

    name: str
    about: str  # for the report: what it is, with its version
    result: Callable[[Item, Picture], Picture]  # of a photo, as listed and as read; of its shape
    stylize: Callable[[Picture], Picture] | None  # any picture; None: only finished results exist


def style_system(style: str | Path, *, device: Literal["auto", "cpu", "cuda"]) -> System:
    """A style, painting as `sakuga paint` does."""
    stylizer = open_stylizer(style, device=device)
    spec = stylizer.spec
    return System(
        f"{spec.name} {spec.version}",
        spec.description,
        lambda item, photo: stylizer(photo),
        lambda picture: stylizer(picture),
    )


def results_system(folder: Path, photos: Sequence[Item]) -> System:
    """Finished pictures of any system, named like their photos.

    Raises:
        DataError: no pictures there, or photos without one; later, when a result is read, one whose
            shape is not its photo's.
    """
    found = match_results(list(photos), list_pictures(folder, "results"), folder)
    by_photo = {photo.name: result for photo, result in zip(photos, found, strict=True)}

    def result(item: Item, photo: Picture) -> Picture:
        painted, origin = by_photo[item.name].read(), by_photo[item.name].origin
        height, width = photo.shape[:2]
        stretch = (painted.shape[1] / painted.shape[0]) / (width / height)
        if abs(stretch - 1) > ASPECT_TOLERANCE:
            raise DataError(
                f"{origin}: is {painted.shape[1]} x {painted.shape[0]} pixels, another format than "
                f"its photo's {width} x {height}: a result must show the whole photo."
            )
        if painted.shape == photo.shape:
            return painted
        shrinks = painted.shape[0] > height
        way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(painted, (width, height), interpolation=way), np.uint8)

    return System(folder.name, f"finished pictures in {folder.name}", result, None)
