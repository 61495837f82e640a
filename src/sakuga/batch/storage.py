"""A place pictures are read from or written to: a local path, or a URL of an object store.

pyarrow's own filesystems (s3, gs, abfs, hdfs) come first, then whatever fsspec knows.
"""

from __future__ import annotations

import os
import posixpath
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from pyarrow import fs

from sakuga.errors import InputError, OutputError
from sakuga.files import reading, write_bytes
from sakuga.paths import spelled

# These publish an object only when it is complete, and renaming would copy it.
_WHOLE_OR_NOTHING = frozenset(
    ("s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "memory")
)


@dataclass(frozen=True)
class Place:
    """A file or folder of a filesystem. May be sent to another machine."""

    filesystem: fs.FileSystem
    path: str  # in the filesystem, '/' between parts, without one at the end
    name: str  # for errors: the local path, or the URL

    @property
    def is_local(self) -> bool:
        """True if it lies in this machine's own file tree."""
        return isinstance(self.filesystem, fs.LocalFileSystem)

    def child(self, name: str) -> Place:
        """The file or folder of that name ('/' between parts) below this one."""
        return Place(self.filesystem, f"{self.path}/{name}", f"{self.name}/{name}")

    def kind(self) -> str:
        """What is there: "file", "folder" or "nothing". Raises InputError if that is unknown."""
        with reading(self.name):
            (info,) = self.filesystem.get_file_info([self.path])
        kinds = {fs.FileType.File: "file", fs.FileType.Directory: "folder"}
        return kinds.get(info.type, "nothing")

    def read(self) -> bytes:
        """Give the content of the file. Raises InputError."""
        with reading(self.name):
            if self.is_local:  # whose names need not be text, as pyarrow's must
                return _read_file(Path(self.path))
            with self.filesystem.open_input_stream(self.path) as file:
                content: bytes = file.read()
        return content

    def open(self) -> pa.NativeFile:
        """Open the file for reading at any place. Raises InputError."""
        with reading(self.name):
            if self.is_local:
                return pa.PythonFile(Path(self.path).open("rb"), "r")
            return self.filesystem.open_input_file(self.path)

    def write(self, content: bytes) -> None:
        """Write the file, wholly or not at all. Raises OutputError."""
        if self.is_local:
            write_bytes(Path(self.path), content)
            return
        at_once = self.name.partition("://")[0] in _WHOLE_OR_NOTHING
        path = self.path if at_once else f"{self.path}.{uuid.uuid4().hex[:8]}.tmp"
        try:
            if not at_once:  # object stores have no folders
                self.filesystem.create_dir(posixpath.dirname(self.path), recursive=True)
            with self.filesystem.open_output_stream(path) as file:
                file.write(content)
            if not at_once:
                self.filesystem.move(path, self.path)
        except OSError as error:
            raise OutputError(
                f"{self.name}: cannot be written ({error}); check the rights and the space there"
            ) from error

    def delete(self) -> None:
        """Delete the file or folder, if it is there. Raises OutputError."""
        try:
            (info,) = self.filesystem.get_file_info([self.path])
            if info.type == fs.FileType.File:
                self.filesystem.delete_file(self.path)
            elif info.type == fs.FileType.Directory:
                self.filesystem.delete_dir(self.path)
        except OSError as error:
            raise OutputError(f"{self.name}: cannot be deleted ({error})") from error

    def names(self) -> list[str]:
        """The names of what lies directly in this folder, sorted; none if there is no folder."""
        return [name for name, _ in self._entries()]

    def walk(self, below: str = "", unreadable: list[str] | None = None) -> Iterator[str]:
        """The files below this folder, '/' between parts, a folder at a time in a fixed order.

        Hidden files and folders are left out.

        Args:
            unreadable: takes the folders that cannot be read; None: they raise InputError, as this
                folder itself does.
        """
        folder = self.child(below) if below else self
        try:
            entries = folder._entries()
        except InputError:
            if unreadable is None or not below:
                raise
            unreadable.append(below)
            return
        for name, is_folder in entries:
            if name.startswith("."):
                continue
            path = f"{below}/{name}" if below else name
            if is_folder:
                yield from self.walk(path, unreadable)
            else:
                yield path

    def _entries(self) -> list[tuple[str, bool]]:
        with reading(self.name):
            if self.is_local:
                try:
                    with os.scandir(self.path) as entries:
                        return sorted((entry.name, entry.is_dir()) for entry in entries)
                except FileNotFoundError:
                    return []
            selector = fs.FileSelector(self.path, allow_not_found=True)
            infos = self.filesystem.get_file_info(selector)
        return sorted((info.base_name, info.type == fs.FileType.Directory) for info in infos)


def _read_file(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except IsADirectoryError:
        os.listdir(path)  # noqa: PTH208 - raises the reason why its files were not found
        raise


def open_place(text: str) -> Place:
    """Find the filesystem of a path or URL, without touching what is there.

    Raises:
        InputError: a storage that is unknown, or whose library is not installed.
    """
    if spelled(text) != text:
        raise InputError(
            f"{spelled(text)}: this name is no text in UTF-8, which lists and logs are; rename it"
        )
    if "://" not in text:
        try:
            path = Path(text).expanduser().resolve()
        except (RuntimeError, ValueError) as error:  # "~" of an unknown user, or a zero byte
            raise InputError(f"{text!r}: is no path here ({error}); write it in full") from error
        return Place(fs.LocalFileSystem(), path.as_posix(), str(path))
    name = text.rstrip("/")
    scheme = text.partition("://")[0]
    try:
        filesystem, path = fs.FileSystem.from_uri(text)
        return Place(filesystem, path.rstrip("/"), name)
    except pa.ArrowInvalid:
        pass  # no scheme of pyarrow's; fsspec knows more of them
    except (OSError, NotImplementedError) as error:
        raise InputError(f"{name}: this storage cannot be reached ({error})") from error
    import fsspec

    try:
        storage, path = fsspec.core.url_to_fs(text)
    except ImportError as error:
        raise InputError(
            f"{name}: the library for {scheme}:// is not installed ({error}); "
            "install it here and on every machine of the cluster"
        ) from error
    except ValueError as error:
        raise InputError(
            f"{name}: {scheme}:// is no storage that pyarrow or fsspec knows; check the spelling"
        ) from error
    return Place(fs.PyFileSystem(fs.FSSpecHandler(storage)), path.rstrip("/"), name)
