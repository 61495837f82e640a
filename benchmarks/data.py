"""How fast `sakuga prepare` works here: CSV rows, downloads, smoothed pictures, reading of shards.

    python benchmarks/data.py [--rows 2700000] [--pictures 400] [--workers N]

Everything is made for the purpose in a temporary folder (about 1.3 GB for the rows) and deleted
again. Each measurement runs in a process of its own, so that its peak memory is its own.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from sakuga.doctor import processor

HEADER = (
    '"id","created_at","rating","score","sample_url","sample_width","sample_height",'
    '"preview_url","tags"\n'
)


def write_csv(path: Path, rows: int) -> None:
    """Write a CSV as Safebooru's: quoted, protocol-relative URLs, 10 to 45 tags a row."""
    dice = random.Random(0)
    words = [f"some_tag_{i}" for i in range(3000)] + ["scenery", "sky", "text", "monochrome"]
    tags = [" ".join(dice.choices(words, k=dice.randint(10, 45))) for _ in range(5000)]
    with path.open("w") as file:
        file.write(HEADER)
        for i in range(rows):
            url = f"//safebooru.example/samples/{i % 4000}/sample_{i * 7919:040x}.jpg"
            file.write(
                f'"{i}","1264713600","{"q" if i % 20 == 0 else "s"}","{i % 9}","{url}","850",'
                f'"{600 + i % 900}","{url}"," {tags[i % 5000]} "\n'
            )


def write_drawings(folder: Path, count: int, side: int = 512) -> None:
    """Write JPEG drawings: flat shapes with dark outlines."""
    dice = np.random.default_rng(0)
    folder.mkdir()
    for number in range(count):
        picture = np.full((side, side, 3), dice.integers(90, 255, 3), np.uint8)
        for _ in range(40):
            centre = tuple(int(v) for v in dice.integers(0, side, 2))
            axes = tuple(int(v) for v in dice.integers(10, 120, 2))
            colour = tuple(int(v) for v in dice.integers(0, 256, 3))
            angle = float(dice.integers(0, 180))
            cv2.ellipse(picture, centre, axes, angle, 0, 360, colour, -1)
            cv2.ellipse(picture, centre, axes, angle, 0, 360, (20, 20, 30), 2, cv2.LINE_AA)
        Image.fromarray(picture).save(folder / f"{number:05}.jpg", quality=92)


def time_csv(place: Path, rows: int, _: int) -> float:
    """Rows a second, with tags wanted and unwanted and a sample of 5,000."""
    from sakuga.data.safebooru import Tally, Wanted, select

    tally = Tally()
    wanted = Wanted(tags=("scenery",), without=("text", "monochrome"), limit=5000)
    start_s = time.perf_counter()
    jobs = list(select(place / "all_data.csv", wanted, tally))
    elapsed_s = time.perf_counter() - start_s
    assert tally.rows == rows and jobs
    return rows / elapsed_s


def time_csv_all(place: Path, rows: int, _: int) -> float:
    """Rows a second where nearly every row matches, and a sample of 5,000 is taken of them."""
    from sakuga.data.safebooru import Wanted, select

    start_s = time.perf_counter()
    assert len(list(select(place / "all_data.csv", Wanted(limit=5000)))) == min(
        5000, rows * 19 // 20
    )
    return rows / (time.perf_counter() - start_s)


def time_downloads(place: Path, pictures: int, workers: int) -> float:
    """Pictures a second from a server on this machine, decoded and kept, 640x480 JPEG."""
    from sakuga.data.download import download
    from sakuga.data.fetch import Download, Limits
    from sakuga.data.picture_set import PictureSet

    with Image.open(place / "drawings" / "00000.jpg") as image:
        buffer = io.BytesIO()
        image.resize((640, 480)).save(buffer, "JPEG", quality=90)
    body = buffer.getvalue()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    jobs = [
        Download(f"http://127.0.0.1:{server.server_port}/{n}", f"{n:06}") for n in range(pictures)
    ]
    start_s = time.perf_counter()
    with PictureSet(place / "downloaded", {"verb": "benchmark"}) as into:
        download(jobs, into, Limits(allow_private=True))
        assert len(into.entries) == pictures
    elapsed_s = time.perf_counter() - start_s
    server.shutdown()
    return pictures / elapsed_s


def time_smooth_edges(place: Path, pictures: int, workers: int) -> float:
    """Pictures a second through `smooth_edges` alone, 512x512, in memory, one thread."""
    from sakuga.data.smooth import smooth_edges
    from sakuga.images.read import read_picture

    cv2.setNumThreads(1)
    paths = sorted((place / "drawings").iterdir())[:50]
    drawings = [read_picture(path).frames[0].colour for path in paths]
    start_s = time.perf_counter()
    for number in range(pictures):
        smooth_edges(drawings[number % len(drawings)])
    return pictures / (time.perf_counter() - start_s)


def time_smooth_folder(place: Path, pictures: int, workers: int) -> float:
    """Pictures a second from JPEG to stored PNG, 512x512, once the processes have started."""
    from sakuga.data.smooth import smooth_folder

    first: list[tuple[float, int]] = []

    def note(done: int, total: int | None) -> None:
        if not first:
            first.append((time.perf_counter(), done))

    outcome = smooth_folder(
        place / "drawings", place / "smoothed", workers=workers or None, progress=note
    )
    elapsed_s = time.perf_counter() - first[0][0]
    assert outcome.new == pictures
    return (pictures - first[0][1]) / elapsed_s


def time_shards(place: Path, pictures: int, workers: int) -> float:
    """Pictures a second from shards, decoded, shuffled, two threads, 512x512 JPEG."""
    from sakuga.data.shards import write_shards
    from sakuga.train.stream import PictureStream

    write_shards(place / "drawings", place / "shards", shard_mb=8)
    stream = PictureStream([place / "shards"], seed=0, split="all")
    start_s = time.perf_counter()
    seen = sum(1 for _ in stream.between(0, 3 * stream.places))
    elapsed_s = time.perf_counter() - start_s
    stream.close()
    assert seen == 3 * pictures
    return seen / elapsed_s


MEASUREMENTS: dict[str, tuple[str, Callable[[Path, int, int], float]]] = {
    "csv": ("CSV rows, by tags", time_csv),
    "csv-all": ("CSV rows, nearly all wanted", time_csv_all),
    "downloads": ("downloads, local server", time_downloads),
    "smooth-edges": ("smooth_edges, one thread", time_smooth_edges),
    "smooth": ("prepare smooth, JPEG to PNG", time_smooth_folder),
    "shards": ("pictures from shards", time_shards),
}


def main() -> None:
    """Make the material, run each measurement in its own process, print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2_700_000)
    parser.add_argument("--pictures", type=int, default=400)
    parser.add_argument("--workers", type=int, default=0, help="of prepare smooth; 0: one a core")
    parser.add_argument("--only", choices=MEASUREMENTS, help=argparse.SUPPRESS)
    parser.add_argument("--place", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only:
        count = options.rows if options.only.startswith("csv") else options.pictures
        rate = MEASUREMENTS[options.only][1](options.place, count, options.workers)
        peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"rate": rate, "peak_mb": peak_kb / 1024}))
        return

    print(f"{platform.node()}: {processor()}, {os.cpu_count()} cores, {date.today()}")
    print(f"{options.rows:,} rows, {options.pictures:,} pictures\n")
    print(f"| {'what':<28} | {'a second':>10} | {'peak MB':>7} |")
    print(f"|{'-' * 30}|{'-' * 11}:|{'-' * 8}:|")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        write_csv(place / "all_data.csv", options.rows)
        write_drawings(place / "drawings", options.pictures)
        for name, (title, _) in MEASUREMENTS.items():
            command = [sys.executable, __file__, "--only", name, "--place", folder]
            command += [f"--{k}={getattr(options, k)}" for k in ("rows", "pictures", "workers")]
            result = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
            print(
                f"| {title:<28} | {result['rate']:>10,.0f} | {result['peak_mb']:>7,.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
