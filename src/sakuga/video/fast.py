"""`--fast`: frames painted at half the size, and only where they changed; then redrawn in full."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from sakuga.errors import OptionError
from sakuga.images.picture import Frame, shrink
from sakuga.painting.blending import CHROMA_RADIUS, blend
from sakuga.painting.options import PaintOptions
from sakuga.painting.stylizer import working_size
from sakuga.painting.upscale import redraw
from sakuga.styles import StyleSpec
from sakuga.video.deflicker import BLOCK, block_means
from sakuga.video.frames import Pixels
from sakuga.video.painter import Painter, Painting, Paints

Area = tuple[slice, slice]  # rows and columns

_CHANGED_LEVELS = 3  # root mean square within a block: more than what encoding leaves of noise
# How far a change is followed, as a share of the style's receptive radius. Beyond it the styles in
# the box move almost no pixel by more than 4 grey levels.
_FOLLOWED = 1 / 3
_WORTH_SHARE = 0.7  # of the picture; a larger window is hardly less work than the whole


@dataclass(frozen=True)
class _Patch:
    """A part of a sketch to paint again, and what the style is to see for it."""

    area: Area
    window: Area


class FastPainter(Painter):
    """Paints the frames of one video as sketches of half the sides that `stroke="auto"` takes.

    A sketch is that of the frame before, painted again around what changed since; all of it for a
    style that must see the whole picture. Changes are looked for in the photo that each part of the
    sketch was painted from, so slow ones add up and are seen.
    """

    def __init__(self, stylizer: Paints, options: PaintOptions) -> None:
        if options.stroke != "auto":
            raise OptionError(
                f"--fast decides the stroke itself, and --stroke is {options.stroke}; leave one out"
            )
        super().__init__(stylizer, options)
        spec: StyleSpec | None = getattr(stylizer, "spec", None)
        self._grid = spec.size_multiple if spec else 1
        radius = spec.receptive_radius if spec else None
        beyond = CHROMA_RADIUS if options.keep_colour else 0
        self._reach = None if radius is None else round(_FOLLOWED * radius) + beyond

    def __call__(self, photo: Pixels) -> Painting:
        """Begin to paint the next frame, unless nothing of it changed."""
        width, height = working_size((photo.shape[1], photo.shape[0]), "auto")
        half = (max(1, width // 2), max(1, height // 2))
        small, before, patch = shrink(Frame(photo), half).colour, self._last, None
        if before is not None and before.photo.shape == small.shape:
            changed = changed_area(before.photo, small)
            if changed is None:
                return replace(before, repeated=True)
            patch = self._patch_for(changed, small)
        shown = small
        if patch is not None and before is not None:
            shown = before.photo.copy()
            shown[patch.area] = small[patch.area]
        sketch: Future[Pixels] = Future()
        anime = self._threads.submit(self._draw, photo, small, patch, before, sketch)
        self._last = Painting(shown, anime, repeated=False, sketch=sketch)
        self.painted += 1
        return self._last

    def _patch_for(self, changed: Area, small: Pixels) -> _Patch | None:
        """What to paint again around a change, None for the whole."""
        if self._reach is None:
            return None
        area = _wider(changed, self._reach, small, 1)
        window = _wider(area, self._reach, small, self._grid)
        worth = small[window].size <= _WORTH_SHARE * small.size
        return _Patch(area, window) if worth else None

    def _draw(
        self,
        photo: Pixels,
        small: Pixels,
        patch: _Patch | None,
        before: Painting | None,
        sketch: Future[Pixels],
    ) -> Pixels:
        """Paint the sketch, for which the next frame may wait, and bring it to full size."""
        try:
            sketch.set_result(self._sketch(small, patch, before))
        except BaseException as error:
            sketch.set_exception(error)
            raise
        anime = redraw(sketch.result(), (photo.shape[1], photo.shape[0]))
        blend(photo, anime, strength=self._options.strength, keep_colour=False)
        return anime

    def _sketch(self, small: Pixels, patch: _Patch | None, before: Painting | None) -> Pixels:
        window = small if patch is None else small[patch.window]
        keep_colour = self._options.keep_colour
        painted = self._stylizer(window, keep_colour=keep_colour, stroke="fine")
        if patch is None or before is None or before.sketch is None:
            return painted
        sketch = before.sketch.result().copy()
        rows, columns = (
            slice(inner.start - outer.start, inner.stop - outer.start)
            for inner, outer in zip(patch.area, patch.window, strict=True)
        )
        sketch[patch.area] = painted[rows, columns]
        return sketch


def changed_area(before: Pixels, now: Pixels) -> Area | None:
    """The rectangle around all blocks of (h, w, 3) that changed; None if none did."""
    squares = np.square(now.astype(np.float32) - before).mean(axis=2)
    changed = block_means(squares) > _CHANGED_LEVELS**2
    if not changed.any():
        return None
    rows, columns = (np.flatnonzero(changed.any(axis=axis)) * BLOCK for axis in (1, 0))
    return slice(rows[0], rows[-1] + BLOCK), slice(columns[0], columns[-1] + BLOCK)


def _wider(area: Area, by: int, picture: Pixels, grid: int) -> Area:
    """So many pixels more on each side, to a grid, within the picture."""
    rows, columns = (
        slice(
            max(0, (side.start - by) // grid * grid),
            min(extent, -(-(side.stop + by) // grid) * grid),
        )
        for side, extent in zip(area, picture.shape, strict=False)
    )
    return rows, columns
