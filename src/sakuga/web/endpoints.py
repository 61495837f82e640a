"""What the server does for each address of its API."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    Response,
    StreamingResponse,
)
from starlette.types import Receive, Scope, Send

from sakuga.web.design import DesignEndpoints
from sakuga.web.errors import Problem
from sakuga.web.jobs import ENDED, Jobs
from sakuga.web.manual import manual
from sakuga.web.metrics import Metrics
from sakuga.web.openapi import describe
from sakuga.web.painting import Styles, paint_upload
from sakuga.web.parameters import MEDIA_TYPES, PICTURE_NAMES, VIDEO_NAMES, Question, read_question
from sakuga.web.pool import Place, Pool, Stopped
from sakuga.web.security import COOKIE, bears_token, session_of
from sakuga.web.settings import Settings
from sakuga.web.uploads import check_video, receive

_EVENT_S = 0.25  # between looks at a job for its event stream
_SLOWEST_ANSWER_S = 60.0  # a client that takes longer to fetch its picture is cut off


class Endpoints:
    """The API's handlers, and what they share."""

    def __init__(self, settings: Settings, folder: Path, metrics: Metrics) -> None:
        self._settings = settings
        self._folder = folder
        self._metrics = metrics
        self._styles = Styles(settings)
        self._pool = Pool("picture", threads=1, places=settings.waiting_pictures)
        self.design = DesignEndpoints(settings, folder, self._pool)
        self._jobs = Jobs(folder, self._styles, settings)
        self._closing = threading.Event()
        for name, meaning, value in (
            ("pictures_waiting", "Pictures being uploaded or painted.", lambda: self._pool.taken),
            ("videos_waiting", "Videos being uploaded or painted.", lambda: self._jobs.pool.taken),
            ("video_jobs", "Video jobs known, ended ones included.", lambda: len(self._jobs)),
        ):
            metrics.watch(f"sakuga_{name}", meaning, value)

    def close(self) -> None:
        """Let everything that runs come to an end soon; may be called by a signal."""
        self._closing.set()
        self._jobs.cancel_all()

    def is_idle(self) -> bool:
        """True when no thread paints or writes any more."""
        return self._pool.taken == 0 and self._jobs.pool.taken == 0

    async def styles(self, _: Request) -> Response:
        """GET /api/styles"""
        return JSONResponse(self._styles.describe())

    async def paint(self, request: Request) -> Response:
        """POST /api/paint"""
        with self._pool.place(self._folder, "picture") as place:
            return await self._paint(request, place)

    async def _paint(self, request: Request, place: Place) -> Response:
        source, target = place.folder / "photo", place.folder / "anime"
        question, style = await self._receive(
            request, source, self._settings.picture_bytes, PICTURE_NAMES
        )
        stopped = threading.Event()

        def check() -> None:
            if stopped.is_set() or self._closing.is_set():
                raise Stopped

        def task() -> tuple[str, int, float]:
            check()
            began = time.monotonic()
            stylizer = self._styles.load(style)
            result = paint_upload(source, target, stylizer, question, self._settings, check)
            return *result, time.monotonic() - began

        place.future = self._pool.submit(task)
        waiting = asyncio.wrap_future(place.future)
        gone = asyncio.ensure_future(_disconnected(request))
        first: set[asyncio.Future[Any]] = {waiting, gone}
        try:
            await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            if is_gone := not place.future.done():
                stopped.set()
                waiting.cancel()
        if is_gone:
            raise ClientDisconnect
        file_format, pixels, seconds = waiting.result()
        self._pool.note_seconds(seconds)
        self._metrics.pixels.inc(pixels)
        self._metrics.seconds.observe(seconds)
        place.handed_on = True
        return _Once(
            target,
            place.free,
            media_type=MEDIA_TYPES[file_format],
            filename=f"anime.{file_format}",
            content_disposition_type="inline",
            headers={"X-Sakuga-Style": style, "X-Sakuga-Seconds": f"{seconds:.3f}"},
        )

    async def start_video(self, request: Request) -> Response:
        """POST /api/videos"""
        if self._closing.is_set():
            raise Stopped
        question = read_question(request.query_params.multi_items(), VIDEO_NAMES)
        self._jobs.pool.take_place()
        job = None
        try:
            job = self._jobs.new(self._styles.check(question.style), question)
            job.question, job.style = await self._receive(
                request, job.source, self._settings.video_bytes, VIDEO_NAMES
            )
            await asyncio.to_thread(check_video, job.source, self._settings.video_pixels)
            self._jobs.start(job)
        except BaseException:
            self._jobs.pool.leave_place()
            if job is not None:
                self._jobs.discard(job)
            raise
        return JSONResponse(
            job.describe(), status_code=202, headers={"Location": f"/api/jobs/{job.id}"}
        )

    async def job(self, request: Request) -> Response:
        """GET and DELETE /api/jobs/ID"""
        job = self._jobs.get(request.path_params["id"])
        if request.method == "DELETE":
            self._jobs.remove(job)
            return Response(status_code=204)
        return JSONResponse(job.describe())

    async def job_events(self, request: Request) -> Response:
        """GET /api/jobs/ID/events"""
        job = self._jobs.get(request.path_params["id"])

        async def events() -> AsyncIterator[str]:
            last = ""
            while True:
                ended = job.state in ENDED or job.cancelled.is_set() or self._closing.is_set()
                facts = job.describe()
                if job.cancelled.is_set():
                    facts["state"] = "cancelled"
                now = json.dumps(facts)
                if now != last:
                    yield f"data: {now}\n\n"
                    last = now
                if ended:
                    return
                await asyncio.sleep(_EVENT_S)

        return StreamingResponse(events(), media_type="text/event-stream")

    async def job_preview(self, request: Request) -> Response:
        """GET /api/jobs/ID/preview"""
        job = self._jobs.get(request.path_params["id"])
        if not job.has_preview:
            raise Problem(404, f"the preview is not painted yet; the job is {job.state}")
        return FileResponse(job.preview, media_type="image/png")

    async def job_result(self, request: Request) -> Response:
        """GET /api/jobs/ID/result"""
        job = self._jobs.get(request.path_params["id"])
        if job.state != "done":
            raise Problem(404, f"there is no result yet; the job is {job.state}")
        return FileResponse(job.result, media_type="video/mp4")  # who saves it names it

    async def log_in(self, request: Request) -> Response:
        """POST /api/session"""
        token = self._settings.token
        response = Response(status_code=204)
        if token is None:
            return response
        if not bears_token(request.headers, token):
            raise Problem(401, "this is not the token; it was chosen when the server was started")
        response.set_cookie(
            COOKIE,
            session_of(token),
            httponly=True,
            samesite="strict",
            # Set by a proxy that speaks TLS; a client that forges it only loses its own cookie.
            secure=request.headers.get("x-forwarded-proto") == "https",
        )
        return response

    async def health(self, _: Request) -> Response:
        """GET /healthz"""
        if self._closing.is_set():
            raise Stopped
        return JSONResponse({"status": "ok"})

    async def metrics(self, _: Request) -> Response:
        """GET /metrics"""
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    async def openapi(self, _: Request) -> Response:
        """GET /openapi.json"""
        return JSONResponse(describe(self._settings))

    async def manual(self, request: Request) -> Response:
        """GET /api"""
        return HTMLResponse(manual(self._settings, str(request.base_url)))

    async def _receive(
        self, request: Request, source: Path, max_bytes: int, names: tuple[str, ...]
    ) -> tuple[Question, str]:
        """Read what is asked and store the upload; the query is checked before the upload comes."""
        query = request.query_params.multi_items()
        self._styles.check(read_question(query, names).style)
        fields = await receive(request, source, max_bytes, self._settings)
        question = read_question([*query, *fields], names)
        return question, self._styles.check(question.style)


class _Once(FileResponse):
    """A file that is removed once it is sent, or when the client does not fetch it in time."""

    def __init__(self, path: Path, clean_up: Callable[[], None], **options: Any) -> None:
        super().__init__(path, **options)
        self._clean_up = clean_up

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Not a range of it: the file is gone afterwards.
        scope = {**scope, "headers": [pair for pair in scope["headers"] if pair[0] != b"range"]}
        try:
            async with asyncio.timeout(_SLOWEST_ANSWER_S):
                await super().__call__(scope, receive, send)
        except TimeoutError:
            return  # uvicorn closes a connection whose answer is not whole
        finally:
            self._clean_up()


async def _disconnected(request: Request) -> None:
    """Return when the client goes away; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
