"""The pool that rolls over a set larger than memory."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from test_stream import number_of, write_folder, write_tar

from sakuga.data.smooth import smooth_edges
from sakuga.errors import DataError
from sakuga.train.dataset import CropSampler
from sakuga.train.rolling import RollingSampler, measure_set, open_sampler
from sakuga.train.stream import PictureStream

CPU = torch.device("cpu")


@pytest.fixture
def sources(tmp_path: Path) -> list[Path]:
    return [
        write_folder(tmp_path / "f", range(150)),
        write_tar(tmp_path / "t.tar", range(150, 300)),
    ]


def rolling(sources: list[Path], *, rank: int = 0, world_size: int = 1) -> RollingSampler:
    stream = PictureStream(sources, seed=3, rank=rank, world_size=world_size)
    return RollingSampler(
        stream, lambda name, p: [p], 8, (8, 16), CPU, pool=40, renewed=5, total=99
    )


def held(sampler: CropSampler) -> list[int]:
    return [number_of(picture.permute(1, 2, 0).numpy()) for picture in sampler.layers[0]]


def test_the_pool_is_the_same_after_a_look_ahead(sources: list[Path]) -> None:
    """As a training by the clock takes one, to measure a step."""
    plain, looked = rolling(sources), rolling(sources)
    looked.move_to(3)
    for sampler in (plain, looked):
        sampler.move_to(1)
    assert held(plain) == held(looked)


def test_the_pool_of_a_step_does_not_depend_on_the_steps_before(sources: list[Path]) -> None:
    walked = rolling(sources)
    pools = []
    for step in range(80):  # more than one epoch
        walked.move_to(step)
        pools.append(held(walked))
    for step in (0, 1, 37, 59, 79):
        resumed = rolling(sources)
        resumed.move_to(step)
        assert held(resumed) == pools[step]
    dice = torch.Generator().manual_seed(1)
    (crops,) = walked.draw(6, dice)
    assert crops.shape == (6, 3, 8, 8)


def test_the_pool_rolls_over_every_picture_for_training(sources: list[Path]) -> None:
    stream = PictureStream(sources, seed=3)
    expected = {number_of(one[2]) for one in stream.between(0, stream.places)}
    sampler = rolling(sources)
    seen: set[int] = set()
    for step in range((300 - 40) // 5 + 1):
        sampler.move_to(step)
        assert 30 <= len(held(sampler)) <= 40  # the held-out ones are missing
        seen.update(held(sampler))
    assert seen == expected and len(expected) < 300


def test_ranks_hold_different_pictures(sources: list[Path]) -> None:
    samplers = [rolling(sources, rank=rank, world_size=2) for rank in range(2)]
    for sampler in samplers:
        sampler.move_to(0)
    assert not set(held(samplers[0])) & set(held(samplers[1]))


def test_a_set_is_kept_in_memory_if_it_fits(sources: list[Path]) -> None:
    options = {"smooth": True, "seed": 0, "crops_a_step": 8}
    total, picture_gb = measure_set(sources)
    assert total == 300 and picture_gb == pytest.approx(4 * 3 * 3e-9)
    both_layers_gb = 2 * total * picture_gb
    whole = open_sampler(sources, 8, (8, 8), CPU, memory_gb=1.01 * both_layers_gb, **options)  # type: ignore[arg-type]
    assert not isinstance(whole, RollingSampler)
    part = open_sampler(sources, 8, (8, 8), CPU, memory_gb=0.5 * both_layers_gb, **options)  # type: ignore[arg-type]
    assert isinstance(part, RollingSampler)
    part.move_to(0)
    assert 120 <= len(part.layers[0]) <= 150
    for sampler in (whole, part):
        sampler.move_to(3)
        drawing, smoothed = (layer[0].permute(1, 2, 0).numpy() for layer in sampler.layers)
        assert (smooth_edges(drawing) == smoothed).all()


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_text("text")
    with pytest.raises(DataError, match=r"a\.jpg.*sakuga prepare clean"):
        measure_set([tmp_path])
