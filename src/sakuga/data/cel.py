"""The cel painter: a photo into the drawing that a style learns to paint.

It takes up to a second, so it is run once over the photos and stored (`sakuga prepare cel`). A
photo becomes few tones with crisp, smooth borders, and continuous strokes:

    photo -> flow of its edges -> Kuwahara along the flow -> detail that stands out put back
          -> smoothed along the flow -> regions of one tone -> two tones on skin
          -> colour -> strokes

Unless a function says otherwise, colour is float32 (H, W, 3) CIELAB, L in [0, 100], and maps are
float32 (H, W). Borders are mirrored. Needs OpenCV (the extra `data`).
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.errors import OptionError

Map = NDArray[np.float32]
RGB = NDArray[np.uint8]


_SHARES = ("detail", "flatness", "gradient", "skin", "face_detail")
_SHARES += ("ink", "crowding", "line_tone", "tint")
_POSITIVE = ("brush", "texture_brush", "flow", "gamma", "line_width", "line_flow", "line_slope")
_NOT_NEGATIVE = ("merge", "vividness", "line_level", "line_length", "bins")


@dataclass(frozen=True)
class CelSettings:
    """How the painter paints; lengths are pixels of a picture of about 500 pixels."""

    # --- brush
    brush: float = 1.8  # pixels, radius of the Kuwahara filter: larger strokes of colour
    texture_brush: float = 4.5  # the same on texture (foliage, fur, gravel)
    detail: float = 0.85  # 0 to 1, how much of fine detail that stands out (eyes, letters) stays
    flow: float = 3.0  # pixels, sigma of the smoothing along edges: calmer contours

    # --- tones
    merge: float = 5.5  # CIELAB units; neighbouring regions nearer than this become one tone
    flatness: float = 0.85  # 0 to 1, how much of the region's one tone replaces soft shading
    gradient: float = 1.0  # 0 to 1, how much of wide, soft gradients (skies, walls) stays
    bins: int = 0  # tones of the whole picture, spread evenly; 0: as many as it has

    # --- skin, where a face was found
    skin: float = 0.7  # 0 to 1, how much skin is laid out in two tones
    face_detail: float = 0.9  # 0 to 1, how much of eyes, lips and teeth stays as the photo has it

    # --- colour
    vividness: float = 1.25  # factor on a and b
    gamma: float = 0.92  # exponent on the colours; below 1 brightens
    paper: tuple[float, ...] = (1.0, 1.0, 1.0)  # RGB in [0, 1] that white becomes
    black: tuple[float, ...] = (0.0, 0.0, 0.0)  # RGB in [0, 1] that black becomes
    tint: float = 0.0  # 0 to 1, how far colours are pulled to the paper's: a wash

    # --- strokes
    ink: float = 0.9  # 0 to 1, how dark they are
    line_width: float = 1.0  # pixels, sigma of the narrower Gaussian
    line_level: float = 0.4  # of L; a dip deeper than this is a stroke: lower draws more
    line_slope: float = 2.5  # how suddenly a dip becomes a stroke
    line_flow: float = 4.0  # pixels, sigma along the stroke: longer, calmer strokes
    line_length: float = 12.0  # pixels; shorter strokes that stand alone are dropped
    crowding: float = 0.8  # 0 to 1, how much strokes thin out where they crowd
    line_colour: tuple[float, ...] = (0.0, 0.0, 0.0)  # RGB in [0, 1] that full ink is mixed towards
    line_tone: float = (
        0.3  # 0 (pure line_colour) to 1: share of the darkened local colour in a line
    )

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


@dataclass(frozen=True)
class Flow:
    """Which way edges run: unit tangents (x, y) and the anisotropy in [0, 1] (1: a clean edge)."""

    x: Map
    y: Map
    anisotropy: Map


def blur(values: Map, sigma: float) -> Map:
    """Gaussian of `sigma` pixels, cut at 3 sigma."""
    size = 2 * max(1, round(3 * sigma)) + 1
    return cv2.GaussianBlur(values, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101)


def smoothstep(low: float, high: float, values: Map) -> Map:
    """0 below `low`, 1 above `high`, 3 t^2 - 2 t^3 between; falling where `low` > `high`."""
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)


def gradient(lightness: Map) -> Map:
    """Length of Sobel's gradient / 8: L units a pixel."""
    x = cv2.Sobel(lightness, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    y = cv2.Sobel(lightness, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    return np.sqrt(x * x + y * y)


def edge_tangent_flow(lightness: Map, sigma: float = 2.0) -> Flow:
    """Tangents of edges from the smoothed structure tensor (Kang, Lee, Chui 2007).

    Smoothed as Kyprianidis (2009) does. E = gx^2, F = gx gy, G = gy^2, blurred by `sigma`; the tangent is the eigenvector of the smaller
    eigenvalue, the anisotropy (l1 - l2) / (l1 + l2).
    """
    x = cv2.Sobel(lightness, cv2.CV_32F, 1, 0, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    y = cv2.Sobel(lightness, cv2.CV_32F, 0, 1, scale=1 / 8, borderType=cv2.BORDER_REFLECT_101)
    e, f, g = blur(x * x, sigma), blur(x * y, sigma), blur(y * y, sigma)
    # The direction of the larger eigenvalue is half the angle of (e - g, 2 f).
    angle = 0.5 * np.arctan2(2 * f, e - g)
    spread = np.sqrt((e - g) ** 2 + 4 * f * f)
    return Flow(-np.sin(angle), np.cos(angle), spread / (e + g + 1e-6))


def _grid(shape: tuple[int, ...]) -> tuple[Map, Map]:
    """x and y of every pixel."""
    y, x = np.indices(shape[:2], dtype=np.float32)
    return x, y


def _sample(values: Map, x: Map, y: Map) -> Map:
    return cv2.remap(values, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _sectors() -> tuple[list[tuple[float, float]], Map]:
    """Samples of the unit disc, (u, v), and what each weighs in each of eight sectors, (8, n).

    The middle and rings of 6, 10 and 14: a finer grid looks no different.
    """
    rings = ((0.34, 6, 0.0), (0.67, 10, 0.5), (1.0, 14, 0.0))
    polar = [(r, 2 * np.pi * (i + s) / n) for r, n, s in rings for i in range(n)]
    points = [(0.0, 0.0)] + [(float(r * np.cos(a)), float(r * np.sin(a))) for r, a in polar]
    weights = np.zeros((8, len(points)))
    weights[:, 0] = 1 / 8
    for n in range(8):
        for i, (r, a) in enumerate(polar, start=1):
            weights[n, i] = max(0.0, np.cos(a - 2 * np.pi * n / 8)) ** 4 * np.exp(-2 * r * r)
    return points, (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def anisotropic_kuwahara(lab: Map, flow: Flow, radius: float | Map, sharpness: float = 8.0) -> Map:
    """Paint over texture with strokes along the flow (Kyprianidis, Kang, Doellner 2009).

    Each pixel takes the calmest of eight sectors of an ellipse with axes r (1 + A) along the edge
    and r / (1 + A) across: sum w_n m_n / sum w_n, w_n = 1 / (1 + s_n^q), m_n and s_n a sector's
    mean and deviation (of L, in units of 255). A sample at angle th weighs
    max(0, cos(th - 2 pi n / 8))^4 exp(-2 rho^2) in sector n.

    Args:
        radius: pixels; one, or a map.
        sharpness: q.
    """
    x, y = _grid(lab.shape)
    along, across = radius * (1 + flow.anisotropy), radius / (1 + flow.anisotropy)
    ax, ay = flow.x * along, flow.y * along
    bx, by = -flow.y * across, flow.x * across
    packed = np.dstack([lab, lab[..., 0] ** 2])
    points, weights = _sectors()
    result = np.empty_like(lab)
    for top in range(0, len(lab), 64):  # in bands: all samples of a band fit a cache better
        band = np.s_[top : top + 64]
        samples = np.stack(
            [
                _sample(
                    packed,
                    x[band] + u * ax[band] + v * bx[band],
                    y[band] + u * ay[band] + v * by[band],
                )
                for u, v in points
            ]
        )
        means = (weights @ samples.reshape(len(points), -1)).reshape(8, *samples.shape[1:])
        variance = np.clip(means[..., 3] - means[..., 0] ** 2, 0, None)
        share = 1 / (1 + (2.55**2 * variance) ** (sharpness / 2))
        result[band] = np.einsum("nhwc,nhw->hwc", means[..., :3], share / share.sum(axis=0))
    return result


def smooth_along(values: Map, flow: Flow, sigma: float) -> Map:
    """Gaussian of `sigma` pixels along the streamlines (line integral convolution, unit steps)."""
    steps = max(1, round(2 * sigma))
    total = values.copy()
    weights = 1.0
    tangents = np.dstack([flow.x, flow.y])
    start_x, start_y = _grid(values.shape)
    for sign in (1.0, -1.0):
        x, y = start_x.copy(), start_y.copy()
        dx, dy = sign * flow.x, sign * flow.y
        for step in range(1, steps + 1):
            x, y = x + dx, y + dy
            weight = float(np.exp(-0.5 * (step / sigma) ** 2))
            total += weight * _sample(values, x, y)
            weights += weight
            if step < steps:
                new = cv2.remap(
                    tangents, x, y, cv2.INTER_NEAREST, borderMode=cv2.BORDER_REFLECT_101
                )
                turn = np.where(new[..., 0] * dx + new[..., 1] * dy < 0, -1, 1).astype(np.float32)
                dx, dy = (
                    new[..., 0] * turn,
                    new[..., 1] * turn,
                )  # tangents have no sense of their own
    return total / np.float32(weights)


def flow_lines(
    lightness: Map, flow: Flow, *, width: float, level: float, slope: float, along: float
) -> Map:
    """Strokes by the flow-based difference of Gaussians (Kang, Lee, Chui 2007).

    With the soft threshold of Winnemoeller, Kyprianidis, Olsen (2012): D = G(w) - .98 G(1.6 w) across the flow, then smoothed along it; a stroke is 0 where
    D >= -level, else -tanh(slope (D + level)): (H, W) in [0, 1], 1 is ink.
    """
    x, y = _grid(lightness.shape)
    reach = max(2, round(2.5 * 1.6 * width))
    offsets = np.arange(-reach, reach + 1)
    narrow = np.exp(-0.5 * (offsets / width) ** 2)
    wide = np.exp(-0.5 * (offsets / (1.6 * width)) ** 2)
    weights = narrow / narrow.sum() - 0.98 * wide / wide.sum()
    difference = np.zeros_like(lightness)
    for offset, weight in zip(offsets.tolist(), weights.tolist(), strict=True):
        difference += np.float32(weight) * _sample(
            lightness, x - offset * flow.y, y + offset * flow.x
        )
    difference = smooth_along(difference, flow, along)
    return -np.tanh(slope * np.minimum(difference + level, 0))


def tone_regions(lab: Map, merge: float, kinds: NDArray[np.bool_] | None = None) -> Map:
    """Lay a picture out in regions of one tone each.

    Watersheds of the gradient (Vincent, Soille 1991) are merged, cheapest pair first, while

        (|Lab_i - Lab_j| + step_ij / 2) min(1, (n_min / 200)^(1/4)) < merge,

    n_min the pixels of the smaller, step_ij the mean gradient along their border: tones part
    gently, contours do not. A region takes its mean colour. Pixels on a contour have the colour of
    neither side: they count little, and are given to the region nearby whose tone is nearest, so
    that no rims stand between two tones. What is all contours (far windows, twigs) stays as it is.

    Args:
        lab: the smoothed picture.
        merge: CIELAB units.
        kinds: regions inside this mask never merge with those outside it.
    """
    labels = _watersheds(lab)
    count = int(labels.max()) + 1
    step = np.sqrt(sum(gradient(lab[..., c]) ** 2 for c in range(3)))
    # A pixel on a contour has the colour of neither side, and counts little: no rims.
    weight = 1 / (1 + (step / 1.5) ** 4)
    sizes = np.bincount(labels.ravel(), weight.ravel(), minlength=count)
    means = (
        np.stack(
            [
                np.bincount(labels.ravel(), (weight * lab[..., c]).ravel(), minlength=count)
                for c in range(3)
            ],
            axis=1,
        )
        / np.maximum(sizes, 1e-9)[:, None]
    )
    inside = np.zeros(count)
    if kinds is not None:
        inside = np.bincount(labels.ravel(), (weight * kinds).ravel(), minlength=count)
        inside = inside / np.maximum(sizes, 1e-9)

    # Neighbours: border length and summed gradient of each pair, found from both directions.
    pairs = []
    for axis in (0, 1):
        one = labels[:-1] if axis == 0 else labels[:, :-1]
        two = labels[1:] if axis == 0 else labels[:, 1:]
        edge = step[1:] if axis == 0 else step[:, 1:]
        differs = one != two
        low, high = np.minimum(one, two)[differs], np.maximum(one, two)[differs]
        pairs.append((low.astype(np.int64) * count + high, edge[differs]))
    keys, places = np.unique(np.concatenate([p for p, _ in pairs]), return_inverse=True)
    lengths = np.bincount(places)
    steps = np.bincount(places, np.concatenate([e for _, e in pairs]))
    neighbours: list[dict[int, tuple[float, float]]] = [{} for _ in range(count)]
    for key, length, total in zip(keys.tolist(), lengths.tolist(), steps.tolist(), strict=True):
        i, j = divmod(key, count)
        neighbours[i][j] = neighbours[j][i] = (length, total)

    colours, pixels, share = means.tolist(), sizes.tolist(), inside.tolist()

    def cost(i: int, j: int) -> float:
        (l1, a1, b1), (l2, a2, b2) = colours[i], colours[j]
        distance = ((l1 - l2) ** 2 + (a1 - a2) ** 2 + (b1 - b2) ** 2) ** 0.5
        length, total = neighbours[i][j]
        smaller = min(pixels[i], pixels[j])
        if (share[i] > 0.5) != (share[j] > 0.5) and smaller > 40:
            return float("inf")
        return (distance + 0.5 * total / length) * min(1.0, (smaller / 200) ** 0.25)

    version = [0] * count
    parent = list(range(count))
    heap = [(cost(i, j), i, j, 0, 0) for i in range(count) for j in neighbours[i] if i < j]
    heapq.heapify(heap)
    while heap and heap[0][0] < merge:
        _, i, j, at_i, at_j = heapq.heappop(heap)
        if version[i] != at_i or version[j] != at_j:
            continue  # one of them has grown since
        if len(neighbours[i]) < len(neighbours[j]):
            i, j = j, i
        both = pixels[i] + pixels[j]
        part = pixels[j] / both
        colours[i] = [
            (1 - part) * p + part * q for p, q in zip(colours[i], colours[j], strict=True)
        ]
        share[i] = (1 - part) * share[i] + part * share[j]
        pixels[i] = both
        parent[j] = i
        version[i] += 1
        version[j] = -1
        del neighbours[i][j]
        for k, (length, total) in neighbours[j].items():
            if k == i:
                continue
            del neighbours[k][j]
            if k in neighbours[i]:
                length, total = length + neighbours[i][k][0], total + neighbours[i][k][1]
            neighbours[i][k] = neighbours[k][i] = (length, total)
        neighbours[j] = {}
        for k in neighbours[i]:
            price = cost(i, k)
            if price < merge:
                heapq.heappush(heap, (price, i, k, version[i], version[k]))
    for i in range(count):
        root = i
        while parent[root] != root:
            root = parent[root]
        while parent[i] != root:
            parent[i], i = root, parent[i]
    roots = np.asarray(parent)[labels]
    tones = np.asarray(colours, np.float32)[roots]
    calm = (weight > 0.5) & (np.asarray(pixels)[roots] > 10)
    return _claim(np.where(calm[..., None], tones, np.float32(lab)), lab, calm)


def _claim(tones: Map, lab: Map, claimed: NDArray[np.bool_], reach: int = 4) -> Map:
    """Let tones grow by `reach` pixels over what is not claimed, the nearest in colour first.

    What is far (24) from all tones around, a letter or a glint, stays as it is.
    """
    for _ in range(reach):
        padded = cv2.copyMakeBorder(tones, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        known = np.pad(claimed, 1)
        best = np.full(claimed.shape, np.inf, np.float32)
        grown = tones.copy()
        for dy, dx in ((0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2)):
            place = np.s_[dy : dy + claimed.shape[0], dx : dx + claimed.shape[1]]
            candidate = padded[place]
            distance = ((candidate - lab) ** 2).sum(axis=2)
            better = known[place] & ~claimed & (distance < np.minimum(best, 24.0**2))
            best = np.where(better, distance, best)
            grown = np.where(better[..., None], candidate, grown)
        tones, claimed = grown, claimed | np.isfinite(best)
    return tones


def _watersheds(lab: Map) -> NDArray[np.int32]:
    """Number the catchment basins of the gradient, from 0; every pixel belongs to one."""
    step = blur(np.sqrt(sum(gradient(lab[..., c]) ** 2 for c in range(3))), 0.7)
    levels = np.clip(step * 24, 0, 65535).astype(np.uint16)  # so that calm places are one basin
    minima = (levels == cv2.erode(levels, np.ones((3, 3), np.uint8))).astype(np.uint8)
    count, markers = cv2.connectedComponents(minima, connectivity=4)
    heights = np.clip(step * 20, 0, 255).astype(np.uint8)
    markers = cv2.watershed(cv2.merge([heights] * 3), markers.astype(np.int32))
    # OpenCV leaves lines of one pixel between basins, and the frame, as -1.
    while (markers <= 0).any():
        grown = cv2.dilate(markers.astype(np.float32), np.ones((3, 3), np.uint8)).astype(np.int32)
        markers = np.where(markers > 0, markers, grown)
        if count == 1:
            markers[:] = 1
    return np.unique(markers, return_inverse=True)[1].reshape(markers.shape).astype(np.int32)


@dataclass(frozen=True)
class Face:
    """A face: its middle, half axes (across, down) and turn, in pixels and radians."""

    x: float
    y: float
    across: float
    down: float
    angle: float = 0.0


def face_map(faces: Sequence[Face], shape: tuple[int, int]) -> Map:
    """1 inside faces, 0 outside, soft borders."""
    found = np.zeros(shape, np.float32)
    for face in faces:
        x, y = _grid(shape)
        x, y = x - face.x, y - face.y
        c, s = float(np.cos(face.angle)), float(np.sin(face.angle))
        distance = np.hypot((c * x + s * y) / face.across, (c * y - s * x) / face.down)
        found = np.maximum(found, smoothstep(1.15, 0.9, distance))
    return found


def skin_map(lab: Map, faces: Sequence[Face]) -> Map:
    """1 on skin like that of a face found, within three of its widths; 0 elsewhere.

    The face's own middle tells its colour: median and spread of (L, a, b) there.
    """
    found = np.zeros(lab.shape[:2], np.float32)
    x, y = _grid(lab.shape)
    for face in faces:
        distance = np.hypot((x - face.x) / face.across, (y - face.y) / face.down)
        inner = lab[distance < 0.6]
        if len(inner) < 30:
            continue
        middle = np.median(inner, axis=0)
        spread = np.median(np.abs(inner - middle), axis=0) * 3.5 + (15, 5, 6)
        spread = np.minimum(spread, (32, 12, 14))  # hair may have a face's hue, and is darker
        away = (((lab - middle) / spread) ** 2).sum(axis=2)
        found = np.maximum(found, ((away < 1) & (distance < 3.5)).astype(np.float32))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5))
    found = cv2.morphologyEx(found, cv2.MORPH_OPEN, kernel)
    found = cv2.morphologyEx(
        found, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (7, 7))
    )
    return blur(found, 1.0)


def two_tone_skin(picture: Map, fine: Map, faces: Sequence[Face], share: float) -> Map:
    """Lay skin out as light and shadow, with eyes, lips and teeth as they were.

    s = sigmoid(2 (L - ref + dev / 2)) parts light from shadow, ref and dev the mean and deviation
    of the smoothed L under the mask within the size of a face; light is ref + dev / 2, shadow 8 to
    20 L darker and a little redder. What differs from the smoothed skin by more than its grain
    (features) is added back.
    """
    mask = skin_map(fine, faces)
    size = max(6.0, float(np.median([face.across for face in faces])))
    calm = fine
    for _ in range(3):
        calm = cv2.bilateralFilter(calm, 0, 9, min(5.0, size / 12))
    light = blur(calm[..., 0], max(0.8, size / 40))
    under = blur(mask, size) + 1e-3
    ref = blur(mask * light, size) / under
    dev = np.sqrt(np.clip(blur(mask * light**2, size) / under - ref**2, 4.0, None))
    lit = 0.5 + 0.5 * np.tanh(light - ref + 0.5 * dev)
    depth = np.clip(1.6 * dev, 8, 20)
    tone = ref + 0.45 * dev - (1 - lit) * depth
    flat = calm.copy()
    flat[..., 0] = tone
    flat[..., 1] = blur(mask * calm[..., 1], size / 3) / (blur(mask, size / 3) + 1e-3) + 2.0 * (
        1 - lit
    )
    flat[..., 2] = blur(mask * calm[..., 2], size / 3) / (blur(mask, size / 3) + 1e-3) + 1.0 * (
        1 - lit
    )
    # Features: off the smoothed skin by more than its grain.
    off = fine - blur(calm, max(1.5, size / 14))
    strength = smoothstep(4.0, 12.0, np.abs(off[..., 0]) + 0.7 * np.hypot(off[..., 1], off[..., 2]))
    strength = blur(strength, 0.7)
    flat = flat + strength[..., None] * (fine - flat)
    # A small face is all features: two tones would take its eyes.
    amount = share * float(smoothstep(14.0, 36.0, np.float32(size)))
    return picture + (mask * amount)[..., None] * (flat - picture)


def soft_places(lightness: Map) -> Map:
    """1 in wide places of a small gradient (skies, walls), which stay graded; 0 elsewhere.

    The gradient is averaged over what is no contour, so that a sky is one up to the roof.
    """
    steps = gradient(blur(lightness, 1.5))
    calm = (steps < 1.2).astype(np.float32)
    mean = blur(steps * calm, 6.0) / (blur(calm, 6.0) + 1e-3)
    return smoothstep(0.6, 0.3, mean) * smoothstep(0.3, 0.7, blur(calm, 6.0) * calm + 0.3 * calm)


def detail_map(photo: Map, painted: Map, texture: Map, accent: float = 4.0) -> Map:
    """Where fine detail stands out from what was painted over: eyes, letters; not leaves.

    Args:
        photo, painted: lightness.
        texture: 1 where fine detail is foliage or fur; there it is dropped where it crowds.
        accent: L units; a difference of this much is kept whole, of half of it not at all.
    """
    found = np.clip(2 * blur(np.abs(photo - painted), 1.0) / accent - 1, 0, 1)
    crowded = np.clip((blur(found, 8.0) - 0.15) / 0.2, 0, 1)
    return (found * (1 - crowded * (0.25 + 0.75 * texture))).astype(np.float32)


def salience(photo: Map, tones: Map, flow: Flow) -> Map:
    """0 where a line is no contour, 1 where it is one.

    A contour parts two tones (both sides of a hair have one), at once: what takes more than a few
    pixels from one side to the other is a cloud's rim, or out of focus.

    Args:
        photo, tones: CIELAB, as it was and as it is laid out.
    """
    parted = smoothstep(4.0, 14.0, _across(tones, flow, 4.0))
    sudden = _across(photo, flow, 1.5) / (_across(photo, flow, 5.0) + 2.0)
    return blur(parted * smoothstep(0.35, 0.65, blur(sudden, 1.0)), 1.0)


def _across(lab: Map, flow: Flow, reach: float) -> Map:
    """How much the colours at `reach` pixels on both sides of an edge differ, CIELAB units."""
    x, y = _grid(lab.shape)
    dx, dy = -reach * flow.y, reach * flow.x
    sides = _sample(lab, x + dx, y + dy) - _sample(lab, x - dx, y - dy)
    return np.sqrt((sides * sides).sum(axis=2))


def without_short_strokes(lines: Map, shortest: float) -> Map:
    """Fade connected strokes that are shorter than this, in pixels: dashes on grass and water."""
    solid = (lines > 0.25).astype(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(solid, connectivity=8)
    length = np.hypot(stats[:, cv2.CC_STAT_WIDTH], stats[:, cv2.CC_STAT_HEIGHT])
    keep = smoothstep(0.6 * shortest, 1.2 * shortest, length.astype(np.float32))
    keep[0] = 0  # what belongs to no stroke goes with the strokes beside it
    wide = cv2.dilate(keep[labels], np.ones((5, 5), np.uint8))
    return lines * wide


def paint_cel(photo: RGB, settings: CelSettings, faces: Sequence[Face] = ()) -> tuple[RGB, Map]:
    """Paint a photo, uint8 (H, W, 3) RGB.

    Returns:
        The drawing, uint8 (H, W, 3), and its strokes, float32 (H, W): 0 paper, 1 ink.
    """
    lab = cv2.cvtColor(photo.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    light = lab[..., 0]
    flow = edge_tangent_flow(light)

    # Texture is high local contrast, over a wide area, in all directions: foliage, fur. There the
    # brush grows; what runs one way (windows, tiles) and a word on a shirt keep a fine one.
    contrast = blur(np.abs(light - blur(light, 2.0)), 3.0)
    share = blur((contrast > 2.5).astype(np.float32), 20.0)  # of the place around that is textured
    order = edge_tangent_flow(light, 6.0).anisotropy
    texture = smoothstep(2.0, 6.0, blur(contrast, 6.0)) * smoothstep(0.3, 0.6, share)
    texture = texture * smoothstep(0.6, 0.25, blur(order, 4.0))
    radius = settings.brush + (settings.texture_brush - settings.brush) * texture
    painted = anisotropic_kuwahara(lab, flow, radius)

    # Light strokes of a finer brush: what eyes and letters are taken from.
    fine = anisotropic_kuwahara(lab, flow, 1.0)
    accents = detail_map(fine[..., 0], painted[..., 0], texture) * settings.detail
    face = face_map(faces, light.shape)
    accents = np.maximum(accents, face * settings.face_detail)[..., None]
    painted = painted + accents * (fine - painted)

    # Calm contours, where there is an edge to follow: in skies it would draw stripes.
    along = edge_tangent_flow(painted[..., 0], 2.5)
    calmer = smooth_along(painted, along, settings.flow)
    edge = smoothstep(0.4, 1.6, blur(gradient(painted[..., 0]), 1.0)) * (1 - face)
    edge = edge * smoothstep(0.3, 0.7, along.anisotropy)
    painted = painted + edge[..., None] * (1 - accents) * (calmer - painted)

    # Regions of one tone; their borders drawn anew by a small brush.
    tones = tone_regions(painted, settings.merge)
    borders = edge_tangent_flow(blur(tones[..., 0], 1.0), 2.5)
    straight = smoothstep(0.3, 0.8, borders.anisotropy)[..., None]
    tones = tones + straight * (smooth_along(tones, borders, 2.5) - tones)
    tones = anisotropic_kuwahara(tones, borders, 2.0)
    wide = soft_places(light) * settings.gradient
    flat = settings.flatness * (1 - wide) * (1 - 0.85 * face)
    back = detail_map(fine[..., 0], tones[..., 0], texture) * settings.detail
    flat = (flat * (1 - back))[..., None]
    soft = np.where(wide[..., None] > 0, cv2.bilateralFilter(painted, 9, 6, 4), painted)
    picture = soft + flat * (tones - soft)
    if faces and settings.skin:
        picture = two_tone_skin(picture, fine, faces, settings.skin)

    # Strokes.
    source = painted[..., 0]
    lines = flow_lines(
        source,
        edge_tangent_flow(source, 2.0),
        width=settings.line_width,
        level=settings.line_level,
        slope=settings.line_slope,
        along=settings.line_flow,
    )
    crowd = np.clip((blur(lines, 8.0) - 0.14) / 0.3, 0, 1) * settings.crowding
    lines = without_short_strokes(lines, settings.line_length)
    lines = lines * (0.2 + 0.8 * salience(lab, tones, edge_tangent_flow(source, 2.0)))
    lines = lines * (1 - crowd) * (1 - 0.6 * texture) * (1 - 0.5 * face)
    return colour(picture, lines, settings), lines


def colour(picture: Map, lines: Map, settings: CelSettings) -> RGB:
    """Grade, ink and print a painted picture: CIELAB to uint8 RGB."""
    lab = picture.copy()
    lab[..., 1:] *= settings.vividness
    rgb = np.clip(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB), 0, 1) ** settings.gamma
    ink = lines[..., None] * settings.ink
    darkened = settings.line_tone * rgb * rgb + (1 - settings.line_tone) * np.float32(
        settings.line_colour
    )
    rgb = rgb + ink * (darkened - rgb)
    black, paper = np.float32(settings.black), np.float32(settings.paper)
    return np.clip((black + rgb * (paper - black)) * 255 + 0.5, 0, 255).astype(np.uint8)
