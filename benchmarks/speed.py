"""Time every shipped style beside the CartoonGAN generator, in one run on one machine.

    python benchmarks/speed.py                      the styles in the box, 256 to 2048 pixels
    python benchmarks/speed.py my.onnx --sides 512  and a style file, at one size

Prints a Markdown table: milliseconds for one picture (median of the rounds), how many times faster
than CartoonGAN at the same size and number of threads, and the greatest memory of the process. Each
number comes from a process of its own; the styles take turns, so that a busy moment hits all alike.
CartoonGAN has random weights, which take the same time as trained ones, and goes through the same
exporter. It needs about 10 GB at 2048 x 2048 pixels; leave such sizes out with --sides.

Needs the extra `train`, for the exporter.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from sakuga.doctor import processor
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import StyleSpec, installed, read_spec

RIVAL = "cartoongan"
REPEATS_S = 2.0  # a process repeats a picture for this long


def main() -> None:
    """Read the arguments, measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("styles", nargs="*", type=Path, help="further style files")
    parser.add_argument("--sides", nargs="+", type=int, default=[256, 512, 1024, 2048])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3, help="processes for each number")
    parser.add_argument("--measure", nargs=3, help=argparse.SUPPRESS)  # FILE THREADS SIDE
    arguments = parser.parse_args()
    if arguments.measure:
        file, threads, side = arguments.measure
        print(json.dumps(measure(Path(file), int(threads), int(side))))
        return
    with tempfile.TemporaryDirectory() as folder:
        files = [style.path for style in installed() if style.origin == "shipped"]
        files += [*arguments.styles, export_rival(Path(folder) / f"{RIVAL}.onnx")]
        print(f"{processor()}, {os.cpu_count()} cores, {sys.platform}\n")
        print("| threads | pixels | style | ms | times faster | peak MB |")
        print("|--:|--:|---|--:|--:|--:|")
        for threads in arguments.threads:
            for side in arguments.sides:
                print_rows(files, threads, side, arguments.rounds)


def print_rows(files: list[Path], threads: int, side: int, rounds: int) -> None:
    """Measure all files at one size, taking turns, and print a row for each."""
    results: dict[Path, list[dict[str, float]]] = {file: [] for file in files}
    for _ in range(rounds):
        for file in files:
            results[file].append(measured_apart(file, threads, side))
    times_ms = {
        file: statistics.median(result["ms"] for result in found) for file, found in results.items()
    }
    for file, found in results.items():
        peak_mb = max(result["peak_mb"] for result in found)
        ratio = times_ms[files[-1]] / times_ms[file]
        print(
            f"| {threads} | {side} x {side} | {read_spec(file).name} | {times_ms[file]:.0f} "
            f"| {ratio:.1f} | {peak_mb:.0f} |",
            flush=True,
        )


def measured_apart(file: Path, threads: int, side: int) -> dict[str, float]:
    """Run `measure` in a process of its own."""
    line = [sys.executable, __file__, "--measure", str(file), str(threads), str(side)]
    run = subprocess.run(line, check=True, capture_output=True, text=True)
    result: dict[str, float] = json.loads(run.stdout)
    return result


def measure(file: Path, threads: int, side: int) -> dict[str, float]:
    """Paint noise of side x side pixels; the median time in ms and this process's peak in MB."""
    stylizer = Stylizer(file, device="cpu", threads=threads)
    photo = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    stylizer(photo, stroke="fine")  # the first run lays out memory
    times_s: list[float] = []
    while len(times_s) < 3 or sum(times_s) < REPEATS_S:
        start_s = time.perf_counter()
        stylizer(photo, stroke="fine")
        times_s.append(time.perf_counter() - start_s)
    return {"ms": 1000 * statistics.median(times_s), "peak_mb": peak_bytes() / 1e6}


def peak_bytes() -> int:
    """The greatest memory that this process has had.

    Linux hands getrusage's number down from the process that started this one, so look elsewhere.
    """
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return 1024 * int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS


def export_rival(file: Path) -> Path:
    """Write the CartoonGAN generator with random weights as a style file."""
    import torch

    from sakuga.convert.onnx_export import export_onnx
    from sakuga.models.cartoongan import CartoonGenerator

    torch.manual_seed(0)
    generator = CartoonGenerator()
    spec = StyleSpec(
        name=RIVAL,
        version="random",
        description="The generator of CartoonGAN with random weights.",
        size_multiple=generator.size_multiple,
        minimum_side=generator.minimum_side,
        receptive_radius=generator.receptive_radius,
        licence="CC0-1.0",
        attribution=(),
        training={},
    )
    export_onnx(generator, spec, file)
    return file


if __name__ == "__main__":
    main()
