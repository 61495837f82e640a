"""The description of the API holds: it is valid, and the server does what it says, and no more.

Schemathesis makes requests from /openapi.json, valid ones and spoilt ones, and compares each answer
with the description. SAKUGA_HOSTILE_REQUESTS says how many (10,000 for a thorough run).
"""

from __future__ import annotations

import json
import os
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import Running, picture, running_soundly

schemathesis = pytest.importorskip("schemathesis")
from schemathesis import GenerationMode  # noqa: E402
from schemathesis.checks import not_a_server_error  # noqa: E402
from schemathesis.specs.openapi import checks  # noqa: E402

COUNT = int(os.environ.get("SAKUGA_HOSTILE_REQUESTS", "400"))
SETTINGS = {"picture_bytes": 60_000, "picture_pixels": 40_000, "video_bytes": 60_000}
CHECKS = [
    not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
PHOTOS = [picture(), picture(9, 1, "JPEG"), picture(300, 200), picture(40, 30, "GIF")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, tiny_style: Path) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("described")
    with running_soundly(folder, tiny_style.parent, SETTINGS) as running_server:
        yield running_server


@pytest.fixture(scope="module")
def description(server: Running) -> dict[str, Any]:
    with urllib.request.urlopen(f"{server.address}openapi.json") as answer:
        return json.load(answer)  # type: ignore[no-any-return]


def test_the_description_is_valid_openapi(description: dict[str, Any]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(description, cls=validator.OpenAPIV31SpecValidator)


def test_every_answer_is_as_described(server: Running, description: dict[str, Any]) -> None:
    api = schemathesis.openapi.from_dict(description)
    operations = [result.ok() for result in api.get_all_operations()]
    seen: Counter[tuple[str, int]] = Counter()

    def ask(case: Any, photo: bytes | None) -> None:
        # What a generator invents is never a picture or a style: some are made to fit.
        if photo is not None and case.query:
            case.query.pop("style", None)
        if photo is not None and isinstance(case.body, bytes):
            case.body = photo
        elif photo is not None and isinstance(case.body, dict):
            case.body["file"] = photo
        answer = case.call(base_url=server.address.rstrip("/"), timeout=30)
        seen[f"{case.method} {case.path}", answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    thorough = settings(
        max_examples=COUNT // len(operations),
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    photos = st.one_of(st.none(), st.sampled_from(PHOTOS))
    for operation in operations:
        cases = st.one_of(
            operation.as_strategy(generation_mode=mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )
        thorough(given(cases, photos)(ask))()
    print(sorted(seen.items()))
    painted = {status for operation, status in seen if operation == "POST /api/paint"}
    assert {200, 404, 415, 422} <= painted
    assert server.left_behind() == []
