"""The U-Net generator of pix2pix: an encoder and a decoder with a skip connection at every resolution."""

import torch
from torch import Tensor, nn

from zorse.model.architecture import UnetConfig
from zorse.networks.layers import needs_bias, norm_layer
from zorse.networks.recompute import Recomputable

MAX_WIDENING = 8
"""The papers' channels grow 64, 128, 256, 512 and then stay at 512: eight times the base."""

TAPPED_LEVELS = 4
"""Outermost levels of the encoder whose features CUT compares: deeper maps have too few places to compare."""


def level_channels(config: UnetConfig) -> list[int]:
    """Channels after each halving of the resolution, outermost first."""
    return [config.base_channels * min(2**level, MAX_WIDENING) for level in range(config.depth)]


class Down(Recomputable):
    """Halves the resolution: LeakyReLU (except on the picture itself), 4x4 stride-2 convolution, norm."""

    def __init__(self, inside: int, outside: int, config: UnetConfig, *, activate: bool, normalise: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.LeakyReLU(0.2)] if activate else []
        layers.append(nn.Conv2d(inside, outside, 4, stride=2, padding=1, bias=needs_bias(config.norm)))
        if normalise:
            layers.append(norm_layer(config.norm, outside))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, H/2, W/2)."""
        return self.passing(self.layers, x)


class Up(Recomputable):
    """Doubles the resolution: ReLU, 4x4 stride-2 transposed convolution, norm, dropout."""

    def __init__(self, inside: int, outside: int, config: UnetConfig, *, dropout: bool) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.ReLU(),
            nn.ConvTranspose2d(inside, outside, 4, stride=2, padding=1, bias=needs_bias(config.norm)),
            norm_layer(config.norm, outside),
        ]
        if dropout:
            layers.append(nn.Dropout(0.5))
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        """(N, inside, H, W) -> (N, outside, 2H, 2W)."""
        return self.passing(self.layers, x)


class UnetGenerator(Recomputable):
    """Translates (N, in_channels, H, W) to (N, out_channels, H, W), both in [-1, 1]; H, W multiples of 2^depth.

    The innermost level has no norm on the way down: at 1x1 pixels InstanceNorm would erase it.

    Source: Isola et al. 2017, section 3.2.1 and appendix 6.1.1.
    """

    encoder_layers = ("downs",)

    def __init__(self, config: UnetConfig) -> None:
        super().__init__()
        widths = level_channels(config)
        innermost = config.depth - 1
        self.encoded_channels = (config.in_channels, *widths[:TAPPED_LEVELS])
        self.downs = nn.ModuleList(
            Down(
                config.in_channels if level == 0 else widths[level - 1],
                width,
                config,
                activate=level > 0,
                normalise=0 < level < innermost,
            )
            for level, width in enumerate(widths)
        )
        # Up from `level` returns to the resolution of `level - 1`; all but the innermost also take that level's skip.
        self.ups = nn.ModuleList(
            Up(
                widths[level] if level == innermost else 2 * widths[level],
                widths[level - 1],
                config,
                dropout=config.dropout and widths[level - 1] == widths[innermost] and level < innermost,
            )
            for level in range(innermost, 0, -1)
        )
        self.to_image = nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(2 * widths[0], config.out_channels, 4, stride=2, padding=1),
            nn.Tanh(),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> (N, out_channels, H, W) in [-1, 1]."""
        skips: list[Tensor] = []
        x = image
        for down in self.downs:
            x = down(x)
            skips.append(x)
        skips.pop()  # The innermost map is not skipped to anywhere: it is where the way up starts.
        for up in self.ups:
            x = torch.cat([skips.pop(), up(x)], dim=1)
        return self.passing(self.to_image, x)

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) in [-1, 1] -> the features that CUT compares, `encoded_channels` of them.

        They are the picture itself and the outermost levels on the way down.
        """
        maps = [image]
        for down in self.downs[:TAPPED_LEVELS]:
            maps.append(down(maps[-1]))
        return maps
