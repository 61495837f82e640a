"""A private temporary folder for uploads and results, gone when the server is gone."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

_PREFIX = "sakuga-serve-"
_LOCK = "in-use"


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make a folder only this user can enter, and remove it with all that is in it.

    Folders of servers that were killed are removed at the same time.
    """
    parent = Path(tempfile.gettempdir())
    for old in parent.glob(f"{_PREFIX}*"):
        if _is_abandoned(old):
            shutil.rmtree(old, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # mode 0700
    with (folder / _LOCK).open("wb") as lock:
        _try_lock(lock)
        try:
            yield folder
        finally:
            if sys.platform == "win32":
                lock.close()  # an open file cannot be deleted there
            shutil.rmtree(folder, ignore_errors=True)


def _is_abandoned(folder: Path) -> bool:
    """True for a folder of ours whose server no longer holds its lock."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return False
    try:
        if sys.platform == "win32":
            (folder / _LOCK).unlink()  # refused while the file is open
            return True
        with (folder / _LOCK).open("rb") as lock:
            return _try_lock(lock)
    except OSError:  # not finished being made, or not ours to open
        return False


def _try_lock(file: IO[bytes]) -> bool:
    """Lock an open file until it is closed; False if another process holds the lock."""
    if sys.platform == "win32":
        return True  # being open is the lock
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
