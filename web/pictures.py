"""Makes the page's pictures: the hero of the default style, the examples, the icons.

    python web/pictures.py          where sakuga and playwright are installed

To be run again when the default style's weights change; a test says so.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

import sakuga

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "src/sakuga/web/page"
EXAMPLES = {
    "raccoon": "animal_raccoon",
    "pagoda": "landmark_pagoda",
    "astronaut": "portrait_astronaut",
    "coffee": "food_coffee",
}
HERO = "landscape_picos"
HERO_SIZE = (1080, 608)  # pixels
ICON_SIDES = (180, 192, 512)  # pixels


def hero() -> Image.Image:
    """A photo whose right half is painted in the default style, a white line between."""
    with Image.open(ROOT / "examples" / f"{HERO}.jpg") as image:
        photo = np.asarray(ImageOps.fit(image.convert("RGB"), HERO_SIZE))
    shown = sakuga.paint(photo)
    middle = HERO_SIZE[0] // 2
    shown[:, :middle] = photo[:, :middle]
    shown[:, middle - 2 : middle + 2] = 255
    return Image.fromarray(shown)


def icons() -> None:
    """The icon as PNG files, drawn by a browser, corners filled as phones want them."""
    from playwright.sync_api import sync_playwright

    drawing = (PAGE / "icon.svg").read_text(encoding="utf-8").replace(' rx="16"', "")
    found = os.environ.get("SAKUGA_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for side in ICON_SIDES:
            page = browser.new_page(viewport={"width": side, "height": side})
            page.set_content(f"<style>*{{margin:0;display:block}}</style>{drawing}")
            page.screenshot(path=PAGE / f"icon-{side}.png")
        browser.close()


def main() -> None:
    hero().save(PAGE / "hero.jpg", quality=88, optimize=True)
    (PAGE / "examples").mkdir(exist_ok=True)
    for name, source in EXAMPLES.items():
        shutil.copyfile(ROOT / "examples" / f"{source}.jpg", PAGE / "examples" / f"{name}.jpg")
    icons()


if __name__ == "__main__":
    main()
