"""Several styles in one `sakuga paint`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from samples import photo

import sakuga
from sakuga.cli import run
from sakuga.inputs.several import choose_styles


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, two_styles: Path) -> Path:
    """A photo, a folder of one, and no styles but two of the user's and those in the box."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(photo(40, 60, 1)).save("cat.png")
    Path("holiday").mkdir()
    Image.fromarray(photo(40, 60, 2)).save("holiday/sea.png")
    return tmp_path


def pixels(path: str) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_each_style_has_its_own_result(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["paint", "cat.png", "--style", "tiny", "whole"]) == 0
    assert capsys.readouterr().out.split() == ["cat-tiny.png", "cat-whole.png"]
    for style in ("tiny", "whole"):
        assert (pixels(f"cat-{style}.png") == sakuga.paint(photo(40, 60, 1), style)).all()
    assert (pixels("cat-tiny.png") != pixels("cat-whole.png")).any()


def test_inputs_may_stand_behind_the_styles(desk: Path) -> None:
    line = ["paint", "--style", "tiny", "whole", "cat.png", "holiday", "--out", "all", "--json"]
    assert run(line) == 0
    found = sorted(path.relative_to("all").as_posix() for path in Path("all").rglob("*.png"))
    assert found == [
        *("tiny/cat.png", "tiny/holiday/sea.png"),
        *("whole/cat.png", "whole/holiday/sea.png"),
    ]


def test_json_is_a_line_a_style(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["paint", "cat.png", "-s", "tiny", "-s", "whole", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["style"] for line in lines] == ["tiny", "whole"]


def test_all_styles_are_those_that_a_name_finds(desk: Path) -> None:
    assert run(["paint", "cat.png", "--all-styles", "--quiet"]) == 0
    assert {path.name for path in desk.glob("cat-*.png")} == {"cat-tiny.png", "cat-whole.png"}


def test_a_bad_file_fails_in_every_style(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("bad.png").write_bytes(b"no picture")
    assert run(["paint", "cat.png", "bad.png", "--style", "tiny", "whole", "--quiet"]) == 1
    assert capsys.readouterr().err.count("bad.png") == 2
    assert Path("cat-whole.png").exists()


@pytest.mark.parametrize(
    ("words", "chosen", "inputs"),
    [
        (["tiny"], ["tiny"], []),
        (["cat.png"], ["cat.png"], []),  # the first is a style, if only to be told there is none
        (["tiny", "cat.png"], ["tiny"], ["cat.png"]),
        (["tiny", "lost.png", "-"], ["tiny"], ["lost.png", "-"]),
        (["tiny", "holiday", "*.jpg"], ["tiny"], ["holiday", "*.jpg"]),
        (["tiny", "https://example.org/a"], ["tiny"], ["https://example.org/a"]),
        (["tiny", "webcam"], ["tiny"], ["webcam"]),
        (["tiny", "whol"], ["tiny", "whol"], []),  # misspelt: told with the nearest style
        (["tiny", "tiny:0.5+mine.onnx:0.5"], ["tiny", "tiny:0.5+mine.onnx:0.5"], []),
        (["tiny", "mine.onnx", "a run"], ["tiny", "mine.onnx", "a run"], []),
    ],
)
def test_words_behind_style_are_styles_or_inputs(
    desk: Path, words: list[str], chosen: list[str], inputs: list[str]
) -> None:
    Path("a run").mkdir()
    found = choose_styles(words, [], None, lambda word: word == "a run", every=False)
    assert found == (chosen, inputs)


def test_a_misspelt_second_style_is_told(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["paint", "cat.png", "--style", "tiny", "whol"]) == 2
    assert "did you mean whole" in capsys.readouterr().err
    assert not Path("cat-tiny.png").exists()  # before anything is painted


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("cat.png --style tiny tiny", "twice"),
        ("cat.png --style tiny whole --out x.png", "name a folder"),
        ("cat.png --style tiny whole --out -", "name a folder"),
        ("- --style tiny whole", "one style"),
        ("webcam --style tiny whole", "one style"),
        ("cat.png --style tiny --all-styles", "leave one out"),
    ],
)
def test_what_only_one_style_can_have_is_refused(
    desk: Path, line: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["paint", *line.split()]) == 2
    assert told in capsys.readouterr().err
    assert list(desk.glob("*tiny*")) == []
