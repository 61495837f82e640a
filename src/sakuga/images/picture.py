"""A picture in memory, apart from any file: frames, sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sakuga.images.colour import Pixels


@dataclass(frozen=True)
class Frame:
    """One picture of a still or an animation."""

    colour: Pixels  # (H, W, 3) sRGB, upright
    alpha: Pixels | None = None  # (H, W); None: opaque
    duration_ms: int = 0  # how long an animation shows it

    @property
    def size(self) -> tuple[int, int]:
        """Width and height, pixels."""
        return int(self.colour.shape[1]), int(self.colour.shape[0])

    def on_white(self) -> Pixels:
        """The colours, with what is transparent laid on white: (H, W, 3)."""
        if self.alpha is None:
            return self.colour
        share = self.alpha[..., None].astype(np.float32) / 255
        return np.rint(self.colour * share + 255 * (1 - share)).astype(np.uint8)


@dataclass(frozen=True)
class Picture:
    """What a picture file holds, ready to paint."""

    frames: tuple[Frame, ...]  # at least one, all of one size
    file_format: str | None = None  # Pillow's name of the format it was read from: "JPEG", "PNG"
    plays: int = 0  # how often an animation plays; 0: for ever
    exif: bytes | None = None  # with the orientation already applied and set to 1
    turned: bool = False  # the file stores it otherwise than upright


def fit_within(size: tuple[int, int], max_side: int | None) -> tuple[int, int]:
    """Scale (width, height) down, never up, so that the longer side is at most `max_side`."""
    width, height = size
    if max_side is None or max(size) <= max_side:
        return size
    scale = max_side / max(size)
    return max(1, round(width * scale)), max(1, round(height * scale))


def shrink_within(pixels: Pixels, max_side: int) -> Pixels:
    """A picture (H, W, 3) whose longer side is at most `max_side`."""
    frame = Frame(pixels)
    return shrink(frame, fit_within(frame.size, max_side)).colour


def shrink(frame: Frame, size: tuple[int, int]) -> Frame:
    """Resize a frame down to (width, height); one that is smaller is left alone."""
    if size[0] >= frame.size[0] and size[1] >= frame.size[1]:
        return frame

    def resize(pixels: Pixels) -> Pixels:
        return np.array(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS))

    alpha = None if frame.alpha is None else resize(frame.alpha)
    return Frame(resize(frame.colour), alpha, frame.duration_ms)
