"""A file is there wholly or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sakuga.errors import InputError, OutputError
from sakuga.files import replacing, write_bytes
from sakuga.video.segments import Parts


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


def test_an_error_of_another_file_is_blamed_on_that(tmp_path: Path) -> None:
    target = tmp_path / "result.bin"
    for other in (tmp_path / "none.bin", Path("none.bin")):
        message = r"none\.bin: cannot be used \(No such file"
        with pytest.raises(InputError, match=message) as caught, replacing(target):
            other.read_bytes()
        assert "result.bin" not in str(caught.value)
    message = r"result\.bin: cannot be written \(No such file"
    with pytest.raises(OutputError, match=message), replacing(target) as temporary:
        temporary.unlink()
        temporary.read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_what_is_said_fits_every_verb(tmp_path: Path) -> None:
    with pytest.raises(OutputError) as caught, replacing(tmp_path / "a.bin"):
        raise OSError(28, "No space left on device")
    assert "--" not in str(caught.value)
    with pytest.raises(OutputError, match="cannot be written"):
        write_bytes(tmp_path / "a\0b", b"")
    with pytest.raises(ValueError, match="mine"), replacing(tmp_path / "a.bin"):
        raise ValueError("mine")


@pytest.mark.skipif(os.name != "posix", reason="Windows has no umask")
def test_the_umask_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = os.umask(0o027)
    try:
        monkeypatch.setattr(os, "umask", lambda _: pytest.fail("it counts for all threads"))
        write_bytes(tmp_path / "a.bin", b"")
    finally:
        monkeypatch.undo()
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


def test_long_names_in_any_script_can_be_written(tmp_path: Path) -> None:
    for name in ("日" * 80 + ".png", "a." + "b" * 250, "a" * 251 + ".png"):
        write_bytes(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


def test_a_path_that_leads_out_of_a_missing_folder_replaces_nothing(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"mine")
    around = tmp_path / "missing" / ".." / "photo.jpg"
    with pytest.raises(OutputError, match="cannot be written"):
        write_bytes(around, b"other")
    with pytest.raises(OutputError, match="cannot be written"):
        Parts(around, {"sakuga.video": 1}, resume=False, restart=False)
    assert [path.name for path in tmp_path.iterdir()] == ["photo.jpg"]
    assert (tmp_path / "photo.jpg").read_bytes() == b"mine"
    (tmp_path / "missing").mkdir()
    write_bytes(around, b"other")
    assert (tmp_path / "photo.jpg").read_bytes() == b"other"
