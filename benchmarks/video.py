"""What painting a clip costs beside the style itself, how steady the result is, and its memory.

    python benchmarks/video.py --style novel            cost and steadiness on the example clip
    python benchmarks/video.py --fast                   instead, `--fast` at 1280 x 720
    python benchmarks/video.py --live                   instead, a camera of 30 frames a second
    python benchmarks/video.py --memory                 instead, 10 s against 10 min of a clip

Steadiness needs `pip install 'sakuga[eval]'`.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any
from unittest import mock

import av
import numpy as np
from PIL import Image

from sakuga import Stylizer
from sakuga.video import VideoOptions, paint_video
from sakuga.video.decode import Clip
from sakuga.video.deflicker import Steady
from sakuga.video.recorder import Painted, Recorder

EXAMPLE = Path(__file__).parent.parent / "examples" / "city_night_cc0.mp4"
ALONE_RUNS = 15
CAMERA_S, CAMERA_RATE = 10, 30


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--style", default="novel", help="a style's name or file")
    parser.add_argument("--clip", type=Path, default=EXAMPLE)
    parser.add_argument("--max-side", type=int, default=640, help="pixels of the longer side")
    parser.add_argument("--frames", type=int, default=100, help="how many to paint")
    parser.add_argument("--fast", action="store_true", help="measure only what `--fast` gives")
    parser.add_argument("--live", action="store_true", help="measure only a camera's frames")
    parser.add_argument(
        "--memory", action="store_true", help="measure only the memory of a long clip"
    )
    arguments = parser.parse_args()
    print(
        f"{platform.node()}, {os.cpu_count()} cores, {platform.processor() or platform.machine()}"
    )
    if arguments.memory:
        memory()
        return
    stylizer = Stylizer(arguments.style)
    if arguments.fast:
        fast(stylizer, first_frames(arguments.clip, 1280, arguments.frames))
        return
    if arguments.live:
        live(stylizer, arguments.clip)
        return
    photos = first_frames(arguments.clip, arguments.max_side, arguments.frames)
    height, width = photos[0].shape[:2]
    print(
        f"{arguments.clip.name}, {len(photos)} frames of {width} x {height}, "
        f"style {stylizer.spec.name}"
    )
    cost(arguments, stylizer, photos)
    steadiness(stylizer, photos)


def first_frames(path: Path, max_side: int, count: int) -> list[np.ndarray]:
    clip = Clip(path, VideoOptions(), max_side)
    photos = []
    for frame in clip.frames():
        assert frame.picture is not None
        photos.append(frame.picture)
        if len(photos) == count:
            break
    clip.close()
    return photos


def cost(arguments: argparse.Namespace, stylizer: Stylizer, photos: list[np.ndarray]) -> None:
    """The whole run against the number of frames times the style's own time for one."""
    stylizer(photos[0])  # the first run allocates
    alone = []
    for photo in photos[:ALONE_RUNS]:
        began = time.perf_counter()
        stylizer(photo)
        alone.append(time.perf_counter() - began)
    frame_s = statistics.median(alone)
    clip = Clip(arguments.clip, VideoOptions(), arguments.max_side)
    stop = Fraction(len(photos)) / clip.rate
    clip.close()
    print(f"\n{'the style alone':30} {frame_s * 1e3:8.1f} ms a frame")
    for label, steady, follow in (
        ("the clip, not steady", False, False),
        ("steady, only what stands still", True, False),
        ("steady, what moves as well", True, True),
    ):
        # What an installation without OpenCV does, which this benchmark itself needs.
        filtering = mock.patch("sakuga.video.deflicker.can_follow", return_value=follow)
        with filtering, tempfile.TemporaryDirectory() as folder:
            result = paint_video(
                arguments.clip,
                Path(folder) / "out.mp4",
                style=stylizer,
                max_side=arguments.max_side,
                options=VideoOptions(stop=stop, steady=steady),
            )
        ratio = result.seconds / (result.painted * frame_s)
        print(f"{label:30} {result.seconds / result.frames * 1e3:8.1f} ms a frame, {ratio:.2f} x")


def steadiness(stylizer: Stylizer, photos: list[np.ndarray]) -> None:
    """Warp error of the clip, and what a still shot with noise becomes."""
    try:
        from sakuga.evaluate.statistics import picture_statistics, warp_errors
    except ImportError:
        print("\nsteadiness was not measured: pip install 'sakuga[eval]'")
        return
    photos = photos[:60]
    plain = [stylizer(photo) for photo in photos]
    own = statistics.median(error for error, _ in warp_errors(photos, photos))
    print(f"\nwarp error, grey levels: the clip's own {own:.2f}")
    for label, animes in (
        ("painted", plain),
        ("steady, only what stands still", calmed(photos, plain, follow=False)),
        ("steady, what moves as well", calmed(photos, plain, follow=True)),
    ):
        error = statistics.median(painted for _, painted in warp_errors(photos, animes))
        edges = statistics.median(
            picture_statistics(photo, anime)["edges"]
            for photo, anime in list(zip(photos, animes, strict=True))[20::8]
        )
        print(f"  {label:30} {error:.2f} = {error / own:.2f} x, edges {edges:.3f}")
    generator = np.random.default_rng(0)
    still = [
        np.clip(photos[0] + generator.normal(0, 3, photos[0].shape), 0, 255).astype(np.uint8)
        for _ in range(20)
    ]
    plain = [stylizer(photo) for photo in still]
    print("mean change from frame to frame of a still shot with noise of sigma 3, grey levels:")
    steady = calmed(still, plain, follow=True)
    for label, frames in (("photo", still), ("painted", plain), ("painted, steady", steady)):
        print(f"  {label:16} {flicker(frames[10:]):.2f}")


def calmed(photos: list[np.ndarray], animes: list[np.ndarray], *, follow: bool) -> list[np.ndarray]:
    steady = Steady(follow=follow)
    return [steady(photo, anime) for photo, anime in zip(photos, animes, strict=True)]


def flicker(frames: list[np.ndarray]) -> float:
    differences = [
        np.abs(after.astype(np.int16) - before).mean() for before, after in pairwise(frames)
    ]
    return float(np.mean(differences))


def fast(stylizer: Stylizer, photos: list[np.ndarray]) -> None:
    """The usual way and `--fast` at 1280 x 720: all of the picture moving, and a third of it."""
    size = (1280, 720)
    moving = [np.asarray(Image.fromarray(photo).resize(size)) for photo in photos]
    partly = [np.concatenate([moving[0][:, :854], photo[:, 854:]], axis=1) for photo in moving]
    print(f"\n{len(photos)} frames of {size[0]} x {size[1]}, enlarged from {photos[0].shape[1]}")
    print("| what moves | | frames a second | CPU ms a frame | warp error | texture | edges |")
    print("|---|---|--:|--:|--:|--:|--:|")
    for label, frames in (("all", moving), ("the right third", partly)):
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(folder) / "in.mp4", Path(folder) / "out.mp4"
            write_clip(source, size, frames)
            shown = first_frames(source, 1280, len(frames))
            for chosen in (False, True):
                began_s, cpu_s = time.perf_counter(), time.process_time()
                options = VideoOptions(fast=chosen)
                paint_video(source, out, style=stylizer, options=options, overwrite=True)
                rate = len(frames) / (time.perf_counter() - began_s)
                cpu_ms = (time.process_time() - cpu_s) / len(frames) * 1e3
                animes = first_frames(out, 1280, len(frames))
                name = "--fast" if chosen else "usual"
                told = "".join(f" {value:.2f} |" for value in looks(shown, animes))
                print(f"| {label} | {name} | {rate:.2f} | {cpu_ms:.0f} |{told}", flush=True)


def looks(photos: list[np.ndarray], animes: list[np.ndarray]) -> tuple[float, float, float]:
    """Medians: the warp error by the clip's own, texture, edges."""
    from sakuga.evaluate.statistics import picture_statistics, warp_errors

    errors = warp_errors(photos, animes)
    own, painted = (statistics.median(side) for side in zip(*errors, strict=True))
    pairs = list(zip(photos, animes, strict=True))[::8]
    found = [picture_statistics(photo, anime) for photo, anime in pairs]
    texture, edges = (
        statistics.median(one[name] for one in found) for name in ("texture", "edges")
    )
    return painted / own, texture, edges


def live(stylizer: Stylizer, source: Path) -> None:
    """What becomes of a camera's frames, the usual way and by `--fast`: painted or dropped."""
    print(f"\n{CAMERA_S} s of a camera, 640 x 360, {CAMERA_RATE} frames a second")
    for label, options in (
        ("usual", VideoOptions(seconds=CAMERA_S)),
        ("--fast", VideoOptions(seconds=CAMERA_S, fast=True)),
    ):
        ages_ms = camera_ages(stylizer, source, options)
        print(
            f"{label:8} {len(ages_ms) / CAMERA_S:5.1f} frames a second, "
            f"{CAMERA_S * CAMERA_RATE - len(ages_ms)} dropped, their age when they are shown "
            f"{statistics.median(ages_ms):.0f} ms, at most {max(ages_ms):.0f} ms",
            flush=True,
        )


def camera_ages(stylizer: Stylizer, source: Path, options: VideoOptions) -> list[float]:
    """Milliseconds from when each painted frame was taken to when the encoder has it.

    The camera is the clip again and again, at its own pace whoever looks. A frame's time is that of
    the clock on the wall, as a real camera's is.
    """
    card = (
        f"movie={source}:loop=0,scale=640:360,setpts=N/({CAMERA_RATE}*TB),realtime,"
        "settb=1/1000000,setpts=RTCTIME"
    )
    clips: list[Clip] = []
    ages_ms: list[float] = []
    take = Recorder.take

    def opened(*given: Any) -> Clip:
        clips.append(Clip(*given))
        return clips[0]

    def taken(recorder: Recorder, painted: Painted) -> None:
        take(recorder, painted)
        began_s = clips[0].origin + painted.pts * clips[0].time_base
        ages_ms.append((time.time() - float(began_s)) * 1e3)

    with (
        mock.patch("sakuga.video.opening._open_device", lambda *_: av.open(card, format="lavfi")),
        mock.patch("sakuga.video.pipeline.open_clip", opened),
        mock.patch.object(Recorder, "take", taken),
        tempfile.TemporaryDirectory() as folder,
    ):
        paint_video("webcam", Path(folder) / "out.mp4", style=stylizer, options=options)
    return ages_ms


def memory() -> None:
    """Peak memory of a process that paints 640 x 360 for ten seconds, and for ten minutes.

    The style inverts, so that no weights hide what the pipeline takes. Only every tenth frame
    differs, and only those are painted, which keeps this short.
    """
    print("\npeak memory of a 640 x 360 clip")
    for label, seconds in (("10 seconds", 10), ("10 minutes", 600)):
        with tempfile.TemporaryDirectory() as folder:
            source = moving_clip(Path(folder) / "in.mp4", seconds)
            target = Path(folder) / "out.mp4"
            code = (
                "import resource; from sakuga.video import paint_video\n"
                f"paint_video({str(source)!r}, {str(target)!r}, "
                "style=lambda photo, **_: 255 - photo)\n"
                "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
            )
            told = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True
            )
            print(f"  {label}  {int(told.stdout) / 1024:8.0f} MiB")


def moving_clip(path: Path, seconds: int, rate: int = 25) -> Path:
    """A square that moves every tenth frame."""

    def pictures() -> Iterator[np.ndarray]:
        for index in range(seconds * rate):
            picture = np.full((360, 640, 3), 90, np.uint8)
            left = index // 10 * 8 % 560
            picture[140:220, left : left + 80] = (220, 120, 60)
            yield picture

    return write_clip(path, (640, 360), pictures(), rate)


def write_clip(
    path: Path, size: tuple[int, int], pictures: Iterable[np.ndarray], rate: int = 25
) -> Path:
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=rate, width=size[0], height=size[1])
        stream.codec_context.options = {"preset": "ultrafast"}
        for picture in pictures:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        output.mux(stream.encode(None))
    return path


if __name__ == "__main__":
    main()
