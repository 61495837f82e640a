"""A shipped style gives the same picture for the same photo, whatever is rebuilt around it.

`stored/` holds, for each version of a style, the SHA-256 of what it painted and that picture
made small. onnxruntime may round differently on another processor: there the small pictures
decide. After new weights: `python tests/styles/test_stored_pictures.py` writes theirs.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import sakuga

STORED = Path(__file__).parent / "stored"
EXAMPLES = Path(__file__).parents[2] / "examples"
HASHES = STORED / "sha256.json"
COMMAND = "python tests/styles/test_stored_pictures.py"
# Windows and blending, colours kept, and strokes drawn small and brought to full size.
ASKED: dict[str, dict[str, Any]] = {
    "synthetic": {},
    "portrait_astronaut": {"strength": 0.7, "keep_colour": True},
    "food_coffee": {"stroke": 256},
}
STYLES = [style for style in sakuga.styles.installed() if style.origin == "shipped"]


def photo_named(name: str) -> np.ndarray:
    """One of examples/, or waves and edges made of whole numbers alone, uint8 (H, W, 3)."""
    if name != "synthetic":
        return np.asarray(Image.open(EXAMPLES / f"{name}.jpg").convert("RGB"))
    rows, columns = np.mgrid[0:150, 0:211]
    red = (rows * rows // 97 + 3 * columns) % 256
    green = np.where((5 * columns + 3 * rows) % 122 > 61, 210, 90) - rows // 4
    blue = abs((columns * rows // 50) % 400 - 200)
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


def painted(style: sakuga.Style, name: str) -> tuple[str, np.ndarray]:
    """The SHA-256 of a painted photo, and the means of its cells of 4 x 4 pixels, rounded."""
    anime = sakuga.paint(photo_named(name), style, device="cpu", **ASKED[name])
    small = np.asarray(Image.fromarray(anime).reduce(4))
    return hashlib.sha256(anime.tobytes()).hexdigest(), small


def place(style: sakuga.Style, name: str) -> Path:
    return STORED / f"{style.spec.name}-{style.spec.version}-{name}.png"


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("style", STYLES, ids=lambda style: style.spec.name)
def test_a_shipped_style_paints_what_it_painted_before(style, name):
    file = place(style, name)
    assert file.exists(), f"new weights: look at their pictures, then run {COMMAND}"
    found, small = painted(style, name)
    if found != json.loads(HASHES.read_text())[file.stem]:
        before = np.asarray(Image.open(file)).astype(int)
        assert abs(small - before).max() <= 1  # grey level


def store() -> None:
    """Write the pictures of the styles of today, and remove those of versions that are gone."""
    for old in STORED.glob("*.png"):
        old.unlink()
    STORED.mkdir(exist_ok=True)
    hashes = {}
    for style in STYLES:
        for name in ASKED:
            hashes[place(style, name).stem], small = painted(style, name)
            Image.fromarray(small).save(place(style, name), optimize=True)
    HASHES.write_text(json.dumps(hashes, indent=2) + "\n")


if __name__ == "__main__":
    store()
