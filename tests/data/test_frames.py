"""Frames chosen from a film made here, whose every scene is known."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from clips import RATE, make_clip
from PIL import Image, ImageFilter

from sakuga.data import frames as frames_module
from sakuga.data.frames import Candidate, choose, extract_frames
from sakuga.data.image_stats import bars, hash_distance, perceptual_hash
from sakuga.errors import DataError, OptionError
from sakuga.images.read import read_picture

WIDTH, HEIGHT, BAR = 320, 240, 30


def scene(seed: int, *, blur: float = 0.0, pillars: int = 0) -> np.ndarray:
    """Draw a picture of sharp-edged patches of colour between two black bars."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    inside = Image.fromarray(coarse).resize((WIDTH, HEIGHT - 2 * BAR), Image.Resampling.NEAREST)
    if blur:
        inside = inside.filter(ImageFilter.GaussianBlur(blur))
    film = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    film[BAR:-BAR] = np.asarray(inside)
    if pillars:
        film[:, :pillars] = film[:, -pillars:] = 0
    return film


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One second each: A, black, B (half of it blurred), A again, C blurred, D pillarboxed, E."""
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    seconds = [
        [scene(1)] * RATE,
        [black] * RATE,
        [scene(2, blur=6)] * (RATE // 2) + [scene(2)] * (RATE - RATE // 2),
        [scene(1)] * RATE,
        [scene(3, blur=9)] * RATE,
        [scene(4, pillars=60)] * RATE,
        [scene(5)] * RATE,
    ]
    pictures = [picture for second in seconds for picture in second]
    path = tmp_path_factory.mktemp("films") / "film.mp4"
    return make_clip(path, frames=len(pictures), width=WIDTH, height=HEIGHT, pictures=pictures)


def manifest(out: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def test_distinct_sharp_frames_without_bars(film: Path, tmp_path: Path) -> None:
    outcome = extract_frames([film], tmp_path / "out")
    lines = manifest(tmp_path / "out")
    assert outcome.pictures == len(lines) == 3  # A, B and E
    seconds = [float(str(line["seconds"])) for line in lines]
    assert seconds[0] < 1 and 2.4 < seconds[1] < 3 and seconds[2] > 6
    for line, seed in zip(lines, (1, 2, 5), strict=True):
        frame = read_picture(tmp_path / "out" / str(line["file"])).frames[0].colour
        assert frame.shape == (line["height"], line["width"], 3)
        assert HEIGHT - 2 * BAR - 4 <= frame.shape[0] <= HEIGHT - 2 * BAR
        expected = scene(seed)[BAR:-BAR]
        assert hash_distance(perceptual_hash(frame), perceptual_hash(expected)) <= 6
        cut = (len(expected) - len(frame)) // 2
        same_rows = expected[cut : cut + len(frame)].astype(int)
        assert np.median(np.abs(frame - same_rows)) < 8  # H.264 and JPEG lie between


def test_a_second_run_reads_nothing(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    extract_frames([film], tmp_path / "out")
    monkeypatch.setattr(frames_module, "read_small", lambda *_: pytest.fail("read again"))
    monkeypatch.chdir(film.parent)
    for spelled in (film, Path(film.name)):
        outcome = extract_frames([spelled], tmp_path / "out")
        assert (outcome.pictures, outcome.new) == (3, 0)


def test_an_interrupted_film_is_finished(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = frames_module._keep
    kept = []

    def keep_one(*arguments: object) -> None:
        if kept:
            raise KeyboardInterrupt
        kept.append(arguments)
        keep(*arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(frames_module, "_keep", keep_one)
        with pytest.raises(KeyboardInterrupt):
            extract_frames([film], tmp_path / "out")
    assert len(manifest(tmp_path / "out")) == 1
    assert extract_frames([film], tmp_path / "out").pictures == 3
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 3


def test_a_limit_spreads_over_the_films(film: Path, tmp_path: Path) -> None:
    outcome = extract_frames([film], tmp_path / "out", limit=1)
    assert outcome.pictures == 1
    assert 2 < float(str(manifest(tmp_path / "out")[0]["seconds"])) < 3  # the middle one
    assert extract_frames([film], tmp_path / "out", limit=3).pictures == 3


def test_a_bad_film_is_listed_and_the_others_are_read(film: Path, tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("not a film")
    films = [tmp_path / "text.mp4", film, tmp_path / "none.mkv"]
    outcome = extract_frames(films, tmp_path / "out")
    assert outcome.pictures == 3
    assert outcome.reasons() == {"not a film": 2}
    assert outcome.rejects[1].detail.endswith("none.mkv: there is no such file; check the spelling")
    again = extract_frames([film], tmp_path / "out")  # spelled right: no loss for ever
    assert [reject.source for reject in again.rejects] == [str(films[0])]


def test_a_colon_in_a_films_name_is_a_letter(
    film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("10:30.mp4").write_bytes(film.read_bytes())
    outcome = extract_frames([Path("10:30.mp4")], Path("a:b"), limit=1)
    assert (outcome.pictures, outcome.reasons()) == (1, {})


def test_a_film_without_a_fit_frame_is_listed(tmp_path: Path) -> None:
    pictures = [np.full((HEIGHT, WIDTH, 3), 90, np.uint8)] * RATE
    film = make_clip(
        tmp_path / "plain.mp4", frames=RATE, width=WIDTH, height=HEIGHT, pictures=pictures
    )
    outcome = extract_frames([film], tmp_path / "out")
    assert (outcome.pictures, outcome.reasons()) == (0, {"no frame is fit": 1})


def test_mistakes(film: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no films"):
        extract_frames([], tmp_path / "out")
    for options in ({"every": 0.0}, {"limit": 0}):
        with pytest.raises(OptionError, match="must be more than 0"):
            extract_frames([film], tmp_path / "out", **options)  # type: ignore[arg-type]


def candidate(number: int, **values: float) -> Candidate:
    usual = {"sharpness": 60.0, "spread": 50.0, "own_bars": 0.0} | values
    code = int.from_bytes(np.random.default_rng(number).bytes(8), "big")
    return Candidate(seconds=Fraction(number), hash=code, **usual)  # type: ignore[arg-type]


def test_choosing_thins_evenly() -> None:
    chosen = choose([candidate(n) for n in range(100)], 5)
    assert [int(c.seconds) for c in chosen] == [10, 30, 50, 70, 90]
    assert choose([], 5) == []
    assert len(choose([candidate(n) for n in range(100)], None)) == 100


def test_sharpness_is_judged_beside_the_film_itself() -> None:
    soft_film = [candidate(n, sharpness=20.0) for n in range(10)]
    assert len(choose(soft_film, None)) == 10
    crisp_film = [candidate(n, sharpness=100.0) for n in range(9)]
    assert len(choose([*crisp_film, candidate(10, sharpness=20.0)], None)) == 9


def test_bars_of_a_dark_picture_are_not_taken_for_bars_of_the_film() -> None:
    night = np.full((90, 160), 10, np.uint8)
    assert bars(night) == (slice(0, 90), slice(0, 160))
    night[20:70, 40:150] = 200
    assert bars(night) == (slice(20, 70), slice(40, 150))


def test_a_film_that_was_mended_is_no_longer_called_bad(film: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine.mp4"
    mine.write_text("not a film")
    assert extract_frames([mine], tmp_path / "out").reasons() == {"not a film": 1}
    mine.write_bytes(film.read_bytes())
    outcome = extract_frames([mine], tmp_path / "out")
    assert (outcome.pictures, outcome.reasons()) == (3, {})


def test_frames_of_a_film_that_was_replaced_go(film: Path, tmp_path: Path) -> None:
    mine, out = tmp_path / "mine.mp4", tmp_path / "out"
    mine.write_bytes(film.read_bytes())
    extract_frames([mine], out)
    old = {path.read_bytes() for path in out.glob("*.jpg")}
    pictures = [picture for seed in (7, 8) for picture in [scene(seed)] * RATE]
    make_clip(mine, frames=2 * RATE, width=WIDTH, height=HEIGHT, pictures=pictures)
    assert extract_frames([mine], out).pictures == 2
    assert not old & {path.read_bytes() for path in out.glob("*.jpg")}


def test_a_smaller_limit_leaves_fewer_frames(film: Path, tmp_path: Path) -> None:
    extract_frames([film], tmp_path / "out")
    assert extract_frames([film], tmp_path / "out", limit=2).pictures == 2
    assert len(list((tmp_path / "out").glob("*.jpg"))) == 2
