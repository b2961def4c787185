"""PatchGAN discriminators: each logit judges one patch of the picture."""

from collections.abc import Iterator

import torch.nn.functional as F
from torch import Tensor, nn

from zorse.errors import ConfigError
from zorse.model.architecture import PatchGANConfig, PixelConfig
from zorse.networks.augment import diff_augment
from zorse.networks.layers import Blur, after_each_activation, needs_bias, norm_layer
from zorse.networks.spectral import spectral_norm

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


def patchgan(config: PatchGANConfig, in_channels: int) -> nn.Module:
    """The PatchGAN that a config describes, of one scale or of several."""
    return (MultiScalePatchGAN if config.scales > 1 else PatchGAN)(config, in_channels)


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
        self.augment = config.augment

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> logits (N, 1, h, w)."""
        out: Tensor = self.layers(diff_augment(image, self.augment))
        return out

    def feature_maps(self, image: Tensor) -> list[list[Tensor]]:
        """See `zorse.networks.abilities.ShowsFeatures`."""
        return [after_each_activation(self.layers, image)]


class MultiScalePatchGAN(nn.Module):
    """The same PatchGAN several times, each with its own weights, on ever smaller copies of the picture.

    The one on the smallest sees the most of the picture and judges its composition, the one on the largest its detail.

    Source: Wang et al. 2018, High-Resolution Image Synthesis with Conditional GANs (pix2pixHD), section 3.2.
    """

    def __init__(self, config: PatchGANConfig, in_channels: int) -> None:
        super().__init__()
        # Augmented once, so that all scales judge the same picture.
        plain = config.model_copy(update={"augment": ()})
        self.members = nn.ModuleList(PatchGAN(plain, in_channels) for _ in range(config.scales))
        self.augment = config.augment

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, in_channels, H, W) in [-1, 1] -> logits (N, 1, h, w) of each scale, finest first."""
        return [member(scaled) for member, scaled in self.at_their_scales(diff_augment(image, self.augment))]

    def feature_maps(self, image: Tensor) -> list[list[Tensor]]:
        """See `zorse.networks.abilities.ShowsFeatures`."""
        scales = self.at_their_scales(image)
        return [after_each_activation(member.get_submodule("layers"), scaled) for member, scaled in scales]

    def at_their_scales(self, image: Tensor) -> Iterator[tuple[nn.Module, Tensor]]:
        """Each network with its copy of the picture (N, in_channels, H, W), halved again and again."""
        for index, member in enumerate(self.members):
            if index > 0:
                image = F.avg_pool2d(image, 3, stride=2, padding=1, count_include_pad=False)
            yield member, image


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
        self.augment = config.augment

    def forward(self, image: Tensor) -> Tensor:
        """(N, in_channels, H, W) in [-1, 1] -> logits (N, 1, H, W)."""
        out: Tensor = self.layers(diff_augment(image, self.augment))
        return out

    def feature_maps(self, image: Tensor) -> list[list[Tensor]]:
        """See `zorse.networks.abilities.ShowsFeatures`."""
        return [after_each_activation(self.layers, image)]
