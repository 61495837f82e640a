"""Names that are no text, and folders and files that may not be read, end no preparation."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from rights import without_rights
from samples import photo

from sakuga import cli
from sakuga.data.picture_set import Journal, read_lines
from sakuga.data.smooth import smooth_folder
from sakuga.errors import DataError
from sakuga.images.sources import list_files, open_sources

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")

ODD = os.fsdecode(b"caf\xe9")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A current folder with three drawings in `in`, two of them oddly named."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in" / ODD).mkdir(parents=True)
    for seed, name in enumerate(("plain.png", f"{ODD}.png", f"{ODD}/{ODD}.bmp")):
        dice = np.random.default_rng(seed).integers(0, 60, (300, 300, 3), dtype=np.uint8)
        Image.fromarray(photo(300, 300, seed) // 2 + dice).save(tmp_path / "in" / name)
    return tmp_path


def test_clean_keeps_what_is_oddly_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for _ in range(2):  # the second run reads the lists of the first
        assert cli.run(["prepare", "clean", "in", "out", "--workers", "1", "--json"]) == 0
        told = json.loads(capsys.readouterr().out)
        assert told["pictures"] == 3 and told["rejected"] == {}
    assert {os.fsencode(name) for name in list_files(folder / "out")} == {
        b"plain.png",
        b"caf\xe9.png",
        b"caf\xe9/caf\xe9.png",
    } or (folder / "out" / ODD / f"{ODD}.bmp").exists()


def test_the_other_verbs_take_odd_names(folder: Path) -> None:
    assert smooth_folder(folder / "in", folder / "smooth", workers=1).pictures == 3
    assert cli.run(["prepare", "shards", "in", "shards"]) == 0
    assert cli.run(["prepare", "show", "in", "--out", "sheet.png"]) == 0
    assert (folder / "sheet.png").exists()


def test_a_journal_holds_every_name(folder: Path) -> None:
    for _ in range(2):
        journal = Journal(folder / "j.jsonl", "file")
        journal.append({"file": ODD, "n": 1})
        journal.append({"file": "日本", "n": 2})
        journal.drop(["other"])
        journal.close()
    lines, _ = read_lines(folder / "j.jsonl", "file")
    assert {line["file"] for line in lines} == {ODD, "日本"}
    assert "日本" in (folder / "j.jsonl").read_text(encoding="utf-8")


def test_a_folder_that_may_not_be_read_is_told(folder: Path) -> None:
    (folder / "in" / ODD).rename(folder / "in" / "shut")
    (folder / "in" / "shut").chmod(0)
    for line in (
        ("prepare", "clean", "in", "out"),
        ("prepare", "smooth", "in", "out"),
        ("prepare", "shards", "in", "out"),
        ("prepare", "show", "in"),
    ):
        status, told = without_rights(*line)
        assert status == 2 and "in/shut: cannot be read (Permission denied)" in told, told
    (folder / "in" / "shut").chmod(0o777)


def test_a_file_that_may_not_be_read_is_set_aside(folder: Path) -> None:
    (folder / "in" / "plain.png").chmod(0)
    status, told = without_rights("prepare", "clean", "in", "out", "--workers", "1")
    assert status == 0 and "2 pictures" in told
    assert "plain.png: cannot be read (Permission denied)" in told
    status, told = without_rights("prepare", "show", "in", "--out", "sheet.png")
    assert status == 0 and "1 of 300 looked at cannot be read" in told, told


@pytest.mark.parametrize("name", ["x" * 300, "x" * 300 + "/a"])
def test_sources_that_no_folder_can_be(folder: Path, name: str) -> None:
    with pytest.raises(DataError, match="no such folder"):
        open_sources([name])
    for line in (["prepare", "clean", name, "out"], ["prepare", "clean", "in", name]):
        assert cli.run(line) == 2
