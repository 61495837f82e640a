"""Run a stage of the pipeline in a thread of its own, a bounded number of items ahead or behind."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")
_WAIT_S = 0.2  # how often a waiting thread looks whether it should stop


class Ahead(Generic[T]):
    """Go through `items` in a thread, at most `depth` items ahead of the consumer.

    An exception raised by `items` is raised to the consumer at the place where it happened.
    `latest` is for live sources, which do not wait: when the queue is full its oldest item is
    dropped, though not for the end or an error.
    """

    def __init__(self, items: Iterable[T], depth: int, *, latest: bool = False) -> None:
        self._queue: queue.Queue[Future[T] | None] = queue.Queue(depth)  # None: the end
        self._stopped = threading.Event()
        self._latest = latest
        self.dropped = 0  # items of a live source for which there was no time
        self._thread = threading.Thread(target=self._run, args=(items,), daemon=True)
        self._thread.start()

    def _run(self, items: Iterable[T]) -> None:
        try:
            for item in items:
                entry: Future[T] = Future()
                entry.set_result(item)
                if not self._put(entry, latest=self._latest):
                    return
            self._put(None)
        except BaseException as error:
            entry = Future()
            entry.set_exception(error)
            self._put(entry)

    def _put(self, entry: Future[T] | None, *, latest: bool = False) -> bool:
        while not self._stopped.is_set():
            try:
                self._queue.put(entry, timeout=0 if latest else _WAIT_S)
                return True
            except queue.Full:
                if latest:
                    with suppress(queue.Empty):  # the consumer was faster
                        self._queue.get_nowait()
                        self.dropped += 1
        return False

    def next_within(self, interrupted: Callable[[], bool]) -> tuple[T] | None:
        """Wait for the next item; None at the end, or when `interrupted` turns true meanwhile."""
        while True:
            try:
                entry = self._queue.get(timeout=_WAIT_S)
            except queue.Empty:
                if interrupted():
                    return None
                continue
            return None if entry is None else (entry.result(),)

    def close(self) -> None:
        """Stop the thread and wait until it has let go of its source."""
        self._stopped.set()
        self._thread.join()


class Behind(Generic[T]):
    """Feed items to `work` in a thread, at most `depth` items behind the producer.

    An exception raised by `work` is raised by the next `put` or by `finish`.
    """

    def __init__(self, work: Callable[[T], None], depth: int) -> None:
        self._work = work
        self._queue: queue.Queue[tuple[T] | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (entry := self._queue.get()) is not None:
            if self._error is None:
                try:
                    self._work(entry[0])
                except BaseException as error:
                    self._error = error

    def put(self, item: T) -> None:
        """Hand over one item, waiting while `depth` items are not worked off."""
        if self._error is not None:
            raise self._error
        self._queue.put((item,))

    def finish(self) -> None:
        """Wait until everything handed over is worked off."""
        self.close()
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        """Wait for the thread to end; errors stay silent, for use while another one is raised."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join()
