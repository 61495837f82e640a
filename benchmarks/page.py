"""Time the page that needs no server in Chromium, beside other builds of it, in one run.

    (cd web && npm ci && npm run build)
    python benchmarks/page.py web/dist                    how long a megapixel takes
    python benchmarks/page.py before=OLD after=web/dist   two builds, which take turns

Prints a Markdown table of medians: seconds from choosing the photo until something painted is seen,
and until all of it is; the processor's seconds meanwhile, which a busy machine changes less; and
how many times fewer than with the first build. Each is a first visit, by a browser that knows
nothing yet, painting in the default style alone. Needs playwright and a Chromium
(SAKUGA_CHROMIUM, else `chromium` on PATH).
"""

from __future__ import annotations

import argparse
import functools
import http.server
import os
import shutil
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from PIL import Image
from playwright.sync_api import sync_playwright

from sakuga.doctor import processor

PHOTO = Path(__file__).parent.parent / "examples" / "landscape_picos.jpg"
PATIENCE_MS = 600_000
CHOOSING_S = 3  # that a visitor takes at least to find a photo
SEEN = "#stage .painted:not([hidden])"
DONE = "#download:not([disabled])"


def main() -> None:
    """Read the arguments, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("builds", nargs="+", help="folders, or NAME=FOLDER")
    parser.add_argument("--side", type=int, default=1024, help="pixels of the square photo")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    builds = dict(text.split("=") if "=" in text else (text, text) for text in arguments.builds)
    times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in builds}
    how: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        photo = Path(folder) / "photo.png"
        with Image.open(PHOTO) as image:
            image.resize((arguments.side, arguments.side)).save(photo)
        for _ in range(arguments.rounds):
            for name, build in builds.items():
                with hosted(Path(build)) as address, browser(playwright) as page:
                    page.goto(address)
                    page.wait_for_selector("body[data-ready]")
                    how[name] = page.inner_text("#engine")
                    time.sleep(CHOOSING_S)
                    times[name].append(paint(page, photo))
    print(f"{processor()}, {os.cpu_count()} cores; {arguments.side} x {arguments.side} pixels\n")
    print("| build | | seen, s | done, s | processor, s | sooner seen | sooner done | less work |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    medians = {
        name: [statistics.median(column) for column in zip(*rounds, strict=True)]
        for name, rounds in times.items()
    }
    first = next(iter(medians.values()))
    for name, own in medians.items():
        ratios = " | ".join(f"{old / new:.2f}" for old, new in zip(first, own, strict=True))
        print(f"| {name} | {how[name]} | {' | '.join(f'{s:.1f}' for s in own)} | {ratios} |")


class Host(http.server.SimpleHTTPRequestHandler):
    """A static host that sends no header of its own."""

    extensions_map: ClassVar[dict[str, str]] = {
        **http.server.SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
    }

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def hosted(folder: Path) -> Iterator[str]:
    """The address of a host of a folder."""
    handler = functools.partial(Host, directory=str(folder))
    http.server.ThreadingHTTPServer.request_queue_size = 64  # a browser asks for many at once
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


@contextmanager
def browser(playwright: Any) -> Iterator[Any]:
    """A page of a browser of its own."""
    found = os.environ.get("SAKUGA_CHROMIUM") or shutil.which("chromium")
    launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
    page = launched.new_page()
    page.set_default_timeout(PATIENCE_MS)
    yield page
    launched.close()


def paint(page: Any, photo: Path) -> tuple[float, float, float]:
    """Seconds until a part is seen, until all is done, and of the processor."""
    worked = processor_seconds()
    page.set_input_files("#files", photo)
    began = time.monotonic()
    page.wait_for_selector(SEEN, state="attached")
    seen = time.monotonic() - began
    page.wait_for_selector(DONE)
    return seen, time.monotonic() - began, processor_seconds() - worked


def processor_seconds() -> float:
    """What this process and all that it has started have computed so far (Linux)."""
    facts = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        facts[int(folder.name)] = (int(fields[1]), int(fields[11]) + int(fields[12]))
    ours = {os.getpid()}
    while more := {pid for pid, (parent, _) in facts.items() if parent in ours} - ours:
        ours |= more
    return sum(facts[pid][1] for pid in ours if pid in facts) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
