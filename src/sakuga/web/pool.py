"""Threads that paint, and how many requests may wait for them."""

from __future__ import annotations

import math
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

from sakuga.web.errors import Problem

Result = TypeVar("Result")


class Stopped(Exception):
    """Nobody waits for this painting any more."""


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
