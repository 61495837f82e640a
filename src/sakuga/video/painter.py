"""A frame -> anime; a frame that looks like the last painted one is not painted again."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sakuga.painting.options import PaintOptions, Stroke
from sakuga.video.frames import Pixels

_AT_ONCE = 2  # frames; each takes the memory of a painting
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


@runtime_checkable
class SharesThreads(Paints, Protocol):
    """What can paint several frames at once, as a `sakuga.Stylizer` can."""

    threads: int

    def for_calls(self, calls: int) -> Paints: ...


@runtime_checkable
class HasWeights(Paints, Protocol):
    """What can tell whether it is still the same, as a `sakuga.Stylizer` can."""

    @property
    def weights(self) -> str: ...


@dataclass(frozen=True)
class Painting:
    """A frame that is being painted."""

    photo: Pixels  # (H, W, 3), what is painted: the frame, or an earlier one that it looks like
    anime: Future[Pixels]  # (H, W, 3)
    repeated: bool  # the anime is that of the frame before
    sketch: Future[Pixels] | None = None  # what became of `photo`, where `anime` is larger

    def state(self) -> dict[str, NDArray[np.uint8]]:
        """What to store so that a painter made by `restore` goes on as after this frame."""
        state = {"painter_photo": self.photo, "painter_anime": self.anime.result()}
        return state if self.sketch is None else state | {"painter_sketch": self.sketch.result()}


class Painter:
    """Paints the frames of one video, several at once where the style can share out its threads.

    The threads of one call wait for each other again and again: two calls, each on half of them,
    paint two frames in less time than one call on all of them takes for both.
    """

    def __init__(self, stylizer: Paints, options: PaintOptions) -> None:
        self.at_once = 1  # frames
        if isinstance(stylizer, SharesThreads):
            self.at_once = min(_AT_ONCE, stylizer.threads)
            stylizer = stylizer.for_calls(self.at_once)
        self._stylizer = stylizer
        self._options = options
        self._threads = ThreadPoolExecutor(self.at_once, "paint")
        self._last: Painting | None = None
        self.painted = 0  # frames for which the style was run

    def __call__(self, photo: Pixels) -> Painting:
        """Begin to paint the next frame, unless it looks like the last that was painted.

        The comparison is always with a frame that was painted, so slow changes add up and are seen.
        """
        if self._last is not None and _same(self._last.photo, photo):
            return replace(self._last, repeated=True)
        self._last = Painting(photo, self._begin(photo), repeated=False)
        self.painted += 1
        return self._last

    def _begin(self, photo: Pixels) -> Future[Pixels]:
        return self._threads.submit(paint_frame, self._stylizer, photo, self._options)

    def restore(self, state: dict[str, NDArray[np.uint8]]) -> None:
        """Take up the memory of another painter."""
        if "painter_photo" in state:
            anime, sketch = _known(state["painter_anime"]), None
            if "painter_sketch" in state:
                sketch = _known(state["painter_sketch"])
            self._last = Painting(state["painter_photo"], anime, repeated=False, sketch=sketch)

    def close(self) -> None:
        """Wait for what is being painted; frames that were not begun are given up."""
        self._threads.shutdown(cancel_futures=True)


def paint_frame(stylizer: Paints, photo: Pixels, options: PaintOptions) -> Pixels:
    """Paint a frame, uint8 (H, W, 3), that has its size already."""
    return stylizer(
        photo,
        strength=options.strength,
        keep_colour=options.keep_colour,
        stroke=options.stroke,
    )


def _known(picture: Pixels) -> Future[Pixels]:
    future: Future[Pixels] = Future()
    future.set_result(picture)
    return future


def _same(before: Pixels, now: Pixels) -> bool:
    """True if no sample differs by more than `_SAME_LEVELS`; a few rows settle most cases."""
    if before.shape != now.shape:
        return False
    for rows in (slice(None, None, 16), slice(None)):
        larger, smaller = np.maximum(before[rows], now[rows]), np.minimum(before[rows], now[rows])
        if int((larger - smaller).max(initial=0)) > _SAME_LEVELS:
            return False
    return True
