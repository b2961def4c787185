"""From a config to a module."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from zorse.errors import ConfigError
from zorse.model.architecture import (
    CustomDiscriminatorConfig,
    CustomGeneratorConfig,
    DiscriminatorConfig,
    GeneratorConfig,
    Initialisation,
)
from zorse.networks.layers import initialise
from zorse.system.import_paths import built_in, constructed


@runtime_checkable
class Encoder(Protocol):
    """A generator whose way down to its lowest resolution can be looked at: CUT does, and `training.freeze`."""

    encoded_channels: Sequence[int]
    """Of the feature maps that `encode` gives."""
    encoder_layers: Sequence[str]
    """Names of the modules on the way."""

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> the features that CUT compares."""


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


def generator_module(config: GeneratorConfig) -> nn.Module:
    """The generator with PyTorch's own initial weights, or those of its author, for loading others into it.

    Raises:
        ConfigError: it is somebody else's code, which the user has not allowed or which fails.
    """
    if isinstance(config, CustomGeneratorConfig):
        return constructed(config.kind, nn.Module, config.options)
    network: nn.Module = built_in(config.network)(config)
    return network


def build_generator(config: GeneratorConfig, initialisation: Initialisation = "normal") -> nn.Module:
    """A fresh generator, initialised as in the papers, or as its author does: (N, in, H, W) -> (N, out, H, W), both in
    [-1, 1].

    Raises:
        ConfigError: as `generator_module`.
    """
    network = generator_module(config)
    if not isinstance(config, CustomGeneratorConfig):
        initialise(network, initialisation)
    return network


def encoder_of(generator: nn.Module, wanted_by: str) -> Encoder:
    """The generator, seen as an encoder.

    Args:
        generator: any.
        wanted_by: who needs that, for the message.

    Raises:
        ConfigError: it shows no encoder.
    """
    if not isinstance(generator, Encoder):
        raise ConfigError(
            f"{wanted_by} needs a generator with encode, encoded_channels and encoder_layers (see "
            f"zorse.networks.build.Encoder), which {type(generator).__name__} does not have."
        )
    return generator


def _discriminator(config: DiscriminatorConfig, in_channels: int, initialisation: Initialisation) -> nn.Module:
    if isinstance(config, CustomDiscriminatorConfig):
        return constructed(config.kind, nn.Module, config.options, in_channels)
    network: nn.Module = built_in(config.network)(config, in_channels, initialisation)
    return network


def build_discriminator(
    configs: Sequence[DiscriminatorConfig], in_channels: int = 3, initialisation: Initialisation = "normal"
) -> nn.Module:
    """A fresh discriminator, initialised as in the papers; several configs make several judges of one picture.

    Args:
        configs: at least one.
        in_channels: of the pictures; in pix2pix the picture judged is the last 3 of them.
        initialisation: of the weights of those that do not have their own.

    Raises:
        ConfigError: no config at all.
    """
    if not configs:
        raise ConfigError("A GAN needs at least one discriminator, but the list of discriminators is empty.")
    members = [_discriminator(config, in_channels, initialisation) for config in configs]
    return members[0] if len(members) == 1 else Discriminators(members)
