"""Styles from files, addresses and indices: added if their sums agree, and only then."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import onnx
import pytest
from conftest import make_style

from sakuga.cli import run
from sakuga.errors import InputError, OptionError, OutputError, SakugaError, StyleError
from sakuga.styles import find, installed
from sakuga.styles.sharing import add_from_index, add_style, read_index, write_index


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    """A folder with two styles, as somebody would publish it."""
    folder = tmp_path / "shared"
    folder.mkdir()
    make_style(folder / "ink.onnx", "ink")
    make_style(folder / "wash.onnx", "wash")
    return folder


@pytest.fixture
def address(shared: Path) -> Iterator[str]:
    """The address of that folder on a server in this process."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(shared))) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def sum_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_style_from_an_address(shared: Path, address: str, no_user_styles: Path) -> None:
    with pytest.raises(OptionError, match="needs --sha256"):
        add_style(f"{address}/ink.onnx")
    style = add_style(f"{address}/ink.onnx", sum_of(shared / "ink.onnx").upper())
    assert style.path.read_bytes() == (shared / "ink.onnx").read_bytes()
    assert find("ink") == style
    with pytest.raises(StyleError, match="is there already"):
        add_style(f"{address}/ink.onnx", sum_of(shared / "ink.onnx"))


def test_another_sum_is_refused_and_nothing_is_left(
    shared: Path, address: str, no_user_styles: Path
) -> None:
    wrong = sum_of(shared / "wash.onnx")
    for source in (f"{address}/ink.onnx", str(shared / "ink.onnx")):
        with pytest.raises(StyleError, match=f"not {wrong}"):
            add_style(source, wrong)
    with pytest.raises(OptionError, match="64 hexadecimal digits"):
        add_style(str(shared / "ink.onnx"), "123")
    with pytest.raises(InputError, match="404"):
        add_style(f"{address}/none.onnx", wrong)
    assert not no_user_styles.exists()


def test_what_is_no_style_is_refused(shared: Path, tmp_path: Path, no_user_styles: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        add_style(str(tmp_path / "none.onnx"))
    (tmp_path / "a.onnx").write_bytes(b"no style")
    with pytest.raises(StyleError, match=f"^{tmp_path / 'a.onnx'}: is not an ONNX file"):
        add_style(str(tmp_path / "a.onnx"))
    model = onnx.load(shared / "ink.onnx")
    model.graph.node[0].op_type = "RunMyProgram"
    model.graph.node[0].domain = "evil.example"
    (tmp_path / "b.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(StyleError, match="cannot load this style"):
        add_style(str(tmp_path / "b.onnx"))
    assert not no_user_styles.exists()


def test_one_sum_vouches_for_an_index(shared: Path, address: str, no_user_styles: Path) -> None:
    sha256 = write_index([shared / "wash.onnx", shared / "ink.onnx"], shared / "styles.json")
    assert sha256 == sum_of(shared / "styles.json")
    index = f"{address}/styles.json"
    with pytest.raises(OptionError, match="needs --sha256"):
        add_from_index("wash", index)
    with pytest.raises(StyleError, match="lists no style 'oil'; it has ink, wash"):
        add_from_index("oil", index, sha256)
    assert add_from_index("wash", index, sha256).spec.name == "wash"
    assert add_from_index("ink", str(shared / "styles.json")).spec.name == "ink"
    assert [s.spec.name for s in installed() if s.origin == "added"] == ["ink", "wash"]


def test_style_that_is_not_the_listed_one_is_refused(
    shared: Path, address: str, no_user_styles: Path
) -> None:
    sha256 = write_index([shared / "ink.onnx"], shared / "styles.json")
    shutil.copy(shared / "wash.onnx", shared / "ink.onnx")
    with pytest.raises(StyleError, match="damaged or another file"):
        add_from_index("ink", f"{address}/styles.json", sha256)
    (shared / "styles.json").write_text("{}")
    with pytest.raises(StyleError, match="damaged or another file"):
        add_from_index("ink", f"{address}/styles.json", sha256)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff", "not an index of styles"),
        (b"[]", "of format 1"),
        (b'{"format": 2, "styles": []}', "of format 1; a later Sakuga made it: upgrade"),
        (b'{"format": 1}', "lists no styles"),
        (b'{"format": 1, "styles": [3]}', "lacks its name, file or sha256: 3"),
        (json.dumps({"format": 1, "styles": [{"name": "a"}]}).encode(), "lacks its name"),
    ],
)
def test_damaged_index_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(StyleError, match=message):
        read_index(content, "styles.json")


def test_index_wants_styles_beside_it(shared: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="must lie beside the index"):
        write_index([shared / "ink.onnx"], tmp_path / "styles.json")
    shutil.copy(shared / "ink.onnx", shared / "copy.onnx")
    with pytest.raises(StyleError, match="a second style named ink"):
        write_index([shared / "ink.onnx", shared / "copy.onnx"], shared / "styles.json")
    with pytest.raises(SakugaError):
        write_index([shared / "none.onnx"], shared / "styles.json")
    with pytest.raises(SakugaError, match="name the style files"):
        write_index([], shared / "styles.json")
    with pytest.raises(SakugaError, match="never replaced"):
        write_index([shared / "ink.onnx"], shared / "ink.onnx")
    assert not (shared / "styles.json").exists()


def test_verbs(
    shared: Path,
    no_user_styles: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(shared)
    assert run(["styles", "index", "ink.onnx", "wash.onnx"]) == 0
    sha256 = capsys.readouterr().out.split()[-1]
    assert run(["styles", "add", "ink", "--index", "styles.json", "--sha256", sha256]) == 0
    assert run(["styles", "add", "wash.onnx"]) == 0
    assert run(["styles", "remove", "ink"]) == 0
    assert run(["styles", "add", "ink", "--index", "styles.json", "--sha256", "0" * 64]) == 2
    assert "its SHA-256 is" in capsys.readouterr().err
