"""A folder with every kind of fault planted in it, cleaned."""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from misbehaving_server import picture_bytes
from PIL import Image

from sakuga.data.clean import clean_folder
from sakuga.data.image_stats import Doubles, hash_distance, perceptual_hash
from sakuga.errors import DataError, OptionError, OutputError
from sakuga.images.read import read_picture

SIDE = 300


def picture(seed: int, size: tuple[int, int] = (SIDE, SIDE)) -> Image.Image:
    """Draw soft blobs of colour, different for each seed."""
    return Image.open(io.BytesIO(picture_bytes(seed, side=SIDE, file_format="PNG"))).resize(size)


def encode(image: Image.Image, file_format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def bomb() -> bytes:
    """Forge a PNG whose header promises 60,000 x 60,000 pixels."""
    content = bytearray(encode(picture(0), "PNG"))
    content[16:24] = (60000).to_bytes(4, "big") * 2
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    return bytes(content)


def never_finished() -> bytes:
    """Make a JPEG whose second half was lost and then closed: decoders fill it with gray."""
    noisy = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    content = encode(Image.fromarray(noisy), quality=90)
    return content[: len(content) // 2] + b"\xff\xd9"


def damaged_png() -> bytes:
    content = bytearray(encode(picture(3), "PNG"))
    content[len(content) // 2] ^= 0xFF
    return bytes(content)


def sepia() -> Image.Image:
    gray = np.asarray(picture(4).convert("L")).astype(np.float32)[..., None]
    return Image.fromarray((gray * np.array([1.0, 0.85, 0.6])).astype(np.uint8))


def nearly_one_colour() -> Image.Image:
    noise = np.random.default_rng(2).normal(0, 2, (SIDE, SIDE, 3))
    return Image.fromarray((np.array([200, 120, 40]) + noise).clip(0, 255).astype(np.uint8))


def sticker() -> Image.Image:
    image = picture(5).convert("RGBA")
    image.putalpha(Image.new("L", image.size, 0))
    return image


def bright(image: Image.Image) -> Image.Image:
    return image.point(lambda value: min(255, round(value * 1.08 + 4)))


# name -> (content, reason, what the detail must say)
FAULTS: dict[str, tuple[Callable[[], bytes], str, str]] = {
    "empty.jpg": (lambda: b"", "not a picture", "0 bytes"),
    "text.jpg": (lambda: b"just some text", "not a picture", "text"),
    "page.jpg": (lambda: b"<!doctype html><title>404</title>", "not a picture", "text"),
    "archive.png": (lambda: b"PK\x03\x04" + bytes(99), "not a picture", "zip"),
    "noise.webp": (lambda: bytes(range(256)) * 9, "not a picture", ""),
    "truncated.jpg": (lambda: encode(picture(1))[:3000], "damaged", "truncated"),
    "truncated.png": (lambda: encode(picture(2), "PNG")[:9000], "damaged", ""),
    "flipped-byte.png": (damaged_png, "damaged", ""),
    "never-finished.jpg": (never_finished, "damaged", "rows"),
    "bomb.png": (bomb, "too many pixels", "60000"),
    "tiny.jpg": (lambda: encode(picture(6, (32, 32))), "too small", "32 x 32"),
    "thin.jpg": (lambda: encode(picture(7, (900, 200))), "too small", "900 x 200"),
    "banner.jpg": (lambda: encode(picture(8, (1600, 300))), "extreme aspect", "1600 x 300"),
    "tower.jpg": (lambda: encode(picture(9, (300, 1600))), "extreme aspect", "300 x 1600"),
    "gray.png": (lambda: encode(picture(10).convert("L"), "PNG"), "gray or one hue", ""),
    "gray-as-colour.jpg": (
        lambda: encode(picture(11).convert("L").convert("RGB")),
        "gray or one hue",
        "",
    ),
    "sepia.jpg": (lambda: encode(sepia()), "gray or one hue", ""),
    "scan.png": (lambda: encode(picture(12).convert("1"), "PNG"), "gray or one hue", ""),
    "blank.png": (lambda: encode(Image.new("RGB", (SIDE, SIDE), "white"), "PNG"), "one colour", ""),
    "plain.jpg": (lambda: encode(nearly_one_colour()), "one colour", ""),
    "sticker.png": (lambda: encode(sticker(), "PNG"), "transparent", "100%"),
    "moving.gif": (
        lambda: encode(picture(13), "GIF", save_all=True, append_images=[picture(14)]),
        "animated",
        "2 frames",
    ),
    "zz-copy.png": (lambda: encode(picture(100), "PNG"), "duplicate", "good-0.png"),
    "zz-half.jpg": (
        lambda: encode(picture(101, (SIDE, SIDE)).resize((280, 280))),
        "near-duplicate",
        "good-1.png",
    ),
    "zz-squeezed.jpg": (lambda: encode(picture(102), quality=25), "near-duplicate", "good-2.png"),
    "zz-bright.png": (
        lambda: encode(bright(picture(103)), "PNG"),
        "near-duplicate",
        "good-3.png",
    ),
}
GOOD = {f"good-{n}.png": lambda n=n: encode(picture(100 + n), "PNG") for n in range(8)} | {
    "sub/good.jpg": lambda: encode(picture(120), quality=95),
    "sub/good.webp": lambda: encode(picture(121), "WEBP"),
    "palette.png": lambda: encode(picture(122).quantize(64), "PNG"),
    "wide.jpg": lambda: encode(picture(123, (1480, 300))),
    "opaque-alpha.png": lambda: encode(picture(124).convert("RGBA"), "PNG"),
    "white-below.jpg": lambda: encode(on_white(picture(125))),
    "CAPITALS.JPG": lambda: encode(picture(126)),
}


def on_white(image: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", image.size, "white")
    sheet.paste(image.resize((200, 200)), (50, 20))
    return sheet


def lying() -> bytes:
    """Store a picture turned, with the EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encode(picture(127, (400, 300)), quality=95, exif=exif)


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("found")
    (folder / "sub").mkdir()
    for name, make in GOOD.items():
        (folder / name).write_bytes(make())
    for name, (make, _, _) in FAULTS.items():
        (folder / name).write_bytes(make())
    (folder / "lying.jpg").write_bytes(lying())
    (folder / "notes.txt").write_text("no picture, and none by its name")
    (folder / ".hidden.jpg").write_bytes(b"")
    return folder


def manifest(out: Path) -> dict[str, dict[str, object]]:
    lines = (out / "manifest.jsonl").read_text(encoding="utf-8").splitlines()
    return {line["file"]: line for line in map(json.loads, lines)}


def test_every_planted_fault_is_found_and_every_good_picture_kept(
    planted: Path, tmp_path: Path
) -> None:
    outcome = clean_folder(planted, tmp_path / "out", workers=2)
    assert len(FAULTS) >= 20
    found = {reject.source: reject for reject in outcome.rejects}
    assert set(found) == set(FAULTS)
    for name, (_, reason, detail) in FAULTS.items():
        assert found[name].reason == reason, (name, found[name])
        assert detail in found[name].detail, (name, found[name])

    kept = manifest(tmp_path / "out")
    assert set(kept) == {n for n in GOOD if n != "CAPITALS.JPG"} | {"lying.jpg", "CAPITALS.jpg"}
    for name, make in GOOD.items():
        written = (tmp_path / "out" / name.replace(".JPG", ".jpg")).read_bytes()
        assert written == make(), name  # byte for byte
    for line in kept.values():
        assert set(line) >= {"file", "source", "sha256", "hash", "width", "height", "split"}


def test_exif_is_applied_to_the_pixels(planted: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "lying.jpg").write_bytes(lying())
    clean_folder(tmp_path / "in", tmp_path / "out", workers=1)
    with Image.open(tmp_path / "out" / "lying.jpg") as image:
        assert image.size == (300, 400)
        assert image.getexif().get(0x0112, 1) == 1
        upright = np.asarray(image.convert("RGB")).astype(int)
    expected = np.asarray(picture(127, (400, 300)).rotate(-90, expand=True)).astype(int)
    assert np.abs(upright - expected).mean() < 3
    assert manifest(tmp_path / "out")["lying.jpg"]["height"] == 400


def test_a_second_run_does_nothing(
    planted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = clean_folder(planted, tmp_path / "out", workers=1)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.*g")}
    monkeypatch.setattr("sakuga.data.clean.measure", lambda *_: pytest.fail("measured again"))
    second = clean_folder(planted, tmp_path / "out", workers=1)
    assert second.new == 0 and second.reasons() == first.reasons()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_growing_folder_never_moves_a_picture_to_the_other_split(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for n in range(12):
        (folder / f"{n}.png").write_bytes(encode(picture(200 + n), "PNG"))
    clean_folder(folder, out, workers=1)
    before = manifest(out)
    # A larger copy of one that is kept must not take its place, now that it is known.
    (folder / "0-large.png").write_bytes(encode(picture(200, (600, 600)), "PNG"))
    (folder / "new.png").write_bytes(encode(picture(300), "PNG"))
    outcome = clean_folder(folder, out, workers=1)
    assert outcome.new == 1
    assert [reject.source for reject in outcome.rejects] == ["0-large.png"]
    assert {name: manifest(out)[name] for name in before} == before


def test_what_the_folders_own_manifest_says_goes_along_whatever_it_is_called(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode(picture(200), "PNG"))
    known = {"file": "a.png", "source": "s", "sha256": "0", "bytes": 1, "width": 1, "height": 1}
    facts = {"licence": "CC0-1.0", "size": "large", "part": 2}
    (folder / "manifest.jsonl").write_text(json.dumps({**known, **facts}) + "\n")
    clean_folder(folder, tmp_path / "out", workers=1)
    assert manifest(tmp_path / "out")["a.png"].items() >= facts.items()


def test_of_near_duplicates_the_largest_is_kept(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a-small.png").write_bytes(encode(picture(1), "PNG"))
    (tmp_path / "in" / "b-large.png").write_bytes(encode(picture(1, (600, 600)), "PNG"))
    clean_folder(tmp_path / "in", tmp_path / "out", workers=1)
    assert list(manifest(tmp_path / "out")) == ["b-large.png"]


def test_a_changed_file_is_looked_at_again(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "a.png"
    path.write_bytes(b"broken")
    assert clean_folder(tmp_path / "in", tmp_path / "out", workers=1).pictures == 0
    path.write_bytes(encode(picture(1), "PNG"))
    outcome = clean_folder(tmp_path / "in", tmp_path / "out", workers=1)
    assert outcome.pictures == 1 and outcome.rejects == ()
    path.write_bytes(encode(picture(2), "PNG"))
    clean_folder(tmp_path / "in", tmp_path / "out", workers=1)
    assert (tmp_path / "out" / "a.png").read_bytes() == path.read_bytes()


def test_two_names_that_differ_in_their_suffix_do_not_collide(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpeg").write_bytes(encode(picture(1)))
    (tmp_path / "in" / "a.jpg").write_bytes(encode(picture(2)))
    for _ in range(2):
        outcome = clean_folder(tmp_path / "in", tmp_path / "out", workers=1)
        assert outcome.pictures == 2
    sources = {line["source"]: file for file, line in manifest(tmp_path / "out").items()}
    for name, file in sources.items():
        assert (tmp_path / "in" / str(name)).read_bytes() == (tmp_path / "out" / file).read_bytes()


def test_bad_places_are_refused(planted: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        clean_folder(tmp_path / "nowhere", tmp_path / "out")
    with pytest.raises(OptionError, match="lies in"):
        clean_folder(planted, planted / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no picture files"):
        clean_folder(tmp_path / "empty", tmp_path / "out")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds other files"):
        clean_folder(planted, tmp_path / "other")
    clean_folder(planted, tmp_path / "out", workers=1)
    with pytest.raises(OutputError, match="holds another set"):
        clean_folder(planted, tmp_path / "out", min_side=128)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["thesis.txt"]


def test_doubles_finds_exactly_what_comparing_with_all_finds() -> None:
    dice = np.random.default_rng(0)
    hashes = [int(value) for value in dice.integers(0, 2**63, 300)]
    for value in hashes[:150]:  # neighbours at every distance up to 10
        flips = dice.choice(64, int(dice.integers(0, 11)), replace=False)
        hashes.append(value ^ sum(1 << int(bit) for bit in flips))
    for within in (0, 3, 6, 7):
        doubles = Doubles(within)
        for index, value in enumerate(hashes):
            distances = [hash_distance(value, other) for other in hashes[:index]]
            nearest = min(distances, default=99)
            found = doubles.find(value)
            if nearest > within:
                assert found is None
            else:
                assert found is not None and distances[int(found)] == nearest
            doubles.add(value, str(index))


def test_hash_is_stable_for_copies_and_differs_for_others() -> None:
    def value(image: Image.Image) -> int:
        return perceptual_hash(read_picture(encode(image, "PNG")).frames[0].colour)

    hashes = [value(picture(seed)) for seed in range(20)]
    others = [hash_distance(a, b) for i, a in enumerate(hashes) for b in hashes[:i]]
    assert min(others) > 6
    for seed in range(10):
        assert hash_distance(hashes[seed], value(picture(seed, (150, 150)))) <= 6


def test_what_is_gone_or_no_longer_fit_leaves_the_set(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for n in range(5):
        (folder / f"{n}.png").write_bytes(encode(picture(400 + n), "PNG"))
    clean_folder(folder, out, workers=1)
    (folder / "0.png").unlink()
    (folder / "1.png").write_bytes(b"text")
    (folder / "2.png").rename(folder / "moved.png")
    outcome = clean_folder(folder, out, workers=1)
    assert set(manifest(out)) == {"3.png", "4.png", "moved.png"}
    assert {path.name for path in out.glob("*.png")} == set(manifest(out))
    assert [reject.source for reject in outcome.rejects] == ["1.png"]
    assert (outcome.pictures, outcome.new, outcome.notes) == (3, 1, {"removed": 3})
    assert not {line["source"] for line in manifest(out).values()} & {"1.png"}


def test_a_picture_of_another_kind_under_the_same_name_is_there_once(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    (folder / "a.png").write_bytes(encode(picture(1)))  # JPEG in truth
    clean_folder(folder, out, workers=1)
    assert list(manifest(out)) == ["a.jpg"]
    (folder / "a.png").write_bytes(encode(picture(2), "PNG"))
    assert clean_folder(folder, out, workers=1).pictures == 1
    assert list(manifest(out)) == ["a.png"] and not (out / "a.jpg").exists()


def test_a_copy_that_somebody_changed_is_left_to_them(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for n in range(2):
        (folder / f"{n}.png").write_bytes(encode(picture(n), "PNG"))
    clean_folder(folder, out, workers=1)
    (out / "0.png").write_bytes(b"retouched by hand")
    (folder / "0.png").unlink()
    assert clean_folder(folder, out, workers=1).pictures == 1
    assert (out / "0.png").read_bytes() == b"retouched by hand"
