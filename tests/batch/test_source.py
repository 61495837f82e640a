"""What a batch is asked to paint: folders, lists and shards, on disks and elsewhere."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fsspec.implementations.local import LocalFileSystem
from hypothesis import given
from hypothesis import strategies as st

from sakuga.batch import source as source_module
from sakuga.batch.source import find_source, key_of
from sakuga.batch.stages import result_name
from sakuga.batch.storage import open_place
from sakuga.errors import InputError, OutputError
from sakuga.images.formats import need_format


def tasks_of(text: str | Path) -> list[tuple[str, str]]:
    windows = list(find_source(str(text)).windows())
    rows = [row for window in windows for row in window.to_pylist()]
    return [(row["source"], os.fsdecode(row["address"])) for row in rows]


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def test_a_folder_is_walked_in_a_fixed_order_without_what_is_no_picture(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.jpg", "b/1.PNG", "a.webp", "c.txt", ".hidden/3.jpg", "b/.4.jpg", "z/ü.heic")
    found = tasks_of(tmp_path)
    assert [name for name, _ in found] == ["a.webp", "b/1.PNG", "b/2.jpg", "z/ü.heic"]
    assert found[2][1] == str(tmp_path / "b/2.jpg")


def test_windows_bound_what_is_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_module, "WINDOW", 3)
    fill(tmp_path, *(f"{i}.jpg" for i in range(7)))
    windows = list(find_source(str(tmp_path)).windows())
    assert [len(window) for window in windows] == [3, 3, 1]
    assert windows[0]["key"][0].as_py() == key_of("0.jpg")


def write_lists(folder: Path, entries: list[str]) -> list[Path]:
    jsonl, csv, parquet = folder / "l.jsonl", folder / "l.csv", folder / "l.parquet"
    lines = [json.dumps({"source": "no", "path": entry}) for entry in entries[:-1]]
    jsonl.write_text("\n".join([*lines, "", json.dumps(entries[-1])]))
    # As Excel writes it, with a byte order mark.
    csv.write_text("\ufeffpath,number\n" + "\n".join(f'"{e}",{i}' for i, e in enumerate(entries)))
    pq.write_table(pa.table({"other": list(range(len(entries))), "url": entries}), parquet)
    return [jsonl, csv, parquet]


def test_lists_of_three_kinds_say_the_same(tmp_path: Path) -> None:
    entries = ["a/1.jpg", "/data/2.jpg", "https://example.org/3?size=4", "with, comma.png"]
    wanted = [str(tmp_path / "a/1.jpg"), "/data/2.jpg", entries[2], str(tmp_path / entries[3])]
    for path in write_lists(tmp_path, entries):
        assert tasks_of(path) == list(zip(entries, wanted, strict=True)), path


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("l.jsonl", '{"path": "a.jpg"}\n{"path": ', r"l\.jsonl, line 2: is not JSON"),
        ("l.jsonl", '{"name": "a.jpg"}', "line 1: has name, but none of path, file, url, source"),
        ("l.jsonl", '{"path": 3}', "line 1: path is 3, not a path"),
        ("l.jsonl", "[1]", "line 1: is neither a text nor an object"),
        ("l.jsonl", "\n", "holds no pictures"),
        ("l.csv", "name\na.jpg\n", "line 2: has name, but none of path"),
        ("l.parquet", "no", "is not a Parquet file"),
        ("l.txt", "a.jpg", "neither a folder, nor a list"),
    ],
)
def test_bad_lists_are_told_by_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=message):
        tasks_of(tmp_path / name)


def test_a_parquet_list_without_the_column_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), tmp_path / "l.parquet")
    with pytest.raises(InputError, match=r"l\.parquet: has x, but none of"):
        tasks_of(tmp_path / "l.parquet")


def test_an_empty_folder_and_a_missing_one_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no pictures"):
        tasks_of(tmp_path)
    with pytest.raises(InputError, match="there is no such file or folder"):
        tasks_of(tmp_path / "absent")


def test_a_folder_with_a_tar_file_is_one_of_shards(tmp_path: Path) -> None:
    for name in ("s-1.tar", "s-0.tar", "sub/s-2.tgz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        with tarfile.open(tmp_path / name, "w") as archive:
            archive.addfile(tarfile.TarInfo("a.jpg"), io.BytesIO())
    fill(tmp_path, "picture.jpg")
    assert find_source(str(tmp_path)).kind == "shards"
    assert [name for name, _ in tasks_of(tmp_path)] == ["s-0.tar", "s-1.tar", "sub/s-2.tgz"]
    assert tasks_of(tmp_path / "s-1.tar") == [("s-1.tar", str(tmp_path / "s-1.tar"))]


class Attic(LocalFileSystem):
    """A storage that fsspec knows and pyarrow does not."""

    protocol = "attic"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return LocalFileSystem._strip_protocol(path.removeprefix("attic://"))


def test_fsspec_storage_reads_writes_and_travels(tmp_path: Path) -> None:
    fsspec.register_implementation("attic", Attic, clobber=True)
    fill(tmp_path, "in/b/1.jpg", "in/2.png")
    url = f"attic://{tmp_path}"
    place = open_place(f"{url}/in")
    assert not place.is_local
    assert list(place.walk()) == ["2.png", "b/1.jpg"]
    found = find_source(f"{url}/in")
    assert [name for name, _ in tasks_of(f"{url}/in")] == ["2.png", "b/1.jpg"]
    travelled = pickle.loads(pickle.dumps(found))
    assert travelled.open(os.fsencode(tasks_of(f"{url}/in")[1][1])).read() == b"x"
    out = pickle.loads(pickle.dumps(open_place(f"{url}/out")))
    out.child("deep/a.bin").write(b"content")
    out.child("deep/a.bin").write(b"again")
    assert (tmp_path / "out/deep/a.bin").read_bytes() == b"again"
    assert out.child("deep").names() == ["a.bin"]
    out.child("deep").delete()
    assert out.names() == []


def test_storage_that_cannot_be_used_is_told() -> None:
    with pytest.raises(InputError, match="nonsense:// is no storage that pyarrow or fsspec knows"):
        open_place("nonsense://bucket/in")
    with pytest.raises(InputError, match="the library for dropbox:// is not installed"):
        open_place("dropbox://bucket/in")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, content: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"a\.png: cannot be written \(No space left on device\)"):
        open_place(str(tmp_path)).child("a.png").write(b"x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("source", "file_format", "read_as", "wanted"),
    [
        ("a/b.jpg", None, "JPEG", "a/b.jpg"),
        ("a/b.JPEG", "jpg", "JPEG", "a/b.JPEG"),
        ("a/b.jpg", "png", "JPEG", "a/b.jpg.png"),
        ("a/b.heic", None, "HEIF", "a/b.heic.jpg"),
        ("a/b.bmp", None, "BMP", "a/b.bmp.png"),
        ("/data/a.jpg", None, "JPEG", "data/a.jpg"),
        ("s-0.tar/000.jpg", None, "JPEG", "s-0.tar/000.jpg"),
        ("https://example.org/a.jpg", None, "JPEG", "example.org/a.jpg"),
        ("https://example.org/get?id=3", None, "WEBP", "example.org/get-00000000000000ff.webp"),
        ("../../etc/a.png", None, "PNG", "etc/a-00000000000000ff.png"),
    ],
)
def test_names(source: str, file_format: str | None, read_as: str, wanted: str) -> None:
    assert result_name(source, 255, file_format, read_as) == wanted


@given(st.text(min_size=1), st.sampled_from([None, "png", "webp"]), st.sampled_from(["JPEG", None]))
def test_a_name_never_leaves_its_folder(
    source: str, wanted: str | None, read_as: str | None
) -> None:
    name = result_name(source, 7, wanted, read_as)
    parts = name.split("/")
    assert not name.startswith("/") and ".." not in parts and "" not in parts
    assert len(parts[-1].encode()) <= 255
    assert wanted is None or need_format(Path(name)) == wanted
