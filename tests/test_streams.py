"""Streams that are closed, full, left by their reader, or of a poor encoding cost no picture."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import make_style
from PIL import Image
from samples import encoded, photo

from sakuga.images.read import read_picture

PROGRAM = [sys.executable, "-m", "sakuga"]
needs_posix = pytest.mark.skipif(os.name != "posix", reason="closes streams as a shell does")


@pytest.fixture
def folder(folder: Path) -> Path:
    """A current folder with the picture a.png."""
    Image.fromarray(photo(40, 60)).save(folder / "a.png")
    return folder


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """Run a line of sh in which $SAKUGA is the program."""
    program = " ".join(f"'{word}'" for word in PROGRAM)
    variables = {**os.environ, **environment}
    return subprocess.run(
        ["sh", "-c", line.replace("$SAKUGA", program)],
        capture_output=True,
        check=False,
        env=variables,
        timeout=60,
    )


@needs_posix
@pytest.mark.parametrize("closed", ["2>&-", ">&-", "<&-", "<&- >&- 2>&-"])
def test_closed_streams_cost_no_picture(folder: Path, tiny_style: Path, closed: str) -> None:
    run = shell(f"$SAKUGA paint a.png --style {tiny_style} {closed}")
    assert run.returncode == 0
    assert read_picture(folder / "a-tiny.png").frames[0].colour.shape == (40, 60, 3)
    assert run.stderr == b""


@needs_posix
def test_what_is_written_while_stderr_is_closed_is_whole(folder: Path, tiny_style: Path) -> None:
    """The first file that is opened must not get the number 2, which libraries write to."""
    code = "import os, sys; sys.argv = ['sakuga', 'styles']; import sakuga.cli as c\n"
    code += "try: c.main()\nexcept SystemExit: pass\n"
    code += "os.write(1, str(os.open('new', os.O_CREAT | os.O_WRONLY)).encode())"
    run = subprocess.run(
        ["sh", "-c", f"'{sys.executable}' -c \"$CODE\" 2>&-"],
        capture_output=True,
        check=True,
        env={**os.environ, "CODE": code},
    )
    assert int(run.stdout.split()[-1]) > 2


@needs_posix
def test_closed_streams_that_are_asked_for_are_a_mistake(folder: Path, tiny_style: Path) -> None:
    run = shell(f"$SAKUGA paint - --style {tiny_style} <&-")
    assert (run.returncode, run.stderr[:23]) == (2, b"sakuga: stdin is closed")
    run = shell(f"$SAKUGA paint a.png --out - --style {tiny_style} >&-")
    assert (run.returncode, run.stderr[:24]) == (2, b"sakuga: stdout is closed")


@needs_posix
def test_the_error_of_a_program_without_stderr_is_its_status(folder: Path) -> None:
    run = shell("$SAKUGA paint missing.png 2>&-")
    assert (run.returncode, run.stdout, run.stderr) == (2, b"", b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("verb", ["styles --json", "paint a.png --out -", "paint a.png"])
def test_a_full_stdout_is_told(folder: Path, tiny_style: Path, verb: str, unbuffered: str) -> None:
    style = f"--style {tiny_style}" if verb.startswith("paint") else ""
    # In its development mode Python tells of errors in finalizers, as without it from 3.13 on.
    modes = {"PYTHONUNBUFFERED": unbuffered, "PYTHONDEVMODE": "1"}
    run = shell(f"$SAKUGA {verb} {style} > /dev/full", **modes)
    (line,) = run.stderr.decode().splitlines()
    assert line.startswith("sakuga: stdout cannot be written (No space left on device)")
    assert run.returncode == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
def test_a_full_stderr_costs_nothing(folder: Path, tiny_style: Path) -> None:
    (folder / "trip").mkdir()
    (folder / "a.png").rename(folder / "trip" / "a.png")
    (folder / "trip" / "b.png").write_text("text")
    run = shell(f"$SAKUGA paint trip --style {tiny_style} 2> /dev/full")
    assert (run.returncode, run.stdout, run.stderr) == (1, b"", b"")
    assert (folder / "trip-tiny" / "a.png").exists()


@needs_posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("out", ["-", "b.png"])
def test_a_reader_that_goes_away_ends_with_141(
    folder: Path, tiny_style: Path, out: str, unbuffered: str
) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [*PROGRAM, "paint", "a.png", "--out", out, "--style", str(tiny_style)],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@needs_posix
def test_a_reader_of_stderr_that_goes_away_costs_nothing(folder: Path, tiny_style: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    Image.fromarray(photo(20, 20)).save(folder / "b.png")
    ended = subprocess.run(
        [*PROGRAM, "paint", "a.png", "b.png", "--style", str(tiny_style)],
        stdout=subprocess.PIPE,
        stderr=writer,
        check=False,
    )
    os.close(writer)
    assert ended.returncode == 0
    assert (folder / "a-tiny.png").exists() and (folder / "b-tiny.png").exists()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437", "utf-8"])
def test_a_name_that_stdout_cannot_encode(folder: Path, tiny_style: Path, encoding: str) -> None:
    (folder / "a.png").rename(folder / "日é.png")
    run = subprocess.run(
        [*PROGRAM, "paint", "日é.png", "--style", str(tiny_style)],
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert run.stderr == b""
    expected = "日é-tiny.png".encode(encoding, "backslashreplace")
    assert run.stdout.strip() == expected
    assert (folder / "日é-tiny.png").exists()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-8"])
def test_json_is_json_in_every_encoding(
    folder: Path, tmp_path: Path, tiny_style: Path, encoding: str, no_user_styles: Path
) -> None:
    (folder / "a.png").rename(folder / "😀é.png")
    no_user_styles.mkdir()
    make_style(no_user_styles / "tiny.onnx", "tiny")
    for line in (["paint", "😀é.png", "--style", "tiny", "--json"], ["styles", "--json"]):
        run = subprocess.run(
            [*PROGRAM, *line],
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONIOENCODING": encoding},
        )
        told = json.loads(run.stdout.decode(encoding))
        assert isinstance(told, list) or told["results"][0]["source"] == "😀é.png"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
def test_a_name_that_is_no_text_is_told_as_it_is(folder: Path, tiny_style: Path) -> None:
    name = b"caf\xe9.png"
    (folder / "a.png").rename(folder / os.fsdecode(name))
    run = subprocess.run(
        [*PROGRAM, "paint", name, "--style", str(tiny_style)], capture_output=True, check=True
    )
    assert run.stdout.strip() == b"caf\xe9-tiny.png"
    assert (folder / os.fsdecode(b"caf\xe9-tiny.png")).exists()
    missing = subprocess.run([*PROGRAM, "paint", b"gone\xe9.png"], capture_output=True, check=False)
    assert missing.returncode == 2 and b"gone\xe9.png: there is no such" in missing.stderr


def test_a_picture_through_both_streams(folder: Path, tiny_style: Path) -> None:
    content = encoded(Image.fromarray(photo(30, 40)), "PNG")
    run = subprocess.run(
        [*PROGRAM, "paint", "-", "--style", str(tiny_style)],
        input=content,
        capture_output=True,
        check=True,
        env={**os.environ, "PYTHONIOENCODING": "cp1252"},
    )
    assert read_picture(run.stdout).frames[0].colour.shape == (30, 40, 3)
