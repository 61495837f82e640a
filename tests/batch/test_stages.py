"""What the workers do, without a cluster: read, paint, encode, write."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

import sakuga
from sakuga.batch import stages
from sakuga.batch.manifest import SCHEMA
from sakuga.batch.results import write_parquet, write_shard, write_tree
from sakuga.batch.source import find_source, key_of
from sakuga.batch.stages import Painter, encode, read
from sakuga.batch.storage import Place, open_place
from sakuga.errors import OutputError
from sakuga.painting.options import PaintOptions
from sakuga.painting.stylizer import Stylizer


def draw(seed: int, side: int = 24) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (side, side + seed, 3), dtype=np.uint8)


def png(seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(draw(seed)).save(buffer, "PNG")
    return buffer.getvalue()


def add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(content)
    archive.addfile(member, io.BytesIO(content))


@pytest.fixture
def painter(tiny_style: Path) -> Painter:
    return Painter(open_place(str(tiny_style)), PaintOptions(), "cpu", sakuga.__version__)


def flow(source: str | Path, painter: Painter, *, done: list[int] | None = None) -> pa.Table:
    """Everything up to the writing, of a whole input."""
    found = find_source(str(source))
    tables = []
    for window in found.windows():
        begun = pa.array([done or []] * len(window), pa.list_(pa.uint64()))
        for pictures in read(window.append_column("done", begun), found, None):
            for painted in painter(pictures):
                tables += encode(painted, None, "tiny", "1")
    return pa.concat_tables(tables)


def test_a_tree_holds_what_the_stylizer_paints(
    tmp_path: Path, painter: Painter, tiny_style: Path
) -> None:
    for seed in range(3):  # of three sizes
        (tmp_path / f"in/{seed}").mkdir(parents=True)
        (tmp_path / f"in/{seed}/p.png").write_bytes(png(seed))
    (tmp_path / "in/cut.png").write_bytes(png(9)[:80])
    (tmp_path / "in/text.jpg").write_text("not a picture")
    rows = write_tree(flow(tmp_path / "in", painter), open_place(str(tmp_path / "out")))
    stylizer = Stylizer(tiny_style, device="cpu", threads=1)
    by_source = {row["source"]: row for row in rows.select(SCHEMA.names).to_pylist()}
    assert rows.select(SCHEMA.names).cast(SCHEMA).num_rows == 5
    for seed in range(3):
        row = by_source[f"{seed}/p.png"]
        result = tmp_path / "out" / row["result"]
        np.testing.assert_array_equal(np.asarray(Image.open(result)), stylizer(draw(seed)))
        assert row["sha256"] == hashlib.sha256(png(seed)).hexdigest()
        assert row["result_sha256"] == hashlib.sha256(result.read_bytes()).hexdigest()
        assert (row["status"], row["width"], row["height"]) == ("painted", 24 + seed, 24)
        assert (row["style"], row["style_version"]) == ("tiny", "1") and row["seconds"] > 0
        assert row["machine"] == platform.node()
    for source, words in (("cut.png", "damaged or truncated"), ("text.jpg", "it holds text")):
        row = by_source[source]
        assert row["status"] == "failed" and words in row["error"] and row["result"] is None
    assert len(list((tmp_path / "out").rglob("*.*"))) == 3


def test_shards_in_shards_out(tmp_path: Path, painter: Painter) -> None:
    with tarfile.open(tmp_path / "in-0.tar", "w") as archive:
        for seed in range(3):
            add(archive, f"{seed:03}.png", png(seed))
            add(archive, f"{seed:03}.json", b"{}")
        add(archive, "bad.jpg", b"bad")
    out = open_place(str(tmp_path / "out"))
    encoded = flow(tmp_path / "in-0.tar", painter, done=[key_of("in-0.tar/001.png")])
    rows = write_shard(encoded, out)
    assert rows["source"].to_pylist() == [
        f"in-0.tar/{n}" for n in ("000.png", "002.png", "bad.jpg")
    ]
    assert rows["shard_pictures"].to_pylist() == [4, 4, 4]
    assert rows["shard"].to_pylist() == [key_of("in-0.tar")] * 3
    (shard,) = (tmp_path / "out/shards").iterdir()
    with tarfile.open(shard) as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive}  # type: ignore[union-attr]
    assert len(members) == 4
    for result in rows["result"].to_pylist()[:2]:
        name = result.removeprefix(f"shards/{shard.name}/")
        about = json.loads(members[Path(name).with_suffix(".json").name])
        assert about["result_sha256"] == hashlib.sha256(members[name]).hexdigest()
    assert write_shard(encoded, out)["result"] == rows["result"]
    assert len(list((tmp_path / "out/shards").iterdir())) == 1


def test_parquet_out(tmp_path: Path, painter: Painter) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(png(1))
    (tmp_path / "in/b.png").write_bytes(b"bad")
    rows = write_parquet(flow(tmp_path / "in", painter), open_place(str(tmp_path / "out")))
    assert rows["status"].to_pylist() == ["painted", "failed"]
    table = pq.read_table(tmp_path / "out" / rows["result"][0].as_py())
    assert table["source"].to_pylist() == ["a.png"]
    content = table["picture"][0].as_py()
    assert hashlib.sha256(content).hexdigest() == rows["result_sha256"][0].as_py()
    assert Image.open(io.BytesIO(content)).size == (25, 24)


@pytest.mark.parametrize("cut", [700, 1600])
def test_a_shard_cut_short_gives_what_is_whole(tmp_path: Path, painter: Painter, cut: int) -> None:
    with tarfile.open(tmp_path / "whole.tar", "w") as archive:
        add(archive, "a.png", b"x" * 400)
        add(archive, "b.png", b"y" * 400)
    (tmp_path / "s.tar").write_bytes((tmp_path / "whole.tar").read_bytes()[:cut])
    rows = flow(tmp_path / "s.tar", painter)
    errors = dict(zip(rows["source"].to_pylist(), rows["error"].to_pylist(), strict=True))
    last = max(errors) if cut == 1600 else "s.tar"
    assert "s.tar/a.png" in errors and any(
        words in errors[last] for words in ("ends before", "cannot be read")
    )
    counts = set(rows["shard_pictures"].to_pylist())
    assert counts == {len(errors)}


def test_a_shard_that_is_none_is_one_failure(tmp_path: Path, painter: Painter) -> None:
    (tmp_path / "s.tar").write_bytes(b"no tar file at all" * 99)
    (row,) = flow(tmp_path / "s.tar", painter).to_pylist()
    assert row["source"] == "s.tar" and "no readable tar file" in row["error"]
    assert row["shard"] == row["key"] and row["shard_pictures"] == 1


@pytest.fixture
def server() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/1.png" else 404)
            self.end_headers()
            if self.path == "/1.png":
                self.wfile.write(png(1))

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as httpd:
        threading.Thread(target=httpd.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()


def test_addresses_are_fetched_in_order(tmp_path: Path, painter: Painter, server: str) -> None:
    names = [f"{server}/1.png", f"{server}/2.png", str(tmp_path / "absent.png")]
    (tmp_path / "list.jsonl").write_text("\n".join(map(json.dumps, names)))
    rows = flow(tmp_path / "list.jsonl", painter)
    assert rows["source"].to_pylist() == names
    assert rows["error"][0].as_py() is None
    assert "answered 404" in rows["error"][1].as_py()
    assert "there is no such file" in rows["error"][2].as_py()


def test_a_bug_on_one_picture_is_recorded(
    tmp_path: Path, painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.png").write_bytes(png(1))
    monkeypatch.setattr(stages, "paint_picture", lambda *_: {}["gone"])
    (row,) = flow(tmp_path, painter).to_pylist()
    assert row["error"] == "KeyError: 'gone'"


def test_tables_are_bounded_and_never_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "TABLE_BYTES", 25)
    rows = [{"key": i, "picture": b"x" * 10} for i in range(7)]
    sizes = [len(table) for table in stages._tables(rows, stages.PICTURES)]
    assert sizes == [3, 3, 1]
    assert [len(table) for table in stages._tables([], stages.PICTURES)] == [0]


def test_only_a_name_is_the_pictures_fault(
    tmp_path: Path, painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.png").write_bytes(png(1))
    encoded = flow(tmp_path / "in", painter)
    out = open_place(str(tmp_path / "out"))
    (tmp_path / "out/pictures/a.png").mkdir(parents=True)
    assert write_tree(encoded, out)["status"].to_pylist() == ["failed"]

    def fail(number: int, place: Place, content: bytes) -> None:
        raise OutputError("cannot be written") from OSError(number, "why")

    for number, status in ((36, "failed"), (28, None), (30, None)):  # name, space, read-only
        monkeypatch.setattr(Place, "write", lambda p, c, n=number: fail(n, p, c))
        if status is None:
            with pytest.raises(OutputError):
                write_tree(encoded, out)
        else:
            assert write_tree(encoded, out)["status"].to_pylist() == [status]


def test_another_sakuga_on_a_machine_is_refused(tiny_style: Path) -> None:
    make = partial(Painter, open_place(str(tiny_style)), PaintOptions(), "cpu")
    with pytest.raises(RuntimeError, match=r"has sakuga .*, not 0\.0"):
        make("0.0")
