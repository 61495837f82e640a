"""What each kind of file can hold, and how each codec is encoded."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from sakuga.errors import OptionError, OutputError


@dataclass(frozen=True)
class Encoder:
    """How one codec is encoded."""

    name: str  # FFmpeg's
    pixel_format: str
    segment_format: str  # a file format that keeps the codec's packets and exact times
    options: dict[str, str] = field(default_factory=dict)
    crf: int | None = None  # the default; None: the codec has no such scale
    crf_highest: int = 51
    tag: str | None = None  # four letters that MP4 and MOV players look for


@dataclass(frozen=True)
class Container:
    """What one kind of file can hold."""

    format: str  # FFmpeg's name of the muxer
    codecs: tuple[str, ...]  # of video, the default first
    audio: str | None = None  # the encoder for sound that cannot be copied; None: no sound
    audio_copies: frozenset[str] | None = frozenset()  # codecs it takes as they are; None: all
    subtitles: str | None = None  # the encoder for text subtitles that cannot be copied
    subtitle_copies: frozenset[str] = frozenset()
    options: dict[str, str] = field(default_factory=dict)

    @property
    def is_animated(self) -> bool:
        """True for animated pictures: no sound, square pixels, encoded at the end."""
        return self.codecs == ("lossless",)


# Presets: the encoder shares two cores with the painting, and flat anime pictures compress well.
# No mbtree: with AVX-512, x264 (build 165) reads memory there that was never written, for frames of
# many sizes, so the same pictures come out differently from run to run.
ENCODERS = {
    "h264": Encoder("libx264", "yuv420p", "mp4", {"preset": "veryfast", "mbtree": "0"}, crf=19),
    "hevc": Encoder(
        "libx265",
        "yuv420p",
        "mp4",
        {"preset": "fast", "x265-params": "log-level=error"},
        crf=23,
        tag="hvc1",
    ),
    "av1": Encoder("libsvtav1", "yuv420p", "mp4", {"preset": "8"}, crf=30, crf_highest=63),
    "vp9": Encoder(
        "libvpx-vp9",
        "yuv420p",
        "mp4",
        {"deadline": "good", "cpu-used": "4", "row-mt": "1"},
        crf=31,
        crf_highest=63,
    ),
    "prores": Encoder("prores_ks", "yuv422p10le", "mov", {"profile": "hq"}),
    # Between painting and an animated picture, whose palette is chosen at the end.
    "lossless": Encoder("libx264rgb", "rgb24", "mp4", {"preset": "ultrafast", "qp": "0"}),
}
_MP4_AUDIO = frozenset(["aac", "mp3", "ac3", "eac3", "alac", "opus", "flac"])
_MOV_AUDIO = frozenset(
    [
        *("aac", "mp3", "ac3", "eac3", "alac", "pcm_s16le", "pcm_s16be", "pcm_s24le"),
        *("pcm_s24be", "pcm_s32le", "pcm_s32be", "pcm_f32le", "pcm_f64le", "pcm_alaw"),
        *("pcm_mulaw", "pcm_u8"),
    ]
)
_WEBM_AUDIO = frozenset(("opus", "vorbis"))
_MKV_TEXT = frozenset(
    ["subrip", "ass", "ssa", "webvtt", "hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle"]
)
_MOV_TEXT = frozenset(("mov_text",))
_WEB_TEXT = frozenset(("webvtt",))
# The index comes first, so that a browser can start at once.
_FAST_START = {"movflags": "+faststart"}
# Pieces with an index each, for a reader that cannot go back to the beginning: a pipe.
_FRAGMENTED = {"movflags": "+frag_keyframe+delay_moov+default_base_moof"}
# Sound may begin a few milliseconds before 0 (the encoder's run-in); without this Matroska would
# move every frame by that much.
_KEEP_TIMES = {"avoid_negative_ts": "disabled"}
CONTAINERS = {
    ".mp4": Container(
        "mp4", ("h264", "hevc", "av1", "vp9"), "aac", _MP4_AUDIO, "mov_text", _MOV_TEXT, _FAST_START
    ),
    ".m4v": Container(
        "mp4", ("h264", "hevc", "av1"), "aac", _MP4_AUDIO, "mov_text", _MOV_TEXT, _FAST_START
    ),
    ".mov": Container(
        "mov", ("h264", "hevc", "prores"), "aac", _MOV_AUDIO, "mov_text", _MOV_TEXT, _FAST_START
    ),
    ".mkv": Container(
        "matroska",
        ("h264", "hevc", "av1", "vp9", "prores"),
        "libopus",
        None,
        "ass",
        _MKV_TEXT,
        _KEEP_TIMES,
    ),
    ".webm": Container(
        "webm", ("vp9", "av1"), "libopus", _WEBM_AUDIO, "webvtt", _WEB_TEXT, _KEEP_TIMES
    ),
    ".gif": Container("gif", ("lossless",)),
    ".webp": Container("webp", ("lossless",)),
    ".png": Container("apng", ("lossless",)),
    ".apng": Container("apng", ("lossless",)),
}


def container_for(target: Path, *, fragmented: bool = False) -> Container:
    """Look up the kind of file by the ending of `target`.

    Args:
        fragmented: MP4 and MOV in pieces, for pipes.

    Raises:
        OutputError: for an ending that is not among `CONTAINERS`.
    """
    container = CONTAINERS.get(target.suffix.lower())
    if container is None:
        raise OutputError(
            f"{target}: {target.suffix or 'no ending'} is not a kind of video written here; "
            f"end the name with one of {' '.join(CONTAINERS)}"
        )
    if fragmented and container.format in ("mp4", "mov"):
        return replace(container, options=_FRAGMENTED)
    return container


def choose_codec(target: Path, codec: str | None, crf: int | None) -> str:
    """Return the codec for `target`: the one asked for if the file can hold it, else its default.

    Raises:
        OptionError: an unknown codec, one that the file cannot hold, or a crf out of range.
    """
    container = container_for(target)
    shown = [name for name in ENCODERS if name != "lossless"]
    if codec is not None and codec not in shown:
        raise OptionError(f"--codec {codec} is unknown: choose one of {', '.join(shown)}")
    if container.is_animated and (codec is not None or crf is not None):
        raise OptionError(
            f"{target.name}: --codec and --crf are for videos, not for a {target.suffix} picture"
        )
    chosen = codec or container.codecs[0]
    if chosen not in container.codecs:
        holders = [ending for ending, other in CONTAINERS.items() if chosen in other.codecs]
        raise OptionError(
            f"{target.name}: a {target.suffix} file cannot hold {chosen}; use --codec "
            f"{' or '.join(container.codecs)}, or end the name with {' or '.join(holders)}"
        )
    encoder = ENCODERS[chosen]
    if crf is not None and encoder.crf is None:
        raise OptionError(f"--crf does not apply to {chosen}: leave it out")
    if crf is not None and not 0 <= crf <= encoder.crf_highest:
        raise OptionError(f"--crf must be 0 to {encoder.crf_highest} for {chosen}, found {crf}")
    return chosen
