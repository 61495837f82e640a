"""Guards against the ways a GAN collapses: measured on a step, stopped with a sentence."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from sakuga.errors import TrainingError
from sakuga.train.flatten import gaussian_blur
from sakuga.train.losses import srgb_to_lab

GRADIENT_MIN = 0.2  # of the photo's gradient: below it the picture is one flat colour
CLIPPED_SHARE_MAX = 0.30  # of all values, at black or white, above the share of what is aimed at
DEVIATION_MIN = 0.02  # of [-1, 1]: below it the picture is one colour


@torch.no_grad()
def measure_health(
    photo: Tensor, painted: Tensor, drawing: Tensor | None = None
) -> dict[str, float]:
    """Chroma shift, gradient ratio, clipped share and deviation of (B, 3, H, W) in [-1, 1].

    Args:
        drawing: of the photo, from a pair: ink and paper may be all that it has.
    """
    photo, painted = photo.float(), painted.float().clamp(-1, 1)
    lab_photo, lab_painted = srgb_to_lab(photo), srgb_to_lab(painted)
    chroma = gaussian_blur(lab_painted[:, 1:] - lab_photo[:, 1:], 8.0)
    aim = photo if drawing is None else drawing
    clipped = (painted.abs() > 0.998).float().mean() - (aim.abs() > 0.998).float().mean()
    return {
        "chroma_shift": float(chroma.square().sum(dim=1).sqrt().mean()),
        "gradient": float(_gradient(lab_painted) / _gradient(lab_photo).clamp(min=1e-6)),
        "clipped_share": float(clipped),
        "deviation": float(painted.flatten(1).std(dim=1).mean()),
    }


def _gradient(lab: Tensor) -> Tensor:
    """Mean gradient of lightness, blurred a little so that noise does not count."""
    lightness = gaussian_blur(lab[:, :1], 0.8)
    across = lightness[..., 1:, 1:] - lightness[..., 1:, :-1]
    down = lightness[..., 1:, 1:] - lightness[..., :-1, 1:]
    return (across.square() + down.square()).sqrt().mean()


def check_terms(terms: Mapping[str, Tensor], step: int) -> None:
    """Raise TrainingError naming the first term that is not finite."""
    for name, term in terms.items():
        if not torch.isfinite(term):
            raise TrainingError(
                f"step {step}: the term {name} is {float(term)}: "
                "lower generator_lr or set precision=32-true"
            )


def check_weights(networks: Mapping[str, nn.Module], step: int) -> None:
    """Raise TrainingError naming the first tensor of a network that is not finite.

    A loss may be finite and its gradient not: then the terms look sound, and the weights are lost.
    """
    for kind, network in networks.items():
        for name, values in network.state_dict().items():
            if not torch.isfinite(values).all():
                raise TrainingError(
                    f"step {step}: {name} of the {kind} is not finite: "
                    "lower generator_lr or set precision=32-true"
                )


def check_health(
    health: Mapping[str, float], step: int, *, chroma_limit: float, texture_limit: float
) -> None:
    """Raise TrainingError, naming the guard, what was found and what to try, if one is broken.

    Args:
        health: what `measure_health` gave.
        chroma_limit: CIELAB units; a larger chroma shift is a cast.
        texture_limit: of the photo's gradient; more is noise.
    """
    if health["deviation"] < DEVIATION_MIN:
        broken = f"pictures are one flat colour (deviation {health['deviation']:.3f})"
        remedy = "raise flat_weight or structure_weights, lower texture_weight"
    elif health["chroma_shift"] > chroma_limit:
        broken = (
            f"colours drift (chroma shift {health['chroma_shift']:.1f}, at most {chroma_limit})"
        )
        remedy = "raise colour_weight, lower surface_weight"
    elif not GRADIENT_MIN <= health["gradient"] <= texture_limit:
        broken = (
            f"gradient is {health['gradient']:.2f} of the photo's, "
            f"outside {GRADIENT_MIN} to {texture_limit}"
        )
        remedy = "lower the adversarial weights or discriminator_lr"
    elif health["clipped_share"] > CLIPPED_SHARE_MAX:
        broken = (
            f"{health['clipped_share']:.0%} more values than there should be are black or white"
        )
        remedy = "raise colour_weight, lower generator_lr"
    else:
        return
    raise TrainingError(f"step {step}: {broken}: {remedy}")
