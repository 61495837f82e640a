"""What went wrong, as an HTTP status and one sentence of JSON; never a traceback."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from sakuga.errors import (
    InputError,
    MissingExtraError,
    OptionError,
    OutputError,
    SakugaError,
    TooLargeError,
    one_line,
)

_log = logging.getLogger("sakuga")
# What belongs to the command line, or to files that clients do not see.
_OURS = re.compile(r"--[a-z]|\bsakuga [a-z]|\bpip install\b|\.parts\b")

# The first that fits counts. Anything else of a user's mistakes is about this server's set-up: 500.
_STATUS: tuple[tuple[type[SakugaError], int], ...] = (
    (TooLargeError, 413),
    (InputError, 415),
    (MissingExtraError, 415),
    (OptionError, 422),
    (OutputError, 422),
)


class Problem(Exception):
    """An answer that is an error.

    Args:
        status: of HTTP.
        sentence: what was wrong, what was found, what to do.
        headers: of the answer.
        facts: more members of the JSON answer, as {"styles": [...]}.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        *,
        headers: Mapping[str, str] | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.headers = headers
        self.facts = facts


def from_mistake(error: Exception, folder: Path) -> Problem:
    """The answer to a mistake that the library found; `folder` is where the server's files lie."""
    for kind, status in _STATUS:
        if isinstance(error, kind):
            return Problem(status, plainly(error, folder))
    _log.error("this server cannot paint: %s", error)
    return Problem(500, "this server cannot paint; its log says why")


def plainly(told: object, folder: Path, names: Mapping[Path, str] | None = None) -> str:
    """What the library says, for someone who sees neither its command line nor our files.

    Clauses with options, verbs or installations are left out, and paths are given names.

    Args:
        told: an error or a sentence.
        folder: where the server's files lie.
        names: what files in it are to be called.
    """
    text = one_line(told)
    for path, name in (names or {}).items():
        text = text.replace(str(path), name)
    text = re.sub(rf"{re.escape(str(folder))}[\w./\\-]*", "the file", text)
    clauses = re.split(r"(?<=[;:,.]) (?=\S)", text)
    kept = " ".join(clause for clause in clauses if not _OURS.search(clause))
    return kept.rstrip(" ;:,.") or "it cannot be painted"


def answer(problem: Problem) -> Response:
    """The problem as a response."""
    return JSONResponse(
        {"error": problem.sentence, **problem.facts}, problem.status, headers=problem.headers
    )


def answer_problem(_: Request, error: Exception) -> Response:
    """Starlette's handler of `Problem`."""
    assert isinstance(error, Problem)
    return answer(error)


def answer_routing(request: Request, error: Exception) -> Response:
    """Starlette's handler of what it refuses by itself: 404 and 405."""
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        sentence = "there is nothing at this address; /api describes what there is"
    elif error.status_code == 405:
        sentence = f"{request.method} does not work at this address; /api describes what does"
    else:
        sentence = error.detail
    return answer(Problem(error.status_code, sentence, headers=error.headers))


def answer_fault(_: Request, __: Exception) -> Response:
    """Starlette's handler of our own mistakes; it writes the traceback to the log."""
    return answer(Problem(500, "this server made a mistake; its log says more"))
