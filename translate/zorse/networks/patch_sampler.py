"""The embedding in which CUT compares patches: features at a few random places, each through a small network."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

INITIAL_GAIN = 0.02
"""Of Xavier's initialisation, as published: the embeddings are normalised, so small weights only turn faster."""
TINY = 1e-7
"""Keeps a feature of zeros from being divided by zero."""


class PatchSampler(nn.Module):
    """The papers' F: a two-layer network for each tapped layer of the encoder.

    Args:
        channels: of each layer's feature map, in the order of `encode`.
        embedding_channels: size of the embedding; 256 in the paper.
        n_patches: places to compare on each map; 256 in the paper.

    Source: Park et al. 2020, Contrastive Learning for Unpaired Image-to-Image Translation, section 3.
    """

    def __init__(self, channels: Sequence[int], embedding_channels: int = 256, n_patches: int = 256) -> None:
        super().__init__()
        self.n_patches = n_patches
        self.embeddings = nn.ModuleList(embedding(inside, embedding_channels) for inside in channels)

    def forward(self, maps: Sequence[Tensor], places: Sequence[Tensor]) -> list[Tensor]:
        """Maps (N, C, H, W) at places (P,) of each -> embeddings (N, P, embedding_channels) of length 1."""
        return [
            unit_length(network(features.flatten(2)[:, :, at].transpose(1, 2)))
            for network, features, at in zip(self.embeddings, maps, places, strict=True)
        ]

    def draw_places(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Different random positions on each map, the same for all pictures of the batch: flat indices (P,)."""
        return [
            torch.randperm(features.shape[2] * features.shape[3], device=features.device)[: self.n_patches]
            for features in maps
        ]


def embedding(inside: int, outside: int) -> nn.Sequential:
    """(..., inside) -> (..., outside): linear, ReLU, linear."""
    first, second = nn.Linear(inside, outside), nn.Linear(outside, outside)
    for layer in (first, second):
        nn.init.xavier_normal_(layer.weight, gain=INITIAL_GAIN)
        nn.init.zeros_(layer.bias)
    return nn.Sequential(first, nn.ReLU(), second)


def unit_length(x: Tensor) -> Tensor:
    """Vectors (..., C), scaled to length 1."""
    norm: Tensor = x.norm(dim=-1, keepdim=True)
    return x / (norm + TINY)
