"""The gallery shows what it says: a strip for each photo, and who took it."""

from __future__ import annotations

import re
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parent.parent
GALLERY = ROOT / "docs" / "gallery"
PHOTOS = {path.stem: path for path in (GALLERY / "photos").iterdir()}
EXAMPLES = {path.stem: path for path in (ROOT / "examples").glob("*.jpg")}


def test_every_photo_has_a_strip_that_is_shown() -> None:
    names = PHOTOS.keys() | EXAMPLES.keys()
    page = (GALLERY / "README.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[[^]]+\]\(strips/(\w+)\.jpg\)", page)
    assert len(shown) == len(set(shown)) >= 24
    assert set(shown) == names == {path.stem for path in (GALLERY / "strips").iterdir()}


def test_every_photo_has_its_credits() -> None:
    credits = (GALLERY / "CREDITS.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w+)\.jpg \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", credits, re.MULTILINE)
    assert sorted(name for name, *_ in rows) == sorted(PHOTOS)
    free = {"CC0", "public domain", "CC BY 2.0", "CC BY 4.0"}
    assert {licence for _, licence, *_ in rows} <= free


def test_photos_are_small_and_tell_nothing_else() -> None:
    for path in PHOTOS.values():
        assert path.suffix == ".jpg" and path.stat().st_size <= 180_000, path
        with Image.open(path) as image:
            assert max(image.size) <= 1024 and not image.getexif(), path
