"""From a config to a module."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from zorse.errors import ConfigError, CustomCodeError
from zorse.model.architecture import (
    CustomDiscriminatorConfig,
    CustomGeneratorConfig,
    DiscriminatorConfig,
    GeneratorConfig,
)
from zorse.networks.abilities import showing_features
from zorse.networks.layers import initialise
from zorse.system.import_paths import construct, own, resolve


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
            logits += [judged] if isinstance(judged, Tensor) else judged
        return logits

    def feature_maps(self, image: Tensor) -> list[list[Tensor]]:
        """See `zorse.networks.abilities.ShowsFeatures`."""
        shown = [showing_features(member, "recipe.lambda_feature_matching") for member in self.members]
        return [maps for member in shown for maps in member.feature_maps(image)]


def generator_module(config: GeneratorConfig) -> nn.Module:
    """The generator with the initial weights that its class gives it, for loading others into it.

    Raises:
        CustomCodeError: it is of others, and may not run, is not installed, or is no generator.
    """
    if isinstance(config, CustomGeneratorConfig):
        return _custom_module(config)
    network: nn.Module = own(config.network)(config)
    return network


def build_generator(config: GeneratorConfig) -> nn.Module:
    """A fresh generator: (N, in, H, W) -> (N, out, H, W), both in [-1, 1].

    Zorse's own are initialised as in the papers, those of others as they do it.

    Raises:
        CustomCodeError: it is of others, and may not run, is not installed, or is no generator.
    """
    network = generator_module(config)
    if not (isinstance(config, CustomGeneratorConfig) or config.initialises_itself):
        initialise(network)
    return network


def build_discriminator(configs: Sequence[DiscriminatorConfig], in_channels: int = 3) -> nn.Module:
    """A fresh discriminator, initialised as in the papers; several configs make several judges of one picture.

    Args:
        configs: at least one.
        in_channels: of the pictures; in pix2pix the picture judged is the last 3 of them.

    Raises:
        ConfigError: no config at all.
        CustomCodeError: one is of others, and may not run, is not installed, or is no discriminator.
    """
    if not configs:
        raise ConfigError("A GAN needs at least one discriminator, but the list of discriminators is empty.")
    members = [_discriminator(config, in_channels) for config in configs]
    return members[0] if len(members) == 1 else Discriminators(members)


def _discriminator(config: DiscriminatorConfig, in_channels: int) -> nn.Module:
    if isinstance(config, CustomDiscriminatorConfig):
        return _custom_module(config, in_channels=in_channels)
    network: nn.Module = own(config.network)(config, in_channels)
    if not config.initialises_itself:
        initialise(network)
    return network


def _custom_module(config: CustomGeneratorConfig | CustomDiscriminatorConfig, **also: Any) -> nn.Module:
    made = resolve(config.kind)
    if not (isinstance(made, type) and issubclass(made, nn.Module)):
        raise CustomCodeError(f"{config.kind} is no network: a class was wanted that derives from torch.nn.Module.")
    network: nn.Module = construct(config.kind, made, config.arguments, **also)
    return network
