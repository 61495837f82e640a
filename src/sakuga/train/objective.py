"""What a step minimises: the weighted terms of the discriminators and of the generator.

Both functions give a dict of named, weighted terms; the total is their sum and the log shows each.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sakuga.models.local import Painting
from sakuga.train import losses
from sakuga.train.config import TrainConfig
from sakuga.train.flatten import cel_target

Network = Callable[[Tensor], Tensor]

# What each discriminator is shown of a picture.
VIEWS: dict[str, Callable[[Tensor], Tensor]] = {
    "texture": losses.texture_view,
    "surface": losses.surface_view,
    "picture": lambda pictures: pictures,
}
REAL = {"lsgan": losses.lsgan_real, "bce": losses.bce_real}
FAKE = {"lsgan": losses.lsgan_fake, "bce": losses.bce_fake}
CONTENT_LAYER = "conv4_4"


@dataclass(frozen=True)
class Batch:
    """The pictures of one step, each (B, 3, H, W) in [-1, 1]."""

    photo: Tensor
    noisy: Tensor  # the photo as the generator sees it
    anime: Tensor | None = None
    smooth: Tensor | None = None  # the same, edge-smoothed
    drawing: Tensor | None = None  # of the photo, from a pair
    strokes: Tensor | None = None  # of the drawing, (B, 1, H, W) in [0, 1]

    def parts(self, count: int) -> list[Batch]:
        """Cut the batch into `count` equal ones, for as many passes."""
        cut = self.map(lambda pictures: torch.stack(pictures.chunk(count)))
        return [cut.map(operator.itemgetter(i)) for i in range(count)]

    def map(self, function: Callable[[Tensor], Tensor]) -> Batch:
        """Apply a function to all pictures that there are."""
        values: dict[str, Any] = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        for name, pictures in values.items():
            values[name] = None if pictures is None else function(pictures)
        return Batch(**values)

    def cel(self, config: TrainConfig) -> tuple[Tensor, Tensor]:
        """The photos as flat, inked pictures in [-1, 1], the target, and their lines."""
        painted, lines = cel_target((self.photo + 1) / 2, config)
        return painted * 2 - 1, lines


def uses_cel(config: TrainConfig) -> bool:
    """Whether any term aims at the cel target; the paper's own recipe does not."""
    return bool(config.flat_weight or config.colour_weight or any(config.structure_weights))


def discriminator_terms(
    config: TrainConfig, discriminators: Mapping[str, Network], batch: Batch, painted: Tensor
) -> dict[str, Tensor]:
    """Anime up; painted photos, edge-smoothed anime and plain photos down (CartoonGAN eq. 3)."""
    real, fake = REAL[config.adversarial], FAKE[config.adversarial]
    drawn = [pictures for pictures in (batch.anime, batch.drawing) if pictures is not None]
    groups = [(painted, fake, config.painted_negatives)]
    groups += [(pictures, real, config.anime_positives) for pictures in drawn]
    if config.smooth_negatives and batch.smooth is not None:
        groups.append((batch.smooth, fake, config.smooth_negatives))
    if config.photo_negatives:
        groups.append((batch.photo, fake, config.photo_negatives))
    pictures = torch.cat([pictures for pictures, _, _ in groups])
    terms = {}
    for name, discriminator in discriminators.items():
        # One forward pass for all groups: a distributed module allows only one before its backward.
        logits = discriminator(VIEWS[name](pictures)).float().chunk(len(groups))
        parts = [w * loss(part) for part, (_, loss, w) in zip(logits, groups, strict=True)]
        terms[f"discriminator_{name}"] = torch.stack(parts).sum()
    return terms


def generator_terms(
    config: TrainConfig,
    discriminators: Mapping[str, Network],
    vgg: Callable[[Tensor, Sequence[str]], dict[str, Tensor]] | None,
    batch: Batch,
    painting: Painting,
    clean: Tensor | None,
    *,
    adversarial: bool,
) -> dict[str, Tensor]:
    """Every term of the generator that has a weight; a zero weight costs nothing.

    Args:
        painting: G(noisy photo), with gradients.
        clean: G(photo) for the noise consistency, or None without that term.
        adversarial: False in the initialisation phase: no discriminators, no drawings.
    """
    terms = drawing_terms(config, batch, painting)
    painted = painting.picture
    cel, lines = batch.cel(config) if uses_cel(config) else (None, None)

    if adversarial:
        real = REAL[config.adversarial]
        for name, weight in config.adversarial_terms.items():
            terms[f"adversarial_{name}"] = weight * real(
                discriminators[name](VIEWS[name](painted)).float()
            )

    if config.content_weight:
        assert vgg is not None
        with torch.no_grad():
            target = vgg(batch.photo, [CONTENT_LAYER])[CONTENT_LAYER]
        features = vgg(painted, [CONTENT_LAYER])[CONTENT_LAYER]
        terms["content"] = config.content_weight * losses.feature_distance(features, target)

    style = adversarial and any(config.gram_weights) and batch.anime is not None
    if style or (cel is not None and any(config.structure_weights)):
        assert vgg is not None
        layers = config.feature_layers
        aims = {} if cel is None else {"cel": cel}
        if style:
            assert batch.anime is not None
            aims["anime"] = batch.anime
        with torch.no_grad():
            looks = vgg(torch.cat([_gray(aim) for aim in aims.values()]), layers)
        wanted = {
            name: dict(zip(aims, look.chunk(len(aims)), strict=True))
            for name, look in looks.items()
        }
        found = vgg(_gray(painted), layers)
        for name, structure, gram in zip(
            layers, config.structure_weights, config.gram_weights, strict=True
        ):
            if structure and cel is not None:
                distance = losses.feature_distance(found[name], wanted[name]["cel"])
                terms[f"structure_{name}"] = structure * distance
            if style and gram:
                terms[f"gram_{name}"] = gram * losses.gram_distance(
                    found[name], wanted[name]["anime"]
                )

    if config.flat_weight:
        assert cel is not None and lines is not None
        emphasis = 1 + config.ink_emphasis * lines
        terms["flat"] = config.flat_weight * losses.pixel_distance(painted, cel, emphasis)
    if config.colour_weight:
        assert cel is not None
        terms["colour"] = config.colour_weight * losses.lab_distance(painted, cel)
    if config.variation_weight:
        terms["variation"] = config.variation_weight * losses.total_variation(painted)
    if config.noise_weight and clean is not None:
        terms["noise"] = config.noise_weight * losses.pixel_distance(painted, clean)
    return terms


def drawing_terms(config: TrainConfig, batch: Batch, painting: Painting) -> dict[str, Tensor]:
    """The terms towards the drawing that a pair holds; none without pairs.

    The colours are compared outside of strokes, the finished picture everywhere: what is ink must
    not become colour.
    """
    if batch.drawing is None or batch.strokes is None:
        return {}
    drawing, strokes = batch.drawing, batch.strokes
    picture, outside = painting.picture, 1 - strokes
    terms: dict[str, Tensor] = {}
    if config.tone_weight:
        terms["tone"] = config.tone_weight * losses.pixel_distance(painting.tone, drawing, outside)
    if config.base_weight:
        terms["base"] = config.base_weight * losses.pixel_distance(painting.base, drawing, outside)
    if config.drawing_weight:
        emphasis = 1 + config.stroke_emphasis * strokes
        distance = losses.pixel_distance(picture, drawing, emphasis)
        terms["drawing"] = config.drawing_weight * distance
    if config.gradient_weight:
        terms["gradient"] = config.gradient_weight * losses.gradient_distance(picture, drawing)
    if config.sparse_weight:
        terms["sparse"] = config.sparse_weight * losses.sparse_gradients(picture, drawing)
    if config.side_weight and painting.sides is not None:
        entropy = losses.side_cross_entropy(painting.sides, drawing, outside)
        terms["sides"] = config.side_weight * entropy
    if config.stroke_weight and painting.strokes is not None:
        entropy = losses.stroke_cross_entropy(painting.strokes, strokes, config.stroke_favour)
        terms["strokes"] = config.stroke_weight * entropy
    return terms


def _gray(pictures: Tensor) -> Tensor:
    """Luma in all three channels, (B, 3, H, W): what structure and shading are compared in."""
    return losses.texture_view(pictures).expand(-1, 3, -1, -1)
