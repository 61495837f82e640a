"""The program: manners, errors and streams. Each line is run as a user would type it."""

from __future__ import annotations

import errno
import importlib.util
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import make_style
from PIL import Image
from samples import encoded, photo, png_chunk, png_header

from sakuga import cli, doctor
from sakuga.errors import MissingExtraError
from sakuga.extras import EXTRAS, missing
from sakuga.images.read import read_picture
from sakuga.painting.stylizer import Stylizer

PROGRAM = [sys.executable, "-m", "sakuga"]


def mistake(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """Run a line that must end in a one-line error with status 2, and return the error."""
    assert cli.run([str(argument) for argument in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("sakuga: ")
    return line.removeprefix("sakuga: ")


# --- Bad input: one line, status 2, and nothing written ---


def write_bad_input(folder: Path) -> None:
    Image.fromarray(photo(60, 80)).save(folder / "good.jpg")
    (folder / "text.jpg").write_text("not a picture\n")
    (folder / "empty.jpg").touch()
    (folder / "text.mp4").write_text("no video\n")
    (folder / "clip.jpg").write_bytes(b"\0\0\0\x20ftypisom")
    content = (folder / "good.jpg").read_bytes()
    (folder / "half.jpg").write_bytes(content[: len(content) // 2])
    end = png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b"")
    (folder / "bomb.png").write_bytes(png_header(60_000, 60_000) + end)
    (folder / "docs").mkdir()
    (folder / "docs" / "a.txt").touch()
    (folder / "file").touch()
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "g", [], [])), folder / "g.onnx")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("missing.jpg", "missing.jpg: there is no such file or folder"),
        ("docs", "docs: this folder holds no pictures"),
        ("text.jpg", "text.jpg: is not a picture, it holds text; give a JPEG"),
        ("empty.jpg", "empty.jpg: is not a picture, it holds nothing"),
        ("text.mp4", "text.mp4: is not a video, or is damaged (Invalid data found when processing"),
        ("clip.jpg", "it holds a video; to paint that, end its name in .mp4"),
        ("half.jpg", "half.jpg: is damaged or truncated"),
        ("bomb.png", "bomb.png: has 60000 x 60000 pixels, more than the limit of 400 megapixels"),
        (
            "good.jpg --out file/x.jpg",
            "file/x.jpg: cannot be written (file is a file, not a folder)",
        ),
        ("good.jpg --out good.jpg", "good.jpg: is the picture to be painted"),
        ("good.jpg --strength 2", "strength is 2.0; it must be from 0"),
        ("good.jpg --strength nan", "strength is nan"),
        ("good.jpg --max-side 0", "max-side is 0 pixels"),
        ("good.jpg --tile 0", "tile is 0 pixels"),
        ("good.jpg --threads 0", "threads is 0"),
        ("good.jpg --out x.bmp", "the suffix .bmp is not one Sakuga writes"),
        ("good.jpg --format bmp", "Invalid value"),
        ("good.jpg --strength much", "--strength much: no number; write 0.8 or 80%"),
        ("good.jpg --stroke thick", '--stroke: "thick" is not a whole number, or auto, fine, bold'),
        ("good.jpg --threads two", '--threads: "two" is not a whole number'),
        ("ftp://host/a.jpg", "ftp://host/a.jpg: addresses begin with http://"),
        ("good.jpg --stile novel", "--stile is neither an option nor a file"),
        ("", "nothing to paint was given"),
        ("good.jpg ''", "an empty name was given"),
        ("good.jpg - ", "'-' stands for one picture"),
        ("good.jpg --out - --json", "--json and a picture on stdout"),
    ],
)
def test_bad_input_to_paint(
    line: str,
    message: str,
    folder: Path,
    tiny_style: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_bad_input(folder)
    before = sorted(folder.rglob("*"))
    assert message in mistake(capsys, "paint", "--style", tiny_style, *shlex.split(line))
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("line", ["design ''", "prepare clean '' out", "export novel --page="])
def test_an_empty_name_is_not_the_current_folder(
    line: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "an empty name was given, as by a var" in mistake(capsys, *shlex.split(line))
    assert not list(folder.iterdir())


def test_unknown_and_foreign_styles(
    folder: Path, no_user_styles: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bad_input(folder)
    no_user_styles.mkdir()
    make_style(no_user_styles / "watercolour.onnx", "watercolour")
    before = sorted(folder.rglob("*"))
    told = mistake(capsys, "paint", "good.jpg", "--style", "watercolor")
    assert "'watercolor' is unknown: did you mean watercolour? there are " in told
    told = mistake(capsys, "paint", "good.jpg", "--style", "g.onnx")
    assert "g.onnx: is an ONNX file without the metadata 'sakuga.style'" in told
    told = mistake(capsys, "paint", "good.jpg", "--style", "good.jpg/x.onnx")
    assert "x.onnx: " in told
    assert sorted(folder.rglob("*")) == before


def test_a_device_that_is_not_there(
    folder: Path,
    tiny_style: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import onnxruntime

    providers = ["CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: providers)
    write_bad_input(folder)
    told = mistake(capsys, "paint", "good.jpg", "--style", tiny_style, "--device", "cuda")
    assert (
        "device cuda was asked for, but this onnxruntime offers only CPUExecutionProvider" in told
    )


def test_an_unknown_verb(capsys: pytest.CaptureFixture[str]) -> None:
    assert 'Unknown command "piant". Did you mean "paint"?' in mistake(capsys, "piant")


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_may_not_be_written(
    folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_bad_input(folder)
    (folder / "locked").mkdir(mode=0o500)
    line = ["paint", "good.jpg", "--style", tiny_style, "--out", "locked/x.jpg"]
    assert "locked/x.jpg: cannot be written (Permission denied)" in mistake(capsys, *line)


# --- Painting ---


def test_a_picture_is_painted_beside_itself(
    folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    picture = photo(50, 70)
    Image.fromarray(picture).save(folder / "a.png")
    assert cli.run(["paint", "a.png", "--style", str(tiny_style), "--keep-colour"]) == 0
    assert capsys.readouterr().out == "a-tiny.png\n"
    expected = Stylizer(tiny_style)(picture, keep_colour=True)
    assert (read_picture(folder / "a-tiny.png").frames[0].colour == expected).all()


def test_options_reach_the_painter(folder: Path, tiny_style: Path) -> None:
    picture = photo(50, 70)
    Image.fromarray(picture).save(folder / "a.png")
    line = ["paint", "a.png", "--style", str(tiny_style), "--strength", "0.5", "--format", "webp"]
    assert cli.run([*line, "--max-side", "35", "--tile", "32", "--threads", "1"]) == 0
    with Image.open(folder / "a-tiny.webp") as image:
        assert image.size == (35, 25)


def test_animations_stay_animations(folder: Path, tiny_style: Path) -> None:
    frames = [Image.fromarray(photo(40, 60, seed)) for seed in range(3)]
    for name in ("a.gif", "a.webp"):
        frames[0].save(folder / name, save_all=True, append_images=frames[1:], duration=80, loop=0)
    assert cli.run(["paint", "a.gif", "a.webp", "--style", str(tiny_style), "--quiet"]) == 0
    for name in ("a-tiny.gif", "a-tiny.webp"):
        painted = read_picture(folder / name)
        assert [frame.duration_ms for frame in painted.frames] == [80] * 3


def test_a_folder_with_a_bad_file_ends_with_status_1(
    folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "trip").mkdir()
    Image.fromarray(photo(30, 30)).save(folder / "trip" / "a.png")
    (folder / "trip" / "b.png").write_text("text")
    assert cli.run(["paint", "trip", "--style", str(tiny_style), "--json"]) == 1
    captured = capsys.readouterr()
    rows = json.loads(captured.out)["results"]
    assert [row["status"] for row in rows] == ["painted", "failed"]
    assert captured.err.splitlines() == [f"sakuga: {rows[1]['error']}"]


def test_streams(folder: Path, tiny_style: Path) -> None:
    picture = photo(40, 60)
    content = encoded(Image.fromarray(picture), "PNG")
    line = [*PROGRAM, "paint", "-", "--style", str(tiny_style)]
    piped = subprocess.run(line, input=content, capture_output=True, check=True)
    assert piped.stderr == b""
    painted = np.asarray(Image.open(io.BytesIO(piped.stdout)))
    assert (painted == Stylizer(tiny_style)(picture)).all()
    bad = subprocess.run(line, input=b"hello", capture_output=True, check=False)
    assert (bad.returncode, bad.stdout) == (2, b"")
    assert bad.stderr.startswith(b"sakuga: stdin: is not a picture, it holds text")
    named = subprocess.run(
        [*line, "--out", "x.webp"], input=content, capture_output=True, check=True
    )
    assert named.stdout.decode().strip() == "x.webp"
    with Image.open(folder / "x.webp") as image:
        assert image.format == "WEBP"


@pytest.mark.skipif(os.name != "posix", reason="pipes end otherwise")
def test_a_reader_that_goes_away(folder: Path, no_user_styles: Path) -> None:
    no_user_styles.mkdir()
    make_style(no_user_styles / "tiny.onnx", "tiny")
    run = subprocess.Popen(
        [*PROGRAM, "styles", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert run.stdout is not None and run.stderr is not None
    run.stdout.close()
    assert run.stderr.read() == b""
    run.stderr.close()
    assert run.wait(timeout=20) == 141


def test_what_stops_a_verb_becomes_a_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(**_: object) -> int:
        raise KeyboardInterrupt

    def lacking(**_: object) -> int:
        raise MissingExtraError("sakuga doctor", "train", "torch")

    monkeypatch.setattr("sakuga.doctor.examine", interrupted)
    assert cli.run(["doctor"]) == 130
    assert capsys.readouterr().err == "sakuga: stopped\n"
    monkeypatch.setattr("sakuga.doctor.examine", lacking)
    assert "pip install 'sakuga[train]'" in mistake(capsys, "doctor")


# --- Other verbs ---


def test_styles(folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["styles", "add", str(tiny_style)]) == 0
    assert "--style tiny" in capsys.readouterr().out
    assert cli.run(["styles"]) == 0
    assert "tiny" in (listed := capsys.readouterr().out)
    assert "A small style for tests.  (added)" in listed
    assert cli.run(["styles", "--json"]) == 0
    (facts,) = [s for s in json.loads(capsys.readouterr().out) if s["name"] == "tiny"]
    assert facts["receptive_radius"] == 15 and facts["origin"] == "added"
    assert cli.run(["styles", "show", "tiny"]) == 0
    assert "CC0-1.0" in capsys.readouterr().out
    assert cli.run(["styles", "show", "tiny", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == facts
    assert cli.run(["styles", "remove", "tiny"]) == 0
    assert "tiny.onnx" in capsys.readouterr().out
    assert "'tiny' is unknown" in mistake(capsys, "styles", "show", "tiny")


def test_compare(
    folder: Path, tiny_style: Path, whole_style: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, size in (("a.jpg", (80, 60)), ("b.png", (600, 300))):
        Image.fromarray(photo(size[1], size[0])).save(folder / name)
    line = ["compare", "a.jpg", "b.png", "--styles", str(tiny_style), str(whole_style)]
    assert cli.run([*line, "--out", "sheet.png", "--side", "120"]) == 0
    assert capsys.readouterr().out == "sheet.png\n"
    with Image.open(folder / "sheet.png") as sheet:
        width, height = sheet.size
    assert 3 * 120 < width < 3 * 120 + 100 and 60 + 60 < height < 60 + 60 + 140
    assert "sheet.png: is there already" in mistake(capsys, *line, "--out", "sheet.png")
    assert "nothing to compare" in mistake(capsys, "compare", "--styles", tiny_style)
    assert "side is 0" in mistake(capsys, *line, "--side", "0")
    assert not (folder / "comparison.png").exists()


def test_doctor(folder: Path, tiny_style: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.run(["styles", "add", str(tiny_style)])
    capsys.readouterr()
    assert cli.run(["doctor"]) == 0
    told = capsys.readouterr().out
    assert "CPUExecutionProvider" in told and "paints 256 x 256 pixels" in told
    assert cli.run(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["self-test"]["tiny"].startswith("paints")
    assert report["versions"]["numpy"] == np.__version__
    assert set(report) == {"versions", "machine", "extras", "styles", "self-test"}


@pytest.mark.usefixtures("two_styles")
def test_doctor_says_what_this_machine_computes_fast() -> None:
    assert doctor.int8(frozenset({"avx2", "avx512_vnni"})) == (
        "would pay: the processor has avx512_vnni"
    )
    assert doctor.int8(frozenset({"avx2"})) == "would not pay: the processor lacks VNNI"
    assert doctor.int8(None).startswith("not known")
    machine = doctor.examine()["machine"]
    assert machine["int8"].startswith(("would", "not known"))
    from sakuga.train.precision import choose_precision

    precision, why = choose_precision("auto", "auto")
    assert machine["training"] == f"{precision} ({why})"


@pytest.mark.usefixtures("two_styles")
def test_doctor_looks_for_what_each_extra_brings(monkeypatch: pytest.MonkeyPatch) -> None:
    """As pyproject.toml has it: a module that an extra does not install says nothing of it."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    declared = project["optional-dependencies"]
    modules = {
        "opencv-python-headless": "cv2",
        "pi-heif": "pi_heif",
        "google-crc32c": "google_crc32c",
        "lightning-fabric": "lightning_fabric",
        "litert-torch": "litert_torch",
        "ray": "ray",
    }
    assert set(EXTRAS) == set(declared) - {"dev", "web"}  # web brings nothing more
    for extra, brought in EXTRAS.items():
        names = [re.split(r"[\[<>=~ ]", line)[0] for line in declared[extra]]
        wanted = {modules.get(name, name) for name in names if name != "sakuga"}
        if extra == "tune":
            wanted |= {*EXTRAS["train"], *EXTRAS["eval"]}
        assert set(brought) - {"pyarrow"} == wanted, extra  # which ray[data] brings

    real = importlib.util.find_spec
    monkeypatch.setattr(
        "sakuga.extras.find_spec", lambda name: None if name == "urllib3" else real(name)
    )
    assert missing("data") == ["urllib3"]
    assert doctor.examine()["extras"]["data"] == "lacks urllib3: pip install 'sakuga[data]'"


def test_doctor_finds_a_damaged_style(two_styles: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (two_styles / "bad.onnx").write_text("hello")
    assert cli.run(["doctor"]) == 1
    assert "bad.onnx: is not an ONNX file" in capsys.readouterr().out


# --- Lightness ---


@pytest.mark.parametrize("verb", [[], ["paint"], ["styles"], ["compare"], ["doctor"]])
def test_help_fits_a_screen_and_shows_an_example(
    verb: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    cli.run([*verb, "--help"])
    told = capsys.readouterr().out
    assert f"Usage: sakuga {' '.join(verb)}".rstrip() in told
    if verb and verb[0] in ("paint", "compare"):
        assert "Example:" in told


def test_the_list_says_of_each_verb_what_its_own_help_says_first() -> None:
    for verbs in cli.VERBS.values():
        for name, (_, sentence) in verbs.items():
            assert cli.app[name].help.split("\n\n")[0] == sentence, name


def test_help_is_quick() -> None:
    def cpu_s() -> float:
        before = os.times()
        subprocess.run([*PROGRAM, "--help"], capture_output=True, check=True)
        after = os.times()
        user_s = after.children_user - before.children_user
        return user_s + after.children_system - before.children_system

    # Seconds of the processor, not of the clock, and the best of three: other programs must not
    # make this fail.
    assert any(0 < cpu_s() < 0.5 for _ in range(3))


def test_the_command_line_loads_nothing_heavy() -> None:
    heavy = "{'numpy', 'onnxruntime', 'PIL', 'av', 'torch'}"
    line = f"import sys, sakuga.cli; sakuga.cli.run(['--help']); print({heavy} & {{*sys.modules}})"
    loaded = subprocess.run(
        [sys.executable, "-c", line], capture_output=True, text=True, check=True
    )
    assert "Paint pictures, folders and videos." in loaded.stdout
    assert loaded.stdout.endswith("set()\n")


def test_painting_needs_no_torch(folder: Path, tiny_style: Path) -> None:
    Image.fromarray(photo(30, 40)).save(folder / "a.png")
    code = (
        "import sys\n"
        "for name in ('torch', 'lightning_fabric', 'cv2', 'scipy', 'onnx', 'safetensors'):\n"
        "    sys.modules[name] = None\n"
        "import sakuga.cli\n"
        f"style = {str(tiny_style)!r}\n"
        "assert sakuga.cli.run(['styles', 'show', style]) == 0\n"
        "assert sakuga.cli.run(['compare', 'a.png', '--styles', style]) == 0\n"
        "assert sakuga.cli.run(['doctor']) in (0, 1)\n"
        "sys.exit(sakuga.cli.run(['paint', 'a.png', '--style', style, '--keep-colour']))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
    assert (folder / "a-tiny.png").exists() and (folder / "comparison.png").exists()


def test_a_full_disk_is_told_also_where_the_system_names_no_file(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = errno.ENOSPC, os.strerror(errno.ENOSPC)
    for error in (OSError(*said), OSError(*said, "photo.png")):  # as of write(), and of a copy

        def full(*_: object, error: OSError = error, **__: object) -> None:
            raise error

        monkeypatch.setattr(doctor, "examine", full)
        assert mistake(capsys, "doctor").startswith("a file cannot be written (No space left on")
