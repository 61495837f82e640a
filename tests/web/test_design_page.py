"""The page Design and what it asks the server: sliders, previews of a photo, a recipe."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import PHONE, download, faults_of, page, set_slider, wait_until
from PIL import Image
from serving import bomb, picture, pixels_of, running
from starlette.testclient import TestClient

from sakuga.cel.design import preset, read_choice
from sakuga.cel.faces import find_faces
from sakuga.cel.painter import paint_cel
from sakuga.cel.settings import load_settings
from sakuga.cli import run
from sakuga.errors import InputError
from sakuga.web.app import build_app
from sakuga.web.design import photos_in
from sakuga.web.settings import Settings

EXAMPLES = Path(__file__).parents[2] / "examples"


def small_photo(side: int = 96) -> bytes:
    with Image.open(EXAMPLES / "portrait_astronaut.jpg") as photo:
        file = io.BytesIO()
        photo.resize((side, side)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the server keeps uploads."""
    (tmp_path / "scratch").mkdir()
    return tmp_path / "scratch"


@pytest.fixture
def client(two_styles: Path, tmp_path: Path, folder: Path) -> Iterator[TestClient]:
    (tmp_path / "mine.png").write_bytes(small_photo())
    (tmp_path / "broken.png").write_bytes(small_photo()[:900])
    photos = (tmp_path / "mine.png", tmp_path / "broken.png")
    settings = Settings(picture_bytes=300_000, picture_pixels=200_000, photos=photos)
    app, endpoints = build_app(settings, folder)
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as opened:
        yield opened
    endpoints.close()


def test_sliders_presets_and_photos_are_told(client: TestClient) -> None:
    told = client.get("/api/design").json()
    assert told["missing"] is None and told["photos"] == ["mine.png", "broken.png"]
    assert [slider["setting"] for slider in told["sliders"]][:2] == ["line_width", "ink"]
    assert told["presets"]["storybook"]["brush"] == preset("storybook").brush


def test_a_preview_is_what_the_painter_paints(client: TestClient, folder: Path) -> None:
    photo = small_photo()
    query = {"preset": "storybook", "line_width": "1.5", "paper": "#ffeecc"}
    answer = client.post("/api/design/preview", params=query, content=photo)
    assert answer.status_code == 200 and float(answer.headers["x-sakuga-seconds"]) > 0
    pixels = pixels_of(photo)
    _, settings = read_choice(query.items())
    expected, _ = paint_cel(pixels, settings, find_faces(pixels))
    assert (pixels_of(answer.content) == expected).all()
    other = client.post("/api/design/preview", params={"preset": "novel"}, content=photo)
    assert (pixels_of(other.content) != expected).any()
    assert list(folder.iterdir()) == []


def test_larger_photos_are_shown_at_preview_size(client: TestClient) -> None:
    answer = client.post("/api/design/preview", content=picture(700, 200, "JPEG"))
    assert pixels_of(answer.content).shape == (146, 512, 3)


@pytest.mark.parametrize(
    ("query", "content", "status", "told"),
    [
        ({"line_width": "99"}, b"", 422, "0.5 to 2.5"),
        ({"line_flow": "1e9"}, b"", 422, "unknown setting"),
        ({}, b"no picture", 415, "holds text"),
        ({}, b"", 422, "empty"),
        ({}, picture(40, 30), 415, "64 or more"),
        ({}, bomb(), 413, "pixels"),
        ({}, b"x" * 400_000, 413, "limit"),
    ],
)
def test_what_cannot_be_painted_is_told_and_leaves_nothing(
    client: TestClient,
    folder: Path,
    query: dict[str, str],
    content: bytes,
    status: int,
    told: str,
) -> None:
    answer = client.post("/api/design/preview", params=query, content=content)
    assert answer.status_code == status, answer.text
    assert told in answer.json()["error"]
    assert list(folder.iterdir()) == []
    assert "sakuga_pictures_waiting 0" in client.get("/metrics").text


def test_the_photos_that_were_given_are_served_by_number_only(client: TestClient) -> None:
    assert (pixels_of(client.get("/api/design/photos/0").content) == pixels_of(small_photo())).all()
    broken = client.get("/api/design/photos/1")
    assert broken.status_code == 415 and "broken.png" in broken.json()["error"]
    for number in ("2", "-1", "mine.png", "..%2fmine.png", "9" * 5000):
        assert client.get(f"/api/design/photos/{number}").status_code == 404, number


def test_a_recipe_is_a_file_to_save(client: TestClient, tmp_path: Path) -> None:
    query = {"preset": "novel", "vividness": "1.75", "name": "glow", "licence": "CC0-1.0"}
    answer = client.get("/api/design/recipe", params=query)
    assert 'filename="glow.toml"' in answer.headers["content-disposition"]
    (tmp_path / "glow.toml").write_bytes(answer.content)
    assert load_settings(tmp_path / "glow.toml").vividness == 1.75
    assert tomllib.loads(answer.text)["licence"] == "CC0-1.0"
    for wrong in ({"name": "../x"}, {"name": "a\r\nX: y"}, {"description": "x" * 501}):
        answer = client.get("/api/design/recipe", params=wrong)
        assert answer.status_code == 422 and "content-disposition" not in answer.headers


def test_without_the_painter_it_is_said_how_to_install_it(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sakuga.extras.find_spec", lambda name: None)
    assert client.get("/api/design").json()["missing"] == "pip install 'sakuga[data]'"
    answer = client.post("/api/design/preview", content=small_photo())
    assert answer.status_code == 501 and "sakuga[data]" in answer.json()["error"]


def test_a_page_of_another_site_is_not_heard(client: TestClient) -> None:
    for path in ("/api/design", "/api/design/photos/0", "/api/design/recipe"):
        answer = client.get(path, headers={"Origin": "http://evil.example"})
        assert answer.status_code == 403, path
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
    assert client.post("/api/design/preview", headers=headers).status_code == 403


def test_the_pictures_of_folders_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "b.png").write_bytes(picture())
    (tmp_path / "in" / "notes.txt").write_text("no picture")
    (tmp_path / "a.png").write_bytes(picture())
    found = photos_in([tmp_path / "in", tmp_path / "a.png"])
    assert [path.name for path in found] == ["b.png", "a.png"]
    with pytest.raises(InputError, match="no such file"):
        photos_in([tmp_path / "c.png"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no picture"):
        photos_in([tmp_path / "empty"])


def test_design_needs_its_extra_and_its_photos(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(["design", str(tmp_path / "none.jpg"), "--no-open"]) == 2
    assert "no such file" in capsys.readouterr().err
    monkeypatch.setattr("sakuga.extras.find_spec", lambda name: None)
    assert run(["design", "--no-open"]) == 2
    assert "sakuga[data]" in capsys.readouterr().err


def test_the_sliders_begin_with_what_is_measured_on_drawings(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "art").mkdir()
    (tmp_path / "art" / "a.png").write_bytes(small_photo())
    (tmp_path / "photo.png").write_bytes(small_photo())
    arguments = ["design", "--drawings", str(tmp_path / "art"), "--no-open"]
    assert run(arguments) == 2
    assert "name some photos" in capsys.readouterr().err
    asked: list[Settings] = []
    monkeypatch.setattr("sakuga.web.server.serve", lambda settings, **_: asked.append(settings))
    run([*arguments, str(tmp_path / "photo.png")])
    assert "line_width = " in capsys.readouterr().out
    app, endpoints = build_app(asked[0], tmp_path)
    with TestClient(app, base_url="http://127.0.0.1") as client:
        presets = client.get("/api/design").json()["presets"]
        assert list(presets) == ["drawings", "novel", "storybook", "manga"]
        recipe = client.get("/api/design/recipe", params={"preset": "drawings"}).text
        preview = client.post(
            "/api/design/preview", params={"preset": "drawings"}, content=small_photo()
        )
    endpoints.close()
    assert preview.status_code == 200
    said = tomllib.loads(recipe)
    assert said["anime"] == [str(tmp_path / "art")]
    assert said["cel"]["line_width"] == presets["drawings"]["line_width"]


# --- in a real browser


@pytest.fixture(scope="module")
def designing(tmp_path_factory: pytest.TempPathFactory, tiny_style: Path) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("design")
    (folder / "one.png").write_bytes(small_photo(128))
    (folder / "two.png").write_bytes(small_photo(80))
    photos = [str(folder / "one.png"), str(folder / "two.png")]
    arguments = (*photos, "--port", "0", "--no-open")
    with running(folder, tiny_style.parent, *arguments, verb="design") as server:
        assert server.address.endswith("/design")
        yield server.address


def painted(shown: Any, side: str) -> int:
    return int(shown.locator(f"#side-{side}").get_attribute("data-painted") or 0)


def wait_for_painting(shown: Any, side: str, more_than: int = 0) -> None:
    wait_until(
        shown,
        f"Number(document.getElementById('side-{side}').dataset.painted ?? 0) > {more_than}"
        " && document.querySelector('.busy') === null",
    )


def image_of(shown: Any, side: str) -> list[int]:
    """The pixels of what a side shows."""
    return shown.locator(f"#side-{side} img").evaluate(  # type: ignore[no-any-return]
        """image => {
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            const context = canvas.getContext("2d");
            context.drawImage(image, 0, 0);
            return [...context.getImageData(0, 0, canvas.width, canvas.height).data];
        }"""
    )


def test_sliders_repaint_one_side_and_the_recipe_is_saved(
    chromium: Any, designing: str, tmp_path: Path
) -> None:
    with page(chromium, designing) as shown:
        wait_for_painting(shown, "A")
        wait_for_painting(shown, "B")
        assert shown.locator("#photos img").count() == 2
        before = {side: image_of(shown, side) for side in "AB"}
        assert before["A"] != before["B"]  # two presets
        counts = {side: painted(shown, side) for side in "AB"}
        set_slider(shown, "#vividness", 100)
        wait_for_painting(shown, "A", counts["A"])
        assert image_of(shown, "A") != before["A"]
        assert painted(shown, "B") == counts["B"] and image_of(shown, "B") == before["B"]

        shown.click("#show-photo")
        seen = np.array(image_of(shown, "A")).reshape(128, 128, 4)[..., :3]
        assert (seen == pixels_of(small_photo(128))).all()
        shown.click("#show-photo")

        shown.fill("#name", "glow")
        name, content = download(shown, "#save")
        assert name == "glow.toml"
        (tmp_path / name).write_bytes(content)
        assert load_settings(tmp_path / name).vividness == 2.5
        assert "prepare cel PHOTOS pairs --config glow.toml" in shown.inner_text("#commands")

        # The other photo, and B made the same as A.
        shown.click("#copy")
        shown.click("#photos li:nth-child(2) button")
        wait_until(shown, "document.querySelector('#side-B img').naturalWidth === 80")
        wait_until(shown, "document.querySelector('#side-A img').naturalWidth === 80")
        wait_for_painting(shown, "B")
        assert image_of(shown, "A") == image_of(shown, "B")


def test_design_works_by_keyboard_on_a_phone_and_axe_finds_nothing(
    chromium: Any, designing: str
) -> None:
    with page(chromium, designing, bypass_csp=True, **PHONE) as shown:
        wait_for_painting(shown, "A")
        wait_for_painting(shown, "B")
        assert shown.evaluate("document.documentElement.scrollWidth") <= 390
        shown.focus("#line_width")
        place, count = int(shown.input_value("#line_width")), painted(shown, "A")
        shown.keyboard.press("ArrowRight")
        assert shown.input_value("#line_width") == str(place + 1)
        assert shown.inner_text("#line_width-value") == str(place + 1)
        wait_for_painting(shown, "A", count)
        shown.focus("input[name=side][value=A]")
        shown.keyboard.press("ArrowRight")  # B is what the sliders change now
        assert shown.locator("#side-B.chosen").count() == 1
        assert shown.input_value("#preset") == "storybook"
        assert faults_of(shown) == []
