"""Videos, painted one after the other: a preview, then the whole; progress, cancel, result."""

from __future__ import annotations

import logging
import secrets
import shutil
import threading
import time
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sakuga.errors import SakugaError
from sakuga.images.colour import Pixels
from sakuga.painting.stylizer import Stylizer
from sakuga.video import Progress, paint_clip, preview_clip
from sakuga.web.errors import Problem, plainly
from sakuga.web.painting import Styles
from sakuga.web.parameters import Question
from sakuga.web.pool import Pool, Stopped
from sakuga.web.settings import Settings

ENDED = ("done", "failed", "cancelled")
_PREVIEW_SIDE = 512  # pixels; a look need not be as large as the result
_log = logging.getLogger("sakuga")


@dataclass
class VideoJob:
    """One video. `state` goes queued, preview, painting, then one of ENDED."""

    id: str  # 128 random bits: who knows it may see the video
    folder: Path  # holds source, preview.png and anime.mp4, and nothing else
    style: str
    question: Question
    state: str = "queued"
    progress: Progress | None = None
    error: str | None = None
    notes: list[str] = field(default_factory=list)
    has_preview: bool = False
    cancelled: threading.Event = field(default_factory=threading.Event)
    future: Future[None] | None = None
    ended_at: float | None = None  # time.monotonic

    @property
    def source(self) -> Path:
        return self.folder / "source"

    @property
    def preview(self) -> Path:
        return self.folder / "preview.png"

    @property
    def result(self) -> Path:
        return self.folder / "anime.mp4"

    def describe(self) -> dict[str, Any]:
        """What `GET /api/jobs/ID` tells."""
        address = f"/api/jobs/{self.id}"
        progress = self.progress or Progress(0, None, 0.0, None, 0)
        left_s = progress.seconds_left if self.state == "painting" else None
        return {
            "id": self.id,
            "state": self.state,
            "style": self.style,
            "frames": progress.frames,
            "total_frames": progress.total_frames,
            "frames_per_second": round(progress.frames_per_second, 2) if self.progress else None,
            "seconds_left": None if left_s is None else round(left_s, 1),
            "preview": f"{address}/preview" if self.has_preview else None,
            "result": f"{address}/result" if self.state == "done" else None,
            "error": self.error,
            "notes": self.notes,
        }


class Jobs:
    """All jobs of a server. Methods are called from the event loop; painting runs in the pool.

    Results are removed in time whether anybody asks or not: they are people's videos.
    """

    def __init__(self, folder: Path, styles: Styles, settings: Settings) -> None:
        self.pool = Pool("video", threads=1, places=settings.waiting_videos)
        self._folder = folder
        self._styles = styles
        self._settings = settings
        self._jobs: dict[str, VideoJob] = {}
        self._changing = threading.RLock()  # jobs end in the pool's thread, and are forgotten later

    def __len__(self) -> int:
        return len(self._jobs)

    def new(self, style: str, question: Question) -> VideoJob:
        """Make a job with a folder for its upload; it is known to clients only once started."""
        self._forget_old()
        name = secrets.token_urlsafe(16)
        folder = self._folder / f"job-{name}"
        folder.mkdir(mode=0o700)
        return VideoJob(name, folder, style, question)

    def start(self, job: VideoJob) -> None:
        """Queue an uploaded job; the place taken for it is free again when it has ended."""
        with self._changing:
            self._jobs[job.id] = job
        job.future = self.pool.submit(lambda: self._run(job))
        job.future.add_done_callback(lambda _: self.pool.leave_place())

    def get(self, name: str) -> VideoJob:
        """The job of that name.

        Raises:
            Problem: 404.
        """
        self._forget_old()
        try:
            return self._jobs[name]
        except KeyError:
            raise Problem(
                404,
                "there is no such job; results are kept for "
                f"{self._settings.keep_s / 60:.0f} minutes",
            ) from None

    def remove(self, job: VideoJob) -> None:
        """Cancel a job, if it still runs, and remove its files as soon as nothing writes them."""
        job.cancelled.set()
        with self._changing:
            self._jobs.pop(job.id, None)
        never_ran = job.future is not None and job.future.cancel()
        if never_ran or job.state in ENDED:
            self.discard(job)

    def cancel_all(self) -> None:
        """Let every job end at its next frame."""
        with self._changing:
            for job in self._jobs.values():
                job.cancelled.set()

    def discard(self, job: VideoJob) -> None:
        """Remove a job's files."""
        shutil.rmtree(job.folder, ignore_errors=True)

    def _forget_old(self) -> None:
        with self._changing:
            ended = [job for job in self._jobs.values() if job.ended_at is not None]
            ended.sort(key=lambda job: job.ended_at or 0.0)
            oldest_kept = time.monotonic() - self._settings.keep_s
            surplus = len(ended) - self._settings.kept_videos
            for index, job in enumerate(ended):
                if index < surplus or (job.ended_at or 0.0) <= oldest_kept:
                    self.remove(job)

    def _run(self, job: VideoJob) -> None:
        """Paint one job; runs in the pool's thread."""
        try:
            self._paint(job)
            job.state = "done"
        except Stopped:
            job.state = "cancelled"
        except SakugaError as error:
            job.error = self._plainly(job, error)
            job.state = "failed"
        except Exception:
            _log.exception("a video could not be painted")
            job.error = "this server made a mistake; its log says more"
            job.state = "failed"
        finally:
            job.ended_at = time.monotonic()
            job.source.unlink(missing_ok=True)
            if job.cancelled.is_set():
                job.state = "cancelled"
                self.discard(job)
            self._forget_old()
            later = threading.Timer(self._settings.keep_s, self._forget_old)
            later.daemon = True
            later.start()

    def _plainly(self, job: VideoJob, told: object) -> str:
        """Videos are opened by path, and the path is ours, not the client's."""
        names = {job.source: "the video", job.result: "the result", job.preview: "the preview"}
        return plainly(told, self._folder, names)

    def _paint(self, job: VideoJob) -> None:
        def check(_: object = None) -> None:
            if job.cancelled.is_set():
                raise Stopped

        check()
        stylizer = _Stoppable(self._styles.load(job.style), check)
        painting = job.question.painting
        job.state = "preview"
        side = min(painting.max_side or _PREVIEW_SIDE, _PREVIEW_SIDE)
        preview_clip(
            job.source,
            job.preview,
            style=stylizer,
            painting=replace(painting, max_side=side),
            options=job.question.video,
        )
        job.has_preview = True
        job.state = "painting"

        def note(progress: Progress) -> None:
            job.progress = progress
            check()

        result = paint_clip(
            job.source,
            job.result,
            style=stylizer,
            painting=painting,
            options=job.question.video,
            on_progress=note,
        )
        job.notes = [self._plainly(job, note) for note in result.notes]


class _Stoppable:
    """A stylizer that looks, between tiles, whether its job still wants to be painted."""

    def __init__(self, stylizer: Stylizer, check: Any) -> None:
        self.spec = stylizer.spec
        self.threads = stylizer.threads
        self._stylizer = stylizer
        self._check = check

    def for_calls(self, calls: int) -> _Stoppable:
        """The same for so many calls at once, as a `Stylizer` does it."""
        return _Stoppable(self._stylizer.for_calls(calls), self._check)

    def __call__(self, photo: Pixels, **choices: Any) -> Pixels:
        self._check()
        return self._stylizer(photo, **choices, progress=self._check)
