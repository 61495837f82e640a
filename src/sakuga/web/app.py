"""The routes: the API, and the page."""

from __future__ import annotations

import mimetypes
from collections.abc import Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from sakuga.errors import SakugaError
from sakuga.web.endpoints import Endpoints
from sakuga.web.errors import (
    Problem,
    answer,
    answer_fault,
    answer_problem,
    answer_routing,
    from_mistake,
)
from sakuga.web.metrics import Metrics
from sakuga.web.pool import Stopped
from sakuga.web.security import Guards
from sakuga.web.settings import Settings

PAGE = Path(__file__).parent / "page"
# Some systems' own tables say text/plain, which browsers refuse to run.
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}


def build_app(settings: Settings, folder: Path) -> tuple[ASGIApp, Endpoints]:
    """Make the app, guarded, and its handlers, which must be closed at the end.

    Args:
        folder: private, for uploads and results.

    Raises:
        StyleError: no style is installed, or one is damaged.
    """
    for suffix, kind in _TYPES.items():
        mimetypes.add_type(kind, suffix)
    metrics = Metrics()
    endpoints = Endpoints(settings, folder, metrics)
    app = Starlette(
        routes=_routes(endpoints),
        exception_handlers={
            Problem: answer_problem,
            SakugaError: lambda _, error: answer(from_mistake(error, folder)),
            Stopped: lambda _, error: answer(
                Problem(503, "this server is shutting down; try again in a moment")
            ),
            ClientDisconnect: lambda _, error: Response(status_code=499),  # nobody receives it
            HTTPException: answer_routing,
            Exception: answer_fault,
        },
    )
    # Not a route: it would match every address, and a wrong method at one of the API would be 404.
    app.router.default = StaticFiles(directory=PAGE, html=True)
    app.router.redirect_slashes = False
    return Guards(app, settings, metrics), endpoints


def _routes(endpoints: Endpoints) -> Sequence[BaseRoute]:
    job = "/api/jobs/{id:str}"
    design = endpoints.design
    return [
        Route("/api/styles", endpoints.styles, methods=["GET"]),
        Route("/api/paint", endpoints.paint, methods=["POST"]),
        Route("/api/videos", endpoints.start_video, methods=["POST"]),
        Route(job, endpoints.job, methods=["GET", "DELETE"]),
        Route(f"{job}/events", endpoints.job_events, methods=["GET"]),
        Route(f"{job}/preview", endpoints.job_preview, methods=["GET"]),
        Route(f"{job}/result", endpoints.job_result, methods=["GET"]),
        Route("/api/session", endpoints.log_in, methods=["POST"]),
        Route("/api", endpoints.manual, methods=["GET"]),
        Route("/design", _design_page, methods=["GET"]),
        Route("/api/design", design.describe, methods=["GET"]),
        Route("/api/design/photos/{number:str}", design.photo, methods=["GET"]),
        Route("/api/design/preview", design.preview, methods=["POST"]),
        Route("/api/design/recipe", design.recipe, methods=["GET"]),
        Route("/openapi.json", endpoints.openapi, methods=["GET"]),
        Route("/healthz", endpoints.health, methods=["GET"]),
        Route("/metrics", endpoints.metrics, methods=["GET"]),
    ]


async def _design_page(_: Request) -> Response:
    """GET /design"""
    return FileResponse(PAGE / "design.html")
