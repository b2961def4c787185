"""What some networks can do beyond computing, and what asks for it: small protocols, whoever wrote the network."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from zorse.errors import ConfigError


@runtime_checkable
class Encodes(Protocol):
    """A generator that shows features on its way, which CUT compares."""

    encoded_channels: Sequence[int]
    """Channels of each map that `encode` gives."""

    def encode(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> maps (N, c, h, w)."""


@runtime_checkable
class HasEncoder(Protocol):
    """A generator with layers from the picture to its lowest resolution, which a fine-tuning may freeze."""

    encoder_layers: Sequence[str]
    """Names of these modules."""


@runtime_checkable
class ShowsFeatures(Protocol):
    """A discriminator that shows what it sees on the way to its logits, which pix2pixHD's generator has to match."""

    def feature_maps(self, image: Tensor) -> list[list[Tensor]]:
        """(N, C, H, W) in [-1, 1] -> for each network that judges it, its maps (N, c, h, w) after each activation.

        The picture is not augmented: the features of a pair of pictures can be compared only if both were shown alike.
        """


def encoding(network: nn.Module, wanted_by: str) -> Encodes:
    """The generator as one that shows features.

    Args:
        network: the generator.
        wanted_by: who asks, to begin an error with: "CUT".

    Raises:
        ConfigError: it shows none.
    """
    if isinstance(network, Encodes):
        return network
    raise _lacking(network, wanted_by, "Encodes", "encode and encoded_channels")


def having_encoder(network: nn.Module, wanted_by: str) -> HasEncoder:
    """The generator as one that knows its encoder.

    Raises:
        ConfigError: it does not.
    """
    if isinstance(network, HasEncoder):
        return network
    raise _lacking(network, wanted_by, "HasEncoder", "encoder_layers")


def showing_features(network: nn.Module, wanted_by: str) -> ShowsFeatures:
    """The discriminator as one that shows what it sees.

    Raises:
        ConfigError: it does not.
    """
    if isinstance(network, ShowsFeatures):
        return network
    raise _lacking(network, wanted_by, "ShowsFeatures", "feature_maps")


def _lacking(network: nn.Module, wanted_by: str, ability: str, members: str) -> ConfigError:
    return ConfigError(
        f"{wanted_by} needs a network that has {members}, which {type(network).__name__} lacks. Add it as "
        f"zorse.networks.abilities.{ability} describes it, or take another network."
    )
