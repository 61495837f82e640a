"""Paint one video: decode, paint and encode side by side, in segments that survive a crash."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import av
import av.error

from sakuga.errors import OptionError, OutputError
from sakuga.painting.pictures import Look
from sakuga.painting.stylizer import Stylizer
from sakuga.painting.working_size import Stroke, check_stroke
from sakuga.video.animated import PICTURE_SUFFIXES, AnimatedClip
from sakuga.video.containers import choose_codec
from sakuga.video.decode import Clip, ClipFrame
from sakuga.video.deflicker import NOT_FOLLOWED, can_follow, describe_steady
from sakuga.video.marks import video_mark
from sakuga.video.mux import finish
from sakuga.video.options import VideoOptions, is_live
from sakuga.video.painter import Painter, Painting, Paints
from sakuga.video.prefetch import Ahead, Behind
from sakuga.video.recorder import Painted, Recorder
from sakuga.video.segments import Encoding, Parts, Segment, describe
from sakuga.video.tracks import Window

_FRAMES_AHEAD = 4  # decoded and waiting; 4 x 6 MB at 1080p
_FRAMES_BEHIND = 4  # painted and waiting for the encoder


@dataclass(frozen=True)
class Progress:
    """How far a job is."""

    frames: int  # painted and encoded so far, those of an earlier run included
    total_frames: int | None  # about; None: not known
    frames_per_second: float  # of this run
    seconds_left: float | None  # None: not known
    bytes_written: int  # of finished segments

    def __str__(self) -> str:
        """In words: "120 of 300 frames, 12.3 a second, 15 s left, 2.1 MB"."""
        total = "" if self.total_frames is None else f" of {self.total_frames}"
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        size = f"{self.bytes_written / 1e6:.1f} MB"
        return f"{self.frames}{total} frames, {self.frames_per_second:.1f} a second{left}, {size}"


@dataclass(frozen=True)
class VideoResult:
    """What became of a job."""

    path: Path | None  # the finished file; None: stopped and discarded
    frames: int  # in the file
    painted: (
        int  # of these, how often the style was run now; the others looked like their neighbour
    )
    seconds: float  # this run took
    interrupted: bool = False  # Ctrl-C came before the end
    notes: list[str] = field(default_factory=list)  # what the user should know, one sentence each


def paint_video(
    source: str | Path,
    out: str | Path | None = None,
    *,
    style: Any = "novel",
    strength: float = 1.0,
    keep_colour: bool = False,
    max_side: int | None = None,
    stroke: Stroke = "auto",
    overwrite: bool = False,
    options: VideoOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> VideoResult:
    """Paint a video, keeping its times, sound, subtitles and chapters.

    Args:
        source: a path, a URL, `webcam[:N]`, `screen`, or an animated picture.
        out: the file to make, its kind by its ending; by default NAME-STYLE.mp4 beside the source.
        style: a style's name or path, or a `Stylizer` that is already loaded.
        strength: 0 (the source) to 1 (the style).
        keep_colour: keep the colours of the source.
        max_side: pixels; larger frames are shrunk so that their longer side is this.
        stroke: weight of the strokes in large frames, see `sakuga.painting.working_size`.
        overwrite: replace `out` if it exists.
        on_progress: called after every frame, from the calling thread.

    Returns:
        What was made. After Ctrl-C (a first one, in the main thread) it holds what was painted, and
        `interrupted` is true.

    Raises:
        InputError: the source is not a video that can be read.
        OutputError: the file cannot be written, exists, or is the source.
        OptionError: options that contradict each other or the file's kind.
    """
    options = options or VideoOptions()
    check_stroke(stroke)
    stylizer = load_painter(style)
    target = Path(out) if out is not None else default_target(source, style_name(stylizer))
    codec = choose_codec(target, options.codec, options.crf)
    _refuse_target(source, target, overwrite=overwrite or options.resume)
    clip = _open_clip(source, options, max_side)
    try:
        job = _Job(clip, target, codec, options, Painter(stylizer, strength, keep_colour, stroke))
        if isinstance(stylizer, Stylizer):
            look = Look(strength, keep_colour, max_side, stroke)
            mark = video_mark(str(source), stylizer, look, options)
            job.encoding = replace(job.encoding, mark=mark)
        described = {
            "sakuga.video": 3,  # raised when the same job would give other frames
            "source": _identity(source),
            "style": _style_identity(stylizer),
            "strength": strength,
            "keep_colour": keep_colour,
            "max_side": max_side,
            "stroke": stroke,
            "part": [str(options.start), str(options.stop), str(options.fps)],
            "side_by_side": options.side_by_side,
            "steady": describe_steady() if options.steady else "no",
            "segment_frames": options.segment_frames,
            "encoding": describe(job.encoding),
            "ffmpeg": [list(version) for version in av.library_versions.values()],
        }
        return job.run(described, overwrite=overwrite, on_progress=on_progress)
    finally:
        clip.close()


class _Job:
    """One run over one clip."""

    def __init__(
        self,
        clip: Clip | AnimatedClip,
        target: Path,
        codec: str,
        options: VideoOptions,
        painter: Painter,
    ) -> None:
        self._clip = clip
        self._target = target
        self._options = options
        self._painter = painter
        self.encoding = Encoding(
            codec=codec,
            crf=options.crf,
            width=clip.width * (2 if options.side_by_side else 1),
            height=clip.height,
            rate=clip.rate,
            time_base=clip.time_base,
            pixel_aspect=clip.pixel_aspect,
        )

    def run(
        self,
        described: dict[str, Any],
        *,
        overwrite: bool,
        on_progress: Callable[[Progress], None] | None,
    ) -> VideoResult:
        began = time.monotonic()
        parts = Parts(self._target, described, resume=self._options.resume, restart=overwrite)
        segments = parts.finished()
        done = sum(segment.frames for segment in segments)
        state = parts.load_state(len(segments))
        self._painter.restore(state)
        recorder = Recorder(parts, self.encoding, self._options, segments, state)
        frames: Ahead[ClipFrame] = Ahead(
            self._clip.frames(skip=done), _FRAMES_AHEAD, latest=self._clip.live
        )
        encoder = Behind(recorder.take, _FRAMES_BEHIND)
        try:
            with _interruptible() as stopped:
                for index, frame, painting in self._begun(frames, stopped):
                    assert frame.picture is not None
                    anime = painting.anime.result()
                    ends_segment = index % self._options.segment_frames == 0
                    encoder.put(
                        Painted(
                            frame.picture,
                            anime,
                            painting.repeated,
                            frame.pts,
                            frame.duration,
                            painting.state() if ends_segment else None,
                        )
                    )
                    if on_progress is not None:
                        on_progress(self._progress(index, done, began, recorder.bytes_written))
                # Ctrl-C is how a recording of no stated length ends.
                interrupted = stopped.is_set() and not (
                    self._clip.live and not self._options.discard
                )
                encoder.finish()
                segments = recorder.finish()
            return self._finish(parts, segments, frames, began, interrupted)
        except OSError as error:  # FFmpeg's are OSErrors too
            raise OutputError(
                f"{self._target}: cannot be written ({error.strerror or error}); what is painted "
                f"is kept in {parts.folder.name}, make room and go on with --resume"
            ) from error
        except av.error.FFmpegError as error:
            raise OutputError(
                f"{self._target}: {self.encoding.encoder.name} cannot encode frames of "
                f"{self.encoding.width} x {self.encoding.height} ({error.strerror}); "
                "try another --codec or size"
            ) from error
        finally:
            self._painter.close()
            frames.close()
            encoder.close()
            recorder.close()
            if not parts.finished():
                parts.remove()

    def _begun(
        self, frames: Ahead[ClipFrame], stopped: threading.Event
    ) -> Iterator[tuple[int, ClipFrame, Painting]]:
        """Yield each frame with its number from 1, while those after it are painted already."""
        begun: deque[tuple[int, ClipFrame, Painting]] = deque()
        index = 0
        while not stopped.is_set() and (item := frames.next_within(stopped.is_set)) is not None:
            frame = item[0]
            index += 1
            if frame.picture is None:  # painted by an earlier run
                continue
            begun.append((index, frame, self._painter(frame.picture)))
            if len(begun) > self._painter.at_once:
                yield begun.popleft()
        yield from begun

    def _finish(
        self,
        parts: Parts,
        segments: list[Segment],
        frames: Ahead[ClipFrame],
        began: float,
        interrupted: bool,
    ) -> VideoResult:
        total = sum(segment.frames for segment in segments)
        notes = list(self._clip.notes)
        if self._options.steady and not can_follow():
            notes.append(NOT_FOLLOWED)
        if frames.dropped:
            notes.append(f"{frames.dropped} frames came too fast to be painted and were dropped")
        path: Path | None = None
        if segments and not (interrupted and self._options.discard):
            source = (
                None if self._clip.live or isinstance(self._clip, AnimatedClip) else self._clip.name
            )
            notes += finish(
                self._target, segments, self.encoding, source, self._window(segments, interrupted)
            )
            path = self._target
        if interrupted and path is not None and parts.finished():
            notes.append(f"go on with --resume, or delete {parts.folder.name}")
        else:
            parts.remove()
        return VideoResult(
            path, total, self._painter.painted, time.monotonic() - began, interrupted, notes
        )

    def _window(self, segments: list[Segment], interrupted: bool) -> Window:
        """The part of the source that the segments show."""
        origin = self._clip.origin
        last = segments[-1]
        shown_until = last.begin + max(pts + duration for pts, duration in last.times)
        end = origin + shown_until * self.encoding.time_base
        return Window(
            origin,
            begin=origin if self._options.start else None,
            end=end if interrupted or self._options.stop is not None else None,
        )

    def _progress(self, index: int, done: int, began: float, size: int) -> Progress:
        speed = (index - done) / max(time.monotonic() - began, 1e-6)
        total = self._clip.total_frames
        left = None if total is None else max(0, total - index) / speed
        return Progress(index, total, speed, left, size)


def default_target(source: str | Path, style: str) -> Path:
    """NAME-STYLE.EXT beside the source: its own kind of file if that is written here, else MP4."""
    if is_live(source):
        return Path(f"{str(source).split(':')[0]}-{style}.mp4")
    text = str(source)
    path = Path(text.split("?")[0].rsplit("/", 1)[-1]) if "://" in text else Path(text)
    suffix = path.suffix.lower()
    ending = suffix if suffix in (".mp4", ".mov", ".mkv", ".webm", ".m4v") else ".mp4"
    return path.with_name(f"{path.stem}-{style}{ending}")


def _open_clip(
    source: str | Path, options: VideoOptions, max_side: int | None
) -> Clip | AnimatedClip:
    if "://" in str(source) or Path(source).suffix.lower() not in PICTURE_SUFFIXES:
        return Clip(source, options, max_side)
    if options.start is not None or options.stop is not None or options.fps is not None:
        raise OptionError(f"{source}: --from, --to and --fps are for videos, not animated pictures")
    return AnimatedClip(Path(source), max_side)


def _refuse_target(source: str | Path, target: Path, *, overwrite: bool) -> None:
    if target.exists() and Path(source).exists() and target.samefile(source):
        raise OutputError(f"{target}: is the source itself; choose another name with --out")
    if target.exists() and not overwrite:
        raise OutputError(f"{target}: exists already; add --overwrite, or another name with --out")


def load_painter(style: Any) -> Paints:
    """Return `style` if it can paint already, else the `Stylizer` of that name, path or mixture."""
    if callable(style):
        return style  # type: ignore[no-any-return]
    from sakuga.painting.mixture import open_stylizer

    return open_stylizer(style)


def style_name(stylizer: Paints) -> str:
    """What files painted by it are called after."""
    spec = getattr(stylizer, "spec", None)
    return spec.name if spec is not None else "anime"


def _style_identity(stylizer: Paints) -> str:
    spec = getattr(stylizer, "spec", None)
    return f"{spec.name} {spec.version}" if spec is not None else repr(type(stylizer))


def _identity(source: str | Path) -> list[str | int]:
    """What tells that a source is still the same."""
    path = Path(source)
    if "://" in str(source) or not path.exists():
        return [str(source)]
    facts = path.stat()
    return [str(path.resolve()), facts.st_size, facts.st_mtime_ns]


@contextmanager
def _interruptible() -> Iterator[threading.Event]:
    """Turn the first Ctrl-C into an event; a second one interrupts as usual."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return
    before = signal.getsignal(signal.SIGINT)

    def stop(*_: object) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
