"""Layers that samples of a batch see each other through: virtual batch normalisation, minibatch discrimination."""

import torch
from torch import Tensor, nn

from zorse.gans.architecture import SampleNorm

REFERENCE = 64
"""Samples of the reference batch."""


class VirtualBatchNorm(nn.Module):
    """BatchNorm whose statistics come from a reference batch that never changes, and from the sample itself.

    The first `REFERENCE` entries of the batch are the reference. A sample thus no longer depends on the others that it
    is drawn with.

    Source: Salimans et al. 2016, Improved Techniques for Training GANs, section 3.5.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        """(REFERENCE + N, channels, ...) -> the same shape."""
        places = list(range(2, x.ndim))
        reference = x[:REFERENCE]
        mean, square = reference.mean([0, *places]), reference.square().mean([0, *places])
        own = x.mean(places, keepdim=True) if places else x
        own_square = x.square().mean(places, keepdim=True) if places else x.square()
        wide = (1, -1, *[1] * len(places))
        mean = (REFERENCE * mean.view(wide) + own) / (REFERENCE + 1)
        square = (REFERENCE * square.view(wide) + own_square) / (REFERENCE + 1)
        normal = (x - mean) * torch.rsqrt((square - mean.square()).clamp(min=0) + 1e-5)
        return normal * self.weight.view(wide) + self.bias.view(wide)


class MinibatchDiscrimination(nn.Module):
    """Appends to each sample's features how near they are to those of the other samples: a collapse becomes visible.

    M_i = T f_i, c_b(i, j) = exp(-||M_ib - M_jb||_1), o_b(i) = sum over j other than i of c_b(i, j).

    Source: Salimans et al. 2016, section 3.2.
    """

    def __init__(self, features: int, kernels: int, kernel_size: int = 3) -> None:
        super().__init__()
        self.kernels = kernels
        self.weight = nn.Linear(features, kernels * kernel_size, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """(N, features) -> (N, features + kernels)."""
        embedded = self.weight(features).view(len(features), self.kernels, -1)
        distance = (embedded[:, None] - embedded[None]).abs().sum(-1)
        near = torch.exp(-distance).sum(1) - 1.0  # A sample is at distance 0 of itself.
        return torch.cat([features, near], dim=1)


def sample_norm(norm: SampleNorm, channels: int, *, planes: bool) -> nn.Module:
    """Normalisation over (N, channels, H, W), or (N, channels) where there are no planes."""
    match norm:
        case "batch":
            return nn.BatchNorm2d(channels) if planes else nn.BatchNorm1d(channels)
        case "virtual":
            return VirtualBatchNorm(channels)
        case "none":
            return nn.Identity()
