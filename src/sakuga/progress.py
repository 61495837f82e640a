"""A progress bar, on a terminal only and after a second; and words on long waits."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_PATIENCE_S = 1.0
WAIT_S = 10.0  # after which a wait is explained


@contextlib.contextmanager
def told_if_slow(what: str, *, quiet: bool = False) -> Iterator[None]:
    """Say on stderr what is waited for, once, if the block takes more than `WAIT_S`.

    Also where somebody points stderr elsewhere meanwhile, as Ray's start does.
    """
    try:
        mouth = None if quiet else os.dup(2)
    except OSError:  # closed: nobody would read it
        mouth = None
    if mouth is None:
        yield
        return
    words = f"sakuga: still waiting for {what}; Ctrl-C ends it\n".encode()

    def tell() -> None:
        with contextlib.suppress(OSError):  # nobody reads it any more
            os.write(mouth, words)

    timer = threading.Timer(WAIT_S, tell)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        os.close(mouth)


class ProgressBar:
    """`with ProgressBar("Painting", total=50) as bar: bar.update(12.5, "cat.jpg")`.

    Args:
        label: what is being done.
        total: of whatever `update` counts, for example pictures; None: not known yet.
        quiet: never show anything.
    """

    def __init__(self, label: str, total: float | None, *, quiet: bool = False) -> None:
        self._label = label
        self._total = total
        self._shown = sys.stderr is not None and sys.stderr.isatty() and not quiet
        self._start_s = time.monotonic()
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def update(self, done: float, note: str = "", total: float | None = None) -> None:
        """Show how much is done, and on what; draws nothing within the first second.

        `total` is given here if it is not known from the beginning.
        """
        if not self._shown:
            return
        if self._bar is None:
            if time.monotonic() - self._start_s < _PATIENCE_S:
                return
            self._open()
        assert self._bar is not None and self._task is not None
        self._bar.update(self._task, completed=done, note=note, total=total)

    def _open(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            Remaining(),
            TextColumn("{task.fields[note]}", markup=False),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bar.add_task(self._label, total=self._total, note="")
        self._bar.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
