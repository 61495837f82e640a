"""Folders of pictures: past bad files, not twice, and never a partial file."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import photo

from sakuga.errors import InputError
from sakuga.images.read import read_picture
from sakuga.inputs.jobs import Request, do_jobs, paint_inputs
from sakuga.inputs.plan import plan
from sakuga.painting.options import PaintOptions
from sakuga.painting.stylizer import Stylizer


@pytest.fixture(scope="module")
def stylizer(tiny_style: Path) -> Stylizer:
    return Stylizer(tiny_style, threads=1)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder of the tests is the current one."""
    monkeypatch.chdir(tmp_path)


def fill(folder: Path, count: int, side: int = 24) -> list[Path]:
    """Write pictures 00.png, 01.png ... into a folder."""
    folder.mkdir()
    paths = [folder / f"{index:02}.png" for index in range(count)]
    for index, path in enumerate(paths):
        Image.fromarray(photo(side, side + index % 5, index)).save(path)
    return paths


def test_one_bad_file_among_fifty(
    tmp_path: Path, stylizer: Stylizer, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = fill(tmp_path / "trip", 50)
    paths[20].write_bytes(paths[20].read_bytes()[:300])
    assert paint_inputs([str(tmp_path / "trip")], Request(stylizer)) == 1
    painted = sorted(path.name for path in (tmp_path / "trip-tiny").iterdir())
    assert painted == [path.name for path in paths if path is not paths[20]]
    for path in (paths[0], paths[49]):
        result = read_picture(tmp_path / "trip-tiny" / path.name).frames[0].colour
        assert (result == stylizer(read_picture(path).frames[0].colour)).all()
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"49 painted in \d+\.\d s -> trip-tiny/, 1 failed:", lines[0])
    assert lines[1].startswith(f"sakuga: {paths[20]}: is damaged or truncated")
    assert len(lines) == 2


def test_what_is_there_is_skipped(
    tmp_path: Path, stylizer: Stylizer, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(tmp_path / "trip", 4)
    paint_inputs([str(tmp_path / "trip")], Request(stylizer))
    marked = tmp_path / "trip-tiny" / "01.png"
    marked.write_bytes(b"mine")
    (tmp_path / "trip-tiny" / "02.png").unlink()
    capsys.readouterr()
    assert paint_inputs([str(tmp_path / "trip")], Request(stylizer)) == 0
    assert "1 painted in" in (told := capsys.readouterr().err) and "3 were there already" in told
    assert marked.read_bytes() == b"mine"
    paint_inputs([str(tmp_path / "trip")], Request(stylizer, overwrite=True))
    assert marked.read_bytes() != b"mine"


def test_a_single_picture_that_fails_raises_its_own_kind_of_error(
    tmp_path: Path, stylizer: Stylizer
) -> None:
    (tmp_path / "a.jpg").write_text("hello")
    with pytest.raises(InputError, match=r"a.jpg: is not a picture, it holds text"):
        paint_inputs([str(tmp_path / "a.jpg")], Request(stylizer))
    assert [path.name for path in tmp_path.iterdir()] == ["a.jpg"]


def test_a_single_picture_that_is_there(
    tmp_path: Path, stylizer: Stylizer, capsys: pytest.CaptureFixture[str]
) -> None:
    (path,) = fill(tmp_path / "trip", 1)
    assert paint_inputs([str(path)], Request(stylizer)) == 0
    assert capsys.readouterr().out == f"{Path('trip', '00-tiny.png')}\n"
    assert paint_inputs([str(path)], Request(stylizer)) == 0
    target = tmp_path / "trip" / "00-tiny.png"
    told = capsys.readouterr()
    assert told.err == f"{target} is there already; --overwrite paints it again\n"
    assert told.out == ""


def test_json_tells_each_job(
    tmp_path: Path, stylizer: Stylizer, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = fill(tmp_path / "trip", 3)
    paths[1].write_bytes(b"")
    (tmp_path / "trip-tiny").mkdir()
    (tmp_path / "trip-tiny" / "02.png").touch()
    assert paint_inputs([str(tmp_path / "trip")], Request(stylizer, as_json=True)) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["style"] == "tiny"
    assert [row["status"] for row in report["results"]] == ["painted", "failed", "skipped"]
    assert report["results"][0]["target"] == str(tmp_path / "trip-tiny" / "00.png")
    assert "holds nothing" in report["results"][1]["error"]


def test_quiet_tells_only_failures(
    tmp_path: Path, stylizer: Stylizer, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = fill(tmp_path / "trip", 2)
    paths[1].write_bytes(b"")
    paint_inputs([str(tmp_path / "trip")], Request(stylizer, quiet=True))
    captured = capsys.readouterr()
    assert captured.out == "" and len(captured.err.splitlines()) == 1


def test_a_bug_is_not_a_failed_job(
    tmp_path: Path, stylizer: Stylizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path / "trip", 2)

    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("sakuga.inputs.jobs.paint_picture", broken)
    with pytest.raises(ZeroDivisionError):
        list(do_jobs(plan([str(tmp_path / "trip")], "tiny").jobs, Request(stylizer)))


def test_progress_counts_jobs(tmp_path: Path, stylizer: Stylizer) -> None:
    fill(tmp_path / "trip", 3)
    seen: list[tuple[float, str]] = []
    jobs = plan([str(tmp_path / "trip")], "tiny").jobs
    list(do_jobs(jobs, Request(stylizer), lambda done, name: seen.append((done, name))))
    assert [done for done, _ in seen] == [0, 1, 1, 2, 2, 3]
    assert seen[-1][1].endswith("02.png")


@pytest.mark.skipif(os.name != "posix", reason="kills by signal")
@pytest.mark.parametrize("by", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_run_leaves_no_partial_file_and_is_continued(
    tmp_path: Path, tiny_style: Path, by: signal.Signals
) -> None:
    paths = fill(tmp_path / "trip", 40, side=150)
    results = tmp_path / "trip-tiny"
    command = [sys.executable, "-m", "sakuga", "paint", str(tmp_path / "trip")]
    command += ["--style", str(tiny_style), "--threads", "1"]
    run = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline_s = time.monotonic() + 30
    while not list(results.glob("[!.]*.png")) and time.monotonic() < deadline_s:
        time.sleep(0.005)
    run.send_signal(by)
    _, told = run.communicate(timeout=30)
    assert run.returncode == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[by]
    if by == signal.SIGINT:
        assert told.splitlines() == ["sakuga: stopped"]
    done = {path: path.stat().st_mtime_ns for path in results.glob("[!.]*.png")}
    assert 0 < len(done) < 40
    for path in done:
        assert read_picture(path).frames[0].colour.shape[0] == 150
    if by != signal.SIGKILL:  # which leaves no time to clean up
        assert {path.name for path in results.iterdir()} == {path.name for path in done}
    subprocess.run([*command, "--quiet"], check=True)
    assert {path.name for path in results.glob("[!.]*")} == {path.name for path in paths}
    for path, written in done.items():
        assert path.stat().st_mtime_ns == written


def test_results_are_the_same_from_a_folder_and_alone(tmp_path: Path, stylizer: Stylizer) -> None:
    (path,) = fill(tmp_path / "trip", 1)
    look = PaintOptions(strength=0.5, keep_colour=True, max_side=16)
    paint_inputs([str(path)], Request(stylizer, look, out=tmp_path / "a.png", quiet=True))
    picture = read_picture(path, max_side=16).frames[0].colour
    expected = stylizer(picture, strength=0.5, keep_colour=True)
    assert np.array_equal(read_picture(tmp_path / "a.png").frames[0].colour, expected)
