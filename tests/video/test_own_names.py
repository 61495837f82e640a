"""What people's own files are called, and where videos keep their parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from clips import make_clip
from PIL import Image
from samples import photo

from sakuga.errors import InputError, OutputError
from sakuga.inputs.plan import plan
from sakuga.video import VideoOptions, is_video, paint_video
from sakuga.video.opening import open_input
from sakuga.video.options import has_video_suffix, is_live, parts_folder

ONE_FRAME = VideoOptions(steady=False)


def plain(picture: np.ndarray, **_: object) -> np.ndarray:
    return picture


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- A folder or file goes before a device of the same name ---


@pytest.mark.parametrize("name", ["webcam", "screen", "webcam:0", "screen:1"])
def test_a_device_is_what_no_file_is_named_like(folder: Path, name: str) -> None:
    assert is_live(name) and is_video(name)
    (folder / name).write_bytes(b"")
    assert not is_live(name) and not is_video(name)
    (folder / name).unlink()
    (folder / name).symlink_to("nowhere")  # a broken link is somebody's, too
    assert not is_live(name)


@pytest.mark.parametrize("name", ["webcam", "screen"])
def test_a_folder_named_like_a_device_is_painted(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    Image.fromarray(photo(8, 8)).save(folder / name / "a.png")
    (job,) = plan([name], "tiny").jobs
    assert (job.source, job.target) == (f"{name}/a.png", Path(f"{name}-tiny/a.png"))
    assert not job.is_video
    with pytest.raises(InputError, match=f"{name}: is a folder, not a video"):
        open_input(name)


@pytest.mark.parametrize("name", ["webcam", "screen"])
def test_a_file_named_like_a_device_is_read(folder: Path, name: str) -> None:
    Image.fromarray(photo(8, 8)).save(folder / name, "PNG")
    (job,) = plan([name], "tiny").jobs
    assert not job.is_video and job.target == Path(f"{name}-tiny.png")
    make_clip(folder / "a.mp4", frames=2).rename(folder / name)
    with open_input(name) as clip:
        assert clip.streams.video


def test_a_result_is_never_a_device(folder: Path) -> None:
    Image.fromarray(photo(8, 8)).save(folder / "a.png")
    (job,) = plan(["a.png"], "tiny", out=Path("screen")).jobs
    assert job.target is not None and job.target.parent == Path("screen")
    assert not job.is_video and not has_video_suffix("screen")


# --- RESULT.parts ---


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    "content", ["notes.txt", "00000.mp4/keep", "job.json", "00000.mp4.txt", "my.json"]
)
def test_a_folder_of_the_users_is_left_alone(folder: Path, overwrite: bool, content: str) -> None:
    source = make_clip(folder / "in.mp4", frames=3)
    theirs = parts_folder(Path("out.mp4")) / content
    theirs.parent.mkdir(parents=True)
    theirs.write_text('{"made by": "somebody else"}')
    with pytest.raises(OutputError, match=r"out\.mp4\.parts"):
        paint_video(source, "out.mp4", style=plain, overwrite=overwrite, options=ONE_FRAME)
    assert theirs.read_text() == '{"made by": "somebody else"}'
    assert sorted(path.name for path in folder.iterdir()) == ["in.mp4", "out.mp4.parts"]


def test_a_file_in_the_place_of_the_parts_is_left_alone(folder: Path) -> None:
    source = make_clip(folder / "in.mp4", frames=3)
    parts_folder(Path("out.mp4")).write_text("mine")
    with pytest.raises(OutputError, match="cannot be written"):
        paint_video(source, "out.mp4", style=plain, overwrite=True, options=ONE_FRAME)
    assert parts_folder(Path("out.mp4")).read_text() == "mine"


def test_what_somebody_put_among_the_parts_stays(folder: Path) -> None:
    source = make_clip(folder / "in.mp4", frames=3)
    parts = parts_folder(Path("out.mp4"))
    parts.mkdir()
    (parts / "job.json").write_text(json.dumps({"sakuga.video": 3}))
    (parts / "00000.npz").touch()
    (parts / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds mine\.txt"):
        paint_video(source, "out.mp4", style=plain, overwrite=True, options=ONE_FRAME)
    assert [path.name for path in parts.iterdir()] == ["mine.txt"]


def test_an_empty_folder_and_an_own_one_are_used(folder: Path) -> None:
    source = make_clip(folder / "in.mp4", frames=3)
    parts = parts_folder(Path("out.mp4"))
    for _ in range(2):
        parts.mkdir()
        paint_video(source, "out.mp4", style=plain, overwrite=True, options=ONE_FRAME)
        assert not parts.exists()
        parts.mkdir()
        (parts / "job.json").write_text(json.dumps({"sakuga.video": 3}))
        (parts / "00000.npz").touch()
        (parts / ".00000-1a2b3c4d.tmp.json").touch()
        paint_video(source, "out.mp4", style=plain, overwrite=True, options=ONE_FRAME)
        assert not parts.exists()
