"""The HTTP API: what it paints equals the library, and what it refuses it refuses clearly."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from PIL import Image
from serving import bomb, picture, pixels_of
from starlette.testclient import TestClient

import sakuga
from sakuga.errors import InputError, OptionError, OutputError
from sakuga.painting.options import PaintOptions
from sakuga.video import VideoResult
from sakuga.video.painter import SharesThreads
from sakuga.web.app import build_app
from sakuga.web.endpoints import Endpoints
from sakuga.web.errors import plainly
from sakuga.web.openapi import describe
from sakuga.web.security import HEADERS
from sakuga.web.settings import Settings

BASE = "http://127.0.0.1"
SMALL = Settings(
    waiting_pictures=2,
    waiting_videos=2,
    picture_bytes=300_000,
    picture_pixels=200_000,
    video_bytes=2_000_000,
    video_pixels=64 * 48,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server keeps uploads."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def service(two_styles: Path, folder: Path) -> Iterator[tuple[TestClient, Endpoints]]:
    app, endpoints = build_app(SMALL, folder)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield client, endpoints
    endpoints.close()


@pytest.fixture
def client(service: tuple[TestClient, Endpoints]) -> TestClient:
    return service[0]


def wait_for(client: TestClient, job: dict[str, Any], *states: str) -> dict[str, Any]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        now: dict[str, Any] = client.get(f"/api/jobs/{job['id']}").json()
        if now["state"] in states:
            return now
        time.sleep(0.02)
    raise AssertionError(f"the job stays {now}")


def test_styles_are_listed_with_one_default(client: TestClient) -> None:
    styles = client.get("/api/styles").json()["styles"]
    assert [style["name"] for style in styles] == ["tiny", "whole"]
    assert [style["default"] for style in styles] == [True, False]
    assert styles[0]["licence"] == "CC0-1.0"


@pytest.mark.parametrize(
    "query",
    [{}, {"strength": "0.4"}, {"keep_colour": "true"}, {"style": "whole"}, {"stroke": "24"}],
)
def test_painting_equals_the_library(
    client: TestClient, tiny_style: Path, whole_style: Path, query: dict[str, str]
) -> None:
    photo = picture(61, 43)
    answer = client.post("/api/paint", content=photo, params={"format": "png", **query})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    expected = sakuga.paint(
        pixels_of(photo),
        whole_style if query.get("style") == "whole" else tiny_style,
        strength=float(query.get("strength", 1)),
        keep_colour="keep_colour" in query,
        stroke=int(query["stroke"]) if "stroke" in query else "auto",
    )
    np.testing.assert_array_equal(pixels_of(answer.content), expected)


def test_a_form_does_the_same_as_a_body(client: TestClient) -> None:
    photo = picture()
    whole = client.post("/api/paint?format=png&strength=0.5", content=photo).content
    form = client.post(
        "/api/paint",
        files={"file": ("../../etc/passwd", photo, "text/html")},
        data={"format": "png", "strength": "0.5"},
    )
    assert form.status_code == 200
    assert form.content == whole


@pytest.mark.parametrize(
    ("kind", "asked", "type_"),
    [
        ("JPEG", None, "image/jpeg"),
        ("PNG", None, "image/png"),
        ("WEBP", None, "image/webp"),
        ("TIFF", None, "image/png"),
        ("BMP", "webp", "image/webp"),
        ("PNG", "jpg", "image/jpeg"),
        ("GIF", None, "image/gif"),
    ],
)
def test_formats(client: TestClient, kind: str, asked: str | None, type_: str) -> None:
    query = {} if asked is None else {"format": asked}
    answer = client.post("/api/paint", content=picture(kind=kind), params=query)
    assert answer.headers["content-type"] == type_
    with Image.open(io.BytesIO(answer.content)) as image:
        assert Image.MIME[image.format or ""] == type_
        assert image.size == (60, 40)


def test_nothing_is_left_behind(client: TestClient, folder: Path) -> None:
    assert client.post("/api/paint", content=picture()).status_code == 200
    assert client.post("/api/paint", content=b"no picture").status_code == 415
    assert client.post("/api/paint", content=picture()[:-30]).status_code == 415
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "query", "status", "says"),
    [
        (picture(), "style=nothing", 404, "tiny, whole"),
        (picture(), "style=../tiny.onnx", 404, "unknown"),
        (picture(), "style=/etc/passwd", 404, "unknown"),
        (picture(), "strength=1.5", 422, "0 (the photo) to 1"),
        (picture(), "strength=nan", 422, "0 (the photo) to 1"),
        (picture(), "strength=", 422, "0 (the photo) to 1"),
        (picture(), "keep_colour=maybe", 422, "not true or false"),
        (picture(), "stroke=heavy", 422, "auto, fine, bold or a number of pixels from 16"),
        (picture(), "stroke=9", 422, "from 16 to 8192"),
        (picture(), "format=svg", 422, "png, jpg, webp, gif"),
        (picture(), "stile=tiny", 422, "did you mean style?"),
        (picture(), "style=tiny&style=whole", 422, "twice"),
        (b"", "", 422, "empty"),
        (b"hello", "", 415, "holds text"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "", 415, "holds text"),
        (b"<!doctype html><script>alert(1)</script>", "", 415, "holds text"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "", 415, "JPEG, PNG"),
        (b"P6 2 2 255\n" + bytes(12), "", 415, "JPEG, PNG"),
        (picture()[:-30], "", 415, "damaged or truncated"),
        (bomb(), "", 413, "megapixels"),
        (picture(600, 400), "", 413, "0.3 MB"),
    ],
)
def test_refusals(client: TestClient, content: bytes, query: str, status: int, says: str) -> None:
    answer = client.post(f"/api/paint?{query}", content=content)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert says in answer.json()["error"]
    assert "Traceback" not in answer.text
    if status == 404:
        assert answer.json()["styles"] == ["tiny", "whole"]


def test_a_body_without_a_length_is_cut_off_too(client: TestClient) -> None:
    answer = client.post("/api/paint", content=(bytes(50_000) for _ in range(20)))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"", "multipart/form-data", 400),
        (b"", f"multipart/form-data; boundary={'b' * 200}", 400),
        (b"rubbish", "multipart/form-data; boundary=b", 400),
        (b"--b\r\n\r\nx\r\n--b--\r\n", "multipart/form-data; boundary=b", 400),
        (
            b'--b\r\nContent-Disposition: form-data; name="style"\r\n\r\ntiny\r\n--b--\r\n',
            "multipart/form-data; boundary=b",
            422,
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n',
            "multipart/form-data; boundary=b",
            400,
        ),
        (
            b'--b\r\nContent-Disposition: form-data; name="style"\r\n\r\n' + b"x" * 5000,
            "multipart/form-data; boundary=b",
            422,
        ),
    ],
)
def test_bad_forms(client: TestClient, body: bytes, kind: str, status: int) -> None:
    answer = client.post("/api/paint", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status, answer.text


def test_two_files_in_a_form_are_refused(client: TestClient) -> None:
    files = [("a", ("a.png", picture())), ("b", ("b.png", picture()))]
    assert client.post("/api/paint", files=files).status_code == 422


def test_a_full_queue_says_when_to_come_back(
    service: tuple[TestClient, Endpoints],
) -> None:
    client, endpoints = service
    for _ in range(SMALL.waiting_pictures):
        endpoints._pool.take_place()
    answer = client.post("/api/paint", content=picture())
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    endpoints._pool.leave_place()
    assert client.post("/api/paint", content=picture()).status_code == 200
    assert endpoints._pool.taken == SMALL.waiting_pictures - 1


def test_a_video_is_painted(client: TestClient, folder: Path, tmp_path: Path) -> None:
    video = clips.make_clip(tmp_path / "clip.mp4", frames=12)
    answer = client.post("/api/videos", content=video.read_bytes())
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/api/jobs/{job['id']}"
    done = wait_for(client, job, "done", "failed")
    assert done["state"] == "done", done
    assert (done["frames"], done["error"]) == (12, None)
    with client.stream("GET", f"/api/jobs/{job['id']}/events") as events:
        text = events.read().decode()
    assert text.startswith("data: {") and '"state": "done"' in text
    preview = client.get(done["preview"])
    assert preview.content.startswith(b"\x89PNG")
    result = client.get(done["result"])
    assert result.headers["content-type"] == "video/mp4"
    (tmp_path / "result.mp4").write_bytes(result.content)
    assert len(clips.look(tmp_path / "result.mp4").pictures) == 12
    part = client.get(done["result"], headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, b"ftyp")
    assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert client.get(f"/api/jobs/{job['id']}").status_code == 404
    assert list(folder.iterdir()) == []


def test_a_part_of_a_video_is_painted(client: TestClient, tmp_path: Path) -> None:
    video = clips.make_clip(tmp_path / "clip.mp4", frames=50).read_bytes()
    whole = clips.look(tmp_path / "clip.mp4")
    begin, end = Fraction("0.4"), Fraction("1.2")  # seconds
    asked = "start=0.4&stop=1.2&strength=0"
    job = client.post(f"/api/videos?{asked}", content=video).json()
    done = wait_for(client, job, "done", "failed")
    assert done["state"] == "done", done
    (tmp_path / "part.mp4").write_bytes(client.get(done["result"]).content)
    wanted = [index for index, time in enumerate(whole.times) if begin <= time < end]
    part = clips.look(tmp_path / "part.mp4").pictures
    assert len(part) == len(wanted) < 50
    for shown, index in zip(part[::5], wanted[::5], strict=True):
        near = [abs(shown.astype(int) - other).mean() for other in whole.pictures]
        assert abs(near.index(min(near)) - index) <= 1
    late = client.post("/api/videos?start=99", content=video).json()
    failed = wait_for(client, late, "done", "failed")
    assert "its pictures last until 2.00s; give an earlier time" in failed["error"]
    for query in ("start=2&stop=1", "stop=0", "start=-1", "start=nan", "stop=1m"):
        answer = client.post(f"/api/videos?{query}", content=video)
        assert answer.status_code == 422, query


def test_a_video_whose_sound_has_no_layout_is_painted(client: TestClient, tmp_path: Path) -> None:
    sounds = [clips.Sound("pcm_s16le", seconds=0.2)]
    video = clips.make_clip(tmp_path / "clip.avi", codec="mpeg4", frames=5, sounds=sounds)
    job = client.post("/api/videos", content=video.read_bytes()).json()
    done = wait_for(client, job, "done", "failed")
    assert done["state"] == "done", done
    (tmp_path / "result.mp4").write_bytes(client.get(done["result"]).content)
    assert clips.look(tmp_path / "result.mp4").audio_codecs == ["aac"]


def test_a_video_job_can_be_cancelled(
    service: tuple[TestClient, Endpoints], folder: Path, tmp_path: Path
) -> None:
    client, endpoints = service
    video = clips.make_clip(tmp_path / "clip.mp4", frames=400).read_bytes()
    running = client.post("/api/videos", content=video).json()
    waiting = client.post("/api/videos", content=video).json()
    assert client.post("/api/videos", content=video).status_code == 429
    wait_for(client, running, "preview", "painting")
    insides = endpoints._jobs.get(running["id"])
    assert client.get(f"/api/jobs/{running['id']}/result").status_code == 404
    for job in (waiting, running):
        assert client.delete(f"/api/jobs/{job['id']}").status_code == 204
    until = time.monotonic() + 20
    while list(folder.iterdir()) and time.monotonic() < until:
        time.sleep(0.02)
    assert list(folder.iterdir()) == []
    assert insides.progress is None or insides.progress.frames < 400  # it did not paint on


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"#EXTM3U\n#EXTINF:9,\nfile:///etc/passwd\n", 415),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", 415),
        (b"\x1a\x45\xdf\xa3v=0\nc=IN IP4 127.0.0.1\nm=video 9 RTP/AVP 96\n", 415),
        (b"\0\0\0\x18ftypmp42" + bytes(500), 415),
        (picture(), 415),
        (b"", 422),
    ],
)
def test_what_is_no_video_is_refused(
    client: TestClient, folder: Path, content: bytes, status: int
) -> None:
    answer = client.post("/api/videos", content=content)
    assert answer.status_code == status, answer.text
    assert str(folder) not in answer.text
    assert list(folder.iterdir()) == []


def test_refused_videos_give_their_places_back(service: tuple[TestClient, Endpoints]) -> None:
    client, endpoints = service
    for query, status in (("x=1", 422), ("style=no", 404), ("max_side=2", 422), ("", 415)):
        assert client.post(f"/api/videos?{query}", content=b"no video").status_code == status
    assert endpoints.is_idle()


def test_a_video_of_large_frames_is_refused(client: TestClient, tmp_path: Path) -> None:
    video = clips.make_clip(tmp_path / "clip.mp4", frames=2, width=96, height=64)
    answer = client.post("/api/videos", content=video.read_bytes())
    assert (answer.status_code, "96 x 64" in answer.text) == (413, True)


def test_old_results_are_forgotten(two_styles: Path, folder: Path, tmp_path: Path) -> None:
    app, endpoints = build_app(Settings(keep_s=0.3, kept_videos=1), folder)
    video = clips.make_clip(tmp_path / "clip.mp4", frames=2).read_bytes()
    with TestClient(app, base_url=BASE) as client:
        first, second = (client.post("/api/videos", content=video).json() for _ in range(2))
        wait_for(client, second, "done")
        assert client.get(f"/api/jobs/{first['id']}").status_code == 404
        time.sleep(0.35)
        assert client.get(f"/api/jobs/{second['id']}").status_code == 404
    endpoints.close()
    assert list(folder.iterdir()) == []


def test_every_answer_carries_the_security_headers(client: TestClient) -> None:
    for answer in (
        client.get("/"),
        client.get("/api/styles"),
        client.get("/nothing"),
        client.post("/api/paint", content=picture()),
        client.get("/", headers={"Host": "evil.example"}),
    ):
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert "access-control-allow-origin" not in answer.headers
    assert "unsafe" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost:8000"}, 200),
        ({"Host": "127.0.0.1:8000"}, 200),
        ({"Host": "[::1]:8000"}, 200),
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:8000"}, 421),
        ({"Host": "192.168.1.7"}, 421),
        ({"Host": "localhost.evil.example"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "http://127.0.0.1"}, 200),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
    ],
)
def test_foreign_hosts_and_pages_are_refused(
    client: TestClient, headers: dict[str, str], status: int
) -> None:
    assert client.get("/api/styles", headers=headers).status_code == status
    answer = client.post("/api/paint", content=picture(), headers=headers)
    assert answer.status_code == status


def test_a_link_from_another_site_may_lead_to_the_page(client: TestClient) -> None:
    link = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=link).status_code == 200
    assert client.get("/api/styles", headers=link).status_code == 403
    assert client.post("/api/paint", content=picture(), headers=link).status_code == 403


def test_a_token_is_wanted_and_becomes_a_cookie(two_styles: Path, folder: Path) -> None:
    token = "correct-horse-battery"
    settings = Settings(host="0.0.0.0", token=token, allowed_hosts=("paint.example",))
    app, endpoints = build_app(settings, folder)
    with TestClient(app, base_url="http://192.168.1.7:8000") as client:
        for path in ("/api/styles", "/metrics", "/api/jobs/x", "/api/jobs/x/result"):
            assert client.get(path).status_code == 401
        assert client.post("/api/paint", content=picture()).status_code == 401
        assert client.get("/").status_code == client.get("/healthz").status_code == 200
        shown = {"Authorization": f"Bearer {token}"}
        assert client.get("/api/styles", headers=shown).status_code == 200
        assert client.get("/api/styles", headers=shown | {"Host": "paint.example"}).is_success
        assert (
            client.get("/api/styles", headers=shown | {"Host": "evil.example"}).status_code == 421
        )
        for wrong in (f"Bearer {token}x", f"Bearer {token[:-1]}", f"Basic {token}", "Bearer ", ""):
            headers = {"Authorization": wrong}
            assert client.get("/api/styles", headers=headers).status_code == 401
            assert client.post("/api/session", headers=headers).status_code == 401
        assert client.get("/api/styles", headers={"Cookie": f"sakuga={token}"}).status_code == 401
        entered = client.post("/api/session", headers=shown)
        cookie = entered.headers["set-cookie"]
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and token not in cookie
        assert "Secure" not in cookie
        assert client.get("/api/styles").status_code == 200
        behind = client.post("/api/session", headers=shown | {"X-Forwarded-Proto": "https"})
        assert "Secure" in behind.headers["set-cookie"]
    endpoints.close()


def test_metrics_count_what_happened(client: TestClient) -> None:
    client.post("/api/paint", content=picture(60, 40))
    client.post("/api/paint?strength=9", content=picture())
    client.get("/api/jobs/invented-by-a-client")
    text = client.get("/metrics").text
    assert 'sakuga_requests_total{method="POST",route="/api/paint",status="200"} 1' in text
    assert 'sakuga_requests_total{method="POST",route="/api/paint",status="422"} 1' in text
    assert 'route="/api/jobs/{id}"' in text.replace("{id:str}", "{id}")
    assert "invented" not in text
    assert "sakuga_painted_pixels_total 2400" in text
    assert 'sakuga_picture_seconds_bucket{le="+Inf"} 1' in text
    assert "sakuga_pictures_waiting 0" in text


def test_the_description_names_every_address(client: TestClient) -> None:
    app = client.app._app  # type: ignore[attr-defined]
    described = {
        (path, method.upper())
        for path, operations in client.get("/openapi.json").json()["paths"].items()
        for method in operations
        if method != "parameters"
    }
    served = {
        (route.path.replace("{id:str}", "{id}").replace("{number:str}", "{number}"), method)
        for route in app.routes
        for method in getattr(route, "methods", None) or ()
        if method != "HEAD"
    }
    assert described == served - {(path, "GET") for path in ("/api", "/openapi.json", "/design")}
    assert describe(Settings(token="x" * 16))["security"] == [{"token": []}]


def test_the_manual_and_the_page_are_served(client: TestClient) -> None:
    manual = client.get("/api")
    assert "POST /api/paint" in manual.text and "strength" in manual.text
    page = client.get("/")
    assert "Choose pictures" in page.text
    assert client.get("/main.js").headers["content-type"].startswith("text/javascript")
    for path in ("/../settings.py", "/%2e%2e/settings.py", "/..%2fsettings.py", "/no.js"):
        assert client.get(path).status_code == 404


def test_wrong_methods(client: TestClient) -> None:
    answer = client.put("/api/paint", content=b"x")
    assert answer.status_code == 405 and "PUT does not work" in answer.json()["error"]
    for method, path, allowed in (
        *(("GET", path, "POST") for path in ("paint", "videos", "session", "design/preview")),
        ("OPTIONS", "paint", "POST"),
        ("HEAD", "videos", "POST"),
        ("POST", "styles", "GET, HEAD"),
        ("PUT", "jobs/any", "DELETE, GET, HEAD"),
    ):
        answer = client.request(method, f"/api/{path}")
        found = ", ".join(sorted(answer.headers["allow"].split(", ")))
        assert (answer.status_code, found) == (405, allowed), (method, path)
    assert client.get("/api/nothing").status_code == client.get("/api/paint/").status_code == 404


def test_a_fault_of_ours_is_told_without_its_insides(
    two_styles: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_down(*_: object) -> None:
        raise RuntimeError("secret insides")

    monkeypatch.setattr("sakuga.web.endpoints.paint_upload", break_down)
    app, endpoints = build_app(SMALL, folder)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        answer = client.post("/api/paint", content=picture())
    endpoints.close()
    assert (answer.status_code, "insides" in answer.text) == (500, False)
    assert list(folder.iterdir()) == []


def test_results_do_not_outlive_their_time_though_nobody_asks(
    two_styles: Path, folder: Path, tmp_path: Path
) -> None:
    app, endpoints = build_app(Settings(keep_s=0.5, kept_videos=5), folder)
    video = clips.make_clip(tmp_path / "clip.mp4", frames=2).read_bytes()
    with TestClient(app, base_url=BASE) as client:
        client.post("/api/videos", content=video)
        until = time.monotonic() + 60
        while list(folder.iterdir()) and time.monotonic() < until:
            time.sleep(0.05)  # without a single request
        assert list(folder.iterdir()) == []
        assert len(endpoints._jobs) == 0
    endpoints.close()


def test_a_video_is_painted_as_asked_and_shares_out_its_threads(
    client: TestClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: dict[str, dict[str, Any]] = {}

    def preview(source: Path, out: Path, **options: Any) -> None:
        calls["preview"] = options
        out.write_bytes(b"")

    def paint(source: Path, out: Path, **options: Any) -> VideoResult:
        calls["paint"] = options
        out.write_bytes(b"")
        raise InputError("that is enough")

    monkeypatch.setattr("sakuga.web.jobs.preview_clip", preview)
    monkeypatch.setattr("sakuga.web.jobs.paint_clip", paint)
    video = clips.make_clip(tmp_path / "clip.mp4", frames=2, width=32, height=24).read_bytes()
    job = client.post("/api/videos?stroke=bold&max_side=640", content=video).json()
    wait_for(client, job, "failed")
    assert calls["paint"]["painting"] == PaintOptions(stroke="bold", max_side=640)
    assert calls["preview"]["painting"] == PaintOptions(stroke="bold", max_side=512)
    style = calls["paint"]["style"]
    assert isinstance(style, SharesThreads)
    assert style.for_calls(2).threads == max(1, style.threads // 2)


def test_an_area_is_no_side(
    two_styles: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that allows frames of few pixels does not preview them at as few a side."""
    sides: list[int | None] = []

    def preview(source: Path, out: Path, **options: Any) -> None:
        sides.append(options["painting"].max_side)
        raise InputError("that is enough")

    monkeypatch.setattr("sakuga.web.jobs.preview_clip", preview)
    app, endpoints = build_app(Settings(video_pixels=20 * 16), folder)
    video = clips.make_clip(tmp_path / "clip.mp4", frames=2, width=20, height=16).read_bytes()
    with TestClient(app, base_url=BASE) as client:
        wait_for(client, client.post("/api/videos", content=video).json(), "failed")
    endpoints.close()
    assert sides == [512]


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        (
            "{folder}/job-x/anime.mp4: cannot be written (disk full); choose another with --out",
            "the result: cannot be written (disk full)",
        ),
        ("{folder}/job-x/tmp-1.mp4 is in the way", "the file is in the way"),
        (
            "the picture has 9 megapixels; use --stroke auto, shrink it with --max-side 2048, or "
            "insist with --tile none",
            "the picture has 9 megapixels",
        ),
        (
            "HEIC needs pi_heif, which is not installed: run  pip install 'sakuga[heic]'",
            "HEIC needs pi_heif, which is not installed",
        ),
        ("the clip is kept in .anime.mp4.parts, make room and go on with --resume", "make room"),
        ("the picture is damaged (bad CRC): get a whole copy", None),
    ],
)
def test_clients_hear_nothing_of_options_and_files_they_do_not_have(
    folder: Path, told: str, heard: str | None
) -> None:
    told = told.format(folder=folder)
    names = {folder / "job-x" / "anime.mp4": "the result"}
    if heard == "make room":  # what a clause is about stays where it can
        assert "--" not in plainly(told, folder) and ".parts" not in plainly(told, folder)
    else:
        assert plainly(told, folder, names) == (heard or told)


def test_a_failed_job_and_a_failed_picture_tell_no_options_and_no_paths(
    client: TestClient, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def paint(source: Path, out: Path, **options: Any) -> None:
        raise OutputError(f"{out}: cannot be written (disk full); choose another place with --out")

    monkeypatch.setattr("sakuga.web.jobs.preview_clip", paint)
    video = clips.make_clip(tmp_path / "clip.mp4", frames=2, width=32, height=24).read_bytes()
    job = wait_for(client, client.post("/api/videos", content=video).json(), "failed")
    assert job["error"] == "the preview: cannot be written (disk full)"

    def refuse(source: Path, *arguments: Any) -> None:
        raise OptionError(f"{source}: too large; shrink it with --max-side 2048")

    monkeypatch.setattr("sakuga.web.endpoints.paint_upload", refuse)
    answer = client.post("/api/paint", content=picture())
    assert (answer.status_code, answer.json()["error"]) == (422, "the file: too large")
