"""Clips that say less, or more, than a player needs: alpha, times, names, parts beyond the end."""

from __future__ import annotations

import gc
import io
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from clips import FRAMES, HEIGHT, RATE, WIDTH, Sound, look, make_clip, picture
from PIL import Image

from sakuga.errors import InputError, OutputError
from sakuga.video import VideoOptions, paint_video, preview_video
from sakuga.video.decode import Clip

PLAIN = VideoOptions(steady=False)


def same(photo: np.ndarray, **_: object) -> np.ndarray:
    return photo.copy()


def read(source: Path, max_side: int | None = None, **options: object) -> list[np.ndarray]:
    clip = Clip(source, VideoOptions(**options), max_side)
    try:
        return [frame.picture for frame in clip.frames() if frame.picture is not None]
    finally:
        clip.close()


# --- transparency ---


def make_transparent(path: Path, codec: str, pixel_format: str, options: dict[str, str]) -> Path:
    """Red: clear at the left of the top, half at the left of the bottom, opaque at the right."""
    shown = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    shown[..., 0], shown[..., 3] = 200, 255
    shown[:, : WIDTH // 2, 3] = 128
    shown[: HEIGHT // 2, : WIDTH // 2, 3] = 0
    with av.open(path, "w") as output:
        video = output.add_stream(codec, rate=RATE, width=WIDTH, height=HEIGHT, options=options)
        video.pix_fmt = pixel_format
        for index in range(3):
            frame = av.VideoFrame.from_ndarray(shown, format="rgba").reformat(format=pixel_format)
            frame.pts, frame.time_base = index, Fraction(1, RATE)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
    return path


TRANSPARENT = [
    ("png.mov", "png", "rgba", {}),
    ("deep.mov", "png", "rgba64be", {}),
    ("gray.mov", "png", "ya8", {}),
    ("qtrle.mov", "qtrle", "argb", {}),
    ("prores.mov", "prores_ks", "yuva444p10le", {"profile": "4444"}),
    ("ffv1.mkv", "ffv1", "yuva420p", {}),
    ("ffv1.avi", "ffv1", "bgra", {}),
    ("raw.mov", "rawvideo", "argb", {}),
    ("raw.avi", "rawvideo", "bgra", {}),
    ("utvideo.avi", "utvideo", "gbrap", {}),
    ("vp9.webm", "libvpx-vp9", "yuva420p", {"auto-alt-ref": "0"}),
    ("vp8.webm", "libvpx", "yuva420p", {"auto-alt-ref": "0"}),
]


@pytest.mark.parametrize(("name", "codec", "pixel_format", "options"), TRANSPARENT)
def test_transparency_is_laid_on_white(
    tmp_path: Path, name: str, codec: str, pixel_format: str, options: dict[str, str]
) -> None:
    source = make_transparent(tmp_path / name, codec, pixel_format, options)
    result = paint_video(source, tmp_path / "out.mp4", style=same, options=PLAIN)
    assert "transparent parts were laid on white" in result.notes
    shown = look(tmp_path / "out.mp4").pictures[0].astype(int)
    red = (200, 0, 0) if "ya" not in pixel_format else (43, 43, 43)  # its brightness
    if pixel_format == "ya8":
        red = tuple(shown[HEIGHT // 2, WIDTH - 8])
        assert max(red) < 100
    for place, share in (((10, 10), 0), ((HEIGHT - 10, 10), 128 / 255), ((24, WIDTH - 10), 1)):
        wanted = [share * colour + 255 * (1 - share) for colour in red]
        assert np.abs(shown[place] - wanted).max() <= 6, place


def test_what_nobody_sees_does_not_bleed_when_shrunk(tmp_path: Path) -> None:
    """Black that is clear beside white that is not: all of it is white, at any size."""
    shown = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    shown[:, 1::2] = 255  # every second column is opaque white
    path = tmp_path / "in.mov"
    with av.open(path, "w") as output:
        video = output.add_stream("png", rate=RATE, width=WIDTH, height=HEIGHT)
        video.pix_fmt = "rgba"
        frame = av.VideoFrame.from_ndarray(shown, format="rgba")
        frame.pts, frame.time_base = 0, Fraction(1, RATE)
        output.mux(video.encode(frame))
        output.mux(video.encode(None))
    assert read(path, max_side=WIDTH // 2)[0].min() >= 254


def test_a_fourth_byte_that_nobody_filled_in_hides_nothing(tmp_path: Path) -> None:
    """In an AVI of 32 bits a pixel it is unused, and most programs leave it at 0."""
    shown = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    shown[..., 0] = 200
    path = tmp_path / "in.avi"
    with av.open(path, "w") as output:
        video = output.add_stream("rawvideo", rate=RATE, width=WIDTH, height=HEIGHT)
        video.pix_fmt = "bgra"
        frame = av.VideoFrame.from_ndarray(shown, format="rgba").reformat(format="bgra")
        frame.pts, frame.time_base = 0, Fraction(1, RATE)
        output.mux(video.encode(frame))
        output.mux(video.encode(None))
    assert np.abs(read(path)[0][10, 10] - np.array([200.0, 0, 0])).max() <= 1


# --- times ---


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("libx264", {"bf": "3", "g": "10"}),
        ("libx264", {"bf": "2", "g": "10", "x264-params": "b-pyramid=0"}),
        ("libx264", {"bf": "0", "g": "10"}),
        ("mpeg4", {"bf": "2", "g": "10", "qmax": "2"}),
    ],
)
def test_avi_counts_from_its_first_picture(
    tmp_path: Path, codec: str, options: dict[str, str]
) -> None:
    """It has no times of showing: pictures that were reordered must not come late."""
    source = make_clip(
        tmp_path / "in.avi",
        codec=codec,
        options=options,
        time_base=Fraction(1, RATE),
        sounds=[Sound("pcm_s16le")],
        context={"bit_rate": 4_000_000},
    )
    paint_video(source, tmp_path / "out.mp4", style=same, options=PLAIN)
    made = look(tmp_path / "out.mp4")
    assert made.times == [Fraction(index, RATE) for index in range(FRAMES)]
    levels = [40 + index * 7 % 50 for index in range(FRAMES)]
    for level, shown in zip(levels, made.pictures, strict=True):
        assert abs(shown[10, 10, 0].astype(int) - level) <= 6
    part = read(source, start=Fraction(12, RATE), stop=Fraction(16, RATE))
    assert len(part) == 4
    for level, shown in zip(levels[12:16], part, strict=True):
        assert abs(shown[10, 10, 0].astype(int) - level) <= 6


@pytest.mark.parametrize("ending", ["mkv", "mp4", "mov"])
@pytest.mark.parametrize("codec", ["h264", "hevc"])
@pytest.mark.parametrize(("rate", "unit"), [(25, 12_800), (25, 1000), (Fraction(60000, 1001), 1)])
def test_the_rate_is_declared(
    tmp_path: Path, ending: str, codec: str, rate: Fraction, unit: int
) -> None:
    cv2 = pytest.importorskip("cv2")
    base = Fraction(1, unit) if unit > 1 else 1 / Fraction(rate)
    times = [round(index / rate / base) for index in range(FRAMES)]
    source = make_clip(tmp_path / "in.mp4", times=times, time_base=base)
    options = VideoOptions(steady=False, codec=codec)
    paint_video(source, tmp_path / f"out.{ending}", style=same, options=options)
    made = cv2.VideoCapture(str(tmp_path / f"out.{ending}"))
    # On average, and the test's clip shows its last frame for 1/25 s.
    assert made.get(cv2.CAP_PROP_FPS) == pytest.approx(float(rate), rel=0.08)
    made.release()


# --- parts, lengths and names ---


def test_a_part_beyond_the_end_is_no_damage(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "in.mp4", frames=25)
    silent = make_clip(tmp_path / "long.mkv", frames=25, sounds=[Sound(seconds=4)])
    broadcast = make_clip(tmp_path / "in.ts", frames=25, time_base=Fraction(1, 90_000))
    for clip, start in ((source, 10), (silent, 2), (broadcast, 10), (source, 1)):
        for ask in (read, lambda path, **part: preview_video(path, style=same, **options(part))):
            with pytest.raises(InputError, match=r"after its end, .*until 1\.0") as caught:
                ask(clip, start=Fraction(start))
            assert "whole copy" not in str(caught.value)
    assert read(source, start=Fraction(99, 100))
    late = make_clip(tmp_path / "late.mkv", times=[2000, 2040], frames=2, sounds=[Sound()],
                     time_base=Fraction(1, 1000))  # fmt: skip
    with pytest.raises(
        InputError, match=r"--to 1s is too early, its first picture is shown at 2\.00s"
    ):
        read(late, stop=Fraction(1))


def options(part: dict[str, Fraction]) -> dict[str, VideoOptions]:
    return {"options": VideoOptions(**part)}


def test_what_is_known_of_a_clip_is_known_when_it_is_closed(tmp_path: Path) -> None:
    """A stream of a closed file is memory that is used for something else."""
    source = make_clip(tmp_path / "in.mp4", frames=50)
    clip = Clip(source, VideoOptions())
    known = (clip.seconds, clip.rate, clip.time_base, clip.total_frames, clip.width, clip.height)
    assert known == (2.0, 25, Fraction(1, 12_800), 50, WIDTH, HEIGHT)
    del clip.stream  # a use of it can be wrong without being seen
    clip.close()
    del clip.container
    gc.collect()
    others = [Clip(source, VideoOptions()) for _ in range(3)]
    assert known == (
        *(clip.seconds, clip.rate, clip.time_base, clip.total_frames),
        *(clip.width, clip.height),
    )
    for other in others:
        other.close()


@pytest.mark.parametrize(
    "name", ["10:30.mp4", "a:b:c.mkv", "http:x.mp4", "concat:a.mp4", "%03d:.mp4"]
)
def test_a_colon_in_a_name_is_a_letter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    made = make_clip(tmp_path / "plain.mp4", sounds=[Sound()], frames=4)
    Path("12:00").mkdir()
    for source in (Path(name), Path("12:00") / name):
        source.write_bytes(made.read_bytes())
        for ending in (".mp4", ".gif"):
            out = source.with_name(f"out:{source.stem}{ending}")
            paint_video(source, out, style=same, options=PLAIN)
            assert out.exists()
            paint_video(str(source), str(out), style=same, options=PLAIN, overwrite=True)
        assert len(look(source.absolute().with_name(f"out:{source.stem}.mp4")).audio) == 1
        sheet, _ = preview_video(source, style=same)
        assert sheet == source.with_name(f"{source.stem}-anime-preview.png") and sheet.exists()


def test_a_question_mark_in_a_name_is_a_letter(tmp_path: Path) -> None:
    source = make_clip(tmp_path / "plain.mp4", frames=4).rename(tmp_path / "what?.mp4")
    assert preview_video(source, style=same)[0] == tmp_path / "what?-anime-preview.png"
    paint_video(source, style=same, options=PLAIN)
    assert (tmp_path / "what?-anime.mp4").exists()


def test_a_name_that_no_disk_holds_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        paint_video(tmp_path / ("a" * 300 + ".mp4"), style=same)
    source = make_clip(tmp_path / "in.mp4", frames=2)
    with pytest.raises(OutputError, match="cannot be written"):
        paint_video(source, tmp_path / ("a" * 300 + ".mp4"), style=same)


@pytest.mark.parametrize("turned", [0, 90, 180, -90])
def test_frames_with_data_that_the_library_does_not_know_are_turned_too(
    tmp_path: Path, turned: int
) -> None:
    """Clips of cameras that store JPEGs have EXIF data in each frame."""
    exif = Image.Exif()
    exif[0x0110] = "Camera"
    seen = []
    for name, more in (("plain.mov", {}), ("exif.mov", {"exif": exif})):
        Image.fromarray(picture(0)).save(jpeg := io.BytesIO(), "JPEG", **more)
        with av.open(tmp_path / name, "w") as output:
            video = output.add_stream("mjpeg", rate=RATE, width=WIDTH, height=HEIGHT)
            video.pix_fmt = "yuvj420p"
            video.set_display_rotation(turned)
            packet = av.Packet(jpeg.getvalue())
            packet.stream, packet.pts, packet.dts, packet.time_base = video, 0, 0, Fraction(1, RATE)
            output.mux(packet)
        seen += read(tmp_path / name)
    assert len(seen) == 2 and (seen[0] == seen[1]).all()
    assert seen[0].shape == ((WIDTH, HEIGHT, 3) if abs(turned) == 90 else (HEIGHT, WIDTH, 3))
