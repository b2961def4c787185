"""What all networks share: normalisation, antialiasing, and the initialisation of the papers."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zorse.model.architecture import Norm

EPSILON = 1e-5
"""Added to variances before they divide."""


class InstanceNorm(nn.Module):
    """Brings each channel of each picture to mean 0 and variance 1, without running statistics.

    With `affine`, each channel then has a learned scale and shift. The same function as `nn.InstanceNorm2d`, computed
    on CPUs as GroupNorm with one channel per group: PyTorch's kernel for that is two to four times faster there,
    forward and backward.

    Source: Ulyanov et al. 2016, Instance Normalization.
    """

    def __init__(self, channels: int, affine: bool = False) -> None:
        super().__init__()
        self.channels = channels
        self.weight = nn.Parameter(torch.ones(channels)) if affine else None
        self.bias = nn.Parameter(torch.zeros(channels)) if affine else None

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) -> the same shape."""
        # Of a copy without gaps: in channels_last PyTorch's group_norm loses digits on CPUs (0.3 on a nearly flat map),
        # and the gradient of its instance_norm is wrong there for one picture.
        x = x.contiguous()
        if not x.is_cuda:
            return F.group_norm(x, self.channels, self.weight, self.bias, EPSILON)
        # Mixed precision would widen these maps to 32 bits, and all that comes after them until the next convolution.
        scale, shift = (None if part is None else part.to(x.dtype) for part in (self.weight, self.bias))
        with torch.autocast("cuda", enabled=False):
            return F.group_norm(x, self.channels, scale, shift, EPSILON)


class Blur(nn.Module):
    """Halves the resolution after a blur with 1-2-1 each way: fine patterns fade instead of turning into coarse ones.

    The mean of two neighbours, taken twice, weighs three of them 1-2-1.

    Source: Zhang 2019, Making Convolutional Networks Shift-Invariant Again; with reflecting borders as in CUT.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, ceil(H / 2), ceil(W / 2))."""
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        return F.avg_pool2d(F.avg_pool2d(padded, 2, stride=1), 2, stride=2)


def norm_layer(norm: Norm, channels: int) -> nn.Module:
    """Normalisation over (N, channels, H, W).

    `instance` has neither affine parameters nor running statistics: it uses each picture's own mean and variance in
    training and at test alike (Zhu et al. 2017). `batch` has both.
    """
    match norm:
        case "batch":
            return nn.BatchNorm2d(channels)
        case "instance":
            return InstanceNorm(channels)
        case "instance_affine":
            return InstanceNorm(channels, affine=True)
        case "none":
            return nn.Identity()


def needs_bias(norm: Norm) -> bool:
    """Whether the convolution before this normalisation gets a bias.

    Only BatchNorm makes it superfluous in the published networks: they keep it before InstanceNorm, where it has no
    effect, and counting parameters as published needs it.
    """
    return norm != "batch"


def after_each_activation(layers: nn.Module, x: Tensor) -> list[Tensor]:
    """The maps after each LeakyReLU of a sequence of layers that ends with logits."""
    maps: list[Tensor] = []
    for layer in layers.children():
        x = layer(x)
        if isinstance(layer, nn.LeakyReLU):
            maps.append(x)
    return maps


def initialise(network: nn.Module, std: float = 0.02) -> None:
    """Draws convolution and linear weights from N(0, std), BatchNorm scales from N(1, std); biases become zero.

    Source: Isola et al. 2017, appendix 6.2; Radford et al. 2016, section 4.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, 0.0, std)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, std)
            nn.init.zeros_(module.bias)
