"""One function over many items in several processes, in bounded memory."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any, TypeVar

from sakuga.data.picture_set import Entry, OnPictures, PictureSet, Reject
from sakuga.errors import DataError, OptionError

Item = TypeVar("Item")
Result = TypeVar("Result")

AHEAD = 4  # items handed out for each process


def check_workers(workers: int | None) -> None:
    """Refuse a number of processes that does nothing. Raises OptionError."""
    if workers is not None and workers < 1:
        raise OptionError(f"--workers {workers}: must be at least 1")


def map_processes(
    function: Callable[[Item], Result], items: Iterable[Item], workers: int | None = None
) -> Iterator[tuple[Item, Result]]:
    """Give (item, result) of each item as it is done, in no particular order.

    Args:
        function: of a module, so that another process can import it.
        items: read as they are needed.
        workers: processes; None: one for each processor; 1: none, all is done here.

    Raises:
        DataError: a process died, most likely for want of memory.
    """
    workers = workers or os.cpu_count() or 1
    if workers == 1:
        for item in items:
            yield item, function(item)
        return
    # Forking a program that has threads may hang it; a fresh process cannot.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, context, initializer=_begin)
    pending: dict[Future[Result], Item] = {}
    try:
        for item in items:
            pending[pool.submit(function, item)] = item
            if len(pending) >= AHEAD * workers:
                yield from _finished(pending)
        while pending:
            yield from _finished(pending)
    except BrokenProcessPool as error:
        raise DataError(
            "a worker process was killed, most likely for want of memory: use fewer --workers"
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def make_pictures(
    make: Callable[[Any], Entry | Reject],
    todo: Sequence[Any],
    pictures: PictureSet,
    total: int,
    workers: int | None,
    progress: OnPictures,
) -> None:
    """Make pictures in several processes, and put them into the set or on its list of rejects.

    Args:
        todo: each has `part`, where it is made, and `file`, its name in the set.
        total: pictures, with those that are in the set already.
    """
    made = map_processes(make, todo, workers)
    for count, (job, result) in enumerate(made, total - len(todo) + 1):
        if isinstance(result, Entry):
            pictures.keep(job.part, result)
        else:
            pictures.remove([job.file] if job.file in pictures.entries else [])
            pictures.reject(result)
        progress(count, total)


def _finished(pending: dict[Future[Result], Item]) -> Iterator[tuple[Item, Result]]:
    for future in wait(pending, return_when=FIRST_COMPLETED).done:
        yield pending.pop(future), future.result()


def _begin() -> None:
    """Leave Ctrl-C to the main process, and use one thread, since there is a process per core."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import cv2

    cv2.setNumThreads(1)
