"""Drawings with their lines blurred away: what the discriminator learns to call wrong.

The edge-promoting adversarial loss of CartoonGAN (Chen, Lai, Liu, CVPR 2018, section 3.2) needs,
for every drawing, a copy without clear edges. A generator that paints flat colours and forgets the
lines then fools nobody.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

CANNY_LOW = 100.0  # gradient (sum of |Sobel x|, |Sobel y|) that continues a line
CANNY_HIGH = 200.0  # gradient that starts one
KERNEL_PIXELS = 5  # side of both the square that widens the lines and the Gaussian

_SQUARE = np.ones((KERNEL_PIXELS, KERNEL_PIXELS), np.uint8)


def smooth_edges(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Blur a drawing along its lines and nowhere else.

    Canny finds the lines in the gray picture, a 5x5 dilation widens them, and a 5x5 Gaussian
    (sigma 1.1, reflected at the border) replaces the pixels there.

    Args:
        picture: uint8 (H, W, 3) RGB, any size from 1x1; not changed.

    Returns:
        uint8 (H, W, 3) RGB: equal to `picture` wherever no line is within two pixels.
    """
    lines = cv2.Canny(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), CANNY_LOW, CANNY_HIGH)
    near_lines = cv2.dilate(lines, _SQUARE)
    # Sigma 0 lets OpenCV derive it from the kernel: 0.3 * ((5 - 1) / 2 - 1) + 0.8 = 1.1.
    blurred = cv2.GaussianBlur(picture, (KERNEL_PIXELS, KERNEL_PIXELS), 0)
    smoothed = picture.copy()
    cv2.copyTo(blurred, near_lines, smoothed)
    return smoothed
