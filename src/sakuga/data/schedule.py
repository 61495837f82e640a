"""Whose turn it is: jobs in an order that overloads no host.

No host gets more than `per_host` requests at a time. A host that asks for a pause (Retry-After)
gets none at all until it is over, while other hosts are served.
"""

from __future__ import annotations

import heapq
import itertools
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
    """A queue of jobs, asked by one thread: `take`, then exactly one of `done` and `again`.

    Args:
        jobs: read as they are needed.
        per_host: requests at a time to one host, at most.
    """

    def __init__(self, jobs: Iterator[Job], per_host: int) -> None:
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

    def pause(self, job: Job, seconds: float) -> None:
        """Ask a job's host for nothing during the next seconds."""
        host = self._host_of(job)
        host.paused_until = max(host.paused_until, time.monotonic() + seconds)

    def refuse(self, job: Job, why: str) -> None:
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

    def _host_of(self, job: Job) -> _Host:
        try:
            name = urlsplit(job.url).netloc.lower()
        except ValueError:
            name = ""  # no URL; the fetch will say so
        return self._hosts.setdefault(name, _Host())
