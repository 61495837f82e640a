"""A batch deletes only what batches write, and runs where nobody tells the size of memory."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sakuga.batch import cluster
from sakuga.batch.job import BatchJob, Output, claim
from sakuga.batch.manifest import Manifest
from sakuga.batch.run import _delete_orphans
from sakuga.batch.storage import open_place
from sakuga.painting.options import PaintOptions


def job(output: Output, strength: float = 1.0) -> BatchJob:
    painting = PaintOptions(strength=strength)
    return BatchJob("/in", "tiny", "1", "0" * 64, painting=painting, output=output)


def write(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    return path


def test_overwriting_deletes_the_results_of_that_job_alone(tmp_path: Path) -> None:
    out = open_place(str(tmp_path / "out"))
    claim(out, job("shards"), b"style", overwrite=False)
    old = write(tmp_path / "out" / "shards" / "shard-0123456789abcdef.tar")
    theirs = [
        write(tmp_path / "out" / "pictures" / "mine.png"),
        write(tmp_path / "out" / "notes.txt"),
    ]
    claim(out, job("shards", strength=0.5), b"style", overwrite=True)
    assert not old.exists()
    assert all(path.read_text() == "mine" for path in theirs)


@pytest.mark.parametrize(
    ("output", "own"),
    [("shards", "shard-0123456789abcdef.tar"), ("parquet", "pictures-0123456789abcdef.parquet")],
)
def test_orphans_are_what_a_batch_named(tmp_path: Path, output: Output, own: str) -> None:
    folder = tmp_path / "out" / output
    orphan, theirs = write(folder / own), write(folder / "my own.tar")
    out = open_place(str(tmp_path / "out"))
    _delete_orphans(out, job(output), Manifest(out.child("manifest")))
    assert not orphan.exists() and theirs.exists()


def test_a_system_that_does_not_tell_its_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows has no os.sysconf; Ray then chooses by itself."""
    assert cluster._object_store_bytes() > 0
    monkeypatch.delattr(os, "sysconf")
    assert cluster._object_store_bytes() is None
