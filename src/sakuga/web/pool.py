"""Threads that paint, and how many requests may wait for them."""

from __future__ import annotations

import math
import queue
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sakuga.web.errors import Problem

Result = TypeVar("Result")


class Stopped(Exception):
    """Nobody waits for this painting any more."""


class Place:
    """A place that is taken, with a folder for what is painted there."""

    def __init__(self, pool: Pool, folder: Path) -> None:
        self._pool = pool
        self.folder = folder
        self.future: Future[Any] | None = None  # what a thread does there
        self.handed_on = False  # somebody else is to free it

    def free(self, _: object = None) -> None:
        """Remove the folder and give the place back."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self._pool.leave_place()


class Pool:
    """A few threads, and places for those who wait; more than that are put off at once.

    The threads are daemons: one that is deep in a painting does not keep the program from ending.

    Args:
        name: of the threads.
        threads: how many tasks run at once.
        places: how many may hold a place, running ones included.
    """

    def __init__(self, name: str, *, threads: int, places: int) -> None:
        self.places = places
        self.taken = 0
        self._counting = threading.Lock()
        self._tasks: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._threads = threads
        self._usual_s: float | None = None  # what a task takes, a running mean
        for number in range(threads):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def take_place(self) -> None:
        """Take a place, which `leave_place` gives back.

        Raises:
            Problem: 429 with Retry-After, when all are taken.
        """
        with self._counting:
            if self.taken < self.places:
                self.taken += 1
                return
        usual_s = 1.0 if self._usual_s is None else self._usual_s
        wait_s = math.ceil(usual_s * self.places / self._threads)
        raise Problem(
            429,
            f"all {self.places} places are taken; try again in a moment",
            headers={"Retry-After": str(min(max(wait_s, 1), 60))},
        )

    def leave_place(self) -> None:
        """Give a place back."""
        with self._counting:
            self.taken -= 1

    @contextmanager
    def place(self, parent: Path, kind: str) -> Iterator[Place]:
        """Take a place with a private folder in `parent`; both are given back after the block.

        Unless a thread still paints there: then when it is done. Raises as `take_place`.
        """
        self.take_place()
        place = Place(self, parent / f"{kind}-{secrets.token_hex(8)}")
        try:
            place.folder.mkdir(mode=0o700)
            yield place
        finally:
            if place.future is not None and not place.future.done():
                place.future.add_done_callback(place.free)
            elif not place.handed_on:
                place.free()

    def submit(self, task: Callable[[], Result]) -> Future[Result]:
        """Run `task` on one of the threads, after those that came before it."""
        future: Future[Result] = Future()

        def run() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = task()
            except BaseException as error:  # handed to whoever waits for the result
                future.set_exception(error)
            else:
                future.set_result(result)

        self._tasks.put(run)
        return future

    def note_seconds(self, seconds: float) -> None:
        """Learn how long tasks take, for Retry-After."""
        if self._usual_s is None:
            self._usual_s = seconds
        self._usual_s += 0.2 * (seconds - self._usual_s)

    def _work(self) -> None:
        while True:
            self._tasks.get()()
