"""How `sakuga serve` holds up here: many clients at once, against painting the same from Python.

    python benchmarks/serve.py [--clients 64] [--seconds 60] [--side 512] [--style NAME]

The pictures are of three sizes around SIDE, in turn. Clients that are put off (429) wait as long as
they are told and come again; anything else that is not a painted picture is a failure. Memory is
the server's resident set, the greatest of each sixth of the time. Python paints the same files, as
bytes to bytes, before the server starts and after it has ended: a machine's speed wanders.
"""

from __future__ import annotations

import argparse
import http.client
import io
import itertools
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import psutil
from PIL import Image

from sakuga.doctor import processor
from sakuga.painting.pictures import paint
from sakuga.painting.stylizer import Stylizer


@dataclass
class Tally:
    """What all clients saw."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    latencies_s: list[float] = field(default_factory=list)  # of painted pictures
    statuses: Counter[str] = field(default_factory=Counter)


def photo(width: int, height: int) -> bytes:
    """A JPEG with the smooth and the rough parts of a photo."""
    rows, columns = np.mgrid[0:height, 0:width] / max(height, width)
    noise = np.random.default_rng(0).normal(0, 12, (height, width, 3))
    colour = np.stack([rows * 255, columns * 255, 128 + 100 * np.sin(20 * rows * columns)], -1)
    buffer = io.BytesIO()
    image = Image.fromarray(np.clip(colour + noise, 0, 255).astype(np.uint8))
    image.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def run_client(port: int, path: str, bodies: Iterator[bytes], until: float, tally: Tally) -> None:
    """Ask for one picture after the other."""
    while time.monotonic() < until:
        body = next(bodies)
        began = time.monotonic()
        wait_s = 0.0
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
            connection.request("POST", path, body)
            answer = connection.getresponse()
            answer.read()
            status = str(answer.status)
            wait_s = float(answer.headers.get("Retry-After", 0))
            connection.close()
        except (OSError, http.client.HTTPException) as error:
            status = type(error).__name__
        with tally.lock:
            tally.statuses[status] += 1
            if status == "200":
                tally.latencies_s.append(time.monotonic() - began)
        time.sleep(min(wait_s, max(0.0, until - time.monotonic())))


def paint_in_python(bodies: list[bytes], style: str, seconds: float) -> tuple[int, float]:
    """Pictures painted in a plain loop, and the seconds it took."""
    stylizer = Stylizer(style)
    for body in bodies:
        paint(body, stylizer)
    began, count = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        for body in bodies:
            paint(body, stylizer)
        count += len(bodies)
    return count, time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--style", default="novel")
    arguments = parser.parse_args()
    side = arguments.side
    bodies = [photo(side, side * 3 // 4), photo(side, side), photo(side * 5 // 4, side)]
    alone_s = min(arguments.seconds / 3, 20)
    alone = [paint_in_python(bodies, arguments.style, alone_s)]

    server = subprocess.Popen(
        [sys.executable, "-m", "sakuga", "serve", "--port", "0"],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    assert server.stdout is not None
    found = re.search(r":(\d+)/", server.stdout.readline())
    if found is None:
        sys.exit("the server did not start")
    path = f"/api/paint?style={arguments.style}"
    tally = Tally()
    warm_up = time.monotonic() + min(arguments.seconds / 12, 5)
    run_client(int(found[1]), path, itertools.cycle(bodies), warm_up, Tally())
    began = time.monotonic()
    until = began + arguments.seconds
    clients = [
        threading.Thread(
            target=run_client,
            args=(
                int(found[1]),
                path,
                itertools.cycle(bodies[n % 3 :] + bodies[: n % 3]),
                until,
                tally,
            ),
        )
        for n in range(arguments.clients)
    ]
    for client in clients:
        client.start()
    memory: list[int] = []
    process = psutil.Process(server.pid)
    while time.monotonic() < until:
        memory.append(process.memory_info().rss)
        time.sleep(0.25)
    for client in clients:
        client.join()
    elapsed_s = time.monotonic() - began
    server.send_signal(signal.SIGTERM)
    server.wait(10)
    alone.append(paint_in_python(bodies, arguments.style, alone_s))

    rate = len(tally.latencies_s) / elapsed_s
    alone_rate = sum(count for count, _ in alone) / sum(seconds for _, seconds in alone)
    failures = sum(n for status, n in tally.statuses.items() if status not in ("200", "429"))
    shares = np.percentile(tally.latencies_s or [0], [50, 90, 99, 100])
    print(f"\n{processor()}, {os.cpu_count()} cores, {date.today()}")
    print(
        f"{arguments.clients} clients, {elapsed_s:.0f} s, JPEGs around {side} x {side} pixels, "
        f"style {arguments.style}"
    )
    print(f"| painted | put off (429) | failures | pictures/s | of Python's {alone_rate:.2f}/s |")
    print("|---|---|---|---|---|")
    print(
        f"| {len(tally.latencies_s)} | {tally.statuses['429']} | {failures} | {rate:.2f} "
        f"| {rate / alone_rate:.0%} |"
    )
    print("| latency of painted, s | 50 % | 90 % | 99 % | longest |\n|---|---|---|---|---|")
    print("| | " + " | ".join(f"{share:.2f}" for share in shares) + " |")
    shown = [f"{max(part) / 1e6:.0f}" for part in np.array_split(memory, 6)]
    print(
        "| memory, MB, after"
        + "".join(f" | {arguments.seconds * n / 6:.0f} s" for n in range(1, 7))
        + " |"
    )
    print("|---" * 7 + "|\n| | " + " | ".join(shown) + " |")
    if failures:
        sys.exit(f"failures: {dict(tally.statuses)}")


if __name__ == "__main__":
    main()
