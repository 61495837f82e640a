"""The networks against the paper's numbers and their own promises."""

import pytest
import torch
from torch import nn

from sakuga.models.cartoongan import CartoonGenerator
from sakuga.models.discriminators import CartoonDiscriminator, PatchDiscriminator
from sakuga.models.local import LocalGenerator, count_parameters, drop_checkers
from sakuga.train.flatten import gaussian_blur


def test_cartoon_generator_is_the_published_one():
    generator = CartoonGenerator()
    assert count_parameters(generator) == 11_129_667
    assert len(generator.blocks) == 8
    norms = [module for module in generator.modules() if isinstance(module, nn.InstanceNorm2d)]
    assert len(norms) == 1 + 2 + 16 + 2
    with torch.no_grad():
        anime = generator(torch.zeros(1, 3, 32, 24))
    assert anime.shape == (1, 3, 32, 24)
    assert anime.abs().max() <= 1


@pytest.mark.parametrize("network", [CartoonDiscriminator(), PatchDiscriminator(3)])
def test_discriminators_judge_patches_with_leaky_relu(network):
    slopes = [m.negative_slope for m in network.modules() if isinstance(m, nn.LeakyReLU)]
    assert slopes and set(slopes) == {0.2}
    assert not any(isinstance(m, nn.ReLU) for m in network.modules())
    assert network(torch.zeros(2, 3, 64, 48)).shape == (2, 1, 16, 12)


def test_patch_discriminator_is_spectrally_normalised():
    torch.manual_seed(0)
    network = PatchDiscriminator(1, 8)
    for _ in range(30):  # power iterations
        network(torch.rand(1, 1, 32, 32))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            largest = torch.linalg.matrix_norm(module.weight.flatten(1), ord=2)
            assert largest.item() == pytest.approx(1, abs=0.05)


def test_patch_discriminator_sees_25_pixels():
    network = PatchDiscriminator(1, 4)
    seen = receptive_span(network, channels=1, at=10)
    assert seen == 25


def receptive_span(network, channels, at):
    picture = torch.rand(1, channels, 80, 80, requires_grad=True)
    (gradient,) = torch.autograd.grad(network(picture)[..., at, at].sum(), picture)
    rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
    return int(rows.max() - rows.min() + 1)


def test_local_generator_is_small_starts_as_the_identity_and_has_no_norm():
    generator = LocalGenerator()
    assert count_parameters(generator) < 1_200_000
    kinds = {type(module).__name__ for module in generator.modules()}
    assert not any("Norm" in kind for kind in kinds)
    photo = gaussian_blur(torch.rand(1, 3, 64, 72), 1.0) * 2 - 1  # a photo has no pixel noise
    with torch.no_grad():
        assert (generator(photo) - photo).abs().mean() < 0.1


@pytest.mark.parametrize("blocks", [1, 3])
def test_local_generator_looks_no_further_than_it_says(blocks):
    generator = LocalGenerator(4, blocks)
    for parameter in generator.parameters():  # all positive: no path cancels, no ReLU closes
        nn.init.uniform_(parameter, 0.01, 0.02)
    side = 4 * generator.receptive_radius // 8 * 8
    photo = torch.zeros(1, 3, side, side, requires_grad=True)
    anime = generator(photo)
    furthest = 0
    for at in range(side // 2, side // 2 + 8):
        (gradient,) = torch.autograd.grad(anime[..., at, at].sum(), photo, retain_graph=True)
        rows = gradient.abs().sum((0, 1, 3)).nonzero().flatten()
        furthest = max(furthest, int(rows.max()) - at, at - int(rows.min()))
    assert furthest <= generator.receptive_radius <= furthest + 8


def test_checkers_are_dropped_and_lines_are_kept():
    rows = torch.arange(32.0).view(1, 1, -1, 1)
    columns = torch.arange(24.0).view(1, 1, 1, -1)
    checkers = torch.cos(torch.pi * (rows + columns)).expand(1, 3, 32, 24)
    stripes = torch.cos(torch.pi * columns).expand(1, 3, 32, 24)
    sky = (0.01 * rows + 0.02 * columns).expand(1, 3, 32, 24)
    inner = (..., slice(2, -2), slice(2, -2))
    assert drop_checkers(checkers)[inner].abs().max() < 1e-6
    torch.testing.assert_close(drop_checkers(stripes)[inner], stripes[inner])
    torch.testing.assert_close(drop_checkers(sky), sky)


def test_a_gray_generator_paints_no_colour() -> None:
    photo = torch.rand(1, 3, 32, 40) * 2 - 1
    picture = LocalGenerator(8, 1, decides=True, gray=True)(photo)
    assert torch.allclose(picture[:, :1].expand_as(picture), picture, atol=1e-6)
