"""The commands of docs/data.md and docs/your-own-style.md, run as they stand, on local servers.

Only what a test cannot have is replaced: the servers' addresses, the long training by a tiny one.
"""

from __future__ import annotations

import io
import json
import re
import shlex
import zipfile
from collections.abc import Iterator
from pathlib import Path

import misbehaving_server as ms
import pytest
from misbehaving_server import Server, picture_bytes, serving
from PIL import Image
from test_coco import make_annotations
from test_safebooru import HEADER, row

from sakuga.cli import run
from sakuga.data.verbs import prepare_app
from sakuga.styles import find

pytestmark = pytest.mark.usefixtures("traced_once")
DOCS = Path(__file__).parents[2] / "docs"


def commands(page: str) -> list[str]:
    """Give the lines of a page's blocks marked `sh`."""
    blocks = re.findall(r"```sh\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def server() -> Iterator[Server]:
    with serving() as it:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("annotations/instances_val2017.json", json.dumps(make_annotations()))
        it.routes["/annotations/annotations_trainval2017.zip"] = ms.give(packed.getvalue())
        for n in range(60):
            it.routes[f"/val2017/{n:012}.jpg"] = ms.give(picture_bytes(n, side=270))
            it.routes[f"/samples/{n}.jpg"] = ms.give(picture_bytes(100 + n, side=270))
        yield it


@pytest.fixture
def desk(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the pages take for granted: a config, an example photo, Kaggle's CSV."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SAKUGA_STYLES", str(tmp_path / "user-styles"))
    rows = [row(n, "scenery", url=f"{server.url}/samples/{n}.jpg") for n in range(1, 25)]
    (tmp_path / "all_data.csv").write_text("\n".join([HEADER, *rows]) + "\n")
    (tmp_path / "examples").mkdir()
    Image.open(io.BytesIO(picture_bytes(7, side=96))).save(tmp_path / "examples/food_coffee.jpg")
    return tmp_path


TINY = ("crop=32", "batch=2", "width=8", "blocks=1", "discriminator_width=8", "steps=2")


def run_line(line: str, server: Server) -> int:
    words = shlex.split(line.replace(" --minutes 60", ""))
    assert words[0] == "sakuga"
    if words[1:3] == ["prepare", "coco"]:
        words += ["--base-url", server.url, "--allow-private"]
    if words[1:3] == ["prepare", "safebooru"]:
        words += ["--allow-private"]
    if words[1:3] == ["prepare", "cel"] and Path(words[3]).is_dir():
        words += ["--limit", "4"]
    if words[1] == "train":
        assert "--minutes 60" in line
        words += [*TINY, "--accelerator", "cpu"]
    return run(words[1:])


def test_the_walk_through_leads_to_a_trained_style(desk: Path, server: Server) -> None:
    lines = commands("data.md")
    assert len(lines) >= 8
    for line in lines:
        assert run_line(line, server) == 0, line
    style = find(desk / "runs" / "mine" / "mine.onnx")
    assert style.spec.name == "mine"
    with Image.open(desk / "painted.jpg") as painted:
        assert painted.size == (96, 96)
    manifest = (desk / "drawings" / "manifest.jsonl").read_text().splitlines()
    assert len(manifest) == 24 and json.loads(manifest[0])["tags"] == "scenery"


def test_your_own_style_leads_to_a_style_too(desk: Path, server: Server) -> None:
    text = (DOCS / "your-own-style.md").read_text(encoding="utf-8")
    (toml,) = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    (desk / "mine.toml").write_text(toml)
    (desk / "photos").mkdir()
    for n in range(6):
        (desk / "photos" / f"{n}.jpg").write_bytes(picture_bytes(200 + n, side=270))
    lines = commands("your-own-style.md")
    assert [line.split()[1] for line in lines] == [
        "prepare",
        "prepare",
        "train",
        "paint",
        "styles",
        "styles",
    ]
    for line in lines:
        assert run_line(line, server) == 0, line
    spec = find("mine").spec
    assert (spec.name, spec.licence, spec.attribution) == ("mine", "CC0-1.0", ("Drawn up by me",))
    assert (desk / "painted.jpg").exists() and (desk / "look.png").exists()


@pytest.mark.parametrize("page", ["data.md", "your-own-style.md"])
def test_every_other_command_has_options_that_exist(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    for line in re.findall(r"^sakuga prepare .*$", text, re.MULTILINE):
        _, bound, *_ = prepare_app.parse_args(
            shlex.split(line)[2:], exit_on_error=False, print_error=False
        )
        assert bound.arguments
    described = set(re.findall(r"`sakuga prepare (\w+)", text)) | set(
        re.findall(r"^## prepare (\w+)", text, re.MULTILINE)
    )
    assert described <= {"coco", "safebooru", "frames", "clean", "smooth", "shards", "show", "cel"}
