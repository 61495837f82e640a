"""Fine-tuning: from published weights exactly, and towards other drawings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import published
import pytest
import torch
from PIL import Image
from training import draw_pictures, tiny_config, write_vgg

from sakuga.errors import StyleError, TrainingError
from sakuga.evaluate.metrics import Features, kid
from sakuga.train.checkpoint import build_generator, load_checkpoint, load_weights
from sakuga.train.config import TrainConfig
from sakuga.train.loop import train
from sakuga.train.networks import CartoonGenerator
from sakuga.train.starting import starting_weights

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")
CARTOONGAN = TrainConfig(generator="cartoongan")


@pytest.fixture(scope="module")
def state() -> published.State:
    return published.cartoongan_state(2)


def test_published_weights_paint_the_same_in_our_generator(
    state: published.State, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "a.pth")
    generator = CartoonGenerator().eval()
    for source in (tmp_path / "a.pth", published.write_npy_folder(tmp_path / "npy", state)):
        load_weights(generator, starting_weights(source, CARTOONGAN), source)
        photo = torch.from_numpy(published.random_photo(20, 24))
        with torch.no_grad():
            difference = generator(photo) - published.cartoongan(state, photo)
        assert difference.abs().max() < 5e-3  # the two differ in the norm's epsilon


def test_published_weights_need_the_generator_they_are_of(
    state: published.State, tmp_path: Path
) -> None:
    torch.save(state, tmp_path / "a.pth")
    with pytest.raises(TrainingError, match='set generator = "cartoongan"'):
        starting_weights(tmp_path / "a.pth", TrainConfig())
    torch.save(
        {key: value for key, value in state.items() if key != "in05_2.shift"}, tmp_path / "b"
    )
    with pytest.raises(StyleError, match=r"lacks the layer in05_2\.shift"):
        starting_weights(tmp_path / "b", CARTOONGAN)
    (tmp_path / "c").write_bytes(b"conv01_1.weight")
    with pytest.raises(TrainingError, match="not a checkpoint"):
        starting_weights(tmp_path / "c", CARTOONGAN)


def drawings_of(folder: Path, colour: tuple[int, int, int]) -> Path:
    """Flat drawings in shades of one colour."""
    dice = np.random.default_rng(6)
    folder.mkdir(parents=True)
    for index in range(6):
        picture = np.tile(np.array(colour), (80, 80, 1)) + dice.integers(-20, 20)
        picture[20:50, 30:60] //= 2
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(folder / f"{index}.png")
    return folder


def colours_of(pictures: torch.Tensor) -> Features:
    """Features of pictures (B, 3, H, W) that need no network: 4 x 4 mean colours, (B, 48)."""
    colours = torch.nn.functional.adaptive_avg_pool2d(pictures, 4).flatten(1)
    return Features(colours.double().numpy(), np.arange(len(pictures)))


def load_folder(folder: Path) -> torch.Tensor:
    pictures = [np.asarray(Image.open(path))[:80, :80] for path in sorted(folder.glob("*.png"))]
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1


def test_fine_tuning_moves_towards_other_drawings(tmp_path: Path) -> None:
    """From a checkpoint trained on red drawings, towards blue ones: KID to the blue ones falls."""
    photos = draw_pictures(tmp_path / "photos", 8, seed=1)
    red = drawings_of(tmp_path / "red", (200, 60, 60))
    blue = drawings_of(tmp_path / "blue", (60, 60, 200))
    config = replace(
        tiny_config(photos, red, write_vgg(tmp_path / "vgg.safetensors")),
        **dict.fromkeys(("structure_weights", "gram_weights"), (0.0, 0.0)),
        **dict.fromkeys(("content_weight", "colour_weight"), 0.0),
        **dict.fromkeys(("variation_weight", "noise_weight", "texture_weight"), 0.0),
        flat_weight=0.02,
        photo_negatives=0.0,
        surface_weight=1.0,
        picture_weight=0.0,
        generator_lr=3e-3,
        discriminator_lr=2e-3,
        ema_decay=0.8,
        guard_every=10_000,
        save_every=10_000,  # guards look at what is saved, too
        steps=20,
        init_steps=1,
    )  # fmt: skip
    first = train(config, tmp_path / "first", accelerator="cpu", devices=1)
    tuned = train(
        replace(config, anime=(str(blue),), steps=100),
        tmp_path / "tuned",
        start_from=first,
        accelerator="cpu",
        devices=1,
    )
    distances = []
    for checkpoint in (first, tuned):
        generator = build_generator(config)
        load_weights(generator, load_checkpoint(checkpoint)[1]["ema"], checkpoint)
        with torch.no_grad():
            painted = generator(load_folder(photos)).clamp(-1, 1)
        distances.append(kid(colours_of(painted), colours_of(load_folder(blue))).value)
    assert distances[1] < 0.7 * distances[0], distances
