"""The look at a set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from misbehaving_server import picture_bytes
from PIL import Image

from sakuga.data.clean import clean_folder
from sakuga.data.shards import write_shards
from sakuga.data.show import as_text, main_colours, show_set
from sakuga.errors import DataError


def write_set(folder: Path, count: int = 20, side: int = 300) -> Path:
    folder.mkdir()
    for n in range(count):
        (folder / f"{n}.png").write_bytes(picture_bytes(n, side=side, file_format="PNG"))
    return folder


def test_a_cleaned_set_is_summed_up(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "in")
    (folder / "tiny.png").write_bytes(picture_bytes(99, side=20, file_format="PNG"))
    (folder / "text.jpg").write_text("text")
    clean_folder(folder, tmp_path / "set", workers=1)
    summary = show_set(tmp_path / "set", tmp_path / "sheet.png")
    assert (summary["pictures"], summary["sampled"], summary["unreadable"]) == (20, 20, 0)
    assert summary["short_side"] == [300, 300, 300]
    assert summary["rejected"] == {"too small": 1, "not a picture": 1}
    assert sum(summary["splits"].values()) == 20
    assert "1 rejected: too small" in as_text(summary)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.width > 8 * 160 and sheet.height > 3 * 160


def test_the_sheet_shows_the_pictures(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    Image.new("RGB", (300, 400), (200, 30, 60)).save(tmp_path / "set" / "red.png")
    # Of another program, under the name of ours.
    (tmp_path / "set" / "manifest.jsonl").write_text('{"file": "red.png", "label": 3}\n')
    assert show_set(tmp_path / "set", tmp_path / "sheet.png")["splits"] == {}
    with Image.open(tmp_path / "sheet.png") as sheet:
        red = (np.asarray(sheet) == (200, 30, 60)).all(axis=2).sum()
    assert red >= 160 * 160


def test_shards_and_damaged_pictures(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "set", 6)
    (folder / "bad.jpg").write_bytes(picture_bytes(1)[:200])
    write_shards(folder, tmp_path / "shards")
    summary = show_set(tmp_path / "shards", tmp_path / "sheet.png")
    assert (summary["pictures"], summary["sampled"], summary["unreadable"]) == (7, 6, 1)
    assert summary["splits"] == {}


def test_main_colours_are_those_painted() -> None:
    picture = np.zeros((80, 80, 3), np.uint8)
    picture[:, :60] = (250, 200, 20)
    picture[:, 60:] = (20, 60, 200)
    colours = main_colours([picture] * 3)
    found = [(tuple(bytes.fromhex(name[1:])), share) for name, share in colours.items()]
    for painted, share in (((250, 200, 20), 0.75), ((20, 60, 200), 0.25)):
        near = [s for rgb, s in found if np.abs(np.subtract(rgb, painted)).max() <= 2]
        assert sum(near) == pytest.approx(share, abs=0.01)


def test_nothing_to_show(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        show_set(tmp_path / "none", tmp_path / "sheet.png")
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.jpg").write_bytes(b"")
    with pytest.raises(DataError, match="none of 1 pictures can be read"):
        show_set(tmp_path / "bad", tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
