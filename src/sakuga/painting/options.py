"""What a user may ask of a painting. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Literal, get_args

from sakuga.errors import OptionError

OnShare = Callable[[float], None]  # told the share that is done, up to 1.0
NamedStroke = Literal["auto", "fine", "bold"]
Stroke = int | NamedStroke
STROKES: tuple[NamedStroke, ...] = get_args(NamedStroke)
SMALLEST_SIDE = 16  # pixels


@dataclass(frozen=True)
class PaintOptions:
    """How something is to be painted, beside the style; handed on whole to where it is painted.

    On the command line each is an option of `sakuga paint` and `sakuga batch`.

    Parameters
    ----------
    strength
        From 0, the photo, to 1, the style.
    keep_colour
        Keep the photo's colours; lines and lightness are the style's.
    max_side
        Shrink larger pictures to this many pixels first.
    stroke
        Weight of strokes in large photos: auto, fine, bold, or the longer side to paint at.
    """

    strength: float = 1.0
    keep_colour: bool = False
    max_side: int | None = None
    stroke: Stroke = "auto"

    def __post_init__(self) -> None:
        """Raise OptionError for a value out of its range."""
        check_strength(self.strength)
        check_stroke(self.stroke)
        if self.max_side is not None:
            check_whole("max-side", self.max_side, " pixels")
            object.__setattr__(self, "max_side", int(self.max_side))
        # Numbers of numpy become Python's own, which can be written down in the result's mark.
        object.__setattr__(self, "strength", float(self.strength))
        if not isinstance(self.stroke, str):
            object.__setattr__(self, "stroke", int(self.stroke))

    def unusual(self) -> dict[str, str | int | float | bool | None]:
        """Those that are not as usual, by name."""
        return {name: value for name, value in asdict(self).items() if value != USUAL[name]}


def part_of(progress: OnShare | None, begin: float, end: float) -> OnShare:
    """What a part of the work tells its own progress, if anybody wants to know."""

    def tell(share: float) -> None:
        if progress is not None:
            progress(begin + (end - begin) * share)

    return tell


def check_strength(strength: float) -> None:
    """Raise OptionError unless strength is a number from 0 to 1."""
    if not (isinstance(strength, Real) and 0 <= strength <= 1):
        raise OptionError(f"strength is {strength}; it must be from 0 (the photo) to 1 (the style)")


def check_stroke(stroke: Stroke) -> None:
    """Raise OptionError unless stroke is auto, fine, bold or a number of pixels."""
    if (isinstance(stroke, str) and stroke in STROKES) or (
        isinstance(stroke, Integral) and stroke >= SMALLEST_SIDE
    ):
        return
    raise OptionError(
        f"stroke is {stroke}; it must be auto, fine, bold, or the longer side to paint at, "
        f"{SMALLEST_SIDE} pixels or more"
    )


def check_whole(name: str, number: int, unit: str = "") -> None:
    """Raise OptionError unless it is a whole number from 1."""
    if not isinstance(number, Integral) or isinstance(number, bool):
        raise OptionError(f"{name} is {number!r}; it must be a whole number")
    if number < 1:
        raise OptionError(f"{name} is {number}{unit}; it must be 1 or more")


# What the options of painting are unless one is given.
USUAL: Mapping[str, str | int | float | bool | None] = asdict(PaintOptions())
