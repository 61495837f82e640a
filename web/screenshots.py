"""Takes the pictures of the page that the documentation shows.

    python web/screenshots.py [NAME...]     where sakuga[data] and playwright are installed

NAME: those of docs/images/web-NAME.jpg to take; without any, all. To be run again when the page
looks different.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples"
DESK = {"viewport": {"width": 1280, "height": 850}}
PHONE = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
QUALITY = 82
PATIENCE_MS = 300_000


def studio(page: Any) -> None:
    """Two photos, the first of them painted, in every style."""
    photos = ("portrait_astronaut.jpg", "landmark_pagoda.jpg")
    page.set_input_files("#files", [EXAMPLES / name for name in photos])
    page.wait_for_selector("#download:not([disabled])")
    page.wait_for_selector("#strip li:last-child .state", state="hidden")


def video(page: Any) -> None:
    """A clip whose style is being chosen."""
    page.click("nav a[href='#video']")
    page.set_input_files("#video-file", EXAMPLES / "city_night_cc0.mp4")
    page.wait_for_selector("#video-frame .compare:not(.waiting)")
    page.wait_for_selector("#video-styles .style:last-child:not(.unpainted)")


def design(page: Any) -> None:
    """A photo with two settings."""
    page.click("nav a[href='design']")
    for side in ("A", "B"):
        page.wait_for_selector(f"#side-{side}[data-painted]")
    seconds = "document.querySelectorAll('.side span').forEach((span) => (span.hidden = true))"
    page.evaluate(seconds)  # what this machine took says nothing of others


SHOTS: dict[str, tuple[Any, dict[str, Any]]] = {
    "studio": (studio, DESK),
    "studio-dark": (studio, {**DESK, "color_scheme": "dark"}),
    "phone": (studio, PHONE),
    "video": (video, DESK),
    "design": (design, DESK),
}


def main() -> None:
    """Take those that are asked for."""
    found = os.environ.get("SAKUGA_CHROMIUM") or shutil.which("chromium")
    with served() as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name in sys.argv[1:] or SHOTS:
            prepare, look = SHOTS[name]
            page = browser.new_page(**look)
            page.set_default_timeout(PATIENCE_MS)
            page.goto(address)
            page.wait_for_selector("body[data-ready]")
            prepare(page)
            page.wait_for_timeout(500)  # pictures are decoded after they are there
            target = ROOT / "docs/images" / f"web-{name}.jpg"
            page.screenshot(path=target, type="jpeg", quality=QUALITY)
            page.close()
        browser.close()


@contextmanager
def served() -> Iterator[str]:
    """The address of a server that paints."""
    command = [sys.executable, "-m", "sakuga", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().split()[-1]
        server.terminate()


if __name__ == "__main__":
    main()
