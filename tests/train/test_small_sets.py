"""Few photos, of which none may be held out; stored smooth copies; how the optimisers are set."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from training import draw_pictures, tiny_config, train_here

from sakuga.cel.settings import CelSettings
from sakuga.data.pairs import prepare_pairs
from sakuga.data.smooth import smooth_folder
from sakuga.data.split import split_of
from sakuga.errors import DataError
from sakuga.train import loop, rolling
from sakuga.train.checkpoint import load_checkpoint
from sakuga.train.config import TrainConfig
from sakuga.train.dataset import pictures_or_any
from sakuga.train.objective import Batch, discriminator_terms
from sakuga.train.rolling import open_sampler

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:lightning_fabric")
CPU = torch.device("cpu")


def photos_of(split: str, count: int, folder: Path) -> Path:
    """Photos whose content puts them all on one side of the split."""
    folder.mkdir(parents=True)
    dice = np.random.default_rng(0)
    while len(list(folder.iterdir())) < count:
        colours = dice.integers(0, 256, (10, 12, 3), np.uint8)
        picture = Image.fromarray(colours).resize((96, 80))
        file = io.BytesIO()
        picture.save(file, "PNG")
        sha256 = hashlib.sha256(file.getvalue()).hexdigest()
        if split_of(sha256) == split:
            (folder / f"{sha256[:8]}.png").write_bytes(file.getvalue())
    return folder


@pytest.mark.parametrize(
    ("split", "count", "note"),
    [
        ("train", 6, "no picture is held out, so sheets show some that are trained on"),
        ("held-out", 1, "every picture is held out, so all of them are trained on"),
    ],
)
def test_few_photos_train_and_it_is_said_what_stands_in(
    split: str, count: int, note: str, tmp_path: Path
) -> None:
    photos = photos_of(split, count, tmp_path / "photos")
    told: list[str] = []
    config = tiny_config(photos, photos, sheet_photos="", steps=1, init_steps=1)
    train_here(config, tmp_path / "run", tell=told.append)
    assert f"{photos}: {note}" in told
    assert load_checkpoint(tmp_path / "run")[1]["photos"] == count
    assert (tmp_path / "run" / "sheets" / "0000001.png").exists()


def test_held_out_photos_are_preferred(tmp_path: Path) -> None:
    folder = photos_of("train", 3, tmp_path / "photos")
    (held_out,) = photos_of("held-out", 1, tmp_path / "one").iterdir()
    held_out.rename(folder / held_out.name)
    found, note = pictures_or_any([folder], "held-out", 4)
    assert [Path(name).name for name, _ in found] == [held_out.name] and not note
    assert len(pictures_or_any([folder], "train")[0]) == 3
    with pytest.raises(DataError, match="no pictures found"):
        (tmp_path / "junk").mkdir()
        (tmp_path / "junk" / "a.txt").write_text("no picture")
        pictures_or_any([tmp_path / "junk"], "train")


def test_pairs_are_made_of_a_single_photo_whatever_its_content(tmp_path: Path) -> None:
    photos = photos_of("held-out", 1, tmp_path / "photos")
    outcome = prepare_pairs(photos, tmp_path / "pairs", CelSettings(), sides=(64, 80), workers=1)
    assert outcome.pictures == 1
    assert "used anyway" in outcome.notes["held_out"]


@pytest.mark.parametrize("memory_gb", [1.0, 1e-6])
def test_stored_smooth_copies_are_those_of_their_drawings(
    memory_gb: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In memory and streamed: the same crops as where they are smoothed on the way."""
    anime = draw_pictures(tmp_path / "anime", 6, seed=2)
    smooth_folder(anime, tmp_path / "smooth", workers=1)
    options = {"memory_gb": memory_gb, "seed": 0, "crops_a_step": 4, "smooth": True}

    def crops(**more: object) -> list[torch.Tensor]:
        sampler = open_sampler([anime], 32, (48, 80), CPU, **options, **more)  # type: ignore[arg-type]
        sampler.move_to(0)
        return sampler.draw(4, torch.Generator().manual_seed(0))

    plain = crops()
    monkeypatch.setattr(rolling, "smooth_edges", lambda picture: 1 / 0)  # is not called
    stored = crops(copies=str(tmp_path / "smooth"))
    assert all(torch.equal(one, two) for one, two in zip(plain, stored, strict=True))


def test_copies_that_are_missing_old_or_none_are_refused(tmp_path: Path) -> None:
    anime = draw_pictures(tmp_path / "anime", 3, seed=2)
    smooth_folder(anime, tmp_path / "smooth", workers=1)
    options = {"memory_gb": 1.0, "seed": 0, "crops_a_step": 4, "smooth": True}

    def opened(copies: Path) -> None:
        open_sampler([anime], 32, (48, 80), CPU, copies=str(copies), **options)  # type: ignore[arg-type]

    opened(tmp_path / "smooth")
    with pytest.raises(DataError, match=r"holds no smoothed copies: make them with  sakuga prep"):
        opened(anime)
    draw_pictures(tmp_path / "more", 4, seed=9)
    (tmp_path / "more" / "003.png").rename(anime / "003.png")
    with pytest.raises(DataError, match=r"has no copy of .*003\.png: run  sakuga prepare smooth"):
        opened(tmp_path / "smooth")
    (anime / "003.png").rename(anime / "001.png")
    with pytest.raises(DataError, match=r"has an older copy of .*001\.png"):
        opened(tmp_path / "smooth")


def tiny(tmp_path: Path, **changes: object) -> TrainConfig:
    photos = tmp_path / "photos"
    if not photos.exists():
        draw_pictures(photos, 3, seed=1)
    return tiny_config(photos, photos, **changes)


def first_weights(config: TrainConfig, run: Path) -> dict[str, torch.Tensor]:
    train_here(config, run)
    weights: dict[str, torch.Tensor] = load_checkpoint(run)[1]["generator"]
    return weights


def test_the_initialisation_may_have_a_rate_of_its_own(tmp_path: Path) -> None:
    """Adam's first step moves a weight by its rate, or nearly."""
    base = tiny(tmp_path, steps=1, init_steps=1, generator_lr=1e-4, warmup_steps=0)
    torch.manual_seed(base.seed)
    start = dict(loop.build_generator(base).state_dict())
    moved = {}
    for name, rate in (("own", 1e-2), ("same", 0.0)):
        config = dataclasses.replace(base, init_lr=rate)
        after = first_weights(config, tmp_path / name)
        moved[name] = max(float((after[key] - start[key]).abs().max()) for key in start)
    assert moved["own"] == pytest.approx(1e-2, rel=0.01)
    assert moved["same"] == pytest.approx(1e-4, rel=0.01)
    late = dataclasses.replace(base, init_lr=1e-2, init_steps=0)
    after = first_weights(late, tmp_path / "late")
    assert max(float((after[k] - start[k]).abs().max()) for k in start) < 2e-4


def test_weights_decay_as_adamw_says(tmp_path: Path) -> None:
    """Decoupled: w (1 - rate * decay) before the step, whatever the gradient."""
    base = tiny(tmp_path, steps=1, init_steps=1, generator_lr=1e-2, warmup_steps=0)
    torch.manual_seed(base.seed)
    start = dict(loop.build_generator(base).state_dict())
    plain = first_weights(base, tmp_path / "plain")
    decayed = first_weights(dataclasses.replace(base, weight_decay=0.5), tmp_path / "decayed")
    for name, weight in start.items():
        torch.testing.assert_close(
            plain[name] - decayed[name], 1e-2 * 0.5 * weight, rtol=1e-3, atol=1e-6
        )
    resumed = dataclasses.replace(base, weight_decay=0.25, steps=2, init_steps=2)
    train_here(resumed, tmp_path / "decayed", resume=True)
    groups = load_checkpoint(tmp_path / "decayed")[1]["generator_adam"]["param_groups"]
    assert groups[0]["weight_decay"] == 0.25  # as the config says now


def test_each_term_of_a_discriminator_has_a_weight(tmp_path: Path) -> None:
    photo, anime, smooth = (torch.full((2, 3, 4, 4), value) for value in (0.5, 0.2, 0.3))
    painted = torch.full((2, 3, 4, 4), 0.4)
    batch = Batch(photo, photo, anime, smooth)

    def loss(**weights: float) -> float:
        names = ("anime_positives", "painted_negatives", "smooth_negatives", "photo_negatives")
        config = TrainConfig(picture_weight=1.0, **{**dict.fromkeys(names, 0.0), **weights})
        terms = discriminator_terms(config, {"picture": lambda p: p}, batch, painted)
        return float(terms["discriminator_picture"])

    # LSGAN with soft labels: (D - 0.9)^2 for what is real, (D - 0.1)^2 for what is not.
    assert loss(anime_positives=2.0) == pytest.approx(2 * (0.2 - 0.9) ** 2)
    assert loss(painted_negatives=3.0) == pytest.approx(3 * (0.4 - 0.1) ** 2)
    assert loss(smooth_negatives=1.0) == pytest.approx((0.3 - 0.1) ** 2)
    assert loss(photo_negatives=1.0) == pytest.approx((0.5 - 0.1) ** 2)
