"""What can be chosen about the painter, and what each choice does to the picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sakuga.errors import OptionError, suggestion
from sakuga.options import parse_overrides, read_recipe

PAINTER_VERSION = 4  # of what is painted with the same settings; stored pairs remember it

_SHARES = (
    "detail",
    "flatness",
    "gradient",
    "skin",
    "face_detail",
    "ink",
    "crowding",
    "line_tone",
    "dodge",
)
_POSITIVE = (
    "brush",
    "texture_brush",
    "flow",
    "gamma",
    "wash",
    "line_width",
    "line_flow",
    "line_slope",
)
_NOT_NEGATIVE = ("merge", "shade", "vividness", "line_level", "line_length", "bins", "contrast")


@dataclass(frozen=True)
class CelSettings:
    """How the painter paints; lengths are pixels of a picture of about 500 pixels."""

    # --- brush
    brush: float = 1.8  # pixels, radius of the Kuwahara filter: larger strokes of colour
    texture_brush: float = 2.4  # the same in foliage; on fur and gravel it grows 3/5 of that way
    detail: float = 0.9  # 0 to 1, how much of fine detail that stands out (eyes, letters) stays
    flow: float = 3.0  # pixels, sigma of the smoothing along edges: calmer contours

    # --- tones
    merge: float = 6.0  # CIELAB units; neighbouring regions nearer than this become one tone
    shade: float = 20.0  # CIELAB lightness; soft shading falls in steps of this: 0, as regions do
    flatness: float = 1.0  # 0 to 1, how much of the region's one tone replaces soft shading
    gradient: float = 1.0  # 0 to 1, how much of wide, soft gradients (skies, walls) stays
    bins: int = 0  # lightnesses of the whole picture, spread evenly; 0: as many as it has

    # --- skin, where a face was found
    skin: float = 0.7  # 0 to 1, how much skin is laid out in two tones
    face_detail: float = 0.9  # 0 to 1, how much of eyes, lips and teeth stays as the photo has it

    # --- colour
    vividness: float = 1.3  # factor on a and b
    dodge: float = 0.0  # 0 to 1, how much wide light and dark are evened out
    gamma: float = 0.88  # exponent on the colours; below 1 brightens
    contrast: float = 0.0  # steepness of an S-curve on lightness: darks to black, lights to paper
    wash: float = 1.0  # above 1, thinner paint: light tones become paper, dark ones stay
    paper: tuple[float, ...] = (1.0, 1.0, 1.0)  # RGB in [0, 1] that white becomes
    black: tuple[float, ...] = (0.0, 0.0, 0.0)  # RGB in [0, 1] that black becomes

    # --- strokes
    ink: float = 0.9  # 0 to 1, how dark they are
    line_width: float = 1.0  # pixels, sigma of the narrower Gaussian
    line_level: float = (
        0.4  # of L; a dip deeper than this is a stroke: lower finds more, which crowd
    )
    line_slope: float = 2.5  # how suddenly a dip becomes a stroke
    line_flow: float = 4.0  # pixels, sigma along the stroke: longer, calmer strokes
    line_length: float = 22.0  # pixels; shorter strokes that stand alone are dropped
    crowding: float = 0.95  # 0 to 1, how much strokes thin out where they crowd
    line_colour: tuple[float, ...] = (0.0, 0.0, 0.0)  # RGB in [0, 1] that full ink is mixed towards
    line_tone: float = 0.3  # 0 (pure line_colour) to 1 (the darkened local colour)

    def __post_init__(self) -> None:
        """Check the ranges. Raises OptionError."""
        for name in _SHARES:
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise OptionError(f"{name} {value}: between 0 and 1")
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise OptionError(f"{name} {getattr(self, name)}: above 0")
        for name in _NOT_NEGATIVE:
            if getattr(self, name) < 0:
                raise OptionError(f"{name} {getattr(self, name)}: not negative")
        for name in ("paper", "black", "line_colour"):
            colour = getattr(self, name)
            if len(colour) != 3 or not all(0 <= value <= 1 for value in colour):
                raise OptionError(f"{name} {colour}: three values between 0 and 1")


def load_settings(path: str | Path | None, overrides: Sequence[str] = ()) -> CelSettings:
    """Read the table [cel] of a TOML file or a recipe, then `key=value` overrides.

    Raises:
        OptionError: no such file, not TOML, no such table, an unknown setting, a wrong value.
    """
    values: dict[str, Any] = {}
    if path is not None:
        values = read_recipe(path).get("cel", {})
        if not isinstance(values, dict):
            raise OptionError(f"{path}: cel is not a table: write  [cel]  above the settings")
    return settings_from({**values, **parse_overrides(overrides)})


def settings_from(values: dict[str, Any]) -> CelSettings:
    """Make settings from plain values, as a TOML file gives them. Raises OptionError."""
    known: dict[str, Any] = dataclasses.asdict(CelSettings())
    checked: dict[str, Any] = {}
    for name, value in values.items():
        if name not in known:
            raise OptionError(f"unknown setting of the painter {name!r}{suggestion(name, known)}")
        default: Any = known[name]
        kind: Any = list | tuple if isinstance(default, tuple) else int | float
        if not isinstance(value, kind) or isinstance(value, bool):
            wanted = "three numbers" if isinstance(default, tuple) else "a number"
            raise OptionError(f"{name} = {value!r}: {wanted} was expected")
        checked[name] = tuple(value) if isinstance(default, tuple) else type(default)(value)
    return CelSettings(**checked)
