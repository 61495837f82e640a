"""Styles put into a built page: as the build itself would have done it."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from browsing import NODE_MODULES

from sakuga.cli import run
from sakuga.convert.export import export
from sakuga.errors import OptionError, OutputError
from sakuga.styles import read_spec

WORKER = 'const FILES = ["./","index.html","styles/index.json","styles/old.onnx"];\n'


def write_page(folder: Path) -> Path:
    """A page as small as one can be, with a style named old."""
    (folder / "styles").mkdir(parents=True)
    (folder / "index.html").write_text("<p>Photos into anime.</p>")
    (folder / "ort.wasm").write_bytes(b"loaded where there is a GPU, and not kept")
    (folder / "styles" / "old.onnx").write_bytes(b"old")
    (folder / "styles" / "index.json").write_text('{"styles": [{"name": "old"}]}')
    (folder / "sw.js").write_text(f'{WORKER}const VERSION = "0123456789abcdef";\nwork();\n')
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_page_gets_this_style_and_then_another(
    tiny_style: Path, whole_style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = write_page(tmp_path / "built")
    before = files_of(page)
    out = tmp_path / "site.v1"
    assert run(["export", str(tiny_style), str(out), "--page", str(page)]) == 0
    assert "a page with tiny\n" in capsys.readouterr().out
    first = files_of(out)
    assert "styles/old.onnx" not in first
    assert read_spec(out / "styles" / "tiny.onnx") == read_spec(tiny_style)
    worker = first["sw.js"].decode()
    assert worker.startswith(WORKER.replace("old", "tiny"))
    assert worker.endswith("work();\n") and "0123456789abcdef" not in worker

    assert run(["export", str(whole_style), str(out)]) == 0
    assert "a page with tiny, whole\n" in capsys.readouterr().out
    both = files_of(out)
    assert both["styles/tiny.onnx"] == first["styles/tiny.onnx"]
    listed = json.loads(both["styles/index.json"])["styles"]
    assert [(style["name"], style["default"]) for style in listed] == [
        ("tiny", True),
        ("whole", False),
    ]
    digest = hashlib.sha256()
    for name in ("index.html", "styles/index.json", "styles/tiny.onnx", "styles/whole.onnx"):
        digest.update(name.encode() + both[name])
    assert f'const VERSION = "{digest.hexdigest()[:16]}";' in both["sw.js"].decode()
    assert files_of(page) == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_it_is_what_the_build_would_have_made(
    tiny_style: Path, whole_style: Path, tmp_path: Path
) -> None:
    node = shutil.which("node")
    if node is None or not (NODE_MODULES / "onnxruntime-web").exists():
        pytest.skip("the page cannot be built: install node, and run  npm ci  in the folder web")

    def build(styles: Path, out: Path) -> None:
        command = [node, "build.js", "--styles", str(styles), "--out", str(out)]
        subprocess.run(command, cwd=NODE_MODULES.parent, check=True, stdout=subprocess.DEVNULL)

    build(whole_style.parent, tmp_path / "built")
    for style in (whole_style, tiny_style):
        export(str(style), tmp_path / "site", "fp16", None, tmp_path / "built")
    build(tmp_path / "site" / "styles", tmp_path / "expected")
    assert files_of(tmp_path / "site") == files_of(tmp_path / "expected")


def test_what_is_no_page_is_refused(tiny_style: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds other things than a page"):
        export(str(tiny_style), other, "fp16", None)
    assert [path.name for path in other.iterdir()] == ["thesis.txt"]
    for page in (other, tmp_path / "missing", NODE_MODULES.parents[1] / "src/sakuga/web/page"):
        with pytest.raises(OptionError, match="holds no page that was built"):
            export(str(tiny_style), tmp_path / "site", "fp16", None, page)
    with pytest.raises(OptionError, match="give --page too"):
        export(str(tiny_style), tmp_path / "site", "fp16", None)
    (tmp_path / "empty").mkdir()
    with pytest.raises(OptionError, match="a new page needs --page"):
        export(str(tiny_style), tmp_path / "empty", "fp16", None)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "other"]


def test_a_page_is_not_copied_into_itself(
    tiny_style: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = write_page(tmp_path / "built")
    before = files_of(page)
    assert run(["export", str(tiny_style), str(page / "mine"), "--page", str(page)]) == 2
    assert "name a folder outside" in capsys.readouterr().err
    assert files_of(page) == before
