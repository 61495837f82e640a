"""Shards, read back by webdataset and by our own stream."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from misbehaving_server import picture_bytes
from webdataset.tariterators import group_by_keys, tar_file_expander

from sakuga.data import shards as shards_module
from sakuga.data.picture_set import Entry, PictureSet
from sakuga.data.shards import write_shards
from sakuga.data.split import split_of
from sakuga.errors import DataError, OptionError, OutputError
from sakuga.train.stream import PictureStream


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """60 pictures with a manifest, in sub-folders, with dots in their names."""
    root = tmp_path / "set"
    with PictureSet(root, {"verb": "test"}) as pictures:
        for n in range(60):
            content = picture_bytes(n)
            part = pictures.part("part")
            part.write_bytes(content)
            file = f"sub.{n % 3}/pic.{n:03}.v2.jpg"
            sha256 = hashlib.sha256(content).hexdigest()
            facts = {"licence": f"licence {n}"}
            pictures.keep(part, Entry(file, f"http://x/{n}", sha256, len(content), 64, 64, facts))
    return root


def tars(out: Path) -> list[str]:
    return sorted(str(path) for path in out.glob("shard-*.tar"))


def read_with_webdataset(tar: str) -> list[dict[str, Any]]:
    """Read a shard's samples; webdataset's own opening of files leaves them open."""
    with Path(tar).open("rb") as stream:
        return list(group_by_keys(tar_file_expander([{"url": tar, "stream": stream}])))


def test_webdataset_reads_every_picture_with_its_facts(folder: Path, tmp_path: Path) -> None:
    outcome = write_shards(folder, tmp_path / "out", shard_mb=0.05)
    assert outcome.pictures == 60 and outcome.notes["shards"] == len(tars(tmp_path / "out")) > 2
    samples = [sample for tar in tars(tmp_path / "out") for sample in read_with_webdataset(tar)]
    originals = {p.read_bytes(): p.relative_to(folder).as_posix() for p in folder.rglob("*.jpg")}
    assert {originals[sample["jpg"]] for sample in samples} == set(originals.values())
    assert len(samples) == len({sample["__key__"] + sample["__url__"] for sample in samples}) == 60
    for sample in samples:
        facts = json.loads(sample["json"])
        number = int(facts["name"][10:13])
        assert facts["origin"] == f"http://x/{number}" and facts["licence"] == f"licence {number}"
        assert facts["sha256"] == hashlib.sha256(sample["jpg"]).hexdigest()
        assert facts["split"] == split_of(facts["sha256"])


def test_the_stream_gives_from_shards_what_it_gives_from_the_folder(
    folder: Path, tmp_path: Path
) -> None:
    write_shards(folder, tmp_path / "out", shard_mb=0.05)

    def prints(source: Path) -> list[bytes]:
        stream = PictureStream([source], seed=0)
        pictures = [picture.tobytes() for _, _, picture in stream.between(0, stream.places)]
        stream.close()
        return sorted(pictures)

    assert prints(tmp_path / "out") == prints(folder)
    assert 40 < len(prints(folder)) < 60  # both leave the held-out ones out


def test_shards_are_near_the_size_asked_for_and_each_is_a_fair_sample(
    folder: Path, tmp_path: Path
) -> None:
    write_shards(folder, tmp_path / "out", shard_mb=0.1)
    sizes = [Path(tar).stat().st_size for tar in tars(tmp_path / "out")]
    assert max(sizes) < 125_000 and np.median(sizes) > 80_000
    with tarfile.open(tars(tmp_path / "out")[0]) as archive:
        about = [json.load(archive.extractfile(m)) for m in archive if m.name.endswith(".json")]  # type: ignore[arg-type]
    numbers = [int(facts["name"][10:13]) for facts in about]
    assert min(numbers) < 20 and max(numbers) >= 40


def test_a_killed_run_goes_on_and_a_second_one_does_nothing(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    write = shards_module._write_shard
    written = []

    def write_two(*arguments: object) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(arguments)
        write(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(shards_module, "_write_shard", write_two)
        with pytest.raises(KeyboardInterrupt):
            write_shards(folder, out, shard_mb=0.05)
    assert len(tars(out)) == 2 and not list(out.glob("*.tmp*"))
    before = {tar: Path(tar).stat().st_mtime_ns for tar in tars(out)}
    write_shards(folder, out, shard_mb=0.05)
    assert {tar: Path(tar).stat().st_mtime_ns for tar in before} == before

    monkeypatch.setattr(shards_module, "_write_shard", lambda *_: pytest.fail("written again"))
    assert write_shards(folder, out, shard_mb=0.05).new == 0


def test_the_same_folder_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    for out in ("one", "two"):
        write_shards(folder, tmp_path / out, shard_mb=0.05)
    for one, two in zip(tars(tmp_path / "one"), tars(tmp_path / "two"), strict=True):
        assert Path(one).read_bytes() == Path(two).read_bytes()


def test_a_smaller_folder_leaves_no_old_shard(folder: Path, tmp_path: Path) -> None:
    write_shards(folder, tmp_path / "out", shard_mb=0.05)
    for path in sorted(folder.rglob("*.jpg"))[5:]:
        path.unlink()
    outcome = write_shards(folder, tmp_path / "out", shard_mb=0.05)
    assert outcome.pictures == 5 and len(tars(tmp_path / "out")) == 1


def test_mistakes(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="--shard-mb 0"):
        write_shards(folder, tmp_path / "out", shard_mb=0)
    with pytest.raises(OptionError, match="lies in"):
        write_shards(folder, folder / "out")
    with pytest.raises(DataError, match="no such folder"):
        write_shards(tmp_path / "none", tmp_path / "out")
    with pytest.raises(OutputError, match="holds another set"):
        write_shards(folder / "sub.1", folder)
    (folder / "manifest.jsonl").write_text('{"file": "a.jpg", "label": 3}\n')
    with pytest.raises(DataError, match="no manifest that sakuga prepare wrote"):
        write_shards(folder, tmp_path / "out")
