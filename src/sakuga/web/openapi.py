"""The API described for programs: OpenAPI 3.1."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from sakuga.cel.design import COLOURS, DRAWN, PRESETS, PREVIEW_SIDE, SLIDERS, TONES
from sakuga.web.design import CREDITS, MOST_PHOTOS
from sakuga.web.parameters import MEDIA_TYPES, PARAMETERS, PICTURE_NAMES, VIDEO_NAMES, Schema
from sakuga.web.settings import Settings

_ERRORS = {
    400: "The form is not valid.",
    401: "The token is missing or wrong.",
    403: "The request comes from a page of another site.",
    404: "Unknown style (with the list), or no such job.",
    408: "The body came too slowly.",
    413: "Too many bytes or pixels.",
    415: "Not a picture or video, damaged, or of a kind that is not let in.",
    421: "The Host header is not a name of this server.",
    422: "A value is out of its range, unknown, or given twice.",
    429: "All places are taken; Retry-After says when to come back.",
    501: "The painter is not installed.",
    503: "The server is shutting down.",
}
_OF_UPLOADS = (400, 408, 413, 415, 422, 429)


def describe(settings: Settings) -> Schema:
    """The whole description, as OpenAPI 3.1."""
    picture_mb, video_mb = settings.picture_bytes / 1e6, settings.video_bytes / 1e6
    paths: Schema = {}

    def add(asked: str, name: str, does: str, answers: Schema, *errors: int, **more: Any) -> None:
        """Describe what is done for a request such as "GET /api/styles"."""
        method, path = asked.split()
        own = [parameter for mark, parameter in _IN_PATHS.items() if mark in path]
        operations = paths.setdefault(path, {"parameters": own} if own else {})
        errors = (*errors, *(() if path == "/healthz" else (401,)))
        operations[method.lower()] = _operation(name, does, answers, *errors, **more)

    add("GET /api/styles", "listStyles", "The styles to paint with.", _json("Styles"))
    add(
        "POST /api/paint",
        "paint",
        "Paint a picture. The answer has its size; alpha, EXIF data and frames are kept.",
        _answer("The painted picture.", *MEDIA_TYPES.values(), headers=("Style", "Seconds")),
        *(404, 503),
        parameters=_asked(PICTURE_NAMES),
        body=f"At most {picture_mb:g} MB and {settings.picture_pixels / 1e6:g} megapixels.",
    )
    started = _json("Job", "The job that was started.")["200"]
    add(
        "POST /api/videos",
        "paintVideo",
        "Upload a video and start a job that paints it, its sound kept, into an MP4.",
        {"202": started | {"headers": {"Location": {"schema": _text()}}}},
        *(404, 503),
        parameters=_asked(VIDEO_NAMES),
        body=f"MP4, MOV, MKV, WebM or AVI; at most {video_mb:g} MB.",
    )
    add("GET /api/jobs/{id}", "getJob", "How far a job is.", _json("Job"), 404)
    add(
        "DELETE /api/jobs/{id}",
        "deleteJob",
        "Cancel a job if it runs, and remove its files.",
        {"204": {"description": "It is gone."}},
        404,
    )
    add(
        "GET /api/jobs/{id}/events",
        "watchJob",
        "Server-sent events: the job, as JSON, whenever it changes, until it has ended.",
        _answer("Events.", "text/event-stream"),
        404,
    )
    add(
        "GET /api/jobs/{id}/preview",
        "getPreview",
        "A sheet of ten moments, painted before the whole is.",
        _answer("The sheet.", "image/png"),
        404,
    )
    add(
        "GET /api/jobs/{id}/result",
        "getResult",
        "The painted video; ranges work.",
        _answer("The video.", "video/mp4")
        | {
            "206": {"description": "A part of the video."},
            "416": {"description": "The video has no such part."},
            "400": {"description": "The Range header is not valid."},
        },
        404,
    )
    add(
        "GET /api/design",
        "listSliders",
        "The painter's settings as sliders, its presets, and the user's own photos.",
        _json("Design"),
    )
    add(
        "GET /api/design/photos/{number}",
        "getDesignPhoto",
        "One of the photos that  sakuga design  was given, at preview size.",
        _answer("The photo.", "image/png"),
        *(404, 413, 415),
    )
    add(
        "POST /api/design/preview",
        "paintPreview",
        f"Paint a photo, at most {PREVIEW_SIDE} pixels large, by settings, not a style.",
        _answer("The painted picture.", "image/png", headers=("Seconds",)),
        501,
        parameters=_DESIGN,
        body=f"At most {picture_mb:g} MB.",
        in_form=False,
    )
    credits = [
        _query(name, {"type": "string", "maxLength": most}, "Of the style.")
        for name, most in CREDITS.items()
    ]
    add(
        "GET /api/design/recipe",
        "getRecipe",
        "The settings as a TOML file that  sakuga prepare cel  and  sakuga train  read.",
        _answer("The recipe.", "application/toml"),
        422,
        parameters=[*_DESIGN, *credits],
    )
    add(
        "POST /api/session",
        "logIn",
        "Turn the token into a cookie, for a page that shows pictures and videos.",
        {"204": {"description": "The cookie is set, if a token is needed at all."}},
    )
    takes = "Whether the server takes requests."
    add("GET /healthz", "getHealth", takes, _answer("It does.", "application/json"), 503)
    told = "Counters in Prometheus' text format."
    add("GET /metrics", "getMetrics", told, _answer("The counters.", "text/plain"))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sakuga",
            "version": version("sakuga"),
            "summary": "Photos and videos into anime pictures.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {
            "schemas": _SCHEMAS,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}] if settings.token is not None else [],
    }


def _text() -> Schema:
    return {"type": "string"}


def _texts() -> Schema:
    return {"type": "array", "items": _text()}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _maybe(kind: str) -> Schema:
    return {"type": [kind, "null"]}


def _object(**properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


_SCHEMAS: dict[str, Schema] = {
    "Error": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "string",
                "description": "What was wrong, what was found, what to do.",
            },
            "styles": _texts(),
        },
    },
    "Style": _object(
        name=_text(),
        version=_text(),
        description=_text(),
        licence=_text(),
        attribution=_texts(),
        default={"type": "boolean"},
    ),
    "Design": _object(
        sliders={"type": "array", "items": {"type": "object"}},
        colours={"type": "object"},
        tones={"type": "array", "items": {"type": "integer"}},
        presets={"type": "object"},
        photos=_texts(),
        missing=_maybe("string"),
    ),
    "Styles": _object(styles={"type": "array", "items": _reference("Style")}),
    "Job": _object(
        id=_text(),
        state={"enum": ["queued", "preview", "painting", "done", "failed", "cancelled"]},
        style=_text(),
        frames={"type": "integer"},
        total_frames=_maybe("integer"),
        frames_per_second=_maybe("number"),
        seconds_left=_maybe("number"),
        preview=_maybe("string"),
        result=_maybe("string"),
        error=_maybe("string"),
        notes=_texts(),
    ),
}


def _query(name: str, schema: Schema, description: str) -> Schema:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _asked(names: Sequence[str]) -> list[Schema]:
    return [_query(name, PARAMETERS[name].schema, PARAMETERS[name].about) for name in names]


_DESIGN = [
    _query(
        "preset",
        {"type": "string", "enum": [*PRESETS, DRAWN]},
        f"Where the settings start; {DRAWN}: where the server was given some.",
    ),
    *(
        _query(
            slider.setting,
            {"type": "number", "minimum": slider.low, "maximum": slider.high},
            f"{slider.label}: {slider.left:g} is {slider.ends[0]}, "
            f"{slider.right:g} is {slider.ends[1]}.",
        )
        for slider in SLIDERS
    ),
    _query("bins", {"type": "integer", "enum": list(TONES)}, "Lightnesses; 0: as many as it has."),
    *(
        _query(name, {"type": "string", "pattern": "^#[0-9a-f]{6}$"}, f"Colour: {label}.")
        for name, label in COLOURS.items()
    ),
]
_IN_PATHS = {
    "{number}": {
        "name": "number",
        "in": "path",
        "required": True,
        "schema": {"type": "integer", "minimum": 0, "maximum": MOST_PHOTOS - 1},
        "description": "From 0, in the order they were given.",
    },
    "{id}": {
        "name": "id",
        "in": "path",
        "required": True,
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9_-]{22}$"},
        "description": "As in the answer that started the job.",
    },
}


def _answer(description: str, *kinds: str, headers: tuple[str, ...] = ()) -> Schema:
    answer: Schema = {
        "description": description,
        "content": {kind: {"schema": {}} for kind in kinds},
    }
    if headers:
        answer["headers"] = {f"X-Sakuga-{name}": {"schema": _text()} for name in headers}
    return {"200": answer}


def _json(name: str, description: str = "Found.") -> Schema:
    content = {"application/json": {"schema": _reference(name)}}
    return {"200": {"description": description, "content": content}}


def _operation(
    name: str,
    summary: str,
    answers: Schema,
    *errors: int,
    parameters: Sequence[Schema] = (),
    body: str = "",
    in_form: bool = True,
) -> Schema:
    """One operation.

    Args:
        body: limits of the file to send; empty: nothing is sent.
        in_form: the parameters may also be fields of the form with the file.
    """
    content = {"application/json": {"schema": _reference("Error")}}
    operation: Schema = {
        "operationId": name,
        "summary": summary,
        "responses": answers
        | {
            str(status): {"description": _ERRORS[status], "content": content}
            for status in (*errors, *(_OF_UPLOADS if body else ()), 403, 421)
        },
    }
    if parameters:
        operation["parameters"] = list(parameters)
    if body:
        fields = {one["name"]: one["schema"] for one in parameters} if in_form else {}
        file = {"type": "string", "contentMediaType": "application/octet-stream"}
        form = {**_object(file=file), "properties": {"file": file, **fields}}
        operation["requestBody"] = {
            "required": True,
            "description": body,
            "content": {
                "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
                "multipart/form-data": {"schema": form},
            },
        }
    return operation
