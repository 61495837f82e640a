"""A result knows its source: none is lost, none is painted over, a changed option is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_style
from PIL import Image
from rights import without_rights
from samples import encoded, photo

from sakuga import cli
from sakuga.images.marks import read_mark
from sakuga.images.read import read_picture
from sakuga.paths import fitted

PROGRAM = [sys.executable, "-m", "sakuga"]


class Desk:
    """A current folder, and lines typed in it."""

    def __init__(self, folder: Path, style: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self._style = style
        self._capsys = capsys
        self._seed = 0

    def draw(self, *names: str) -> None:
        """Make pictures, each another one."""
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._seed += 1
            Image.fromarray(photo(16, 24, self._seed)).save(path)

    def paint(self, *words: str, style: str | Path | None = None) -> tuple[int, str]:
        """Status, and what was said."""
        status = cli.run(["paint", *words, "--style", str(style or self._style)])
        told = self._capsys.readouterr()
        return status, told.out + told.err

    def files(self, folder: str = ".") -> list[str]:
        root = self.folder / folder
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())

    def source_of(self, result: str) -> str:
        mark = read_mark(self.folder / result)
        assert mark is not None
        return mark.source


@pytest.fixture
def desk(
    tmp_path: Path,
    tiny_style: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    no_user_styles: Path,
) -> Desk:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return Desk(work, tiny_style, capsys)


# --- Two sources never have one result ---


@pytest.mark.parametrize("added", ["b.bmp", "b.png", "b.webp", "b.heic.png"])
@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]])
def test_what_is_added_to_a_folder_is_painted_too(
    desk: Desk, added: str, overwrite: list[str]
) -> None:
    desk.draw("in/b.tif")
    assert desk.paint("in", "--format", "png")[0] == 0
    first = (desk.folder / "in-tiny" / "b.png").stat().st_mtime_ns
    desk.draw(f"in/{added}")
    status, told = desk.paint("in", "--format", "png", *overwrite)
    assert status == 0 and "2 painted" in told if overwrite else "1 painted" in told
    assert desk.source_of("in-tiny/b.png") == "b.tif"
    sources = {desk.source_of(f"in-tiny/{name}") for name in desk.files("in-tiny")}
    assert sources == {"b.tif", added} and len(desk.files("in-tiny")) == 2
    if not overwrite:
        assert (desk.folder / "in-tiny" / "b.png").stat().st_mtime_ns == first
    assert "2 were there already" in desk.paint("in", "--format", "png")[1]


def test_pictures_that_differ_in_the_suffix_only(desk: Desk) -> None:
    desk.draw("a.bmp", "a.tif", "c.bmp", "c.tif")
    assert desk.paint("a.bmp", "a.tif")[0] == 0
    assert desk.paint("c.bmp")[0] == desk.paint("c.tif")[0] == 0
    assert desk.source_of("a-tiny.png") == "a.bmp" and desk.source_of("a.tif-tiny.png") == "a.tif"
    assert desk.source_of("c-tiny.png") == "c.bmp" and desk.source_of("c.tif-tiny.png") == "c.tif"
    assert desk.paint("a.tif", "a.bmp", "c.tif", "c.bmp")[1].startswith("0 painted")


def test_another_picture_of_the_same_name_is_not_taken_for_done(desk: Desk) -> None:
    desk.draw("x/cat.png", "y/cat.png")
    assert desk.paint("x/cat.png", "--out", "out")[0] == 0
    content = (desk.folder / "out" / "cat.png").read_bytes()
    status, told = desk.paint("y/cat.png", "--out", "out")
    assert status == 2 and "was painted from another cat.png" in told and "--overwrite" in told
    assert desk.paint("x", "y", "--out", "out2")[0] == 0
    assert desk.files("out2") == ["x/cat.png", "y/cat.png"]
    assert (desk.folder / "out" / "cat.png").read_bytes() == content
    assert desk.paint("y/cat.png", "--out", "out", "--overwrite")[0] == 0
    assert (desk.folder / "out" / "cat.png").read_bytes() != content


def test_a_photo_that_was_changed_is_told(desk: Desk) -> None:
    desk.draw("in/a.png", "in/b.png")
    desk.paint("in")
    desk.draw("in/a.png")
    status, told = desk.paint("in")
    assert status == 1 and "in-tiny/a.png: is there already and was painted from another" in told
    assert "1 was there already, 1 failed:" in told


def test_stdin_is_not_taken_for_done(desk: Desk, tiny_style: Path) -> None:
    line = [*PROGRAM, "paint", "-", "--out", "x.png", "--style", str(tiny_style)]
    told = []
    for seed in (1, 1, 2):
        content = encoded(Image.fromarray(photo(16, 24, seed)), "PNG")
        run = subprocess.run(line, input=content, capture_output=True, check=False)
        told.append((run.returncode, run.stdout + run.stderr))
    assert told[0] == (0, b"x.png\n")
    assert told[1][0] == 0 and b"is there already; --overwrite" in told[1][1]
    assert told[2][0] == 2 and b"was painted from another stdin" in told[2][1]


def test_a_file_of_the_users_is_told_and_kept(desk: Desk) -> None:
    desk.draw("in/a.png", "in/b.png")
    desk.draw("in-tiny/a.png")
    mine = (desk.folder / "in-tiny" / "a.png").read_bytes()
    status, told = desk.paint("in")
    assert status == 0 and "in-tiny/a.png is there already; what was painted there" in told
    assert (desk.folder / "in-tiny" / "a.png").read_bytes() == mine


# --- Options that have changed, or are wrong, are told before a result is skipped ---


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--strength", "0.5"], "was painted with strength 1.0, not 0.5"),
        (["--keep-colour"], "was painted with keep colour off, not on"),
        (["--max-side", "12"], "was painted with max side as usual, not 12"),
        (["--stroke", "bold"], "was painted with stroke auto, not bold"),
        (["--strength", "7"], "strength is 7.0"),
        (["--tile", "5"], "tile is 5 pixels; it must be 16 or more"),
        (["--from", "10"], "--from is for videos, and a.png is a still picture"),
        (["--preview"], "--preview is for videos"),
        (["--no-steady"], "--no-steady is for videos"),
        (["--codec", "hevc"], "--codec is for videos"),
        (["--side-by-side"], "was painted with side-by-side off, not on"),
    ],
)
def test_a_changed_or_wrong_option_is_told(desk: Desk, words: list[str], told: str) -> None:
    desk.draw("a.png")
    assert desk.paint("a.png")[0] == 0
    before = (desk.folder / "a-tiny.png").read_bytes()
    status, said = desk.paint("a.png", *words)
    assert status == 2 and told in said and len(said.splitlines()) == 1
    assert (desk.folder / "a-tiny.png").read_bytes() == before
    status, said = desk.paint("a.png")
    assert status == 0 and "is there already; --overwrite" in said


def test_a_changed_option_of_a_folder_is_told_once(desk: Desk) -> None:
    desk.draw(*(f"in/{index}.png" for index in range(9)))
    desk.paint("in")
    desk.draw("in/new.png")
    status, told = desk.paint("in", "--strength", "0.5")
    assert status == 1 and told.startswith("1 painted in")
    assert "9 failed:" in told
    assert told.count("was painted with strength 1.0, not 0.5") == 4
    assert "6 more are there already and each was painted with strength 1.0, not 0.5" in told
    assert desk.paint("in", "--strength", "0.5", "--overwrite")[0] == 0
    assert desk.paint("in", "--strength", "0.5")[0] == 0


def test_other_weights_of_the_same_name_are_told(desk: Desk, tmp_path: Path) -> None:
    desk.draw("a.png")
    assert desk.paint("a.png")[0] == 0
    other = make_style(tmp_path / "other.onnx", "tiny", tileable=False)
    status, told = desk.paint("a.png", style=other)
    assert status == 2 and "was painted with another style file named tiny 1" in told


def test_json_tells_why(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.draw("in/a.png", "in/b.png")
    desk.paint("in/a.png", "--out", "in-tiny", "--strength", "0.5")
    status = cli.run(["paint", "in", "--json", "--style", str(desk._style)])
    rows = json.loads(capsys.readouterr().out)["results"]
    assert status == 1 and [row["status"] for row in rows] == ["failed", "painted"]
    assert "was painted with strength 0.5, not 1.0" in rows[0]["error"]


# --- Results are no photos ---


def test_own_results_are_not_painted_again(desk: Desk) -> None:
    desk.draw("a.png", "b.jpg", "c.webp", "d.gif")
    for name in ("a.png", "b.jpg", "c.webp", "d.gif"):
        assert desk.paint(name)[0] == 0
    before = desk.files()
    status, told = desk.paint(".")
    assert status == 0 and told.startswith("4 painted in")
    assert "-> work-tiny/, 4 left out that are painted already" in told
    assert desk.files("work-tiny") == ["a.png", "b.jpg", "c.webp", "d.gif"]
    assert [name for name in desk.files() if not name.startswith("work-tiny")] == before
    status, told = desk.paint(".")
    assert told.startswith("0 painted in") and "4 were there already" in told


def test_own_results_of_another_style_and_place_are_no_photos(desk: Desk, tmp_path: Path) -> None:
    other = make_style(tmp_path / "other.onnx", "other")
    desk.draw("a.png")
    desk.paint(".", style=other)
    desk.paint("a.png", "--out", "elsewhere/x.jpg")
    status, told = desk.paint(".")
    assert status == 0 and told.startswith("1 painted in") and "2 left out" in told
    assert desk.files("work-tiny") == ["a.png"]
    status, told = desk.paint("a.png", "elsewhere/x.jpg", "work-other/a.png", "--out", "all")
    assert status == 0 and told.startswith("1 painted in") and "2 left out" in told


def test_a_result_that_is_named_is_painted(desk: Desk) -> None:
    desk.draw("a.png")
    desk.paint("a.png")
    status, told = desk.paint("a-tiny.png")
    assert (status, told) == (0, "a-tiny-tiny.png\n")
    status, told = desk.paint("a-tiny.*")
    assert status == 0 and "a-tiny.png: is itself a result" in told


def test_compare_leaves_results_of_a_folder_out(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.draw("a.png", "b.png")
    desk.paint("a.png")
    style = str(desk._style)
    assert cli.run(["compare", ".", "--styles", style, "--out", "strips"]) == 0
    assert desk.files("strips") == ["a.jpg", "b.jpg"]
    assert cli.run(["compare", ".", "--styles", style, "--out", "again"]) == 0
    assert desk.files("again") == ["a.jpg", "b.jpg"]  # not the strips, which are results, too
    assert cli.run(["compare", "a-tiny.png", "--styles", style, "--out", "one.png"]) == 0
    capsys.readouterr()


# --- Names that are long, and places that may not be looked at ---


@pytest.mark.parametrize("letter", ["x", "é", "日", "😀"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_long_names(desk: Desk, letter: str, suffix: str) -> None:
    stem = letter * ((255 - len(suffix)) // len(letter.encode()))
    desk.draw(f"{stem}{suffix}", f"in/{stem}{suffix}", f"in/{stem[:-1]}y{suffix}")
    status, told = desk.paint(f"{stem}{suffix}")
    assert status == 0, told
    (result,) = [name for name in desk.files() if name.endswith("-tiny.png")]
    assert desk.source_of(result) == f"{stem}{suffix}"
    assert "is there already" in desk.paint(f"{stem}{suffix}")[1]
    status, told = desk.paint("in")
    assert status == 0 and len(desk.files("in-tiny")) == 2, told


def test_names_are_cut_between_letters() -> None:
    assert fitted("cat", "-novel.png") == "cat-novel.png"
    for letter in ("x", "é", "日", "😀", "\udce9"):
        name = fitted(letter * 250, "-novel.png")
        assert 235 <= len(os.fsencode(name)) <= 240 and name.endswith("-novel.png")
        assert name != fitted(letter * 251, "-novel.png")


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + "/a.png", "a" * 5000, "y/" * 3000])
def test_arguments_that_no_file_can_have(desk: Desk, name: str) -> None:
    status, told = desk.paint(name)
    assert status == 2 and "there is no such file" in told and len(told.splitlines()) == 1
    desk.draw("a.png")
    for words in (["a.png", "--out", f"{name}.png"], ["a.png", "--out", name]):
        status, told = desk.paint(*words)
        assert status == 2 and told.startswith("sakuga: ") and len(told.splitlines()) == 1
    assert desk.files() == ["a.png"]


needs_rights = pytest.mark.skipif(sys.platform != "linux", reason="has other rights")


@needs_rights
def test_folders_that_may_not_be_entered(desk: Desk, tiny_style: Path) -> None:
    desk.draw("a.png", "shut/a.png", "in/ok.png", "in/shut/a.png")
    for name in ("shut", "in/shut"):
        (desk.folder / name).chmod(0)
    try:
        style = ("--style", str(tiny_style))
        for verb in ("paint", "compare"):
            flag = style if verb == "paint" else ("--styles", str(tiny_style))
            status, told = without_rights(verb, "shut/a.png", *flag)
            assert status == 2 and "shut/a.png: cannot be looked at (Permission denied)" in told
            line = (verb, "a.png", *flag, "--out", "shut/b.png")
            status, told = without_rights(*line)
            assert status == 2 and "shut/b.png: cannot be" in told and "Traceback" not in told
        status, told = without_rights("paint", "in", *style)
        assert status == 1, told
        assert told.startswith("1 painted in") and "in/shut: cannot be read (Perm" in told
        status, told = without_rights("paint", "in", *style, "--json")
        assert (
            status == 1
            and "in/shut: cannot be read" in json.loads(told.splitlines()[0])["errors"][0]
        )
        status, told = without_rights("paint", "shut", *style)
        assert status == 2 and "shut: cannot be read (Permission denied)" in told
        line = ("compare", "in", "--styles", str(tiny_style))
        status, told = without_rights(*line)
        assert status != 0 and "in/shut: cannot be read (Permission denied)" in told
    finally:
        for name in ("shut", "in/shut"):
            (desk.folder / name).chmod(0o777)
    assert desk.files("in-tiny") == ["ok.png"]


@needs_rights
def test_files_that_may_not_be_looked_at_are_told(desk: Desk, tiny_style: Path) -> None:
    desk.draw("in/ok.png", "in/listed/a.png", "in/no.png")
    (desk.folder / "in/listed").chmod(0o444)  # its names may be read, and no more
    (desk.folder / "in/no.png").chmod(0)
    try:
        status, told = without_rights("paint", "in", "--style", str(tiny_style))
    finally:
        (desk.folder / "in/listed").chmod(0o777)
    assert status == 1 and "1 painted in" in told and "2 failed:" in told
    assert "in/no.png: cannot be read (Permission denied)" in told
    assert "in/listed/a.png: cannot be" in told and "Traceback" not in told


@pytest.mark.skipif(os.name != "posix", reason="has no pipes or links of this kind")
def test_what_is_no_file_is_left_out_and_a_broken_link_is_told(desk: Desk) -> None:
    desk.draw("in/a.png")
    os.mkfifo(desk.folder / "in" / "pipe.png")
    (desk.folder / "in" / "gone.png").symlink_to("nowhere.png")
    (desk.folder / "in" / "round.png").symlink_to("round.png")
    status, told = desk.paint("in")
    assert status == 1 and "1 painted" in told and "2 failed:" in told
    assert "in/gone.png: cannot be read" in told or "in/gone.png: there is no such" in told
    status, told = desk.paint("in/pipe.png")  # which would be waited for
    assert status == 2 and "is a pipe or a device, not a file; send it through stdin" in told


# --- Where results are ---


def test_the_summary_says_where(desk: Desk) -> None:
    desk.draw("in/a.png", "in/b.png", "c.png", "d.png")

    def told(*words: str) -> str:
        status, said = desk.paint(*words)
        assert status == 0
        return re.sub(r"\d+\.\d s", "1.0 s", said)

    assert told("in") == "2 painted in 1.0 s -> in-tiny/\n"
    assert told("in", "--out", "x/y") == "2 painted in 1.0 s -> x/y/\n"
    assert told(str(desk.folder / "in"), "--overwrite") == "2 painted in 1.0 s -> in-tiny/\n"
    assert told("c.png", "d.png") == "2 painted in 1.0 s -> c-tiny.png, d-tiny.png\n"
    assert told("c.png", "d.png", "--out", "z") == "2 painted in 1.0 s -> z/\n"
    assert told("c.png", "in", "--out", "z2") == "3 painted in 1.0 s -> z2/\n"
    assert told("c.png", "--out", "z3") == "z3/c.png\n"
    assert read_picture(desk.folder / "z3" / "c.png").frames
