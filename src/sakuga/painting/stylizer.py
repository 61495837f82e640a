"""One loaded style, or several mixed: photo in, anime out, with strokes of the right weight."""

from __future__ import annotations

import hashlib
import math
import os
import re
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from sakuga.errors import InputError, NotAPhotoError, OptionError, StyleError, one_line
from sakuga.files import sha256_of
from sakuga.images.colour import Pixels
from sakuga.images.picture import Frame, fit_within, shrink
from sakuga.images.read import to_float, to_pixels
from sakuga.painting.blending import blend
from sakuga.painting.options import (
    OnShare,
    Stroke,
    check_strength,
    check_stroke,
    check_whole,
    part_of,
)
from sakuga.painting.tiling import paint_tiles
from sakuga.painting.upscale import redraw
from sakuga.styles import DEFAULT_STYLE, GRAPH_INPUT, GRAPH_OUTPUT, Style, StyleSpec, find
from sakuga.styles.session import Device, open_session, run_options
from sakuga.styles.spec import credits_of

_MOST_THREADS = 1024
AUTO_TILE_PIXELS = 1024
# A network that sees the whole picture keeps up to 2.2 kB a pixel (CartoonGAN): 9 GB at this size.
WHOLE_LIMIT_PIXELS = 2048 * 2048
_PAINTING_SHARE = 0.6  # of the time for a large photo, about; the rest brings it to full size
# 1182 x 887 fills most of a screen or a page as it is, and styles are trained on pictures of
# 0.1 to 0.4 megapixels, shown at that size.
_AREAS = {"auto": 2**20, "bold": 2**18}  # pixels
# Up to here strokes are at most a fifth finer, and texture seen at 768 pixels stays within 10 %.
_TOLERANCE = 1.5  # times the area
_PART = re.compile(r"(?P<style>.+):(?P<share>\d*\.?\d+)")


class Stylizer:
    """One style, loaded once, painting pictures of any size; safe to call from many threads.

    Args:
        style: a style's name, the path of a style file, or a `Style`.
        device: "cuda" or "cpu"; "auto" takes CUDA where this onnxruntime can use it.
        threads: of one call, on the CPU; None: one a core.
        tile: the side of a tile in pixels; "auto": tiles of 1024 for pictures larger than that;
            "none": the whole picture at once. Tiles equal the whole; they bound the memory.

    Raises:
        StyleError: the style is unknown, foreign or damaged.
        DeviceError: CUDA was asked for and cannot be used.
        OptionError: a value out of range, or tiles for a style that must see the whole picture.
    """

    def __init__(
        self,
        style: str | Path | Style = DEFAULT_STYLE,
        *,
        device: Device = "auto",
        threads: int | None = None,
        tile: int | Literal["auto", "none"] = "auto",
    ) -> None:
        if device not in get_args(Device):
            raise OptionError(f"device {device!r} is not one of auto, cpu, cuda")
        if threads is not None:
            check_whole("threads", threads)
            if threads > _MOST_THREADS:
                raise OptionError(f"threads is {threads}; it must be at most {_MOST_THREADS}")
        if isinstance(tile, str) and tile not in ("auto", "none"):
            raise OptionError(f"tile is {tile!r}; it must be auto, none or a number of pixels")
        if not isinstance(tile, str):
            check_whole("tile", tile, " pixels")
            tile = int(tile)
        self.style = style if isinstance(style, Style) else find(style)
        self.spec = self.style.spec
        self._tile = tile
        if isinstance(tile, int) and self.spec.receptive_radius is None:
            raise OptionError(
                f"the style {self.spec.name} must see the whole picture, it cannot be painted in "
                "tiles; leave tile at auto or none"
            )
        self.threads = threads or os.cpu_count() or 1
        self._session, self.device = open_session(self.style.path, device, threads)
        self._run_options = run_options(self.device)

    def __call__(
        self,
        photo: Pixels,
        *,
        strength: float = 1.0,
        keep_colour: bool = False,
        stroke: Stroke = "auto",
        progress: OnShare | None = None,
    ) -> Pixels:
        """Paint a photo.

        Args:
            photo: uint8 (H, W, 3) sRGB, upright, of any size from 1 x 1; left alone.
            strength: 0 gives the photo itself, 1 the style, between them a mix.
            keep_colour: keep the photo's colours (its low-frequency chroma); lines and lightness
                are the style's.
            stroke: at which size to paint, for strokes of the right weight; the result has the
                photo's size whatever it is. See `working_size`.
            progress: called with the share that is done, up to 1.0.

        Returns:
            uint8 (H, W, 3), a new array.

        Raises:
            NotAPhotoError: the photo is another kind of thing, or empty.
            OptionError: strength is not within 0 to 1, or there is no such stroke.
            InputError: the picture is too large for a style that must see it whole.
            StyleError: the style's graph fails on it.
        """
        check_photo(photo)
        check_strength(strength)
        height, width = photo.shape[:2]
        size = working_size((width, height), stroke)
        if strength == 0:
            return photo.copy()
        if size == (width, height):
            anime = self._paint(photo, progress)
            blend(photo, anime, strength=strength, keep_colour=keep_colour)
            return anime
        small = shrink(Frame(photo), size).colour
        painted = self._paint(small, part_of(progress, 0, _PAINTING_SHARE))
        blend(small, painted, strength=1, keep_colour=keep_colour)
        anime = redraw(painted, (width, height), part_of(progress, _PAINTING_SHARE, 1))
        blend(photo, anime, strength=strength, keep_colour=False)
        return anime

    @cached_property
    def weights(self) -> str:
        """12 hexadecimal digits of the style's file: tells it from one of the same version."""
        return sha256_of(self.style.path)[:12]

    def for_calls(self, calls: int) -> Stylizer:
        """The same style for so many calls at once, which share out its threads (on the CPU)."""
        if calls == 1 or self.device == "cuda":
            return self
        shared = copy(self)
        shared.threads = max(1, self.threads // calls)
        shared._session, _ = open_session(self.style.path, "cpu", shared.threads)
        return shared

    def _paint(self, photo: Pixels, progress: OnShare | None) -> Pixels:
        """Run the graph over a photo at its own size, in tiles if it is large."""
        return paint_tiles(
            photo,
            self._run,
            tile=self._tile_for(photo.shape[0], photo.shape[1]),
            margin=self.spec.receptive_radius or 0,
            multiple=self.spec.size_multiple,
            minimum=self.spec.minimum_side,
            progress=progress,
        )

    def _run(self, window: Pixels) -> Pixels:
        """The graph itself, (H, W, 3) to (H, W, 3)."""
        inputs = {GRAPH_INPUT: to_float(window)}
        try:
            (anime,) = self._session.run([GRAPH_OUTPUT], inputs, self._run_options)
        except Exception as error:  # onnxruntime's own exceptions share no base class but this
            height, width = window.shape[:2]
            raise StyleError(
                f"the style {self.spec.name} fails on {width} x {height} pixels "
                f"({one_line(error)[:200]}); its file is damaged, or memory is short"
            ) from error
        if anime.shape != inputs[GRAPH_INPUT].shape:
            raise StyleError(
                f"the style {self.spec.name} makes an array of shape {anime.shape} of one of shape "
                f"{inputs[GRAPH_INPUT].shape}; a style keeps the size: export it again"
            )
        painted: Pixels = to_pixels(anime)[0]
        return painted

    def _tile_for(self, height: int, width: int) -> int | None:
        """The side of a tile for a picture of this size, or None to paint it whole."""
        if isinstance(self._tile, int):
            return self._tile
        if self._tile == "none":
            return None
        if self.spec.receptive_radius is not None:
            return AUTO_TILE_PIXELS
        if height * width > WHOLE_LIMIT_PIXELS:
            raise InputError(
                f"the style {self.spec.name} must see the whole picture at once, and {width} x "
                f"{height} pixels are more than the {WHOLE_LIMIT_PIXELS / 1e6:.1f} megapixels that "
                "fit most machines; use the stroke auto, shrink it to a side of 2048 pixels, or "
                "insist with --tile none, in Python tile='none'"
            )
        return None


def check_photo(photo: Pixels) -> None:
    """Raise NotAPhotoError unless it is uint8 (H, W, 3) with at least one pixel."""
    if not (isinstance(photo, np.ndarray) and photo.dtype == np.uint8):
        found = f"an array of {photo.dtype}" if isinstance(photo, np.ndarray) else repr(photo)
        raise NotAPhotoError(f"photo is {found:.80}; it must be a numpy array of uint8")
    if photo.ndim != 3 or photo.shape[2] != 3 or photo.size == 0:
        raise NotAPhotoError(f"photo has the shape {photo.shape}; it must be (H, W, 3), not empty")


def working_size(size: tuple[int, int], stroke: Stroke) -> tuple[int, int]:
    """The (width, height) at which a photo of this (width, height) is painted, never larger.

    A style draws strokes of a few pixels. Painted with all its 12 megapixels, a photo that is then
    seen on a screen has strokes too fine to see; painted with one megapixel, it looks drawn.

    Args:
        size: of the photo.
        stroke: "auto": one megapixel (2^20), if the photo has more than one and a half; "bold": a
            quarter of that, for strokes twice as wide; "fine": the photo's own size; a number: the
            longer side, pixels.

    Raises:
        OptionError: stroke is none of these.
    """
    check_stroke(stroke)
    width, height = size
    if stroke == "fine":
        return size
    if not isinstance(stroke, str):
        return fit_within(size, stroke)
    area = _AREAS[stroke]
    if width * height <= _TOLERANCE * area:
        return size
    scale = math.sqrt(area / (width * height))
    return max(1, round(width * scale)), max(1, round(height * scale))


class StyleMixture(Stylizer):
    """Several styles, whose results are mixed pixel by pixel; used like a `Stylizer`.

    Args:
        parts: a style's name or file and its share; the shares add up to 1.
        device, threads, tile: as for `Stylizer`; a mixture is tiled if all its styles can be.

    Raises:
        OptionError: fewer than two parts, or shares that do not add up to 1.
        StyleError, DeviceError: as for `Stylizer`.
    """

    def __init__(
        self,
        parts: list[tuple[str, float]],
        *,
        device: Device = "auto",
        threads: int | None = None,
        tile: int | Literal["auto", "none"] = "auto",
    ) -> None:
        total = sum(share for _, share in parts)
        if len(parts) < 2 or any(share <= 0 for _, share in parts) or abs(total - 1) > 1e-3:
            shares = " + ".join(f"{share:g}" for _, share in parts)
            raise OptionError(
                f"the shares of a mixture are {shares} = {total:g}; there must be two or more, "
                "each above 0, and they must add up to 1"
            )
        self._parts = [
            (Stylizer(style, device=device, threads=threads, tile=tile), share)
            for style, share in parts
        ]
        self._tile = tile
        self.spec = _mixed_spec([(stylizer.spec, share) for stylizer, share in self._parts])
        self.style = Style(self.spec, self._parts[0][0].style.path, "file")
        self.device = self._parts[0][0].device
        self.threads = self._parts[0][0].threads

    @cached_property
    def weights(self) -> str:
        """12 hexadecimal digits of the styles' files and shares."""
        parts = "+".join(f"{stylizer.weights}:{share:g}" for stylizer, share in self._parts)
        return hashlib.sha256(parts.encode()).hexdigest()[:12]

    def for_calls(self, calls: int) -> StyleMixture:
        """The same mixture for so many calls at once, which share out its threads (on the CPU)."""
        shared = copy(self)
        shared._parts = [(stylizer.for_calls(calls), share) for stylizer, share in self._parts]
        shared.threads = shared._parts[0][0].threads
        return shared

    def _run(self, window: Pixels) -> Pixels:
        """Paint a window with each style, and mix."""
        mixed = np.zeros(window.shape, np.float32)
        for stylizer, share in self._parts:
            mixed += np.float32(share) * stylizer._run(window)
        return np.clip(np.rint(mixed), 0, 255).astype(np.uint8)


def open_stylizer(
    style: str | Path | Style,
    *,
    device: Device = "auto",
    threads: int | None = None,
    tile: int | Literal["auto", "none"] = "auto",
) -> Stylizer:
    """A `Stylizer` for a style, or a `StyleMixture` for text like "novel:0.6+storybook:0.4".

    Raises:
        OptionError, StyleError, DeviceError: as for the two classes.
    """
    parts = parse_mixture(style) if isinstance(style, str) else None
    if parts is None:
        return Stylizer(style, device=device, threads=threads, tile=tile)
    return StyleMixture(parts, device=device, threads=threads, tile=tile)


def parse_mixture(text: str) -> list[tuple[str, float]] | None:
    """The styles and shares in "novel:0.6+storybook:0.4"; None for anything else, as one style."""
    matches = [_PART.fullmatch(part) for part in text.split("+")]
    if any(match is None for match in matches):
        return None
    return [(match["style"], float(match["share"])) for match in matches if match]


def _mixed_spec(parts: list[tuple[StyleSpec, float]]) -> StyleSpec:
    """What holds for all styles of a mixture."""
    specs = [spec for spec, _ in parts]
    radii = [spec.receptive_radius for spec in specs]
    local = [radius for radius in radii if radius is not None]
    return StyleSpec(
        name="-".join(f"{spec.name}-{100 * share:.0f}" for spec, share in parts)[:64],
        version="+".join(spec.version for spec in specs),
        description=" and ".join(f"{100 * share:.0f} % {spec.name}" for spec, share in parts),
        size_multiple=math.lcm(*(spec.size_multiple for spec in specs)),
        minimum_side=max(spec.minimum_side for spec in specs),
        receptive_radius=max(local) if len(local) == len(radii) else None,
        **credits_of(specs),
        training={spec.name: f"{100 * share:.0f} %" for spec, share in parts},
    )
