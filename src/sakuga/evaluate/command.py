"""`sakuga evaluate`: from paths and names to a report."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path

from sakuga.console import ProgressBar
from sakuga.errors import OptionError
from sakuga.evaluate.features import load_feature_network
from sakuga.evaluate.measure import Done, Evaluation, measure
from sakuga.evaluate.report import html_report
from sakuga.evaluate.statistics import Picture, fit
from sakuga.evaluate.systems import Item, list_pictures, results_system, style_system
from sakuga.evaluate.verbs import Request
from sakuga.files import write_bytes


def evaluate(request: Request) -> Evaluation:
    """Measure, and write the page and the JSON.

    Raises:
        OptionError: nothing to measure, or values that make no sense.
        SakugaError: whatever is wrong with the data, the network or a style.
    """
    if not request.styles and not request.results:
        raise OptionError("Nothing to evaluate: name a --style, or a folder with --results.")
    if request.out.suffix != ".html":
        raise OptionError(
            f"--out {request.out}: the report is a page: give a name ending in .html."
        )
    if request.limit is not None and request.limit < 2:
        raise OptionError(f"--limit {request.limit}: KID needs at least 2 photos.")
    if request.max_side < 32:
        raise OptionError(f"--max-side {request.max_side}: at least 32 pixels.")

    held_out = [request.held_out in (name, "both") for name in ("photos", "anime")]
    photos = list_pictures(request.photos, "photos", held_out=held_out[0])
    drawings = list_pictures(request.anime, "drawings", held_out=held_out[1])
    all_photos, all_drawings = ("held-out" if chosen else "all" for chosen in held_out)
    selection = f"{all_photos} photos, {all_drawings} drawings"
    if request.limit is not None:
        photos = a_sample(photos, request.limit)
        selection = f"a sample of {selection}"
    systems = [style_system(style, device=request.device) for style in request.styles]
    systems += [results_system(folder, photos) for folder in request.results]
    network = load_feature_network(request.network, device=request.device)

    with ExitStack() as stack:

        def start(stage: str, total: int) -> Done:
            stack.close()  # the stage before is over, and so is its bar
            bar = stack.enter_context(ProgressBar(stage, total, quiet=request.quiet))
            counted = count(1)
            return lambda: bar.update(next(counted))

        evaluation = measure(
            systems,
            photos,
            drawings,
            network,
            view=request.view,
            max_side=request.max_side,
            video=request.video,
            cache=cache_folder() if request.cache else None,
            selection=selection,
            start=start,
        )

        def pair(system: int, photo: int) -> tuple[Picture, Picture]:
            picture = fit(photos[photo].read(), request.max_side)
            return picture, systems[system].result(photos[photo], picture)

        page = html_report(evaluation, pair)
    write_bytes(request.out, page.encode(errors="backslashreplace"))
    write_bytes(request.out.with_suffix(".json"), evaluation.to_json().encode())
    return evaluation


def summary(evaluation: Evaluation, out: Path) -> str:
    """The measurements in a few lines, for a terminal."""
    lines = []
    for row in evaluation.rows:
        kid = row.kid
        lines.append(
            f"{row.name}: {evaluation.score_name('KID')} {kid.value:.4f} "
            f"({kid.low:.4f} to {kid.high:.4f}), {evaluation.score_name('FID')} {row.fid:.1f}"
        )
        if row.kid_gain is not None:
            gain = row.kid_gain
            interval = f"({gain.low:.4f} to {gain.high:.4f})"
            lines.append(f"    KID below the photos' by {gain.value:.4f} {interval}")
        lines += [f"    {name} {value:.3f}" for name, value in row.numbers.items()]
    lines += [
        f"{one.first} and {one.second}: similarity {one.median:.3f}"
        for one in evaluation.similarity
    ]
    return "\n".join((*lines, f"report: {out}"))


def a_sample(items: Sequence[Item], limit: int) -> list[Item]:
    """At most `limit` of the pictures, chosen by hash: the same ones on every run and machine."""
    chosen = sorted(items, key=lambda item: item.sha256)[:limit]
    return sorted(chosen, key=lambda item: item.name)


def cache_folder() -> Path | None:
    """Where features are remembered; the environment variable SAKUGA_CACHE moves it.

    None where that cannot be: this user has no home folder, or may not write there.
    """
    if chosen := os.environ.get("SAKUGA_CACHE"):
        return Path(chosen) / "features"
    try:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError:  # neither HOME nor an entry in the list of users
        return None
    folder = cache / "sakuga" / "features"
    there = next(path for path in (folder, *folder.parents) if os.path.exists(path))  # noqa: PTH110 - never raises
    return folder if os.access(there, os.W_OK | os.X_OK) else None
