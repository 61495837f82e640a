"""The score of a trial: how far its pictures are from the drawings and from a style's bars."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sakuga.errors import DataError
from sakuga.evaluate.command import a_sample, cache_folder
from sakuga.evaluate.features import FeatureNetwork
from sakuga.evaluate.measure import painted_pictures
from sakuga.evaluate.metrics import Features, kid
from sakuga.evaluate.statistics import BARS, fit, medians
from sakuga.evaluate.systems import Item, System, list_pictures
from sakuga.evaluate.views import cached_features
from sakuga.images.colour import Pixels
from sakuga.images.read import to_float, to_pixels
from sakuga.painting.tiling import paint_tiles
from sakuga.train.checkpoint import build_generator, load_checkpoint, load_weights
from sakuga.tune.settings import MEASURED_BARS, TuneSettings


def score_terms(
    distance: float,
    baseline: float,
    numbers: Mapping[str, float],
    *,
    kid_weight: float = 1.0,
    bars_weight: float = 1.0,
    bars: Sequence[str] = MEASURED_BARS,
) -> dict[str, float]:
    """The weighted terms of a score, whose sum is to be made small.

    kid: KID to the drawings over that of the untouched photos: 1 is no better than doing nothing,
    0 is as good as drawings. Each statistic of `bars`: how far its median lies outside, as a share
    of the bar it misses: texture 0.75 against 0.60 costs 0.25. Inside the bars nothing is gained.
    """
    terms = {"kid": kid_weight * distance / baseline}
    for name, value in numbers.items():
        if name in bars and not math.isnan(value):
            terms[name] = bars_weight * shortfall(value, *BARS[name])
    return terms


def shortfall(value: float, low: float, high: float) -> float:
    """How far a value lies outside [low, high], as a share of the end it misses; 0 inside."""
    if value < low:
        return (low - value) / low
    return (value - high) / high if value > high else 0.0


@dataclass(frozen=True)
class Scorer:
    """Held-out photos and the drawings, seen once: scores any number of trials."""

    settings: TuneSettings
    network: FeatureNetwork
    photos: list[Item]
    seen_photos: Features
    seen_drawings: Features
    baseline: float  # KID of the untouched photos

    @classmethod
    def prepare(cls, settings: TuneSettings, network: FeatureNetwork) -> Scorer:
        """List and look at the pictures that all trials are scored on.

        Raises:
            DataError: too few pictures, or photos that are already as near as drawings.
        """
        photos = [
            item
            for source in settings.base.photos
            for item in list_pictures(Path(source), "photos", held_out=True)
        ]
        drawings = [
            item
            for source in settings.base.anime
            for item in list_pictures(Path(source), "drawings")
        ]
        photos = a_sample(photos, settings.photos)
        seen_photos, seen_drawings = (
            cached_features(
                items,
                lambda item: fit(item.read()),
                network,
                "squares",
                cache_folder(),
                read_as="fit 768",
            )
            for items in (photos, drawings)
        )
        baseline = kid(seen_photos, seen_drawings, draws=2).value
        if baseline <= 0:
            raise DataError(
                f"The {len(photos)} held-out photos are as near to the drawings as drawings are "
                f"(KID {baseline:.4f}): nothing can be tuned by it. Give more photos, or real ones."
            )
        return cls(settings, network, photos, seen_photos, seen_drawings, baseline)

    def score(self, system: System) -> tuple[dict[str, float], dict[str, float]]:
        """Let a system paint the photos: the terms of its score, and what was measured."""
        seen, pictures = painted_pictures(system, self.photos, self.seen_photos, self.network)
        numbers = medians(pictures)
        distance = kid(seen, self.seen_drawings, draws=2).value
        terms = score_terms(
            distance,
            self.baseline,
            numbers,
            kid_weight=self.settings.kid_weight,
            bars_weight=self.settings.bars_weight,
            bars=self.settings.bars,
        )
        return terms, {"kid": distance, **numbers}


def run_folder(out: Path, number: int) -> Path:
    """Where the run of a trial lies in the folder of its search."""
    return out / "trials" / f"{number:04d}"


def system_of(run: Path, device: torch.device) -> System:
    """The averaged generator in a run's checkpoint, as something that paints."""
    paint = painter_of(run, device)
    return System(run.name, "", lambda item, photo: paint(photo), paint)


def painter_of(run: Path, device: torch.device) -> Callable[[Pixels], Pixels]:
    """A function that paints uint8 (H, W, 3) with the averaged generator in a run's checkpoint.

    Raises:
        TrainingError: there is no checkpoint, or it does not fit its config.
    """
    config, state = load_checkpoint(run)
    with torch.random.fork_rng(devices=[]):  # initial values are drawn, and then replaced
        generator = build_generator(config)
    load_weights(generator, state["ema"], run)
    generator = generator.to(device).eval()

    def paint_window(window: Pixels) -> Pixels:
        with torch.inference_mode():
            planes = generator(torch.from_numpy(to_float(window)).to(device))
        anime: Pixels = to_pixels(planes.float().cpu().numpy())[0]
        return anime

    def paint(photo: Pixels) -> Pixels:
        painted: Pixels = paint_tiles(
            photo,
            paint_window,
            tile=None,
            margin=0,
            multiple=generator.size_multiple,
            minimum=generator.minimum_side,
        )
        return painted

    return paint
