"""PatchGAN discriminators: each logit judges one patch of the picture."""

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from zorse.architecture import PatchGANConfig, PixelConfig
from zorse.errors import ConfigError
from zorse.networks.layers import Blur, needs_bias, norm_layer

MAX_WIDENING = 8
"""Channels double with every layer up to eight times the base."""


def receptive_field(n_layers: int) -> int:
    """Side, in input pixels, of the patch that one PatchGAN logit sees.

    Args:
        n_layers: stride-2 convolutions, >= 1. 3 gives the paper's 70x70.

    Raises:
        ConfigError: n_layers < 1.

    Source: Isola et al. 2017, section 3.2.2 and appendix 6.1.2.
    """
    if n_layers < 1:
        raise ConfigError(f"A PatchGAN needs at least one stride-2 convolution (n_layers >= 1), but got {n_layers}.")
    strides = [2] * n_layers + [1, 1]
    field = 1
    for stride in reversed(strides):
        field = (field - 1) * stride + 4
    return field


class PatchGAN(nn.Module):
    """(N, in_channels, H, W) -> logits (N, 1, h, w); 256 px in gives 30x30 logits with n_layers 3."""

    def __init__(self, config: PatchGANConfig, in_channels: int) -> None:
        super().__init__()

        blurs = config.downsampling == "blur"

        def convolution(inside: int, outside: int, bias: bool, halving: bool) -> nn.Module:
            stride = 2 if halving and not blurs else 1
            layer = nn.Conv2d(inside, outside, 4, stride=stride, padding=1, bias=bias)
            return spectral_norm(layer) if config.spectral_norm else layer

        bias = needs_bias(config.norm)
        channels = config.base_channels
        halved = [Blur()] if blurs else []
        layers: list[nn.Module] = [convolution(in_channels, channels, True, True), nn.LeakyReLU(0.2), *halved]
        for layer in range(1, config.n_layers + 1):
            wider = config.base_channels * min(2**layer, MAX_WIDENING)
            halving = layer < config.n_layers
            layers += [
                convolution(channels, wider, bias, halving),
                norm_layer(config.norm, wider),
                nn.LeakyReLU(0.2),
                *(halved if halving else []),
            ]
            channels = wider
        layers.append(convolution(channels, 1, True, False))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> logits (N, 1, h, w)."""
        out: Tensor = self.layers(image)
        return out


class PixelDiscriminator(nn.Module):
    """(N, in_channels, H, W) -> logits (N, 1, H, W): judges colours, not shapes."""

    def __init__(self, config: PixelConfig, in_channels: int) -> None:
        super().__init__()
        channels = config.base_channels
        bias = needs_bias(config.norm)
        self.layers = nn.Sequential(
            nn.Conv2d(in_channels, channels, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(channels, 2 * channels, 1, bias=bias),
            norm_layer(config.norm, 2 * channels),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * channels, 1, 1, bias=bias),
        )

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> logits (N, 1, H, W)."""
        out: Tensor = self.layers(image)
        return out
