"""The tree of the package: imports point one way, and few modules lie loose."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parents[1] / "src" / "sakuga"
# A package may import those before it; nothing but the command line imports a last room.
ORDER = (
    "images",
    "styles",
    "painting",
    "video",
    "cel",
    "data",
    "models",
    "train",
    "evaluate",
    "convert",
)
LAST = ("inputs", "web", "batch", "tune")
PACKAGES = sorted(path.parent.name for path in ROOT.glob("*/__init__.py"))


def rooms_of(path: Path) -> Iterator[str]:
    """The parts of the package that a file imports, also within functions and for types alone."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        yield from (name.split(".")[1] for name in names if name.startswith("sakuga."))


def test_every_package_has_its_place():
    assert sorted([*ORDER, *LAST]) == PACKAGES


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_one_way(package):
    allowed = {package, *(ORDER[: ORDER.index(package)] if package in ORDER else ORDER)}
    wrong = [
        f"{path.relative_to(ROOT)} imports {room}"
        for path in (ROOT / package).rglob("*.py")
        for room in rooms_of(path)
        if room in {*PACKAGES, "cli", "doctor"} - allowed
    ]
    assert not wrong, "\n".join(wrong)


def test_few_modules_lie_loose_and_those_that_serve_all_import_no_room():
    loose = {path.stem for path in ROOT.glob("*.py")}
    assert len(loose) <= 10, loose
    for name in loose - {"__init__", "__main__", "cli", "doctor"}:
        assert not {*rooms_of(ROOT / f"{name}.py")} & {*PACKAGES}, name


def test_no_module_is_longer_than_one_reads_at_a_time():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text().splitlines())
        for path in ROOT.rglob("*.py")
    }
    assert not {name: length for name, length in lengths.items() if length > 400}


def test_a_picture_is_painted_with_nothing_loaded_that_it_does_not_need(
    tmp_path: Path, tiny_style: Path
) -> None:
    """What makes every start slow: the network, clips, trainings."""
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    code = (
        "import sys; from sakuga.cli import run\n"
        f"assert run(['paint', 'photo.png', '--style', {str(tiny_style)!r}, '--quiet']) == 0\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    unwanted = {"urllib.request", "http.client", "av", "torch", "cv2", "onnx", "uvicorn", "asyncio"}
    unwanted |= {"sakuga.train.config", "sakuga.video.pipeline"}
    assert unwanted & set(done.stdout.split()) == set()


def test_pictures_are_multiplied_without_blas():
    """It wakes a pool of threads for a few numbers a pixel, which is slow beside other work."""
    for path in (
        path for room in ("images", "painting", "video") for path in (ROOT / room).glob("*.py")
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            named = isinstance(node, ast.Attribute) and node.attr in ("dot", "matmul", "tensordot")
            assert not named and not isinstance(node, ast.MatMult), path
