"""A look at a set: a contact sheet, and a summary of what is in it and what is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageOps

from sakuga.data.image_stats import colour_spread, sharpness
from sakuga.data.picture_set import MANIFEST_FILE, REJECTED_FILE, read_lines
from sakuga.errors import DataError, InputError
from sakuga.images.colour import Pixels
from sakuga.images.marks import Mark
from sakuga.images.picture import Frame, Picture
from sakuga.images.read import read_picture
from sakuga.images.sheet import MARGIN, PAPER
from sakuga.images.sources import Container, open_sources
from sakuga.images.write import write_picture

COLUMNS, ROWS = 8, 6
CELL = 160  # pixels: side of a picture on the sheet
SAMPLE = 300  # pictures that are decoded for the figures, and SWATCHES main colours found in them
SWATCHES = 8


def show_set(folder: Path, sheet: Path) -> dict[str, Any]:
    """Draw a contact sheet of a set, under its main colours, and sum the set up.

    Args:
        folder: a folder of pictures or shards, or a tar file.
        sheet: PNG, JPEG or WebP; replaced if it is there.

    Returns:
        "pictures"; "sampled" and "unreadable": how many were decoded for the figures, and how many
        could not be; "short_side" in pixels and "colour_spread" and "sharpness" in grey levels,
        each [smallest, median, largest]; "colours": "#rrggbb" -> share; "splits" and "rejected":
        how many of each kind, by the set's own lists.

    Raises:
        DataError: no such folder, no pictures, or none that can be read.
        OutputError: the sheet cannot be written.
    """
    containers = open_sources([folder])
    total = sum(len(container) for container in containers)
    pictures, unreadable = _sample(containers, total)
    if not pictures:
        raise DataError(
            f"{folder}: none of {unreadable} pictures can be read; run sakuga prepare clean on it"
        )
    colours = main_colours(pictures)
    drawn = Picture((Frame(draw_sheet(pictures, list(colours))),))
    write_picture(drawn, sheet, mark=Mark(source=folder.name))
    return {
        "folder": str(folder),
        "pictures": total,
        "sampled": len(pictures),
        "unreadable": unreadable,
        "short_side": _range([min(picture.shape[:2]) for picture in pictures]),
        "colour_spread": _range([colour_spread(picture)[0] for picture in pictures]),
        "sharpness": _range([sharpness(picture) for picture in pictures]),
        "colours": colours,
        "splits": _count(folder / MANIFEST_FILE, "file", "split"),
        "rejected": _count(folder / REJECTED_FILE, "source", "reason"),
        "sheet": str(sheet),
    }


def as_text(summary: dict[str, Any]) -> str:
    """Say a summary of `show_set` in a few lines."""
    lines = [f"{summary['folder']}: {summary['pictures']:,} pictures; sheet: {summary['sheet']}"]
    for name in ("short_side", "colour_spread", "sharpness"):
        low, middle, high = summary[name]
        words = name.replace("_", " ")
        lines.append(f"  {words}: {low:g} to {high:g}, median {middle:g}")
    colours = (f"{colour} {share:.0%}" for colour, share in summary["colours"].items())
    lines.append(f"  colours: {', '.join(colours)}")
    for name in ("splits", "rejected"):
        lines += [f"  {count:,} {name}: {kind}" for kind, count in summary[name].items()]
    if summary["unreadable"]:
        lines.append(f"  {summary['unreadable']} of {SAMPLE} looked at cannot be read")
    return "\n".join(lines)


def main_colours(pictures: Sequence[Pixels]) -> dict[str, float]:
    """Find the main colours of pictures: "#rrggbb" -> share of the area, the largest first.

    k-means in Lab on 16x16 pixels of each picture.
    """
    small = [cv2.resize(p, (16, 16), interpolation=cv2.INTER_AREA) for p in pictures]
    pixels = np.concatenate(small).astype(np.float32).reshape(-1, 1, 3) / 255
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab).reshape(-1, 3)
    cv2.setRNGSeed(0)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 30, 0.5)
    _, labels, centres = cv2.kmeans(lab, SWATCHES, None, stop, 1, cv2.KMEANS_PP_CENTERS)  # type: ignore[call-overload]
    rgb = cv2.cvtColor(centres.reshape(-1, 1, 3), cv2.COLOR_Lab2RGB).reshape(-1, 3)
    names = ["#" + bytes(np.rint(c * 255).clip(0, 255).astype(np.uint8)).hex() for c in rgb]
    counts = Counter(names[label] for label in labels.ravel().tolist())
    return {name: round(count / len(labels), 3) for name, count in counts.most_common()}


def draw_sheet(pictures: Sequence[Pixels], colours: Sequence[str]) -> Pixels:
    """Draw up to 48 pictures, cut to squares, in rows under a strip of colours."""
    shown = pictures[: COLUMNS * ROWS]
    rows = -(-len(shown) // COLUMNS)
    step = CELL + MARGIN
    sheet = Image.new("RGB", (COLUMNS * step + MARGIN, rows * step + 3 * MARGIN), PAPER)
    width = (sheet.width - 2 * MARGIN) // len(colours)
    for index, colour in enumerate(colours):
        left = MARGIN + index * width
        sheet.paste(colour, (left, MARGIN, left + width, 2 * MARGIN))
    for index, picture in enumerate(shown):
        cell = ImageOps.fit(Image.fromarray(picture), (CELL, CELL), Image.Resampling.LANCZOS)
        sheet.paste(cell, (MARGIN + index % COLUMNS * step, 3 * MARGIN + index // COLUMNS * step))
    return np.asarray(sheet)


def _sample(containers: Sequence[Container], total: int) -> tuple[list[Pixels], int]:
    """Decode a sample spread over the set, always the same; also count what does not decode."""
    chosen = np.sort(np.random.default_rng(0).permutation(total)[:SAMPLE])
    pictures = []
    unreadable = start = 0
    for container in containers:
        here = chosen[(chosen >= start) & (chosen < start + len(container))] - start
        for number in here.tolist():
            try:
                ((name, content),) = container.read([number])
                pictures.append(read_picture(content, name=name).frames[0].colour)
            except InputError:
                unreadable += 1
        start += len(container)
    order = np.random.default_rng(1).permutation(len(pictures))  # the sheet shows the first ones
    return [pictures[index] for index in order], unreadable


def _range(values: Sequence[float]) -> list[float]:
    return [round(float(value), 1) for value in np.percentile(values, (0, 50, 100))]


def _count(journal: Path, key: str, value: str) -> dict[str, int]:
    """Count a journal's lines by a value, the most frequent first; nothing if there is none."""
    if not journal.exists():
        return {}
    lines, _ = read_lines(journal, key)
    latest = {line[key]: line[value] for line in lines if value in line}
    return dict(Counter(latest.values()).most_common())
