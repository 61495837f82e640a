"""Many pictures from the network into a set, or from a local copy of it; no host is overloaded."""

from __future__ import annotations

import errno
import hashlib
import heapq
import itertools
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from sakuga.data.check import UnusableError, read_still
from sakuga.data.fetch import Download, Fetched, Fetcher, FetchError
from sakuga.data.picture_set import Entry, OnPictures, PictureSet, Reject, no_progress
from sakuga.data.wanted import Limits
from sakuga.errors import OutputError

IN_VAIN = 20  # losses in a row, after which the network is to blame and not the pictures
LOOK_S = 0.05  # at least this often turns, progress and late fetches are looked at

LOOK_AHEAD = 1000  # jobs read before their turn, so that a busy host blocks no other

# Writes what a job names to a path.
Fetch = Callable[[Download, Path], Fetched]


def download(
    jobs: Iterable[Download],
    into: PictureSet,
    limits: Limits | None = None,
    progress: OnPictures = no_progress,
) -> None:
    """Fetch pictures over the network, as many at a time as the limits say.

    What the set has already is not asked for again. A picture that cannot be had is noted in the
    set with the reason; when this returns, every job is in the one list or in the other.

    Raises:
        OutputError: the set cannot be written any more, for example because the disk is full.
    """
    limits = limits or Limits()
    fetcher = Fetcher(limits)
    _run(jobs, into, limits, progress, lambda job, part: fetcher.fetch(job.url, part), fetcher)


def fill(
    limit: int,
    first: Callable[[int], Sequence[Download]],
    fetch: Callable[[Sequence[Download]], None],
    into: PictureSet,
) -> None:
    """Fetch as many pictures as were asked for, with others in the place of those that are lost.

    Goes on until so many are there, there are no more, or `IN_VAIN` in a row were lost.

    Args:
        limit: how many.
        first: gives the first so many jobs of an order, or as many as there are.
        fetch: works through jobs.
    """
    jobs: Sequence[Download] = ()
    missing, in_vain = limit, 0
    while missing > 0 and in_vain < IN_VAIN:
        asked, jobs = len(jobs), first(len(jobs) + missing)
        if len(jobs) == asked:
            return
        fetch(jobs[asked:])
        there = {str(Path(file).with_suffix("")) for file in into.entries}
        missing = limit - sum(job.name in there for job in jobs)
        found = any(job.name in there for job in jobs[asked:])
        in_vain = 0 if found else in_vain + len(jobs) - asked


def copy_local(
    jobs: Iterable[Download], folder: Path, into: PictureSet, progress: OnPictures = no_progress
) -> None:
    """Take pictures from a local copy: the file in `folder` named as the last part of the URL."""

    def copy(job: Download, part: Path) -> Fetched:
        source = folder / job.url.rsplit("/", 1)[-1]
        try:
            content = source.read_bytes()
        except OSError as error:
            raise FetchError("no such file", f"{source} ({error.strerror})") from None
        part.write_bytes(content)
        return Fetched(hashlib.sha256(content).hexdigest(), len(content))

    _run(jobs, into, Limits(workers=4, per_host=4), progress, copy, None)


def _run(
    jobs: Iterable[Download],
    into: PictureSet,
    limits: Limits,
    progress: OnPictures,
    fetch: Fetch,
    fetcher: Fetcher | None,
) -> None:
    """Work through the jobs with many threads; stop them all on the first that breaks."""
    done = 0

    def missing() -> Iterator[Download]:
        nonlocal done
        had = {str(Path(file).with_suffix("")): file for file in into.entries}
        for job in jobs:
            if job.name in had and into.has(had[job.name]):
                done += 1
            else:
                yield job

    schedule = Schedule(missing(), limits.per_host)
    pool = ThreadPoolExecutor(limits.workers)
    running: dict[Future[None], Turn] = {}
    try:
        while not schedule.is_over:
            while len(running) < limits.workers and (turn := schedule.take()) is not None:
                running[pool.submit(_fetch_one, turn, into, limits, fetch)] = turn
            if not running:  # all hosts want a pause
                time.sleep(LOOK_S)
            for future in wait(running, LOOK_S, FIRST_COMPLETED).done:
                done += _settle(running.pop(future), future, into, limits, schedule)
            if fetcher is not None:
                fetcher.cut_off(only_late=True)
            progress(done, None if schedule.total is None else max(schedule.total, done))
    except Exception as error:
        _drain(running, fetcher, only_late=True)  # what is on its way may arrive
        if isinstance(error, OSError):
            raise _in_words(error, into) from error
        raise
    finally:
        _drain(running, fetcher)  # only after Ctrl-C is anything left
        pool.shutdown()


def _drain(
    running: Iterable[Future[None]], fetcher: Fetcher | None, *, only_late: bool = False
) -> None:
    """Wait until no thread fetches any more; connections are broken, or only late ones."""
    while not all(future.done() for future in running):
        if fetcher is not None:
            fetcher.cut_off(only_late=only_late)
        wait(running, LOOK_S)


def _fetch_one(turn: Turn, into: PictureSet, limits: Limits, fetch: Fetch) -> None:
    """Try one job once, in a thread. Raises FetchError; OSError: the set cannot be written."""
    job = turn.job
    if turn.refused is not None:
        raise FetchError("host asks to be left alone", turn.refused)
    part = into.part(f"{job.name}-{threading.get_ident()}")
    try:
        fetched = fetch(job, part)
        still = read_still(part, limits.max_pixels)
    except UnusableError as error:
        part.unlink(missing_ok=True)
        # A server without a length in its header may drop the connection unnoticed.
        raise FetchError(error.reason, error.detail, try_again=error.reason == "damaged") from None
    except FetchError:
        part.unlink(missing_ok=True)
        raise
    file = job.name + still.suffix
    into.keep(part, Entry(file, job.url, fetched.sha256, fetched.bytes, *still.size, job.facts))


def _settle(
    turn: Turn, future: Future[None], into: PictureSet, limits: Limits, schedule: Schedule
) -> bool:
    """Take note of what came of a job; False if it is to be tried again."""
    job = turn.job
    try:
        future.result()
    except FetchError as error:
        if error.wait_s is not None and error.wait_s > limits.longest_wait_s:
            schedule.refuse(job, f"for {error.wait_s:.0f} s, more than {limits.longest_wait_s:.0f}")
        elif error.wait_s is not None:
            schedule.pause(job, error.wait_s)
        if error.try_again and turn.attempt < limits.attempts:
            backoff_s = limits.first_backoff_s * 2 ** (turn.attempt - 1)
            schedule.again(turn, (error.wait_s or 0.0) + backoff_s * random.uniform(0.5, 1.0))
            return False
        into.reject(Reject(job.url, error.reason, error.detail))
    schedule.done(turn)
    return True


def _in_words(error: OSError, into: PictureSet) -> OutputError:
    """Say what stopped a run in the user's words."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError(
            f"{into.folder}: the disk is full after {len(into.entries)} pictures: free some space "
            "and run the same command again, it goes on from there"
        )
    return OutputError(
        f"{into.folder}: cannot be written ({error.strerror or error}); what is there is kept, "
        "run the same command again once it can be written"
    )


@dataclass(frozen=True)
class Turn:
    """A job whose turn it is."""

    job: Download
    attempt: int  # 1 for the first
    refused: str | None  # why the host is not to be asked any more


@dataclass
class _Host:
    ready: deque[tuple[Download, int]] = field(default_factory=deque)
    later: list[tuple[float, int, Download, int]] = field(default_factory=list)  # heap by due time
    active: int = 0
    paused_until: float = 0.0  # time.monotonic()
    refused: str | None = None

    def waiting(self) -> int:
        return len(self.ready) + len(self.later)


class Schedule:
    """Whose turn it is; asked by one thread: `take`, then exactly one of `done` and `again`.

    No host gets more than `per_host` requests at a time. A host that asks for a pause (Retry-After)
    gets none at all until it is over, while other hosts are served.

    Args:
        jobs: read as they are needed.
        per_host: requests at a time to one host, at most.
    """

    def __init__(self, jobs: Iterator[Download], per_host: int) -> None:
        self._jobs = jobs
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}
        self._tickets = itertools.count()
        self._exhausted = False
        self._jobs_seen = 0

    def take(self) -> Turn | None:
        """A turn; None where none is due now."""
        self._look_ahead()
        now = time.monotonic()
        for name, host in self._hosts.items():
            while host.later and host.later[0][0] <= now:
                _, _, job, attempt = heapq.heappop(host.later)
                host.ready.append((job, attempt))
            paused = host.paused_until > now and host.refused is None
            if host.ready and host.active < self._per_host and not paused:
                job, attempt = host.ready.popleft()
                host.active += 1
                self._hosts[name] = self._hosts.pop(name)  # last in line: hosts take turns
                return Turn(job, attempt, host.refused)
        return None

    def done(self, turn: Turn) -> None:
        """End a turn: the job is had, or given up."""
        self._host_of(turn.job).active -= 1

    def again(self, turn: Turn, after_s: float) -> None:
        """End a turn: the job is to be tried once more, not before `after_s` seconds."""
        host = self._host_of(turn.job)
        host.active -= 1
        due = time.monotonic() + after_s
        heapq.heappush(host.later, (due, next(self._tickets), turn.job, turn.attempt + 1))

    def pause(self, job: Download, seconds: float) -> None:
        """Ask a job's host for nothing during the next seconds."""
        host = self._host_of(job)
        host.paused_until = max(host.paused_until, time.monotonic() + seconds)

    def refuse(self, job: Download, why: str) -> None:
        """Ask a job's host for nothing any more: its turns come at once, each with the reason."""
        self._host_of(job).refused = why

    @property
    def is_over(self) -> bool:
        """Whether every job was had or given up."""
        hosts = self._hosts.values()
        return self._exhausted and not any(host.waiting() or host.active for host in hosts)

    @property
    def total(self) -> int | None:
        """How many jobs there are; None while the source has not ended."""
        return self._jobs_seen if self._exhausted else None

    def _look_ahead(self) -> None:
        waiting = sum(host.waiting() for host in self._hosts.values())
        while not self._exhausted and waiting < LOOK_AHEAD:
            job = next(self._jobs, None)
            if job is None:
                self._exhausted = True
                return
            self._host_of(job).ready.append((job, 1))
            self._jobs_seen += 1
            waiting += 1

    def _host_of(self, job: Download) -> _Host:
        try:
            name = urlsplit(job.url).netloc.lower()
        except ValueError:
            name = ""  # no URL; the fetch will say so
        return self._hosts.setdefault(name, _Host())
