"""Where pictures lie: in folders, in tar files, in folders of shards; listed, not read.

Only two numbers are kept for a picture in a tar file, so that millions of them fit in memory. A tar
file must be plain: its pictures are read from the middle.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sakuga.errors import DataError, OptionError
from sakuga.files import reading
from sakuga.images.formats import PICTURE_SUFFIXES
from sakuga.paths import files_below, kind_of


class Container(Protocol):
    """Pictures that lie together, numbered from 0 in the order in which reading them is fast."""

    path: Path

    def __len__(self) -> int:
        """How many pictures there are."""

    def read(self, numbers: Sequence[int]) -> Iterator[tuple[str, bytes]]:
        """Give (name for errors, content of the file) of each."""


class Folder:
    """The picture files of a folder and its sub-folders, by name."""

    def __init__(self, path: Path, names: list[str]) -> None:
        self.path = path
        self._names = names

    def __len__(self) -> int:
        return len(self._names)

    def read(self, numbers: Sequence[int]) -> Iterator[tuple[str, bytes]]:
        for number in numbers:
            path = self.path / self._names[number]
            with reading(path):
                content = path.read_bytes()
            yield str(path), content


class Tar:
    """The picture files of a plain tar file, in its own order.

    Raises:
        DataError: no tar file, a compressed one, or a damaged one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        places = [(start, size) for _, start, size in tar_pictures(path)]
        self._places: NDArray[np.int64] = np.array(places, np.int64).reshape(-1, 2)

    def __len__(self) -> int:
        return len(self._places)

    def read(self, numbers: Sequence[int]) -> Iterator[tuple[str, bytes]]:
        with self.path.open("rb") as file:
            for number in numbers:
                start, size = self._places[number]
                file.seek(start)
                yield f"{self.path}, picture {number}", file.read(size)


def tar_pictures(path: Path) -> Iterator[tuple[str, int, int]]:
    """Name, place and size in bytes of each picture file in a plain tar file.

    Raises:
        DataError: no tar file, a compressed one, or a damaged one.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            while member := archive.next():
                name = PurePosixPath(member.name).as_posix()  # without the "./" of `tar c .`
                if member.isfile() and is_picture_name(name):
                    yield name, member.offset_data, member.size
                archive.members.clear()  # type: ignore[attr-defined]  # it keeps every header
    except (tarfile.TarError, OSError) as error:
        raise DataError(
            f"{path}: is not a plain tar file ({error}); unpack a compressed one first"
        ) from error


def add_member(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Write a file into a tar, without owner and date: the same files make the same bytes."""
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


def tars_below(folder: Path) -> list[Path]:
    """The tar files of a folder and its sub-folders, but for hidden ones."""
    return [path for path in sorted(folder.rglob("*.tar")) if not path.name.startswith(".")]


def is_picture_name(name: str) -> bool:
    """Say whether a file of this name is to be taken for a picture; hidden files are not."""
    path = Path(name)
    return path.suffix.lower() in PICTURE_SUFFIXES and not any(
        part.startswith(".") for part in path.parts
    )


def open_sources(sources: Sequence[str | Path]) -> list[Container]:
    """List the pictures of folders, tar files and shards alike.

    Args:
        sources: paths; each may also be several, separated by commas. A folder may hold picture
            files and tar files, at any depth.

    Raises:
        DataError: a source that is missing or no tar file, or no picture in any of them.
    """
    containers: list[Container] = []
    for source in [part for several in sources for part in str(several).split(",") if part]:
        path = Path(source)
        if kind_of(path) == "folder":
            containers += _in_folder(path)
        elif kind_of(path) == "file":
            containers.append(Tar(path))
        else:
            raise DataError(f"{source}: no such folder or tar file; check the spelling")
    containers = [container for container in containers if len(container)]
    if not containers:
        raise DataError(f"no pictures found in {', '.join(map(str, sources)) or 'an empty list'}")
    return containers


def list_files(folder: Path) -> list[str]:
    """List the picture files of a folder and its sub-folders by name, '/' between parts.

    Raises:
        DataError: a folder among them cannot be read.
    """
    found, errors = files_below(folder, is_picture_name)
    if errors:
        raise DataError(f"{errors[0]}; change its rights, or move it away")
    files = (path for path in found if kind_of(path) == "file")  # no broken links
    return sorted(path.relative_to(folder).as_posix() for path in files)


def files_of(folder: Path, out: Path) -> list[str]:
    """List a folder's picture files, after checking that OUT is another place.

    Raises:
        DataError: no such folder, or no picture file in it.
        OptionError: OUT lies in the folder.
    """
    if kind_of(folder) != "folder":
        raise DataError(f"{folder}: no such folder; check the spelling")
    if out.resolve().is_relative_to(folder.resolve()):
        raise OptionError(f"{out} lies in {folder}, which is read: choose a place outside of it")
    names = list_files(folder)
    if not names:
        raise DataError(f"{folder} holds no picture files; check the path")
    return names


def _in_folder(folder: Path) -> list[Container]:
    return [Folder(folder, list_files(folder)), *map(Tar, tars_below(folder))]
