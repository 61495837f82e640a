"""High dynamic range into the standard range, after ITU-R BT.2100 and BT.2087.

    samples -> light (PQ or HLG) -> BT.709 primaries -> highlights rolled off -> gamma

Light below half of diffuse white keeps its brightness, what is above is compressed; hues are kept,
because one factor scales the three colours of a pixel.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

PQ = 16  # AVColorTransferCharacteristic of SMPTE ST 2084
HLG = 18  # and of ARIB STD-B67
NAMES = {PQ: "HDR10 (PQ)", HLG: "HLG"}

_WHITE_NITS = 203.0  # diffuse white, ITU-R BT.2408
_PEAK_NITS = 1000.0  # what most HDR video is graded for; brighter light is clipped
_KNEE = 0.5  # of diffuse white: below it nothing changes
_LEVELS = 4096  # steps of the last lookup table
# Linear BT.2020 to linear BT.709 (ITU-R BT.2087, annex 2).
_TO_709 = ((1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187))
_LUMINANCE = (0.2627, 0.6780, 0.0593)  # of BT.2020


def tone_map(samples: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """Turn BT.2020 R'G'B' of high dynamic range into 8-bit BT.709 R'G'B'.

    Args:
        samples: uint16 (H, W, 3), full range.
        transfer: `PQ` or `HLG`.

    Returns:
        uint8 (H, W, 3).
    """
    light = _to_light(transfer)[samples]  # (H, W, 3), 1 = diffuse white
    if transfer == HLG:  # the OOTF: display light = scene light x its luminance ^ (gamma - 1)
        luminance = _mixed(light, _LUMINANCE)
        light *= (_PEAK_NITS / _WHITE_NITS) * np.maximum(luminance, 1e-6)[..., None] ** 0.2
    light = np.maximum(np.stack([_mixed(light, row) for row in _TO_709], axis=2), 0)
    strongest = np.maximum(light.max(axis=2, keepdims=True), 1e-6)
    light *= _roll_off(strongest) / strongest
    steps = np.minimum(light * np.float32(_LEVELS - 1) + np.float32(0.5), _LEVELS - 1)
    mapped: NDArray[np.uint8] = _to_gamma()[steps.astype(np.uint16)]
    return mapped


def _mixed(light: NDArray[np.float32], shares: Sequence[float]) -> NDArray[np.float32]:
    """The sum of the three colours by their shares, (H, W).

    Not `@`: BLAS would wake a pool of threads for it, which is slow beside other work.
    """
    red, green, blue = (np.float32(share) for share in shares)
    mixed: NDArray[np.float32] = light[..., 0] * red + light[..., 1] * green + light[..., 2] * blue
    return mixed


def _roll_off(light: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave light below the knee, bend what is above so that the peak becomes 1, slope continuous.

    Above the knee k: k + (1 - k) x (1 + x / p^2) / (1 + x), the extended curve of Reinhard et al.
    2002, with x the light above the knee in units of 1 - k and p the peak in the same units.
    """
    peak = (_PEAK_NITS / _WHITE_NITS - _KNEE) / (1 - _KNEE)
    above = np.clip((light - _KNEE) / (1 - _KNEE), 0, peak)
    bent = _KNEE + (1 - _KNEE) * above * (1 + above / peak**2) / (1 + above)
    return np.where(light < _KNEE, light, bent).astype(np.float32)


@functools.cache
def _to_light(transfer: int) -> NDArray[np.float32]:
    """The table from a 16-bit sample to light: display light of PQ, scene light (0 to 1) of HLG."""
    signal = np.linspace(0, 1, 65536)
    if transfer == PQ:  # BT.2100 table 4, in units of diffuse white
        m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
        root = signal ** (1 / m2)
        light = 10000 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1) / _WHITE_NITS
    else:  # BT.2100 table 5, the inverse OETF
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        light = np.where(signal <= 0.5, signal**2 / 3, (np.exp((signal - c) / a) + b) / 12)
    return light.astype(np.float32)


@functools.cache
def _to_gamma() -> NDArray[np.uint8]:
    """The table from linear light in `_LEVELS` steps to 8 bits, gamma 2.2."""
    return np.round(255 * np.linspace(0, 1, _LEVELS) ** (1 / 2.2)).astype(np.uint8)
