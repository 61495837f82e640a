"""Anime frames -> a row of short encoded files beside the target, so that a killed job can go on.

    clip-novel.mp4.parts/
        job.json       what is being painted and how; a job that differs must not go on
        00000.mp4      frames of the first segment, encoded by an encoder of its own
        00000.json     its times; written last, it says that the segment is whole
        00000.npz      what painter and filter remember at its end; only the latest is kept

Every segment starts with a fresh encoder, also in a job that is never stopped. That is why a
resumed job gives the same frames as an uninterrupted one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from sakuga.errors import OutputError
from sakuga.files import make_folder_of, replacing, write_bytes
from sakuga.images.marks import Mark
from sakuga.video.containers import ENCODERS, Encoder
from sakuga.video.frames import Pixels, from_rgb
from sakuga.video.options import parts_folder

if TYPE_CHECKING:
    from sakuga.video.tracks import AnyPacket

_BT709, _LIMITED = 1, 1  # AVCOL_PRI_BT709, AVCOL_TRC_BT709 and AVCOL_SPC_BT709; AVCOL_RANGE_MPEG
# What a job writes into its folder, and nobody else.
_OWN = re.compile(r"job\.json|\d{5}\.\w+|rehearsal[-.].*|\.(job|\d{5})-\w{8}\.tmp\.\w+")
_DEEPEST_REORDERING = 64  # frames an encoder may put a frame before one that is shown earlier

State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Encoding:
    """All that decides how frames are encoded, and what the file says of itself."""

    codec: str  # a key of `ENCODERS`
    crf: int | None
    width: int  # pixels of a frame
    height: int
    rate: Fraction  # frames per second on average, a hint for the encoder
    time_base: Fraction  # seconds a unit of pts
    pixel_aspect: Fraction  # width / height of one pixel
    mark: Mark | None = None

    @property
    def encoder(self) -> Encoder:
        return ENCODERS[self.codec]


@dataclass(frozen=True)
class Segment:
    """A finished segment."""

    path: Path
    begin: int  # when its first frame is shown, in units of the encoding's time base
    times: list[tuple[int, int]]  # (pts - begin, duration) of each packet, in the order of the file

    @property
    def frames(self) -> int:
        return len(self.times)


class Parts:
    """The folder that holds the segments of one job.

    Args:
        target: the file that will be made.
        job: what is painted and how, as JSON takes it.
        resume: go on with the segments that are there.

    Raises:
        OutputError: an unfinished job is there and `resume` is false, or it was another job; or
            there is something that is no job's.
    """

    def __init__(self, target: Path, job: dict[str, Any], *, resume: bool, restart: bool) -> None:
        self.folder = parts_folder(target).absolute()
        self._description = self.folder / "job.json"
        ours = self._is_ours()
        if ours and restart and not resume:
            self.remove()
            ours = False
        if ours:
            self._check_job(target, job, resume)
            return
        try:
            make_folder_of(self.folder)
            self.folder.mkdir(exist_ok=True)
            foreign = [path.name for path in self.folder.iterdir() if not _is_part(path)]
            if self._description.exists():  # and not ours
                foreign.insert(0, self._description.name)
            if not foreign:
                write_bytes(self._description, json.dumps(job, indent=1).encode())
        except OSError as error:
            raise OutputError(
                f"{target}: cannot be written ({error.strerror}); choose another place"
            ) from error
        if foreign:
            raise OutputError(
                f"{self.folder}: holds {foreign[0]} and no job of this program, and is where one "
                f"for {target.name} would be kept; rename it, or choose another place with --out"
            )

    def _is_ours(self) -> bool:
        """True if an earlier job left the folder, as its description says."""
        try:
            found = json.loads(self._description.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(found, dict) and "sakuga.video" in found

    def _check_job(self, target: Path, job: dict[str, Any], resume: bool) -> None:
        if not resume:
            raise OutputError(
                f"{target}: an unfinished job for it is in {self.folder.name}; go on with "
                "--resume, or start again with --overwrite"
            )
        before = json.loads(self._description.read_text(encoding="utf-8"))
        now = json.loads(json.dumps(job))
        for key in now:
            if before.get(key) != now[key]:
                raise OutputError(
                    f"{target}: the unfinished job had {key} {before.get(key)}, now it is "
                    f"{now[key]}; give the same options, or start again with --overwrite"
                )

    def finished(self) -> list[Segment]:
        """The whole segments from the first on, without a gap."""
        segments: list[Segment] = []
        while (record := self._path(len(segments), ".json")).exists():
            stored = json.loads(record.read_text(encoding="utf-8"))
            times = [(pts, duration) for pts, duration in stored["times"]]
            segments.append(Segment(self.folder / stored["file"], stored["begin"], times))
        return segments

    def load_state(self, count: int) -> State:
        """What painter and filter remembered after the first `count` segments."""
        if count == 0:
            return {}
        with np.load(self._path(count - 1, ".npz")) as stored:
            return dict(stored)

    def keep(self, index: int, segment: Segment, state: State) -> None:
        """Record segment `index` as whole; only after this a resumed job counts it."""
        with replacing(self._path(index, ".npz")) as temporary:
            np.savez(temporary, allow_pickle=False, **state)
        record = {"file": segment.path.name, "begin": segment.begin, "times": segment.times}
        write_bytes(self._path(index, ".json"), json.dumps(record).encode())
        if index:
            self._path(index - 1, ".npz").unlink(missing_ok=True)

    def segment_path(self, index: int, encoder: Encoder) -> Path:
        return self._path(index, "." + encoder.segment_format)

    def remove(self) -> None:
        """Delete what jobs write, and the folder unless somebody put something else into it."""
        with suppress(OSError):
            for path in list(self.folder.iterdir()):
                if _is_part(path):
                    path.unlink(missing_ok=True)
            self.folder.rmdir()

    def _path(self, index: int, suffix: str) -> Path:
        return self.folder / f"{index:05d}{suffix}"


class SegmentWriter:
    """Encodes the frames of one segment to `path`."""

    def __init__(self, path: Path, encoding: Encoding) -> None:
        self._path = path
        self._encoding = encoding
        self._begin: int | None = None
        self._durations: dict[int, int] = {}  # pts - begin -> duration
        self._order: list[int] = []  # pts - begin of the packets as they come out
        self._reformatter = VideoReformatter()
        self._container = av.open(path, "w", format=encoding.encoder.segment_format)
        self._stream = _add_encoder(self._container, encoding)

    def add(self, picture: Pixels, pts: int, duration: int) -> None:
        """Encode one frame (H, W, 3), shown at `pts` for `duration` units of the time base."""
        if self._begin is None:
            self._begin = pts
        frame = from_rgb(picture, self._encoding.encoder.pixel_format, self._reformatter)
        frame.pts = pts - self._begin
        frame.duration = duration
        frame.time_base = self._encoding.time_base
        self._durations[frame.pts] = duration
        self._mux(self._stream.encode(frame))

    def finish(self) -> Segment:
        """Write the rest and close the file."""
        assert self._begin is not None
        self._mux(self._stream.encode(None))
        self._container.close()
        times = [(pts, self._durations[pts]) for pts in self._order]
        assert len(times) == len(self._durations), "the encoder dropped or added a frame"
        return Segment(self._path, self._begin, times)

    def _mux(self, packets: list[AnyPacket]) -> None:
        for packet in packets:
            assert packet.pts is not None
            # The times are in the record. These keep the order, and are not the encoder's, because
            # x265 gives wrong ones for segments of one or two frames.
            packet.dts = len(self._order) - _DEEPEST_REORDERING
            self._order.append(packet.pts)
            self._container.mux(packet)


def _add_encoder(container: av.container.OutputContainer, encoding: Encoding) -> av.VideoStream:
    encoder = encoding.encoder
    os.environ.setdefault("SVT_LOG", "1")  # errors only; SVT-AV1 has no other switch
    options = dict(encoder.options)
    crf = encoder.crf if encoding.crf is None else encoding.crf
    if crf is not None:
        options["crf"] = str(crf)
    even = 1 if encoder.pixel_format == "rgb24" else 2  # `from_rgb` pads likewise
    stream = container.add_stream(
        encoder.name,
        rate=encoding.rate.limit_denominator(100_000),
        options=options,
        width=-(-encoding.width // even) * even,
        height=-(-encoding.height // even) * even,
    )
    assert isinstance(stream, av.VideoStream)
    context = stream.codec_context
    context.pix_fmt = encoder.pixel_format
    context.time_base = encoding.time_base
    context.sample_aspect_ratio = encoding.pixel_aspect
    if encoder.tag is not None:
        context.codec_tag = encoder.tag
    if encoder.pixel_format != "rgb24":
        context.color_primaries = _BT709
        context.color_trc = _BT709
        context.colorspace = _BT709
        context.color_range = _LIMITED
    with _own_scheduling():
        context.open()
    return stream


@contextmanager
def _own_scheduling() -> Iterator[None]:
    """Give this thread its scheduling back: SVT-AV1 makes whoever opens it real-time, as root."""
    if not hasattr(os, "sched_getscheduler"):
        yield
        return
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    try:
        yield
    finally:
        if os.sched_getscheduler(0) != policy:
            os.sched_setscheduler(0, policy, parameters)


def _is_part(path: Path) -> bool:
    return _OWN.fullmatch(path.name) is not None and not path.is_dir()
