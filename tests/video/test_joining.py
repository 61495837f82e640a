"""What joining needs is found out, or mended, before the first frame is painted."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FRAMES, HEIGHT, RATE, WIDTH, Sound, look, make_clip, picture

from sakuga.errors import OutputError, SakugaError
from sakuga.video import VideoOptions, VideoResult, job, paint_video
from sakuga.video.options import parts_folder


class Same:
    """A style that changes nothing, and counts."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, photo: np.ndarray, **_: object) -> np.ndarray:
        self.calls += 1
        return photo.copy()


def paint(source: Path, out: Path, **options: object) -> VideoResult:
    return paint_video(source, out, style=Same(), options=VideoOptions(steady=False, **options))


def heard(path: Path, track: int = 0) -> list[np.ndarray]:
    """The samples of each channel, -1 to 1."""
    resampler = av.AudioResampler(format="flt")
    with av.open(path) as clip:
        count = clip.streams.audio[track].codec_context.layout.nb_channels
        frames = [f for one in clip.decode(audio=track) for f in resampler.resample(one)]
        samples = np.concatenate([frame.to_ndarray().ravel() for frame in frames])
    return list(samples.reshape(-1, count).T)


def make_channels(path: Path, channels: int, codec: str = "pcm_s16le") -> Path:
    """A clip whose file says only how many channels there are; each has a tone of its own."""
    rate = 48_000
    with av.open(path, "w") as output:
        video = output.add_stream("mpeg4", rate=RATE, width=WIDTH, height=HEIGHT)
        track = output.add_stream(codec, rate=rate)
        track.codec_context.layout = f"{channels} channels" if channels > 8 else f"{channels}c"
        for index in range(5):
            frame = av.VideoFrame.from_ndarray(picture(index), format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(video.encode(frame.reformat(format="yuv420p")))
        output.mux(video.encode(None))
        seconds = np.arange(rate // 5) / rate
        waves = [np.sin(2 * np.pi * (300 + 150 * n) * seconds) * 8000 for n in range(channels)]
        samples = np.ascontiguousarray(np.stack(waves, 1).astype(np.int16).reshape(1, -1))
        audio = av.AudioFrame.from_ndarray(samples, "s16", track.codec_context.layout)
        audio.rate, audio.pts, audio.time_base = rate, 0, Fraction(1, rate)
        output.mux(track.encode(audio))
        output.mux(track.encode(None))
    return path


@pytest.mark.parametrize("ending", ["mp4", "webm"])
@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5, 6, 7, 8, 16])
def test_channels_without_places_are_laid_out_by_their_number(
    tmp_path: Path, channels: int, ending: str
) -> None:
    source = make_channels(tmp_path / "in.mkv", channels)
    with av.open(source) as clip:
        assert clip.streams.audio[0].codec_context.layout.name == f"{channels} channels"
    out = tmp_path / f"out.{ending}"
    result = paint(source, out)
    assert any("encoded again" in note for note in result.notes)
    made = heard(out)
    # 16 channels are more than players know: they are mixed into two.
    assert len(made) == (channels if channels <= 8 else 2)
    tones = [300 + 150 * n for n in range(channels)]
    if channels > 3:  # an encoder for loudspeakers cuts what the bass speaker cannot play
        tones.remove(750)
    found = set()
    for wave in made:
        loud = np.abs(np.fft.rfft(wave[2000:9000] * np.hanning(7000)))
        found |= {tone for tone in tones if loud[round(tone * 7000 / 48_000)] > 0.05 * loud.max()}
    assert len(found) >= min(len(tones), 2)


@pytest.mark.parametrize(
    ("ending", "codec"),
    [
        *[("avi", codec) for codec in ("adpcm_ms", "adpcm_ima_wav", "pcm_u8", "pcm_s16le", "mp2")],
        *[("mkv", codec) for codec in ("pcm_u8", "pcm_s24le")],
        *[("nut", codec) for codec in ("pcm_u8", "pcm_alaw")],
        *[("mov", codec) for codec in ("adpcm_ima_qt", "pcm_u8", "pcm_alaw")],
    ],
)
def test_old_sound_goes_into_mp4(tmp_path: Path, ending: str, codec: str) -> None:
    source = make_clip(tmp_path / f"in.{ending}", sounds=[Sound(codec)], codec="mpeg4")
    paint(source, tmp_path / "out.mp4")
    made = look(tmp_path / "out.mp4")
    assert made.audio_codecs == ["aac"]
    assert made.seconds == pytest.approx(FRAMES / RATE, abs=0.1)
    assert [len(channel) > 30_000 for channel in heard(tmp_path / "out.mp4")] == [True, True]


def test_sound_that_nothing_decodes_is_left_out_and_said(tmp_path: Path) -> None:
    """NUT forgets the size of the blocks, without which this decoder does not open."""
    source = make_clip(tmp_path / "in.nut", sounds=[Sound("adpcm_ima_wav")], codec="mpeg4")
    result = paint(source, tmp_path / "out.mp4")
    assert "track 1 (audio, adpcm_ima_wav) was left out" in result.notes
    assert look(tmp_path / "out.mp4").audio == []


def test_side_speakers_go_into_webm(tmp_path: Path) -> None:
    """AC-3 has them at the sides, and Opus knows them only at the back."""
    source = make_clip(tmp_path / "in.mkv", sounds=[Sound("ac3", layout="5.1(side)")])
    paint(source, tmp_path / "out.webm")
    assert len(heard(tmp_path / "out.webm")) == 6


def test_sound_that_changes_its_channels_in_the_middle(tmp_path: Path) -> None:
    parts = [
        make_clip(tmp_path / f"{name}.ts", sounds=[Sound("ac3", layout=layout)])
        for name, layout in (("a", "stereo"), ("b", "5.1"))
    ]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    paint(source, tmp_path / "out.webm")
    left = heard(tmp_path / "out.webm")[0]
    assert len(left) > 1.5 * 48_000 * FRAMES / RATE
    assert np.abs(left[-10_000:]).max() > 0.1


@pytest.mark.parametrize("ending", ["mp4", "mkv", "mov"])
def test_times_that_start_again_are_mended(tmp_path: Path, ending: str) -> None:
    """Two broadcasts in one file: no kind of file takes sound that goes back in time."""
    parts = [make_clip(tmp_path / f"{name}.ts", sounds=[Sound("mp2")]) for name in "ab"]
    source = tmp_path / "in.ts"
    source.write_bytes(b"".join(part.read_bytes() for part in parts))
    result = paint(source, tmp_path / f"out.{ending}")
    assert result.frames == 2 * FRAMES
    times = look(tmp_path / f"out.{ending}").audio_times[0]
    assert len(times) > 50
    assert all(one < two for one, two in pairwise(times))


def test_fonts_and_data_are_left_out_and_said(tmp_path: Path) -> None:
    tags = {"timecode": "01:00:00:00"}  # a track of its own in MOV
    timed = make_clip(tmp_path / "in.mov", sounds=[Sound()], tags=tags)
    for ending in ("mp4", "mov", "mkv"):
        result = paint(timed, tmp_path / f"timed.{ending}")
        assert any("(data" in note and "left out" in note for note in result.notes)
        assert len(look(tmp_path / f"timed.{ending}").audio) == 1
    plain = make_clip(tmp_path / "plain.mkv", sounds=[Sound()])
    source = tmp_path / "in.mkv"
    with av.open(plain) as clip, av.open(source, "w") as output:
        streams = {s.index: output.add_stream_from_template(s) for s in clip.streams}
        output.add_attachment("a.ttf", "application/x-truetype-font", b"letters")
        for packet in clip.demux():
            if packet.dts is not None or packet.pts is not None:
                packet.stream = streams[packet.stream_index]
                output.mux(packet)
    for ending in ("mp4", "mkv", "webm"):
        result = paint(source, tmp_path / f"out.{ending}")
        assert any("left out" in note for note in result.notes)
        assert len(look(tmp_path / f"out.{ending}").audio) == 1


def test_a_track_that_cannot_be_copied_after_all_is_encoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of what files hold is a claim; the trial decides."""
    from sakuga.video import containers

    claims = containers._MP4_AUDIO | {"pcm_mulaw"}
    claiming = containers.CONTAINERS[".mp4"].__class__(
        **{**vars(containers.CONTAINERS[".mp4"]), "audio_copies": claims}
    )
    monkeypatch.setitem(containers.CONTAINERS, ".mp4", claiming)
    source = make_clip(tmp_path / "in.mov", sounds=[Sound("pcm_mulaw", rate=8000, layout="mono")])
    paint(source, tmp_path / "out.mp4")
    assert look(tmp_path / "out.mp4").audio_codecs == ["aac"]


def test_what_cannot_be_joined_fails_before_the_first_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sakuga.video import mux

    def broken(*_: object) -> None:
        raise ValueError("this header cannot be written")

    monkeypatch.setattr(mux, "_add_chapters", broken)
    source = make_clip(tmp_path / "in.mp4", sounds=[Sound()])
    style = Same()
    with pytest.raises(OutputError, match="this header cannot be written"):
        paint_video(source, tmp_path / "out.mp4", style=style)
    assert style.calls == 0
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_a_size_that_is_refused_is_refused_before_the_first_frame(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mkv", codec="ffv1", width=2, height=2, frames=3)
    style = Same()
    options = VideoOptions(codec="hevc")
    with pytest.raises(OutputError, match="libx265 cannot encode frames of 2 x 2"):
        paint_video(source, tmp_path / "out.mp4", style=style, options=options)
    assert style.calls == 0


def test_a_short_job_whose_joining_failed_is_not_painted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shorter than a segment: all of it is kept, and the error says so."""
    source = make_clip(tmp_path / "in.mp4", sounds=[Sound()])
    out, style = tmp_path / "out.mp4", Same()

    def full(*_: object) -> list[str]:
        raise OutputError("out.mp4: cannot be written (No space left on device)")

    with monkeypatch.context() as broken:
        broken.setattr(job, "finish", full)
        with pytest.raises(OutputError, match=r"kept in out\.mp4\.parts.*resume=True"):
            paint_video(source, out, style=style)
    assert style.calls == FRAMES and parts_folder(out).exists()
    result = paint_video(source, out, style=style, options=VideoOptions(resume=True))
    assert style.calls == FRAMES
    assert (result.frames, result.painted) == (FRAMES, 0)
    assert len(look(out).times) == FRAMES and not parts_folder(out).exists()


def test_nothing_is_said_to_be_kept_where_nothing_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = make_clip(tmp_path / "in.mp4")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("sakuga.video.recorder.SegmentWriter.add", full)
    with pytest.raises(OutputError, match=r"No space left.*nothing is kept") as caught:
        paint(source, tmp_path / "out.mp4")
    assert "--resume" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


def test_sound_that_turns_out_impossible_costs_the_sound_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its beginning promised does not hold for all of it: the pictures are worth more."""
    from sakuga.video import mux

    calls = []
    join = mux._join

    def joins(*parts: object) -> list[str]:
        calls.append(parts)
        if len(calls) == 2:  # after the rehearsal
            raise ValueError("the trailer cannot be written")
        return join(*parts)

    monkeypatch.setattr(mux, "_join", joins)
    source = make_clip(tmp_path / "in.mp4", sounds=[Sound()])
    result = paint(source, tmp_path / "out.mp4")
    assert any("sound and subtitles were left out" in note for note in result.notes)
    assert len(look(tmp_path / "out.mp4").times) == FRAMES


def test_a_folder_in_the_way_is_seen_before_the_first_frame(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4")
    (tmp_path / "out.mp4").mkdir()
    style = Same()
    with pytest.raises(SakugaError, match=r"out\.mp4.*folder"):
        paint_video(source, tmp_path / "out.mp4", style=style, overwrite=True)
    assert style.calls == 0


# --- the same style ---


def test_a_job_does_not_go_on_with_another_file_of_a_style(tmp_path: Path) -> None:
    """Imported styles all have one version; their files differ."""

    class Imported(Same):
        class spec:
            name, version = "hayao", "imported"

        def __init__(self, digest: str, fails_at: int | None = None) -> None:
            super().__init__()
            self.weights, self._fails_at = digest, fails_at

        def __call__(self, photo: np.ndarray, **_: object) -> np.ndarray:
            if self.calls == self._fails_at:
                raise ZeroDivisionError
            return super().__call__(photo)

    source = make_clip(tmp_path / "in.mp4")
    out = tmp_path / "out.mp4"
    again = VideoOptions(resume=True, segment_frames=5)
    with pytest.raises(ZeroDivisionError):
        paint_video(source, out, style=Imported("aa", 12), options=again)
    with pytest.raises(OutputError, match="hayao, file aa, now it is hayao, file bb"):
        paint_video(source, out, style=Imported("bb"), options=again)
    assert paint_video(source, out, style=Imported("aa"), options=again).frames == FRAMES
