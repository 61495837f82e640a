"""Clips of every odd kind through `paint_video`, looked at with PyAV alone."""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter
from clips import FRAMES, HEIGHT, RATE, WIDTH, Sound, look, make_clip, picture
from PIL import Image

from sakuga.errors import InputError, OptionError, OutputError
from sakuga.video import VideoOptions, is_video, paint_video, preview_video
from sakuga.video.decode import Clip, ClipFrame
from sakuga.video.mux import decoding_times
from sakuga.video.options import parse_rate, parse_time, parts_folder
from sakuga.video.recorder import Painted, Recorder
from sakuga.video.segments import Encoding, SegmentWriter

PLAIN = VideoOptions(steady=False)
CONTAINERS = ("mp4", "mov", "mkv", "webm")
TESTS = [str(folder) for folder in Path(__file__).parents[:2]]  # this one, and that of `clips`


class Invert:
    """A style that is easy to check: 255 - photo."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(
        self,
        photo: np.ndarray,
        *,
        strength: float = 1.0,
        keep_colour: bool = False,
        stroke: int | str = "auto",
    ) -> np.ndarray:
        self.calls += 1
        return np.round(photo + strength * (255.0 - 2.0 * photo)).astype(np.uint8)


def paint(source: Path, out: Path, **options: object):
    return paint_video(source, out, style=Invert(), options=VideoOptions(steady=False, **options))


def assert_inverted(
    source: list[np.ndarray], result: list[np.ndarray], tolerance: float = 3
) -> None:
    assert len(source) == len(result)
    for before, after in zip(source, result, strict=True):
        assert before.shape == after.shape
        assert np.abs(255.0 - before - after).mean() < tolerance


def assert_same_times(source: list[Fraction], result: list[Fraction], unit: Fraction) -> None:
    assert len(source) == len(result)
    for before, after in zip(source, result, strict=True):
        assert abs(before - after) <= unit / 2


# --- times and sound ---


@pytest.mark.parametrize("ending", CONTAINERS)
@pytest.mark.parametrize("sound", ["aac", "libopus"])
def test_times_and_sound_are_kept(tmp_path: Path, ending: str, sound: str) -> None:
    source = make_clip(tmp_path / "in.mkv", time_base=Fraction(1, 1000), sounds=[Sound(sound)])
    out = tmp_path / f"out.{ending}"
    result = paint(source, out)
    before, after = look(source), look(out)
    assert result.frames == FRAMES
    unit = Fraction(1, 1000) if ending in ("mkv", "webm") else Fraction(1, 12_800)
    assert_same_times(before.times, after.times, unit)
    assert_inverted(before.pictures, after.pictures)
    copied = (ending, sound) not in {("webm", "aac"), ("mov", "libopus")}
    if copied:
        assert after.audio == before.audio
        assert_same_times(before.audio_times[0], after.audio_times[0], Fraction(1, 1000))
    else:
        packet_s = 1024 / 48_000
        assert after.audio_codecs[0] == {"webm": "opus", "mov": "aac"}[ending]
        assert abs(after.seconds - before.seconds) <= 2 * packet_s
        assert any("encoded again" in note for note in result.notes)
    with av.open(out) as clip:
        heard = np.concatenate([f.to_ndarray().ravel() for f in clip.decode(audio=0)])
        assert np.abs(heard).max() > 0.1  # it is not silence


def test_mp4_to_mkv_does_not_move_the_picture_by_the_run_in_of_the_sound(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", sounds=[Sound()])
    paint(source, tmp_path / "out.mkv")
    before, after = look(source), look(tmp_path / "out.mkv")
    assert after.times[0] == 0
    assert_same_times(before.times, after.times, Fraction(1, 1000))
    assert after.audio == before.audio


def test_variable_frame_rate(tmp_path: Path) -> None:
    base = Fraction(1, 600)
    times = [0, 20, 30, 70, 71, 120, 240, 250, 251, 300]
    source = make_clip(tmp_path / "in.mp4", times=times, time_base=base)
    paint(source, tmp_path / "out.mp4", segment_frames=3)
    assert look(tmp_path / "out.mp4").times == [time * base for time in times]


@pytest.mark.parametrize("frame_rate", ["24000/1001", "30000/1001", "60"])
def test_fractional_rates_are_exact(tmp_path: Path, frame_rate: str) -> None:
    base = 1 / Fraction(frame_rate)
    source = make_clip(tmp_path / "in.mp4", times=range(10), time_base=base)
    paint(source, tmp_path / "out.mp4", segment_frames=4)
    before, after = look(source), look(tmp_path / "out.mp4")
    assert after.times == before.times == [index * base for index in range(10)]
    assert after.seconds == pytest.approx(before.seconds, abs=0.001)


def test_a_gap_in_the_times_is_kept(tmp_path: Path) -> None:
    times = [512 * index + (12_800 * 3 if index >= 10 else 0) for index in range(FRAMES)]
    source = make_clip(tmp_path / "in.mp4", times=times)
    paint(source, tmp_path / "out.mp4")
    assert look(tmp_path / "out.mp4").times == look(source).times


@pytest.mark.parametrize("ending", ["mp4", "mov"])
def test_frames_before_zero_are_not_shown(tmp_path: Path, ending: str) -> None:
    """Such files tell the player to begin later; what a player shows is what is painted."""
    times = [512 * index - 1024 for index in range(FRAMES)]
    source = make_clip(tmp_path / f"in.{ending}", times=times, sounds=[Sound()])
    paint(source, tmp_path / "out.mp4")
    before, after = look(source), look(tmp_path / "out.mp4")
    assert len(before.times) == FRAMES - 2
    assert after.times == before.times
    assert_inverted([picture(index) for index in range(2, FRAMES)], after.pictures)
    assert after.audio == before.audio


def test_a_broadcast_that_starts_late_starts_at_zero(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.ts", time_base=Fraction(1, 90_000), sounds=[Sound()])
    before = look(source)
    assert before.times[0] > 0
    paint(source, tmp_path / "out.mp4")
    after = look(tmp_path / "out.mp4")
    origin = min(before.times[0], before.audio_times[0][0])
    assert_same_times([t - origin for t in before.times], after.times, Fraction(1, 10_000))
    assert len(after.audio[0]) == len(before.audio[0])


def test_b_frames_and_segments_are_joined_in_order(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=23, options={"bf": "3"})
    paint(source, tmp_path / "out.mp4", segment_frames=7)
    before, after = look(source), look(tmp_path / "out.mp4")
    assert after.times == before.times
    assert_inverted(before.pictures, after.pictures)


def test_decoding_times_rise_and_come_before_showing() -> None:
    shown = [0, 30, 10, 20, 70, 40, 50, 100, 90, 80]
    decoded = decoding_times(shown)
    assert all(earlier < later for earlier, later in pairwise(decoded))
    assert all(when <= seen for when, seen in zip(decoded, shown, strict=True))
    assert decoding_times([5, 6, 9]) == [5, 6, 9]


def test_several_tracks_subtitles_chapters_and_tags(tmp_path: Path) -> None:
    sounds = [Sound(language="eng"), Sound("ac3", tone=880, language="jpn")]
    clip = make_clip(
        tmp_path / "plain.mkv",
        sounds=sounds,
        chapters=[(0, 0.4, "Dawn"), (0.4, 0.8, "Dusk")],
        tags={"title": "A day"},
    )
    source = add_subtitles(clip, tmp_path / "in.mkv", "Hello there", 0.2, 0.3)
    for ending in ("mkv", "mp4"):
        out = tmp_path / f"out.{ending}"
        result = paint(source, out)
        assert look(out).audio == look(source).audio
        with av.open(out) as made:
            assert [stream.language for stream in made.streams.audio] == ["eng", "jpn"]
            assert made.metadata["title"] == "A day"
            chapters = made.chapters()
            assert [chapter["metadata"]["title"] for chapter in chapters] == ["Dawn", "Dusk"]
            assert chapters[1]["start"] * chapters[1]["time_base"] == Fraction(2, 5)
            (subtitles,) = made.streams.subtitles
            assert subtitles.language == "fre"
            packets = [packet for packet in made.demux(subtitles) if packet.size > 2]
            assert b"Hello there" in bytes(packets[0])
            assert packets[0].pts * packets[0].time_base == pytest.approx(0.2, abs=0.001)
        assert not result.notes
    paint(source, tmp_path / "out.webm")
    with av.open(tmp_path / "out.webm") as made:
        assert [stream.codec_context.name for stream in made.streams.subtitles] == ["webvtt"]
        assert len(made.streams.audio) == 2


def add_subtitles(clip: Path, out: Path, text: str, begin: float, seconds: float) -> Path:
    """Copy a clip with one line of SubRip text added."""
    with av.open(clip) as source, av.open(out, "w") as output:
        output.metadata.update(source.metadata)
        output.set_chapters(source.chapters())
        streams = {}
        for stream in source.streams:
            streams[stream.index] = output.add_stream_from_template(stream)
            streams[stream.index].metadata.update(stream.metadata)
        subtitles = output.add_stream("subrip")
        subtitles.codec_context.subtitle_header = (
            b"[Script Info]\nScriptType: v4.00+\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\n"
            b"Style: Default,Arial,16\n[Events]\nFormat: Layer, Start, End, Style, Name, Text\n"
        )
        subtitles.codec_context.time_base = Fraction(1, 1000)
        subtitles.metadata["language"] = "fre"
        line = av.subtitles.subtitle.SubtitleSet.create(
            text=f"0,0,Default,,0,0,0,,{text}".encode(), start=0, end=round(seconds * 1000)
        )
        packet = subtitles.codec_context.encode_subtitle(line)
        packet.time_base = Fraction(1, 1000)
        packet.pts = packet.dts = round(begin * 1000)
        packet.duration = round(seconds * 1000)
        packet.stream = subtitles
        output.mux(packet)
        for packet in source.demux():
            if packet.dts is not None or packet.pts is not None:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    return out


def test_sound_longer_than_the_picture_is_kept_whole(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", sounds=[Sound(seconds=2.0)])
    paint(source, tmp_path / "out.mp4")
    before, after = look(source), look(tmp_path / "out.mp4")
    assert after.audio == before.audio
    assert after.seconds == pytest.approx(before.seconds, abs=0.001)


def test_mono_at_8_khz_in_a_kind_of_file_that_must_encode_it_again(tmp_path: Path) -> None:
    sound = Sound("pcm_mulaw", rate=8000, layout="mono")
    source = make_clip(tmp_path / "in.mov", sounds=[sound])
    for ending, codec in (("mov", "pcm_mulaw"), ("mp4", "aac"), ("webm", "opus")):
        out = tmp_path / f"out.{ending}"
        paint(source, out)
        assert look(out).audio_codecs == [codec]
        with av.open(out) as clip:
            assert clip.streams.audio[0].codec_context.layout.name == "mono"
            assert (clip.duration or 0) / av.time_base == pytest.approx(0.8, abs=0.13)
    assert look(tmp_path / "out.mov").audio == look(source).audio


# --- odd pictures ---


def upright(shown: np.ndarray, rotation: int) -> np.ndarray:
    return np.rot90(shown, rotation // 90)  # both count counterclockwise


@pytest.mark.parametrize("rotation", [90, 180, 270])
def test_rotation_is_applied_once(tmp_path: Path, rotation: int) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=3, rotation=rotation)
    assert look(source).rotations[0] % 360 == rotation
    paint(source, tmp_path / "out.mp4")
    after = look(tmp_path / "out.mp4")
    assert set(after.rotations) == {0}
    assert_inverted([upright(picture(i), rotation) for i in range(3)], after.pictures)


def test_a_mirrored_clip_is_shown_mirrored(tmp_path: Path) -> None:
    plain = make_clip(tmp_path / "plain.mp4", frames=2)
    mirrored = tmp_path / "in.mp4"
    with av.open(plain) as source, av.open(mirrored, "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(0, hflip=True)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = stream
                output.mux(packet)
    paint(mirrored, tmp_path / "out.mp4")
    expected = [picture(index)[:, ::-1] for index in range(2)]
    assert_inverted(expected, look(tmp_path / "out.mp4").pictures)


def test_odd_sizes_are_padded_by_their_own_edge(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2, width=65, height=49, pixel_format="yuv444p")
    paint(source, tmp_path / "out.mp4")
    shown = look(tmp_path / "out.mp4").pictures[0]
    assert shown.shape == (50, 66, 3)
    assert np.abs(shown[:49, :65] - (255.0 - picture(0, 65, 49))).mean() < 4
    assert np.abs(shown[49].astype(int) - shown[48]).max() < 8


@pytest.mark.parametrize("pixel_format", ["yuv420p10le", "yuv444p", "yuv422p"])
def test_other_pixel_formats(tmp_path: Path, pixel_format: str) -> None:
    source = make_clip(tmp_path / "in.mp4", pixel_format=pixel_format)
    paint(source, tmp_path / "out.mp4")
    after = look(tmp_path / "out.mp4")
    assert_inverted(look(source).pictures, after.pictures)
    with av.open(tmp_path / "out.mp4") as clip:
        assert clip.streams.video[0].pix_fmt == "yuv420p"


def test_colours_come_through_both_matrices(tmp_path: Path) -> None:
    """A clip in the matrix of BT.601 or BT.709, tagged or by its size, keeps its flat colours."""
    colours = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for place, colour in enumerate([(200, 40, 40), (40, 200, 40), (40, 40, 200), (210, 200, 30)]):
        colours[:, 16 * place : 16 * (place + 1)] = colour
    for space, name in ((1, "ITU709"), (6, "ITU601")):
        frame = av.VideoFrame.from_ndarray(colours, format="rgb24").reformat(
            format="yuv444p", dst_colorspace=name, dst_color_range="MPEG"
        )
        path = tmp_path / f"in{space}.mp4"
        with av.open(path, "w") as output:
            video = output.add_stream("libx264", rate=RATE, width=WIDTH, height=HEIGHT)
            video.pix_fmt = "yuv444p"
            video.codec_context.colorspace = space
            video.codec_context.color_range = 1
            video.codec_context.options = {"crf": "1"}
            frame.pts, frame.time_base = 0, Fraction(1, RATE)
            output.mux(video.encode(frame))
            output.mux(video.encode(None))
        paint(path, tmp_path / f"out{space}.mp4", crf=1)
        with av.open(tmp_path / f"out{space}.mp4") as clip:
            shown = next(clip.decode(video=0))
            assert shown.colorspace == 1
            result = shown.to_ndarray(format="rgb24")
        middles = result[HEIGHT // 2, 8::16].astype(int)
        assert np.abs(middles - (255 - colours[0, 8::16].astype(int))).max() <= 4


@pytest.mark.parametrize("transfer", [16, 18])
def test_hdr_is_tone_mapped_and_said(tmp_path: Path, transfer: int) -> None:
    context = {"color_trc": transfer, "color_primaries": 9, "colorspace": 9}
    gray = np.linspace(0, 255, WIDTH).astype(np.uint8)[None, :, None]
    ramp = np.broadcast_to(gray, (HEIGHT, WIDTH, 3)).copy()
    source = make_clip(
        tmp_path / "in.mp4",
        frames=2,
        codec="libx265",
        pixel_format="yuv420p10le",
        context=context,
        pictures=[ramp, ramp],
        options={"x265-params": "log-level=error:bframes=0"},
    )
    result = paint_video(source, tmp_path / "out.mp4", style=Same(), options=PLAIN)
    assert any("tone-mapped" in note for note in result.notes)
    shown = look(tmp_path / "out.mp4").pictures[0][HEIGHT // 2, :, 1].astype(int)
    assert shown[0] < 6 and shown[-1] > 248
    assert np.all(np.diff(shown) >= -3)
    white = {16: 0.5807, 18: 0.75}[transfer]  # diffuse white, ITU-R BT.2408
    assert 170 < shown[round(white * (WIDTH - 1))] < 235


class Same(Invert):
    """A style that changes nothing."""

    def __call__(self, photo: np.ndarray, **_: object) -> np.ndarray:
        self.calls += 1
        return photo.copy()


def test_interlaced_clips_are_deinterlaced_frame_for_frame(tmp_path: Path) -> None:
    """Odd and even lines of every frame come from two moments of a moving bar."""
    pictures = []
    for index in range(10):
        shown = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        shown[0::2, 4 * index : 4 * index + 10] = 255
        shown[1::2, 4 * index + 6 : 4 * index + 16] = 255
        pictures.append(shown)
    source = make_clip(
        tmp_path / "in.mp4",
        frames=10,
        pictures=pictures,
        pixel_format="yuv444p",
        options={"x264-params": "tff=1"},
    )
    with av.open(source) as clip:
        assert next(clip.decode(video=0)).interlaced_frame
    result = paint_video(source, tmp_path / "out.mp4", style=Same(), options=PLAIN)
    before, after = look(source), look(tmp_path / "out.mp4")
    assert after.times == before.times
    assert any("deinterlaced" in note for note in result.notes)

    def comb(shown: np.ndarray) -> float:
        return float(np.abs(np.diff(shown[..., 1].astype(int), axis=0)).mean())

    assert comb(after.pictures[5]) < comb(before.pictures[5]) / 2


def test_anamorphic_pixels_keep_their_shape(tmp_path: Path) -> None:
    context = {"sample_aspect_ratio": Fraction(4, 3)}
    source = make_clip(tmp_path / "in.mp4", frames=2, context=context)
    paint(source, tmp_path / "out.mp4")
    with av.open(tmp_path / "out.mp4") as clip:
        assert clip.streams.video[0].sample_aspect_ratio == Fraction(4, 3)
    turned = make_clip(tmp_path / "turned.mp4", frames=2, context=context, rotation=90)
    paint(turned, tmp_path / "turned-out.mp4")
    with av.open(tmp_path / "turned-out.mp4") as clip:
        assert clip.streams.video[0].sample_aspect_ratio == Fraction(3, 4)
    paint(source, tmp_path / "out.gif")
    with Image.open(tmp_path / "out.gif") as shown:
        assert shown.size == (85, HEIGHT)  # 64 x 4/3: a GIF has square pixels


def test_one_frame(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=1)
    assert paint(source, tmp_path / "out.mp4").frames == 1
    before, after = look(source), look(tmp_path / "out.mp4")
    assert_inverted(before.pictures, after.pictures)
    assert after.seconds == pytest.approx(before.seconds, abs=0.001)


# --- damaged files ---


def test_a_truncated_mp4_is_refused_and_a_truncated_mkv_gives_what_is_there(tmp_path: Path) -> None:
    whole = make_clip(tmp_path / "whole.mp4").read_bytes()
    cut = tmp_path / "cut.mp4"
    for share in (0.1, 0.6):  # in the pictures; within the index that follows them
        cut.write_bytes(whole[: round(len(whole) * share)])
        with pytest.raises(InputError, match=r"cut\.mp4: its index is missing, so it is cut off"):
            paint(cut, tmp_path / "out.mp4")
    assert not list(tmp_path.glob("out*"))
    whole = make_clip(tmp_path / "whole.mkv", frames=60).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) // 2])
    assert 3 < paint(cut, tmp_path / "out.mp4").frames < 60


def test_damage_in_the_middle_is_passed_over_and_said(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (HEIGHT, WIDTH, 3)).astype(np.uint8) for _ in range(40)]
    source = make_clip(tmp_path / "in.mp4", frames=40, pictures=noise, options={"g": "10"})
    content = bytearray(source.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 4000] = bytes(rng.integers(0, 256, 4000).astype(np.uint8))
    source.write_bytes(content)
    result = paint(source, tmp_path / "out.mp4")
    assert 20 <= result.frames <= 40
    assert any("damaged" in note for note in result.notes)
    assert len(look(tmp_path / "out.mp4").times) == result.frames


def test_what_is_no_video_is_refused_in_one_line(tmp_path: Path) -> None:
    text = tmp_path / "text.mp4"
    text.write_text("not a video")
    empty = tmp_path / "empty.mp4"
    empty.touch()
    song = tmp_path / "song.mp4"
    with av.open(song, "w") as output:
        track = output.add_stream("aac", rate=48_000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 9600), np.int16), format="s16", layout="stereo"
        )
        silence.rate, silence.pts, silence.time_base = 48_000, 0, Fraction(1, 48_000)
        output.mux(track.encode(silence))
        output.mux(track.encode(None))
    for source, words in (
        (text, "not a video"),
        (empty, "not a video"),
        (song, "no video stream.*audio"),
        (tmp_path / "missing.mp4", "no such file"),
        (tmp_path, "folder"),
        ("webcam:97", "no camera"),
        ("webcam:front", "number"),
        ("http://127.0.0.1:9/clip.mp4", "cannot be reached"),
    ):
        with pytest.raises(InputError, match=words) as caught:
            paint_video(source, tmp_path / "out.mp4", style=Invert())
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.glob("out*"))


# --- what is written ---


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        ("mp4", "hevc"),
        ("mkv", "hevc"),
        ("mp4", "av1"),
        ("mkv", "vp9"),
        ("webm", "av1"),
        ("mov", "prores"),
    ],
)
def test_codecs(tmp_path: Path, ending: str, codec: str) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=9, width=128, height=96)
    out = tmp_path / f"out.{ending}"
    paint(source, out, codec=codec, segment_frames=4)  # the last segment has one frame
    before, after = look(source), look(out)
    assert_same_times(before.times, after.times, Fraction(1, 1000))
    assert_inverted(before.pictures, after.pictures, tolerance=6)
    with av.open(out) as clip:
        assert clip.streams.video[0].codec_context.codec.canonical_name == codec


@pytest.mark.skipif(not hasattr(os, "sched_getscheduler"), reason="only where threads have classes")
def test_av1_leaves_the_threads_scheduling_as_it_was(tmp_path: Path) -> None:
    """As root, SVT-AV1 makes the thread real-time, and its children starve all others."""
    before = os.sched_getscheduler(0)
    encoding = Encoding("av1", None, 64, 64, Fraction(25), Fraction(1, 25), Fraction(1))
    writer = SegmentWriter(tmp_path / "part.mp4", encoding)
    writer.add(np.zeros((64, 64, 3), np.uint8), 0, 1)
    writer.finish()
    assert os.sched_getscheduler(0) == before


def test_mp4_starts_at_once_in_a_browser(tmp_path: Path) -> None:
    paint(make_clip(tmp_path / "in.mp4"), tmp_path / "out.mp4")
    content = (tmp_path / "out.mp4").read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_animated_pictures_keep_frame_times_and_loop(tmp_path: Path, ending: str) -> None:
    times = [0, 100, 200, 500, 550, 900]  # ms; GIF counts in 10 ms
    source = make_clip(tmp_path / "in.mkv", times=times, time_base=Fraction(1, 1000))
    paint(source, tmp_path / f"out.{ending}", segment_frames=4)
    with Image.open(tmp_path / f"out.{ending}") as shown:
        assert shown.n_frames == len(times)
        assert shown.info["loop"] == 0
        for index in range(len(times)):
            shown.seek(index)
            seen = np.asarray(shown.convert("RGB")).astype(int)
            assert np.abs(seen - (255 - picture(index).astype(int))).mean() < 8
            if index + 1 < len(times):
                assert shown.info["duration"] == times[index + 1] - times[index]
            else:
                assert shown.info["duration"] in (40, 350)  # the source's word, or the last step


@pytest.mark.parametrize("ending", ["gif", "webp", "png"])
def test_animated_pictures_become_clips(tmp_path: Path, ending: str) -> None:
    frames = [Image.fromarray(picture(index)) for index in range(4)]
    durations = [100, 50, 200, 70]
    source = tmp_path / f"in.{ending}"
    frames[0].save(source, save_all=True, append_images=frames[1:], duration=durations, loop=0)
    paint(source, tmp_path / "out.mp4")
    after = look(tmp_path / "out.mp4")
    assert after.times == [Fraction(ms, 1000) for ms in (0, 100, 150, 350)]
    assert after.seconds == pytest.approx(0.42, abs=0.002)
    assert_inverted([picture(index) for index in range(4)], after.pictures, tolerance=8)


def test_transparent_animations_are_laid_on_white(tmp_path: Path) -> None:
    clear = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    clear.save(tmp_path / "in.webp", save_all=True, append_images=[clear], duration=100)
    result = paint_video(tmp_path / "in.webp", tmp_path / "out.mp4", style=Same(), options=PLAIN)
    assert look(tmp_path / "out.mp4").pictures[0].min() > 250
    assert any("white" in note for note in result.notes)


# --- choosing a part and a size ---


def test_a_part_of_a_clip(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mp4", frames=50, sounds=[Sound(seconds=2)], options={"g": "8"}
    )
    options = {"start": Fraction(1, 2), "stop": Fraction(5, 4)}
    paint(source, tmp_path / "out.mp4", **options)
    before, after = look(source), look(tmp_path / "out.mp4")
    # 0.5 s is in the middle of frame 12 (0.48 to 0.52), which is what is shown then.
    assert_inverted(before.pictures[12:32], after.pictures)
    assert after.times == [Fraction(index, RATE) for index in range(20)]
    first = before.audio.pop()
    begin = next(i for i, t in enumerate(before.audio_times[0]) if t >= Fraction(12, RATE))
    assert after.audio[0] == first[begin : begin + len(after.audio[0])]
    assert after.audio_times[0][-1] == pytest.approx(0.77, abs=0.03)
    with pytest.raises(InputError, match=r"after its end, its pictures last until 2\.00s"):
        paint(source, tmp_path / "late.mp4", start=Fraction(60))


def test_chapters_follow_the_part(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mkv", chapters=[(0, 0.2, "a"), (0.2, 0.6, "b"), (0.6, 0.8, "c")]
    )
    paint(source, tmp_path / "out.mkv", start=Fraction(2, 5), stop=Fraction(7, 10))
    with av.open(tmp_path / "out.mkv") as clip:
        found = [
            (c["metadata"]["title"], float(c["start"] * c["time_base"])) for c in clip.chapters()
        ]
    assert found == [("b", 0.0), ("c", pytest.approx(0.2))]


def test_a_constant_rate(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=25)
    style = Invert()
    options = VideoOptions(steady=False, fps=Fraction(10))
    paint_video(source, tmp_path / "out.mp4", style=style, options=options)
    after = look(tmp_path / "out.mp4")
    assert after.times == [Fraction(index, 10) for index in range(10)]
    shown = [look(source).pictures[index * 25 // 10] for index in range(10)]
    assert_inverted(shown, after.pictures)
    options = VideoOptions(steady=False, fps=Fraction(50))
    style = Invert()
    result = paint_video(source, tmp_path / "fast.mp4", style=style, options=options)
    assert result.frames == 50
    assert style.calls == result.painted == 25  # a frame that is shown twice is painted once


def test_side_by_side_and_max_side(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    options = VideoOptions(steady=False, side_by_side=True)
    paint_video(source, tmp_path / "out.mp4", style=Invert(), options=options, max_side=32)
    shown = look(tmp_path / "out.mp4").pictures[0].astype(int)
    assert shown.shape == (24, 64, 3)
    assert np.abs(shown[:, :32] + shown[:, 32:] - 255).mean() < 6


def test_strength_reaches_the_style(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    paint_video(source, tmp_path / "out.mp4", style=Invert(), options=PLAIN, strength=0)
    shown = look(tmp_path / "out.mp4").pictures[0].astype(int)
    assert np.abs(shown - picture(0)).mean() < 4


def test_a_still_shot_is_painted_once(tmp_path: Path) -> None:
    still = [picture(0)] * 10 + [picture(5)] * 10
    # At a low quality the encoder sharpens a still in steps that are no still to us.
    source = make_clip(tmp_path / "in.mp4", pictures=still, options={"crf": "1"})
    style = Invert()
    result = paint_video(source, tmp_path / "out.mp4", style=style)
    assert result.frames == 20
    assert style.calls == result.painted == 2
    assert_inverted(look(source).pictures, look(tmp_path / "out.mp4").pictures)


class InvertTogether(Invert):
    """Shares out its threads, and waits in each call for the other one."""

    threads = 8

    def __init__(self) -> None:
        super().__init__()
        self.together = threading.Barrier(2, timeout=60)

    def for_calls(self, calls: int) -> InvertTogether:
        assert calls == 2
        return self

    def __call__(self, photo: np.ndarray, **look: object) -> np.ndarray:
        if self.together.wait() == 0:  # either of the two, at random, is done later
            time.sleep(0.005)
        return super().__call__(photo, **look)


def test_two_frames_are_painted_at_once_and_kept_in_order(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=20)
    style = InvertTogether()
    options = VideoOptions(steady=False, segment_frames=7)
    result = paint_video(source, tmp_path / "out.mp4", style=style, options=options)
    assert (result.frames, style.calls) == (20, 20)
    assert_inverted(look(source).pictures, look(tmp_path / "out.mp4").pictures)


def test_a_style_on_one_thread_is_painted_on_one(tmp_path: Path) -> None:
    class Alone(Invert):
        threads = 1
        running = 0

        def for_calls(self, calls: int) -> Alone:
            assert calls == 1
            return self

        def __call__(self, photo: np.ndarray, **look: object) -> np.ndarray:
            self.running += 1
            time.sleep(0.002)
            assert self.running == 1
            self.running -= 1
            return super().__call__(photo, **look)

    source = make_clip(tmp_path / "in.mp4", frames=10)
    for number, style in enumerate((Alone(), Invert())):
        result = paint_video(source, tmp_path / f"{number}.mp4", style=style, options=PLAIN)
        assert result.painted == style.calls == 10


def test_slow_changes_are_painted_again(tmp_path: Path) -> None:
    fade = [np.full((HEIGHT, WIDTH, 3), 60 + 2 * index, np.uint8) for index in range(30)]
    source = make_clip(tmp_path / "in.mp4", frames=30, pictures=fade, options={"crf": "1"})
    paint_video(source, tmp_path / "out.mp4", style=Invert(), options=PLAIN)
    for index, shown in enumerate(look(tmp_path / "out.mp4").pictures):
        assert abs(255 - 60 - 2 * index - shown.mean()) < 5


def test_preview(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=50)
    style = Invert()
    sheet, seconds = preview_video(source, tmp_path / "sheet.png", style=style)
    assert style.calls == 10
    assert seconds is not None and seconds >= 0
    with Image.open(sheet) as shown:
        assert shown.width > 4 * WIDTH and shown.height > 5 * HEIGHT
    one = make_clip(tmp_path / "one.mp4", frames=1)
    assert preview_video(one, style=style)[0] == tmp_path / "one-anime-preview.png"


# --- live sources ---


@pytest.fixture
def test_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator of pictures in place of the camera; it does not wait, like a camera."""

    def open_card(kind: str, number: str) -> av.container.InputContainer:
        assert (kind, number) == ("webcam", "0")
        return av.open(f"testsrc2=size={WIDTH}x{HEIGHT}:rate=25", "r", format="lavfi")

    monkeypatch.setattr("sakuga.video.opening._open_device", open_card)


@pytest.mark.usefixtures("test_card")
@pytest.mark.parametrize("stage", ["painter", "encoder"])
def test_a_cameras_frames_are_dropped_rather_than_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    """While the first frame is painted or encoded 25 others come; of these the last is not lost."""
    begun, all_came = threading.Event(), threading.Event()
    times: list[int] = []
    frames, take = Clip.frames, Recorder.take

    def watched(clip: Clip, skip: int = 0) -> Iterator[ClipFrame]:
        for frame in frames(clip, skip):
            yield frame
            assert begun.wait(60)
            time.sleep(0.02)  # each stage can take what it will
        all_came.set()

    def encode(recorder: Recorder, painted: Painted) -> None:
        if stage == "encoder":
            assert all_came.wait(60)
        times.append(painted.pts)
        take(recorder, painted)

    def invert(photo: np.ndarray, **_: float) -> np.ndarray:
        begun.set()
        if stage == "painter":
            assert all_came.wait(60)
        return 255 - photo

    monkeypatch.setattr(Clip, "frames", watched)
    monkeypatch.setattr(Recorder, "take", encode)
    target, options = tmp_path / "out.mp4", VideoOptions(seconds=1.02)
    result = paint_video("webcam", target, style=invert, options=options)
    assert times[0] == 0 and times[-1] == 25
    # Between them: what each stage had in hand, and before the encoder one that waited.
    assert result.frames <= {"painter": 3, "encoder": 5}[stage]
    assert f"{26 - result.frames} frames came too fast" in result.notes[-1]


@pytest.mark.usefixtures("test_card")
def test_a_camera_is_recorded_for_so_long(tmp_path: Path) -> None:
    options = VideoOptions(seconds=20)
    result = paint_video("webcam", tmp_path / "out.mp4", style=Slow(0.001), options=options)
    seen = look(tmp_path / "out.mp4")
    assert result.frames == len(seen.times)
    assert seen.times[0] < 20 and seen.times[-1] < 20
    assert result.frames < 500  # of 20 s, frames that came too fast are dropped, not kept waiting
    assert any("dropped" in note for note in result.notes)
    with pytest.raises(OptionError, match="give a live source seconds"):
        paint_video("webcam", tmp_path / "b.mp4", style=Same(), options=VideoOptions(stop=1))
    with pytest.raises(OptionError, match="needs a clip"):
        preview_video("webcam", style=Same())
    clip = make_clip(tmp_path / "in.mp4", frames=2)
    with pytest.raises(OptionError, match="seconds is for live sources; use start and stop"):
        paint_video(clip, tmp_path / "b.mp4", style=Same(), options=options)


def test_a_clip_from_the_web(tmp_path: Path) -> None:
    make_clip(tmp_path / "in.mkv", frames=5, sounds=[Sound(seconds=0.2)])

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/in.mkv?token=1"
        result = paint_video(address, tmp_path / "out.mp4", style=Invert(), options=PLAIN)
    finally:
        server.shutdown()
        server.server_close()
    before, after = look(tmp_path / "in.mkv"), look(tmp_path / "out.mp4")
    assert result.frames == 5
    assert_inverted(before.pictures, after.pictures)
    assert after.audio == before.audio


# --- jobs that are stopped ---


class Slow(Invert):
    """A style that takes its time."""

    def __init__(self, delay_s: float = 0) -> None:
        super().__init__()
        self.delay_s = delay_s

    def __call__(self, photo: np.ndarray, **choices: float) -> np.ndarray:
        time.sleep(self.delay_s)
        return super().__call__(photo, **choices)


JOB = """
    import sys
    sys.path[:0] = {tests!r}
    from test_video import Slow
    from sakuga.video import VideoOptions, paint_video
    options = VideoOptions(segment_frames=20, resume={resume}, discard={discard})
    style = Slow({delay})
    result = paint_video({source!r}, {out!r}, style=style, overwrite={resume}, options=options)
    print(result.frames, result.painted, result.interrupted, result.notes)
"""


def start_job(
    source: Path, out: Path, *, delay: float, resume: bool = False, discard: bool = False
) -> subprocess.Popen[str]:
    code = textwrap.dedent(JOB).format(
        tests=TESTS,
        source=str(source),
        out=str(out),
        delay=delay,
        resume=resume,
        discard=discard,
    )
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, f"{path} did not come"
        time.sleep(0.01)


def restless(frames: int) -> list[np.ndarray]:
    """Frames that both memories treat by what came before: noise, and nearly still shots."""
    rng = np.random.default_rng(1)
    patches = rng.integers(60, 190, (HEIGHT // 4, WIDTH // 4, 1))
    scene = patches.repeat(4, axis=0).repeat(4, axis=1).repeat(3, axis=2)
    shown = []
    for index in range(frames):
        nearly_still = index % 70 >= 20
        noise = rng.integers(0, 2) if nearly_still else rng.normal(0, 3, scene.shape)
        moved = np.roll(scene, min(index % 70, 20), axis=1)  # the noisy shots pan
        shown.append(np.clip(moved + noise + 40 * (index // 70), 0, 255).astype(np.uint8))
    return shown


def test_after_a_kill_a_resumed_job_gives_the_same_frames(tmp_path: Path) -> None:
    source = make_clip(
        tmp_path / "in.mp4",
        frames=300,
        pictures=restless(300),
        sounds=[Sound(seconds=12)],
        options={"preset": "ultrafast", "qp": "0"},
    )
    whole, out = tmp_path / "whole.mp4", tmp_path / "out.mp4"
    reference = start_job(source, whole, delay=0)
    assert reference.wait(60) == 0, reference.communicate()
    reference.communicate()

    killed = start_job(source, out, delay=0.01)
    wait_for(parts_folder(out) / "00004.json")
    killed.kill()
    killed.communicate()
    assert not out.exists()
    with pytest.raises(OutputError, match="resume=True"):
        paint_video(source, out, style=Slow())
    again = VideoOptions(segment_frames=20, resume=True)
    with pytest.raises(OutputError, match=r"strength 1\.0, now it is 0\.5"):
        paint_video(source, out, style=Slow(), strength=0.5, options=again)

    resumed = start_job(source, out, delay=0, resume=True)
    told, complaints = resumed.communicate(timeout=60)
    assert resumed.returncode == 0, complaints
    frames, painted = (int(word) for word in told.split()[:2])
    assert frames == 300
    assert painted <= 120  # of 300; some of the first 100 frames are still shots
    before, after = look(whole), look(out)
    assert before.times == after.times
    assert before.audio == after.audio
    for index in range(300):
        assert np.array_equal(before.pictures[index], after.pictures[index]), index
    assert not parts_folder(out).exists()


ENCODE = """
import hashlib, sys
from fractions import Fraction
from pathlib import Path
sys.path[:0] = {tests!r}
from test_video import HEIGHT, WIDTH, restless
from sakuga.video.segments import Encoding, SegmentWriter
width, height = 5 * WIDTH, 3 * HEIGHT
path = Path({folder!r}) / "segment.mov"
for codec in ("h264", "hevc", "vp9", "av1", "prores"):
    rate, base, aspect = Fraction(25), Fraction(1, 25), Fraction(1)
    writer = SegmentWriter(path, Encoding(codec, None, width, height, rate, base, aspect))
    for index, picture in enumerate(restless(20)):
        writer.add(picture.repeat(5, axis=1).repeat(3, axis=0), index, 1)
    writer.finish()
    print(codec, hashlib.md5(path.read_bytes()).hexdigest())
"""


def test_encoders_read_no_memory_that_was_never_written(tmp_path: Path) -> None:
    """Such memory differs between runs; here glibc fills it with one value, then with another."""
    code = ENCODE.format(tests=TESTS, folder=str(tmp_path))
    told = [
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "MALLOC_PERTURB_": value},
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout
        for value in ("1", "255")
    ]
    assert len(told[0].split()) == 10
    assert told[0] == told[1]


def test_ctrl_c_leaves_a_playable_file_that_can_go_on(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=200, sounds=[Sound(seconds=8)])
    out = tmp_path / "out.mp4"
    job = start_job(source, out, delay=0.02)
    wait_for(parts_folder(out) / "00001.json")
    job.send_signal(signal.SIGINT)
    told, complaints = job.communicate(timeout=30)
    assert job.returncode == 0, complaints
    frames = int(told.split()[0])
    assert "True" in told and "go on with resume=True" in told
    seen = look(out)
    assert 40 <= frames == len(seen.times) < 200
    assert abs(float(seen.audio_times[0][-1]) - frames / RATE) < 0.05
    job = start_job(source, out, delay=0, resume=True)
    told, complaints = job.communicate(timeout=30)
    assert told.startswith("200 "), complaints
    assert len(look(out).times) == 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_ctrl_c_with_discard_leaves_nothing(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=200)
    out = tmp_path / "out.mp4"
    job = start_job(source, out, delay=0.02, discard=True)
    wait_for(parts_folder(out) / "00000.json")
    job.send_signal(signal.SIGINT)
    told, complaints = job.communicate(timeout=30)
    assert "True" in told, complaints
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_style_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def broken(photo: np.ndarray, **_: object) -> np.ndarray:
        raise ZeroDivisionError("a bug in a style")

    source = make_clip(tmp_path / "in.mp4")
    with pytest.raises(ZeroDivisionError):
        paint_video(source, tmp_path / "out.mp4", style=broken)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


# --- places that cannot be written ---


def test_a_full_disk_is_told_in_one_line_and_leaves_no_half_file(tmp_path: Path) -> None:
    """A limit on the size of files stands for the disk: noise is larger than it."""
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 256, (96, 128, 3)).astype(np.uint8) for _ in range(30)]
    source = make_clip(
        tmp_path / "in.mp4", frames=30, width=128, height=96, pictures=noise, options={"crf": "1"}
    )
    code = f"""
import resource, sys
sys.path[:0] = {TESTS!r}
from test_video import Invert
from sakuga.errors import OutputError
from sakuga.video import VideoOptions, paint_video
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
for count in (30, 2):  # in a segment; when the segments are joined
    try:
        options = VideoOptions(segment_frames=count, crf=1)
        paint_video({str(source)!r}, {str(tmp_path / "out.mp4")!r}, style=Invert(), options=options,
                    overwrite=True)
    except OutputError as error:
        print(error)
"""
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert told.returncode == 0, told.stderr
    lines = told.stdout.splitlines()
    assert len(lines) == 2, told.stdout + told.stderr
    assert all("out.mp4" in line and "cannot be written" in line for line in lines)
    assert not (tmp_path / "out.mp4").exists()
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"in.mp4", "out.mp4.parts"}


def test_a_size_that_an_encoder_refuses_is_told_in_one_line(tmp_path: Path) -> None:
    source = tmp_path / "in.gif"
    dots = [Image.fromarray(picture(index)[:1, :1]) for index in (0, 6)]
    dots[0].save(source, save_all=True, append_images=dots[1:], duration=50)
    assert paint(source, tmp_path / "out.mp4").frames == 2
    with pytest.raises(OutputError, match="libx265 cannot encode frames of 1 x 1"):
        paint(source, tmp_path / "tiny.mp4", codec="hevc")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.gif", "out.mp4"]


def test_targets_that_are_refused(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=2)
    before = source.read_bytes()
    with pytest.raises(OutputError, match="source itself"):
        paint_video(source, source, style=Invert(), overwrite=True)
    with pytest.raises(OptionError, match=r"webm.*cannot hold h264"):
        paint(source, tmp_path / "out.webm", codec="h264")
    with pytest.raises(OptionError, match="unknown"):
        paint(source, tmp_path / "out.mp4", codec="divx")
    with pytest.raises(OptionError, match="0 to 51"):
        paint(source, tmp_path / "out.mp4", crf=60)
    with pytest.raises(OptionError, match="does not apply"):
        paint(source, tmp_path / "out.mov", codec="prores", crf=20)
    with pytest.raises(OptionError, match="picture"):
        paint(source, tmp_path / "out.gif", crf=20)
    with pytest.raises(OutputError, match=r"\.wmv"):
        paint(source, tmp_path / "out.wmv")
    (tmp_path / "there.mp4").write_text("precious")
    with pytest.raises(OutputError, match="add overwrite=True, or another name with out"):
        paint(source, tmp_path / "there.mp4")
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        paint(source, tmp_path / "file" / "out.mp4")
    assert (tmp_path / "there.mp4").read_text() == "precious"
    assert source.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "in.mp4", "there.mp4"]


# --- memory, options, the command line ---


def test_memory_does_not_grow_with_the_length(tmp_path: Path) -> None:
    """The peak of a clip ten times as long, each in a process of its own."""
    peaks = []
    for frames in (60, 600):
        shown = [picture(index % 50, 160, 96) for index in range(50)]
        source = make_clip(
            tmp_path / f"in{frames}.mp4",
            frames=frames,
            width=160,
            height=96,
            pictures=[shown[index % 50] for index in range(frames)],
            options={"preset": "ultrafast"},
        )
        code = f"""
import resource, sys
sys.path[:0] = {TESTS!r}
from test_video import Invert
from sakuga.video import VideoOptions, paint_video
paint_video({str(source)!r}, {str(tmp_path / f"out{frames}.mp4")!r}, style=Invert(),
            options=VideoOptions(segment_frames=30))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
        told = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
        )
        peaks.append(int(told.stdout))
    assert peaks[1] < 1.2 * peaks[0]


def test_a_decoded_frame_is_let_go_at_once(tmp_path: Path) -> None:
    """What waits in a cycle for Python to look is memory that grows with the clip."""
    clip = Clip(make_clip(tmp_path / "in.mp4", frames=60), VideoOptions(), None)
    gc.collect()
    gc.disable()
    try:
        assert sum(frame.picture is not None for frame in clip.frames()) == 60
        kinds = (av.VideoFrame, VideoReformatter)
        assert sum(type(thing) in kinds for thing in gc.get_objects()) < 20
    finally:
        gc.enable()
        clip.close()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90", 90),
        ("90s", 90),
        ("1m30s", 90),
        ("1:30", 90),
        ("00:01:30.5", Fraction(181, 2)),
        ("1500ms", Fraction(3, 2)),
        ("1h", 3600),
    ],
)
def test_times_are_read(text: str, seconds: Fraction) -> None:
    assert parse_time(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-5s", "1:2:3:4", "1s1", "1:75"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(OptionError, match="not a time"):
        parse_time(text)


def test_rates_are_read() -> None:
    assert parse_rate("24") == 24
    assert parse_rate("23.976") == Fraction(24000, 1001)
    assert parse_rate("30000/1001") == parse_rate("29.97")
    assert parse_rate("12.5") == Fraction(25, 2)
    for text in ("fast", "1/0", ""):
        with pytest.raises(OptionError, match="not a frame rate"):
            parse_rate(text)
    for wrong in (
        {"fps": Fraction(0)},
        {"seconds": 0.0},
        {"start": Fraction(2), "stop": Fraction(1)},
    ):
        with pytest.raises(OptionError):
            VideoOptions(**wrong)


def test_names_of_videos() -> None:
    for name in ("a.mp4", "A.MOV", "webcam", "webcam:1", "screen", "rtsp://host/x"):
        assert is_video(name), name
    assert is_video("https://host/clip.webm?token=1")
    for name in ("a.gif", "a.webp", "a.png", "a", "webcam.jpg", "https://host/a.jpg"):
        assert not is_video(name), name


def test_the_command_line_paints_a_clip(tmp_path: Path, tiny_style: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=6, sounds=[Sound()])
    command = [sys.executable, "-m", "sakuga", "paint", str(source), "--style", str(tiny_style)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *options], capture_output=True, text=True, env=environment, timeout=60
        )

    done = run("--json", "--from", "0.04", "--to", "200ms")
    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout)["results"]
    assert row["status"] == "painted"
    assert len(look(tmp_path / "in-tiny.mp4").times) == 4
    assert run("--from", "0.04", "--to", "200ms").returncode == 0  # there already, and skipped
    other = run()
    assert other.returncode == 2 and "painted with from 0.04" in other.stderr
    wrong = run("--overwrite", "--codec", "prores")
    assert wrong.returncode == 2
    assert len(wrong.stderr.splitlines()) == 1 and "cannot hold prores" in wrong.stderr
    assert run("--preview").returncode == 0
    assert (tmp_path / "in-tiny-preview.png").exists()
