"""A real Chromium for the tests of the page, and what they share."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from serving import pixels_of

NODE_MODULES = Path(__file__).parents[1] / "web" / "node_modules"
DESK: dict[str, Any] = {"viewport": {"width": 1440, "height": 900}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "has_touch": True,
    "is_mobile": True,
}
PATIENCE_MS = 60_000  # of a machine that does other things at the same time
# What Chromium itself says of an answer that is an error, and onnxruntime of a style's graph.
_EXPECTED = ("Failed to load resource", "onnxruntime")


def chromium() -> str:
    """The path of a Chromium, or a skipped test: SAKUGA_CHROMIUM, else the first on PATH."""
    names = ("chromium", "chromium-browser", "google-chrome")
    found = os.environ.get("SAKUGA_CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if found is None:
        pytest.skip("no chromium on this machine: install one, or set SAKUGA_CHROMIUM to its path")
    return found


@contextmanager
def browser() -> Iterator[Any]:
    """A headless browser with a made-up camera."""
    chromium()
    pytest.importorskip("playwright")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright, launch(playwright.chromium) as launched:
        yield launched


@contextmanager
def launch(kind: Any, *flags: str) -> Iterator[Any]:
    """A browser of a kind of Playwright's, which another one has as its `browser_type`."""
    launched = kind.launch(
        executable_path=chromium(),
        args=[
            "--no-sandbox",  # tests may run as root, in a container
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            *flags,
        ],
    )
    yield launched
    launched.close()


@contextmanager
def page(
    browser: Any, address: str, *, ready: str = "body[data-ready]", **context: Any
) -> Iterator[Any]:
    """A page in a context of its own; errors of its scripts, and of its policy, fail the test."""
    faults: list[str] = []
    opened = browser.new_context(**context)
    opened.set_default_timeout(PATIENCE_MS)
    shown = opened.new_page()
    shown.on("pageerror", lambda error: faults.append(str(error)))
    shown.on(
        "console",
        lambda message: (
            faults.append(message.text)
            if message.type == "error" and not any(word in message.text for word in _EXPECTED)
            else None
        ),
    )
    shown.goto(address)
    shown.wait_for_selector(ready)
    yield shown
    opened.close()
    assert faults == []


class Host(http.server.SimpleHTTPRequestHandler):
    """A static host that sends no header of its own, as most do."""

    extensions_map: ClassVar[dict[str, str]] = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """The address of a static host of the folder."""
    handler = functools.partial(Host, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def wait_until(page: Any, expression: str) -> None:
    """Wait for a JavaScript expression to be true; the page's policy allows no other way."""
    until = time.monotonic() + PATIENCE_MS / 1000
    while not page.evaluate(expression):
        assert time.monotonic() < until, expression
        time.sleep(0.1)


def add_photo(page: Any, photo: bytes, name: str = "holiday.png") -> None:
    """Choose a picture, and wait until it is painted."""
    page.set_input_files("#files", {"name": name, "mimeType": "image/png", "buffer": photo})
    page.wait_for_selector("#download:not([disabled])")


def download(page: Any, button: str = "#download") -> tuple[str, bytes]:
    """Press a download button; the name and content of what is saved."""
    with page.expect_download() as saved:
        page.click(button)
    return saved.value.suggested_filename, Path(saved.value.path()).read_bytes()


def set_slider(page: Any, name: str, value: float) -> None:
    """Move a range input as a user would."""
    page.locator(name).evaluate(
        "(slider, value) => { slider.value = value; slider.dispatchEvent(new Event('input')); }",
        value,
    )


def furthest(content: bytes, expected: np.ndarray[Any, Any]) -> int:
    """The greatest difference of two pictures, in grey levels."""
    return int(np.abs(pixels_of(content).astype(int) - expected.astype(int)).max())


def far(one: Any, other: Any) -> float:
    """The mean difference of two pictures, in grey levels."""
    return float(np.abs(np.asarray(one, np.float32) - np.asarray(other, np.float32)).mean())


def faults_of(page: Any) -> list[str]:
    """What axe says of WCAG 2.2 A and AA; the page's policy must be bypassed (`bypass_csp`)."""
    axe = NODE_MODULES / "axe-core" / "axe.min.js"
    if not axe.exists():
        pytest.skip("axe-core is not there: run  npm ci  in the folder web")
    page.evaluate(axe.read_text(encoding="utf-8"))
    return page.evaluate(  # type: ignore[no-any-return]
        """async () => (await axe.run({ runOnly: ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"] }))
            .violations.map(v => v.id + ": " + v.nodes.map(n => n.html).join(" "))"""
    )
