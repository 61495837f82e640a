"""The painter's settings as sliders in words, and what was chosen as a recipe to train with.

`sakuga design` and the page Design show these sliders; nothing here paints.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sakuga.cel.settings import CelSettings, load_settings
from sakuga.errors import OptionError, suggestion
from sakuga.styles.spec import NAME_PATTERN

PRESETS = ("novel", "storybook", "manga")  # recipes of the package, each with a table [cel]
DRAWN = "drawings"  # the start of that name, where drawings were measured
PREVIEW_SIDE = 512  # pixels; the lengths of the settings are meant for pictures of about this size
SHORTEST_SIDE = 64  # pixels, of a preview: there is nothing to draw in less
TONES = (0, 8, 6, 5, 4, 3, 2)  # what `bins` can be set to; 0: as many as the photo has
_HEX = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True)
class Slider:
    """One setting of the painter, in words. To the right is always more of what the label says."""

    setting: str  # of CelSettings
    label: str
    left: float  # its value at the left end, which may be the larger one
    right: float
    ends: tuple[str, str]  # what the picture is at both

    @property
    def low(self) -> float:
        """The smallest value."""
        return min(self.left, self.right)

    @property
    def high(self) -> float:
        """The largest value."""
        return max(self.left, self.right)


SLIDERS = (
    Slider("line_width", "Line weight", 0.5, 2.5, ("fine", "bold")),
    Slider("ink", "Ink", 0.0, 1.0, ("no lines", "dark")),
    Slider("crowding", "Number of lines", 1.0, 0.0, ("few", "many")),
    Slider("line_tone", "Coloured lines", 0.0, 1.0, ("one colour", "of what they part")),
    Slider("merge", "Size of flat areas", 1.0, 20.0, ("small", "large")),
    Slider("shade", "Steps of shading", 0.0, 40.0, ("none", "large")),
    Slider("flatness", "Flatness", 0.0, 1.0, ("soft shading", "flat")),
    Slider("gradient", "Soft skies", 0.0, 1.0, ("flat", "soft")),
    Slider("brush", "Brush", 0.5, 6.0, ("fine", "broad")),
    Slider("texture_brush", "Brush on leaves and fur", 1.0, 12.0, ("fine", "broad")),
    Slider("detail", "Fine detail", 0.0, 1.0, ("left out", "kept")),
    Slider("skin", "Skin in two tones", 0.0, 1.0, ("soft", "two tones")),
    Slider("face_detail", "Eyes and mouths", 0.0, 1.0, ("painted over", "as in the photo")),
    Slider("vividness", "Vividness", 0.0, 2.5, ("grey", "vivid")),
    Slider("gamma", "Brightness", 1.6, 0.4, ("dark", "bright")),
    Slider("contrast", "Contrast", 0.0, 6.0, ("as it is", "black and white")),
    Slider("wash", "Thin paint", 1.0, 4.0, ("opaque", "mostly paper")),
)
COLOURS = {"line_colour": "Lines", "paper": "Paper", "black": "Darkest tone"}


@dataclass(frozen=True)
class Drawn:
    """A start that was measured on somebody's drawings (`cel.drawings`)."""

    source: Path  # folder or tar file of the drawings
    settings: CelSettings
    told: str  # what was measured and chosen, in lines


def preset(name: str) -> CelSettings:
    """The painter's settings of one of the `PRESETS`. Raises OptionError: there is none such."""
    if name not in PRESETS:
        raise OptionError(f"preset {name[:40]!r} is unknown: there are {', '.join(PRESETS)}")
    return load_settings(name)


def read_choice(
    values: Iterable[tuple[str, str]], drawn: Drawn | None = None
) -> tuple[str, CelSettings]:
    """Read what sliders were set to, as texts: preset, and the settings that differ from it.

    Only what the sliders can say is taken, so that nobody sets a server a task without an end.

    Args:
        drawn: what the preset "drawings" is, if there is one.

    Raises:
        OptionError: an unknown name, one given twice, a value out of the slider's range.
    """
    known = {slider.setting: slider for slider in SLIDERS}
    names = ("preset", *known, *COLOURS, "bins")
    given: dict[str, str] = {}
    for name, text in values:
        if name not in names:
            raise OptionError(f"unknown setting {name[:40]!r}{suggestion(name, names)}")
        if name in given:
            raise OptionError(f"{name} is given twice; give it once")
        given[name] = text
    chosen = given.pop("preset", PRESETS[0])
    start = drawn.settings if drawn and chosen == DRAWN else preset(chosen)
    changes: dict[str, Any] = {}
    for name, text in given.items():
        if name in COLOURS:
            if not _HEX.fullmatch(text):
                raise OptionError(f"{name} {text[:40]!r}: a colour such as #4d2b1a")
            if text != to_hex(getattr(start, name)):  # its own, unrounded, stays
                changes[name] = tuple(round(v / 255, 3) for v in bytes.fromhex(text[1:]))
        elif name == "bins":
            if text not in map(str, TONES):
                raise OptionError(f"bins {text[:40]!r}: one of {', '.join(map(str, TONES))}")
            changes[name] = int(text)
        else:
            changes[name] = _number(text, known[name])
    return chosen, replace(start, **changes)


def _number(text: str, slider: Slider) -> float:
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not slider.low <= value <= slider.high:
        raise OptionError(
            f"{slider.setting} {text[:40]!r}: a number from {slider.low:g} to {slider.high:g}"
        )
    return round(value, 4)


def to_hex(colour: Iterable[float]) -> str:
    """RGB in [0, 1] as a page writes it: #4d2b1a."""
    return "#" + "".join(f"{round(255 * value):02x}" for value in colour)


def shown(settings: CelSettings) -> dict[str, float | str]:
    """What the sliders stand at: numbers, and colours as #rrggbb."""
    values: dict[str, float | str] = {s.setting: getattr(settings, s.setting) for s in SLIDERS}
    values["bins"] = settings.bins
    return values | {name: to_hex(getattr(settings, name)) for name in COLOURS}


def to_recipe(
    start: str,
    settings: CelSettings,
    *,
    name: str,
    description: str = "",
    licence: str = "",
    attribution: str = "",
    drawn: Drawn | None = None,
) -> str:
    """Write a recipe that `prepare cel --config` and `train` read, as TOML.

    Args:
        start: the preset it begins with; only what differs from it is written.
        name: of the style.
        description, licence, attribution: its own; empty: none are claimed.
        drawn: what the start "drawings" is; a training then learns from these drawings, too.

    Raises:
        OptionError: not a style's name.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise OptionError(
            f"name {name[:80]!r}: lower-case letters, digits, '-' and '_', at most 64"
        )
    learned: list[str] = []
    if drawn and start == DRAWN:
        start = PRESETS[0]
        learned = [
            *(f"# {line}".rstrip() for line in drawn.told.splitlines()),
            *_table({"anime": [str(drawn.source)], "texture_weight": 0.1}),
        ]
    before = asdict(preset(start))
    differs = {key: value for key, value in asdict(settings).items() if value != before[key]}
    lines = [
        f"# {name}: designed by  sakuga design",
        f"#   sakuga prepare cel PHOTOS pairs --config {name}.toml",
        f"#   sakuga train {name}.toml --set pairs=pairs --minutes 60",
        *_table({"recipe": start, "name": name, "description": description}),
        *_table({"licence": licence, "attribution": [attribution] if attribution else []}),
        "chroma_limit = 120.0  # its colours were chosen: no shift of them is a fault",
        *learned,
    ]
    if differs:
        lines += ["", "[cel]", *_table(differs)]
    return "\n".join(lines) + "\n"


def _table(values: Mapping[str, Any]) -> list[str]:
    # JSON's strings, numbers and lists are TOML's, but for one character.
    return [
        f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
        for key, value in values.items()
    ]
