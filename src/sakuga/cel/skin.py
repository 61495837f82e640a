"""Faces and skin: two tones, with eyes, lips and teeth as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from sakuga.cel.filters import Map, blur, grid, smoothstep


@dataclass(frozen=True)
class Face:
    """A face: its middle, half axes (across, down) and turn, in pixels and radians."""

    x: float
    y: float
    across: float
    down: float
    angle: float = 0.0


def face_map(faces: Sequence[Face], shape: tuple[int, int], size: float = 1.0) -> Map:
    """1 inside faces, `size` times as large as found, 0 outside, soft borders."""
    found: Map = np.zeros(shape, np.float32)
    columns, rows = grid(shape)
    for face in faces:
        x, y = columns - face.x, rows - face.y
        c, s = float(np.cos(face.angle)), float(np.sin(face.angle))
        distance = np.hypot((c * x + s * y) / face.across, (c * y - s * x) / face.down)
        found = np.maximum(found, smoothstep(1.15 * size, 0.9 * size, distance))
    return found


def draw_features(fine: Map, lab: Map, faces: Sequence[Face]) -> tuple[Map, Map]:
    """Draw lashes, brows, lips and nostrils darker, and crisp: what makes a face a face.

    With d = L - blur(L, a sixth of the face's half width), L + .4 min(d, 0) and an unsharp mask,
    where d is more than grain. A small face takes the photo's own pixels: a brush would smear it.

    Args:
        fine, lab: the lightly painted photo, and the photo.

    Returns:
        The painted photo with features, and 1 where it is to be kept: a small face, a large
        one's features.
    """
    drawn, kept = fine, np.zeros(lab.shape[:2], np.float32)
    for face in faces:
        inside = face_map([face], lab.shape[:2], 0.8)
        small = float(smoothstep(50.0, 22.0, np.array(face.across, np.float32)))
        drawn = drawn + (small * inside)[..., None] * (lab - drawn)
        light = drawn[..., 0]
        off = light - blur(light, max(2.0, face.across / 6))
        grain = 3.0 + 3.0 * (1 - small)  # a large face shows its pores
        strong = inside * smoothstep(grain, grain + 8, np.abs(off))
        crisp = light - blur(light, 1.2)
        drawn[..., 0] = np.clip(light + strong * (0.4 * np.minimum(off, 0) + 0.5 * crisp), 0, 100)
        whole = face_map([face], lab.shape[:2])
        kept = np.maximum(kept, whole * np.maximum(small, 0.5 + 0.5 * blur(strong, 1.0)))
    return drawn, kept


def skin_map(lab: Map, faces: Sequence[Face]) -> Map:
    """1 on skin like that of a face found, within three of its widths; 0 elsewhere.

    The face's own middle tells its colour: median and spread of (L, a, b) there.
    """
    found: Map = np.zeros(lab.shape[:2], np.float32)
    x, y = grid(lab.shape)
    for face in faces:
        distance = np.hypot((x - face.x) / face.across, (y - face.y) / face.down)
        inner = lab[distance < 0.6]
        if len(inner) < 30:
            continue
        middle: Map = np.median(inner, axis=0)
        spread: Map = np.median(np.abs(inner - middle), axis=0) * 3.5 + (15, 5, 6)
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
    strength = smoothstep(6.0, 14.0, np.abs(off[..., 0]) + 0.7 * np.hypot(off[..., 1], off[..., 2]))
    strength = blur(strength, 0.7)
    flat = flat + strength[..., None] * (fine - flat)
    # A small face is all features: two tones would take its eyes.
    amount = share * float(np.clip((size - 14) / 22, 0, 1))
    laid: Map = picture + (mask * amount)[..., None] * (flat - picture)
    return laid
