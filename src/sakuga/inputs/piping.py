"""Files in the place of stdin and stdout, for clips: those are read more than once."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from sakuga.console import check_stdout, copy_stdin, copy_to_stdout
from sakuga.errors import SakugaError
from sakuga.images.formats import HEAD_BYTES, begins_like_video
from sakuga.inputs.plan import STREAM, Job

_PICTURE_HEADS = {b"GIF8": ".gif", b"RIFF": ".webp", b"\x89PNG": ".png"}


@contextmanager
def files_for(job: Job, file_format: str | None) -> Iterator[Job]:
    """The job with files for its streams; the result goes to stdout at the end.

    Raises:
        SakugaError: what the block raises, about stdin and stdout instead of the files.
    """
    if job.source != STREAM and job.target is not None:
        yield job
        return
    if job.target is None:
        check_stdout()
    with tempfile.TemporaryDirectory(prefix="sakuga-") as folder:
        files = job
        if job.source == STREAM:
            files = replace(files, source=str(_spooled(Path(folder) / "stdin")))
        if job.target is None:
            files = replace(files, target=Path(folder) / f"stdout.{file_format or 'mp4'}")
        try:
            yield files
        except SakugaError as error:
            error.args = (str(error).replace(f"{folder}{os.sep}", ""), *error.args[1:])
            raise
        if job.target is None:
            assert files.target is not None
            with files.target.open("rb") as result:
                copy_to_stdout(result)


def _spooled(path: Path) -> Path:
    """Stdin in a file, whose name says whether it is a picture."""
    with path.open("w+b") as file:
        copy_stdin(file)
        file.seek(0)
        head = file.read(HEAD_BYTES)
    if begins_like_video(head):
        return path
    for begin, suffix in _PICTURE_HEADS.items():
        if head.startswith(begin):
            return path.rename(path.with_suffix(suffix))
    return path
