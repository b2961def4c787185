"""Generators that draw from noise: fully connected, DCGAN, the coupled pair of CoGAN."""

import torch
from torch import Tensor, nn

from zorse.gans.architecture import (
    CoupledGeneratorConfig,
    DCGANGeneratorConfig,
    MLPGeneratorConfig,
    SampleGeneratorConfig,
    SampleNorm,
)
from zorse.gans.networks.growing import GrowingGenerator
from zorse.gans.networks.latents import draw_latents
from zorse.gans.networks.layers import REFERENCE, sample_norm
from zorse.networks.layers import initialise

SMALLEST = 4
"""Side, in pixels, of a DCGAN's coarsest maps."""


class MLPGenerator(nn.Module):
    """Hidden layers with ReLU, then the sample: as it comes for points, through tanh for pictures."""

    def __init__(self, config: MLPGeneratorConfig) -> None:
        super().__init__()
        widths = (config.latent.size, *config.hidden)
        layers: list[nn.Module] = []
        for before, after in zip(widths, config.hidden, strict=False):
            layers += [nn.Linear(before, after), sample_norm(config.norm, after, planes=False), nn.ReLU()]
        pictures = len(config.shape) == 3
        numbers = int(torch.tensor(config.shape).prod())
        layers += [nn.Linear(widths[-1], numbers), nn.Tanh() if pictures else nn.Identity()]
        self.shape = config.shape
        self.layers = nn.Sequential(*layers)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> (N, *shape)."""
        return self.layers(latents).view(len(latents), *self.shape)  # type: ignore[no-any-return]


class DCGANGenerator(nn.Module):
    """Each transposed convolution (4 x 4, stride 2) doubles the side and halves the channels.

    Source: Radford et al. 2016, section 3 and figure 1.
    """

    def __init__(self, config: DCGANGeneratorConfig) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *_trunk(config.latent.size, config.size, config.base_channels, config.norm),
            nn.ConvTranspose2d(config.base_channels, config.channels, 4, 2, 1, bias=False),
            nn.Tanh(),
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> (N, channels, size, size) in [-1, 1]."""
        return self.layers(latents[:, :, None, None])  # type: ignore[no-any-return]


class CoupledGenerator(nn.Module):
    """Two DCGAN generators of the same latents that share all layers but the last two: same meaning, own looks.

    Source: Liu and Tuzel 2016, section 3 and supplementary table 1.
    """

    def __init__(self, config: CoupledGeneratorConfig) -> None:
        super().__init__()
        layers = _trunk(config.latent.size, config.size, config.base_channels, config.norm)
        self.shared = nn.Sequential(*layers[:-3])
        self.ends = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(2 * config.base_channels, config.base_channels, 4, 2, 1, bias=config.norm == "none"),
                sample_norm(config.norm, config.base_channels, planes=True),
                nn.ReLU(),
                nn.ConvTranspose2d(config.base_channels, config.channels, 4, 2, 1, bias=False),
                nn.Tanh(),
            )
            for _ in range(2)
        )

    def forward(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> (N, 2 * channels, size, size) in [-1, 1]: domain A's channels, then B's."""
        meaning = self.shared(latents[:, :, None, None])
        return torch.cat([end(meaning) for end in self.ends], dim=1)


class WithReference(nn.Module):
    """A generator with virtual batch normalisation, and the reference batch of latents that goes with it."""

    reference: Tensor

    def __init__(self, generator: nn.Module, config: SampleGeneratorConfig) -> None:
        super().__init__()
        self.generator = generator
        self.register_buffer("reference", draw_latents(config.latent, REFERENCE))

    def forward(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> samples (N, ...)."""
        return self.generator(torch.cat([self.reference, latents]))[REFERENCE:]  # type: ignore[no-any-return]


def sample_generator_module(config: SampleGeneratorConfig) -> nn.Module:
    """The generator with PyTorch's own initial weights, for loading others into it."""
    match config:
        case MLPGeneratorConfig():
            network: nn.Module = MLPGenerator(config)
        case DCGANGeneratorConfig(growing=True):
            network = GrowingGenerator(config)
        case DCGANGeneratorConfig():
            network = DCGANGenerator(config)
        case CoupledGeneratorConfig():
            network = CoupledGenerator(config)
    return WithReference(network, config) if config.norm == "virtual" else network


def build_sample_generator(config: SampleGeneratorConfig) -> nn.Module:
    """A fresh generator: (N, latent.size) -> (N, *shape).

    Convolutional ones start from N(0, 0.02) as in DCGAN, section 3; fully connected ones as PyTorch has it.
    """
    network = sample_generator_module(config)
    if not isinstance(config, MLPGeneratorConfig):
        initialise(network)
    return network


def _trunk(latent: int, size: int, base_channels: int, norm: SampleNorm) -> list[nn.Module]:
    """From latents (N, latent, 1, 1) to (N, base_channels, size / 2, size / 2), three modules per resolution."""
    bias = norm == "none"
    channels = base_channels * size // 2 // SMALLEST
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(latent, channels, SMALLEST, 1, 0, bias=bias),
        sample_norm(norm, channels, planes=True),
        nn.ReLU(),
    ]
    while channels > base_channels:
        layers += [
            nn.ConvTranspose2d(channels, channels // 2, 4, 2, 1, bias=bias),
            sample_norm(norm, channels // 2, planes=True),
            nn.ReLU(),
        ]
        channels //= 2
    return layers
