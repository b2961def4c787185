"""Preparing a copy of a network for export: fused normalisation, rounded weights."""

import copy
from itertools import pairwise

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zorse.errors import ExportError


def fuse_batch_norms(network: nn.Module) -> nn.Module:
    """A copy in which each BatchNorm with running statistics is part of the convolution before it.

    ONNX exporters and runtimes do the same. Done here, the fused weights are the ones that are rounded to 16 bits.
    """
    network = copy.deepcopy(network)
    sequences = [module for module in network.modules() if isinstance(module, nn.Sequential)]
    for sequence in sequences:
        for (position, layer), (after, norm) in pairwise(enumerate(sequence)):
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d) and isinstance(norm, nn.BatchNorm2d):
                sequence[position] = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, nn.ConvTranspose2d))
                sequence[after] = nn.Identity()
    return network


def round_to_half(network: nn.Module) -> None:
    """Rounds every parameter, in place, to the nearest value that 16 bits can hold.

    Raises:
        ExportError: a value is beyond their range.
    """
    for name, parameter in network.named_parameters():
        half = parameter.half()
        if not torch.isfinite(half).all():
            raise ExportError(
                f"The weights {name} reach {float(parameter.abs().max()):g}; 16 bits hold at most 65504. Export with "
                "--precision fp32."
            )
        parameter.copy_(half)
