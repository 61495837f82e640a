"""The pictures of a step: opened once, then drawn as (seed, step) says."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch
from lightning_fabric import Fabric

from sakuga.train.config import TrainConfig
from sakuga.train.dataset import CropSampler, PairSampler, load_pairs
from sakuga.train.objective import Batch
from sakuga.train.rolling import open_sampler

TRIAL_CROPS = 48  # always the same ones, on which checkpoints are compared


def open_samplers(
    config: TrainConfig, fabric: Fabric
) -> tuple[CropSampler | PairSampler, CropSampler | None]:
    """What this rank's photos (or pairs) and drawings are drawn from.

    Raises:
        DataError: pictures that cannot be used.
    """
    shared: dict[str, Any] = {
        "memory_gb": config.memory_gb / 2,
        "seed": config.seed,
        "crops_a_step": config.batch // fabric.world_size,
        "rank": fabric.global_rank,
        "world_size": fabric.world_size,
    }
    photos: CropSampler | PairSampler
    if config.pairs:
        pairs = load_pairs(config.pairs)
        photos = PairSampler(pairs, config.crop, config.face_share, fabric.device)
    else:
        photos = open_sampler(
            config.photos, config.crop, config.photo_sides, fabric.device, **shared
        )
    if config.pairs and not config.anime:  # the drawings of pairs can do without others
        return photos, None
    anime = open_sampler(
        config.anime,
        config.crop,
        config.anime_sides,
        fabric.device,
        smooth=True,
        copies=config.smooth,
        **shared,
    )
    return photos, anime


def draw_batch(
    config: TrainConfig,
    photos: CropSampler | PairSampler,
    anime: CropSampler | None,
    step: int,
    fabric: Fabric,
) -> Batch:
    """This rank's pictures of a step: a function of (seed, step), whatever came before."""
    seed = (config.seed * 1_000_003 + step) % 2**62
    rng = torch.Generator().manual_seed(seed)
    ranks = {"rank": fabric.global_rank, "world_size": fabric.world_size}
    drawing = strokes = drawn = smooth = None
    if isinstance(photos, PairSampler):
        photo, drawing, strokes = photos.draw(config.batch, rng, **ranks)
    else:
        photos.move_to(step)
        (photo,) = photos.draw(config.batch, rng, **ranks)
    if anime is not None:
        anime.move_to(step)
        drawn, smooth = anime.draw(config.batch, rng, **ranks)
    noisy = photo
    if config.photo_noise:
        # Sigma differs from crop to crop, 0 to photo_noise grey levels: half of the range is mild.
        sigma = (
            torch.rand(config.batch, 1, 1, 1, generator=rng).square() * config.photo_noise / 127.5
        )
        noise_rng = torch.Generator(fabric.device).manual_seed(seed)
        shape = (config.batch, *photo.shape[1:])
        noise = torch.randn(shape, generator=noise_rng, device=fabric.device)
        noise = noise * sigma.to(fabric.device)
        noisy = photo + noise[fabric.global_rank :: fabric.world_size]
    batch = Batch(photo, noisy, drawn, smooth, drawing, strokes)
    return batch.map(lambda p: p.contiguous(memory_format=torch.channels_last))


def draw_trial(
    config: TrainConfig,
    photos: CropSampler | PairSampler,
    anime: CropSampler | None,
    fabric: Fabric,
) -> list[Batch]:
    """Batches that are the same throughout a training, on which its checkpoints are compared."""
    seeds = [(config.seed + 1 + n) % 2**62 for n in range(max(1, TRIAL_CROPS // config.batch))]
    return [
        draw_batch(dataclasses.replace(config, seed=seed), photos, anime, 0, fabric)
        for seed in seeds
    ]
