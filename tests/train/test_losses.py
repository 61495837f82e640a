"""Every term against a closed form or another implementation."""

import cv2
import numpy as np
import pytest
import torch

from sakuga.train import losses

DICE = torch.Generator().manual_seed(3)


def noise(*shape):
    return torch.rand(shape, generator=DICE) * 2 - 1


def test_bce_is_torchs_binary_cross_entropy():
    logits = noise(2, 1, 5, 5) * 4
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    torch.testing.assert_close(losses.bce_real(logits), bce(logits, torch.ones_like(logits)))
    torch.testing.assert_close(losses.bce_fake(logits), bce(logits, torch.zeros_like(logits)))


def test_lsgan_is_zero_at_its_soft_labels():
    assert losses.lsgan_real(torch.full((2, 1, 3, 3), 0.9)).item() == 0
    assert losses.lsgan_fake(torch.full((2, 1, 3, 3), 0.1)).item() == 0
    assert losses.lsgan_real(torch.zeros(1, 1, 2, 2)).item() == pytest.approx(0.81)
    assert losses.lsgan_fake(torch.ones(1, 1, 2, 2)).item() == pytest.approx(0.81)


def test_feature_distance_does_not_depend_on_the_networks_scale():
    features, target = noise(2, 4, 6, 6), noise(2, 4, 6, 6)
    expected = np.mean(
        [
            np.abs(f - t).mean() / np.abs(t).mean()
            for f, t in zip(features.numpy(), target.numpy(), strict=True)
        ]
    )
    assert losses.feature_distance(features, target).item() == pytest.approx(expected, rel=1e-4)
    scaled = losses.feature_distance(features * 300, target * 300).item()
    assert scaled == pytest.approx(expected, rel=1e-4)
    assert losses.feature_distance(target, target).item() == 0


def test_gram_is_the_matrix_of_channel_products():
    features = noise(1, 3, 4, 5)
    flat = features[0].reshape(3, 20).numpy()
    expected = flat @ flat.T / (3 * 4 * 5)
    np.testing.assert_allclose(losses.gram(features, centred=False)[0].numpy(), expected, atol=1e-6)
    covariance = np.cov(flat, bias=True) / 3
    np.testing.assert_allclose(losses.gram(features)[0].numpy(), covariance, atol=1e-6)


def test_gram_distance_sees_shading_and_not_place():
    features = noise(2, 4, 8, 8)
    rolled = torch.roll(features, (3, 2), dims=(2, 3))
    assert losses.gram_distance(rolled, features).item() == pytest.approx(0, abs=1e-5)
    assert losses.gram_distance(2 * features, features).item() == pytest.approx(3, rel=1e-3)


def test_lab_is_opencvs():
    picture = noise(1, 3, 16, 16)
    rgb = ((picture[0] + 1) / 2).permute(1, 2, 0).numpy()
    expected = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    found = losses.srgb_to_lab(picture)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, expected, atol=0.4)  # OpenCV interpolates its tables
    white = losses.srgb_to_lab(torch.ones(1, 3, 1, 1)).flatten().numpy()
    np.testing.assert_allclose(white, [100, 0, 0], atol=0.02)


def test_lab_distance_of_black_and_white_is_two():
    black, white = -torch.ones(1, 3, 4, 4), torch.ones(1, 3, 4, 4)
    assert losses.lab_distance(white, black).item() == pytest.approx(2, abs=1e-3)


def test_lab_has_finite_gradients_at_black():
    picture = torch.full((1, 3, 4, 4), -1.0, requires_grad=True)
    losses.srgb_to_lab(picture).sum().backward()
    assert torch.isfinite(picture.grad).all()


def test_total_variation_of_a_ramp():
    ramp = torch.linspace(-1, 1, 11).expand(1, 3, 7, 11)
    assert losses.total_variation(ramp).item() == pytest.approx(0.2)
    assert losses.total_variation(torch.zeros(1, 3, 5, 5)).item() == 0


def test_pixel_distance():
    assert losses.pixel_distance(torch.full((2, 3, 2, 2), 0.5), torch.zeros(2, 3, 2, 2)) == 0.5


def test_emphasis_on_a_line_decides_whether_it_is_drawn():
    """A line in one of five pictures: the plain median leaves it out, emphasis above 4 draws it."""
    ink = torch.zeros(5, 1, 1, 1)
    ink[0] = 1
    paper, line = torch.zeros(5, 1, 1, 1), torch.ones(5, 1, 1, 1)
    assert losses.pixel_distance(paper, ink) < losses.pixel_distance(line, ink)
    emphasis = 1 + 8 * ink
    drawn, left_out = (losses.pixel_distance(g, ink, emphasis) for g in (line, paper))
    assert drawn < left_out


def test_texture_view_is_gray_and_keeps_gray():
    gray = torch.full((1, 3, 4, 4), 0.3)
    torch.testing.assert_close(losses.texture_view(gray), torch.full((1, 1, 4, 4), 0.3))
    green = torch.tensor([0.0, 1.0, 0.0]).view(1, 3, 1, 1)
    assert losses.texture_view(green).item() == pytest.approx(0.587)


def test_surface_view_is_a_gaussian_of_three_pixels():
    picture = noise(1, 3, 40, 44)
    expected = cv2.GaussianBlur(
        picture[0].permute(1, 2, 0).numpy(), (19, 19), 3, borderType=cv2.BORDER_REFLECT_101
    )
    found = losses.surface_view(picture)[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_which_of_two_tones_a_pixel_has_is_asked_only_beside_a_border():
    drawing = torch.full((1, 3, 20, 40), -0.5)
    drawing[..., 20:] = 0.5
    right = torch.where(drawing[:, :1] > 0, 9.0, -9.0)
    outside = torch.ones(1, 1, 20, 40)
    assert losses.side_cross_entropy(right, drawing, outside) < 1e-3
    assert losses.side_cross_entropy(-right, drawing, outside) > 8
    assert losses.side_cross_entropy(-right, drawing, 0 * outside) == 0  # all of it is ink
    far = right.clone()
    far[..., :10] *= -1
    assert losses.side_cross_entropy(far, drawing, outside) < 1e-3
    assert losses.side_cross_entropy(-right, 0 * drawing, outside) == 0
