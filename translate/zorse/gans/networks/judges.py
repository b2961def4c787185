"""Discriminators of samples, which are also critics and encoders: features, and a logit on top of them."""

from math import prod

import torch
from torch import Tensor, nn

from zorse.gans.architecture import DCGANJudgeConfig, MLPJudgeConfig, SampleJudgeConfig
from zorse.gans.networks.growing import GrowingTrunk
from zorse.gans.networks.layers import MinibatchDiscrimination
from zorse.networks.layers import initialise, norm_layer
from zorse.networks.spectral import spectral_norm

SMALLEST = 4
"""Side, in pixels, of the last feature maps."""
SLOPE = 0.2


class Judge(nn.Module):
    """A trunk that sees features, and a head that makes one logit of them.

    A label is shown to it as further numbers beside the sample (fully connected) or as further planes (convolutional):
    one for each class, of which one is 1 (Mirza and Osindero 2014).
    """

    def __init__(self, trunk: nn.Module, n_features: int, config: SampleJudgeConfig, bias: bool) -> None:
        super().__init__()
        self.convolutional = config.kind == "dcgan"
        self.trunk = trunk
        kernels = config.minibatch_kernels
        self.batch_view = MinibatchDiscrimination(n_features, kernels) if kernels else nn.Identity()
        self.n_features = n_features + kernels
        """Numbers that `features` gives."""
        self.head = _linear(self.n_features, 1, config.spectral_norm, bias)

    def forward(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, ...) and, for conditional ones, one-hot labels (N, classes) -> logits (N, 1)."""
        logits: Tensor = self.head(self.features(samples, labels))
        # Under mixed precision they come in 16 bits, too few for squares and means.
        return logits.to(torch.promote_types(logits.dtype, torch.float32))

    def features(self, samples: Tensor, labels: Tensor | None = None) -> Tensor:
        """Likewise -> (N, n_features), what the head sees."""
        if not self.convolutional:
            samples = samples.flatten(1)
        if labels is not None:
            planes = labels[:, :, None, None].expand(-1, -1, *samples.shape[2:]) if self.convolutional else labels
            samples = torch.cat([samples, planes], dim=1)
        return self.batch_view(self.trunk(samples).flatten(1))  # type: ignore[no-any-return]


def build_judge(config: SampleJudgeConfig, shape: tuple[int, ...], classes: int = 0, *, growing: bool = False) -> Judge:
    """A fresh discriminator.

    Args:
        config: of its architecture.
        shape: of one sample: (2,) or (channels, height, width).
        classes: labels that it is told, if it is conditional.
        growing: for pictures that begin small, from a growing generator.
    """
    match config:
        case MLPJudgeConfig():
            numbers = prod(shape) + classes
            layers: list[nn.Module] = []
            for before, after in zip((numbers, *config.hidden), config.hidden, strict=False):
                layers += [_linear(before, after, config.spectral_norm), nn.LeakyReLU(SLOPE)]
            features = config.hidden[-1] if config.hidden else numbers
            return Judge(nn.Sequential(*layers), features, config, bias=True)
        case DCGANJudgeConfig():
            channels, size = shape[0] + classes, shape[1]
            trunk = (
                GrowingTrunk(config, channels, size) if growing else nn.Sequential(*_strided(config, channels, size))
            )
            features = config.base_channels * size // 2 // SMALLEST * SMALLEST**2
            judge = Judge(trunk, features, config, bias=config.norm == "none")
            if not config.spectral_norm:  # Otherwise the scale of weights is irrelevant.
                initialise(judge)
            return judge


def coupled_judges(config: DCGANJudgeConfig, shape: tuple[int, ...]) -> tuple[Judge, Judge]:
    """Two fresh discriminators that share all layers but the first convolution (CoGAN).

    Args:
        config: of their architecture.
        shape: (channels, height, width) of one picture.
    """
    first, second = build_judge(config, shape), build_judge(config, shape)
    (own, *_), (_, *shared) = second.trunk.children(), first.trunk.children()
    second.trunk = nn.Sequential(own, *shared)
    second.batch_view, second.head = first.batch_view, first.head
    return first, second


def head(judge: Judge, outputs: int) -> nn.Linear:
    """A further head on the features of a judge: for classes, codes, or a latent vector."""
    return nn.Linear(judge.n_features, outputs)


def _strided(config: DCGANJudgeConfig, in_channels: int, size: int) -> list[nn.Module]:
    """From (N, in_channels, size, size) to (N, channels, 4, 4); no normalisation after the first (DCGAN, section 3)."""
    channels = config.base_channels
    layers: list[nn.Module] = [_conv(config, in_channels, channels, bias=config.norm == "none"), nn.LeakyReLU(SLOPE)]
    while size > 2 * SMALLEST:
        layers += [
            _conv(config, channels, 2 * channels, bias=config.norm == "none"),
            norm_layer(config.norm, 2 * channels),
            nn.LeakyReLU(SLOPE),
        ]
        channels, size = 2 * channels, size // 2
    return layers


def _conv(config: DCGANJudgeConfig, before: int, after: int, bias: bool) -> nn.Conv2d:
    layer = nn.Conv2d(before, after, 4, 2, 1, bias=bias)
    return spectral_norm(layer) if config.spectral_norm else layer


def _linear(before: int, after: int, spectral: bool, bias: bool = True) -> nn.Linear:
    layer = nn.Linear(before, after, bias=bias)
    return spectral_norm(layer) if spectral else layer
