"""Random turns, slants, scales and shifts of pictures, which gradients pass through."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

TURN, SLANT, SCALE, SHIFT = math.radians(20), 0.4, 0.2, 0.15
"""Largest angle, shear, logarithm of the scale, and shift as a share of half the side."""


def random_affine(pictures: Tensor, strength: float = 1.0) -> Tensor:
    """Turns, slants, scales and shifts each picture of (N, C, H, W) by an amount of its own; its border is repeated.

    Args:
        pictures: of any range.
        strength: 1: up to TURN, SLANT, SCALE and SHIFT either way; 0: not at all.
    """
    turn, slant, scale, right, down = (
        torch.empty(len(pictures), device=pictures.device).uniform_(-most * strength, most * strength)
        for most in (TURN, SLANT, SCALE, SHIFT, SHIFT)
    )
    cosine, sine, size = turn.cos(), turn.sin(), scale.exp()
    rows = [
        torch.stack([size * cosine, size * (slant * cosine - sine), right], 1),
        torch.stack([size * sine, size * (slant * sine + cosine), down], 1),
    ]
    grid = F.affine_grid(torch.stack(rows, 1).to(pictures.dtype), list(pictures.shape), align_corners=False)
    return F.grid_sample(pictures, grid, padding_mode="border", align_corners=False)
