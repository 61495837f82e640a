"""The tone mapping against the same equations with matrices, in double precision."""

from __future__ import annotations

import numpy as np
import pytest

from sakuga.video import hdr

# ITU-R BT.2087, annex 2, and the luminance of BT.2020
TO_709 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
LUMINANCE = np.array([0.2627, 0.6780, 0.0593])


@pytest.mark.parametrize("transfer", [hdr.PQ, hdr.HLG])
def test_tone_mapping_is_that_of_the_matrices(transfer):
    samples = np.random.default_rng(3).integers(0, 65536, (40, 50, 3)).astype(np.uint16)
    value = samples / 65535
    if transfer == hdr.PQ:  # SMPTE ST 2084
        root = value ** (32 / 2523)
        ratio = np.maximum(root - 107 / 128, 0) / (2413 / 128 - 2392 / 128 * root)
        light = 10000 / 203 * ratio ** (16384 / 2610)
    else:  # ARIB STD-B67, and the OOTF of a screen of 1000 nits
        high = (np.exp((value - 0.55991073) / 0.17883277) + 0.28466892) / 12
        light = np.where(value <= 0.5, value**2 / 3, high)
        light = 1000 / 203 * light * (light @ LUMINANCE)[..., None] ** 0.2
    light = np.maximum(light @ TO_709.T, 0)
    strongest = np.maximum(light.max(axis=2, keepdims=True), 1e-6)
    peak = (1000 / 203 - 0.5) / 0.5
    above = np.clip((strongest - 0.5) / 0.5, 0, peak)
    bent = 0.5 + 0.5 * above * (1 + above / peak**2) / (1 + above)
    light *= np.where(strongest < 0.5, strongest, bent) / strongest
    expected = 255 * np.clip(light, 0, 1) ** (1 / 2.2)
    # Dark light is coarse in the last table of 4096 steps, and there alone.
    bright = expected > 30
    difference = np.abs(hdr.tone_map(samples, transfer) - expected)
    assert bright.mean() > 0.5
    assert difference[bright].max() < 1.5
