"""Several styles at once: "novel:0.6+storybook:0.4" paints with each and mixes the results."""

from __future__ import annotations

import hashlib
import math
import re
from copy import copy
from functools import cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from sakuga.errors import OptionError
from sakuga.images.colour import Pixels
from sakuga.painting.stylizer import Stylizer
from sakuga.styles import Style, StyleSpec
from sakuga.styles.session import Device

_PART = re.compile(r"(?P<style>.+):(?P<share>\d*\.?\d+)")


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
    credits = [line for spec in specs for line in spec.attribution]
    return StyleSpec(
        name="-".join(f"{spec.name}-{100 * share:.0f}" for spec, share in parts)[:64],
        version="+".join(spec.version for spec in specs),
        description=" and ".join(f"{100 * share:.0f} % {spec.name}" for spec, share in parts),
        size_multiple=math.lcm(*(spec.size_multiple for spec in specs)),
        minimum_side=max(spec.minimum_side for spec in specs),
        receptive_radius=max(local) if len(local) == len(radii) else None,
        licence=" AND ".join(dict.fromkeys(spec.licence or "LicenseRef-unknown" for spec in specs)),
        attribution=tuple(dict.fromkeys(credits)),
        training={spec.name: f"{100 * share:.0f} %" for spec, share in parts},
    )
