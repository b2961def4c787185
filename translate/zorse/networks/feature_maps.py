"""What discriminators see on the way to their logits: the features that pix2pixHD's generator has to match."""

from torch import Tensor, nn

from zorse.errors import ConfigError
from zorse.networks.build import Discriminators
from zorse.networks.patchgan import MultiScalePatchGAN, PatchGAN, PixelDiscriminator
from zorse.networks.projected import JudgedPicture, ProjectedDiscriminator


def feature_maps(discriminator: nn.Module, image: Tensor) -> list[list[Tensor]]:
    """(N, C, H, W) in [-1, 1] -> for each network that judges it, its maps (N, c, h, w) after each activation.

    The picture is not augmented: the features of a pair of pictures can be compared only if both were shown alike.

    Args:
        discriminator: from `build_discriminator`.
        image: the pictures, or the pairs, that it judges.
    """
    match discriminator:
        case PatchGAN() | PixelDiscriminator():
            return [after_each_activation(discriminator.layers, image)]
        case MultiScalePatchGAN():
            return [
                maps for member, scaled in discriminator.at_their_scales(image) for maps in feature_maps(member, scaled)
            ]
        case ProjectedDiscriminator():
            seen = zip(discriminator.heads, discriminator.project(image), strict=True)
            return [after_each_activation(head, features) for head, features in seen]
        case JudgedPicture():
            return feature_maps(discriminator.discriminator, discriminator.judged(image))
        case Discriminators():
            return [maps for member in discriminator.members for maps in feature_maps(member, image)]
    raise ConfigError(
        f"Features of {type(discriminator).__name__} cannot be matched: it is not a discriminator of Zorse. Set "
        "recipe.lambda_features to 0."
    )


def after_each_activation(layers: nn.Module, x: Tensor) -> list[Tensor]:
    """The maps after each LeakyReLU of a sequence of layers that ends with logits."""
    maps: list[Tensor] = []
    for layer in layers.children():
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            maps.append(x)
    return maps
