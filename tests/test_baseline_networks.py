"""Networks that draw from noise and judge what was drawn."""

import math

import pytest
import torch
import torch.nn.functional as F

from zorse.errors import ConfigError
from zorse.gans.architecture import (
    CoupledGeneratorConfig,
    DCGANGeneratorConfig,
    DCGANJudgeConfig,
    LatentConfig,
    MLPGeneratorConfig,
    MLPJudgeConfig,
)
from zorse.gans.networks.generators import build_sample_generator
from zorse.gans.networks.growing import GrowingGenerator, GrowingTrunk, set_level
from zorse.gans.networks.judges import build_judge, coupled_judges
from zorse.gans.networks.latents import draw_latents, interpolated, take_apart
from zorse.gans.networks.layers import REFERENCE, MinibatchDiscrimination, VirtualBatchNorm


def n_parameters(network) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def test_dcgan_64_has_the_published_size():
    assert n_parameters(build_sample_generator(DCGANGeneratorConfig())) == 3_576_704
    assert n_parameters(build_judge(DCGANJudgeConfig(), (3, 64, 64))) == 2_765_568


@pytest.mark.parametrize(
    "config",
    [
        MLPGeneratorConfig(),
        MLPGeneratorConfig(norm="virtual", shape=(3, 8, 8)),
        DCGANGeneratorConfig(size=32, base_channels=2, norm="virtual"),
        DCGANGeneratorConfig(size=128, base_channels=2, growing=True),
        CoupledGeneratorConfig(size=16, base_channels=2),
    ],
)
def test_generators_draw_the_shape_that_they_say(config):
    samples = build_sample_generator(config)(draw_latents(config.latent, 3))
    assert samples.shape == (3, *config.shape)
    if len(config.shape) == 3:
        assert samples.abs().max() <= 1


def test_latents_are_made_up_as_described_and_come_apart_again():
    config = LatentConfig(noise=5, distribution="uniform", classes=3, categories=(4, 2), continuous=2)
    latents = draw_latents(config, 200, torch.arange(200) % 3)
    assert latents.shape == (200, 5 + 3 + 4 + 2 + 2)
    parts = take_apart(config, latents)
    assert torch.equal(parts.joined(), latents)
    assert torch.equal(parts.labels.argmax(1), torch.arange(200) % 3)
    assert all(torch.equal(code.sum(1), torch.ones(200)) for code in parts.categories)
    assert parts.continuous.abs().max() <= 1
    assert parts.noise.abs().max() <= 1
    assert {int(value) for value in parts.categories[0].argmax(1)} == {0, 1, 2, 3}


def test_a_label_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match=r"from 0 to 2 .* 3 to 3 came"):
        draw_latents(LatentConfig(noise=2, classes=3), 1, torch.tensor([3]))


def test_interpolation_goes_from_one_end_to_the_other_and_round_the_origin():
    first, last = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 3.0])
    straight = interpolated(first, last, [0, 0.5, 1], spherical=False)
    around = interpolated(first, last, [0, 0.5, 1], spherical=True)
    for way in (straight, around):
        torch.testing.assert_close(way[[0, -1]], torch.stack([first, last]))
    torch.testing.assert_close(straight[1], torch.tensor([1.5, 1.5]))
    torch.testing.assert_close(around[1], torch.tensor([3 / math.sqrt(2)] * 2))
    same = interpolated(first, first, [0, 0.5], spherical=True)
    torch.testing.assert_close(same, first.expand(2, -1))


def test_with_virtual_normalisation_a_sample_does_not_depend_on_its_batch():
    network = build_sample_generator(DCGANGeneratorConfig(size=16, base_channels=4, norm="virtual")).train()
    latents = draw_latents(LatentConfig(), 6)
    torch.testing.assert_close(network(latents)[:2], network(latents[:2]), rtol=1e-4, atol=1e-5)
    norm = VirtualBatchNorm(3)
    x = torch.randn(REFERENCE + 1, 3, 4, 4) * 5 + 2
    mean = (REFERENCE * x[:REFERENCE].mean((0, 2, 3)) + x[-1].mean((1, 2))) / (REFERENCE + 1)
    square = (REFERENCE * (x[:REFERENCE] ** 2).mean((0, 2, 3)) + (x[-1] ** 2).mean((1, 2))) / (REFERENCE + 1)
    wanted = (x[-1] - mean[:, None, None]) / (square - mean**2 + 1e-5).sqrt()[:, None, None]
    torch.testing.assert_close(norm(x)[-1], wanted, rtol=1e-4, atol=1e-4)


def test_minibatch_discrimination_follows_the_paper():
    layer = MinibatchDiscrimination(features=5, kernels=2, kernel_size=3)
    features = torch.randn(4, 5)
    embedded = layer.weight(features).view(4, 2, 3)
    result = layer(features)
    assert torch.equal(result[:, :5], features)
    for i in range(4):
        for b in range(2):
            near = sum(
                math.exp(-float((embedded[i, b] - embedded[j, b]).abs().sum().detach())) for j in range(4) if j != i
            )
            assert float(result[i, 5 + b].detach()) == pytest.approx(near, rel=1e-4)


def test_a_growing_generator_shows_each_level_and_fades_between_them():
    config = DCGANGeneratorConfig(size=32, base_channels=4, growing=True, norm="none")
    network = build_sample_generator(config)
    assert isinstance(network, GrowingGenerator)
    latents = draw_latents(config.latent, 2)
    pictures = {}
    for level in (0.0, 0.25, 1.0, 2.0):
        set_level(network, level)
        pictures[level] = network(latents)
        assert pictures[level].shape == (2, 3, 32, 32)
    torch.testing.assert_close(pictures[0.25], 0.75 * pictures[0.0] + 0.25 * pictures[1.0])
    for level, side in ((0.0, 8), (1.0, 16)):
        small = F.avg_pool2d(pictures[level], 32 // side)
        torch.testing.assert_close(F.interpolate(small, size=(32, 32)), pictures[level])
    set_level(network, 99.0)
    torch.testing.assert_close(network(latents), pictures[2.0])


def test_a_growing_discriminator_sees_no_more_than_its_level():
    config = DCGANJudgeConfig(base_channels=4, norm="none")
    judge = build_judge(config, (3, 32, 32), growing=True)
    assert isinstance(judge.trunk, GrowingTrunk)
    pictures = torch.randn(2, 3, 32, 32)
    coarse = F.interpolate(F.avg_pool2d(pictures, 4), size=(32, 32))
    set_level(judge, 0.0)
    torch.testing.assert_close(judge(pictures), judge(coarse))
    set_level(judge, 0.5)
    assert not torch.allclose(judge(pictures), judge(coarse))


def test_labels_reach_discriminators_of_both_kinds():
    one, other = torch.eye(3)[[0]], torch.eye(3)[[1]]
    for config, shape in ((MLPJudgeConfig(), (1, 8, 8)), (DCGANJudgeConfig(base_channels=2), (1, 8, 8))):
        judge = build_judge(config, shape, classes=3).eval()
        picture = torch.randn(1, *shape)
        assert judge(picture, one).shape == (1, 1)
        assert not torch.equal(judge(picture, one), judge(picture, other))


def test_coupled_discriminators_share_all_but_the_first_layer():
    first, second = coupled_judges(DCGANJudgeConfig(base_channels=4), (1, 16, 16))
    own = {id(parameter) for parameter in first.parameters()} - {id(parameter) for parameter in second.parameters()}
    assert own == {id(parameter) for parameter in first.trunk[0].parameters()}


def test_spectral_normalisation_bounds_the_slope_of_a_discriminator():
    judge = build_judge(MLPJudgeConfig(spectral_norm=True), (2,))
    for _ in range(50):
        judge(torch.zeros(1, 2))  # Each pass in training mode improves the estimates.
    points = torch.randn(100, 2, requires_grad=True)
    (slope,) = torch.autograd.grad(judge(points).sum(), points)
    assert slope.norm(dim=1).max() <= 1.02
