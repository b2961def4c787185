"""DCGANs that grow: low resolutions learn first, higher ones are faded in (Karras et al. 2018, section 2, figure 2).

Pictures keep their full size all along: the generator enlarges what it draws at its present resolution, pixel by pixel,
and the discriminator averages it down again, which undoes that exactly. So no loss, no data set and no file has to know
how far a network has grown. That is `level`: 0 draws 8 x 8 pixels, 1 draws 16 x 16, and 0.3 shows 0.3 of the new
resolution and 0.7 of the old one.
"""

import copy
from itertools import pairwise
from math import log2

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zorse.gans.architecture import DCGANGeneratorConfig, DCGANJudgeConfig
from zorse.gans.networks.layers import sample_norm
from zorse.networks.layers import norm_layer
from zorse.networks.spectral import spectral_norm

FIRST = 8
"""Side, in pixels, of the first pictures."""
SLOPE = 0.2


def top_level(size: int) -> int:
    """The level of pictures of the full size."""
    return int(log2(size // FIRST))


class GrowingGenerator(nn.Module):
    """A DCGAN generator that can show any of its resolutions, through a 1 x 1 convolution to pixels."""

    level: Tensor

    def __init__(self, config: DCGANGeneratorConfig) -> None:
        super().__init__()
        self.size, top = config.size, top_level(config.size)
        bias = config.norm == "none"
        channels = [_channels(config.base_channels, config.size, 4 * 2**step) for step in range(top + 2)]
        self.start = nn.Sequential(
            nn.ConvTranspose2d(config.latent.size, channels[0], 4, 1, 0, bias=bias),
            sample_norm(config.norm, channels[0], planes=True),
            nn.ReLU(),
        )
        self.blocks = nn.ModuleList(
            nn.Sequential(
                nn.ConvTranspose2d(before, after, 4, 2, 1, bias=bias),
                sample_norm(config.norm, after, planes=True),
                nn.ReLU(),
            )
            for before, after in pairwise(channels)
        )
        self.to_pixels = nn.ModuleList(nn.Conv2d(after, config.channels, 1) for after in channels[1:])
        self.register_buffer("level", torch.tensor(float(top)))

    def forward(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> (N, channels, size, size) in [-1, 1]."""
        return self.drawn(latents, *_split(self.level))

    def drawn(self, latents: Tensor, whole: int, share: float) -> Tensor:
        """Likewise, at the level `whole + share`."""
        x = self.start(latents[:, :, None, None])
        for block in list(self.blocks)[: whole + 1]:
            x = block(x)
        picture = torch.tanh(self.to_pixels[whole](x))
        if share > 0:
            finer = torch.tanh(self.to_pixels[whole + 1](self.blocks[whole + 1](x)))
            picture = (1 - share) * F.interpolate(picture, scale_factor=2.0) + share * finer
        return F.interpolate(picture, size=(self.size, self.size))


class GrownGenerator(nn.Module):
    """A growing generator that stays at the level it has reached, without a decision for every batch."""

    def __init__(self, generator: GrowingGenerator) -> None:
        super().__init__()
        self.generator = generator
        self.whole, self.share = _split(generator.level)

    def forward(self, latents: Tensor) -> Tensor:
        """(N, latent.size) -> (N, channels, size, size) in [-1, 1]."""
        return self.generator.drawn(latents, self.whole, self.share)


def grown(network: nn.Module) -> nn.Module:
    """The network, or a copy of it in which generators that grow stay at their levels."""
    if isinstance(network, GrowingGenerator):
        return GrownGenerator(network)
    if not any(isinstance(module, GrowingGenerator) for module in network.modules()):
        return network
    network = copy.deepcopy(network)
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, GrowingGenerator):
                parent.register_module(name, GrownGenerator(child))
    return network


class GrowingTrunk(nn.Module):
    """A DCGAN discriminator's layers down to 4 x 4, entered at any resolution through a 1 x 1 convolution."""

    level: Tensor

    def __init__(self, config: DCGANJudgeConfig, in_channels: int, size: int) -> None:
        super().__init__()
        self.size, top = size, top_level(size)
        channels = [_channels(config.base_channels, size, 4 * 2**step) for step in range(top + 2)]
        wrap = spectral_norm if config.spectral_norm else _as_it_is
        self.from_pixels = nn.ModuleList(wrap(nn.Conv2d(in_channels, wide, 1)) for wide in channels[1:])
        self.blocks = nn.ModuleList(
            nn.Sequential(
                wrap(nn.Conv2d(before, after, 4, 2, 1, bias=config.norm == "none")),
                norm_layer(config.norm, after),
                nn.LeakyReLU(SLOPE),
            )
            for before, after in zip(channels[1:], channels, strict=False)
        )
        self.register_buffer("level", torch.tensor(float(top)))

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, in_channels, size, size) -> (N, channels, 4, 4)."""
        whole, share = _split(self.level)
        if share > 0:
            finer = F.avg_pool2d(pictures, self.size // (FIRST * 2 ** (whole + 1)))
            old = self._entered(F.avg_pool2d(finer, 2), whole)
            x: Tensor = (1 - share) * old + share * self.blocks[whole + 1](self._entered(finer, whole + 1))
        else:
            x = self._entered(F.avg_pool2d(pictures, self.size // (FIRST * 2**whole)), whole)
        for block in reversed(list(self.blocks)[: whole + 1]):
            x = block(x)
        return x

    def _entered(self, pictures: Tensor, level: int) -> Tensor:
        return F.leaky_relu(self.from_pixels[level](pictures), SLOPE)


def set_level(network: nn.Module, level: float) -> None:
    """Let a growing network, or one that holds one, show this level; without effect on others."""
    for module in network.modules():
        if isinstance(module, GrowingGenerator | GrowingTrunk):
            module.level.fill_(min(level, float(top_level(module.size))))


def _split(level: Tensor) -> tuple[int, float]:
    value = float(level)
    return int(value), value - int(value)


def _channels(base_channels: int, size: int, side: int) -> int:
    """Channels of maps of a side: `base_channels` at half the full size, twice as many at each half of it."""
    return max(1, base_channels * size // (2 * side))


def _as_it_is(layer: nn.Conv2d) -> nn.Conv2d:
    return layer
