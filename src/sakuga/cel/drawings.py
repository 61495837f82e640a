"""What somebody's drawings look like in numbers, and the painter's settings that come near.

Photos are painted and measured in the same way as the drawings, and a setting is turned until the
two agree: a start, for what drawings and photos show differs, and so does what is measured.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.cel.design import PRESETS, PREVIEW_SIDE, preset
from sakuga.cel.filters import Map
from sakuga.cel.painter import Easel
from sakuga.cel.settings import CelSettings
from sakuga.errors import DataError
from sakuga.images.colour import Pixels
from sakuga.images.read import read_picture
from sakuga.images.sources import open_sources

MOST_DRAWINGS = 40  # that are measured, evenly spread over all
MOST_PHOTOS = 3  # that are painted to compare
INK_KERNEL_PIXELS = 7  # lines narrower than this count as ink
INK_DEPTH = 12.0  # L that a line is darker than its surroundings
_FEWEST_LINES = 0.002  # of the pixels: fewer are no lines
_OF_PAPER = 10.0  # CIELAB units: what is nearer to paper is not painted

# Setting; its values from less to more of what is measured; what is measured.
_MATCHED = (
    ("gamma", (1.6, 0.4), "light"),
    ("vividness", (0.0, 2.5), "chroma"),
    ("crowding", (1.0, 0.3), "lines"),  # with less of it fur is scribble
    ("line_width", (0.5, 2.5), "width"),
)
_ROUNDS = 5  # of halving: the last is 1/32 of a slider


@dataclass(frozen=True)
class Look:
    """Pictures in numbers, at the size that settings are meant for."""

    lines: float  # share of the pixels that lie in thin dark lines
    width: float  # pixels, of a line
    line_colour: tuple[float, ...]  # as `line_colour` and `line_tone` of the painter mean them
    line_tone: float
    light: float  # 0 to 1, the median from black to paper of what is neither line nor blank
    chroma: float  # CIELAB units, its mean there
    paper: tuple[float, ...]  # RGB in [0, 1], the mean of the lightest hundredth
    black: tuple[float, ...]  # and of the darkest


def read_drawings(source: Path) -> list[Pixels]:
    """Some of the pictures of a folder or tar file, at the size that settings are meant for.

    Raises:
        DataError, InputError: no such place, no pictures in it, or one that cannot be read.
    """
    containers = open_sources([source])
    total = sum(map(len, containers))
    wanted = set(np.linspace(0, total - 1, min(total, MOST_DRAWINGS)).round().astype(int).tolist())
    drawings, first = [], 0
    for container in containers:
        numbers = [n for n in range(len(container)) if first + n in wanted]
        first += len(container)
        for name, content in container.read(numbers):
            picture = read_picture(content, name=name, max_side=PREVIEW_SIDE)
            drawings.append(picture.frames[0].on_white())
    return drawings


def measure(pictures: Sequence[Pixels], printed_with: CelSettings | None = None) -> Look:
    """Measure pictures together, each uint8 (H, W, 3) RGB.

    Blank paper, in the lightest tone up to the border, is left out. Photos that were painted have
    none; their paper and black are those of the settings they were `printed_with`.

    A line's colour is fitted over all lines, at the middle of each, as the painter mixes it:
    t c^2 + (1 - t) s with c the colour beside the line, t `line_tone` and s `line_colour`.

    Raises:
        DataError: all but a hundredth is of one lightness.
    """
    rgbs = [picture.astype(np.float32) / 255 for picture in pictures]
    labs = [cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB) for rgb in rgbs]
    depths = [ink_depth(lab[..., 0]) for lab in labs]
    inked = np.concatenate([depth.ravel() > INK_DEPTH for depth in depths])

    rgb, lab = (np.concatenate([part.reshape(-1, 3) for part in parts]) for parts in (rgbs, labs))
    if printed_with:
        black, paper = (np.array(c, np.float32) for c in (printed_with.black, printed_with.paper))
    else:
        darkest, lightest = np.percentile(lab[:, 0], (1, 99))
        if lightest - darkest < INK_DEPTH:
            raise DataError(
                "the drawings are nearly all of one lightness: there is nothing to measure; "
                "name others"
            )
        black, paper = rgb[lab[:, 0] <= darkest].mean(0), rgb[lab[:, 0] >= lightest].mean(0)

    def printed_from(printed: Map) -> Map:
        plain: Map = np.clip((printed - black) / np.maximum(paper - black, 0.05), 0, 1)
        return plain

    white = cv2.cvtColor(paper.reshape(1, 1, 3), cv2.COLOR_RGB2LAB)[0, 0]
    painted = ~inked
    if printed_with is None:
        filled = painted & ~np.concatenate([_blank(lab, white).ravel() for lab in labs])
        if filled.mean() > 0.05:  # else it is lines on paper: the paper is what there is
            painted = filled
    middles = [
        (depth > INK_DEPTH) & (lab[..., 0] <= cv2.erode(lab[..., 0], np.ones((3, 3))) + 1)
        for lab, depth in zip(labs, depths, strict=True)
    ]
    stroke, beside = (
        printed_from(np.concatenate([r[middle] for r, middle in zip(parts, middles, strict=True)]))
        for parts in (rgbs, [_without_lines(rgb) for rgb in rgbs])
    )
    tone, colour = _stroke_colour(stroke, beside) if len(stroke) else (0.0, np.zeros(3, np.float32))
    luma = printed_from(rgb[painted]) @ np.array([0.299, 0.587, 0.114])
    return Look(
        lines=float(inked.mean()),
        width=stroke_width([np.where(depth > INK_DEPTH, depth, 0) for depth in depths]),
        line_colour=_rounded(colour),
        line_tone=round(tone, 2),
        light=float(np.median(luma)),
        chroma=float(np.hypot(lab[painted, 1], lab[painted, 2]).mean()),
        paper=_rounded(paper),
        black=_rounded(black),
    )


def ink_depth(lightness: Map) -> Map:
    """How much darker than its surroundings a thin line is, L (black top-hat, Serra 1982)."""
    depth: Map = _without_lines(lightness) - lightness
    return depth


def _without_lines(picture: Map) -> Map:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (INK_KERNEL_PIXELS, INK_KERNEL_PIXELS))
    filled: Map = cv2.morphologyEx(picture, cv2.MORPH_CLOSE, kernel)
    return filled


def _blank(lab: Map, paper: Map) -> NDArray[np.bool_]:
    """Where the paper is left as it is: what has its colour and reaches the picture's border."""
    like_paper = np.linalg.norm(lab - paper, axis=2) < _OF_PAPER
    _, labels = cv2.connectedComponents(like_paper.astype(np.uint8))
    border = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    blank: NDArray[np.bool_] = like_paper & np.isin(labels, border)
    return blank


def stroke_width(maps: Iterable[Map]) -> float:
    """Width of the strokes in maps (H, W) that are 0 elsewhere, in pixels; 0 without any.

    Twice the sum over the total variation: along a unit of a stroke of height h and width w these
    are h w and 2 h, however dark or soft it is.
    """
    total = variation = 0.0
    for strokes in maps:
        padded = np.pad(strokes, 1)
        total += float(padded.sum())
        down, across = np.diff(padded, axis=0)[:, :-1], np.diff(padded, axis=1)[:-1]
        variation += float(np.hypot(down, across).sum())
    return 2 * total / variation if variation else 0.0


def _stroke_colour(
    stroke: NDArray[np.float32], beside: NDArray[np.float32]
) -> tuple[float, NDArray[np.float32]]:
    """Least squares of t and s in stroke = t beside^2 + (1 - t) s, all (N, 3)."""
    squared, mean = beside**2, stroke.mean(0)
    centred = squared - squared.mean(0)
    spread = float((centred**2).mean()) + 1e-4  # all on white: no tone of what is beside
    tone = float(np.clip((centred * (stroke - mean)).mean() / spread, 0, 0.9))
    return tone, np.clip((mean - tone * squared.mean(0)) / (1 - tone), 0, 1)


def _rounded(colour: NDArray[np.float32]) -> tuple[float, ...]:
    return tuple(round(float(value), 3) for value in colour)


def settings_like(look: Look, easels: Sequence[Easel]) -> tuple[CelSettings, Look]:
    """The settings with which photos come near a look, and how they then look."""

    def found(settings: CelSettings) -> Look:
        return measure([easel.paint(settings)[0] for easel in easels], settings)

    drawn = look.lines > _FEWEST_LINES
    settings = replace(
        preset(PRESETS[0]),
        ink=1.0 if drawn else 0.0,
        line_colour=look.line_colour,
        line_tone=look.line_tone,
        paper=look.paper,
        black=look.black,
    )
    for name, (less, more), measured in _MATCHED if drawn else _MATCHED[:2]:
        for _ in range(_ROUNDS):
            middle = round((less + more) / 2, 3)
            change: dict[str, Any] = {name: middle}
            settings = replace(settings, **change)
            if getattr(found(settings), measured) < getattr(look, measured):
                less = middle
            else:
                more = middle
    return settings, found(settings)


def told(look: Look, painted: Look, settings: CelSettings) -> str:
    """What was measured on the drawings and on photos painted so, and what was chosen; lines."""
    rows: list[tuple[str, ...]] = [("", "drawings", "photos", "setting")]
    chosen = {measured: setting for setting, _, measured in _MATCHED}
    for field in fields(Look):
        setting = chosen.get(field.name, field.name)
        values = [getattr(of, field.name) for of in (look, painted)]
        shown = [f"{v:.3g}" if isinstance(v, float) else " ".join(map(str, v)) for v in values]
        rows.append((field.name, *shown, f"{setting} = {getattr(settings, setting)}"))
    return "\n".join("{:12} {:18} {:18} {}".format(*row).rstrip() for row in rows)
