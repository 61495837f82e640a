"""What people's paths lead to; what cannot be found out is an InputError, whatever the path."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sakuga.errors import InputError, OutputError

LONGEST_NAME = 240  # bytes: filesystems take 255, and some names are made longer
# What the system says of a path where nothing is, or can be.
_NOTHING = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.EBADF}


def kind_of(path: Path) -> Literal["file", "folder", "nothing"]:
    """What is at a path; a link counts as what it leads to, a broken one as nothing.

    Raises:
        InputError: that cannot be found out, since a folder on the way may not be entered.
    """
    try:
        mode = path.stat().st_mode
    except ValueError:  # a zero byte in it
        return "nothing"
    except OSError as error:
        if error.errno in _NOTHING:
            return "nothing"
        raise InputError(
            f"{path}: cannot be looked at ({error.strerror}); check the rights of its folders"
        ) from error
    return "folder" if stat.S_ISDIR(mode) else "file"


def is_same_file(one: Path, other: Path) -> bool:
    """True if two paths lead to one file that is there."""
    try:
        return one.samefile(other)
    except (OSError, ValueError):  # one of them is not there, or cannot be looked at
        return False


def never_replace(target: Path, *sources: str | Path) -> None:
    """See that a result is not written over what it is made of.

    Raises:
        OutputError: the target is one of the sources.
    """
    if any(is_same_file(target, Path(source)) for source in sources):
        raise OutputError(f"{target}: is the source itself, which is never replaced; name another")


def files_below(folder: Path, wanted: Callable[[str], bool]) -> tuple[list[Path], list[InputError]]:
    """Find the files below a folder, in order of their paths, and the folders that cannot be read.

    Hidden ones are left out, links to folders are not followed, pipes and devices are left out.
    Broken links are given: opening them shows that something is missing.

    Args:
        wanted: whether a file of this name is wanted.
    """
    errors: list[InputError] = []

    def note(error: OSError) -> None:
        errors.append(InputError(f"{error.filename}: cannot be read ({error.strerror})"))

    found: list[Path] = []
    for place, folders, names in os.walk(folder, onerror=note):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if wanted(name) and not name.startswith(".")]
    return sorted(path for path in found if _may_be_read(path)), errors


def spelled(name: str) -> str:
    """A name as text that every file can hold: its bytes that are no text become %E9."""
    letters = (f"%{ord(one) - 0xDC00:02X}" if "\udc80" <= one <= "\udcff" else one for one in name)
    return "".join(letters).encode("utf-8", "replace").decode()


def fitted(stem: str, tail: str, longest: int = LONGEST_NAME) -> str:
    """STEM + TAIL as a file's name, the stem cut and given a digest if it is too long for one."""
    room = longest - len(os.fsencode(tail))
    if len(os.fsencode(stem)) <= room:
        return stem + tail
    digest = hashlib.sha256(os.fsencode(stem)).hexdigest()[:8]
    while len(os.fsencode(stem)) > room - 9:
        stem = stem[:-1]
    return f"{stem}-{digest}{tail}"


def _may_be_read(path: Path) -> bool:
    """False for pipes, sockets and devices."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return True
