"""Projected discriminator: small heads on the frozen features of a pretrained network."""

from collections.abc import Callable
from typing import Self

import torch.nn.functional as F
from torch import Tensor, nn

from zorse.model.architecture import ProjectedConfig
from zorse.networks.augment import diff_augment
from zorse.networks.efficientnet import EfficientNetTrunk, load_efficientnet
from zorse.networks.layers import after_each_activation
from zorse.networks.spectral import spectral_norm

RGB = 3


def projected_discriminator(config: ProjectedConfig, in_channels: int) -> nn.Module:
    """The discriminator, of pictures or of the judged half of pix2pix pairs."""
    discriminator = ProjectedDiscriminator(config)
    return discriminator if in_channels == RGB else JudgedPicture(discriminator)


def head(in_channels: int, channels: int) -> nn.Sequential:
    """Feature map (N, in_channels, h, w) -> logits (N, 1, h, w), every layer spectrally normalised."""
    return nn.Sequential(
        spectral_norm(nn.Conv2d(in_channels, channels, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(channels, channels, 3, padding=1)),
        nn.LeakyReLU(0.2),
        spectral_norm(nn.Conv2d(channels, 1, 1)),
    )


class ProjectedDiscriminator(nn.Module):
    """(N, 3, H, W) -> one logit map for each of the strides 4, 8, 16 and 32.

    The frozen network already knows what fur, sky and brush strokes look like; only the heads learn, so that a GAN on
    a thousand pictures converges in thousands of steps instead of hundreds of thousands.

    Source: Sauer et al. 2021, Projected GANs Converge Faster (without the random cross-scale mixing).
    """

    def __init__(self, config: ProjectedConfig) -> None:
        super().__init__()
        self.config = config
        # In a tuple the trunk is no submodule: its weights never change, so checkpoints and optimisers leave it out.
        self._trunk: tuple[EfficientNetTrunk] = (load_efficientnet("lite0"),)
        self.heads = nn.ModuleList(head(channels, config.base_channels) for channels in self._trunk[0].map_channels)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """What moves a module to a device or into a memory format; the trunk goes along."""
        self._trunk[0]._apply(fn, recurse)  # type: ignore[no-untyped-call]
        moved: Self = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return moved

    def forward(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> logits [(N, 1, s/4, s/4), ..., (N, 1, s/32, s/32)], s = config.image_size."""
        maps = self.project(diff_augment(image, self.config.augment))
        return [head(features) for head, features in zip(self.heads, maps, strict=True)]

    def project(self, image: Tensor) -> list[Tensor]:
        """(N, 3, H, W) in [-1, 1] -> the frozen features that the heads judge."""
        size = self.config.image_size
        resized = F.interpolate(image, size=(size, size), mode="bilinear", align_corners=False, antialias=False)
        return self._trunk[0].feature_maps(resized)

    def feature_maps(self, image: Tensor) -> list[list[Tensor]]:
        """See `zorse.networks.abilities.ShowsFeatures`."""
        seen = zip(self.heads, self.project(image), strict=True)
        return [after_each_activation(head, features) for head, features in seen]


class JudgedPicture(nn.Module):
    """Shows a discriminator of RGB pictures the last three channels only: the judged half of a pix2pix pair."""

    def __init__(self, discriminator: ProjectedDiscriminator) -> None:
        super().__init__()
        self.discriminator = discriminator

    def forward(self, pair: Tensor) -> list[Tensor]:
        """(N, C >= 3, H, W) in [-1, 1] -> the discriminator's logit maps."""
        logits: list[Tensor] = self.discriminator(pair[:, -RGB:])
        return logits

    def feature_maps(self, pair: Tensor) -> list[list[Tensor]]:
        """See `zorse.networks.abilities.ShowsFeatures`."""
        return self.discriminator.feature_maps(pair[:, -RGB:])
