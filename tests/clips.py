"""Small clips made on the spot, and what a player would see and hear of a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT, FRAMES, RATE = 64, 48, 20, 25


def picture(index: int, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A picture that says which it is: four flat quarters whose levels depend on the index."""
    levels = np.array([40, 90, 140, 190]) + (index * 7) % 50
    shown = np.empty((height, width, 3), np.uint8)
    shown[: height // 2, : width // 2] = levels[0]
    shown[: height // 2, width // 2 :] = (levels[1], levels[1], levels[2])
    shown[height // 2 :, : width // 2] = (levels[2], levels[1], levels[1])
    shown[height // 2 :, width // 2 :] = levels[3]
    return shown


@dataclass
class Sound:
    """A tone in one audio track."""

    codec: str = "aac"
    rate: int = 48_000
    layout: str = "stereo"
    seconds: float = FRAMES / RATE
    tone: float = 440.0
    language: str | None = None


def make_clip(
    path: Path,
    *,
    frames: int = FRAMES,
    width: int = WIDTH,
    height: int = HEIGHT,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    time_base: Fraction = Fraction(1, 12_800),
    times: Sequence[int] | None = None,
    sounds: Sequence[Sound] = (),
    rotation: int | None = None,
    options: dict[str, str] | None = None,
    context: dict[str, Any] | None = None,
    chapters: Sequence[tuple[float, float, str]] = (),
    tags: dict[str, str] | None = None,
    pictures: Sequence[np.ndarray] | None = None,
    container_options: dict[str, str] | None = None,
) -> Path:
    """Write a clip of `picture(0)`, `picture(1)`, ... shown at `times` (units of the time base)."""
    step = round(1 / (RATE * time_base))
    times = times or [step * index for index in range(frames)]
    with av.open(path, "w", container_options=container_options or {}) as output:
        output.metadata.update(tags or {})
        video = output.add_stream(codec, rate=RATE, width=width, height=height)
        video.pix_fmt = pixel_format
        video.codec_context.time_base = time_base
        video.codec_context.options = {"crf": "10", **(options or {})}
        for name, value in (context or {}).items():
            setattr(video.codec_context, name, value)
        if rotation is not None:
            video.set_display_rotation(rotation)
        tracks = []
        for sound in sounds:
            track = output.add_stream(sound.codec, rate=sound.rate)
            track.codec_context.layout = sound.layout
            if sound.language:
                track.metadata["language"] = sound.language
            tracks.append(track)
        output.set_chapters(
            [
                {
                    "id": index + 1,
                    "start": round(begin * 1000),
                    "end": round(end * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for index, (begin, end, title) in enumerate(chapters)
            ]
        )
        for index, time in enumerate(times):
            shown = picture(index, width, height) if pictures is None else pictures[index]
            frame = av.VideoFrame.from_ndarray(shown, format="rgb24").reformat(format=pixel_format)
            frame.pts, frame.time_base, frame.duration = time, time_base, step
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for sound, track in zip(sounds, tracks, strict=True):
            phase = np.arange(round(sound.seconds * sound.rate)) * 2 * np.pi / sound.rate
            wave = (np.sin(phase * sound.tone) * 8000).astype(np.int16)
            channels = track.codec_context.layout.nb_channels
            samples = np.repeat(wave[None], channels, 0).T.reshape(1, -1)
            audio = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(samples), format="s16", layout=sound.layout
            )
            audio.rate, audio.pts, audio.time_base = sound.rate, 0, Fraction(1, sound.rate)
            output.mux(track.encode(audio))
            output.mux(track.encode(None))
    return path


@dataclass
class Seen:
    """What is in a clip."""

    times: list[Fraction]  # seconds
    pictures: list[np.ndarray]  # as stored, not turned
    rotations: list[int]
    seconds: float  # of the container
    audio: list[list[bytes]] = field(default_factory=list)  # packets of each track
    audio_times: list[list[Fraction]] = field(default_factory=list)
    audio_codecs: list[str] = field(default_factory=list)


def look(path: Path) -> Seen:
    """Decode a clip, and read the packets of its sound."""
    with av.open(path) as clip:
        frames = list(clip.decode(video=0))
        seen = Seen(
            [frame.pts * frame.time_base for frame in frames],
            [frame.to_ndarray(format="rgb24") for frame in frames],
            [frame.rotation for frame in frames],
            (clip.duration or 0) / av.time_base,
        )
    with av.open(path) as clip:
        for stream in clip.streams.audio:
            seen.audio.append([])
            seen.audio_times.append([])
            seen.audio_codecs.append(stream.codec_context.codec.canonical_name)
        order = {stream.index: place for place, stream in enumerate(clip.streams.audio)}
        packets = clip.demux(list(clip.streams.audio)) if order else ()
        for packet in packets:
            if packet.size:
                seen.audio[order[packet.stream_index]].append(bytes(packet))
                seen.audio_times[order[packet.stream_index]].append(packet.pts * packet.time_base)
    return seen
