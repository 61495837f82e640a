"""A frame -> anime; a frame that looks like the last painted one is not painted again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from sakuga.strokes import Stroke
from sakuga.video.frames import Pixels

_SAME_LEVELS = 2  # grey levels a pixel may differ, which is what encoding leaves in a still shot


class Paints(Protocol):
    """What a painter needs of a `sakuga.Stylizer`; any function of this kind will do."""

    def __call__(
        self,
        photo: Pixels,
        *,
        strength: float = 1.0,
        keep_colour: bool = False,
        stroke: Stroke = "auto",
    ) -> Pixels: ...


class Painter:
    """Paints the frames of one video in order."""

    def __init__(
        self, stylizer: Paints, strength: float, keep_colour: bool, stroke: Stroke
    ) -> None:
        self._paint: Callable[[Pixels], Pixels] = lambda photo: stylizer(
            photo, strength=strength, keep_colour=keep_colour, stroke=stroke
        )
        self._photo: Pixels | None = None  # the last photo that was painted
        self._anime: Pixels | None = None  # and what it became
        self.painted = 0  # frames for which the style was run

    def __call__(self, photo: Pixels) -> tuple[Pixels, bool]:
        """Return the anime (H, W, 3), and whether it is the last one again.

        The comparison is always with a frame that was painted, so slow changes add up and are seen.
        """
        if self._photo is not None and self._anime is not None and _same(self._photo, photo):
            return self._anime, True
        self._photo, self._anime = photo, self._paint(photo)
        self.painted += 1
        return self._anime, False

    def state(self) -> dict[str, NDArray[np.uint8]]:
        """What to store so that a painter made by `restore` goes on exactly as this one would."""
        if self._photo is None or self._anime is None:
            return {}
        return {"painter_photo": self._photo, "painter_anime": self._anime}

    def restore(self, state: dict[str, NDArray[np.uint8]]) -> None:
        """Take up the memory of another painter."""
        self._photo = state.get("painter_photo")
        self._anime = state.get("painter_anime")


def _same(before: Pixels, now: Pixels) -> bool:
    """True if no sample differs by more than `_SAME_LEVELS`; a few rows settle most cases."""
    if before.shape != now.shape:
        return False
    for rows in (slice(None, None, 16), slice(None)):
        larger, smaller = np.maximum(before[rows], now[rows]), np.minimum(before[rows], now[rows])
        if int((larger - smaller).max(initial=0)) > _SAME_LEVELS:
            return False
    return True
