"""What a style does to a picture, as numbers that need no reference drawings.

Pictures are uint8 (H, W, 3) RGB (sRGB). A photo and its result are both brought to a long side of
at most 768 pixels first, so that the numbers mean the same for a phone photo and a thumbnail. What
each number says of a picture stands in `sakuga.evaluate.report.COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.cel.drawings import INK_DEPTH, ink_depth
from sakuga.images.colour import D65_WHITE, LINEAR_TO_XYZ
from sakuga.images.picture import fit_within

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Plane = NDArray[np.float32]  # (H, W)
Mask = NDArray[np.bool_]  # (H, W)

LONG_SIDE_PIXELS = 768
COLOUR_SIGMA_PIXELS = 8.0
GRADIENT_SIGMA_PIXELS = 0.8
STRONG_EDGE_PERCENTILE = 95.0
EDGE_MARGIN_PIXELS = 2
NOISE_SIGMA_GREY_LEVELS = 3.0
# Below this mean chroma a photo is grey, and a saturation ratio means nothing.
GREY_PHOTO_CHROMA = 1.0

SOFT_GRADIENT = (0.5, 2.5)  # L per pixel: from here on shading is seen, from there on a border
STRONGEST_SHARE = 0.1
FLAT_MEAN_GRADIENT = 1e-3  # below this a picture has one lightness, and its gradient is rounding

DRAWN = ("soft_shading", "concentration", "flat", "ink")  # of one picture: a photo has them too
STATISTICS = ("chroma_shift", "saturation", "texture", "edges", "edge_agreement", *DRAWN)

# What a style worth shipping reaches: (lowest, highest) median over the pictures. Necessary, not
# enough: a blurred picture has little texture, and one with scribbles has ink.
BARS: dict[str, tuple[float, float]] = {
    "chroma_shift": (0.0, 5.0),
    "saturation": (0.95, 1.3),
    "texture": (0.0, 0.60),
    "edges": (0.95, np.inf),
    "soft_shading": (0.0, 0.18),
    "concentration": (0.60, np.inf),
    "ink": (0.03, 0.07),
    "noise_gain": (0.0, 0.45),
    "flicker": (0.0, 2.0 / 1.7),  # warp error over the video's own
}

# Each row divided by the white point.
_LINEAR_RGB_TO_XYZ = (np.array(LINEAR_TO_XYZ) / np.array(D65_WHITE)[:, None]).astype(np.float32)
_GREY = np.arange(256) / 255
_SRGB_TO_LINEAR = np.where(
    _GREY <= 0.04045, _GREY / 12.92, ((_GREY + 0.055) / 1.055) ** 2.4
).astype(np.float32)


def cielab(picture: Picture) -> NDArray[np.float32]:
    """CIE 1976 L*a*b* under D65, float32 (H, W, 3): L in 0..100, a and b about -110..110."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise ValueError(f"a picture is uint8 (H, W, 3), not {picture.dtype} {picture.shape}")
    xyz = _SRGB_TO_LINEAR[picture] @ _LINEAR_RGB_TO_XYZ.T
    delta = 6 / 29
    f = np.where(xyz > delta**3, np.cbrt(xyz), xyz / (3 * delta**2) + 4 / 29)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1).astype(np.float32)


def fit(picture: Picture, long_side: int = LONG_SIDE_PIXELS) -> Picture:
    """The picture with its long side at most `long_side` pixels, shrunk by area averaging."""
    height, width = picture.shape[:2]
    size = fit_within((width, height), long_side)
    if size == (width, height):
        return picture
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)


def gradient(lightness: Plane) -> Plane:
    """Size of the lightness gradient, per pixel: Sobel / 8 after a Gaussian of sigma 0.8."""
    soft = cv2.GaussianBlur(lightness, (0, 0), GRADIENT_SIGMA_PIXELS)
    across = cv2.Sobel(soft, cv2.CV_32F, 1, 0, scale=1 / 8)
    down = cv2.Sobel(soft, cv2.CV_32F, 0, 1, scale=1 / 8)
    return np.asarray(np.hypot(across, down), np.float32)


def lightness_of(picture: Picture) -> Plane:
    """CIELAB lightness, 0..100, with the long side at most 768 pixels: what is measured here."""
    return np.asarray(cielab(fit(picture))[..., 0], np.float32)


def drawn_statistics(lightness: Plane) -> dict[str, float]:
    """How drawn one picture looks, whatever it shows: a photo has these numbers as well.

    A cel picture has few tones with crisp borders and thin dark strokes, where a photo shades.

    Args:
        lightness: float32 (H, W), L in 0..100; see `lightness_of`.

    Returns:
        One number in 0..1 for each name in `DRAWN`. With g the gradient:
        soft_shading, the share of pixels with g in [0.5, 2.5); concentration, the share of the sum
        of g that the strongest tenth of the pixels holds (NaN for a picture of one lightness);
        flat, the share with g below 0.5; ink, the share that is more than 12 darker than its
        closing by an ellipse of 7 pixels, which fills thin dark lines (black top-hat, Serra 1982).
    """
    steep = gradient(lightness)
    low, high = SOFT_GRADIENT
    weaker = steep.size - max(1, int(STRONGEST_SHARE * steep.size))
    strongest = np.partition(steep, weaker, axis=None)[weaker:]
    return {
        "soft_shading": float(((steep >= low) & (steep < high)).mean()),
        "concentration": _ratio(
            float(strongest.sum(dtype=np.float64)) / steep.size,
            float(steep.mean(dtype=np.float64)),
            at_least=FLAT_MEAN_GRADIENT,
        ),
        "flat": float((steep < low).mean()),
        "ink": float((ink_depth(lightness) > INK_DEPTH).mean()),
    }


def similarity(first: Plane, second: Plane) -> float:
    """Pearson's correlation of two lightness planes of one shape: 1 where only the tint differs.

    NaN where either has one lightness only.

    Raises:
        ValueError: the two differ in shape.
    """
    if first.shape != second.shape:
        raise ValueError(f"the two differ in shape: {first.shape} and {second.shape}")
    one, other = (
        plane.astype(np.float64) - plane.mean(dtype=np.float64) for plane in (first, second)
    )
    return _ratio(float((one * other).mean()), float(one.std() * other.std()))


def picture_statistics(photo: Picture, result: Picture) -> dict[str, float]:
    """What a result is beside its photo, and how drawn it is by itself.

    Args:
        photo: uint8 (H, W, 3) RGB.
        result: uint8 of the same shape: what a style made of the photo.

    Returns:
        One number for each name in `STATISTICS`. NaN where the photo gives nothing to compare with:
        saturation of a grey photo, texture of a photo with no gradient outside its edges; and
        concentration of a result of one lightness.

    Raises:
        ValueError: the two pictures differ in shape.
    """
    if photo.shape != result.shape:
        raise ValueError(f"photo and result differ in shape: {photo.shape} and {result.shape}")
    before, after = cielab(fit(photo)), cielab(fit(result))

    shift = cv2.GaussianBlur(after[..., 1:] - before[..., 1:], (0, 0), COLOUR_SIGMA_PIXELS)
    chroma_before = float(np.hypot(before[..., 1], before[..., 2]).mean())
    chroma_after = float(np.hypot(after[..., 1], after[..., 2]).mean())

    steep_before, steep_after = gradient(before[..., 0]), gradient(after[..., 0])
    strong_before, strong_after = _strong_edges(steep_before), _strong_edges(steep_after)
    near_before, near_after = _grown(strong_before), _grown(strong_after)

    return {
        "chroma_shift": float(np.hypot(shift[..., 0], shift[..., 1]).mean()),
        "saturation": _ratio(chroma_after, chroma_before, at_least=GREY_PHOTO_CHROMA),
        "texture": _ratio(_mean(steep_after, ~near_before), _mean(steep_before, ~near_before)),
        "edges": _ratio(_mean(steep_after, strong_before), _mean(steep_before, strong_before)),
        "edge_agreement": _f_score(
            precision=float(near_before[strong_after].mean()),
            recall=float(near_after[strong_before].mean()),
        ),
        **drawn_statistics(after[..., 0]),
    }


def contour_width(picture: Picture) -> float:
    """How wide contours are where they are crossed, in pixels of the picture; nothing is resized.

    The median, over all contours, of contrast / gradient: of a straight rise, its length. A contour
    is where the gradient (Sobel / 8, not blurred) is the steepest of 13 x 13 pixels whose lightest
    and darkest grey are more than 60 levels apart, which is its contrast. NaN without contours.
    """
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    steep = np.hypot(
        cv2.Sobel(grey, cv2.CV_32F, 1, 0, scale=1 / 8),
        cv2.Sobel(grey, cv2.CV_32F, 0, 1, scale=1 / 8),
    )
    around = np.ones((13, 13), np.uint8)
    contrast = cv2.dilate(grey, around) - cv2.erode(grey, around)
    contour = (steep == cv2.dilate(steep, around)) & (contrast > 60)
    return float(np.median(contrast[contour] / steep[contour])) if contour.any() else float("nan")


def noise_gain(
    photo: Picture, result: Picture, stylize: Callable[[Picture], Picture], *, seed: int = 0
) -> float:
    """Mean |G(p + n) - G(p)| / mean |n|, with n Gaussian of sigma 3 grey levels.

    `result` is G(p). `n` is the noise the picture really receives: rounded, and clipped at black
    and white. Nothing is resized: give the photo at the size it is to be painted at.
    """
    noise = np.random.default_rng(seed).normal(0, NOISE_SIGMA_GREY_LEVELS, photo.shape)
    noisy = np.clip(np.rint(photo + noise), 0, 255).astype(np.uint8)
    added = np.abs(noisy.astype(np.float32) - photo).mean()
    moved = np.abs(stylize(noisy).astype(np.float32) - result).mean()
    return _ratio(float(moved), float(added))


def flow_back(frame: Picture, previous: Picture) -> NDArray[np.float32]:
    """Where each pixel of `frame` was in `previous`: float32 (H, W, 2) of (dx, dy) in pixels.

    Farneback's polynomial expansion (2003) on grey pictures: 5 levels of scale 0.5, window 21,
    5 iterations, neighbourhood 7 with sigma 1.5, Gaussian window.
    """
    here, there = (cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in (frame, previous))
    start = np.zeros((*here.shape, 2), np.float32)
    flow = cv2.calcOpticalFlowFarneback(
        here, there, start, 0.5, 5, 21, 5, 7, 1.5, cv2.OPTFLOW_FARNEBACK_GAUSSIAN
    )
    return np.asarray(flow, np.float32)


def warp(picture: Picture, flow: NDArray[np.float32]) -> NDArray[np.float32]:
    """The picture fetched along `flow`, bilinear, edges repeated: float32 (H, W, 3)."""
    height, width = flow.shape[:2]
    across, down = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    fetched = cv2.remap(
        picture.astype(np.float32),
        across + flow[..., 0],
        down + flow[..., 1],
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(fetched, np.float32)


def warp_errors(
    frames: Iterable[Picture], results: Iterable[Picture]
) -> Iterator[tuple[float, float]]:
    """Flicker of each pair of neighbouring frames, in grey levels: (of the video, of the result).

    Mean |g_t - warp(g_{t-1})| over pixels and channels; the flow is that of the input video. The
    video's own error is the floor that noise, occlusion and imperfect flow set for any style.
    """
    last: tuple[Picture, Picture] | None = None
    for frame, result in zip(frames, results, strict=True):
        if frame.shape != result.shape:
            raise ValueError(f"frame and result differ in shape: {frame.shape}, {result.shape}")
        now = (fit(frame), fit(result))
        if last is not None:
            flow = flow_back(now[0], last[0])
            video, painted = (
                float(np.abs(new - warp(old, flow)).mean())
                for new, old in zip(now, last, strict=True)
            )
            yield video, painted
        last = now


def medians(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Median of each statistic over the pictures, leaving out pictures where it is undefined."""
    if not rows:
        raise ValueError("no pictures to take a median of")
    result = {}
    for name in rows[0]:
        values = np.array([row[name] for row in rows])
        defined = values[~np.isnan(values)]
        result[name] = float(np.median(defined)) if len(defined) else float("nan")
    return result


def _strong_edges(steep: Plane) -> Mask:
    return np.asarray(steep >= np.percentile(steep, STRONG_EDGE_PERCENTILE))


def _grown(mask: Mask) -> Mask:
    """The mask with `EDGE_MARGIN_PIXELS` more on every side."""
    side = 2 * EDGE_MARGIN_PIXELS + 1
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _f_score(precision: float, recall: float) -> float:
    """Harmonic mean of the two, in [0, 1] (van Rijsbergen 1979)."""
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _mean(values: Plane, where: Mask) -> float:
    return float(values[where].mean()) if where.any() else 0.0


def _ratio(above: float, below: float, at_least: float = 1e-6) -> float:
    return above / below if below >= at_least else float("nan")
