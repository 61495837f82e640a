"""Files: written wholly or not at all, and known by their content."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from sakuga.errors import InputError, OutputError, one_line


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it at the end, remove it on any failure.

    The temporary name is hidden and ends in the target's own suffix, so that a library which goes
    by the name chooses the right format. Missing parent folders are made.

    Raises:
        OutputError: an OSError about the target or its folder, or about no file, as of a full disk.
        InputError: an OSError inside the block about another file, which the message names.
    """
    temporary: Path | None = None
    try:
        make_folder_of(target)
        if target.is_dir():
            raise OutputError(f"{target}: cannot be written, there is a folder of that name")
        temporary = _new_file(target)
        yield temporary
        temporary.replace(target)
    except (OSError, ValueError) as error:
        if isinstance(error, ValueError) and temporary is not None:
            raise  # not about the name
        other = _other_file(error, target, temporary)
        if other is not None:
            raise InputError(f"{other}: cannot be used ({_reason(error)})") from error
        raise OutputError(
            f"{target}: cannot be written ({_reason(error)}); choose another place"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def make_folder_of(target: Path) -> None:
    """Make the folder that `target` lies in, and those above it.

    Of missing/../photo.jpg nobody could see, before, that photo.jpg is there and would be replaced.
    So `missing` is not made for it: the system then says that the path leads nowhere.
    """
    folder = target.parent
    (folder.resolve() if ".." in folder.parts else folder).mkdir(parents=True, exist_ok=True)


def _new_file(target: Path) -> Path:
    """Make an empty file beside the target, with the rights that a new file has here.

    `tempfile` makes files that only their owner may read, and giving them usual rights takes the
    umask, which can be asked for only by changing it, for all threads.
    """
    suffix = target.suffix if len(os.fsencode(target.suffix)) < 20 else ""
    for _ in range(100):
        path = target.with_name(f".{target.stem[:40]}-{secrets.token_hex(4)}.tmp{suffix}")
        try:
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        except FileExistsError:
            continue
        return path
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def _other_file(error: OSError | ValueError, target: Path, temporary: Path | None) -> str | None:
    """The file that an error is about, if that is not the one to be written nor its folder."""
    name = getattr(error, "filename", None)
    if name is None or temporary is None or isinstance(name, int):
        return None
    path = Path(os.fsdecode(name)).absolute()
    own = (target.absolute(), temporary.absolute())
    return None if path in own or path in target.absolute().parents else str(name)


def _reason(error: OSError | ValueError) -> str:
    if isinstance(error, FileExistsError | NotADirectoryError):
        return f"{error.filename} is a file, not a folder"
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def reading(name: object, what: str = "file") -> Iterator[None]:
    """Turn what the system says of a file that is opened and read into an InputError naming it.

    Args:
        what: that was expected there: "picture", where a folder lies.
    """
    if not str(name):  # to the system, the current folder
        raise InputError(f"an empty name was given; name a {what}")
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"{name}: there is no such file; check the spelling") from error
    except IsADirectoryError as error:
        raise InputError(f"{name}: is a folder, not a {what}") from error
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror or one_line(error)})") from error
    except ValueError as error:  # a NUL, or letters that no file's name can have here
        raise InputError(f"{str(name)!r}: cannot be a file name ({error}); check it") from error


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file's content, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def try_lock(file: int | IO[bytes]) -> bool:
    """Lock an open file until it is closed; False if another process holds the lock.

    On Windows, which has no such locks, nothing is locked.

    Raises:
        OSError: the disk knows no locks.
    """
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Make a folder, and keep a second process out of it until the block ends, even by a crash.

    On Windows, and on shared disks without locks, nothing is kept out.

    Raises:
        OutputError: another process is at work there, or the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        handle = None if sys.platform == "win32" else os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({_reason(error)}); choose another place"
        ) from error
    try:
        alone = True
        if handle is not None:
            with suppress(OSError):  # a disk without locks
                alone = try_lock(handle)
        if not alone:
            raise OutputError(
                f"{folder}: another run is at work there; wait for it, or stop it first"
            )
        yield
    finally:
        if handle is not None:
            os.close(handle)


def write_bytes(target: Path, content: bytes | memoryview) -> None:
    """Write `content` to `target`, wholly or not at all."""
    with replacing(target) as temporary:
        temporary.write_bytes(content)
