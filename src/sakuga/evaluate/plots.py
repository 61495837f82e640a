"""Plots as inline SVG: intervals, a dot for every picture, bars, and one number against another."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

WIDTH = 560  # SVG units; the page scales them
LEFT = 150  # room for names
RIGHT = 24
ROW = 30  # height of one row
COLOURS = ("#c2417c", "#2f6fb5", "#2d8659", "#b06a1c", "#7a4fb0", "#4b5563")
QUIET = "#8a8f98"  # baseline, floor and axes


@dataclass(frozen=True)
class Interval:
    """One row of `interval_plot`."""

    name: str
    value: float
    low: float
    high: float
    colour: str


def colour_of(number: int) -> str:
    """The colour of the n-th system, the same in every plot."""
    return COLOURS[number % len(COLOURS)]


def interval_plot(rows: Sequence[Interval], title: str) -> str:
    """A dot for each row with a line over its interval, from zero on."""
    low = min(0.0, *(row.low for row in rows))
    high = max(row.high for row in rows)
    scale = _Scale(low, high if high > low else low + 1)
    parts = []
    for number, row in enumerate(rows):
        y = ROW * number + ROW / 2
        parts.append(_name(row.name, y))
        parts.append(
            f'<line x1="{scale(row.low):.1f}" x2="{scale(row.high):.1f}" y1="{y}" y2="{y}" '
            f'stroke="{row.colour}" stroke-width="6" stroke-linecap="round" opacity=".35"/>'
        )
        parts.append(
            f'<circle cx="{scale(row.value):.1f}" cy="{y}" r="5" fill="{row.colour}">'
            f"<title>{escape(row.name)}: {row.value:.4g} ({row.low:.4g} to {row.high:.4g})</title>"
            "</circle>"
        )
    return _plot(parts, scale, len(rows), title)


def strip_plot(
    groups: Sequence[tuple[str, Sequence[float], str]],
    title: str,
    bar: tuple[float, float] | None = None,
) -> str:
    """A dot for each picture and a line at the median, a row for each group.

    Args:
        groups: (name, values, colour); undefined values (NaN) are left out.
        title: read out to people who do not see the plot.
        bar: (lowest, highest) of where the median should be, shaded.
    """
    defined = [(name, [v for v in values if not math.isnan(v)], c) for name, values, c in groups]
    every = [value for _, values, _ in defined for value in values]
    edges = [edge for edge in bar or () if math.isfinite(edge)]
    low, high = min(every + edges, default=0.0), max(every + edges, default=1.0)
    scale = _Scale(low, high if high > low else low + 1)
    parts = []
    if bar is not None:
        start, end = scale(max(bar[0], low)), scale(min(bar[1], high))
        parts.append(
            f'<rect x="{start:.1f}" width="{end - start:.1f}" y="0" height="{ROW * len(groups)}" '
            'fill="#2d8659" opacity=".12"/>'
        )
    random = np.random.default_rng(0)
    for number, (name, values, colour) in enumerate(defined):
        middle = ROW * number + ROW / 2
        parts.append(_name(name, middle))
        for value in values:
            y = middle + random.uniform(-0.3, 0.3) * ROW
            parts.append(
                f'<circle cx="{scale(value):.1f}" cy="{y:.1f}" r="2.2" fill="{colour}" '
                'opacity=".45"/>'
            )
        if values:
            x = scale(float(np.median(values)))
            parts.append(
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{middle - 12}" y2="{middle + 12}" '
                f'stroke="{colour}" stroke-width="3"/>'
            )
    return _plot(parts, scale, len(groups), title)


def bar_plot(rows: Sequence[tuple[str, float]], title: str) -> str:
    """A bar from zero for each (name, value)."""
    scale = _Scale(0.0, max((value for _, value in rows), default=0.0) or 1.0)
    parts = []
    for number, (name, value) in enumerate(rows):
        y = ROW * number + ROW / 2
        parts.append(_name(name, y))
        parts.append(
            f'<rect x="{LEFT}" width="{scale(value) - LEFT:.1f}" y="{y - 8}" height="16" rx="2" '
            f'fill="{COLOURS[0]}" opacity=".75"><title>{escape(name)}: {value:.3g}</title></rect>'
        )
    return _plot(parts, scale, len(rows), title)


def scatter_plot(points: Sequence[tuple[float, float, str]], title: str) -> str:
    """A dot for each (x, y, what it is), with y upwards; both axes take what range there is."""
    across = _Scale.of([x for x, _, _ in points])
    up = _Scale.of([y for _, y, _ in points])
    height = 6 * ROW
    parts = []
    for tick in up.ticks:
        y = height * (1 - up.share(tick))
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="{QUIET}" '
            f'stroke-width=".5" opacity=".5"/><text x="{LEFT - 8}" y="{y + 4:.1f}" '
            f'text-anchor="end" class="tick">{tick:g}</text>'
        )
    for x, y, what in points:
        parts.append(
            f'<circle cx="{across(x):.1f}" cy="{height * (1 - up.share(y)):.1f}" r="4" '
            f'fill="{COLOURS[0]}" opacity=".6"><title>{escape(what)}</title></circle>'
        )
    return _plot(parts, across, 6, title)


class _Scale:
    """Values to places along the plot."""

    def __init__(self, low: float, high: float) -> None:
        step = _step(high - low)
        self.ticks = [
            step * number for number in range(math.floor(low / step), math.ceil(high / step) + 1)
        ]
        self.low, self.high = self.ticks[0], self.ticks[-1]

    @classmethod
    def of(cls, values: Sequence[float]) -> _Scale:
        """A scale over the values, of some width even if they are all one."""
        low, high = min(values), max(values)
        return cls(low, high if high > low else low + (abs(low) or 1.0))

    def share(self, value: float) -> float:
        """How far along the scale a value lies, 0 to 1."""
        return (value - self.low) / (self.high - self.low)

    def __call__(self, value: float) -> float:
        return LEFT + self.share(value) * (WIDTH - LEFT - RIGHT)


def _step(span: float) -> float:
    """A round distance between about five ticks."""
    rough = span / 5
    power = 10 ** math.floor(math.log10(rough))
    return float(next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough))


def _name(name: str, y: float) -> str:
    return f'<text x="{LEFT - 14}" y="{y + 4}" text-anchor="end" class="name">{escape(name)}</text>'


def _plot(parts: Sequence[str], scale: _Scale, rows: int, title: str) -> str:
    bottom = ROW * rows
    axis = []
    for tick in scale.ticks:
        x = scale(tick)
        axis.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{bottom}" stroke="{QUIET}" '
            'stroke-width=".5" opacity=".5"/>'
            f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle" class="tick">{tick:g}</text>'
        )
    return (
        f'<svg viewBox="0 0 {WIDTH} {bottom + 24}" role="img" aria-label="{escape(title)}">'
        + "".join((*axis, *parts))
        + "</svg>"
    )
