"""A file is written wholly or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sakuga.errors import OutputError


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Give a temporary path beside `target`; rename it at the end, remove it on any failure.

    The temporary name is hidden and ends in the target's own suffix, so that a library which goes
    by the name chooses the right format. Missing parent folders are made. An OSError inside
    the block, a full disk for example, becomes an OutputError that names the target.
    """
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            raise OutputError(f"{target}: cannot be written, there is a folder of that name")
        suffix = target.suffix if len(os.fsencode(target.suffix)) < 20 else ""
        handle, name = tempfile.mkstemp(
            prefix=f".{target.stem[:40]}-", suffix=f".tmp{suffix}", dir=target.parent
        )
        os.close(handle)
        temporary = Path(name)
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes it private
        temporary.replace(target)
    except OSError as error:
        reason = error.strerror or str(error)
        if isinstance(error, FileExistsError | NotADirectoryError):
            reason = f"{error.filename} is a file, not a folder"
        raise OutputError(
            f"{target}: cannot be written ({reason}); choose another place with --out"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def write_bytes(target: Path, content: bytes | memoryview) -> None:
    """Write `content` to `target`, wholly or not at all."""
    with replacing(target) as temporary:
        temporary.write_bytes(content)


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
