"""Regions of one tone: what makes a picture flat, with crisp borders."""

from __future__ import annotations

import heapq

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.cel.filters import Map, blur, gradient, smoothstep


def tone_regions(lab: Map, merge: float, shade: float = 0.0, busy: Map | None = None) -> Map:
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
        shade: L units, above 0: watersheds are parted at `shade_bands` too, and neighbours within
            one band merge at a lower price than those of two.
        busy: 0 to 1, where much is small and strong: the price is up to twice as high there.
    """
    labels = _watersheds(lab)
    bands: list[int] = [0] * (int(labels.max()) + 1)
    if shade:
        split = labels.astype(np.int64) * 256 + shade_bands(lab, shade) + 128
        keys, places = np.unique(split, return_inverse=True)
        labels, bands = places.reshape(labels.shape).astype(np.int32), (keys % 256).tolist()
    count = len(bands)
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

    still = np.ones(count)  # 1; up to twice the price where it is busy
    if busy is not None:
        still += np.bincount(labels.ravel(), busy.ravel(), count) / np.bincount(labels.ravel())
    prices: list[float] = still.tolist()

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

    colours: list[list[float]] = means.tolist()
    pixels: list[float] = sizes.tolist()

    def cost(i: int, j: int) -> float:
        (l1, a1, b1), (l2, a2, b2) = colours[i], colours[j]
        distance: float = ((l1 - l2) ** 2 + (a1 - a2) ** 2 + (b1 - b2) ** 2) ** 0.5
        length, total = neighbours[i][j]
        smaller = min(pixels[i], pixels[j])
        price: float = (distance + 0.5 * total / length) * min(1.0, (smaller / 200) ** 0.25)
        price *= min(prices[i], prices[j])
        return price * (1.0 if not shade else 0.6 if bands[i] == bands[j] else 1.25)

    version = [0] * count
    parent = list(range(count))
    priced = ((cost(i, j), i, j, 0, 0) for i in range(count) for j in neighbours[i] if i < j)
    heap = [pair for pair in priced if pair[0] < merge]
    heapq.heapify(heap)
    while heap:
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
        prices[i] = (1 - part) * prices[i] + part * prices[j]
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
    tones, claimed = tones.copy(), claimed.copy()
    rows, columns = np.nonzero(~claimed)
    for _ in range(reach):
        padded = cv2.copyMakeBorder(tones, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        known = np.pad(claimed, 1)
        here = lab[rows, columns]
        best = np.full(len(rows), np.inf, np.float32)
        grown = tones[rows, columns]
        for dy, dx in ((0, 1), (1, 0), (1, 2), (2, 1), (0, 0), (0, 2), (2, 0), (2, 2)):
            candidate = padded[rows + dy, columns + dx]
            distance = ((candidate - here) ** 2).sum(axis=1)
            better = known[rows + dy, columns + dx] & (distance < np.minimum(best, 24.0**2))
            best = np.where(better, distance, best)
            grown = np.where(better[:, None], candidate, grown)
        tones[rows, columns] = grown
        claimed[rows, columns] = found = np.isfinite(best)
        rows, columns = rows[~found], columns[~found]
    return tones


def _watersheds(lab: Map) -> NDArray[np.int32]:
    """Number the catchment basins of the gradient, from 0; every pixel belongs to one."""
    step = blur(np.sqrt(sum(gradient(lab[..., c]) ** 2 for c in range(3))), 1.0)
    levels = np.clip(step * 24, 0, 65535).astype(np.uint16)  # so that calm places are one basin
    minima = (levels == cv2.erode(levels, np.ones((3, 3), np.uint8))).astype(np.uint8)
    _, markers = cv2.connectedComponents(minima, connectivity=4)
    heights = np.clip(step * 20, 0, 255).astype(np.uint8)
    # OpenCV leaves the frame, and lines of one pixel between basins, as -1: the frame is added
    # here, the lines go to the basin beside them.
    heights, padded = (
        cv2.copyMakeBorder(plane, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
        for plane in (heights, markers.astype(np.int32))
    )
    markers = cv2.watershed(cv2.merge([heights] * 3), padded)[1:-1, 1:-1]
    square = np.ones((3, 3), np.uint8)
    while (markers <= 0).any() and (markers > 0).any():
        grown = cv2.dilate(markers.astype(np.float32), square).astype(np.int32)
        markers = np.where(markers > 0, markers, grown)
    return np.unique(markers, return_inverse=True)[1].reshape(markers.shape).astype(np.int32)


def few_lightnesses(lab: Map, bins: int, sharpness: float = 6.0) -> Map:
    """Bring lightness to `bins` levels, evenly from 0 to 100, with narrow steps between.

    After the soft quantiser of Winnemoeller, Olsen, Gooch (2006, eq. 3), with the level flat and
    the step soft: L' = q + w / 2 sign(L - q) (2 |L - q| / w)^sharpness, q the nearest level and w
    the distance of two.
    """
    width = 100 / max(1, bins - 1)
    level = np.rint(lab[..., 0] / width) * width
    off = (lab[..., 0] - level) / (width / 2)
    result = lab.copy()
    result[..., 0] = level + width / 2 * np.sign(off) * np.abs(off) ** sharpness
    return result


def shade_bands(lab: Map, step: float) -> NDArray[np.int32]:
    """Part soft shading (skin, cloth) where the smoothed lightness passes a multiple of step.

    Such a border can be told from the place alone: a network draws it crisp, where it can only
    guess at a watershed's.

    Args:
        lab: a smoothed picture.
        step: L units.
    """
    smooth = lab
    for _ in range(3):
        smooth = cv2.bilateralFilter(smooth, 0, 9, 4.0)
    light = blur(smooth[..., 0], 2.0)
    light = light + smoothstep(3.0, 8.0, gradient(light)) * (lab[..., 0] - light)  # contours
    bands: NDArray[np.int32] = np.floor(light / step).astype(np.int32)
    return bands


def soft_places(lightness: Map) -> Map:
    """1 in wide places of a small gradient (skies, walls), which stay graded; 0 elsewhere.

    The gradient is averaged over what is no contour, so that a sky is one up to the roof.
    """
    steps = gradient(blur(lightness, 1.5))
    calm = (steps < 1.2).astype(np.float32)
    mean = blur(steps * calm, 6.0) / (blur(calm, 6.0) + 1e-3)
    return smoothstep(0.6, 0.3, mean) * smoothstep(0.3, 0.7, blur(calm, 6.0) * calm + 0.3 * calm)
