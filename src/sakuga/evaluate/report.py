"""An evaluation as one HTML page that needs nothing else: table, plots and pictures."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from PIL import Image

from sakuga.evaluate import plots
from sakuga.evaluate.measure import Evaluation, Row
from sakuga.evaluate.statistics import BARS, Picture, fit

THUMBNAIL_PIXELS = 480
THUMBNAIL_QUALITY = 82
TEMPLATES = Path(__file__).parent


@dataclass(frozen=True)
class Column:
    """How a statistic is shown and which of two pictures is the better one by it."""

    title: str
    meaning: str
    cost: Callable[[float], float] = float  # lower is better


COLUMNS: dict[str, Column] = {
    "chroma_shift": Column(
        "chroma shift",
        "How far local colour moved from the photo's, in CIELAB units. 0 keeps the palette.",
    ),
    "saturation": Column(
        "saturation",
        "Mean chroma of the result over that of the photo. 1 is the photo's own.",
        lambda value: abs(math.log(max(value, 1e-3))),
    ),
    "texture": Column(
        "texture",
        "Gradient away from the photo's strong edges, over the photo's. Lower is flatter.",
    ),
    "edges": Column(
        "edges",
        "The same ratio on the strong edges themselves. 1 keeps every contour, above 1 inks them.",
        lambda value: -value,
    ),
    "edge_agreement": Column(
        "edge agreement",
        "Share of the strong edges that photo and result have at the same places, within 2 pixels.",
        lambda value: -value,
    ),
    "soft_shading": Column(
        "soft shading",
        "Share of the picture in middle gradients, as photos shade. A drawing has flat tones.",
    ),
    "concentration": Column(
        "concentration",
        "Share of all gradient in the strongest tenth of the pixels. Higher: crisper borders.",
        lambda value: -value,
    ),
    "flat": Column(
        "flat",
        "Share of the picture without gradient. Higher is flatter.",
        lambda value: -value,
    ),
    "ink": Column(
        "ink",
        "Share of the picture in dark lines narrower than 7 pixels.",
        lambda value: abs(value - sum(BARS["ink"]) / 2),
    ),
    "noise_gain": Column(
        "noise gain",
        "Share of faint noise in the photo that reaches the result. Lower is calmer.",
    ),
    "content": Column(
        "content",
        "Cosine of deep features of photo and result. 1: the network sees the same things in both.",
        lambda value: -value,
    ),
    "flicker": Column(
        "flicker",
        "Warp error of the painted clip over the clip's own. 1 flickers no more than the video.",
    ),
}

Pair = Callable[[int, int], tuple[Picture, Picture]]


def html_report(evaluation: Evaluation, pair: Pair, *, title: str = "How the styles do") -> str:
    """Write the page.

    Args:
        evaluation: what was measured.
        pair: gives (photo, result) for the number of a system's row and of a photo.
        title: the page's heading.
    """
    systems = [row for row in evaluation.rows if row.kind == "system"]
    shown = {
        name: column
        for name, column in COLUMNS.items()
        if any(name in row.numbers for row in systems)
    }
    return render(
        TEMPLATES / "report.html",
        title=title,
        evaluation=evaluation,
        shown=shown,
        bar_text=_bar_text,
        meets_bar=meets_bar,
        nan=math.nan,
        figures=_figures(evaluation, systems, shown),
        galleries=[
            (row.name, _gallery(row, number, evaluation, pair))
            for number, row in enumerate(systems)
        ],
    )


def render(template: Path, **values: Any) -> str:
    """Fill a template, which may extend page.html."""
    environment = Environment(
        loader=FileSystemLoader([template.parent, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )
    return environment.get_template(template.name).render(values)


def chosen_pictures(values: list[float], cost: Callable[[float], float]) -> dict[str, int]:
    """Numbers of the best, median and worst pictures by a statistic, undefined ones left out."""
    defined = [number for number, value in enumerate(values) if not math.isnan(value)]
    ranked = sorted(defined, key=lambda number: cost(values[number]))
    if not ranked:
        return {}
    return {"best": ranked[0], "median": ranked[len(ranked) // 2], "worst": ranked[-1]}


def meets_bar(name: str, value: float) -> bool | None:
    """True or False against the statistic's bar; None where it has none or is undefined."""
    if name not in BARS or math.isnan(value):
        return None
    low, high = BARS[name]
    return low <= value <= high


def _bar_text(name: str) -> str:
    if name not in BARS:
        return ""
    low, high = BARS[name]
    if math.isinf(high):
        return f"≥ {low:g}"
    return f"≤ {high:.3g}" if low == 0 else f"{low:g} to {high:g}"


def _figures(
    evaluation: Evaluation, systems: list[Row], shown: dict[str, Column]
) -> list[tuple[str, str]]:
    """What a plot shows, and its SVG."""
    coloured = [
        (row, plots.colour_of(systems.index(row)) if row in systems else plots.QUIET)
        for row in evaluation.rows
    ]
    name = f"{evaluation.score_name('KID')} x 1000"
    intervals = [
        plots.Interval(
            row.name, row.kid.value * 1000, row.kid.low * 1000, row.kid.high * 1000, colour
        )
        for row, colour in coloured
    ]
    figures = [(f"{name}, lower is closer to the drawings", plots.interval_plot(intervals, name))]
    for statistic, column in shown.items():
        if statistic == "flicker":  # one number a system: the table says it
            continue
        groups = [
            (row.name, [numbers.get(statistic, math.nan) for numbers in row.pictures], colour)
            for row, colour in coloured
            if row.kind == "system" or statistic in row.medians
        ]
        bar = BARS.get(statistic)
        told = f"{column.title}: a dot for each picture, a line at the median"
        told += ", the bar shaded" if bar else ""
        figures.append((told, plots.strip_plot(groups, column.title, bar)))
    return figures


Shown = tuple[str, float, str, str]  # a picture's rank, value, name, and the <img> of both


def _gallery(
    row: Row, number: int, evaluation: Evaluation, pair: Pair
) -> list[tuple[str, list[Shown]]]:
    """The best, median and worst pictures of each statistic of a system."""
    embedded: dict[int, str] = {}
    sections = []
    for name, column in COLUMNS.items():
        values = [numbers.get(name, math.nan) for numbers in row.pictures]
        pictures = []
        for rank, photo in chosen_pictures(values, column.cost).items():
            if photo not in embedded:
                embedded[photo] = "".join(map(embedded_image, pair(number, photo)))
            pictures.append((rank, values[photo], evaluation.photos[photo], embedded[photo]))
        if pictures:
            sections.append((column.title, pictures))
    return sections


def embedded_image(picture: Picture) -> str:
    """An <img> that holds the picture itself, shrunk."""
    content = io.BytesIO()
    small = Image.fromarray(np.ascontiguousarray(fit(picture, THUMBNAIL_PIXELS)))
    small.save(content, "WEBP", quality=THUMBNAIL_QUALITY)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img src="data:image/webp;base64,{data}" alt="" tabindex="0">'
