"""The page that runs alone: built, served by a host that knows nothing, painting in the browser."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import (
    NODE_MODULES,
    add_photo,
    download,
    furthest,
    hosted,
    launch,
    page,
    set_slider,
    wait_until,
)
from PIL import Image
from serving import picture, pixels_of

import sakuga


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, styles: Path) -> Path:
    """The folder that `npm run build` gives."""
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / "onnxruntime-web").exists():
        pytest.skip("the page cannot be built: install node, and run  npm ci  in the folder web")
    out = tmp_path_factory.mktemp("site") / "dist"
    command = [node, "build.js", "--styles", str(styles), "--out", str(out)]
    subprocess.run(command, cwd=NODE_MODULES.parent, check=True, stdout=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="module")
def address(built: Path) -> Iterator[str]:
    with hosted(built) as address:
        yield address


def files_of(built: Path) -> list[str]:
    """What the service worker of a built page keeps."""
    line = re.search(r"^const FILES = (.*);", (built / "sw.js").read_text("utf-8"), re.MULTILINE)
    assert line is not None
    return json.loads(line[1])  # type: ignore[no-any-return]


def test_it_paints_as_python_does_and_goes_on_offline(
    chromium: Any, address: str, styles: Path, built: Path
) -> None:
    photo = picture(1301, 700)  # several tiles, and sides that are no multiple of anything
    expected = sakuga.paint(pixels_of(photo), styles / "tiny.onnx")
    with page(chromium, address) as shown:
        asked: list[str] = []
        shown.on("request", lambda request: asked.append(request.method))
        # The service worker isolates the page, which allows threads, on the first visit.
        assert shown.evaluate("crossOriginIsolated")
        threads = shown.evaluate("Math.min(navigator.hardwareConcurrency, 8)")
        assert str(threads) in shown.locator("#engine").inner_text()
        shown.evaluate(
            """() => {
                window.seen = new Set();
                const painted = document.querySelector("#stage .painted");
                const see = () => painted.hasAttribute("src") && seen.add(painted.src);
                new MutationObserver(see).observe(painted, { attributes: true });
            }"""
        )
        add_photo(shown, photo)
        assert shown.evaluate("seen.size") == 3  # two of its three bands, and the whole
        assert furthest(download(shown)[1], expected) <= 2
        for strength, keep_colour in ((100, True), (40, True), (40, False)):
            set_slider(shown, "#strength", strength)
            set_slider(shown, "#keep", 100 * keep_colour)
            look: dict[str, Any] = {"strength": strength / 100, "keep_colour": keep_colour}
            blended = sakuga.paint(pixels_of(photo), styles / "tiny.onnx", **look)
            assert furthest(download(shown)[1], blended) <= 2, look
        set_slider(shown, "#strength", 100)
        large = picture(1500, 1300)  # painted small and brought to full size, as by the command
        add_photo(shown, large)
        expected = sakuga.paint(pixels_of(large), styles / "tiny.onnx")
        assert furthest(download(shown)[1], expected) <= 2
        small = picture(90, 70)
        shown.locator('input[value="whole"]').check(force=True)
        add_photo(shown, small)
        whole = sakuga.paint(pixels_of(small), styles / "whole.onnx")
        assert furthest(download(shown)[1], whole) <= 2
        assert set(asked) <= {"GET"}  # nothing is sent anywhere

        kept = """caches.keys().then(async (names) => {
            const name = names.find((name) => name !== "sakuga-shared");
            return (await (await caches.open(name)).keys()).map(({ url }) => url);
        })"""
        files = [f"{address}{name.removeprefix('./')}" for name in files_of(built)]
        wait_until(shown, f"{kept}.then((urls) => {files}.every((url) => urls.includes(url)))")
        answer = shown.evaluate(
            """async (bytes) => {
                const form = new FormData();
                const file = [Uint8Array.from(bytes)];
                form.append("photos", new File(file, "from elsewhere.png", { type: "image/png" }));
                const post = { method: "POST", body: form, redirect: "manual" };
                return (await fetch("share", post)).type;
            }""",
            list(picture(50, 30)),
        )
        assert answer == "opaqueredirect"
        shown.context.set_offline(True)
        shown.reload()
        shown.wait_for_selector("body[data-ready]")
        assert shown.evaluate("crossOriginIsolated")
        add_photo(shown, small)
        offline = sakuga.paint(pixels_of(small), styles / "tiny.onnx")
        assert furthest(download(shown)[1], offline) <= 2
        shown.goto(f"{address}#shared")  # as the worker answers when an app has shared a photo
        shown.reload()
        shown.wait_for_selector("body[data-ready]")
        shown.wait_for_selector(".strip .pick[aria-label^='from elsewhere'][aria-current='true']")
        shown.context.set_offline(False)


def test_webgpu_paints_as_python_does(
    chromium: Any, built: Path, styles: Path, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    shutil.copytree(built, site)
    # A GPU made of software is slower than wasm, so the page does not use it; here it is asked to.
    worker = site / "paint-worker.js"
    before = worker.read_text(encoding="utf-8")
    after = before.replace(
        "!(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter)", "true"
    )
    assert after != before
    worker.write_text(after, encoding="utf-8")
    flags = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]
    with (
        hosted(site) as address,
        launch(chromium.browser_type, *flags, "--enable-features=Vulkan") as launched,
        page(launched, address) as shown,
    ):
        if not shown.evaluate("navigator.gpu?.requestAdapter().then(Boolean)"):
            pytest.skip("this Chromium has no WebGPU, not even in software (SwiftShader)")
        assert "WebGPU" in shown.locator("#engine").inner_text()
        shown.set_default_timeout(300_000)  # its shaders are compiled for, and run on, the CPU
        photo = picture(61, 43)
        add_photo(shown, photo)
        expected = sakuga.paint(pixels_of(photo), styles / "tiny.onnx")
        assert furthest(download(shown)[1], expected) <= 2


def test_the_camera_works_and_videos_are_told_where_to_go(chromium: Any, address: str) -> None:
    with page(chromium, address) as shown:
        with shown.expect_request("**/styles/tiny.onnx"):  # while nothing is painted yet
            shown.reload()
        shown.wait_for_selector("body[data-ready]")
        shown.click("nav a[href='#video']")
        assert "sakuga serve" in shown.locator("#video-elsewhere").inner_text()
        shown.click("nav a[href='#camera']")
        shown.click("#camera-start")
        shown.wait_for_selector("#camera-fps:has-text('fps')")


def test_the_build_holds_what_it_needs_and_no_server_code(built: Path) -> None:
    names = {path.relative_to(built).as_posix() for path in built.rglob("*") if path.is_file()}
    assert {"index.html", "sw.js", "styles/index.json", "styles/tiny.onnx"} <= names
    assert not {"engine-server.js", "design.html", "design.css", "design.js"} & names
    manifest = json.loads((built / "manifest.webmanifest").read_text(encoding="utf-8"))
    assert manifest["share_target"]["method"] == "POST"
    for icon in manifest["icons"]:
        if icon["type"] == "image/png":
            with Image.open(built / icon["src"]) as image:
                assert f"{image.width}x{image.height}" == icon["sizes"]
    index = (built / "index.html").read_text(encoding="utf-8")
    assert "Design" not in index
    assert 'content="browser"' in index and "Content-Security-Policy" in index
    worker = (built / "sw.js").read_text(encoding="utf-8")
    assert '"development"' not in worker and '"ort/ort-wasm-simd-threaded.wasm"' in worker
    assert "asyncify" not in worker  # 27 MB that only machines with a GPU need


def test_a_foreign_onnx_file_is_refused(built: Path, tmp_path: Path) -> None:
    (tmp_path / "styles").mkdir()
    (tmp_path / "styles" / "foreign.onnx").write_bytes(b"\x08\x08")
    command = ["node", "build.js", "--styles", "styles", "--out", "dist"]
    command[3], command[5] = str(tmp_path / "styles"), str(tmp_path / "dist")
    done = subprocess.run(command, cwd=NODE_MODULES.parent, capture_output=True, text=True)
    assert done.returncode != 0 and "not a style file" in done.stderr
