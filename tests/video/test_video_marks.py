"""A painted video says what it is, in every kind of file, and a second run believes it."""

from __future__ import annotations

from pathlib import Path

import av
import pytest
from clips import Sound, look, make_clip
from PIL import Image

from sakuga import cli
from sakuga.images.marks import digest_of, read_mark
from sakuga.inputs.places import mark_at
from sakuga.video import VideoOptions, paint_video


@pytest.mark.parametrize("ending", ["mp4", "m4v", "mov", "mkv", "webm", "gif", "webp", "png"])
def test_every_kind_of_file_holds_a_mark(folder: Path, tiny_style: Path, ending: str) -> None:
    source = make_clip(folder / "in.mp4", frames=3, sounds=[Sound()])
    out = folder / f"out.{ending}"
    options = VideoOptions(steady=False, side_by_side=True)
    paint_video(source, out, style=tiny_style, strength=0.5, options=options)
    mark = mark_at(out)
    assert mark is not None and (mark.source, mark.style) == ("in.mp4", "tiny 1")
    assert mark.digest == digest_of(source)
    assert dict(mark.options) == {"strength": 0.5, "side-by-side": True, "steady": False}
    if ending in ("gif", "webp", "png"):
        with Image.open(out) as image:
            assert image.n_frames == 3
    else:
        assert len(look(out).times) == 3
    assert mark_at(source) is None and read_mark(source) is None


def test_the_comment_of_a_mov_stays(folder: Path, tiny_style: Path) -> None:
    source = make_clip(folder / "plain.mov", frames=3)
    with av.open(source) as plain, av.open(folder / "in.mov", "w") as told:
        told.metadata["comment"] = "a day at sea"
        stream = told.add_stream_from_template(plain.streams.video[0])
        for packet in plain.demux(plain.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                told.mux(packet)
    for source, out in (("in.mov", "a.mov"), ("a.mov", "b.mov")):
        paint_video(source, out, style=tiny_style)
        with av.open(out) as clip:
            comment = clip.metadata["comment"]
        assert comment.startswith("a day at sea\nSakuga ") and comment.count("Sakuga ") == 1
        mark = mark_at(Path(out))
        assert mark is not None and mark.source == source


def test_a_second_run_knows_its_clips(
    folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_clip(folder / "a.mp4", frames=3)

    def paint(*words: str) -> tuple[int, str]:
        status = cli.run(["paint", *words, "--style", str(tiny_style)])
        told = capsys.readouterr()
        return status, told.out + told.err

    assert paint("a.mp4", "--no-steady") == (0, "a-tiny.mp4\n")
    assert "is there already; --overwrite" in paint("a.mp4", "--no-steady")[1]
    for words, told in (
        (["--no-steady", "--to", "0.05"], "was painted with to as usual, not 0.05"),
        ([], "was painted with steady off, not on"),
        (["--no-steady", "--seconds", "5"], "--seconds is for live sources"),
        (["--no-steady", "--codec", "vp8"], "--codec vp8 is unknown"),
        (["--no-steady", "--crf", "99"], "--crf must be 0 to 51"),
    ):
        status, said = paint("a.mp4", *words)
        assert status == 2 and told in said, said
    status, said = paint(".", "--no-steady")
    assert status == 0 and said.startswith("1 painted") and "1 left out" in said, said
    make_clip(folder / "a.mov", frames=4)
    status, said = paint("a.mp4", "a.mov", "--no-steady", "--out", "work-tiny")
    assert status == 0 and said.startswith("1 painted") and "1 was there already" in said, said
    (folder / "a.avi").write_bytes(make_clip(folder / "b.avi", frames=5).read_bytes())
    (folder / "b.avi").unlink()
    status, said = paint(".", "--no-steady")
    assert status == 0 and said.startswith("1 painted"), said
    (folder / "a-tiny.mp4.parts").mkdir()
    (folder / "a-tiny.mp4.parts" / "job.json").write_text('{"sakuga.video": 3}')
    assert "only a part of it is painted" in paint("a.mp4", "--no-steady")[1]
