"""Systems that turn photos into drawings, measured against photos and reference drawings."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations, islice
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.errors import DataError
from sakuga.evaluate.features import FeatureNetwork
from sakuga.evaluate.metrics import Distance, Features, cosines, fid, halves, kid
from sakuga.evaluate.statistics import (
    LONG_SIDE_PIXELS,
    Picture,
    drawn_statistics,
    fit,
    lightness_of,
    medians,
    noise_gain,
    picture_statistics,
    similarity,
    warp_errors,
)
from sakuga.evaluate.systems import Item, System
from sakuga.evaluate.views import View, cached_features, features_of
from sakuga.video.decode import Clip
from sakuga.video.options import VideoOptions

VIDEO_FRAMES = 60  # of a clip, from its start: flicker is a mean, and soon steady

Done = Callable[[], None]


@dataclass(frozen=True)
class Row:
    """What was measured of one system, or of the photos or drawings themselves."""

    name: str
    kind: Literal["system", "baseline", "floor"]
    about: str
    kid: Distance
    fid: float
    medians: dict[str, float] = field(default_factory=dict)  # over the pictures
    pictures: list[dict[str, float]] = field(default_factory=list)  # one a photo, in their order
    warp_error: float | None = None  # grey levels, of the painted clip
    clip_warp_error: float | None = None  # grey levels, of the clip itself
    kid_gain: Distance | None = None  # how much lower a system's KID is than its photos'

    @property
    def numbers(self) -> dict[str, float]:
        """The medians, and the flicker where a clip was given: what the bars are held against."""
        if self.warp_error is None or not self.clip_warp_error:
            return self.medians
        return {**self.medians, "flicker": self.warp_error / self.clip_warp_error}


@dataclass(frozen=True)
class Likeness:
    """How like each other the results of two systems are: correlation of their lightness."""

    first: str  # names of the systems
    second: str
    median: float  # over the photos
    pictures: list[float]  # one a photo, in their order


@dataclass(frozen=True)
class Evaluation:
    """All rows, and what they were measured with."""

    network: str
    network_sha256: str
    view: View
    max_side: int
    photos: tuple[str, ...]  # names
    total_drawings: int
    selection: str  # which photos and drawings, in words
    rows: tuple[Row, ...]
    similarity: tuple[Likeness, ...] = ()  # of every two systems

    def score_name(self, score: str) -> str:
        """A score's full name: it means nothing without its network."""
        return f"{score} ({self.network}{'' if self.view == 'squares' else ', ' + self.view})"

    def to_json(self) -> str:
        """Everything, as JSON: undefined numbers are null, scores carry their network's name."""
        document = asdict(self)
        for row in document["rows"]:
            row[self.score_name("KID")] = row.pop("kid")
            row[self.score_name("KID gain")] = row.pop("kid_gain")
            row[self.score_name("FID")] = row.pop("fid")
            row["pictures"] = [
                {"photo": name, **numbers}
                for name, numbers in zip(self.photos, row["pictures"], strict=False)
            ]
        return json.dumps(_without_nan(document), indent=2)


def measure(
    systems: Sequence[System],
    photos: Sequence[Item],
    drawings: Sequence[Item],
    network: FeatureNetwork,
    *,
    view: View = "squares",
    max_side: int = LONG_SIDE_PIXELS,
    video: Path | None = None,
    cache: Path | None = None,
    selection: str = "all photos and drawings",
    start: Callable[[str, int], Done] = lambda stage, total: lambda: None,
) -> Evaluation:
    """Measure systems on photos, against drawings.

    Args:
        systems: what to measure; with none, only the baseline and the floor are.
        photos: what they paint.
        drawings: what their results should look like.
        network: what KID, FID and content similarity are seen through.
        view, video: as `sakuga evaluate` takes them.
        max_side: pixels; larger photos are shrunk to this before they are painted. Statistics are
            always taken with the long side at most 768.
        cache: folder where features of photos and drawings are kept.
        selection: which photos and drawings these are, in words, for the report.
        start: told each stage and how many steps it has; gives what to call after each step.

    Raises:
        DataError: fewer than 2 photos or 4 drawings, or results that do not fit their photos.
        InputError: a picture that cannot be read.
    """
    for items, least, kind in ((photos, 2, "photos"), (drawings, 4, "drawings")):
        if len(items) < least:
            raise DataError(
                f"KID needs at least {least} {kind}, but there is only {len(items)}: it compares "
                f"pairs, and the drawings are also split in two. Give more {kind}."
            )

    def look(items: Sequence[Item], stage: str) -> Features:
        return cached_features(
            items,
            lambda item: fit(item.read()),
            network,
            view,
            cache,
            read_as=f"fit {LONG_SIDE_PIXELS}",
            done=start(stage, len(items)),
        )

    seen_photos, seen_drawings = look(photos, "photos"), look(drawings, "drawings")
    kid_photos = kid(seen_photos, seen_drawings)
    rows = []
    drawn: list[list[NDArray[np.uint8]]] = []
    for system in systems:
        drawn.append([])
        seen, numbers = painted_pictures(
            _keeping(system, drawn[-1]) if len(systems) > 1 else system,
            photos,
            seen_photos,
            network,
            view,
            max_side=max_side,
            done=start(system.name, len(photos)),
        )
        warp_error, clip_warp_error = None, None
        if video is not None and system.stylize is not None:
            done = start(f"{system.name}, {video.name}", VIDEO_FRAMES)
            warp_error, clip_warp_error = _flicker(system.stylize, video, max_side, done)
        kid_results = kid(seen, seen_drawings)
        rows.append(
            Row(
                system.name,
                "system",
                system.about,
                kid_results.distance,
                fid(seen, seen_drawings),
                medians(numbers),
                numbers,
                warp_error,
                clip_warp_error,
                kid_results.below(kid_photos),
            )
        )
    own = [drawn_statistics(lightness_of(fit(photo.read(), max_side))) for photo in photos]
    half, other_half = halves(seen_drawings)
    rows += [
        Row(
            "photos",
            "baseline",
            "the untouched photos",
            kid_photos.distance,
            fid(seen_photos, seen_drawings),
            medians(own),
            own,
        ),
        Row(
            "drawings",
            "floor",
            "one half of the drawings against the other",
            kid(half, other_half).distance,
            fid(half, other_half),
        ),
    ]
    return Evaluation(
        network=network.name,
        network_sha256=network.sha256,
        view=view,
        max_side=max_side,
        photos=tuple(photo.name for photo in photos),
        total_drawings=len(drawings),
        selection=selection,
        rows=tuple(rows),
        similarity=tuple(
            _likeness(systems[one].name, systems[other].name, drawn[one], drawn[other])
            for one, other in combinations(range(len(systems)), 2)
        ),
    )


def painted_pictures(
    system: System,
    photos: Sequence[Item],
    seen_photos: Features,
    network: FeatureNetwork,
    view: View = "squares",
    *,
    max_side: int = LONG_SIDE_PIXELS,
    done: Done = lambda: None,
) -> tuple[Features, list[dict[str, float]]]:
    """Let a system paint the photos: features of the results, and the statistics of each picture.

    `seen_photos` are the features of the same photos, in the same view: results are compared with
    them for `content`.
    """
    numbers: list[dict[str, float]] = []
    seen = features_of(_painted(system, photos, max_side, numbers), network, view, done)
    likeness = cosines(seen_photos.values, seen.values)
    for number, row in enumerate(numbers):
        row["content"] = float(likeness[seen.pictures == number].mean())
    return seen, numbers


def _painted(
    system: System, photos: Sequence[Item], max_side: int, numbers: list[dict[str, float]]
) -> Iterator[Picture]:
    """Results one at a time, as they are looked at; their statistics are added to `numbers`."""
    for item in photos:
        photo = fit(item.read(), max_side)
        result = system.result(item, photo)
        row = picture_statistics(photo, result)
        if system.stylize is not None:
            # Noise that depends on the photo alone: the same for every system and every run.
            seed = int(item.sha256[:8], 16)
            row["noise_gain"] = noise_gain(photo, result, system.stylize, seed=seed)
        numbers.append(row)
        yield fit(result)


def _keeping(system: System, kept: list[NDArray[np.uint8]]) -> System:
    """The same system; the lightness of its results is added to `kept`, as PNG.

    Results are compared when all are painted. In PNG, 0..255 for 0..100, a thousand take some 200
    MB; the correlation is the same to four digits.
    """

    def result(item: Item, photo: Picture) -> Picture:
        painted = system.result(item, photo)
        levels = np.rint(lightness_of(painted) * 2.55).astype(np.uint8)
        kept.append(np.asarray(cv2.imencode(".png", levels)[1], np.uint8))
        return painted

    return replace(system, result=result)


def _likeness(
    first: str,
    second: str,
    first_drawn: Sequence[NDArray[np.uint8]],
    second_drawn: Sequence[NDArray[np.uint8]],
) -> Likeness:
    """How alike two systems drew the same photos, of what `_keeping` kept."""
    values = [
        similarity(
            *(np.asarray(cv2.imdecode(one, cv2.IMREAD_GRAYSCALE), np.float32) for one in pair)
        )
        for pair in zip(first_drawn, second_drawn, strict=True)
    ]
    median = medians([{"similarity": value} for value in values])["similarity"]
    return Likeness(first, second, median, values)


def _flicker(
    stylize: Callable[[Picture], Picture], video: Path, max_side: int, done: Done
) -> tuple[float, float]:
    """Mean warp error over the start of a clip: (of the painted clip, of the clip itself)."""
    with closing(Clip(video, VideoOptions(), max_side)) as clip:
        shown = islice(clip.frames(), VIDEO_FRAMES)
        frames = [frame.picture for frame in shown if frame.picture is not None]
    if len(frames) < 2:
        raise DataError(f"{video}: flicker needs at least 2 frames, it has {len(frames)}.")

    def painted() -> Iterator[Picture]:
        for frame in frames:
            yield stylize(frame)
            done()

    errors = np.array(list(warp_errors(frames, painted())))
    return float(errors[:, 1].mean()), float(errors[:, 0].mean())


def _without_nan(value: Any) -> Any:
    """The same document with null for what JSON cannot hold."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
