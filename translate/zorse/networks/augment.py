"""DiffAugment: augmentations that the generator's gradient passes through, for discriminators on small data.

Pictures are (N, C, H, W) in [-1, 1]; a pix2pix pair is two RGB pictures, one after the other along the channels. Each
function draws anew for each sample of the batch, and treats both pictures of a pair alike.

Source: Zhao et al. 2020, Differentiable Augmentation for Data-Efficient GAN Training, section 4 and appendix.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from zorse.model.architecture import DIFF_AUGMENT, Augmentation

BRIGHTNESS = 0.5
"""Largest shift, in units of half the value range."""
SATURATION = (0.0, 2.0)
CONTRAST = (0.5, 1.5)
TRANSLATION = 0.125
"""Largest shift as a share of the side."""
CUTOUT = 0.5
"""Side of the square that is cut out as a share of the picture's side."""
RGB = 3


def diff_augment(image: Tensor, policy: Sequence[Augmentation] = DIFF_AUGMENT) -> Tensor:
    """Augments pictures or pairs (N, C, H, W) as the policy says, in its order; shape and range stay roughly the same.

    Args:
        image: pictures, or pairs with 6 channels.
        policy: names of augmentations; all five are the published policy "color, translation, cutout".
    """
    for name in policy:
        image = AUGMENTATIONS[name](image)
    return image


def uniform(image: Tensor, low: float, high: float) -> Tensor:
    """One random number for each sample of (N, C, H, W), shaped (N, 1, 1, 1)."""
    return torch.empty(image.shape[0], 1, 1, 1, device=image.device, dtype=image.dtype).uniform_(low, high)


def each_picture(image: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C / 3, 3, H, W): the RGB pictures of a pair apart; other channels stay together."""
    n, channels, height, width = image.shape
    return image.reshape(n, -1, RGB if channels % RGB == 0 else channels, height, width)


def brightness(image: Tensor) -> Tensor:
    """Adds one random value to the whole picture."""
    return image + uniform(image, -BRIGHTNESS, BRIGHTNESS)


def saturation(image: Tensor) -> Tensor:
    """Moves colours away from the grey of the same pixel, or towards it."""
    grey = each_picture(image).mean(dim=2, keepdim=True).expand_as(each_picture(image)).flatten(1, 2)
    return (image - grey) * uniform(image, *SATURATION) + grey


def contrast(image: Tensor) -> Tensor:
    """Stretches or flattens the picture around its mean."""
    pictures = each_picture(image)
    mean = pictures.mean(dim=(2, 3, 4), keepdim=True).expand(*pictures.shape[:3], 1, 1).flatten(1, 2)
    return (image - mean) * uniform(image, *CONTRAST) + mean


def translation(image: Tensor) -> Tensor:
    """Moves each picture by up to an eighth of its side; what comes in from outside is 0, a middle grey."""
    n, _, height, width = image.shape
    reach_y, reach_x = int(height * TRANSLATION + 0.5), int(width * TRANSLATION + 0.5)
    shift_y = torch.randint(0, 2 * reach_y + 1, (n, 1, 1), device=image.device)
    shift_x = torch.randint(0, 2 * reach_x + 1, (n, 1, 1), device=image.device)
    rows = torch.arange(height, device=image.device).view(1, -1, 1) + shift_y
    columns = torch.arange(width, device=image.device).view(1, 1, -1) + shift_x
    padded = F.pad(image, (reach_x, reach_x, reach_y, reach_y))
    samples = torch.arange(n, device=image.device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[samples, rows, columns].permute(0, 3, 1, 2)


def cutout(image: Tensor) -> Tensor:
    """Sets a random square, half as wide as the picture and perhaps partly outside of it, to 0, a middle grey."""
    n, _, height, width = image.shape
    rows = hit(n, height, image.device).view(n, 1, height, 1)
    columns = hit(n, width, image.device).view(n, 1, 1, width)
    return image * ~(rows & columns)


def hit(n: int, side: int, device: torch.device) -> Tensor:
    """Which of the rows (or columns) a square cuts, whose centre lies anywhere in the picture: bool (n, side)."""
    cut = int(side * CUTOUT + 0.5)
    centre = torch.randint(0, side + 1 - cut % 2, (n, 1), device=device)
    distance = torch.arange(side, device=device) - (centre - cut // 2)
    return (distance >= 0) & (distance < cut)


AUGMENTATIONS: Mapping[Augmentation, Callable[[Tensor], Tensor]] = {
    "brightness": brightness,
    "saturation": saturation,
    "contrast": contrast,
    "translation": translation,
    "cutout": cutout,
}
