"""The terms of the objective: pure functions, one equation each.

Unless a function says otherwise, pictures are (B, 3, H, W) in [-1, 1], features are (B, C, h,
w), and the result is a scalar mean over the batch, so that a term does not depend on batch or
picture size. Feature terms are divided by the mean magnitude of their target: a weight then
means the same for any VGG file.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sakuga.images.colour import D65_WHITE, LINEAR_TO_XYZ
from sakuga.models.local import luma
from sakuga.train.flatten import gaussian_blur

EPSILON = 1e-6

# --- Adversarial ---------------------------------------------------------------------------------


def bce_real(logits: Tensor) -> Tensor:
    """-log D, the loss of logits that should say "anime" (CartoonGAN eq. 3)."""
    return F.softplus(-logits).mean()


def bce_fake(logits: Tensor) -> Tensor:
    """-log(1 - D), the loss of logits that should say "not anime" (CartoonGAN eq. 3)."""
    return F.softplus(logits).mean()


def lsgan_real(logits: Tensor) -> Tensor:
    """(D - 0.9)^2: least squares (Mao et al. 2017) with the soft label 0.9 (AnimeGANv3)."""
    return (logits - 0.9).square().mean()


def lsgan_fake(logits: Tensor) -> Tensor:
    """(D - 0.1)^2: least squares with the soft label 0.1."""
    return (logits - 0.1).square().mean()


# --- Content, style, structure -------------------------------------------------------------------


def feature_distance(features: Tensor, target: Tensor) -> Tensor:
    """|phi(g) - phi(t)| / |phi(t)|, means of a picture: CartoonGAN's content (eq. 4), normalised.

    With the photo as target this is the content term, with the flattened photo the structure term
    (White-box Cartoonization 2020, eq. 3).
    """
    return _relative_distance(features.float(), target.float())


def gram(features: Tensor, *, centred: bool = True) -> Tensor:
    """F F^T / (C H W), (B, C, C) (Gatys et al. 2016); centred: without channel means."""
    batch, channels, height, width = features.shape
    flat = features.float().reshape(batch, channels, height * width)
    if centred:
        flat = flat - flat.mean(dim=2, keepdim=True)
    return flat @ flat.transpose(1, 2) / (channels * height * width)


def gram_distance(features: Tensor, anime: Tensor) -> Tensor:
    """|Gram(g) - Gram(a)| / |Gram(a)|, centred (AnimeGANv3's style loss), normalised."""
    return _relative_distance(gram(features), gram(anime))


def _relative_distance(values: Tensor, target: Tensor) -> Tensor:
    """mean of |v - t|_1 / |t|_1: each picture by itself, so that ranks can share a batch."""
    difference = (values - target).abs().flatten(1).mean(dim=1)
    return (difference / (target.abs().flatten(1).mean(dim=1) + EPSILON)).mean()


# --- Colour --------------------------------------------------------------------------------------


def srgb_to_lab(pictures: Tensor) -> Tensor:
    """sRGB in [-1, 1] to CIELAB, D65 (CIE 15:2004): L in [0, 100], a and b about [-128, 127]."""
    encoded = ((pictures.float() + 1) / 2).clamp(0, 1)
    linear = torch.where(encoded > 0.04045, ((encoded + 0.055) / 1.055) ** 2.4, encoded / 12.92)
    white = linear.new_tensor(D65_WHITE).view(1, 3, 1, 1)
    xyz = torch.einsum("ij,bjhw->bihw", linear.new_tensor(LINEAR_TO_XYZ), linear) / white
    # The cube root's slope is infinite at 0: clamp keeps gradients finite; `where` picks the line.
    root = xyz.clamp(min=216 / 24389) ** (1 / 3)
    f = torch.where(xyz > 216 / 24389, root, (24389 / 27 * xyz + 16) / 116)
    x, y, z = f.unbind(dim=1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], dim=1)


def lab_distance(anime: Tensor, photo: Tensor) -> Tensor:
    """2 |dL| / 100 + |da| / 255 + |db| / 255, means: colour kept to the photo (AnimeGANv3)."""
    difference = (srgb_to_lab(anime) - srgb_to_lab(photo)).abs().mean(dim=(0, 2, 3))
    return 2 * difference[0] / 100 + difference[1] / 255 + difference[2] / 255


# --- Smoothness ----------------------------------------------------------------------------------


def total_variation(pictures: Tensor) -> Tensor:
    """mean |dx| + mean |dy| of neighbours (Rudin, Osher, Fatemi 1992; anisotropic)."""
    across = (pictures[..., :, 1:] - pictures[..., :, :-1]).abs().mean()
    down = (pictures[..., 1:, :] - pictures[..., :-1, :]).abs().mean()
    return across + down


def pixel_distance(anime: Tensor, target: Tensor, emphasis: Tensor | None = None) -> Tensor:
    """mean w |g - t|: to the cel target, or from G(photo + noise) to G(photo), noise consistency.

    The L1 distance alone is least where a doubtful line is left out (the median of "ink" and
    "paper" is "paper"); an `emphasis` w, (B, 1, H, W), of 1 + k on lines draws it where the odds
    exceed 1 in k.
    """
    difference = (anime - target).abs()
    return (difference if emphasis is None else difference * emphasis).mean()


def gradient_distance(picture: Tensor, target: Tensor) -> Tensor:
    """|dx g - dx t| + |dy g - dy t|, means: a soft border costs on both of its sides."""
    across = (picture[..., :, 1:] - picture[..., :, :-1]) - (
        target[..., :, 1:] - target[..., :, :-1]
    )
    down = (picture[..., 1:, :] - picture[..., :-1, :]) - (target[..., 1:, :] - target[..., :-1, :])
    return across.abs().mean() + down.abs().mean()


def sparse_gradients(
    picture: Tensor, target: Tensor, still: float = 0.02, knee: float = 0.005
) -> Tensor:
    """mean of |d g|^(1/2) where |d t| < `still`, d the steps of luma to the next pixel, x and y.

    The prior of sparse gradients (Krishnan, Fergus 2009), where the drawing is flat: ten small
    steps cost three times what a large one does, so that a border whose place is doubtful is crisp
    somewhere, where a distance alone is least for a blurred one.

    Args:
        knee: what is much smaller costs as its square, lest the slope at 0 be infinite.
    """
    drawn, wanted = luma(picture), luma(target)
    total = drawn.new_zeros(())
    for axis in (2, 3):
        step, aim = drawn.diff(dim=axis), wanted.diff(dim=axis)
        root = (step.square() + knee**2) ** 0.25 - knee**0.5
        total = total + (root * (aim.abs() < still)).mean()
    return total


def stroke_cross_entropy(logits: Tensor, strokes: Tensor, favour: float) -> Tensor:
    """-favour s log p - (1 - s) log(1 - p), p = sigmoid(logits): a stroke is decided, not averaged.

    Args:
        logits, strokes: (B, 1, H, W); strokes in [0, 1], 1 is ink.
        favour: how much more a missing stroke counts than one too many.
    """
    weight = logits.new_tensor(favour)
    return F.binary_cross_entropy_with_logits(logits, strokes, pos_weight=weight)


def side_cross_entropy(
    logits: Tensor, drawing: Tensor, outside: Tensor, reach: int = 6, plain: float = 0.1
) -> Tensor:
    """On which side of a border of two tones a pixel lies is decided, too.

    With d the drawing's luma less its mean over a window, a pixel is of the brighter tone where
    d > 0:  sum w (-[d > 0] log p - [d <= 0] log(1 - p)) / sum w,  p = sigmoid(logits).

    Args:
        logits: (B, 1, H, W).
        drawing: (B, 3, H, W) in [-1, 1].
        outside: (B, 1, H, W) in [0, 1], 0 where ink is: that is no tone.
        reach: pixels from the middle of the window to its border.
        plain: w = outside min(|d| / plain, 1): what is flat in the drawing does not count.
    """
    tones = luma(drawing)
    mean = F.avg_pool2d(tones, 2 * reach + 1, 1, reach, count_include_pad=False)
    apart = tones - mean
    weight = outside * (apart.abs() / plain).clamp(max=1)
    brighter = (apart > 0).to(logits.dtype)
    entropy = F.binary_cross_entropy_with_logits(logits, brighter, weight, reduction="sum")
    return entropy / (weight.sum() + 1)


# --- What the discriminators see -----------------------------------------------------------------


def texture_view(pictures: Tensor) -> Tensor:
    """Gray in [-1, 1], (B, 1, H, W): lines and shading without colour (White-box's texture)."""
    return luma(pictures)


def surface_view(pictures: Tensor) -> Tensor:
    """Colour blurred by a Gaussian of 3 pixels, (B, 3, H, W): the palette (White-box's surface)."""
    return gaussian_blur(pictures.float(), 3.0)
