"""The sound and subtitles of the source: packets copied where the file allows, else converted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
import av.error

from sakuga.video.containers import Container

if TYPE_CHECKING:
    from av.packet import Packet

    AnyPacket = Packet[Any]

_AUDIO_BITS_A_CHANNEL = 80_000  # per second, when sound must be encoded again
_FALLBACK_RATE = 48_000  # Hz, for encoders that do not take the source's rate
# Tags that describe the old file and would be wrong in the new one.
_OWN_TAGS = frozenset(
    [
        "major_brand",
        "minor_version",
        "compatible_brands",
        "encoder",
        "vendor_id",
        "duration",
        "rotate",
        "timecode",
        "creation_time",
        "number_of_frames",
        "number_of_bytes",
        "bps",
    ]
)


@dataclass(frozen=True)
class Window:
    """The part of the source that goes into the result."""

    origin: Fraction  # seconds of the source that become 0
    begin: Fraction | None  # seconds of the source; what starts earlier is left out; None: nothing
    end: Fraction | None  # what starts here or later is left out; None: nothing

    def holds(self, time: Fraction) -> bool:
        return (self.begin is None or time >= self.begin) and (self.end is None or time < self.end)


class Track:
    """One stream of the source and the stream of the result it becomes."""

    def __init__(self, source: av.stream.Stream, target: av.stream.Stream, window: Window) -> None:
        self._target = target
        self._window = window
        self._base = source.time_base or Fraction(1, 1000)
        self._shift = round(window.origin / self._base)  # units of the source's time base
        target.metadata.update(kept_tags(source.metadata))
        target.disposition = source.disposition

    def take(self, packet: AnyPacket) -> list[AnyPacket]:
        """Turn one packet of the source into packets of the result."""
        if packet.pts is None or not self._window.holds(packet.pts * self._base):
            return []
        packet.pts -= self._shift
        packet.dts = packet.pts if packet.dts is None else packet.dts - self._shift
        packet.stream = self._target
        return [packet]

    def finish(self) -> list[AnyPacket]:
        """The packets that are still inside."""
        return []


class AudioConversion(Track):
    """Sound that is decoded and encoded again."""

    def __init__(self, source: av.AudioStream, target: av.AudioStream, window: Window) -> None:
        super().__init__(source, target, window)
        self._encoder = target
        self.damaged = 0

    def take(self, packet: AnyPacket) -> list[AnyPacket]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        packets: list[AnyPacket] = []
        for frame in frames:
            assert isinstance(frame, av.AudioFrame)
            if frame.pts is None:
                continue
            if not self._window.holds(frame.pts * (frame.time_base or self._base)):
                continue
            frame.pts -= round(self._window.origin / (frame.time_base or self._base))
            packets += self._encoder.encode(frame)
        return packets

    def finish(self) -> list[AnyPacket]:
        return self._encoder.encode(None)


class SubtitleConversion(Track):
    """Text subtitles that are written in another notation."""

    def __init__(
        self,
        source: av.subtitles.stream.SubtitleStream,
        target: av.subtitles.stream.SubtitleStream,
        window: Window,
    ) -> None:
        super().__init__(source, target, window)
        self._decoder = source.codec_context
        self._encoder = target.codec_context

    def take(self, packet: AnyPacket) -> list[AnyPacket]:
        if packet.pts is None or not packet.size:
            return []
        shown = self._decoder.decode2(packet)
        if shown is None or not len(shown.rects) or not self._window.holds(packet.pts * self._base):
            return []
        converted = self._encoder.encode_subtitle(shown)
        converted.time_base = self._base
        converted.pts = converted.dts = packet.pts - self._shift
        converted.duration = packet.duration or 0
        converted.stream = self._target
        return [converted]


def add_tracks(
    source: av.container.InputContainer,
    target: av.container.OutputContainer,
    container: Container,
    window: Window,
    notes: list[str],
) -> dict[int, Track]:
    """Add a stream to `target` for each sound and subtitle stream of `source`, by its index there.

    What the file cannot hold is left out, and `notes` says so.
    """
    tracks: dict[int, Track] = {}
    for stream in source.streams:
        track: Track | None = None
        if isinstance(stream, av.AudioStream):
            track = _add_audio(stream, target, container, window, notes)
        elif isinstance(stream, av.subtitles.stream.SubtitleStream):
            track = _add_subtitles(stream, target, container, window)
        elif isinstance(stream, av.VideoStream):
            continue
        if track is not None:
            tracks[stream.index] = track
        else:
            codec = getattr(stream, "name", None) or "of an unknown kind"
            notes.append(f"track {stream.index} ({stream.type}, {codec}) was left out")
    return tracks


def read_packets(
    source: av.container.InputContainer, tracks: dict[int, Track], window: Window, notes: list[str]
) -> Iterator[tuple[Fraction, list[AnyPacket]]]:
    """Yield (seconds in the result, packets for it) for all tracks, in the order of the source."""
    streams = [source.streams[index] for index in tracks]
    seconds = Fraction(0)
    packets = source.demux(streams) if streams else iter(())
    past_end: set[int] = set()
    while len(past_end) < len(streams):
        try:
            packet = next(packets, None)
        except av.error.FFmpegError as error:
            notes.append(f"the sound ends early, its data is damaged ({error.strerror})")
            break
        if packet is None:
            break
        if packet.dts is None and packet.pts is None:  # the demuxer's sign for the end of a stream
            continue
        if packet.pts is not None:
            shown = packet.pts * packet.time_base
            if window.end is not None and shown >= window.end + 1:  # a second for reordering
                past_end.add(packet.stream_index)
                continue
            seconds = shown - window.origin
        yield seconds, tracks[packet.stream_index].take(packet)
    for track in tracks.values():
        yield seconds, track.finish()
        if isinstance(track, AudioConversion) and track.damaged:
            notes.append(f"{track.damaged} damaged packets of sound were left out")


def kept_tags(metadata: dict[str, str]) -> dict[str, str]:
    """The tags that are as true of the painted file as of the source: title, language, date."""
    return {
        key: value
        for key, value in metadata.items()
        if key.lower().split("-")[0] not in _OWN_TAGS and not key.startswith("_STATISTICS")
    }


def _add_audio(
    stream: av.AudioStream,
    target: av.container.OutputContainer,
    container: Container,
    window: Window,
    notes: list[str],
) -> Track | None:
    if stream.codec_context is None or container.audio is None:
        return None
    codec = stream.codec_context.codec.canonical_name
    if container.audio_copies is None or codec in container.audio_copies:
        return Track(stream, target.add_stream_from_template(stream), window)
    rates = av.Codec(container.audio, "w").audio_rates
    rate = stream.rate if rates is None or stream.rate in rates else _FALLBACK_RATE
    encoded = target.add_stream(container.audio, rate=rate)
    assert isinstance(encoded, av.AudioStream)
    encoded.codec_context.layout = stream.codec_context.layout.name
    encoded.codec_context.bit_rate = _AUDIO_BITS_A_CHANNEL * stream.codec_context.layout.nb_channels
    notes.append(f"sound was encoded again as {container.audio}, this file cannot hold {codec}")
    return AudioConversion(stream, encoded, window)


def _add_subtitles(
    stream: av.subtitles.stream.SubtitleStream,
    target: av.container.OutputContainer,
    container: Container,
    window: Window,
) -> Track | None:
    context = stream.codec_context
    if context is None or container.subtitles is None:
        return None
    if context.codec.canonical_name in container.subtitle_copies:
        return Track(stream, target.add_stream_from_template(stream), window)
    if context.codec.bitmap_sub:
        return None  # pictures of text: no notation holds them
    context.open(strict=False)
    converted = target.add_stream(container.subtitles)
    assert isinstance(converted, av.subtitles.stream.SubtitleStream)
    converted.codec_context.subtitle_header = context.subtitle_header
    converted.codec_context.time_base = Fraction(1, 1000)
    return SubtitleConversion(stream, converted, window)
