"""DiffAugment: augmentations that the generator's gradient passes through, for discriminators on small data."""

import torch
import torch.nn.functional as F
from torch import Tensor

BRIGHTNESS = 0.5
"""Largest shift, in units of half the value range."""
CONTRAST = (0.5, 1.5)
TRANSLATION = 0.125
"""Largest shift as a share of the side."""


def uniform(image: Tensor, low: float, high: float) -> Tensor:
    """One random number for each picture of (N, C, H, W), shaped (N, 1, 1, 1)."""
    return torch.empty(image.shape[0], 1, 1, 1, device=image.device, dtype=image.dtype).uniform_(low, high)


def brightness(image: Tensor) -> Tensor:
    """Adds one random value to the whole picture."""
    return image + uniform(image, -BRIGHTNESS, BRIGHTNESS)


def contrast(image: Tensor) -> Tensor:
    """Stretches or flattens the picture around its mean."""
    mean = image.mean(dim=(1, 2, 3), keepdim=True)
    return (image - mean) * uniform(image, *CONTRAST) + mean


def translation(image: Tensor) -> Tensor:
    """Moves each picture by up to an eighth of its side; what comes in from outside is black, as published."""
    n, _, height, width = image.shape
    reach_y, reach_x = int(height * TRANSLATION + 0.5), int(width * TRANSLATION + 0.5)
    shift_y = torch.randint(0, 2 * reach_y + 1, (n, 1, 1), device=image.device)
    shift_x = torch.randint(0, 2 * reach_x + 1, (n, 1, 1), device=image.device)
    rows = torch.arange(height, device=image.device).view(1, -1, 1) + shift_y
    columns = torch.arange(width, device=image.device).view(1, 1, -1) + shift_x
    padded = F.pad(image, (reach_x, reach_x, reach_y, reach_y), value=-1.0)
    pictures = torch.arange(n, device=image.device).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[pictures, rows, columns].permute(0, 3, 1, 2)


def diff_augment(image: Tensor) -> Tensor:
    """Brightness, contrast and translation of pictures (N, C, H, W) in [-1, 1], each drawn anew for each picture.

    Source: Zhao et al. 2020, Differentiable Augmentation for Data-Efficient GAN Training.
    """
    return translation(contrast(brightness(image)))
