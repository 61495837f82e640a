"""Streams of pictures: everything once, in a good shuffle, the same for the same seed."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from misbehaving_server import picture_bytes
from PIL import Image

from sakuga.data.split import split_of
from sakuga.errors import DataError
from sakuga.train import stream as stream_module
from sakuga.train.stream import PictureStream


def numbered(number: int) -> bytes:
    """Encode a tiny picture that says its number."""
    buffer = io.BytesIO()
    colour = (number % 256, number // 256, 7)
    Image.new("RGB", (4, 3), colour).save(buffer, "PNG")
    return buffer.getvalue()


def number_of(picture: np.ndarray) -> int:
    assert picture.shape == (3, 4, 3) and picture.dtype == np.uint8
    return int(picture[0, 0, 0]) + 256 * int(picture[0, 0, 1])


def write_tar(path: Path, numbers: range) -> Path:
    with tarfile.open(path, "w") as archive:
        for number in numbers:
            for name, content in ((f"{number}.png", numbered(number)), (f"{number}.json", b"{}")):
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return path


def write_folder(path: Path, numbers: range) -> Path:
    for number in numbers:
        target = path / f"{number % 3}" / f"{number:05}.png"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(numbered(number))
    return path


@pytest.fixture
def sources(tmp_path: Path) -> list[str]:
    """A folder, a tar file and a folder of two shards, with 0 to 999 in all."""
    write_folder(tmp_path / "folder", range(300))
    write_tar(tmp_path / "some.tar", range(300, 600))
    (tmp_path / "shards").mkdir()
    write_tar(tmp_path / "shards" / "shard-0.tar", range(600, 800))
    write_tar(tmp_path / "shards" / "shard-1.tar", range(800, 1000))
    return [f"{tmp_path / 'folder'},{tmp_path / 'some.tar'}", str(tmp_path / "shards")]


def epoch_of(sources: list[str], epoch: int = 0, **options: object) -> list[int]:
    stream = PictureStream(sources, **({"seed": 1, "split": "all"} | options))  # type: ignore[arg-type]
    try:
        first = epoch * stream.places
        return [number_of(one[2]) for one in stream.between(first, first + stream.places)]
    finally:
        stream.close()


def test_folders_tars_and_shards_alike_give_every_picture_once(sources: list[str]) -> None:
    assert sorted(epoch_of(sources)) == list(range(1000))


@pytest.mark.parametrize("shares", [2, 3, 7])
def test_workers_share_an_epoch_without_repeats(
    sources: list[str], shares: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "WINDOW_PICTURES", 96)
    parts = [epoch_of(sources, rank=rank, world_size=shares) for rank in range(shares)]
    assert sorted(number for part in parts for number in part) == list(range(1000))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_order_is_a_function_of_seed_and_epoch(sources: list[str]) -> None:
    assert epoch_of(sources) == epoch_of(sources)
    assert epoch_of(sources) != epoch_of(sources, epoch=1)
    assert epoch_of(sources) != epoch_of(sources, seed=2)


def test_shuffles_well_even_when_windows_are_small(
    sources: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_module, "WINDOW_PICTURES", 128)
    monkeypatch.setattr(stream_module, "RUN_PICTURES", 8)
    order = np.array(epoch_of(sources))
    neighbours = np.abs(np.diff(order)) == 1  # of a sorted sequence: all; of a random one: 0.2 %
    assert neighbours.mean() < 0.03
    assert abs(np.corrcoef(np.arange(1000), order)[0, 1]) < 0.25


def test_places_go_on_over_epochs_and_can_be_entered_anywhere(sources: list[str]) -> None:
    stream = PictureStream(sources, seed=1, split="all")
    both = [number_of(one[2]) for one in stream.between(0, 2000)]
    assert both == epoch_of(sources) + epoch_of(sources, epoch=1)
    assert [number_of(one[2]) for one in stream.between(995, 1005)] == both[995:1005]
    stream.close()


def test_only_pictures_of_the_split_are_given(sources: list[str]) -> None:
    expected = {
        split: [
            n for n in range(1000) if split_of(hashlib.sha256(numbered(n)).hexdigest()) == split
        ]
        for split in ("train", "held-out")
    }
    assert 20 < len(expected["held-out"]) < 90
    for split, numbers in expected.items():
        assert sorted(epoch_of(sources, split=split)) == numbers


def test_memory_does_not_grow_with_the_set(tmp_path: Path) -> None:
    """200 MB of pixels pass through; a process that kept them would show it."""
    content = picture_bytes(0, side=512)
    for number in range(270):
        target = tmp_path / "set" / f"{number}.jpg"
        target.parent.mkdir(exist_ok=True)
        target.write_bytes(content)
    script = f"""
import resource
from sakuga.train.stream import PictureStream
stream = PictureStream([{str(tmp_path / "set")!r}], seed=0, split="all")
list(stream.between(0, 32))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
assert sum(1 for _ in stream.between(0, stream.places)) == 270
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 120  # MB


def test_streaming_needs_no_torch() -> None:
    script = "import sys, sakuga.train.stream; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_bad_sources_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere"):
        PictureStream([tmp_path / "nowhere"], seed=0)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures found"):
        PictureStream([tmp_path / "empty"], seed=0)
    (tmp_path / "text.tar").write_text("not a tar file" * 100)
    with pytest.raises(DataError, match="plain tar"):
        PictureStream([tmp_path / "text.tar"], seed=0)
    with tarfile.open(tmp_path / "packed.tar", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.png"), io.BytesIO())
    with pytest.raises(DataError, match="unpack a compressed one"):
        PictureStream([tmp_path / "packed.tar"], seed=0)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.png").write_bytes(numbered(1)[:40])
    stream = PictureStream([tmp_path / "broken"], seed=0, split="all")
    with pytest.raises(DataError, match=r"a\.png.*sakuga prepare clean"):
        list(stream.between(0, 1))
    stream.close()
