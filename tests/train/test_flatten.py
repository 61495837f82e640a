"""The cel target against independent computations, and against what it promises of pictures."""

import cv2
import numpy as np
import pytest
import torch

from sakuga.train import flatten
from sakuga.train.config import TrainConfig
from sakuga.train.flatten import gaussian_blur, ink_lines, kuwahara, l0_flatten, luma


def cel_target(photos, **settings):
    return flatten.cel_target(photos, TrainConfig(**{"ink": 0.8, **settings}))


def noise(*shape, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def dense_l0(picture, strength, kappa, rounds):
    """L0 flattening of (H, W) by solving the linear system of each round densely."""
    height, width = picture.shape
    count = height * width
    places = np.arange(count).reshape(height, width)
    dx, dy = -np.eye(count), -np.eye(count)
    dx[places.ravel(), np.roll(places, -1, 1).ravel()] += 1
    dy[places.ravel(), np.roll(places, -1, 0).ravel()] += 1
    flat, beta = picture.ravel().copy(), 2 * strength
    for _ in range(rounds):
        across, down = dx @ flat, dy @ flat
        dropped = across**2 + down**2 <= strength / beta
        across[dropped] = down[dropped] = 0
        system = np.eye(count) + beta * (dx.T @ dx + dy.T @ dy)
        flat = np.linalg.solve(system, picture.ravel() + beta * (dx.T @ across + dy.T @ down))
        beta *= kappa
    return flat.reshape(height, width)


def test_l0_solves_the_papers_system():
    picture = noise(1, 1, 9, 8)
    margin = 7  # of an 8-pixel side
    padded = np.pad(picture[0, 0].double().numpy(), margin, mode="reflect")
    expected = dense_l0(padded, 0.02, 2.0, 6)[margin:-margin, margin:-margin].clip(0, 1)
    found = l0_flatten(picture, 0.02, iterations=6)[0, 0].numpy()
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_l0_keeps_a_strong_step_and_removes_weak_noise():
    picture = torch.full((1, 3, 48, 48), 0.2)
    picture[..., 24:] = 0.8
    noisy = (picture + 0.03 * (noise(1, 3, 48, 48) - 0.5)).clamp(0, 1)
    flat = l0_flatten(noisy, 0.02)
    assert (flat - picture).abs().mean() < 0.2 * (noisy - picture).abs().mean()
    step = flat[..., 24].mean() - flat[..., 23].mean()
    assert step > 0.55


def test_a_map_of_strengths_flattens_where_it_is_high():
    noisy = (0.5 + 0.1 * (noise(1, 3, 32, 64) - 0.5)).clamp(0, 1)
    strength = torch.full((1, 1, 32, 64), 1e-5)
    strength[..., 32:] = 0.05
    flat = l0_flatten(noisy, strength)
    assert flat[..., 40:].std() < 0.3 * flat[..., :24].std()


def test_gaussian_is_opencvs_and_never_in_bf16():
    picture = noise(2, 3, 20, 23)
    with torch.autocast("cpu", torch.bfloat16):
        found = gaussian_blur(picture, 1.6)
    assert found.dtype == torch.float32
    kernel = (11, 11)
    expected = cv2.GaussianBlur(picture[1].permute(1, 2, 0).numpy(), kernel, 1.6)
    np.testing.assert_allclose(found[1].permute(1, 2, 0).numpy(), expected, atol=1e-5)


def test_ink_falls_on_the_dark_side_of_an_edge_and_nowhere_else():
    picture = torch.full((1, 1, 32, 32), 0.8)
    picture[..., 16:] = 0.2
    lines = ink_lines(picture)
    assert lines[..., 16].mean() < 0.5
    assert lines[..., :14].min() > 0.99
    assert lines[..., 22:].min() > 0.99


def test_kuwahara_keeps_a_step_and_calms_noise():
    step = torch.full((1, 3, 24, 24), 0.2)
    step[..., 12:] = 0.9
    assert (kuwahara(step) - step).abs().max() < 0.01
    noisy = step + 0.1 * (noise(1, 3, 24, 24) - 0.5)
    assert (kuwahara(noisy) - step).abs().mean() < 0.7 * (noisy - step).abs().mean()


def test_kuwahara_of_a_corner_is_the_papers():
    picture = noise(1, 3, 9, 9)
    padded = np.pad(picture[0].numpy(), ((0, 0), (2, 2), (2, 2)), mode="reflect")
    gray = 0.299 * padded[0] + 0.587 * padded[1] + 0.114 * padded[2]
    total, weights = 0, 0
    for top in (4, 6):  # around the pixel (4, 4), which is (6, 6) with the padding
        for left in (4, 6):
            square = np.s_[top : top + 3, left : left + 3]
            weight = (gray[square].var() * 255**2 + 1) ** -4.0
            total = total + weight * padded[(slice(None), *square)].mean(axis=(1, 2))
            weights += weight
    np.testing.assert_allclose(kuwahara(picture)[0, :, 4, 4].numpy(), total / weights, atol=1e-3)


def test_cel_target_paints_over_texture_and_inks_contours():
    photo = torch.full((1, 3, 96, 96), 0.45)
    photo[..., 48:] = 0.1
    photo = (photo + 0.25 * (noise(1, 3, 96, 96) - 0.5)).clamp(0, 1)
    cel, lines = cel_target(photo)
    assert cel.min() >= 0 and cel.max() <= 1
    assert luma(cel)[..., 8:36].std() < 0.4 * luma(photo)[..., 8:36].std()
    without, _ = cel_target(photo, ink=0.0)
    assert luma(cel)[..., 48:50].mean() < luma(without)[..., 48:50].mean() - 0.02
    assert lines[..., 48:50].mean() > 0.3 > 0.05 > lines[..., 8:36].mean()


def test_cel_target_leaves_flat_colours_but_for_grading():
    flat = torch.tensor([0.6, 0.4, 0.3]).view(1, 3, 1, 1).expand(1, 3, 40, 40)
    cel, _ = cel_target(flat, vividness=1.0, gamma=1.0)
    torch.testing.assert_close(cel, flat, atol=2e-3, rtol=0)
    vivid, _ = cel_target(flat, vividness=1.5, gamma=1.0)
    assert vivid[0, 0].mean() - vivid[0, 2].mean() == pytest.approx(0.45, abs=0.01)


def test_black_and_white_are_printed_as_ink_on_paper():
    ramp = torch.linspace(0, 1, 96).view(1, 1, 1, 96).expand(1, 3, 48, 96).round()
    cel, _ = cel_target(ramp, ink_colour=(0.2, 0.1, 0.0), paper_colour=(1.0, 0.9, 0.8))
    assert cel[0, :, 24, 8].tolist() == pytest.approx([0.2, 0.1, 0.0], abs=1e-3)
    assert cel[0, :, 24, 88].tolist() == pytest.approx([1.0, 0.9, 0.8], abs=1e-3)


def test_a_broader_brush_paints_over_more_texture():
    photo = 0.5 + 0.4 * (noise(1, 3, 96, 96) - 0.5)
    look = {"ink": 0.0, "accent": 1}
    spread = [luma(cel_target(photo, brush=brush, **look)[0]).std() for brush in (1, 2, 4)]
    assert spread[0] > spread[1] > spread[2]


def test_lines_are_drawn_on_light_ground_when_asked():
    photo = torch.full((1, 3, 64, 64), 0.95)
    photo[..., 30:] = 0.6
    dark, light = (cel_target(photo, line_light=limit)[1].mean() for limit in (0.3, 0.7))
    assert dark < 1e-3 < light


def test_a_picture_becomes_the_same_whatever_its_batch():
    pictures = torch.cat([noise(1, 3, 40, 40), 0.5 + 0.02 * noise(1, 3, 40, 40, seed=1)])
    together, _ = cel_target(pictures)
    for index in range(2):
        alone, _ = cel_target(pictures[index][None])
        torch.testing.assert_close(together[index : index + 1], alone)


def test_letters_are_kept_and_grain_and_leaves_are_not():
    calm = torch.full((1, 3, 96, 96), 0.7)
    grain = 0.08 * (noise(1, 3, 96, 96) - 0.5)
    letters = torch.zeros(1, 1, 96, 96)
    letters[..., 40:56, 42:56:6] = -0.6  # strokes of one pixel, which a brush would cover
    look = {"vividness": 1.0, "gamma": 1.0, "ink": 0.0}
    kept, covered = (
        luma(cel_target(calm + grain + letters, accent=accent, **look)[0]) for accent in (0.07, 1)
    )
    place = np.s_[..., 41:55, 38:60]
    whole = luma(calm + letters)[place].std()
    assert kept[place].std() > 0.9 * whole > 1.5 * covered[place].std()
    assert kept[..., :20, :].std() < 0.3 * luma(calm + grain).std()
    leaves = (0.5 + 0.5 * (noise(1, 3, 96, 96) - 0.5)).clamp(0, 1)
    assert luma(cel_target(leaves, **look)[0]).std() < 0.6 * luma(leaves).std()
