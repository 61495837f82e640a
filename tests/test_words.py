"""What people type who know other programs: the words that they try work, and help is in words."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from samples import photo

from sakuga import cli
from sakuga.images.marks import read_mark
from sakuga.images.read import read_picture
from sakuga.styles import DEFAULT_STYLE, installed

SUBVERBS = {
    "styles": ("list", "show", "add", "index", "remove"),
    "prepare": ("coco", "safebooru", "frames", "clean", "smooth", "cel", "shards", "show"),
}


@pytest.fixture
def folder(folder: Path) -> Path:
    """A current folder with two photos."""
    for name in ("a.png", "b.png"):
        Image.fromarray(photo(30, 40, ord(name[0]))).save(folder / name)
    return folder


def told(capsys: pytest.CaptureFixture[str], line: str, status: int = 0) -> str:
    """Run a line and return what it printed."""
    assert cli.run(line.split()) == status
    captured = capsys.readouterr()
    return captured.out + captured.err


@pytest.mark.parametrize(
    ("line", "same"),
    [
        ("", "--help"),
        ("help", "--help"),
        ("help paint", "paint --help"),
        ("help styles add", "styles add --help"),
        ("version", "--version"),
        ("-V", "--version"),
        ("styles list", "styles"),
        ("styles list --json", "styles --json"),
    ],
)
def test_words_that_people_try(
    line: str, same: str, capsys: pytest.CaptureFixture[str], no_user_styles: Path
) -> None:
    expected = told(capsys, same)
    assert expected and told(capsys, line) == expected


@pytest.mark.parametrize(
    "line", ["a.png --style {}", "--style {} -- a.png", "-s {} --format png *.png"]
)
def test_paint_may_be_left_away(line: str, folder: Path, tiny_style: Path) -> None:
    assert cli.run(line.format(tiny_style).split()) == 0
    assert (folder / "a-tiny.png").exists()


def test_what_is_no_verb_and_no_photo_is_told_by_what_it_looks_like(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 'Unknown command "piant". Did you mean "paint"?' in told(capsys, "piant", 2)
    assert "missing.jpg: there is no such file" in told(capsys, "missing.jpg", 2)
    assert "--stile is neither an option nor a file" in told(capsys, "--stile novel a.png", 2)
    (folder / "doctor").mkdir()  # a verb goes before a folder of that name
    assert "Usage: sakuga doctor" in told(capsys, "doctor -h")


def test_places_are_named_as_other_programs_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hint = "check the spelling, or write there with --out out.jpg"
    assert hint in told(capsys, "a.png out.jpg", 2)
    assert "spelling, or" not in told(capsys, "out.jpg", 2)
    assert "inputs need no -i; leave it out" in told(capsys, "-i a.png -o out.jpg", 2)
    assert not (folder / "out.jpg").exists()


def test_quiet_and_verbose_have_letters(
    folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, f"paint a.png b.png --style {tiny_style} -q") == ""
    first, second, last = told(
        capsys, f"paint a.png b.png --style {tiny_style} -v --overwrite"
    ).splitlines()
    assert re.fullmatch(r"a\.png -> a-tiny\.png, \d+\.\d s", first)
    assert re.fullmatch(r"b\.png -> b-tiny\.png, \d+\.\d s", second)
    assert last.startswith("2 painted in ")


def test_the_place_is_told_as_seen_from_here(
    folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, f"{folder}/a.png --style {tiny_style}") == "a-tiny.png\n"
    (folder / "deeper").mkdir()
    os.chdir(folder / "deeper")
    whole = f"{folder}/b-tiny.png\n"  # it does not lie below
    assert told(capsys, f"{folder}/b.png --style {tiny_style}") == whole


@pytest.mark.parametrize("verb", ["paint", "train", "tune", "batch", "prepare clean"])
def test_the_letter_for_quiet_is_the_same_everywhere(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "--quiet -q" in told(capsys, f"{verb} --help")


def test_formats_and_shares_as_people_write_them(folder: Path, tiny_style: Path) -> None:
    assert cli.run(f"paint a.png --style {tiny_style} --format jpeg --strength 80%".split()) == 0
    assert read_picture(folder / "a-tiny.jpg").file_format == "JPEG"
    mark = read_mark(folder / "a-tiny.jpg")
    assert mark is not None and mark.options == {"strength": 0.8}


@pytest.mark.parametrize("text", ["180%", "-5%", "much%", "%", "nan"])
def test_shares_that_are_none(
    text: str, folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "strength" in told(capsys, f"paint a.png --style {tiny_style} --strength={text}", 2)
    assert not (folder / "a-tiny.png").exists()


def test_compare_takes_all_styles_unless_some_are_named(
    folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told(capsys, "compare a.png --side 32") == "comparison.png\n"
    mark = read_mark(folder / "comparison.png")
    assert mark is not None
    assert mark.style.split(", ") == [style.spec.name for style in installed()]
    assert len(installed()) > 1
    told(capsys, f"compare a.png -s {tiny_style} --out one.png")
    mark = read_mark(folder / "one.png")
    assert mark is not None and mark.style == "tiny"


def test_styles_say_which_is_the_default(
    capsys: pytest.CaptureFixture[str], no_user_styles: Path
) -> None:
    (line,) = [line for line in told(capsys, "styles").splitlines() if "default" in line]
    assert line.startswith(f"{DEFAULT_STYLE} ") and line.endswith("(the default)")


@pytest.mark.parametrize(
    "verb",
    [
        *(name for verbs in cli.VERBS.values() for name in verbs),
        *(f"{verb} {name}" for verb, names in SUBVERBS.items() for name in names),
    ],
)
def test_help_is_in_words(
    verb: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    text = told(capsys, f"{verb} --help")
    leaked = re.findall(r"\b(?:STR|INT|FLOAT|FRACTION|CHOICE|BOOL|ARGS|NONE)\b", text)
    assert not leaked, text
    assert "default: False" not in text


def test_the_flags_of_the_program_stand_under_options(capsys: pytest.CaptureFixture[str]) -> None:
    text = told(capsys, "--help")
    assert "─ Commands ─" not in text
    assert "--help" in text[text.index("─ Options ─") :]
    verbs = [line.split()[1] for line in text.splitlines() if re.match(r"│ [a-z]", line)]
    assert verbs == [name for group in cli.VERBS.values() for name in group]


@pytest.mark.skipif(os.name != "posix", reason="a shell of POSIX")
def test_the_shell_completes_verbs_options_and_styles(
    tmp_path: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "share"))
    script = Path(told(capsys, "--install-completion --shell bash").partition(": written")[0])
    assert script.is_relative_to(tmp_path)
    text = script.read_text()
    assert "--keep-colour" in text and "safebooru" in text
    completed = subprocess.run(
        [sys.executable, "-m", "sakuga", "__complete", "paint", "a.png", "--style", "no"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "novel" in completed.stdout.split()
