"""From a config to a module."""

from collections.abc import Sequence

from torch import Tensor, nn

from zorse.errors import ConfigError
from zorse.model.architecture import (
    CompactConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    PatchGANConfig,
    PixelConfig,
    ProjectedConfig,
    ResnetConfig,
    UnetConfig,
)
from zorse.networks.compact import CompactGenerator
from zorse.networks.layers import initialise
from zorse.networks.patchgan import MultiScalePatchGAN, PatchGAN, PixelDiscriminator
from zorse.networks.projected import ProjectedDiscriminator
from zorse.networks.resnet import ResnetGenerator
from zorse.networks.unet import UnetGenerator

RGB = 3
Generator = ResnetGenerator | UnetGenerator | CompactGenerator
"""Each translates a picture, and can `encode` it: show the features on the way, of which CUT makes its loss."""


class JudgedPicture(nn.Module):
    """Shows a discriminator of RGB pictures the last three channels only: the judged half of a pix2pix pair."""

    def __init__(self, discriminator: ProjectedDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, pair: Tensor) -> list[Tensor]:
        """(N, C >= 3, H, W) in [-1, 1] -> the discriminator's logit maps."""
        logits: list[Tensor] = self.discriminator(self.judged(pair))
        return logits

    def judged(self, pair: Tensor) -> Tensor:
        """(N, C >= 3, H, W) -> (N, 3, H, W): the half that is judged."""
        return pair[:, -RGB:]


class Discriminators(nn.Module):
    """Several discriminators that judge the same picture; their logit maps come as one list."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, C, H, W) in [-1, 1] -> the logit maps of all members."""
        logits: list[Tensor] = []
        for member in self.members:
            judged = member(image)
            logits += judged if isinstance(judged, list) else [judged]
        return logits


def generator_module(config: GeneratorConfig) -> Generator:
    """The generator with PyTorch's own initial weights, for loading others into it."""
    match config:
        case ResnetConfig():
            return ResnetGenerator(config)
        case UnetConfig():
            return UnetGenerator(config)
        case CompactConfig():
            return CompactGenerator(config)


def build_generator(config: GeneratorConfig) -> Generator:
    """A fresh generator, initialised as in the papers: (N, in, H, W) -> (N, out, H, W), both in [-1, 1]."""
    network = generator_module(config)
    initialise(network)
    return network


def _discriminator(config: DiscriminatorConfig, in_channels: int) -> nn.Module:
    match config:
        case PatchGANConfig():
            several = config.scales > 1
            network: nn.Module = (MultiScalePatchGAN if several else PatchGAN)(config, in_channels)
        case PixelConfig():
            network = PixelDiscriminator(config, in_channels)
        case ProjectedConfig():
            # Its heads keep PyTorch's initialisation: spectral normalisation makes their scale irrelevant.
            projected = ProjectedDiscriminator(config)
            return projected if in_channels == RGB else JudgedPicture(projected)
    initialise(network)
    return network


def build_discriminator(configs: Sequence[DiscriminatorConfig], in_channels: int = 3) -> nn.Module:
    """A fresh discriminator, initialised as in the papers; several configs make several judges of one picture.

    Args:
        configs: at least one.
        in_channels: of the pictures; in pix2pix the picture judged is the last 3 of them.

    Raises:
        ConfigError: no config at all.
    """
    if not configs:
        raise ConfigError("A GAN needs at least one discriminator, but the list of discriminators is empty.")
    members = [_discriminator(config, in_channels) for config in configs]
    return members[0] if len(members) == 1 else Discriminators(members)
