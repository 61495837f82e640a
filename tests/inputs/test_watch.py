"""`paint --watch`: what arrives is painted when it is whole, once, and Ctrl-C ends it cleanly."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import make_style
from PIL import Image
from samples import photo

from sakuga import cli
from sakuga.inputs import watch
from sakuga.inputs.watch import Arrivals


def write(path: Path, seed: int = 0) -> None:
    Image.fromarray(photo(30, 40, seed)).save(path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder `in` in the current one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.fixture
def watched(folder: Path, tiny_style: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Watches while steps are done, one after each look; then comes Ctrl-C."""

    def run(*steps: Callable[[], object], options: str = "") -> int:
        left = [*steps, lambda: None, lambda: None]

        def sleep(seconds: float) -> None:
            assert seconds == watch.LOOK_EVERY_S
            if not left:
                raise KeyboardInterrupt
            left.pop(0)()

        monkeypatch.setattr(watch.time, "sleep", sleep)
        return cli.run(f"paint --watch in --style {tiny_style} {options}".split())

    return run


def test_a_file_has_arrived_when_it_no_longer_grows(tmp_path: Path) -> None:
    arrived, path = Arrivals(), tmp_path / "a.jpg"
    assert not arrived(path)  # not there
    path.touch()
    assert [arrived(path) for _ in range(3)] == [False] * 3  # empty
    for content in (b"1", b"12", b"123"):
        path.write_bytes(content)
        assert not arrived(path)
    assert [arrived(path) for _ in range(3)] == [True, False, False]
    os.utime(path, ns=(1, 1))  # written anew, of the same size
    assert [arrived(path) for _ in range(3)] == [False, True, False]


def test_what_is_there_and_what_arrives_is_painted(
    folder: Path, watched: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "old.png")
    (folder / "deep").mkdir()

    def half() -> None:
        whole = folder.parent / "whole.png"
        write(whole, 3)
        (folder / "deep" / "new.png").write_bytes(whole.read_bytes()[:100])

    def rest() -> None:
        assert not (folder.parent / "in-tiny" / "deep").exists()
        shutil.copy(folder.parent / "whole.png", folder / "deep" / "new.png")

    assert watched(lambda: None, half, rest) == 0
    out = folder.parent / "in-tiny"
    assert sorted(path.name for path in out.rglob("*.png")) == ["new.png", "old.png"]
    begin, first, second, last = capsys.readouterr().err.splitlines()
    assert begin == "watching in -> in-tiny/; Ctrl-C ends it"
    for line, path in ((first, "old.png"), (second, "deep/new.png")):
        pattern = rf"\d\d:\d\d:\d\d in/{path} -> in-tiny/{path}, \d+\.\d s"
        assert re.fullmatch(pattern, line)
    assert re.fullmatch(r"2 painted in \d+\.\d s -> in-tiny/", last)


def test_a_second_watch_leaves_what_is_painted(
    folder: Path, watched: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "a.png")
    assert watched() == 0
    before = (folder.parent / "in-tiny" / "a.png").stat().st_mtime_ns
    capsys.readouterr()
    assert watched(lambda: write(folder / "b.png", 5)) == 0
    assert (folder.parent / "in-tiny" / "a.png").stat().st_mtime_ns == before
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 3 and "in/b.png -> in-tiny/b.png" in told[1]


def test_a_bad_file_is_told_once_and_painted_when_it_is_mended(
    folder: Path, watched: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.png").write_text("no picture")
    nothing = [lambda: None] * 4
    assert watched(*nothing, lambda: write(folder / "a.png")) == 1
    told = capsys.readouterr().err.splitlines()
    assert sum("in/a.png: is not a picture" in line for line in told) == 1
    assert told[-1].startswith("1 painted") and told[-1].endswith(", 1 failed")
    assert (folder.parent / "in-tiny" / "a.png").exists()


def test_json_has_a_line_for_each_result(
    folder: Path, watched: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder / "a.png")
    assert watched(lambda: write(folder / "b.png", 1), options="--json --quiet") == 0
    captured = capsys.readouterr()
    rows = [json.loads(line) for line in captured.out.splitlines()]
    assert [(row["source"], row["status"]) for row in rows] == [
        ("in/a.png", "painted"),
        ("in/b.png", "painted"),
    ]
    assert captured.err == ""


def test_several_styles_paint_what_arrives(
    folder: Path, tmp_path: Path, watched: Callable[..., int]
) -> None:
    write(folder / "a.png")
    other = make_style(tmp_path / "other.onnx", "other")
    assert watched(options=f"{other} --out out") == 0
    assert (tmp_path / "out" / "tiny" / "a.png").exists()
    assert (tmp_path / "out" / "other" / "a.png").exists()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ("", "--watch needs a folder"),
        ("missing", "--watch is for folders, and missing is none"),
        ("a.png", "--watch is for folders, and a.png is none"),
        ("in --out x.png", "--out x.png names one file, and in is a folder"),
    ],
)
def test_what_cannot_be_watched(
    inputs: str,
    message: str,
    folder: Path,
    tiny_style: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write(folder.parent / "a.png")
    line = f"paint {inputs} --watch --style {tiny_style}"
    assert cli.run(line.split()) == 2
    assert message in capsys.readouterr().err
