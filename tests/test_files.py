"""A file is there wholly or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sakuga.errors import OutputError
from sakuga.files import replacing, write_bytes


def test_writes_and_makes_folders(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b" / "c.bin"
    write_bytes(target, b"one")
    write_bytes(target, b"two")
    assert target.read_bytes() == b"two"
    assert list(target.parent.iterdir()) == [target]
    if os.name == "posix":
        plain = tmp_path / "plain"
        plain.touch()
        assert target.stat().st_mode == plain.stat().st_mode


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    target = tmp_path / "c.bin"
    target.write_bytes(b"old")
    with pytest.raises(KeyboardInterrupt), replacing(target) as temporary:
        assert temporary.suffix == ".bin" and temporary.parent == tmp_path
        temporary.write_bytes(b"half of the ne")
        raise KeyboardInterrupt
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_full_disk_is_an_output_error(tmp_path: Path) -> None:
    target = tmp_path / "c.bin"
    message = r"c.bin: cannot be written \(No space left"
    with pytest.raises(OutputError, match=message), replacing(target):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_places_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_bytes(tmp_path / "file" / "c.bin", b"")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="there is a folder of that name"):
        write_bytes(tmp_path / "folder", b"")
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["file", "folder"]
