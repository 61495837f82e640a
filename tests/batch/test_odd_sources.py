"""Names that are no text, and what may not be read, end no batch; results are no photos."""

from __future__ import annotations

import io
import os
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from PIL import Image
from samples import encoded, photo

import sakuga
from sakuga.batch.results import write_tree
from sakuga.batch.source import find_source
from sakuga.batch.stages import Painter, encode, read
from sakuga.batch.storage import Place, open_place
from sakuga.errors import InputError
from sakuga.images.marks import Mark, read_mark
from sakuga.painting.options import PaintOptions

ODD = os.fsdecode(b"caf\xe9")
linux_only = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")


@pytest.fixture
def painter(tiny_style: Path) -> Painter:
    return Painter(open_place(str(tiny_style)), PaintOptions(), "cpu", sakuga.__version__)


def painted(folder: Path, out: Path, painter: Painter) -> list[dict[str, object]]:
    """The rows of the manifest of a batch of a folder."""
    source = find_source(str(folder))
    mark = Mark(style="tiny 1")

    def rows() -> Iterator[dict[str, object]]:
        for window in source.windows():
            begun = pa.array([[]] * len(window), pa.list_(pa.uint64()))
            for pictures in read(window.append_column("done", begun), source, None):
                for anime in painter(pictures):
                    for files in encode(anime, None, "tiny", "1", mark):
                        yield from write_tree(files, open_place(str(out))).to_pylist()

    return sorted(rows(), key=lambda row: str(row["source"]))


@linux_only
def test_names_that_are_no_text_are_painted(tmp_path: Path, painter: Painter) -> None:
    folder = tmp_path / "in"
    (folder / ODD).mkdir(parents=True)
    for seed, name in enumerate(("a.png", f"{ODD}.png", f"{ODD}/b.png", "caf%E9.png")):
        Image.fromarray(photo(16, 24, seed)).save(folder / name)
    rows = painted(folder, tmp_path / "out", painter)
    assert [row["source"] for row in rows] == ["a.png", "caf%E9.png", "caf%E9.png", "caf%E9/b.png"]
    assert [row["status"] for row in rows] == ["painted"] * 4
    results = {str(row["result"]) for row in rows}
    assert len(results) == 4
    assert all((tmp_path / "out" / result).exists() for result in results)


@linux_only
def test_shards_of_names_that_are_no_text(tmp_path: Path, painter: Painter) -> None:
    (tmp_path / "in").mkdir()
    with tarfile.open(tmp_path / "in" / f"{ODD}.tar", "w") as archive:
        for seed, name in enumerate((f"{ODD}.png", "b.png")):
            content = encoded(Image.fromarray(photo(16, 24, seed)), "PNG")
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    rows = painted(tmp_path / "in", tmp_path / "out", painter)
    assert [row["source"] for row in rows] == ["caf%E9.tar/b.png", "caf%E9.tar/caf%E9.png"]
    assert [row["status"] for row in rows] == ["painted"] * 2


@linux_only
def test_a_folder_whose_own_name_is_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"caf%E9: this name is no text in UTF-8"):
        open_place(str(tmp_path / ODD))


def test_a_list_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_bytes(b"path\na.png\ncaf\xe9.png\n")
    with pytest.raises(InputError, match=r"list\.csv, after line \d: is no CSV"):
        list(find_source(str(tmp_path / "list.csv")).windows())


def test_what_may_not_be_read_is_a_failure_among_others(
    tmp_path: Path, painter: Painter, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "in"
    (folder / "shut" / "deep").mkdir(parents=True)
    for name in ("a.png", "shut/b.png"):
        Image.fromarray(photo(16, 24)).save(folder / name)
    shut = str(folder / "shut")
    refused = PermissionError(13, "Permission denied", shut)

    def refusing(function):  # type: ignore[no-untyped-def]
        def ask(path, *rest):  # type: ignore[no-untyped-def]
            if str(path) == shut:
                raise refused
            return function(path, *rest)

        return ask

    monkeypatch.setattr(os, "scandir", refusing(os.scandir))
    monkeypatch.setattr(os, "listdir", refusing(os.listdir))
    rows = painted(folder, tmp_path / "out", painter)
    assert [(row["source"], row["status"]) for row in rows] == [
        ("a.png", "painted"),
        ("shut", "failed"),
    ]
    assert rows[1]["error"] == f"{shut}: cannot be read (Permission denied)"
    monkeypatch.setattr(os, "scandir", lambda _: (_ for _ in ()).throw(refused))
    with pytest.raises(InputError, match="cannot be read"):
        list(Place(open_place(shut).filesystem, shut, shut).walk())


def test_results_say_what_they_are_and_are_no_photos(tmp_path: Path, painter: Painter) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    Image.fromarray(photo(16, 24)).save(folder / "a.png")
    (row,) = painted(folder, tmp_path / "out", painter)
    result = tmp_path / "out" / str(row["result"])
    found = read_mark(result)
    assert found is not None and (found.source, found.style) == ("a.png", "tiny 1")
    assert found.digest == str(row["sha256"])[:16]
    (folder / "a-tiny.png").write_bytes(result.read_bytes())
    rows = painted(folder, tmp_path / "out", painter)
    assert [(row["source"], row["status"]) for row in rows] == [
        ("a-tiny.png", "left out"),
        ("a.png", "painted"),
    ]
    assert rows[0]["result"] is None
