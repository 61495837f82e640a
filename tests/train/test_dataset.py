"""Folders and tar files into crops that depend on nothing but the seed."""

import tarfile

import numpy as np
import pytest
import torch
from training import draw_pictures

from sakuga.errors import DataError
from sakuga.train.dataset import CropSampler, load_pictures

CPU = torch.device("cpu")


def dice(seed=0):
    return torch.Generator().manual_seed(seed)


def test_a_tar_gives_the_pictures_of_its_folder(tmp_path):
    folder = draw_pictures(tmp_path / "set", 6, seed=1)
    with tarfile.open(tmp_path / "set.tar", "w") as archive:
        archive.add(folder, "set")
    from_folder = load_pictures([folder], "all")
    from_tar = load_pictures([tmp_path / "set.tar"], "all")
    assert len(from_folder) == 6
    for a, b in zip(from_folder, from_tar, strict=True):
        np.testing.assert_array_equal(a, b)


def test_held_out_pictures_are_never_trained_on(tmp_path):
    folder = draw_pictures(tmp_path / "set", 60, seed=2, side=24)
    everything = load_pictures([folder], "all")
    train, held_out = load_pictures([folder]), load_pictures([folder], "held-out")
    assert len(train) + len(held_out) == len(everything) and held_out
    seen = {picture.tobytes() for picture in train}
    assert not any(picture.tobytes() in seen for picture in held_out)


def test_crops_are_a_function_of_the_seed_and_layers_stay_aligned():
    pictures = [
        np.random.default_rng(i).integers(0, 256, (50 + i, 70, 3), np.uint8) for i in (0, 1)
    ]
    negatives = [255 - picture for picture in pictures]
    sampler = CropSampler([pictures, negatives], 32, (40, 80), CPU)
    first, inverse = sampler.draw(5, dice())
    again, _ = sampler.draw(5, dice())
    other, _ = sampler.draw(5, dice(1))
    assert first.shape == (5, 3, 32, 32)
    assert first.min() >= -1 and first.max() <= 1
    torch.testing.assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first, other)
    torch.testing.assert_close(first, -inverse, atol=2e-5, rtol=0)


def test_ranks_share_what_one_would_draw():
    sampler = CropSampler([[np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)]], 16,
                          (32, 96), CPU)  # fmt: skip
    (whole,) = sampler.draw(6, dice())
    for rank in range(2):
        (share,) = sampler.draw(6, dice(), rank=rank, world_size=2)
        torch.testing.assert_close(share, whole[rank::2], rtol=0, atol=0)


def test_a_crop_at_scale_one_is_a_cut_of_the_picture():
    picture = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    (crop,) = CropSampler([[picture]], 40, (40, 40), CPU).draw(1, dice())
    levels = ((crop[0] + 1) * 127.5).round().to(torch.uint8).permute(1, 2, 0).numpy()
    assert np.array_equal(levels, picture) or np.array_equal(levels, picture[:, ::-1])


def test_a_small_picture_is_enlarged_whole():
    picture = np.full((20, 30, 3), 200, np.uint8)
    (crop,) = CropSampler([[picture]], 64, (32, 32), CPU).draw(1, dice())
    assert crop.shape == (1, 3, 64, 64)
    torch.testing.assert_close(crop, torch.full_like(crop, 200 / 127.5 - 1), atol=1e-4, rtol=0)


def test_bad_sources_are_refused(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        load_pictures([tmp_path / "absent"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no pictures found"):
        load_pictures([tmp_path / "empty"])
    with pytest.raises(DataError, match="an empty list"):
        load_pictures([])
    fake = tmp_path / "fake.tar"
    fake.write_text("no tar")
    with pytest.raises(DataError, match="tar file"):
        load_pictures([fake])
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "a.jpg").write_text("no picture")
    with pytest.raises(DataError, match=r"a\.jpg.*prepare clean"):
        load_pictures([tmp_path / "broken"], "all")
