"""Animations with every option of a clip: each works, or is refused before anything is painted."""

from __future__ import annotations

import io
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browsing import hosted
from clips import look, make_clip, picture
from PIL import Image

from sakuga.errors import InputError, OptionError
from sakuga.images.timeline import shown_frames
from sakuga.inputs.jobs import Request, paint_inputs
from sakuga.painting.stylizer import Stylizer
from sakuga.video import VideoOptions, paint_video
from sakuga.video.options import parse_rate

DURATIONS = (100, 50, 200, 150)  # ms


class Counting(Stylizer):
    """A style that counts how often it is run."""

    runs = 0

    def _run(self, window: np.ndarray) -> np.ndarray:
        self.runs += 1
        return super()._run(window)


@pytest.fixture
def stylizer(tiny_style: Path) -> Counting:
    return Counting(tiny_style, threads=1)


def animate(path: Path, *, clear: bool = False, frames: int = 4) -> Path:
    shown = [Image.fromarray(picture(index, 32, 24)) for index in range(frames)]
    if clear:
        for image in shown:
            image.putalpha(Image.fromarray(np.eye(24, 32, dtype=np.uint8) * 255))
    durations = list(DURATIONS[:frames])
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=durations, loop=3)
    return path


def seen(path: Path) -> tuple[int, list[int], tuple[int, int]]:
    """How many frames, how long each, and the size."""
    with Image.open(path) as image:
        durations = []
        for index in range(image.n_frames):
            image.seek(index)
            image.load()
            durations.append(round(image.info.get("duration", 0)))
        return image.n_frames, durations, image.size


ANIMATED = ("gif", "webp", "png")


@pytest.mark.parametrize("kind", ANIMATED)
@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv", "webm", "m4v"])
def test_an_animation_becomes_a_video(
    tmp_path: Path, stylizer: Counting, kind: str, ending: str
) -> None:
    source = animate(tmp_path / f"in.{kind}")
    out = tmp_path / f"out.{ending}"
    assert paint_inputs([str(source)], Request(stylizer, out=out)) == 0
    assert look(out).times == pytest.approx([0, 0.1, 0.15, 0.35])
    if ending != "m4v":
        assert paint_inputs([str(source)], Request(stylizer, file_format=ending)) == 0
        assert len(look(tmp_path / f"in-tiny.{ending}").times) == 4


@pytest.mark.parametrize("kind", ANIMATED)
@pytest.mark.parametrize("ending", ["same", "gif", "webp", "png", "mp4"])
def test_a_part_at_another_rate_beside_its_photo(
    tmp_path: Path, stylizer: Counting, kind: str, ending: str
) -> None:
    source = animate(tmp_path / f"in.{kind}")
    ending = kind if ending == "same" else ending

    def paint(name: str, **options: object) -> Path:
        out = tmp_path / f"{name}.{ending}"
        assert (
            paint_inputs(
                [str(source)],
                Request(stylizer, out=out, video=VideoOptions(**options)),
            )
            == 0
        )
        return out

    part = paint("part", start=Fraction(12, 100), stop=Fraction(40, 100))
    rated = paint("rated", fps=Fraction(10))
    beside = paint("beside", side_by_side=True)
    if ending == "mp4":
        assert look(part).times == pytest.approx([0, 0.03, 0.23])
        assert look(rated).times == [Fraction(tick, 10) for tick in range(5)]
        assert look(beside).pictures[0].shape == (24, 64, 3)
        return
    assert seen(part)[:2] == (3, [30, 200, 50])
    # Ticks at 0, 100, 200, 300, 400 ms show frames 0, 1, 2, 2, 3; writers join equal neighbours.
    count, durations, _ = seen(rated)
    assert (count, sum(durations)) == (4, 500) or (count, durations) == (5, [100] * 5)
    assert seen(beside)[2] == (64, 24)
    with Image.open(beside) as image:
        left = np.asarray(image.convert("RGB"))[:, :32].astype(int)
    assert np.abs(left - picture(0, 32, 24)).mean() < 6


def test_a_part_keeps_transparency_and_repetitions(tmp_path: Path, stylizer: Counting) -> None:
    for kind in ANIMATED:
        source = animate(tmp_path / f"in.{kind}", clear=True)
        out = tmp_path / f"out.{kind}"
        options = VideoOptions(stop=Fraction(15, 100), side_by_side=True)
        paint_inputs([str(source)], Request(stylizer, out=out, video=options))
        with Image.open(source) as before, Image.open(out) as after:
            assert after.info.get("loop") == before.info.get("loop")
            assert after.size == (64, 24)
            alpha = np.asarray(after.convert("RGBA"))[..., 3]
        assert (alpha[:, :32] == np.eye(24, 32) * 255).all()
        assert (alpha[:, 32:] == np.eye(24, 32) * 255).all()


def test_rates_do_not_drift_in_a_gif(tmp_path: Path, stylizer: Counting) -> None:
    source = tmp_path / "in.gif"
    shown = [Image.fromarray(picture(index, 16, 16)) for index in range(50)]
    shown[0].save(source, save_all=True, append_images=shown[1:], duration=40, loop=0)
    options = VideoOptions(fps=parse_rate("12"))  # 83.3 ms, of which a GIF can say 80
    paint_inputs([str(source)], Request(stylizer, out=tmp_path / "out.gif", video=options))
    count, durations, _ = seen(tmp_path / "out.gif")
    assert (count, sum(durations)) == (24, 2000)


REFUSED = [
    ("in.gif", {"out": "x.jpg"}, {}, "jpg holds no animation"),
    ("in.gif", {"file_format": "jpg"}, {}, "jpg holds no animation"),
    ("in.gif", {"out": "x.bmp"}, {}, "is not one Sakuga writes"),
    ("in.gif", {"out": "x.mp4", "file_format": "gif"}, {}, "differ"),
    ("in.gif", {"out": "x.gif", "file_format": "mp4"}, {}, "differ"),
    ("in.gif", {}, {"start": Fraction(10)}, r"after its end, its pictures last until 0\.50s"),
    ("in.gif", {"out": "x.mp4"}, {"start": Fraction(10)}, r"after its end"),
    ("in.gif", {}, {"preview": True, "start": Fraction(10)}, r"after its end"),
    ("in.gif", {}, {"seconds": 3.0}, "--seconds is for videos"),
    ("in.gif", {"out": "x.mp4"}, {"seconds": 3.0}, "--seconds is for live sources"),
    ("in.gif", {}, {"codec": "h264"}, "--codec is for videos"),
    ("in.gif", {}, {"crf": 20, "codec": "vp9"}, "--codec is for videos"),
    ("in.gif", {"out": "x.mp4"}, {"codec": "prores"}, "cannot hold prores"),
    ("in.gif", {"out": "x.mp4"}, {"preview": True}, "is a picture; end its name with"),
    ("in.gif", {"out": "-"}, {"preview": True}, "is for|makes one"),
    ("still.gif", {"out": "x.mp4"}, {}, "is a still picture"),
    ("still.png", {"out": "x.mp4"}, {}, "is a still picture"),
    ("still.png", {"file_format": "mp4"}, {}, "is a still picture"),
    ("still.jpg", {"out": "x.mp4"}, {}, "is a still picture"),
    ("still.jpg", {"file_format": "webm"}, {}, "is a still picture"),
    (
        "still.png",
        {},
        {"start": Fraction(1)},
        r"--from is .* still\.png is a still",
    ),
    ("still.jpg", {}, {"fps": Fraction(10), "stop": Fraction(1)}, "--to is for videos"),
    ("still.webp", {}, {"preview": True}, "--preview is for videos"),
    ("still.jpg", {}, {"crf": 20}, "--crf"),
    ("clip.mp4", {"file_format": "jpg"}, {}, "jpg cannot hold"),
    ("clip.mp4", {"out": "x.jpg"}, {}, "is not a kind of video"),
    ("clip.mp4", {"out": "x.mp4", "file_format": "webp"}, {}, "differ"),
    ("clip.mp4", {"out": "x.mp4"}, {"preview": True}, "is a picture; end its name with"),
    ("clip.mp4", {}, {"preview": True, "resume": True}, "--preview and --resume"),
]


@pytest.mark.parametrize(("name", "places", "options", "words"), REFUSED)
def test_what_makes_no_sense_is_refused_before_any_work(
    tmp_path: Path,
    stylizer: Counting,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    places: dict[str, str],
    options: dict[str, object],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    if name.startswith("still"):
        Image.fromarray(picture(0)).save(name)
    elif name == "clip.mp4":
        make_clip(Path(name), frames=3)
    else:
        animate(Path(name))
    # What is there from an earlier run is no reason to pass over a mistake.
    for there in ("in-tiny.gif", "still-tiny.png", "still-tiny.jpg", "still-tiny.webp"):
        Path(there).write_text("an earlier result")
    before = sorted(Path().iterdir())
    out = Path(places["out"]) if "out" in places else None
    with pytest.raises(Exception, match=words) as caught:
        paint_inputs(
            [name],
            Request(
                stylizer,
                out=out,
                file_format=places.get("file_format"),
                overwrite="file_format" in places or "after" in words,
                video=VideoOptions(**options),
            ),
        )
    assert type(caught.value).__module__ == "sakuga.errors"
    assert stylizer.runs == 0
    assert sorted(Path().iterdir()) == before


def test_previews_go_where_out_says(
    tmp_path: Path, stylizer: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=5)
    animation = animate(tmp_path / "in.gif")
    options = VideoOptions(preview=True)
    for source in (clip, animation):
        for out in ("p.png", "p.jpg", "p.webp"):
            sheet = tmp_path / f"{source.stem}-{out}"
            paint_inputs([str(source)], Request(stylizer, out=sheet, video=options))
            with Image.open(sheet) as image:
                assert getattr(image, "n_frames", 1) == 1 and image.width > 100
        paint_inputs([str(source)], Request(stylizer, video=options))
        assert "whole clip will take less than a second" in capsys.readouterr().err
        assert (tmp_path / f"{source.stem}-tiny-preview.png").exists()
        paint_inputs([str(source)], Request(stylizer, out=tmp_path / "sheets", video=options))
        assert (tmp_path / "sheets" / f"{source.stem}-preview.png").exists()
    made = {path.suffix for path in tmp_path.iterdir()}
    assert made == {".mp4", ".gif", ".png", ".jpg", ".webp", ""}
    assert not list(tmp_path.glob("*-tiny.*"))


@pytest.mark.parametrize("file_format", ["gif", "webp", "png"])
def test_a_clip_becomes_an_animation_if_asked(
    tmp_path: Path, stylizer: Counting, file_format: str
) -> None:
    source = make_clip(tmp_path / "clip.mp4", frames=5)
    paint_inputs([str(source)], Request(stylizer, file_format=file_format))
    assert seen(tmp_path / f"clip-tiny.{file_format}")[0] == 5
    assert not (tmp_path / "clip-tiny.mp4").exists()


def test_in_a_folder_a_format_is_for_what_it_suits(
    tmp_path: Path, stylizer: Counting, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "trip"
    folder.mkdir()
    make_clip(folder / "clip.mp4", frames=3)
    animate(folder / "moves.gif")
    Image.fromarray(picture(0)).save(folder / "still.png")
    Image.fromarray(picture(0)).save(folder / "photo.jpg")
    for file_format, results in (
        ("webp", {"clip.mp4", "moves.webp", "still.webp", "photo.webp"}),
        ("webm", {"clip.webm", "moves.webm", "still.png", "photo.jpg"}),
    ):
        out = tmp_path / file_format
        assert paint_inputs([str(folder)], Request(stylizer, out=out, file_format=file_format)) == 0
        assert {path.name for path in out.iterdir()} == results
    assert "--format webp is for pictures; this video became mp4" in capsys.readouterr().err
    # Options of clips are for the clips, and the photos are painted.
    options = VideoOptions(stop=Fraction(5, 100), crf=30)
    assert paint_inputs([str(folder)], Request(stylizer, out=tmp_path / "c", video=options)) == 0
    assert seen(tmp_path / "c" / "moves.gif")[0] == 1
    assert len(look(tmp_path / "c" / "clip.mp4").times) == 2
    assert (tmp_path / "c" / "photo.jpg").exists()


def test_a_still_photo_beside_its_painting(tmp_path: Path, stylizer: Counting) -> None:
    source = tmp_path / "photo.png"
    Image.fromarray(picture(0)).save(source)
    paint_inputs([str(source)], Request(stylizer, video=VideoOptions(side_by_side=True)))
    with Image.open(tmp_path / "photo-tiny.png") as made:
        assert made.size == (128, 48)
        assert (np.asarray(made)[:, :64] == picture(0)).all()


@pytest.mark.parametrize("kind", ANIMATED)
def test_in_python(tmp_path: Path, kind: str) -> None:
    source = animate(tmp_path / f"in.{kind}", clear=True)
    options = VideoOptions(start=Fraction(1, 10), fps=Fraction(20), side_by_side=True)

    def same(photo: np.ndarray, **_: object) -> np.ndarray:
        return photo

    result = paint_video(source, tmp_path / "out.mp4", style=same, options=options)
    assert result.frames == 8  # of 400 ms
    assert "transparent parts were laid on white" in result.notes
    made = look(tmp_path / "out.mp4")
    assert made.times == [Fraction(tick, 20) for tick in range(8)]
    assert made.pictures[0].shape == (24, 64, 3)
    paint_video(source, tmp_path / "out.gif", style=same, options=options)
    assert seen(tmp_path / "out.gif")[2] == (64, 24)
    with pytest.raises(InputError, match="after its end"):
        paint_video(source, tmp_path / "x.mp4", style=same, options=VideoOptions(start=Fraction(9)))


def test_times_of_parts() -> None:
    assert shown_frames([100, 50]) == [
        (0, 0, Fraction(1, 10)),
        (1, Fraction(1, 10), Fraction(3, 20)),
    ]
    part = shown_frames([100, 50, 50], start=Fraction(12, 100), stop=Fraction(16, 100))
    assert part == [(1, 0, Fraction(3, 100)), (2, Fraction(3, 100), Fraction(4, 100))]
    ticks = shown_frames([100, 300], fps=Fraction(10))
    assert [index for index, _, _ in ticks] == [0, 1, 1, 1]
    assert shown_frames([0, 0])[-1][2] == Fraction(2, 1000)


@pytest.mark.parametrize("name", ["clip.mp4", "in.gif", "in.webp"])
def test_clips_through_pipes(tmp_path: Path, tiny_style: Path, name: str) -> None:
    source = tmp_path / name
    if name == "clip.mp4":
        make_clip(source, frames=4)
    else:
        animate(source)
    command = [sys.executable, "-m", "sakuga", "paint", "-", "--style", str(tiny_style)]
    piped = subprocess.run(
        [*command, "--format", "mp4", "--max-side", "32"],
        input=source.read_bytes(),
        capture_output=True,
        timeout=120,
    )
    assert piped.returncode == 0, piped.stderr
    (tmp_path / "piped.mp4").write_bytes(piped.stdout)
    assert len(look(tmp_path / "piped.mp4").times) == 4
    assert b"moof" in piped.stdout  # in pieces, so that a reader need not go back
    out = tmp_path / "out.webm"
    named = subprocess.run(
        [*command, "--out", str(out)], input=source.read_bytes(), capture_output=True, timeout=120
    )
    assert named.returncode == 0, named.stderr
    assert len(look(out).times) == 4
    unsaid = subprocess.run(command, input=source.read_bytes(), capture_output=True, timeout=120)
    assert (unsaid.returncode == 2) == (name == "clip.mp4")
    if name == "clip.mp4":
        assert b"stdin: holds a video; say --format mp4" in unsaid.stderr
    broken = subprocess.run(
        [*command, "--format", "mp4"], input=b"no clip", capture_output=True, timeout=120
    )
    assert broken.returncode == 2 and broken.stdout == b""
    assert broken.stderr.startswith(b"sakuga: stdin: is not a video")
    assert len(broken.stderr.splitlines()) == 1


def test_a_gif_through_a_pipe_takes_a_part(tmp_path: Path, tiny_style: Path) -> None:
    source = animate(tmp_path / "in.gif")
    command = [sys.executable, "-m", "sakuga", "paint", "-", "--style", str(tiny_style)]
    piped = subprocess.run(
        [*command, "--to", "0.12"], input=source.read_bytes(), capture_output=True, timeout=120
    )
    assert piped.returncode == 0, piped.stderr
    with Image.open(io.BytesIO(piped.stdout)) as made:
        assert (made.format, made.n_frames) == ("GIF", 2)


def test_an_address_without_an_ending_is_known_by_what_it_holds(
    tmp_path: Path, stylizer: Counting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    site = tmp_path / "site"
    site.mkdir()
    make_clip(tmp_path / "clip.mp4", frames=3).rename(site / "clip")
    Image.fromarray(picture(0, 32, 24)).save(site / "still", "PNG")
    with hosted(site) as address:

        def paint(name: str, **options: Any) -> list[str]:
            before = set(tmp_path.iterdir())
            paint_inputs([f"{address}{name}?size=3"], Request(stylizer, **options))
            return [path.name for path in set(tmp_path.iterdir()) - before]

        assert paint("clip") == ["clip-tiny.mp4"]
        assert len(look(tmp_path / "clip-tiny.mp4").times) == 3
        runs = stylizer.runs
        assert paint("clip") == [] and stylizer.runs == runs
        assert paint("clip", file_format="webm", video=VideoOptions(crf=40)) == ["clip-tiny.webm"]
        assert paint("clip", file_format="gif") == ["clip-tiny.gif"]
        assert paint("clip", out=tmp_path / "x.mkv") == ["x.mkv"]
        assert paint("still") == ["still-tiny.png"]
        for options in ({"file_format": "mp4"}, {"out": tmp_path / "y.mp4"}):
            with pytest.raises(OptionError, match=r"still\?size=3: holds no video"):
                paint("still", overwrite=True, **options)
    assert paint("still") == []  # it is there: nothing is asked of the network
