"""An evaluation as one HTML page that needs nothing else: table, plots and pictures."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from PIL import Image

from sakuga.evaluate import plots
from sakuga.evaluate.measure import Evaluation, Row
from sakuga.evaluate.statistics import BARS, Picture, fit

THUMBNAIL_PIXELS = 480
THUMBNAIL_QUALITY = 82
STYLE_SHEET = Path(__file__).with_name("report.css")


@dataclass(frozen=True)
class Column:
    """How a statistic is shown and which of two pictures is the better one by it."""

    title: str
    meaning: str
    cost: Callable[[float], float]  # lower is better


COLUMNS: dict[str, Column] = {
    "chroma_shift": Column(
        "chroma shift",
        "How far local colour moved from the photo's, in CIELAB units. 0 keeps the palette.",
        lambda value: value,
    ),
    "saturation": Column(
        "saturation",
        "Mean chroma of the result over that of the photo. 1 is the photo's own.",
        lambda value: abs(math.log(max(value, 1e-3))),
    ),
    "texture": Column(
        "texture",
        "Gradient away from the photo's strong edges, over the photo's. Lower is flatter.",
        lambda value: value,
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
        lambda value: value,
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
        lambda value: value,
    ),
    "content": Column(
        "content",
        "Cosine of deep features of photo and result. 1: the network sees the same things in both.",
        lambda value: -value,
    ),
    "flicker": Column(
        "flicker",
        "Warp error of the painted clip over the clip's own. 1 flickers no more than the video.",
        lambda value: value,
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
    shown = [name for name in COLUMNS if any(name in row.numbers for row in systems)]
    body = [
        f"<h1>{escape(title)}</h1>",
        f"<p class=lead>{len(evaluation.photos)} photos, {evaluation.total_drawings} reference "
        f"drawings ({escape(evaluation.selection)}); photos painted with the long side at most "
        f"{evaluation.max_side} pixels. Medians over the pictures; "
        "<span class=good>green</span> meets the bar for a style worth shipping.</p>",
        _table(evaluation, shown),
        _similarity(evaluation),
        _plots(evaluation, systems, shown),
        *(_gallery(row, number, evaluation, pair) for number, row in enumerate(systems)),
        f"<footer>{escape(evaluation.score_name('KID'))} and {escape(evaluation.score_name('FID'))}"
        f" are seen through the network file of SHA-256 <code>{evaluation.network_sha256}</code>."
        " Scores through other networks, views or photos cannot be compared with these.</footer>",
    ]
    return html_page(title, body)


def html_page(title: str, body: Sequence[str]) -> str:
    """A whole page around its parts; the style sheet is inside."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE_SHEET.read_text()}</style></head><body>"
        + "\n".join(body)
        + "</body></html>\n"
    )


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


def _table(evaluation: Evaluation, shown: list[str]) -> str:
    heads = [
        f"<th>{escape(evaluation.score_name('KID'))} &times; 1000<small>95 % interval</small></th>",
        f"<th>{escape(evaluation.score_name('FID'))}<small>&nbsp;</small></th>",
    ]
    heads += [
        f'<th title="{escape(COLUMNS[name].meaning)}">{COLUMNS[name].title}'
        f"<small>{_bar_text(name)}</small></th>"
        for name in shown
    ]
    lines = []
    for row in evaluation.rows:
        kid, gain = row.kid, row.kid_gain
        below = ""
        if gain is not None:
            below = (
                f"<small>{gain.value * 1000:.1f} below the photos&rsquo; "
                f"({gain.low * 1000:.1f} to {gain.high * 1000:.1f})</small>"
            )
        cells = [
            f"<td><b>{kid.value * 1000:.1f}</b><small>{kid.low * 1000:.1f} to "
            f"{kid.high * 1000:.1f}</small>{below}</td><td>{row.fid:.1f}</td>"
        ]
        for name in shown:
            value = row.numbers.get(name, math.nan)
            met = meets_bar(name, value) if row.kind == "system" else None
            verdict = {True: " class=good", False: " class=bad", None: ""}[met]
            cells.append(f"<td{verdict}>{'&ndash;' if math.isnan(value) else f'{value:.2f}'}</td>")
        lines.append(
            f"<tr class={row.kind}><th>{escape(row.name)}<small>{escape(row.about)}</small></th>"
            + "".join(cells)
            + "</tr>"
        )
    meanings = "".join(
        f"<dt>{COLUMNS[name].title}</dt><dd>{escape(COLUMNS[name].meaning)}</dd>" for name in shown
    )
    return (
        f"<div class=wide><table><thead><tr><th></th>{''.join(heads)}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>"
        f"<details><summary>What the columns mean</summary><dl>{meanings}"
        "<dt>KID, FID</dt><dd>How far the results as a set are from the drawings, as a network "
        "sees them. Lower is closer; the photos' row is where one starts and the drawings' row is "
        "where nothing can be told apart. FID grows as pictures get fewer: compare it within this "
        "table only.</dd></dl></details>"
    )


def _similarity(evaluation: Evaluation) -> str:
    """How alike the systems are, two by two; nothing where there is one only."""
    if not evaluation.similarity:
        return ""
    lines = "".join(
        f"<tr><th>{escape(one.first)}</th><th>{escape(one.second)}</th>"
        f"<td>{'&ndash;' if math.isnan(one.median) else f'{one.median:.3f}'}</td></tr>"
        for one in evaluation.similarity
    )
    return (
        "<h2>How alike they are</h2><p>Correlation of the lightness of two results, median over "
        "the pictures. 1: one drawing in two tints.</p>"
        f"<div class=wide><table><tbody>{lines}</tbody></table></div>"
    )


def _bar_text(name: str) -> str:
    if name not in BARS:
        return "&nbsp;"
    low, high = BARS[name]
    if math.isinf(high):
        return f"&ge; {low:g}"
    return f"&le; {high:.3g}" if low == 0 else f"{low:g} to {high:g}"


def _plots(evaluation: Evaluation, systems: list[Row], shown: list[str]) -> str:
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
    figures = [
        f"<figure><figcaption>{escape(name)}, lower is closer to the drawings</figcaption>"
        f"{plots.interval_plot(intervals, name)}</figure>"
    ]
    for statistic in shown:
        if statistic == "flicker":  # one number a system: the table says it
            continue
        groups = [
            (row.name, [numbers.get(statistic, math.nan) for numbers in row.pictures], colour)
            for row, colour in coloured
            if row.kind == "system" or statistic in row.medians
        ]
        title = COLUMNS[statistic].title
        figures.append(
            f"<figure><figcaption>{title}: a dot for each picture, a line at the median"
            f"{', the bar shaded' if statistic in BARS else ''}</figcaption>"
            f"{plots.strip_plot(groups, title, BARS.get(statistic))}</figure>"
        )
    return f"<h2>Plots</h2><div class=plots>{''.join(figures)}</div>"


def _gallery(row: Row, number: int, evaluation: Evaluation, pair: Pair) -> str:
    """The best, median and worst pictures of each statistic of a system."""
    embedded: dict[int, str] = {}
    sections = []
    for name, column in COLUMNS.items():
        values = [numbers.get(name, math.nan) for numbers in row.pictures]
        figures = []
        for rank, photo in chosen_pictures(values, column.cost).items():
            if photo not in embedded:
                embedded[photo] = "".join(
                    embedded_image(picture) for picture in pair(number, photo)
                )
            figures.append(
                f"<figure>{embedded[photo]}<figcaption><b>{rank}</b> {values[photo]:.2f}"
                f"<small>{escape(evaluation.photos[photo])}</small></figcaption></figure>"
            )
        if figures:
            sections.append(f"<h3>{column.title}</h3><div class=pairs>{''.join(figures)}</div>")
    return f"<h2>{escape(row.name)}: photo and result</h2>{''.join(sections)}"


def embedded_image(picture: Picture) -> str:
    """An <img> that holds the picture itself, shrunk."""
    content = io.BytesIO()
    small = Image.fromarray(np.ascontiguousarray(fit(picture, THUMBNAIL_PIXELS)))
    small.save(content, "WEBP", quality=THUMBNAIL_QUALITY)
    data = base64.b64encode(content.getvalue()).decode()
    return f'<img src="data:image/webp;base64,{data}" alt="" tabindex="0">'
