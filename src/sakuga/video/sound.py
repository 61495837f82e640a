"""Sound that the new file cannot hold as it is: decoded, laid out, encoded again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import av.error
import av.filter

from sakuga.video.containers import Container
from sakuga.video.tracks import Track, Window

if TYPE_CHECKING:
    from sakuga.video.tracks import AnyPacket

_BITS_A_CHANNEL = 80_000  # per second
_FALLBACK_RATE = 48_000  # Hz, for encoders that do not take the source's rate
_MOST_OVERLAP_S = Fraction(1, 20)  # that the rounding of times explains
# Where the channels are heard, by their number: what an encoder is offered, the usual first.
_LAYOUTS = {
    3: ("2.1", "3.0"),
    4: ("4.0", "quad"),
    5: ("5.0",),
    6: ("5.1",),
    7: ("6.1",),
    8: ("7.1",),
}
_UNNAMED = re.compile(r"\d+ channels")  # what FFmpeg calls a layout of which only that is known


class AudioConversion(Track):
    """Sound that is decoded and encoded again.

    Args:
        source: its decoder says how many channels there are.
        target: a new stream, whose encoder is set up here.
    """

    def __init__(
        self, source: av.AudioStream, target: av.AudioStream, container: Container, window: Window
    ) -> None:
        super().__init__(source, target, window)
        source.codec_context.open(strict=False)  # a decoder that does not open is found out here
        self._encoder = target
        context = target.codec_context
        context.layout = _layout_for(source, target)
        context.bit_rate = _BITS_A_CHANNEL * context.layout.nb_channels
        self._graph: av.filter.Graph | None = None
        self._shape: tuple[str, str, int] | None = None  # of the frames that the graph takes
        self._until: Fraction | None = None  # seconds: when the sound so far ends

    def take(self, packet: AnyPacket) -> list[AnyPacket]:
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            self.damaged += 1
            return []
        packets: list[AnyPacket] = []
        for frame in frames:
            assert isinstance(frame, av.AudioFrame)
            base = frame.time_base or self._base
            if frame.pts is None or not self._window.holds(frame.pts * base):
                continue
            begin = frame.pts - round(self._window.origin / base)
            if self._until is not None and begin * base < self._until - _MOST_OVERLAP_S:
                begin = round(self._until / base)  # broken times: what comes later is heard later
            self._until = begin * base + Fraction(frame.samples, frame.sample_rate)
            frame.pts = begin
            packets += self._encode(frame, base)
        return packets

    def finish(self) -> list[AnyPacket]:
        return self._drain() + self._encoder.encode(None)

    def _encode(self, frame: av.AudioFrame, base: Fraction) -> list[AnyPacket]:
        shape = (frame.format.name, frame.layout.name, frame.sample_rate)
        packets: list[AnyPacket] = []
        if self._graph is None or shape != self._shape:  # sound may change in the middle of a track
            packets += self._drain()
            self._graph, self._shape = _fitting(frame, base, self._encoder.codec_context), shape
        self._graph.push(frame)
        return packets + self._pull()

    def _drain(self) -> list[AnyPacket]:
        """Encode what is left in the graph."""
        if self._graph is None:
            return []
        self._graph.push(None)
        packets = self._pull()
        self._graph = None
        return packets

    def _pull(self) -> list[AnyPacket]:
        assert self._graph is not None
        packets: list[AnyPacket] = []
        while True:
            try:
                frame = self._graph.pull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return packets
            assert isinstance(frame, av.AudioFrame)
            packets += self._encoder.encode(frame)


def add_sound(
    source: av.stream.Stream,
    target: av.container.OutputContainer,
    container: Container,
    window: Window,
) -> AudioConversion:
    """Add a stream for sound that is encoded again.

    Raises:
        ValueError, av.error.FFmpegError: there is no encoder, or it cannot be opened.
    """
    assert isinstance(source, av.AudioStream) and container.audio is not None
    rates = av.Codec(container.audio, "w").audio_rates
    rate = source.rate if rates is None or source.rate in rates else _FALLBACK_RATE
    stream = target.add_stream(container.audio, rate=rate)
    assert isinstance(stream, av.AudioStream)
    return AudioConversion(source, stream, container, window)


def _layout_for(source: av.AudioStream, target: av.AudioStream) -> str:
    """The layout nearest to the source's that the encoder takes.

    Raises:
        ValueError: the source has no channels.
    """
    layout = source.codec_context.layout
    if layout.nb_channels < 1:
        raise ValueError("it has no channels")
    for offer in _offers(layout):
        trial = av.CodecContext.create(target.codec_context.codec.name, "w")
        assert isinstance(trial, av.AudioCodecContext)
        trial.sample_rate = target.codec_context.sample_rate
        trial.format, trial.layout = target.codec_context.format, offer
        try:
            trial.open()
        except av.error.FFmpegError:
            continue
        return offer
    raise ValueError(f"no layout of its {layout.nb_channels} channels can be encoded")


def _offers(layout: av.AudioLayout) -> Iterator[str]:
    if not _UNNAMED.fullmatch(layout.name):
        yield layout.name
    yield from _LAYOUTS.get(layout.nb_channels, ())
    if layout.nb_channels > 1:
        yield "stereo"
    yield "mono"


def _fitting(
    frame: av.AudioFrame, base: Fraction, encoder: av.AudioCodecContext
) -> av.filter.Graph:
    """A graph that turns frames like this one into what the encoder takes."""
    unnamed = _UNNAMED.fullmatch(frame.layout.name) is not None
    try:
        return _graph(frame, base, encoder, by_number=unnamed)
    except (av.error.FFmpegError, ValueError):  # a layout that FFmpeg cannot mix from
        return _graph(frame, base, encoder, by_number=True)


def _graph(
    frame: av.AudioFrame, base: Fraction, encoder: av.AudioCodecContext, *, by_number: bool
) -> av.filter.Graph:
    graph = av.filter.Graph()
    layout = encoder.layout
    steps = [
        graph.add_abuffer(
            sample_rate=frame.sample_rate,
            format=frame.format,
            layout=frame.layout.name,
            time_base=base,
        )
    ]
    if by_number:
        steps.append(graph.add("pan", _pan(frame.layout.nb_channels, layout)))
    steps.append(
        graph.add(
            "aformat",
            sample_fmts=encoder.format.name,
            sample_rates=str(encoder.sample_rate),
            channel_layouts=layout.name,
        )
    )
    steps.append(graph.add("abuffersink"))
    graph.link_nodes(*steps)
    graph.configure()
    return graph


def _pan(channels: int, layout: av.AudioLayout) -> str:
    """Channel after channel, in turn: those that meet in one place are averaged."""
    count = layout.nb_channels
    places = []
    for place in range(count):
        sources = range(place, channels, count)
        if sources:
            places.append(
                f"c{place}=" + "+".join(f"{1 / len(sources):.6f}*c{one}" for one in sources)
            )
    return "|".join([layout.name, *places])
