"""What decides how far a batch scales, measured on this machine in one run.

    python benchmarks/scale.py [--pictures 10000] [--side 176] [--style novel] [--parts workers ...]

overhead a plain loop and a batch with 1 worker, each alone; and both at the same time, a core each
workers  pictures a second of a batch with 1 worker and with 2; and how long it takes to start
driver   what the driver keeps and does for a million pictures: listing, manifest, resuming
storage  small files against shards, on this disk and on storage that takes 30 ms to answer
listing  a folder of very many files: time and memory before the first name
compile  the generator's forward and backward pass in training, plain and with torch.compile
plan     what a million pictures, a thousand million and 1,000 hours of film take at this speed

A worker is a painter with one thread, and the reading and writing for it. "On one core" means that
it shares this core with Ray's own processes, as a machine of one core would. The seconds of a
batch count from the start of its process to its end, those of the loop from loading the style.
Everything is made for the purpose in a temporary folder and deleted again. Each measurement runs
in a process of its own, so that its memory is its own.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import resource
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem
from PIL import Image
from plan import Assumptions, Speeds, add_assumptions, assumptions_of, table

from sakuga.batch.manifest import SCHEMA, Manifest
from sakuga.batch.source import Source, find_source
from sakuga.batch.stages import read
from sakuga.batch.storage import Place, open_place
from sakuga.doctor import processor

PARTS = ("overhead", "workers", "driver", "storage", "listing", "compile", "plan")
LATENCY_S = 0.03  # of a request to an object store in the same region, at the median
MILLION = 1_000_000


def draw_pictures(folder: Path, count: int, side: int) -> None:
    """Write JPEG photos of noise and shapes, a thousand a folder."""
    dice = np.random.default_rng(0)
    base = dice.integers(60, 190, (side, side, 3), dtype=np.uint8)
    for number in range(count):
        target = folder / f"{number // 1000:04}" / f"{number:07}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        picture = np.roll(base, number, axis=1)
        picture[number % (side // 2) :][: side // 3, : side // 2] = number % 256
        Image.fromarray(picture).save(target, quality=90)


def plain_loop(folder: Path, out: Path, style: str) -> dict[str, float]:
    """Paint a folder as a short script would: read, paint, write, one after the other."""
    from sakuga.images.read import read_picture
    from sakuga.images.write import write_picture
    from sakuga.painting.options import PaintOptions
    from sakuga.painting.pictures import paint_picture
    from sakuga.painting.stylizer import Stylizer

    started_s = time.perf_counter()
    stylizer, options = Stylizer(style, device="cpu", threads=1), PaintOptions()
    count = 0
    for path in sorted(folder.rglob("*.jpg")):
        painted = paint_picture(read_picture(path), stylizer, options)
        write_picture(painted, out / path.relative_to(folder))
        count += 1
    return {"pictures": count, "seconds": time.perf_counter() - started_s}


def batch(folder: Path, out: Path, style: str, workers: int) -> dict[str, float]:
    """Paint it with `sakuga batch`; its start, some seconds, is counted."""
    command = [sys.executable, "-m", "sakuga", "batch", str(folder), str(out), "--style", style]
    command += ["--workers", str(workers), "--device", "cpu", "--json", "--quiet"]
    started_s = time.perf_counter()
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    summary = json.loads(done.stdout.splitlines()[-1])
    return {"pictures": summary["painted"], "seconds": time.perf_counter() - started_s}


def list_and_resume(folder: Path, count: int) -> dict[str, float]:
    """List `count` pictures from a list, note them in a manifest, and find that none is left."""
    names = [f"s3://bucket/photos/{n // 1000:05}/{n:09}.jpg" for n in range(count)]
    pq.write_table(pa.table({"path": names}), folder / "list.parquet")
    del names
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    source = find_source(str(folder / "list.parquet"))
    manifest = Manifest(open_place(str(folder / "manifest")))
    listing_s = noting_s = 0.0
    mark_s = time.perf_counter()
    for window in source.windows():
        listing_s += time.perf_counter() - mark_s
        mark_s = time.perf_counter()
        for start in range(0, len(window), 10_000):
            manifest.add(_finished(window.slice(start, 10_000)))
        noting_s += time.perf_counter() - mark_s
        mark_s = time.perf_counter()
    manifest.flush()
    manifest.merge()
    mark_s = time.perf_counter()
    done = Manifest(open_place(str(folder / "manifest"))).load()
    left = sum(len(done.pending(window, shards=False)) for window in source.windows())
    assert left == 0 and len(done.keys) == count
    size = sum(path.stat().st_size for path in (folder / "manifest").iterdir())
    return {
        "listed_a_second": count / listing_s,
        "noted_a_second": count / noting_s,
        "resume_s": time.perf_counter() - mark_s,
        "manifest_mb": size / 1e6,
        "key_mb": done.keys.nbytes / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb,
    }


def _finished(tasks: pa.Table) -> pa.Table:
    """Rows of a manifest for tasks, with digests that do not compress, as real ones."""
    count = len(tasks)
    digests = [os.urandom(32).hex() for _ in range(count)]
    values = {
        "key": tasks["key"],
        "source": tasks["source"],
        "status": ["painted"] * count,
        "result": tasks["source"],
        "sha256": digests,
        "result_sha256": digests[::-1],
        "finished": [datetime.now(UTC)] * count,
    }
    columns = [values.get(field.name, [None] * count) for field in SCHEMA]
    return pa.table(columns, SCHEMA)


class Distant(LocalFileSystem):
    """This disk, but every file takes LATENCY_S to open, as on an object store."""

    protocol = "distant"

    def _open(self, *arguments: object, **options: object) -> object:
        time.sleep(LATENCY_S)
        return super()._open(*arguments, **options)


def reading(path: Path, distant: bool, fetches: int) -> dict[str, float]:
    """Read and decode a folder or shard in one task, with so many files asked for at a time."""
    from sakuga.batch import stages

    stages.FETCHES = fetches
    root = open_place(str(path))
    if distant:
        handler = pa.fs.PyFileSystem(pa.fs.FSSpecHandler(Distant()))
        root = Place(handler, root.path, f"distant://{root.path}")
    source = Source("shards" if path.suffix == ".tar" else "folder", root)
    count, started_s = 0, time.perf_counter()
    for window in source.windows():
        tasks = window.append_column("done", pa.array([[]] * len(window), pa.list_(pa.uint64())))
        count += sum(len(table) for table in read(tasks, source, None))
    return {"pictures": count, "seconds": time.perf_counter() - started_s}


def training_pass(compiled: bool) -> dict[str, float]:
    """Forward and backward through the default generator, 8 crops of 256 pixels, in bf16."""
    import torch

    from sakuga.models.local import LocalGenerator

    device = "cuda" if torch.cuda.is_available() else "cpu"
    generator = LocalGenerator().to(device, memory_format=torch.channels_last)
    painter = torch.compile(generator) if compiled else generator
    crops = torch.rand(8, 3, 256, 256, device=device).to(memory_format=torch.channels_last)
    seconds = []
    for _ in range(8):
        started_s = time.perf_counter()
        with torch.autocast(device, torch.bfloat16):
            anime = painter(crops)
        (anime.float() - crops).abs().mean().backward()
        generator.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started_s)
    # The first passes compile, and find the memory they need.
    return {"pictures": 8, "seconds": float(np.median(seconds[3:])), "first_s": seconds[0]}


def files_megapixels() -> dict[str, float]:
    """Decode and encode JPEG files of one megapixel on one core; megapixels, not pictures."""
    from sakuga.images.read import read_picture
    from sakuga.images.write import encode_picture

    # Smooth shapes with a little grain: 0.3 MB a megapixel, as photos have.
    dice = np.random.default_rng(0)
    coarse = Image.fromarray(dice.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((1000, 1000), Image.Resampling.BICUBIC), np.int16)
    grainy = np.clip(smooth + dice.integers(-4, 5, smooth.shape), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grainy).save(file, "JPEG", quality=85)
    started_s, count = time.perf_counter(), 0
    while time.perf_counter() - started_s < 5:
        result = io.BytesIO()
        encode_picture(read_picture(file.getvalue()), result, "jpg")
        count += 1
    seconds = time.perf_counter() - started_s
    sizes = {"in_mb": file.tell() / 1e6, "out_mb": result.tell() / 1e6}
    return {"pictures": count, "seconds": seconds, **sizes}


def flat_folder(folder: Path) -> dict[str, float]:
    """List a folder of very many files, as `sakuga batch FOLDER` does, up to the first name."""
    before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    started_s = time.perf_counter()
    names = open_place(str(folder)).walk()
    next(names)
    seconds = time.perf_counter() - started_s
    count = 1 + sum(1 for _ in names)
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - before_mb
    return {"pictures": count, "seconds": seconds, "peak_mb": peak_mb}


def megapixels(style: str, device: str) -> dict[str, float]:
    """Paint photos of 1024 x 1024 pixels on one core, or on a GPU; megapixels, not pictures."""
    from sakuga.painting.stylizer import Stylizer

    stylizer = Stylizer(style, device=device, threads=1)
    photo = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
    stylizer(photo)
    started_s, count = time.perf_counter(), 0
    while time.perf_counter() - started_s < 10:
        stylizer(photo)
        count += 1
    seconds = time.perf_counter() - started_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {"pictures": count * 1024**2 / 1e6, "seconds": seconds, "peak_mb": peak_mb}


def apart(
    work: Callable[..., dict[str, float]], *arguments: object, cores: tuple[int, ...] = (0, 1)
) -> dict[str, float]:
    """Run one measurement in a process of its own, on the cores of these numbers."""
    call = [work.__name__, *[str(a) if isinstance(a, Path) else a for a in arguments]]
    command = [sys.executable, __file__, "--call", json.dumps(call)]
    ours = [core for at, core in enumerate(sorted(os.sched_getaffinity(0))) if at in cores]
    done = subprocess.run(
        command,
        check=True,
        stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, ours),
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def rate(answer: dict[str, float]) -> float:
    """Pictures a second."""
    return answer["pictures"] / answer["seconds"]


def tell(*lines: tuple[str, str]) -> None:
    """Print a table's rows."""
    for name, value in lines:
        print(f"| {name:<64} | {value:>14} |", flush=True)


def overhead(folder: Path, pictures: int, side: int, style: str) -> None:
    """The same pictures by a plain loop and by a batch of one worker.

    First each on a core of its own, at the same time; then one after the other, on a machine that
    has nothing else to do.
    """
    draw_pictures(folder / "in", pictures, side)
    with ThreadPoolExecutor(2) as both:
        loop = both.submit(apart, plain_loop, folder / "in", folder / "plain", style, cores=(1,))
        batched = both.submit(apart, batch, folder / "in", folder / "one", style, 1, cores=(0,))
        plain, one = loop.result(), batched.result()
    alone = apart(plain_loop, folder / "in", folder / "alone", style)
    free = apart(batch, folder / "in", folder / "free", style, 1)
    answers = (plain, one, alone, free)
    assert all(answer["pictures"] == pictures for answer in answers)

    def more(batched: dict[str, float], loop: dict[str, float]) -> str:
        return f"{100 * (batched['seconds'] / loop['seconds'] - 1):.1f} %"

    tell(
        (f"plain loop, {pictures} pictures of {side} px", f"{alone['seconds']:.1f} s"),
        ("sakuga batch, 1 worker, start included", f"{free['seconds']:.1f} s"),
        ("Ray's overhead against the loop", more(free, alone)),
        ("plain loop beside a batch, a core each", f"{plain['seconds']:.1f} s"),
        ("the batch: 1 worker and all of Ray on 1 core", f"{one['seconds']:.1f} s"),
        ("Ray's overhead on a core it shares with its worker", more(one, plain)),
    )


def workers(folder: Path, pictures: int, side: int, style: str) -> None:
    """One worker and two, each with a core."""
    draw_pictures(folder / "few", 4, side)
    draw_pictures(folder / "in", pictures, side)
    start = apart(batch, folder / "few", folder / "start", style, 1, cores=(0,))
    start_two = apart(batch, folder / "few", folder / "start2", style, 2, cores=(0, 1))
    one = apart(batch, folder / "in", folder / "one", style, 1, cores=(0,))
    two = apart(batch, folder / "in", folder / "two", style, 2, cores=(0, 1))
    free = apart(batch, folder / "in", folder / "free", style, 1, cores=(0, 1))
    busy_one, busy_two = one["seconds"] - start["seconds"], two["seconds"] - start_two["seconds"]
    tell(
        ("sakuga batch of 4 pictures, 1 core: start and end", f"{start['seconds']:.1f} s"),
        ("the same with 2 workers, 2 cores", f"{start_two['seconds']:.1f} s"),
        (f"1 worker, 1 core, {pictures} pictures of {side} px", f"{rate(one):.2f}/s"),
        ("2 workers, 2 cores", f"{rate(two):.2f}/s"),
        ("2 workers against 1, starts included", f"{rate(two) / rate(one):.2f} x"),
        ("2 workers against 1, starts taken off", f"{busy_one / busy_two:.2f} x"),
        ("1 worker, 2 cores: reading and writing on the other", f"{rate(free):.2f}/s"),
    )


def driver(folder: Path, count: int) -> None:
    """The one process that is not multiplied."""
    found = apart(list_and_resume, folder, count)
    tell(
        (f"listing a Parquet list of {count:,}", f"{found['listed_a_second']:,.0f}/s"),
        ("noting results in the manifest", f"{found['noted_a_second']:,.0f}/s"),
        ("finding on a rerun that all is done", f"{found['resume_s']:.1f} s"),
        ("manifest on disk", f"{found['manifest_mb']:.0f} MB"),
        ("keys of what is done, in memory", f"{found['key_mb']:.0f} MB"),
        ("peak memory above the start", f"{found['peak_mb']:.0f} MB"),
    )


def storage(folder: Path, pictures: int, side: int) -> None:
    """Small files and shards, near and far."""
    draw_pictures(folder / "files", pictures, side)
    with tarfile.open(folder / "shard.tar", "w") as archive:
        for path in sorted((folder / "files").rglob("*.jpg")):
            archive.add(path, path.name)
    rows = []
    for name, path in (("small files", folder / "files"), ("one shard", folder / "shard.tar")):
        for where in (False, True):
            for fetches in (1, 8) if path.is_dir() else (8,):
                found = apart(reading, path, where, fetches)
                at = f"{LATENCY_S * 1000:.0f} ms away" if where else "this disk"
                at_once = f", {fetches} asked for at a time" if path.is_dir() else ""
                rows.append((f"reading {name}, {at}{at_once}", f"{rate(found):.0f}/s"))
    tell(*rows)


def compiling() -> None:
    """What torch.compile gives a training here."""
    plain, compiled = apart(training_pass, False), apart(training_pass, True)
    tell(
        ("generator, forward and backward, 8 crops of 256 px", f"{rate(plain):.2f}/s"),
        ("the same with torch.compile", f"{rate(compiled):.2f}/s"),
        ("compiling it", f"{compiled['first_s']:.0f} s"),
    )


def listing(folder: Path, count: int) -> None:
    """One folder, or prefix of an object store, with very many names in it."""
    (folder / "flat").mkdir()
    for number in range(count):
        (folder / f"flat/{number:09}.jpg").touch()
    found = apart(flat_folder, folder / "flat")
    pages_s = 1e9 / 1000 * LATENCY_S
    tell(
        (f"a flat folder of {count:,}: until the first name", f"{found['seconds']:.1f} s"),
        ("memory for it", f"{found['peak_mb']:.0f} MB"),
        ("the same for 1e9 names, by extrapolation", f"{found['peak_mb'] * 1e3 / count:,.1f} TB"),
        ("and its 1e6 pages from storage 30 ms away", f"{pages_s / 3600:.1f} h"),
    )


def plan(folder: Path, style: str, assumed: Assumptions) -> None:
    """Time and money for work of three sizes, from the speeds found here."""
    painting = apart(megapixels, style, "cpu", cores=(0,))
    files = apart(files_megapixels, cores=(0,))
    found = apart(list_and_resume, folder, 200_000)
    speeds = Speeds(rate(painting), rate(files), found["listed_a_second"], found["noted_a_second"])
    tell(
        ("painting, one core", f"{speeds.core_mp_s:.2f} MP/s"),
        ("memory of one painter on a core", f"{painting['peak_mb']:.0f} MB"),
        ("decoding and encoding JPEG, one core", f"{speeds.files_mp_s:.1f} MP/s"),
        (
            "size of such a JPEG, read and written",
            f"{files['in_mb']:.2f}, {files['out_mb']:.2f} MB",
        ),
        ("listing, rows a second", f"{speeds.listed:,.0f}"),
        ("noting, rows a second", f"{speeds.noted:,.0f}"),
    )
    for name, value in table(speeds, assumed):
        print(f"| {name} | {value} |", flush=True)


def main() -> None:
    """Measure the parts asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pictures", type=int, default=10_000)
    parser.add_argument("--side", type=int, default=176, help="pixels")
    parser.add_argument("--style", default="novel")
    parser.add_argument("--rows", type=int, default=MILLION, help="pictures of the driver's part")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    add_assumptions(parser)
    parser.add_argument("--call", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.call:
        name, *arguments = json.loads(chosen.call)
        paths = [Path(a) if isinstance(a, str) and a.startswith("/") else a for a in arguments]
        if name == "plain_loop" or name == "batch":
            paths[2] = arguments[2]  # a style's file is told by its text
        print(json.dumps(globals()[name](*paths)))
        return
    cores = len(os.sched_getaffinity(0))
    print(f"{processor()}, {cores} cores, {platform.system()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as work:
        for part in chosen.parts:
            folder = Path(work) / part
            folder.mkdir()
            if part == "overhead":
                overhead(folder, chosen.pictures, chosen.side, chosen.style)
            elif part == "workers":
                workers(folder, chosen.pictures * 3 // 10, chosen.side, chosen.style)
            elif part == "driver":
                driver(folder, chosen.rows)
            elif part == "storage":
                storage(folder, min(chosen.pictures, 2_000), chosen.side)
            elif part == "listing":
                listing(folder, chosen.rows // 5)
            elif part == "compile":
                compiling()
            else:
                plan(folder, chosen.style, assumptions_of(chosen))


if __name__ == "__main__":
    main()
