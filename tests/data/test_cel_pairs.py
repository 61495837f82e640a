"""Photos painted and stored in pairs: what is kept, what is left out, and what a kill costs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from training import draw_pictures

from sakuga.cel.settings import CelSettings
from sakuga.cel.skin import Face
from sakuga.cli import run
from sakuga.data.pairs import Pair, decode_pair, paint_pair, prepare_pairs, scale_photo
from sakuga.errors import DataError, OptionError, OutputError
from sakuga.files import alone_in

SIDES = (64, 96)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return draw_pictures(tmp_path / "photos", 6, seed=3, side=100)


def prepare(photos: Path, out: Path, **options: object) -> object:
    return prepare_pairs(photos, out, CelSettings(), sides=SIDES, workers=1, **options)


def test_a_pair_is_read_back_as_it_was() -> None:
    rng = np.random.default_rng(0)
    photo, drawing = rng.integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)
    strokes = rng.integers(0, 256, (40, 30), dtype=np.uint8)
    pair = Pair(photo, drawing, strokes, (Face(10.5, 20.0, 6.0, 8.0, 0.1),))
    again = decode_pair(pair.encode(), "pair")
    assert np.array_equal(again.photo, photo) and np.array_equal(again.drawing, drawing)
    assert np.array_equal(again.strokes, strokes) and again.faces == pair.faces


def test_what_is_no_pair_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"junk\.webp.*not a pair"):
        decode_pair(b"junk", "junk.webp")
    Image.fromarray(np.zeros((30, 20, 3), np.uint8)).save(tmp_path / "photo.png")
    with pytest.raises(DataError, match="not a pair"):
        decode_pair((tmp_path / "photo.png").read_bytes(), "photo.png")


def test_a_set_holds_each_photo_with_its_drawing(photos: Path, tmp_path: Path) -> None:
    outcome = prepare(photos, tmp_path / "pairs")
    files = sorted((tmp_path / "pairs").glob("*.webp"))
    assert len(files) == outcome.pictures == outcome.new
    pair = decode_pair(files[0].read_bytes(), "pair")
    assert SIDES[0] <= min(pair.photo.shape[:2]) <= SIDES[1]
    assert np.array_equal(paint_pair(pair.photo, CelSettings()).drawing, pair.drawing)
    assert prepare(photos, tmp_path / "pairs").new == 0


def test_held_out_photos_are_left_out(photos: Path, tmp_path: Path) -> None:
    from sakuga.data.split import split_of

    kept = {"0" * 64: 0, "f" * 64: 1}
    assert [split_of(sha256) for sha256 in kept] == ["held-out", "train"]
    # Of many photos about one in twenty is missing.
    many = draw_pictures(tmp_path / "many", 60, seed=5, side=30)
    outcome = prepare(many, tmp_path / "out")  # too small to paint, so this is quick
    assert 45 <= len(outcome.rejects) < 60
    assert {reject.reason for reject in outcome.rejects} == {"too small"}


def test_other_settings_are_another_set(photos: Path, tmp_path: Path) -> None:
    prepare(photos, tmp_path / "pairs", limit=1)
    said = r"another set \(prepare cel merge=6\.0\), not prepare cel merge=9:"  # what differs
    with pytest.raises(OutputError, match=said):
        prepare_pairs(photos, tmp_path / "pairs", CelSettings(merge=9), sides=SIDES, workers=1)
    (tmp_path / "pairs" / "set.json").write_text("[]")
    with pytest.raises(OutputError, match="made by something else"):
        prepare(photos, tmp_path / "pairs")


def test_a_set_knows_its_photos_however_their_folder_is_spelled(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(photos)
    prepare(Path("photos"), tmp_path / "pairs")
    for folder in (photos, Path("link"), Path("photos/../photos")):
        assert prepare(folder, tmp_path / "pairs").new == 0
    other = draw_pictures(tmp_path / "other", 2, seed=4, side=100)
    with pytest.raises(OutputError, match=r"another set \(prepare cel folder=photos\)"):
        prepare(other, tmp_path / "pairs")


def test_a_second_run_is_kept_out_of_a_set(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "pairs"
    with alone_in(out), pytest.raises(OutputError, match="pairs: another run is at work there"):
        prepare(photos, out)


def test_a_damaged_photo_is_listed_and_costs_no_other(photos: Path, tmp_path: Path) -> None:
    first = sorted(photos.iterdir())[0]
    for salt in range(100):  # until its content is one for training
        first.write_bytes(b"no picture" + bytes([salt]))
        outcome = prepare(photos, tmp_path / f"pairs{salt}", limit=None)
        if outcome.rejects:
            break
    assert [(r.source, r.reason) for r in outcome.rejects] == [(first.name, "not a picture")]
    assert outcome.pictures >= 4


def test_kinds_of_photos(tmp_path: Path) -> None:
    folder = tmp_path / "kinds"
    folder.mkdir()
    gray = Image.linear_gradient("L").resize((100, 90))
    for salt in range(8):  # eight of each, so that held-out ones do not matter
        gray.point(lambda v, s=salt: min(255, v + s)).save(folder / f"gray{salt}.png")
        Image.new("RGB", (100, 80), (salt, 120, 200)).save(folder / f"one{salt}.png")
        gray.convert("RGBA").rotate(salt).save(folder / f"alpha{salt}.png")
        Image.new("RGB", (8, 8), (salt, 0, 0)).save(folder / f"tiny{salt}.png")
    outcome = prepare(folder, tmp_path / "pairs")
    assert {r.reason for r in outcome.rejects} == {"too small"}
    assert all(r.source.startswith("tiny") for r in outcome.rejects)
    assert outcome.pictures >= 18


def test_errors_before_any_work(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture files"):
        prepare(tmp_path / "empty", tmp_path / "out")
    with pytest.raises(OptionError, match="lies in"):
        prepare(photos, photos / "pairs")
    with pytest.raises(OptionError, match="two sizes in rising order"):
        prepare_pairs(photos, tmp_path / "out", CelSettings(), sides=(90, 60))
    assert not (tmp_path / "out").exists()


def test_the_scale_is_a_function_of_the_content() -> None:
    photo = np.zeros((200, 300, 3), np.uint8)
    low = scale_photo(photo, (100, 160), "0" * 64)
    high = scale_photo(photo, (100, 160), "f" * 64)
    assert low.shape == (100, 150, 3) and high.shape == (160, 240, 3)


def test_one_photo_by_the_command_line(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = sorted(photos.iterdir())[0]
    out = tmp_path / "drawn.png"
    assert run(["prepare", "cel", str(photo), str(out), "--set", "vividness=0"]) == 0
    assert "drawn.png" in capsys.readouterr().out
    drawing = np.asarray(Image.open(out)).astype(int)
    assert drawing.shape == np.asarray(Image.open(photo)).shape
    assert np.ptp(drawing, axis=2).max() <= 2  # gray
    assert run(["prepare", "cel", str(photo), str(out), "--set", "vividnes=0"]) == 2
    assert "did you mean vividness" in capsys.readouterr().err


def test_a_photo_is_never_replaced_by_its_drawing(
    photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = sorted(photos.iterdir())[0]
    before = photo.read_bytes()
    assert run(["prepare", "cel", str(photo), str(photo.parent / "." / photo.name)]) == 2
    assert "never replaced" in capsys.readouterr().err
    assert photo.read_bytes() == before


def test_a_killed_run_loses_at_most_one_picture(tmp_path: Path) -> None:
    photos = draw_pictures(tmp_path / "photos", 12, seed=9, side=160)
    out = tmp_path / "pairs"
    command = [sys.executable, "-m", "sakuga", "prepare", "cel", str(photos), str(out)]
    command += ["--sides", "150", "170", "--workers", "1", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while len(list(out.glob("*.webp"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    whole = len(list(out.glob("*.webp")))
    assert whole >= 3
    for file in out.glob("*.webp"):
        decode_pair(file.read_bytes(), file.name)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout)
    assert result["new"] >= result["pictures"] - whole
    assert result["new"] <= result["pictures"] - whole + 1
