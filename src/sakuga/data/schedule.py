"""Whose turn it is: jobs handed to threads, politely to each host.

No host gets more than `per_host` requests at a time. A host that asks for a pause (Retry-After)
gets none at all until it is over, while other hosts are served: no thread sleeps on one host's
account.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from sakuga.data.fetch import Job

LOOK_AHEAD = 1000  # jobs read before their turn, so that a busy host blocks no other


@dataclass(frozen=True)
class Turn:
    """A job whose turn it is."""

    job: Job
    attempt: int  # 1 for the first
    refused: str | None  # why the host is not to be asked any more


@dataclass
class _Host:
    ready: deque[tuple[Job, int]] = field(default_factory=deque)
    later: list[tuple[float, int, Job, int]] = field(default_factory=list)  # heap by due time
    active: int = 0
    paused_until: float = 0.0  # time.monotonic()
    refused: str | None = None

    def waiting(self) -> int:
        return len(self.ready) + len(self.later)


class Schedule:
    """A queue of jobs for many threads; `take`, then exactly one of `done` and `again`.

    Args:
        jobs: read as they are needed, from whichever thread takes a turn.
        per_host: requests at a time to one host, at most.
    """

    def __init__(self, jobs: Iterator[Job], per_host: int) -> None:
        self._jobs = jobs
        self._per_host = per_host
        self._hosts: dict[str, _Host] = {}
        self._changed = threading.Condition()
        self._tickets = itertools.count()
        self._exhausted = False
        self._stopped = False
        self.jobs_seen = 0

    def take(self) -> Turn | None:
        """Wait for a turn; None when there is nothing left to do, or after `stop`."""
        with self._changed:
            while not self._stopped:
                self._look_ahead()
                now = time.monotonic()
                due = float("inf")
                for name, host in self._hosts.items():
                    while host.later and host.later[0][0] <= now:
                        _, _, job, attempt = heapq.heappop(host.later)
                        host.ready.append((job, attempt))
                    if host.later:
                        due = min(due, host.later[0][0])
                    if not host.ready or host.active >= self._per_host:
                        continue
                    if host.paused_until > now and host.refused is None:
                        due = min(due, host.paused_until)
                        continue
                    job, attempt = host.ready.popleft()
                    host.active += 1
                    self._hosts[name] = self._hosts.pop(name)  # last in line: hosts take turns
                    return Turn(job, attempt, host.refused)
                if self._exhausted and not any(
                    h.waiting() or h.active for h in self._hosts.values()
                ):
                    self._changed.notify_all()
                    return None
                self._changed.wait(None if due == float("inf") else max(0.0, due - now))
            return None

    def done(self, turn: Turn) -> None:
        """End a turn: the job is had, or given up."""
        with self._changed:
            self._hosts[_host_of(turn.job)].active -= 1
            self._changed.notify_all()

    def again(self, turn: Turn, after_s: float) -> None:
        """End a turn: the job is to be tried once more, not before `after_s` seconds."""
        with self._changed:
            host = self._hosts[_host_of(turn.job)]
            host.active -= 1
            due = time.monotonic() + after_s
            heapq.heappush(host.later, (due, next(self._tickets), turn.job, turn.attempt + 1))
            self._changed.notify_all()

    def pause(self, job: Job, seconds: float) -> None:
        """Ask a job's host for nothing during the next seconds."""
        with self._changed:
            host = self._hosts[_host_of(job)]
            host.paused_until = max(host.paused_until, time.monotonic() + seconds)

    def refuse(self, job: Job, why: str) -> None:
        """Ask a job's host for nothing any more: its turns come at once, each with the reason."""
        with self._changed:
            self._hosts[_host_of(job)].refused = why
            self._changed.notify_all()

    def stop(self) -> None:
        """Give no more turns."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    @property
    def total(self) -> int | None:
        """How many jobs there are; None while the source has not ended."""
        return self.jobs_seen if self._exhausted else None

    def _look_ahead(self) -> None:
        waiting = sum(host.waiting() for host in self._hosts.values())
        while not self._exhausted and waiting < LOOK_AHEAD:
            job = next(self._jobs, None)
            if job is None:
                self._exhausted = True
                return
            self._hosts.setdefault(_host_of(job), _Host()).ready.append((job, 1))
            self.jobs_seen += 1
            waiting += 1


def _host_of(job: Job) -> str:
    try:
        return urlsplit(job.url).netloc.lower()
    except ValueError:
        return ""  # no URL; the fetch will say so
