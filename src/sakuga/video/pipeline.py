"""Paint one video: decode, paint and encode side by side, in segments that survive a crash."""

from __future__ import annotations

import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error
import numpy as np

from sakuga.errors import OutputError, SakugaError
from sakuga.images.urls import fetch
from sakuga.painting.options import PaintOptions, Stroke
from sakuga.painting.stylizer import Stylizer
from sakuga.paths import kind_of
from sakuga.video.animated import AnimatedClip
from sakuga.video.containers import choose_codec, container_for
from sakuga.video.decode import Clip, ClipFrame
from sakuga.video.deflicker import NOT_FOLLOWED, can_follow, describe_steady
from sakuga.video.marks import video_mark
from sakuga.video.mux import Recipe, finish
from sakuga.video.options import (
    Rate,
    Time,
    VideoOptions,
    as_rate,
    as_seconds,
    is_address,
    is_live,
    may_move,
    parse_aspect,
)
from sakuga.video.painter import HasWeights, Painter, Painting, Paints
from sakuga.video.prefetch import Ahead, Behind
from sakuga.video.recorder import Painted, Recorder
from sakuga.video.rehearsal import rehearse
from sakuga.video.segments import Encoding, Parts, Segment, describe
from sakuga.video.tracks import Window
from sakuga.video.wipe import SWEEP_S, crop_to

if TYPE_CHECKING:
    from sakuga.video.choices import Choices

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
        left = "" if self.seconds_left is None else f", {self.seconds_left:.0f} s left"
        megabytes = f"{self.bytes_written / 1e6:.1f}"
        size = "" if megabytes == "0.0" else f", {megabytes} MB"  # no segment is finished yet
        return f"{self.speed}{left}{size}"

    @property
    def speed(self) -> str:
        """In words, for a bar that shows the time itself: "120 of 300 frames, 12.3 a second"."""
        total = "" if self.total_frames is None else f" of {self.total_frames}"
        return f"{self.frames}{total} frames, {self.frames_per_second:.1f} a second"


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
    start: Time = None,
    stop: Time = None,
    fps: Rate = None,
    options: VideoOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> VideoResult:
    """Paint a video, keeping its times, sound, subtitles and chapters.

    Args:
        strength: 0 (the source) to 1 (the style).
        keep_colour: keep the colours of the source.
        max_side: pixels; larger frames are shrunk so that their longer side is this.
        stroke: weight of the strokes in large frames, see `sakuga.painting.working_size`.
        start, stop: the part to paint, as times of the clip: "1m30s", "00:01:30.5", 90, 90.5 or a
            Fraction of seconds.
        fps: frames per second of the result, as "23.976", 24 or a Fraction; None: the times of the
            source.
        options: what else can be chosen. `start`, `stop` and `fps` go before those in it.
        source, out, style, overwrite, on_progress: as for `paint_clip`.

    Raises:
        InputError, OutputError, OptionError: as `paint_clip` does.
    """
    return paint_clip(
        source,
        out,
        style=style,
        painting=PaintOptions(strength, keep_colour, max_side, stroke),
        overwrite=overwrite,
        options=_with_times(options or VideoOptions(), start, stop, fps),
        on_progress=on_progress,
    )


def paint_clip(
    source: str | Path,
    out: str | Path | None = None,
    *,
    style: Any = "novel",
    painting: PaintOptions,
    overwrite: bool = False,
    options: VideoOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> VideoResult:
    """Paint a video as `paint_video` does, with options of painting that are made already.

    Args:
        source: a path, a URL, `webcam[:N]`, `screen`, or an animated picture.
        out: the file to make, its kind by its ending; by default NAME-STYLE.mp4 beside the source.
        style: a style's name or path, or a `Stylizer` that is already loaded.
        painting: how every frame is to be painted.
        overwrite: replace `out` if it exists.
        options: what else can be chosen.
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
    stylizer = load_painter(style)
    target = Path(out) if out is not None else default_target(source, style_name(stylizer))
    codec = choose_codec(target, options.codec, options.crf)
    _refuse_target(source, target, overwrite=overwrite or options.resume)
    clip = open_clip(source, options, painting.max_side)
    try:
        job = _Job(clip, target, codec, options, Painter(stylizer, painting))
        if isinstance(stylizer, Stylizer):
            mark = video_mark(str(source), stylizer, painting, options)
            job.encoding = replace(job.encoding, mark=mark)
        described = {
            "sakuga.video": 4,  # raised when the same job would give other frames
            "source": _identity(source),
            "style": _style_identity(stylizer),
            **asdict(painting),
            "part": [str(options.start), str(options.stop), str(options.fps)],
            "side_by_side": options.side_by_side,
            "wipe": options.wipe,
            "aspect": options.aspect,
            "steady": describe_steady() if options.steady else "no",
            "segment_frames": options.segment_frames,
            "encoding": describe(job.encoding),
            "ffmpeg": [list(version) for version in av.library_versions.values()],
        }
        return job.run(described, overwrite=overwrite, on_progress=on_progress)
    finally:
        clip.close()


@dataclass(frozen=True)
class _Painted:
    """The pictures of a job, before they are joined."""

    segments: list[Segment]
    interrupted: bool
    notes: list[str]


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
        self._aspect = parse_aspect(options.aspect)
        empty = np.empty((clip.height, clip.width, 3), np.uint8)
        height, width = crop_to(empty, self._aspect, clip.pixel_aspect).shape[:2]
        self.encoding = Encoding(
            codec=codec,
            crf=options.crf,
            width=width * (2 if options.side_by_side else 1),
            height=height,
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
        try:
            # Only the part's beginning is known before it is painted: the end may be a Ctrl-C.
            whole = Window(self._clip.origin, self._begin(), None)
            choices, notes = rehearse(parts.folder, self._recipe(), whole)
            painted = self._paint(parts, began, on_progress)
            notes += painted.notes
            path = self._join(parts, painted, choices, notes)
        except OSError as error:  # FFmpeg's are OSErrors too
            raise OutputError(
                f"{self._target}: cannot be written ({error.strerror or error}); {_kept(parts)}"
            ) from error
        except av.error.FFmpegError as error:
            raise OutputError(
                f"{self._target}: {self.encoding.encoder.name} cannot encode frames of "
                f"{self.encoding.width} x {self.encoding.height} ({error.strerror}); "
                "try another --codec or size"
            ) from error
        finally:
            if not parts.finished():
                parts.remove()
        if painted.interrupted and path is not None and parts.finished():
            notes.append(f"go on with --resume, or delete {parts.folder.name}")
        else:
            parts.remove()
        frames = sum(segment.frames for segment in painted.segments)
        seconds = time.monotonic() - began
        return VideoResult(path, frames, self._painter.painted, seconds, painted.interrupted, notes)

    def _paint(
        self, parts: Parts, began: float, on_progress: Callable[[Progress], None] | None
    ) -> _Painted:
        """Paint what an earlier run did not."""
        segments = parts.finished()
        done = sum(segment.frames for segment in segments)
        state = parts.load_state(len(segments))
        self._painter.restore(state)
        sweep_s = SWEEP_S
        if self._clip.total_frames is not None:  # of a short clip the line sees all
            sweep_s = min(sweep_s, max(1, self._clip.total_frames - 1) / self._clip.rate)
        recorder = Recorder(parts, self.encoding, self._options, segments, state, sweep_s=sweep_s)
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
                segments = recorder.finish(ended=not interrupted)
        finally:
            self._painter.close()
            frames.close()
            encoder.close()
            recorder.close()
        notes = list(self._clip.notes)
        if self._options.steady and not can_follow():
            notes.append(NOT_FOLLOWED)
        if frames.dropped:
            notes.append(f"{frames.dropped} frames came too fast to be painted and were dropped")
        return _Painted(segments, interrupted, notes)

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
            picture = crop_to(frame.picture, self._aspect, self._clip.pixel_aspect)
            frame = replace(frame, picture=picture)
            begun.append((index, frame, self._painter(picture)))
            if len(begun) > self._painter.at_once:
                yield begun.popleft()
        yield from begun

    def _join(
        self, parts: Parts, painted: _Painted, choices: Choices, notes: list[str]
    ) -> Path | None:
        """Make the file; None if none is wanted."""
        if not painted.segments or (painted.interrupted and self._options.discard):
            return None
        last = painted.segments[-1]
        shown_until = last.begin + max(pts + duration for pts, duration in last.times)
        end = self._clip.origin + shown_until * self.encoding.time_base
        cut = painted.interrupted or self._options.stop is not None
        window = Window(self._clip.origin, self._begin(), end if cut else None)
        try:
            notes += finish(self._recipe(), painted.segments, window, choices)
        except SakugaError as error:  # the place, or the source, that is gone by now
            raise OutputError(f"{error}; {_kept(parts)}") from error
        return self._target

    def _begin(self) -> Fraction | None:
        """Seconds of the source where its sound begins to be wanted; None: all is wanted."""
        return self._clip.origin if self._options.start else None

    def _recipe(self) -> Recipe:
        silent = self._clip.live or isinstance(self._clip, AnimatedClip)
        return Recipe(
            self._target,
            container_for(self._target, fragmented=self._options.fragmented),
            self.encoding,
            None if silent else self._clip.name,
        )

    def _progress(self, index: int, done: int, began: float, size: int) -> Progress:
        speed = (index - done) / max(time.monotonic() - began, 1e-6)
        total = self._clip.total_frames
        left = None if total is None else max(0, total - index) / speed
        return Progress(index, total, speed, left, size)


def _kept(parts: Parts) -> str:
    """What a job that failed leaves, and what to do."""
    if not parts.finished():
        return "nothing is kept; make room and start again"
    return f"what is painted is kept in {parts.folder.name}, make room and go on with --resume"


def _with_times(options: VideoOptions, start: Time, stop: Time, fps: Rate) -> VideoOptions:
    return replace(
        options,
        start=options.start if start is None else as_seconds(start),
        stop=options.stop if stop is None else as_seconds(stop),
        fps=options.fps if fps is None else as_rate(fps),
    )


def default_target(source: str | Path, style: str) -> Path:
    """NAME-STYLE.EXT beside the source: its own kind of file if that is written here, else MP4."""
    if is_live(source):
        return Path(f"{str(source).split(':')[0]}-{style}.mp4")
    text = str(source)
    path = Path(text.split("?")[0].rsplit("/", 1)[-1]) if is_address(text) else Path(text)
    suffix = path.suffix.lower()
    ending = suffix if suffix in (".mp4", ".mov", ".mkv", ".webm", ".m4v") else ".mp4"
    return path.with_name(f"{path.stem}-{style}{ending}")


def open_clip(
    source: str | Path, options: VideoOptions, max_side: int | None
) -> Clip | AnimatedClip:
    """Open a video, a live source or an animated picture.

    Raises:
        InputError: it cannot be read, or no frame of it is in the part asked for.
        OptionError: options that make no sense for it.
    """
    if not may_move(source):
        return Clip(source, options, max_side)
    content = fetch(str(source)) if is_address(source) else Path(source)
    return AnimatedClip(content, options, name=str(source), max_side=max_side)


def _refuse_target(source: str | Path, target: Path, *, overwrite: bool) -> None:
    found = kind_of(target)
    own = not is_address(source) and kind_of(Path(source)) != "nothing"
    if found != "nothing" and own and target.samefile(source):
        raise OutputError(f"{target}: is the source itself; choose another name with --out")
    if found == "folder":
        raise OutputError(f"{target}: is a folder; choose another name with --out")
    if found == "file" and not overwrite:
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
    """What tells that a style is still the same."""
    if isinstance(stylizer, HasWeights):
        return f"{style_name(stylizer)}, file {stylizer.weights}"
    return f"{style_name(stylizer)}, {type(stylizer)!r}"


def _identity(source: str | Path) -> list[str | int]:
    """What tells that a source is still the same."""
    path = Path(source)
    if is_address(source) or not path.exists():
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
